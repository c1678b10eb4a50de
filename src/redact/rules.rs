//! The rules that a service adds to the built-in ones.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use super::key::{CustomKey, MAX_KEY, NormalizedKey, is_grant};
use super::pattern::PathPattern;

/// The settings of redaction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RedactConfig {
    /// Further keys whose values are secrets.
    pub(crate) keys: Vec<String>,
    /// Paths with a secret in them.
    pub(crate) paths: Vec<PathPattern>,
    /// Query parameters whose values are shown.
    pub(crate) allow_query: Vec<String>,
}

impl RedactConfig {
    /// Inserts the keys and paths of `earlier` before these, each once.
    pub(crate) fn add(&mut self, earlier: Self) {
        prepend(&mut self.keys, earlier.keys);
        prepend(&mut self.paths, earlier.paths);
    }
}

fn prepend<T: PartialEq>(list: &mut Vec<T>, earlier: Vec<T>) {
    let own = std::mem::replace(list, earlier);
    for item in own {
        if !list.contains(&item) {
            list.push(item);
        }
    }
}

/// The rules of one monitor, or the built-in ones. Each thread that formats texts of a monitor sets its rules. A thread
/// without rules uses the built-in ones and shows no query value.
#[derive(Debug, Clone, Default)]
pub(crate) struct RedactionRules(Option<Arc<RuleSet>>);

#[derive(Debug)]
struct RuleSet {
    keys: Vec<CustomKey>,
    paths: Vec<PathPattern>,
    allow_query: Vec<String>,
}

/// Bits for the lists that are not empty.
const KEYS: u8 = 1;
const PATHS: u8 = 2;
const ALLOWED: u8 = 4;

thread_local! {
    /// Separate from the rules, so that threads without rules read only one byte.
    static LISTS: Cell<u8> = const { Cell::new(0) };
    static CURRENT: RefCell<RedactionRules> = const { RefCell::new(RedactionRules(None)) };
}

impl RedactionRules {
    pub(crate) fn new(config: &RedactConfig) -> Self {
        if *config == RedactConfig::default() {
            return Self(None);
        }
        Self(Some(Arc::new(RuleSet {
            keys: config.keys.iter().map(|key| CustomKey::of(key)).collect(),
            paths: config.paths.clone(),
            allow_query: config.allow_query.clone(),
        })))
    }

    /// The rules of the calling thread.
    pub(crate) fn current() -> Self {
        CURRENT
            .try_with(|current| current.borrow().clone())
            .unwrap_or_default()
    }

    /// Makes these the rules of the calling thread, until it ends.
    pub(crate) fn set_for_thread(&self) {
        self.replace();
    }

    /// Makes these the rules of the calling thread until the guard is dropped.
    pub(crate) fn enter(&self) -> RulesGuard {
        RulesGuard(self.replace())
    }

    /// Runs `body` under these rules.
    #[cfg(test)]
    pub(crate) fn within<T>(&self, body: impl FnOnce() -> T) -> T {
        let _entered = self.enter();
        body()
    }

    /// Whether the value of a query parameter is shown.
    #[inline]
    pub(crate) fn shows_value(&self, name: &str, value: &str) -> bool {
        self.0
            .as_ref()
            .is_some_and(|rules| rules.shows_value(name, value))
    }

    fn replace(&self) -> Self {
        let _ended = LISTS.try_with(|lists| lists.set(self.lists()));
        CURRENT
            .try_with(|current| current.replace(self.clone()))
            .unwrap_or_default()
    }

    fn lists(&self) -> u8 {
        self.0.as_ref().map_or(0, |inner| {
            let list = |is_empty: bool, list: u8| if is_empty { 0 } else { list };
            list(inner.keys.is_empty(), KEYS)
                | list(inner.paths.is_empty(), PATHS)
                | list(inner.allow_query.is_empty(), ALLOWED)
        })
    }
}

/// Restores the thread's previous rules when it is dropped.
#[must_use = "the rules are in force until this is dropped"]
pub(crate) struct RulesGuard(RedactionRules);

impl Drop for RulesGuard {
    fn drop(&mut self) {
        self.0.replace();
    }
}

/// Whether a list of the thread's rules is not empty.
#[inline]
fn has(list: u8) -> bool {
    LISTS.try_with(|lists| lists.get() & list != 0) == Ok(true)
}

fn with<T: Default>(body: impl FnOnce(&RuleSet) -> T) -> T {
    CURRENT
        .try_with(|current| current.borrow().0.as_deref().map(body))
        .ok()
        .flatten()
        .unwrap_or_default()
}

/// Whether the value of this key is a secret: `password`, `X-Api-Key`, `sessionId`, `user[pin]`.
///
/// Case, `-_. []` and `camelCase` make no difference. Long names match anywhere in the key, short ones only as a whole
/// word. Keys that measure or describe a secret (`token_count`, `prompt_tokens`, `session_timeout`, `cookie_name`) do
/// not match.
pub(crate) fn is_sensitive_key(key: &str) -> bool {
    is_sensitive(key.as_bytes())
}

pub(super) fn is_sensitive(key: &[u8]) -> bool {
    if key.len() > MAX_KEY {
        let (head, tail) = (key.first_chunk::<MAX_KEY>(), key.last_chunk::<MAX_KEY>());
        return head.is_some_and(|key| is_sensitive(key))
            || tail.is_some_and(|key| is_sensitive(key));
    }
    let name = NormalizedKey::of(key);
    name.is_built_in() || is_custom_key(&name)
}

/// Whether the thread's rules declare this key a secret.
#[inline]
fn is_custom_key(name: &NormalizedKey) -> bool {
    has(KEYS) && with(|rules| rules.keys.iter().any(|key| key.names(name)))
}

/// Whether the thread's rules have path patterns.
#[inline]
pub(super) fn has_patterns() -> bool {
    has(PATHS)
}

/// Replaces the secrets of the path patterns of the thread's rules; `None` if there are none.
#[cold]
pub(super) fn without_custom_paths(text: &str) -> Option<String> {
    with(|rules| super::pattern::scrub(&rules.paths, text))
}

/// Whether the thread's rules show the value of a query parameter.
#[inline]
pub(super) fn shows_value(name: &str, value: &str) -> bool {
    has(ALLOWED) && with(|rules| rules.shows_value(name, value))
}

impl RuleSet {
    /// Values of sensitive names are never shown. Names of OAuth that also name harmless things (`code`, `state`) are
    /// shown only with a word or a short number.
    fn shows_value(&self, name: &str, value: &str) -> bool {
        let bytes = name.as_bytes();
        self.allow_query.iter().any(|allowed| allowed == name)
            && !is_sensitive(bytes)
            && !self
                .keys
                .iter()
                .any(|key| key.names(&NormalizedKey::of_short(bytes)))
            && (!is_grant(bytes) || is_word(value.as_bytes()))
    }
}

/// Whether a value has lower-case letters only, or a few digits.
fn is_word(value: &[u8]) -> bool {
    let letters = value
        .iter()
        .all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'_' | b','));
    letters && value.len() <= 16 || value.len() <= 5 && value.iter().all(u8::is_ascii_digit)
}
