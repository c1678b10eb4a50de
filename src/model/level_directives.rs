use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, RwLock};

use tracing::{Level, Metadata};
use tracing_subscriber::filter::LevelFilter;

use super::lock::{read_lock, write_lock};

/// The maximum length of the directives, in bytes.
const MAX_BYTES: usize = 4096;

/// Which events are recorded: a level for all, and levels of targets. Can be replaced at run time.
#[derive(Debug)]
pub(crate) struct LevelDirectives {
    directives: RwLock<Arc<DirectiveSet>>,
    /// Changes with the directives, so that threads can detect stale cache entries.
    generation: AtomicU64,
    /// The rank of the most verbose level of any directive, for a cheap check that skips anything more verbose.
    most: AtomicU8,
}

#[derive(Debug, PartialEq, Eq)]
struct DirectiveSet {
    default: LevelFilter,
    /// The longest first.
    targets: Vec<(String, LevelFilter)>,
}

impl LevelDirectives {
    /// A description of valid directives, for messages.
    pub(crate) const DESCRIPTION: &'static str = "a level (`off`, `error`, `warn`, `info`, `debug`, `trace`) or directives such as `info,hyper=off,my_crate::db=debug`";

    /// Reads directives such as `info,hyper=off,my_crate::db=debug`; the last one of a target counts.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with the first invalid directive, and what to write. The text is not repeated, because it
    /// may be a secret in the wrong place.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let directives = DirectiveSet::parse(text)?;
        Ok(Self {
            most: AtomicU8::new(directives.most()),
            directives: RwLock::new(Arc::new(directives)),
            generation: AtomicU64::new(next_generation()),
        })
    }

    /// Replaces the directives. `tracing` has cached each callsite's interest from the old ones: the caller rebuilds that
    /// cache once it holds no lock, because this calls the host's subscribers.
    ///
    /// # Errors
    ///
    /// Same as for [`parse`](Self::parse). On an error, the old directives remain.
    pub(crate) fn store(&self, text: &str) -> Result<(), String> {
        let directives = Arc::new(DirectiveSet::parse(text)?);
        let most = directives.most();
        {
            let mut now = write_lock(&self.directives);
            *now = directives;
            // Stored under the lock, so that after two concurrent changes both parts come from the last one.
            self.most.store(most, Relaxed);
        }
        self.generation.store(next_generation(), Relaxed);
        Ok(())
    }

    /// Whether some target is recorded up to this level.
    #[inline]
    pub(crate) fn may_want(&self, level: Level) -> bool {
        rank(level) <= self.most.load(Relaxed)
    }

    /// Changes with each [`store`](Self::store). It is unique in the process.
    #[inline]
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Relaxed)
    }

    /// Whether events and spans of this callsite are recorded. The crate never records itself.
    pub(crate) fn record(&self, metadata: &Metadata<'_>) -> bool {
        self.wants(metadata.target(), *metadata.level())
    }

    /// Whether an event of this target and level is recorded.
    pub(crate) fn wants(&self, target: &str, level: Level) -> bool {
        !is_own(target) && level <= self.directives().level_of(target)
    }

    /// The most verbose level at which a target is recorded.
    pub(crate) fn level_of(&self, target: &str) -> LevelFilter {
        self.directives().level_of(target)
    }

    /// The most verbose level of any directive.
    pub(crate) fn max(&self) -> LevelFilter {
        self.directives().max()
    }

    fn directives(&self) -> Arc<DirectiveSet> {
        Arc::clone(&read_lock(&self.directives))
    }
}

/// The more verbose, the higher.
#[inline]
fn rank(level: Level) -> u8 {
    match level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    }
}

/// Returns a number that is unique in the process. New directives may get the address of dropped ones, whose results
/// threads may still have cached.
fn next_generation() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Relaxed)
}

