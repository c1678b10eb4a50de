use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, RwLock};

use tracing::{Level, Metadata};
use tracing_subscriber::filter::LevelFilter;

use super::lock::{read_lock, write_lock};
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
    /// Reads directives such as `info,hyper=off,my_crate::db=debug`; the last one of a target counts.
    ///
    /// # Errors
    ///
    /// A sentence about the first directive that is none, and what to write.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let directives = DirectiveSet::parse(text)?;
        Ok(Self {
            most: AtomicU8::new(directives.most()),
            directives: RwLock::new(Arc::new(directives)),
            generation: AtomicU64::new(next_generation()),
        })
    }

    /// Replaces the directives; events follow the new ones from then on.
    ///
    /// # Errors
    ///
    /// Same as for [`parse`](Self::parse). On an error, the old directives remain.
    pub(crate) fn replace(&self, text: &str) -> Result<(), String> {
        let directives = Arc::new(DirectiveSet::parse(text)?);
        let most = directives.most();
        {
            let mut now = write_lock(&self.directives);
            *now = directives;
            // Stored under the lock, so that after two concurrent changes both parts come from the last one.
            self.most.store(most, Relaxed);
        }
        self.generation.store(next_generation(), Relaxed);
        // `tracing` has cached each callsite's interest from the old directives.
        tracing::callsite::rebuild_interest_cache();
        Ok(())
    }

    /// Whether some target is recorded up to this level.
    #[inline]
    pub(crate) fn may_want(&self, level: Level) -> bool {
        rank(level) <= self.most.load(Relaxed)
    }

    /// Changes with each [`replace`](Self::replace). It is unique in the process.
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
        let mut default = LevelFilter::OFF;
        let mut targets: Vec<(String, LevelFilter)> = Vec::new();
        for directive in text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            match directive.split_once('=') {
                None => default = level(directive, directive)?,
                Some((target, name)) => {
                    let (target, level) = (target.trim(), level(name.trim(), directive)?);
                    let is_a_target = !target.is_empty()
                        && target
                            .bytes()
                            .all(|byte| byte.is_ascii_graphic() && byte != b'=');
                    if !is_a_target {
                        return Err(format!(
                            "`{directive}` names no target: write `my_crate::module=debug`"
                        ));
                    }
                    targets.retain(|(have, _)| have != target);
                    targets.push((target.to_owned(), level));
                }
            }
        }
        targets.sort_by_key(|(target, _)| std::cmp::Reverse(target.len()));
        Ok(Self { default, targets })
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

fn level(name: &str, directive: &str) -> Result<LevelFilter, String> {
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
        .ok_or_else(|| {
            format!(
                "`{directive}` names no level: write off, error, warn, info, debug or trace, as in \
                 `info,my_crate=debug`"
            )
        })
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
        for bad in ["verbose", "a=loud", "=info", "a b=info", "info,5"] {
            let problem = LevelDirectives::parse(bad).unwrap_err();
            assert!(problem.contains("write "), "{problem}");
        }
        let levels = LevelDirectives::parse("warn").unwrap();
        let before = levels.generation();
        assert!(levels.replace("loud").is_err());
        assert_eq!(
            (levels.generation(), levels.max()),
            (before, LevelFilter::WARN)
        );
        levels.replace("").unwrap();
        assert_eq!(levels.max(), LevelFilter::OFF);
        assert!(!levels.may_want(Level::ERROR));
        levels.replace("warn,a=debug").unwrap();
        assert!(levels.may_want(Level::DEBUG) && !levels.may_want(Level::TRACE));
    }

    #[test]
    fn the_crate_itself_is_never_recorded() {
        assert!(is_own("watchpost") && is_own("watchpost::worker"));
        assert!(!is_own("watchposts") && !is_own("my::watchpost"));
    }
}
