use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock};

use exaloglog::ExaLogLog;

use super::active_users::ActiveUsers;
use super::key::{UserHash, UserKey};
use super::snapshot::{InvalidSnapshot, UserSnapshot};
use super::window::{MINUTE, PRECISION, SlidingWindow, WindowKind};
use crate::clock::{Clock, Nanos};
use crate::model::{catch_panic, lock, lock_for_status};

/// The number of users that are remembered as counted in the current minute.
const RECENT: usize = 1024;

/// Counts the distinct users of one monitor. All its memory, at most 512 KiB, is allocated for users that are seen:
/// without users there is none.
pub(crate) struct UserTracker {
    clock: Clock,
    key: UserKey,
    /// Empty until the first user is seen.
    counts: OnceLock<UserCounts>,
    /// The host's own numbers.
    set: Mutex<ActiveUsers>,
}

struct UserCounts {
    /// Users that are counted in the current minute already, each at a place that its hash determines. They take no lock
    /// as long as no other user takes their place.
    recent: Box<[AtomicU64]>,
    minutes: Mutex<SlidingWindow>,
    hours: Mutex<SlidingWindow>,
}

impl UserTracker {
    pub(crate) fn new(clock: Clock, key: UserKey) -> Self {
        Self {
            clock,
            key,
            counts: OnceLock::new(),
            set: Mutex::default(),
        }
    }

    /// Hashes the ID of a user.
    pub(crate) fn hash(&self, user: &str) -> UserHash {
        self.key.hash(user)
    }

    /// Records that a user was active at `now`.
    ///
    /// A user who is among the recent ones costs one load. Others are added to two sketches, under their locks. No lock
    /// is held for longer than it takes to add one user or to copy one sketch.
    pub(crate) fn record(&self, user: UserHash, now: Nanos) {
        let counts = self.counts.get_or_init(UserCounts::new);
        // The factor is odd, so no user has the same mark in two minutes, and no two users have it in one minute.
        let minute = (now / MINUTE).wrapping_add(1);
        let mark = user.0 ^ minute.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let recent = counts.recent.get(mark as usize % RECENT);
        if recent.is_some_and(|recent| recent.load(Relaxed) == mark) {
            return;
        }
        lock(&counts.minutes).add(user, now);
        lock(&counts.hours).add(user, now);
        if let Some(recent) = recent {
            recent.store(mark, Relaxed);
        }
    }

    /// Sets the host's own numbers, which are then shown instead of the counted ones.
    pub(crate) fn set(&self, users: ActiveUsers) {
        *lock(&self.set) = users;
    }

    /// The number of active users: the host's where it has set one, otherwise the counted one.
    pub(crate) fn active(&self) -> ActiveUsers {
        let set = lock_for_status(&self.set).map_or_else(ActiveUsers::default, |set| *set);
        let counts = self.counts.get();
        let count = |window: fn(&UserCounts) -> &Mutex<SlidingWindow>| self.count(window(counts?));
        ActiveUsers {
            five_minutes: set.five_minutes.or_else(|| count(|counts| &counts.minutes)),
            day: set.day.or_else(|| count(|counts| &counts.hours)),
        }
    }

    /// The number of distinct users in a window. `None` in a child made by `fork` where the window stays locked.
    fn count(&self, window: &Mutex<SlidingWindow>) -> Option<u64> {
        let now = self.clock.now();
        let mut all = ExaLogLog::new(PRECISION);
        let places = lock_for_status(window)?.len();
        for place in 0..places {
            // Merged without the lock, which takes a hundred times as long as the copy.
            let copy = lock_for_status(window)?.copy(place, now);
            if let Some((users, _)) = copy {
                all.merge(&users).ok()?;
            }
        }
        Some(whole(all.estimate()))
    }

    /// Passes the users of each slot to `keep`, as bytes for [`restore`](Self::restore).
    pub(crate) fn snapshots(&self, mut keep: impl FnMut(Vec<u8>)) {
        let Some(counts) = self.counts.get() else {
            return;
        };
        let now = self.clock.now();
        for kind in WindowKind::ALL {
            let window = counts.window(kind);
            let places = lock(window).len();
            for place in 0..places {
                let copy = lock(window).copy(place, now);
                if let Some((users, age)) = copy {
                    let end = self.clock.wall(now).saturating_sub(age);
                    keep(UserSnapshot { kind, end, users }.to_bytes(self.key.fingerprint()));
                }
            }
        }
    }

    /// Adds the users of a snapshot, also one of an earlier process. A snapshot that has left its window adds nothing.
    ///
    /// A slot of an earlier process goes into the slot of its last moment, so a user may stay active for up to one slot
    /// longer. If the wall clock was set back meanwhile, the snapshot lies in the future and counts as of now.
    ///
    /// # Errors
    ///
    /// Returns an error, and adds nothing, if the bytes are damaged, of another version, or made with another key.
    pub(crate) fn restore(&self, bytes: &[u8]) -> Result<(), InvalidSnapshot> {
        // The sketch's crate decodes the bytes and calculates with them.
        let snapshot = catch_panic(|| UserSnapshot::read(bytes, self.key.fingerprint()));
        let snapshot = snapshot.unwrap_or(Err(InvalidSnapshot::Damaged))?;
        let now = self.clock.now();
        let age = self.clock.wall(now).saturating_sub(snapshot.end);
        if age < snapshot.kind.length() {
            let counts = self.counts.get_or_init(UserCounts::new);
            lock(counts.window(snapshot.kind)).merge(&snapshot.users, age, now);
        }
        Ok(())
    }
}

impl UserCounts {
    fn new() -> Self {
        let window = |kind| Mutex::new(SlidingWindow::new(kind));
        Self {
            recent: (0..RECENT).map(|_| AtomicU64::new(0)).collect(),
            minutes: window(WindowKind::Minutes),
            hours: window(WindowKind::Hours),
        }
    }

    fn window(&self, kind: WindowKind) -> &Mutex<SlidingWindow> {
        match kind {
            WindowKind::Minutes => &self.minutes,
            WindowKind::Hours => &self.hours,
        }
    }
}

#[expect(
    clippy::cast_sign_loss,
    reason = "no estimate is negative, and a number that does not fit saturates"
)]
fn whole(estimate: f64) -> u64 {
    estimate.round() as u64
}

impl fmt::Debug for UserTracker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserTracker").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::as_in_child;

    #[test]
    fn a_child_made_by_fork_waits_for_no_window() {
        crate::model::record_process();
        let tracker = UserTracker::new(Clock::driven(Duration::ZERO), UserKey::random());
        tracker.record(tracker.hash("ada"), 0);
        let counts = tracker.counts.get().unwrap();
        let _held = (lock(&counts.minutes), lock(&tracker.set));
        let active = as_in_child(|| tracker.active());
        assert_eq!((active.five_minutes, active.day), (None, Some(1)));
    }
}
