use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock};

use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;
use subtle::{Choice, ConstantTimeEq};

use super::role::Role;
use super::weak::{MAX_LEN, weakness};
use crate::model::{Secret, catch_panic};

/// The access rule of a protected page: requests with a token, requests that a function of the host admits, or all
/// requests.
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
    By(Arc<RoleOf>),
}

/// Returns the role of a request.
type RoleOf = dyn Fn(&Parts) -> Option<Role> + Send + Sync;

struct AccessToken {
    source: TokenSource,
    /// Set once: at construction for a valid token in code, otherwise by the monitor.
    tokens: OnceLock<AccessTokens>,
}

/// The tokens that a rule admits.
struct AccessTokens {
    operator: PaddedToken,
    viewer: Option<PaddedToken>,
    /// Whether the operator's token was generated for this run.
    #[cfg_attr(
        not(feature = "dashboard"),
        expect(dead_code, reason = "the dashboard alone tells the two apart")
    )]
    is_made_up: bool,
}

/// What kind of access a rule gives.
#[cfg(feature = "dashboard")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AccessKind {
    /// Everyone may read.
    Open,
    /// By a token that the host configured.
    Token,
    /// By a token that was generated for this run.
    MadeUpToken,
    /// A function of the host decides.
    By,
    /// A token that the monitor has not resolved, so nobody is admitted.
    Unresolved,
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

    /// Lets a function of the host decide, for a host with a login of its own: it returns the [`Role`] of a request, or
    /// `None` to refuse it.
    ///
    /// The function runs on the thread of the request for each request of a protected page, so it must not block. A request
    /// is refused if it panics. Put what it needs into the request's extensions in a layer around the page.
    ///
    /// ```
    /// use watchpost::{Access, Role};
    ///
    /// #[derive(Clone)]
    /// struct SignedIn { is_admin: bool }
    ///
    /// let access = Access::by(|parts| {
    ///     let user = parts.extensions.get::<SignedIn>()?;
    ///     Some(if user.is_admin { Role::Operator } else { Role::Viewer })
    /// });
    /// # let _ = access;
    /// ```
    pub fn by(role_of: impl Fn(&Parts) -> Option<Role> + Send + Sync + 'static) -> Self {
        Self(AccessRule::By(Arc::new(role_of)))
    }

    fn with(source: TokenSource, secret: Option<&Secret>) -> Self {
        let token = AccessToken {
            source,
            tokens: OnceLock::new(),
        };
        if let Some(secret) = secret {
            token.resolve(secret, None, false);
        }
        Self(AccessRule::AccessToken(Arc::new(token)))
    }

    /// Returns the source of a token that is not resolved yet; `None` if there is nothing to resolve.
    pub(super) fn unresolved(&self) -> Option<&TokenSource> {
        match &self.0 {
            AccessRule::AccessToken(token) if token.tokens.get().is_none() => Some(&token.source),
            _ => None,
        }
    }

    /// Sets the tokens. Later calls are ignored.
    pub(super) fn resolve(&self, secret: &Secret, viewer: Option<&Secret>, is_made_up: bool) {
        if let AccessRule::AccessToken(token) = &self.0 {
            token.resolve(secret, viewer, is_made_up);
        }
    }

    /// Returns whether a request is allowed to read.
    pub(crate) fn allows(&self, request: &Parts) -> bool {
        match &self.0 {
            AccessRule::Open => true,
            AccessRule::AccessToken(_) => self.role_by_bearer(&request.headers).is_some(),
            AccessRule::By(_) => self.role_by_host(request).is_some(),
        }
    }

    /// Returns what kind of access the rule gives.
    #[cfg(feature = "dashboard")]
    pub(crate) fn kind(&self) -> AccessKind {
        match &self.0 {
            AccessRule::Open => AccessKind::Open,
            AccessRule::By(_) => AccessKind::By,
            AccessRule::AccessToken(token) => match token.tokens.get() {
                None => AccessKind::Unresolved,
                Some(tokens) if tokens.is_made_up => AccessKind::MadeUpToken,
                Some(_) => AccessKind::Token,
            },
        }
    }

    /// Returns the role of the bearer token of a request.
    pub(crate) fn role_by_bearer(&self, headers: &HeaderMap) -> Option<Role> {
        self.role_by_token(bearer(headers)?)
    }

    /// Returns the role of a token, in a time that depends only on the token's length.
    pub(crate) fn role_by_token(&self, shown: &[u8]) -> Option<Role> {
        let AccessRule::AccessToken(token) = &self.0 else {
            return None;
        };
        let tokens = token.tokens.get()?;
        // Both are compared, so that the time does not tell which one exists.
        let is_operator = tokens.operator.is(shown);
        let is_viewer = tokens.viewer.as_ref().is_some_and(|it| it.is(shown));
        match (is_operator, is_viewer) {
            (true, _) => Some(Role::Operator),
            (false, true) => Some(Role::Viewer),
            (false, false) => None,
        }
    }

    /// Returns the role that the host's function gives to a request. `None` without such a function, or if it panics.
    pub(crate) fn role_by_host(&self, request: &Parts) -> Option<Role> {
        match &self.0 {
            AccessRule::By(role_of) => catch_panic(|| role_of(request)).flatten(),
            AccessRule::Open | AccessRule::AccessToken(_) => None,
        }
    }

    /// Calls `read` with the token of a role, to derive a key from it.
    #[cfg(feature = "dashboard")]
    pub(crate) fn with_token<R>(&self, role: Role, read: impl FnOnce(&[u8]) -> R) -> Option<R> {
        let AccessRule::AccessToken(token) = &self.0 else {
            return None;
        };
        let tokens = token.tokens.get()?;
        let token = match role {
            Role::Operator => &tokens.operator,
            Role::Viewer => tokens.viewer.as_ref()?,
        };
        Some(read(token.text()))
    }
}

