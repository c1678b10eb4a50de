use std::collections::HashMap;
use std::fmt;
use std::io::Write;
use std::sync::{Arc, Mutex};

use super::Access;
use super::rule::TokenSource;
use super::weak::weakness;
use crate::model::{Diagnostics, Secret, lock};

/// Reads an environment variable.
type Lookup = dyn Fn(&str) -> Option<String> + Send + Sync;
type Announce = dyn Fn(String) + Send + Sync;

/// The variable that notices name if the settings contain no token.
const TOKEN_VARIABLE: &str = "WATCHPOST_TOKEN";

/// Resolves the tokens of one monitor's pages. Pages with the same variable, or with the settings, share one token,
/// even if it is random. Clones share the tokens.
#[derive(Clone)]
pub(crate) struct TokenResolver(Arc<ResolverState>);

struct ResolverState {
    lookup: Box<Lookup>,
    diagnostics: Arc<Diagnostics>,
    /// Writes a random token to a place that the operator of the process sees.
    announce: Box<Announce>,
    settings: TokenSettings,
    by_name: Mutex<HashMap<String, ResolvedToken>>,
}

/// The tokens of the settings, each with the name of its setting in notices.
#[derive(Debug, Clone, Default)]
pub(crate) struct TokenSettings {
    /// `access.token`.
    pub(crate) operator: Option<(String, Secret)>,
    /// `access.viewer_token`.
    pub(crate) viewer: Option<(String, Secret)>,
}

#[derive(Clone)]
struct ResolvedToken {
    secret: Secret,
    is_made_up: bool,
}

impl TokenResolver {
    /// Creates a resolver. `lookup` reads the environment, and `announce` writes a random token to a place that the
    /// operator sees.
    pub(crate) fn new(
        lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
        announce: impl Fn(String) + Send + Sync + 'static,
        diagnostics: Arc<Diagnostics>,
        settings: TokenSettings,
    ) -> Self {
        Self(Arc::new(ResolverState {
            settings,
            lookup: Box::new(lookup),
            diagnostics,
            announce: Box::new(announce),
            by_name: Mutex::default(),
        }))
    }

    /// Resolves the tokens of `access`, once. A viewer's token belongs to the settings alone.
    pub(crate) fn resolve(&self, access: &Access) {
        let viewer = match access.unresolved() {
            Some(TokenSource::Settings) => self.viewer(),
            _ => None,
        };
        let token = match access.unresolved() {
            None | Some(TokenSource::Code) => None,
            Some(TokenSource::Env(name)) => self.token_by_name(name, || (self.0.lookup)(name)),
            Some(TokenSource::Settings) => self.of_settings(),
            Some(TokenSource::Weak(why)) => {
                self.random_token("the token given to `Access::token`", why)
            }
        };
        // Without a source of random numbers the token stays unresolved, and all requests are refused.
        if let Some(ResolvedToken { secret, is_made_up }) = token {
            access.resolve(&secret, viewer.as_ref(), is_made_up);
        }
    }

    /// Returns the token that was generated for this run in place of the setting `access.token`, if it was.
    #[cfg(feature = "dashboard")]
    pub(crate) fn made_up(&self) -> Option<Secret> {
        let token = self.of_settings()?;
        token.is_made_up.then_some(token.secret)
    }

    fn of_settings(&self) -> Option<ResolvedToken> {
        match &self.0.settings.operator {
            Some((name, secret)) => self.token_by_name(name, || Some(secret.reveal().to_owned())),
            None => self.token_by_name(TOKEN_VARIABLE, || (self.0.lookup)(TOKEN_VARIABLE)),
        }
    }

    /// The token of viewers. One that is easy to guess is reported and left out.
    fn viewer(&self) -> Option<Secret> {
        let (name, secret) = self.0.settings.viewer.as_ref()?;
        match weakness(secret.reveal()) {
            None => Some(secret.clone()),
            Some(why) => {
                self.0.diagnostics.report(format!(
                    "{name} {why}: it opens nothing; set one of at least 32 random characters"
                ));
                None
            }
        }
    }

