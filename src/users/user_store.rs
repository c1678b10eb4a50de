use std::fmt;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::snapshot::InvalidSnapshot;
use super::tracker::UserTracker;
use crate::clock::{Clock, Nanos, nanos};
use crate::files::{Disk, Files, header, put, records};
use crate::model::{Diagnostics, lock};

/// The file in the data directory. Its header has the number of its records, each of which is one snapshot.
const FILE: &str = "users";
const SAVE_EVERY: Duration = Duration::from_secs(60);

/// Stores the active users in the data directory, so that a restart keeps their count.
pub(crate) struct UserStore {
    tracker: Arc<UserTracker>,
    clock: Clock,
    diagnostics: Arc<Diagnostics>,
    state: Mutex<UserStoreState>,
}

struct UserStoreState {
    files: Box<dyn Files>,
    /// Whether the users of earlier processes were restored. Nothing is written before.
    is_restored: bool,
    /// When the users are stored next.
    due: Nanos,
    /// The checksum of what is stored.
    stored: Option<u32>,
}

impl UserStore {
    pub(crate) fn in_directory(
        path: &Path,
        tracker: &Arc<UserTracker>,
        clock: &Clock,
        diagnostics: &Arc<Diagnostics>,
    ) -> Self {
        let state = UserStoreState {
            files: Box::new(Disk::new(path)),
            is_restored: false,
            due: clock.now().saturating_add(nanos(SAVE_EVERY)),
            stored: None,
        };
        Self {
            tracker: Arc::clone(tracker),
            clock: clock.clone(),
            diagnostics: Arc::clone(diagnostics),
            state: Mutex::new(state),
        }
    }

    /// Restores the users of earlier processes in the first call, and stores all users once a minute. Blocks as long as the
    /// disk does.
    pub(crate) fn tick(&self) {
        let mut state = lock(&self.state);
        self.restore(&mut state);
        let now = self.clock.now();
        if now >= state.due {
            state.due = now.saturating_add(nanos(SAVE_EVERY));
            self.save(&mut state);
        }
    }

    /// Stores the users a last time. Blocks as long as the disk does. Returns whether they are stored.
    pub(crate) fn finish(&self) -> bool {
        let mut state = lock(&self.state);
        self.restore(&mut state);
        self.save(&mut state)
    }

    fn restore(&self, state: &mut UserStoreState) {
        if state.is_restored {
            return;
        }
        let bytes = match state.files.read(FILE) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                state.is_restored = true;
                return;
            }
            Err(error) => return self.report(&error),
        };
        state.is_restored = true;
        if let Err(reason) = self.read(&bytes) {
            let reason = match reason {
                InvalidSnapshot::Damaged => "they are damaged".to_owned(),
                InvalidSnapshot::OtherVersion(version) => format!("their format is {version}"),
                InvalidSnapshot::OtherKey => "they were counted with another key".to_owned(),
            };
            self.diagnostics.report(format!(
                "active users that are stored in the data directory are left out: {reason}"
            ));
        }
    }

    /// Restores what can be used. Returns the first reason why something cannot.
    fn read(&self, bytes: &[u8]) -> Result<(), InvalidSnapshot> {
        let mut result = Ok(());
        let mut count = 0;
        for (_, snapshot) in records(bytes).into_iter().flatten() {
            result = result.and(self.tracker.restore(snapshot));
            count += 1;
        }
        let is_complete = bytes.starts_with(&header(count)) && count > 0;
        let damage = Err(InvalidSnapshot::Damaged);
        result.and(if is_complete { Ok(()) } else { damage })
    }

    /// Returns whether all is stored.
    fn save(&self, state: &mut UserStoreState) -> bool {
        if !state.is_restored {
            return false;
        }
        let mut bytes = Vec::new();
        let mut count = 0;
        self.tracker.snapshots(|snapshot| {
            put(&mut bytes, count, &snapshot);
            count += 1;
        });
        let checksum = Some(crc32fast::hash(&bytes));
        if count == 0 || state.stored == checksum {
            return true;
        }
        let file = [&header(count), &*bytes].concat();
        match state.files.replace(FILE, &file) {
            Ok(()) => state.stored = checksum,
            Err(error) => {
                state.stored = None;
                self.report(&error);
            }
        }
        state.stored.is_some()
    }

    fn report(&self, error: &io::Error) {
        self.diagnostics.report(format!(
            "the active users cannot be stored in the data directory ({error}): a restart begins their count again"
        ));
    }
}