impl AccessToken {
    fn resolve(&self, secret: &Secret, viewer: Option<&Secret>, is_made_up: bool) {
        let padded = |secret: &Secret| PaddedToken::new(secret.reveal().as_bytes());
        if let Some(operator) = padded(secret) {
            self.tokens.get_or_init(|| AccessTokens {
                operator,
                viewer: viewer.and_then(padded),
                is_made_up,
            });
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

    /// The token without its padding.
    #[cfg(feature = "dashboard")]
    fn text(&self) -> &[u8] {
        let len = usize::try_from(self.len).unwrap_or(MAX_LEN);
        self.bytes.get(..len).unwrap_or_default()
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
            AccessRule::By(_) => "Access(by a function of the host)",
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

    fn request(values: &[&[u8]]) -> Parts {
        let mut parts = http::Request::new(()).into_parts().0;
        for value in values {
            let value = HeaderValue::from_bytes(value).unwrap();
            parts.headers.append(AUTHORIZATION, value);
        }
        parts
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
                access.allows(&request(&values)),
                admitted,
                "{values_text:?}"
            );
        }
        assert!(Access::open_to_anyone().allows(&request(&[])));
    }

    #[test]
    fn an_unresolved_token_admits_nobody() {
        for access in [
            Access::token_env("TOKEN"),
            Access::token("changeme"),
            Access::token(""),
        ] {
            for shown in ["Bearer changeme", "Bearer ", "Bearer TOKEN"] {
                assert!(!access.allows(&request(&[shown.as_bytes()])));
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
            access.resolve(&Secret::new(TOKEN), None, false);
            let printed = format!("{access:?} {access:#?}");
            assert!(
                !printed.contains(TOKEN) && !printed.contains("changeme"),
                "{printed}"
            );
        }
    }

    #[test]
    fn a_token_has_a_role() {
        let viewer = "4355a46b19d348dc2f57c046f8ef63d4";
        let access = Access::token_env("TOKEN");
        access.resolve(&Secret::new(TOKEN), Some(&Secret::new(viewer)), false);
        assert_eq!(access.role_by_token(TOKEN.as_bytes()), Some(Role::Operator));
        assert_eq!(access.role_by_token(viewer.as_bytes()), Some(Role::Viewer));
        assert_eq!(access.role_by_token(b"4355"), None);
        let bearer = format!("Bearer {viewer}");
        assert!(access.allows(&request(&[bearer.as_bytes()])));
    }

    #[test]
    fn a_function_of_the_host_decides() {
        let access = Access::by(|parts| match parts.uri.path() {
            "/read" => Some(Role::Viewer),
            "/panic" => std::panic::resume_unwind(Box::new(())),
            _ => None,
        });
        for (path, allowed) in [("/read", true), ("/panic", false), ("/", false)] {
            let mut parts = request(&[]);
            parts.uri = path.parse().unwrap();
            assert_eq!(access.allows(&parts), allowed, "{path}");
        }
        assert_eq!(access.role_by_token(b""), None);
        assert_eq!(format!("{access:?}"), "Access(by a function of the host)");
    }
}