    /// Returns the token with this name. If `value` returns no valid token, a random one is used.
    fn token_by_name(
        &self,
        name: &str,
        value: impl FnOnce() -> Option<String>,
    ) -> Option<ResolvedToken> {
        let inner = &self.0;
        let mut by_name = lock(&inner.by_name);
        if let Some(token) = by_name.get(name) {
            return Some(token.clone());
        }
        let text = value().unwrap_or_default();
        let text = text.trim();
        let token = match weakness(text) {
            None => ResolvedToken {
                secret: Secret::new(text),
                is_made_up: false,
            },
            Some(why) => self.random_token(name, why)?,
        };
        by_name.insert(name.to_owned(), token.clone());
        Some(token)
    }

    /// Generates a random token for this run. Only standard error shows it, because log records and notices reach other
    /// systems.
    fn random_token(&self, subject: &str, why: &str) -> Option<ResolvedToken> {
        let ResolverState {
            diagnostics,
            announce,
            ..
        } = &*self.0;
        let mut bytes = [0; 32];
        match getrandom::fill(&mut bytes) {
            Ok(()) => {
                let mut token = String::with_capacity(2 * bytes.len());
                for byte in bytes {
                    for digit in [byte >> 4, byte & 15] {
                        token.extend(char::from_digit(digit.into(), 16));
                    }
                }
                announce(format!(
                    "watchpost: {subject} {why}: until this process ends, the token is {token}\n"
                ));
                diagnostics.report(format!(
                    "{subject} {why}: a random token for this run was written to standard error; set one of at \
                     least 32 random characters to keep it."
                ));
                Some(ResolvedToken {
                    secret: Secret::new(token),
                    is_made_up: true,
                })
            }
            Err(error) => {
                diagnostics.report(format!(
                    "{subject} {why}, and the system has no random numbers to make one ({error}): \
                     all requests are refused; set one of at least 32 random characters."
                ));
                None
            }
        }
    }
}

/// Writes to standard error on a separate thread, because a pipe without a reader would block the caller.
pub(crate) fn to_stderr(text: String) {
    let write = move || {
        // If standard error is closed, there is no other way to report the token.
        drop(std::io::stderr().write_all(text.as_bytes()));
    };
    drop(
        std::thread::Builder::new()
            .name("watchpost-token".to_owned())
            .spawn(write),
    );
}

