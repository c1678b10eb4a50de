use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::Access;
use super::rule::Source;
use super::weak::weakness;
use crate::model::{Notices, Secret};

/// Reads one variable of the environment.
type Lookup = dyn Fn(&str) -> Option<String> + Send + Sync;

/// Finds the tokens of one monitor's pages: two pages that name one variable share one token, the
/// random one too. Clones share what was found.
#[derive(Clone)]
pub(crate) struct Keys(Arc<Inner>);

struct Inner {
    lookup: Box<Lookup>,
    notices: Arc<Notices>,
    by_name: Mutex<HashMap<String, Secret>>,
}

impl Keys {
    /// `lookup` reads the environment; a random token is told to `notices`.
    pub(crate) fn new(
        lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
        notices: Arc<Notices>,
    ) -> Self {
        Self(Arc::new(Inner {
            lookup: Box::new(lookup),
            notices,
            by_name: Mutex::default(),
        }))
    }

    /// Finds out what the token of `access` is, once.
    pub(crate) fn resolve(&self, access: &Access) {
        let secret = match access.unresolved() {
            None | Some(Source::Given) => None,
            Some(Source::Env(name)) => self.named(name),
            Some(Source::Weak(why)) => self.random("The token given to `Access::token`", why),
        };
        // Without a source of random numbers the token stays unresolved and admits nobody.
        if let Some(secret) = secret {
            access.resolve(&secret);
        }
    }

    fn named(&self, name: &str) -> Option<Secret> {
        let inner = &self.0;
        let mut by_name = inner.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(secret) = by_name.get(name) {
            return Some(secret.clone());
        }
        let text = (inner.lookup)(name).unwrap_or_default();
        let text = text.trim();
        let secret = match weakness(text) {
            None => Secret::new(text),
            Some(why) => self.random(name, why)?,
        };
        by_name.insert(name.to_owned(), secret.clone());
        Some(secret)
    }

    /// A token for this run, announced.
    fn random(&self, subject: &str, why: &str) -> Option<Secret> {
        let mut bytes = [0; 32];
        match getrandom::fill(&mut bytes) {
            Ok(()) => {
                let mut token = String::with_capacity(2 * bytes.len());
                for byte in bytes {
                    for digit in [byte >> 4, byte & 15] {
                        token.extend(char::from_digit(digit.into(), 16));
                    }
                }
                self.0.notices.say(format!(
                    "{subject} {why}: until this process ends, the token is {token}; set one of at \
                     least 32 random characters to keep it."
                ));
                Some(Secret::new(token))
            }
            Err(error) => {
                self.0.notices.say(format!(
                    "{subject} {why}, and the system has no random numbers to make one ({error}): \
                     nobody is admitted; set one of at least 32 random characters."
                ));
                None
            }
        }
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use http::header::AUTHORIZATION;

    use super::*;

    const TOKEN: &str = "9f86d081884c7d659a2feaa0c55ad015";

    fn keys(value: Option<&'static str>) -> (Keys, Arc<Notices>) {
        let notices = Arc::new(Notices::default());
        let lookup = move |name: &str| value.filter(|_| name == "TOKEN").map(str::to_owned);
        (Keys::new(lookup, Arc::clone(&notices)), notices)
    }

    fn admits(access: &Access, token: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        access.allows(&headers)
    }

    /// The token in a sentence.
    fn told(sentence: &str) -> &str {
        let (_, rest) = sentence.split_once("the token is ").unwrap();
        rest.split(';').next().unwrap()
    }

    #[test]
    fn a_good_token_is_taken_from_the_variable_and_not_told() {
        let (keys, notices) = keys(Some("  9f86d081884c7d659a2feaa0c55ad015\n"));
        let access = Access::token_env("TOKEN");
        keys.resolve(&access);
        assert!(admits(&access, TOKEN));
        assert!(notices.said().is_empty());
    }

    #[test]
    fn a_missing_or_weak_token_is_replaced_by_a_random_one_told_once() {
        for value in [
            None,
            Some(""),
            Some("hunter2"),
            Some("changeme-changeme-changeme-changeme"),
        ] {
            let (keys, notices) = keys(value);
            let pages = [Access::token_env("TOKEN"), Access::token_env("TOKEN")];
            for access in pages.iter().chain(&pages) {
                keys.resolve(access);
            }
            let said = notices.said();
            assert_eq!(said.len(), 1, "{said:?}");
            assert_eq!(told(&said[0]).len(), 64);
            for access in &pages {
                assert!(admits(access, told(&said[0])));
                assert!(!admits(access, value.unwrap_or("TOKEN")));
            }
            assert!(value.is_none_or(|value| value.is_empty() || !said[0].contains(value)));
        }
    }

    #[test]
    fn a_weak_token_from_code_is_not_used() {
        let (keys, notices) = keys(None);
        let access = Access::token("password");
        keys.resolve(&access);
        assert!(!admits(&access, "password"));
        assert!(admits(&access, told(&notices.said()[0])));
    }

    #[test]
    fn random_tokens_differ() {
        let tokens: std::collections::HashSet<String> = (0..50)
            .map(|_| {
                let (keys, notices) = keys(None);
                keys.resolve(&Access::token_env("TOKEN"));
                told(&notices.said()[0]).to_owned()
            })
            .collect();
        assert_eq!(tokens.len(), 50);
    }
}
