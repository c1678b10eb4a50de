use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock};

use http::HeaderMap;
use http::header::AUTHORIZATION;
use subtle::{Choice, ConstantTimeEq};

use super::weak::{MAX_LEN, weakness};
use crate::model::Secret;

/// The access rule of a protected page: requests with a token, or all requests.
///
/// A request sends the token as `Authorization: Bearer <token>`. Every other request is refused: one without this
/// header, with two of them, with another scheme, or with another token. While the monitor has not resolved the token
/// yet, all requests are refused.
///
/// Tokens are compared in constant time over a fixed length. The time of a refusal reveals neither how much of a guess
/// was right nor how long the token is.
///
/// # Where a token comes from
///
/// | source | missing or empty | too short, too long, or unreadable | easy to guess |
/// |---|---|---|---|
/// | [`Access::token`]: a text in code | random token | random token | random token |
/// | [`Access::token_env`]: a variable of your choice | random token | random token; a value that is not UTF-8 counts as missing | random token |
/// | [`Access::from_settings`]: the call [`access_token`](crate::MonitorBuilder::access_token) | an empty text fails `build` | fails `build` | random token; fewer than 8 distinct characters fail `build` |
/// | `from_settings`: the variables `WATCHPOST_ACCESS_TOKEN`, then `WATCHPOST_TOKEN` | the next source decides | fails `build`, also if it is not UTF-8 | as above |
/// | `from_settings`: `access.token` in the settings file | without the key: random token; an empty text fails `build` | fails `build`, also if the file is missing or cannot be read | as above |
///
/// - **Too short or too long**: fewer than 32 or more than 512 characters. **Unreadable**: characters that an
///   `Authorization` header cannot carry, such as spaces. The settings allow only letters, digits and `-._~+/=`. White
///   space around a token is removed, except in `Access::token`.
/// - **Easy to guess**: begins like a known example (`changeme`, `password`, `your`, ..), repeats itself, or is a run of
///   neighboring characters.
/// - **Fails `build`**: [`build`](crate::MonitorBuilder::build) and `install` return an error that names the source.
/// - **Random token**: the monitor generates one of 256 bits for this run, when the page is created. Pages with the same
///   variable, and all pages with `from_settings`, share one. It is written once to standard error and nowhere else; a
///   notice in the log says why, and does not contain it. If the system has no random numbers, all requests are
///   refused.
///
/// ```text
/// watchpost: WATCHPOST_TOKEN is not set: until this process ends, the token is 18afb295f26bc6d7bacae13fca8286e58eb4990f720eef12036f85937201f929
/// ```
///
/// After `.env(false)`, all variables are missing, also that of `token_env`.
///
/// ```sh
/// export WATCHPOST_TOKEN=$(openssl rand -hex 32)
/// ./shop &
/// curl -H "Authorization: Bearer $WATCHPOST_TOKEN" http://127.0.0.1:9100/health
/// ```
#[derive(Clone)]
pub struct Access(AccessRule);

#[derive(Clone)]
enum AccessRule {
    Open,
    AccessToken(Arc<AccessToken>),
}

struct AccessToken {
    source: TokenSource,
    /// Set once: at construction for a valid token in code, otherwise by the monitor.
    padded: OnceLock<PaddedToken>,
}