impl fmt::Debug for UserStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserStore").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::key::UserKey;
    use super::*;

    struct Process {
        clock: Clock,
        tracker: Arc<UserTracker>,
        store: UserStore,
        diagnostics: Arc<Diagnostics>,
    }

    impl Process {
        fn new(path: &Path, key: u8) -> Self {
            let clock = Clock::driven(Duration::from_secs(1_000_000));
            let key = UserKey::from_bytes([key; UserKey::LENGTH]);
            let tracker = Arc::new(UserTracker::new(clock.clone(), key));
            let diagnostics = Arc::new(Diagnostics::default());
            let store = UserStore::in_directory(path, &tracker, &clock, &diagnostics);
            Self {
                clock,
                tracker,
                store,
                diagnostics,
            }
        }

        fn see(&self, user: &str) {
            let now = self.clock.now();
            self.tracker.record(self.tracker.hash(user), now);
        }

        fn day(&self) -> Option<u64> {
            self.tracker.active().day
        }
    }

    #[test]
    fn users_are_stored_each_minute_and_restored_by_the_first_run() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let file = path.join(FILE);
        let one = Process::new(path, 1);
        one.see("ada");
        one.store.tick();
        assert!(!file.exists());
        one.clock.advance(SAVE_EVERY);
        one.store.tick();
        let before = fs::read(&file).unwrap();
        // Nothing is written as long as nobody is new.
        fs::write(&file, "x").unwrap();
        one.clock.advance(SAVE_EVERY);
        one.store.tick();
        assert_eq!(fs::read(&file).unwrap(), b"x");
        fs::write(&file, before).unwrap();

        let two = Process::new(path, 1);
        two.see("bob");
        two.store.tick();
        assert_eq!(two.day(), Some(2));
        two.store.finish();
        let three = Process::new(path, 1);
        three.store.tick();
        assert_eq!(three.day(), Some(2));
        assert!(three.diagnostics.notices().is_empty());
        assert_eq!(fs::read_dir(path).unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_used_is_left_out_with_a_notice() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let file = path.join(FILE);
        let one = Process::new(path, 1);
        one.see("ada");
        one.store.finish();
        let good = fs::read(&file).unwrap();
        let mut flipped = good.clone();
        flipped[good.len() / 2] ^= 1;
        let torn = &good[..good.len() - 1];
        for (bytes, key, part) in [
            (&good[..], 2, "another key"),
            (torn, 1, "damaged"),
            (&flipped, 1, "damaged"),
            (b"", 1, "damaged"),
        ] {
            fs::write(&file, bytes).unwrap();
            let next = Process::new(path, key);
            next.store.tick();
            let notices = next.diagnostics.notices().join("\n");
            assert!(notices.contains(part), "{part}: {notices}");
            // The file is replaced with the next users.
            next.see("bob");
            next.store.finish();
            let last = Process::new(path, key);
            last.store.tick();
            assert!(last.diagnostics.notices().is_empty());
            assert!(last.day() >= Some(1));
        }
    }

    #[test]
    fn a_disk_that_fails_is_reported_and_tried_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        fs::create_dir(path.join(FILE)).unwrap();
        let one = Process::new(path, 1);
        one.see("ada");
        one.store.finish();
        assert_eq!(one.diagnostics.notices().len(), 1);
        fs::remove_dir(path.join(FILE)).unwrap();
        one.store.finish();
        let two = Process::new(path, 1);
        two.store.tick();
        assert_eq!(two.day(), Some(1));
    }
}