/// Whether the target is this crate's.
fn is_own(target: &str) -> bool {
    target
        .strip_prefix("watchpost")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

impl DirectiveSet {
    fn parse(text: &str) -> Result<Self, String> {
        Self::read(text).map_err(|what| format!("{what}; write {}", LevelDirectives::DESCRIPTION))
    }

    fn read(text: &str) -> Result<Self, String> {
        if text.len() > MAX_BYTES {
            return Err("too long".to_owned());
        }
        if text.contains(['[', '{']) {
            return Err("directives with spans, which are not known here".to_owned());
        }
        let mut default = None;
        let mut targets: Vec<(String, LevelFilter)> = Vec::new();
        for (number, directive) in (1..).zip(text.split(',')) {
            let wrong = |what: &str| format!("directive {number} {what}");
            let (target, name) = match directive.split_once('=') {
                Some((target, name)) => (Some(target.trim()), name.trim()),
                None => (None, directive.trim()),
            };
            let level = level(name).ok_or_else(|| wrong("has no level"))?;
            match target {
                Some(target) if !is_target(target) => {
                    return Err(wrong("has no target before its `=`"));
                }
                Some(target) => {
                    targets.retain(|(have, _)| have != target);
                    targets.push((target.to_owned(), level));
                }
                None if default.is_some() => return Err(wrong("is a second level for all")),
                None => default = Some(level),
            }
        }
        targets.sort_by_key(|(target, _)| std::cmp::Reverse(target.len()));
        Ok(Self {
            default: default.unwrap_or(LevelFilter::OFF),
            targets,
        })
    }

    fn max(&self) -> LevelFilter {
        let targets = self.targets.iter().map(|(_, level)| *level);
        targets.fold(self.default, LevelFilter::max)
    }

    /// The rank of the most verbose level; 0 where nothing is recorded.
    fn most(&self) -> u8 {
        self.max().into_level().map_or(0, rank)
    }

    /// By the longest directive that is the target or one of its parents.
    fn level_of(&self, target: &str) -> LevelFilter {
        let is_within = |parent: &str| {
            target
                .strip_prefix(parent)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        };
        self.targets
            .iter()
            .find(|(parent, _)| is_within(parent))
            .map_or(self.default, |(_, level)| *level)
    }
}

fn level(name: &str) -> Option<LevelFilter> {
    let levels = [
        ("off", LevelFilter::OFF),
        ("error", LevelFilter::from_level(Level::ERROR)),
        ("warn", LevelFilter::from_level(Level::WARN)),
        ("info", LevelFilter::from_level(Level::INFO)),
        ("debug", LevelFilter::from_level(Level::DEBUG)),
        ("trace", LevelFilter::from_level(Level::TRACE)),
    ];
    levels
        .iter()
        .find(|(known, _)| name.eq_ignore_ascii_case(known))
        .map(|(_, level)| *level)
}

/// Whether the text can be a target. Rust identifiers may have letters of any script.
fn is_target(text: &str) -> bool {
    let in_targets = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '-' | '.' | '/');
    !text.is_empty() && text.chars().all(in_targets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_target_decides() {
        let directives =
            DirectiveSet::parse("info, hyper=off,my_crate::db=TRACE,my_crate=warn").unwrap();
        for (target, expected) in [
            ("other", LevelFilter::INFO),
            ("hyper", LevelFilter::OFF),
            ("hyper::proto::h1", LevelFilter::OFF),
            ("hyper_util::client", LevelFilter::INFO),
            ("my_crate", LevelFilter::WARN),
            ("my_crate::api", LevelFilter::WARN),
            ("my_crate::db::pool", LevelFilter::TRACE),
            ("my_crate::dbx", LevelFilter::WARN),
        ] {
            assert_eq!(directives.level_of(target), expected, "{target}");
        }
        let twice = DirectiveSet::parse("a=info,a=debug").unwrap();
        assert_eq!(twice.level_of("a"), LevelFilter::DEBUG);
        assert_eq!(twice.level_of("b"), LevelFilter::OFF);
        assert_eq!(
            LevelDirectives::parse("warn,a=debug").unwrap().max(),
            LevelFilter::DEBUG
        );
    }

    #[test]
    fn a_bad_directive_is_told_with_what_to_write() {
        for (bad, what) in [
            ("", "directive 1 has no level"),
            ("verbose", "directive 1 has no level"),
            ("a=loud", "directive 1 has no level"),
            ("info,", "directive 2 has no level"),
            ("info,5", "directive 2 has no level"),
            ("=info", "directive 1 has no target before its `=`"),
            ("a b=info", "directive 1 has no target before its `=`"),
            ("info,a=off,warn", "directive 3 is a second level for all"),
            ("[span]=info", "directives with spans"),
            (&"a".repeat(MAX_BYTES + 1), "too long"),
        ] {
            let problem = LevelDirectives::parse(bad).unwrap_err();
            assert!(
                problem.starts_with(what) && problem.contains("; write a level"),
                "{bad}: {problem}"
            );
        }
        let levels = LevelDirectives::parse("warn").unwrap();
        let before = levels.generation();
        assert!(levels.store("loud").is_err());
        assert_eq!(
            (levels.generation(), levels.max()),
            (before, LevelFilter::WARN)
        );
        levels.store("off").unwrap();
        assert_eq!(levels.max(), LevelFilter::OFF);
        assert!(!levels.may_want(Level::ERROR));
        levels.store("warn,a=debug").unwrap();
        assert!(levels.may_want(Level::DEBUG) && !levels.may_want(Level::TRACE));
    }

    #[test]
    fn a_target_may_have_letters_of_any_script() {
        let directives = DirectiveSet::parse("info,größe=debug").unwrap();
        assert_eq!(directives.level_of("größe::x"), LevelFilter::DEBUG);
    }

    #[test]
    fn the_crate_itself_is_never_recorded() {
        assert!(is_own("watchpost") && is_own("watchpost::worker"));
        assert!(!is_own("watchposts") && !is_own("my::watchpost"));
    }
}