/// The source of a token.
pub(super) enum TokenSource {
    /// The environment variable of this name.
    Env(Cow<'static, str>),
    /// Code, with a token that is too weak for this reason.
    Weak(&'static str),
    /// The setting `access.token`.
    Settings,
    /// Code.
    Code,
}

/// A token, padded to a fixed length.
struct PaddedToken {
    bytes: [u8; MAX_LEN],
    len: u64,
}

impl Access {
    /// Allows requests with the token in this environment variable.
    ///
    /// The monitor reads the variable when the page is built; this call cannot fail. A token that must not be used is
    /// replaced by a random one, see [above](Self#where-a-token-comes-from).
    pub fn token_env(name: impl Into<Cow<'static, str>>) -> Self {
        Self::with(TokenSource::Env(name.into()), None)
    }

    /// Allows requests with the token of the setting `access.token`. The monitor's own port uses the same token.
    ///
    /// The first of these that is set applies: code ([`access_token`](crate::MonitorBuilder::access_token)), the
    /// variable `WATCHPOST_ACCESS_TOKEN`, the variable `WATCHPOST_TOKEN`, the settings file. Without a token, all pages
    /// of the monitor share one random token. The monitor reads the setting when the page is built; this call cannot
    /// fail.
    ///
    /// ```
    /// # fn main() -> watchpost::Result<()> {
    /// use watchpost::{Access, Monitor};
    ///
    /// let monitor = Monitor::builder("shop").build()?;
    /// let health = monitor.health().details(Access::from_settings());
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_settings() -> Self {
        Self::with(TokenSource::Settings, None)
    }

    /// Allows requests with this token. A token that must not be used is replaced by a random one, see
    /// [above](Self#where-a-token-comes-from).
    pub fn token(secret: impl Into<String>) -> Self {
        let secret = Secret::new(secret);
        match weakness(secret.reveal()) {
            None => Self::with(TokenSource::Code, Some(&secret)),
            Some(why) => Self::with(TokenSource::Weak(why), None),
        }
    }

    /// Allows every request without a token. Use it only if the network restricts who can reach the page.
    pub fn open_to_anyone() -> Self {
        Self(AccessRule::Open)
    }

    fn with(source: TokenSource, secret: Option<&Secret>) -> Self {
        let token = AccessToken {
            source,
            padded: OnceLock::new(),
        };
        if let Some(secret) = secret {
            token.resolve(secret);
        }
        Self(AccessRule::AccessToken(Arc::new(token)))
    }

    /// Returns the source of a token that is not resolved yet; `None` if there is nothing to resolve.
    pub(super) fn unresolved(&self) -> Option<&TokenSource> {
        match &self.0 {
            AccessRule::AccessToken(token) if token.padded.get().is_none() => Some(&token.source),
            _ => None,
        }
    }

    /// Sets the token. Later calls are ignored.
    pub(super) fn resolve(&self, secret: &Secret) {
        if let AccessRule::AccessToken(token) = &self.0 {
            token.resolve(secret);
        }
    }

    /// Returns whether a request with these headers is allowed.
    pub(crate) fn allows(&self, headers: &HeaderMap) -> bool {
        match &self.0 {
            AccessRule::Open => true,
            AccessRule::AccessToken(token) => match (token.padded.get(), bearer(headers)) {
                (Some(token), Some(shown)) => token.is(shown),
                _ => false,
            },
        }
    }
}

impl AccessToken {
    fn resolve(&self, secret: &Secret) {
        if let Some(padded) = PaddedToken::new(secret.reveal().as_bytes()) {
            self.padded.get_or_init(|| padded);
        }
    }
}

impl PaddedToken {
    /// Pads a token. Returns `None` if the text is longer than any valid token.
    fn new(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; MAX_LEN];
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        Some(Self {
            bytes,
            len: text.len() as u64,
        })
    }

    /// Compares tokens in a time that depends only on the length of `shown`.
    fn is(&self, shown: &[u8]) -> bool {
        let Some(shown) = Self::new(shown) else {
            return false;
        };
        let same: Choice = self.bytes.ct_eq(&shown.bytes) & self.len.ct_eq(&shown.len);
        same.into()
    }
}

/// Returns the bearer token of a request, if it has exactly one.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (all.next(), all.next()) else {
        return None;
    };
    let (scheme, rest) = value.as_bytes().split_at_checked(b"bearer".len())?;
    let shown = rest.trim_ascii();
    let is_bearer = scheme.eq_ignore_ascii_case(b"bearer") && rest.first() == Some(&b' ');
    (is_bearer && !shown.is_empty()).then_some(shown)
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match &self.0 {
            AccessRule::Open => "Access(open to anyone)",
            AccessRule::AccessToken(token) => match &token.source {
                TokenSource::Env(name) => {
                    return write!(f, "Access(token in {name:?}: [REDACTED])");
                }
                TokenSource::Settings => "Access(token of the settings: [REDACTED])",
                TokenSource::Weak(_) | TokenSource::Code => "Access(token: [REDACTED])",
            },
        };
        f.write_str(text)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const TOKEN: &str = "9f86d081884c7d659a2feaa0c55ad015";

    fn headers(values: &[&[u8]]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
        }
        headers
    }

    #[test]
    fn only_the_whole_token_alone_is_admitted() {
        let right = format!("Bearer {TOKEN}");
        let lower = format!("bearer  {TOKEN} ");
        let other = format!("Bearer {}", TOKEN.replace('5', "6"));
        let prefix = format!("Bearer {}", &TOKEN[..31]);
        let longer = format!("Bearer {TOKEN}0");
        let zero = [b"Bearer ".as_slice(), TOKEN.as_bytes(), b"\xff"].concat();
        let basic = format!("Basic {TOKEN}");
        let glued = format!("Bearer{TOKEN}");
        let huge = format!("Bearer {}", TOKEN.repeat(100));
        let access = Access::token(TOKEN);
        for (values, admitted) in [
            (vec![], false),
            (vec![right.as_bytes()], true),
            (vec![lower.as_bytes()], true),
            (vec![other.as_bytes()], false),
            (vec![prefix.as_bytes()], false),
            (vec![longer.as_bytes()], false),
            (vec![zero.as_slice()], false),
            (vec![basic.as_bytes()], false),
            (vec![glued.as_bytes()], false),
            (vec![huge.as_bytes()], false),
            (vec![b"Bearer"], false),
            (vec![b"Bearer "], false),
            (vec![b""], false),
            (vec![TOKEN.as_bytes()], false),
            (vec![b"Bearer \xff\xfe\x80"], false),
            (vec![right.as_bytes(), right.as_bytes()], false),
            (vec![right.as_bytes(), b"Basic eDp5"], false),
        ] {
            let values_text: Vec<_> = values
                .iter()
                .map(|value| String::from_utf8_lossy(value))
                .collect();
            assert_eq!(
                access.allows(&headers(&values)),
                admitted,
                "{values_text:?}"
            );
        }
        assert!(Access::open_to_anyone().allows(&headers(&[])));
    }

    #[test]
    fn an_unresolved_token_admits_nobody() {
        for access in [
            Access::token_env("TOKEN"),
            Access::token("changeme"),
            Access::token(""),
        ] {
            for shown in ["Bearer changeme", "Bearer ", "Bearer TOKEN"] {
                assert!(!access.allows(&headers(&[shown.as_bytes()])));
            }
            assert!(access.unresolved().is_some());
        }
    }

    #[test]
    fn no_token_is_printed() {
        for access in [
            Access::token(TOKEN),
            Access::token("changeme"),
            Access::token_env("TOKEN"),
            Access::open_to_anyone(),
        ] {
            access.resolve(&Secret::new(TOKEN));
            let printed = format!("{access:?} {access:#?}");
            assert!(
                !printed.contains(TOKEN) && !printed.contains("changeme"),
                "{printed}"
            );
        }
    }
}
