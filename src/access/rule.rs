use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock};

use http::HeaderMap;
use http::header::AUTHORIZATION;
use subtle::{Choice, ConstantTimeEq};

use super::weak::{MAX_LEN, weakness};
use crate::model::Secret;

/// Who may see a guarded page: whoever shows the token, or everybody.
///
/// A request shows the token as `Authorization: Bearer <token>`. Everything else is refused: no such
/// header, two of them, another scheme, another token. A token that has not been resolved by a monitor
/// yet admits nobody.
///
/// Tokens are compared over a fixed length, so that the time it takes tells neither how much of a guess
/// was right nor how long the token is.
///
/// # Where a token comes from
///
/// A token of fewer than 32 characters, or one that is easily guessed (it repeats itself, it begins with
/// `changeme` or `password`), guards nothing and is not used. In its place, as in that of an unset
/// variable, the monitor makes a random token of 256 bits for this run. It writes that token once to standard
/// error and nowhere else: no log record, notice or page shows it.
#[derive(Clone)]
pub struct Access(Rule);

#[derive(Clone)]
enum Rule {
    Open,
    Token(Arc<Token>),
}

struct Token {
    source: Source,
    /// Set once: at once for a good token, else by the monitor.
    padded: OnceLock<Padded>,
}

/// Where a token is to be found.
pub(super) enum Source {
    /// In this variable of the environment.
    Env(Cow<'static, str>),
    /// It was given in code, and is not good for this reason.
    Weak(&'static str),
    /// In the setting `access.token`.
    Settings,
    /// It was given.
    Given,
}

/// A token at a fixed length.
struct Padded {
    bytes: [u8; MAX_LEN],
    len: u64,
}

impl Access {
    /// Whoever shows the token that stands in this variable of the environment. The monitor reads the
    /// variable when the page is made; this call cannot fail.
    pub fn token_env(name: impl Into<Cow<'static, str>>) -> Self {
        Self::with(Source::Env(name.into()), None)
    }

    /// Whoever shows the token of the setting `access.token`: it is read from code
    /// ([`access_token`](crate::MonitorBuilder::access_token)), else the variable `WATCHPOST_ACCESS_TOKEN`, else
    /// `WATCHPOST_TOKEN`, else the file. The monitor's own port uses the same token. The monitor looks the setting up
    /// when the page is made; this call cannot fail. Where the setting has no token, all pages of the monitor share
    /// one random token.
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
        Self::with(Source::Settings, None)
    }

    /// Whoever shows this token.
    pub fn token(secret: impl Into<String>) -> Self {
        let secret = Secret::new(secret);
        match weakness(secret.reveal()) {
            None => Self::with(Source::Given, Some(&secret)),
            Some(why) => Self::with(Source::Weak(why), None),
        }
    }

    /// Everybody who can reach the page, without a token. Say so only where the network keeps others out.
    pub fn open_to_anyone() -> Self {
        Self(Rule::Open)
    }

    fn with(source: Source, secret: Option<&Secret>) -> Self {
        let token = Token {
            source,
            padded: OnceLock::new(),
        };
        if let Some(secret) = secret {
            token.resolve(secret);
        }
        Self(Rule::Token(Arc::new(token)))
    }

    /// Where the token is still to be found; `None` where there is nothing to find.
    pub(super) fn unresolved(&self) -> Option<&Source> {
        match &self.0 {
            Rule::Token(token) if token.padded.get().is_none() => Some(&token.source),
            _ => None,
        }
    }

    /// Says what the token is. The first word stands.
    pub(super) fn resolve(&self, secret: &Secret) {
        if let Rule::Token(token) = &self.0 {
            token.resolve(secret);
        }
    }

    /// Whether a request with these headers is admitted.
    pub(crate) fn allows(&self, headers: &HeaderMap) -> bool {
        match &self.0 {
            Rule::Open => true,
            Rule::Token(token) => match (token.padded.get(), bearer(headers)) {
                (Some(token), Some(shown)) => token.is(shown),
                _ => false,
            },
        }
    }
}

impl Token {
    fn resolve(&self, secret: &Secret) {
        if let Some(padded) = Padded::new(secret.reveal().as_bytes()) {
            self.padded.get_or_init(|| padded);
        }
    }
}

impl Padded {
    /// `None` where the text is longer than any token.
    fn new(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; MAX_LEN];
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        Some(Self {
            bytes,
            len: text.len() as u64,
        })
    }

    /// Takes as long for any text of a given length.
    fn is(&self, shown: &[u8]) -> bool {
        let Some(shown) = Self::new(shown) else {
            return false;
        };
        let same: Choice = self.bytes.ct_eq(&shown.bytes) & self.len.ct_eq(&shown.len);
        same.into()
    }
}

/// The token that a request shows, where it shows exactly one.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (all.next(), all.next()) else {
        return None;
    };
    let (scheme, rest) = value.as_bytes().split_at_checked(b"bearer".len())?;
    let shown = rest.trim_ascii();
    let told = scheme.eq_ignore_ascii_case(b"bearer") && rest.first() == Some(&b' ');
    (told && !shown.is_empty()).then_some(shown)
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = match &self.0 {
            Rule::Open => "Access(open to anyone)",
            Rule::Token(token) => match &token.source {
                Source::Env(name) => return write!(f, "Access(token in {name:?}: [REDACTED])"),
                Source::Settings => "Access(token of the settings: [REDACTED])",
                Source::Weak(_) | Source::Given => "Access(token: [REDACTED])",
            },
        };
        f.write_str(told)
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
            let told: Vec<_> = values
                .iter()
                .map(|value| String::from_utf8_lossy(value))
                .collect();
            assert_eq!(access.allows(&headers(&values)), admitted, "{told:?}");
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
            let told = format!("{access:?} {access:#?}");
            assert!(
                !told.contains(TOKEN) && !told.contains("changeme"),
                "{told}"
            );
        }
    }
}
