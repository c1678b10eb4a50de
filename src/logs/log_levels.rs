use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::bridge::follow_levels;
use crate::clock::{Clock, Nanos, nanos};
use crate::model::{LevelDirectives, lock};
use crate::worker::PeriodicTask;

/// How often the end of a level for a while is checked.
const TICK_EVERY: Duration = Duration::from_secs(1);

/// Which log records are kept now, and until when. Returned by [`Monitor::log_level`](crate::Monitor::log_level).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogLevel {
    /// The directives that are in use.
    pub directives: String,
    /// When `lasting` returns; `None` if `directives` hold until they are changed.
    pub until: Option<SystemTime>,
    /// The directives that were set last without a time, or those of the setting `log.level`.
    pub lasting: String,
}

/// The levels of log records, which can be replaced for a while.
#[derive(Debug)]
pub(crate) struct LogLevels {
    levels: Arc<LevelDirectives>,
    clock: Clock,
    state: Mutex<LevelState>,
}

#[derive(Debug)]
struct LevelState {
    lasting: String,
    temporary: Option<TemporaryLevel>,
}

#[derive(Debug)]
struct TemporaryLevel {
    directives: String,
    until: Nanos,
}

impl LogLevels {
    /// Reads the directives.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with them.
    pub(crate) fn new(directives: &str, clock: Clock) -> Result<Self, String> {
        let state = LevelState {
            lasting: directives.to_owned(),
            temporary: None,
        };
        Ok(Self {
            levels: Arc::new(LevelDirectives::parse(directives)?),
            clock,
            state: Mutex::new(state),
        })
    }

    /// The directives that are in use, for those who ask for each record.
    pub(crate) fn directives(&self) -> &Arc<LevelDirectives> {
        &self.levels
    }

    /// Returns the task that ends a level for a while. It calls the host's subscriber, so it runs on the pool.
    pub(crate) fn task(self: &Arc<Self>) -> PeriodicTask {
        let levels = Arc::clone(self);
        PeriodicTask::on_pool(TICK_EVERY, move || levels.tick())
    }

    /// Replaces the directives, also those that were set for a while.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with the directives. Nothing changes then.
    pub(crate) fn set(&self, directives: &str) -> Result<(), String> {
        {
            let mut state = lock(&self.state);
            self.levels.store(directives)?;
            state.lasting = directives.to_owned();
            state.temporary = None;
        }
        levels_changed();
        Ok(())
    }

    /// Replaces the directives for a while. The lasting ones stay those from before.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with the directives. Nothing changes then.
    pub(crate) fn set_for(&self, directives: &str, time: Duration) -> Result<(), String> {
        let until = self.clock.now().saturating_add(nanos(time));
        {
            let mut state = lock(&self.state);
            self.levels.store(directives)?;
            state.temporary = Some(TemporaryLevel {
                directives: directives.to_owned(),
                until,
            });
        }
        levels_changed();
        Ok(())
    }

    /// Returns to the lasting directives. Returns `false` if they are in use.
    pub(crate) fn revert(&self) -> bool {
        self.revert_if(|_| true)
    }

    /// Returns to the lasting directives once the time of the temporary ones is over. Calls code of the host's subscriber.
    fn tick(&self) {
        let now = self.clock.now();
        self.revert_if(|temporary| temporary.until <= now);
    }

    fn revert_if(&self, is_over: impl FnOnce(&TemporaryLevel) -> bool) -> bool {
        {
            let mut state = lock(&self.state);
            if !state.temporary.as_ref().is_some_and(is_over) {
                return false;
            }
            state.temporary = None;
            // They were valid when they were set.
            let _valid = self.levels.store(&state.lasting);
        }
        levels_changed();
        true
    }

    fn wall(&self, at: Nanos) -> SystemTime {
        UNIX_EPOCH + Duration::from_nanos(self.clock.wall(at))
    }

    pub(crate) fn current(&self) -> LogLevel {
        let state = lock(&self.state);
        let temporary = state.temporary.as_ref();
        LogLevel {
            directives: temporary
                .map_or(&state.lasting, |it| &it.directives)
                .clone(),
            until: temporary.map(|it| self.wall(it.until)),
            lasting: state.lasting.clone(),
        }
    }
}

/// `tracing` and `log` have cached what the directives before selected. This calls the subscribers of the host, so no lock
/// is held.
fn levels_changed() {
    tracing::callsite::rebuild_interest_cache();
    follow_levels();
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::filter::LevelFilter;

    use super::*;

    fn levels() -> (LogLevels, Clock) {
        let clock = Clock::driven(Duration::from_secs(1000));
        (LogLevels::new("info", clock.clone()).unwrap(), clock)
    }

    fn most(levels: &LogLevels) -> LevelFilter {
        levels.levels.max()
    }

    #[test]
    fn a_level_for_a_while_ends_by_itself() {
        let (levels, clock) = levels();
        levels
            .set_for("debug,noisy=off", Duration::from_secs(60))
            .unwrap();
        assert_eq!(most(&levels), LevelFilter::DEBUG);
        let current = levels.current();
        assert_eq!(current.directives, "debug,noisy=off");
        assert_eq!(current.lasting, "info");
        assert_eq!(current.until, Some(UNIX_EPOCH + Duration::from_secs(1060)));
        clock.advance(Duration::from_secs(59));
        levels.tick();
        assert_eq!(most(&levels), LevelFilter::DEBUG);
        clock.advance(Duration::from_secs(1));
        levels.tick();
        assert_eq!(most(&levels), LevelFilter::INFO);
        assert_eq!(levels.current().until, None);
        assert!(!levels.revert());
    }

    #[test]
    fn the_lasting_level_stays_the_same_through_several_for_a_while() {
        let (levels, clock) = levels();
        levels.set_for("debug", Duration::from_secs(60)).unwrap();
        levels.set_for("trace", Duration::from_secs(10)).unwrap();
        assert_eq!(levels.current().lasting, "info");
        clock.advance(Duration::from_secs(10));
        levels.tick();
        assert_eq!(most(&levels), LevelFilter::INFO);
        // A level without a time replaces both.
        levels.set_for("debug", Duration::from_secs(60)).unwrap();
        levels.set("warn").unwrap();
        clock.advance(Duration::from_secs(60));
        levels.tick();
        assert_eq!(most(&levels), LevelFilter::WARN);
        levels.set_for("debug", Duration::MAX).unwrap();
        assert!(levels.revert());
        assert_eq!(most(&levels), LevelFilter::WARN);
    }

    #[test]
    fn directives_that_are_wrong_change_nothing() {
        let (levels, _) = levels();
        levels.set_for("debug", Duration::from_secs(60)).unwrap();
        let before = levels.current();
        assert!(levels.set("loud").is_err());
        assert!(levels.set_for("loud", Duration::from_secs(60)).is_err());
        assert_eq!(levels.current(), before);
        assert_eq!(most(&levels), LevelFilter::DEBUG);
    }
}