impl fmt::Debug for TokenResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenResolver").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use http::header::AUTHORIZATION;

    use super::*;

    const SETTING: &str = "access.token (variable WATCHPOST_ACCESS_TOKEN)";
    const TOKEN: &str = "9f86d081884c7d659a2feaa0c55ad015";

    /// The texts written to standard error.
    type Shown = Arc<Mutex<Vec<String>>>;

    fn keys(value: Option<&'static str>) -> (TokenResolver, Arc<Diagnostics>, Shown) {
        keys_with(value, None)
    }

    fn keys_with(
        value: Option<&'static str>,
        setting: Option<&str>,
    ) -> (TokenResolver, Arc<Diagnostics>, Shown) {
        let (diagnostics, shown) = (Arc::new(Diagnostics::default()), Shown::default());
        let lookup = move |name: &str| value.filter(|_| name.ends_with("TOKEN")).map(str::to_owned);
        let show = Arc::clone(&shown);
        let announce = move |text| show.lock().unwrap().push(text);
        let settings = TokenSettings {
            operator: setting.map(|it| (SETTING.to_owned(), Secret::new(it))),
            viewer: None,
        };
        let keys = TokenResolver::new(lookup, announce, Arc::clone(&diagnostics), settings);
        (keys, diagnostics, shown)
    }

    fn admits(access: &Access, token: &str) -> bool {
        let request = http::Request::get("/").header(AUTHORIZATION, format!("Bearer {token}"));
        access.allows(&request.body(()).unwrap().into_parts().0)
    }

    /// Returns the token in an announcement.
    fn announced(sentence: &str) -> &str {
        let (_, rest) = sentence.split_once("the token is ").unwrap();
        rest.trim_end()
    }

    #[test]
    fn a_good_token_is_read_from_the_variable_and_not_shown() {
        let (keys, diagnostics, shown) = keys(Some("  9f86d081884c7d659a2feaa0c55ad015\n"));
        let access = Access::token_env("TOKEN");
        keys.resolve(&access);
        assert!(admits(&access, TOKEN));
        assert!(diagnostics.notices().is_empty() && shown.lock().unwrap().is_empty());
    }

    #[test]
    fn a_missing_or_weak_token_is_replaced_by_a_random_one_shown_once() {
        for value in [
            None,
            Some(""),
            Some("hunter2"),
            Some("changeme-changeme-changeme-changeme"),
        ] {
            let (keys, diagnostics, shown) = keys(value);
            let pages = [Access::token_env("TOKEN"), Access::token_env("TOKEN")];
            for access in pages.iter().chain(&pages) {
                keys.resolve(access);
            }
            let said = diagnostics.notices();
            assert_eq!(said.len(), 1, "{said:?}");
            let shown = shown.lock().unwrap();
            assert_eq!(shown.len(), 1, "{shown:?}");
            assert_eq!(announced(&shown[0]).len(), 64);
            assert!(!said[0].contains(announced(&shown[0])), "{}", said[0]);
            for access in &pages {
                assert!(admits(access, announced(&shown[0])));
                assert!(!admits(access, value.unwrap_or("TOKEN")));
            }
            assert!(value.is_none_or(|value| value.is_empty() || !said[0].contains(value)));
        }
    }

    #[test]
    fn a_weak_token_from_code_is_not_used() {
        let (keys, diagnostics, shown) = keys(None);
        let access = Access::token("password");
        keys.resolve(&access);
        assert!(!admits(&access, "password"));
        assert!(admits(&access, announced(&shown.lock().unwrap()[0])));
        assert!(
            diagnostics.notices()[0].starts_with("the token given to `Access::token` is shorter")
        );
    }

    #[test]
    fn a_weak_setting_is_reported_under_its_own_name() {
        let weak = "changeme-changeme-changeme-changeme";
        let (keys, diagnostics, shown) = keys_with(Some(TOKEN), Some(weak));
        let pages = [Access::from_settings(), Access::from_settings()];
        for access in &pages {
            keys.resolve(access);
        }
        let (said, shown) = (diagnostics.notices(), shown.lock().unwrap());
        assert!(
            said[0].starts_with(&format!("{SETTING} begins like")),
            "{said:?}"
        );
        assert_eq!((said.len(), shown.len()), (1, 1));
        for access in &pages {
            assert!(admits(access, announced(&shown[0])));
            assert!(!admits(access, weak) && !admits(access, TOKEN));
        }
    }

    #[test]
    fn the_settings_have_a_token_or_pages_share_a_random_one() {
        let (keys, diagnostics, shown) = keys_with(None, Some(TOKEN));
        let access = Access::from_settings();
        assert!(!admits(&access, TOKEN), "before a monitor resolves it");
        keys.resolve(&access);
        assert!(admits(&access, TOKEN) && diagnostics.notices().is_empty());
        assert!(shown.lock().unwrap().is_empty());
        assert_eq!(
            format!("{access:?}"),
            "Access(token of the settings: [REDACTED])"
        );

        let (keys, diagnostics, shown) = keys_with(None, None);
        let pages = [
            Access::from_settings(),
            Access::token_env("WATCHPOST_TOKEN"),
        ];
        for access in &pages {
            keys.resolve(access);
        }
        let (said, shown) = (diagnostics.notices(), shown.lock().unwrap());
        assert!(
            said[0].starts_with("WATCHPOST_TOKEN is not set"),
            "{said:?}"
        );
        assert_eq!((said.len(), shown.len()), (1, 1));
        assert!(
            pages
                .iter()
                .all(|access| admits(access, announced(&shown[0])))
        );
    }

    #[test]
    fn random_tokens_differ() {
        let tokens: std::collections::HashSet<String> = (0..50)
            .map(|_| {
                let (keys, _, shown) = keys(None);
                keys.resolve(&Access::token_env("TOKEN"));
                announced(&shown.lock().unwrap()[0]).to_owned()
            })
            .collect();
        assert_eq!(tokens.len(), 50);
    }
}
