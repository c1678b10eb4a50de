use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::group::ErrorGroup;
use super::pattern::{ErrorPattern, ErrorPatternEvent, SeenPattern, sentence};
use super::query::ErrorQuery;
use super::saved::encode;
use super::spike::Rate;
use super::state::{ChangeAuthor, ErrorState, Mute};
use super::store::GroupStore;
use super::table::{Arrival, GroupCounts, GroupTable, minute_of};
use crate::clock::{Clock, Nanos, nanos};
use crate::errors::event::{ErrorEvent, Frame};
use crate::model::{Diagnostics, HookCounts, HookList, Subscription, lock, lock_for_status};
use crate::users::UserTracker;
use crate::worker::{BlockingPool, PeriodicTask, RecordQueue};

/// The time between two looks at all groups: for spikes, ends of mutes and what is to be announced.
const TICK: Duration = Duration::from_secs(1);
/// The longest time between a count and its storage.
const SAVE_EVERY: Duration = Duration::from_secs(10);
/// The time until the groups are stored again after the disk has refused them.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// The longest time that a group waits for the frames of its first event.
const FRAMES_PATIENCE: Duration = Duration::from_secs(15);

/// The groups of captured errors, and their states. [`Monitor::errors`](crate::Monitor::errors) returns it. Cheap to clone.
///
/// ```
/// # fn main() -> watchpost::Result<()> {
/// # let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
/// use watchpost::errors::{ErrorFilter, ErrorQuery, ErrorResolution};
///
/// for group in monitor.errors().list(&ErrorQuery::default().filter(ErrorFilter::New)) {
///     println!("{} events, {} users: {}", group.count, group.users, group.message);
///     monitor.errors().resolve(group.number, ErrorResolution::NextRelease)?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ErrorGroups {
    pub(super) inner: Arc<GroupsState>,
}

pub(super) struct GroupsState {
    pub(super) table: Mutex<GroupTable>,
    pub(super) clock: Clock,
    pub(super) users: Arc<UserTracker>,
    pub(super) release: String,
    pub(super) environment: String,
    pub(super) store: Option<GroupStore>,
    /// Whether the groups of earlier processes are in the table, or cannot be.
    pub(super) is_loaded: AtomicBool,
    /// The number of the first record that this process stores.
    pub(super) first_number: u64,
    /// The release and environment of the process that stored the groups, to which its last events belong.
    pub(super) earlier: Mutex<(String, String)>,
    /// Whether an earlier process has stored groups, so that a group that is not among them is a new one.
    pub(super) has_earlier: AtomicBool,
    /// Since when the stored groups cannot be read. Held while they are loaded.
    pub(super) loading: Mutex<Option<Nanos>>,
    pub(super) begun: Nanos,
    /// Whether a job has begun to load the groups.
    pub(super) begins_load: AtomicBool,
    /// How many changes of states there were, and how many of these are stored.
    pub(super) changes: AtomicU64,
    pub(super) stored_changes: AtomicU64,
    pub(super) is_saving: AtomicBool,
    pub(super) saved_at: AtomicU64,
    /// No attempt to store is made before.
    pub(super) not_before: AtomicU64,
    /// Whether the last attempt to store failed.
    pub(super) is_failing: AtomicBool,
    pub(super) on_new: Arc<HookList<ErrorPatternEvent>>,
    pub(super) on_regression: Arc<HookList<ErrorPatternEvent>>,
    pub(super) on_spike: Arc<HookList<ErrorPatternEvent>>,
    pub(super) record_queue: Arc<RecordQueue>,
}

/// The parts of [`ErrorGroups`].
pub(in crate::errors) struct GroupsSetup<'a> {
    pub(in crate::errors) clock: &'a Clock,
    pub(in crate::errors) users: &'a Arc<UserTracker>,
    pub(in crate::errors) release: &'a str,
    pub(in crate::errors) environment: &'a str,
    /// Where the groups are stored. Without it, they are in memory alone.
    pub(in crate::errors) directory: Option<&'a Path>,
    pub(in crate::errors) first_number: u64,
    pub(in crate::errors) record_queue: &'a Arc<RecordQueue>,
    pub(in crate::errors) diagnostics: &'a Arc<Diagnostics>,
}

/// Figures for the metrics.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ErrorGroupFigures {
    pub(crate) counts: GroupCounts,
    /// Groups that are neither resolved nor muted, regressed, muted, resolved ones, and those with a spike.
    pub(crate) states: [(&'static str, usize); 5],
    pub(crate) hooks: HookCounts,
}

/// Where the groups are kept.
#[cfg(feature = "dashboard")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GroupStorage {
    /// There is no data directory: a restart forgets them.
    Memory,
    /// Those of earlier processes are not read yet.
    Loading,
    Stored,
    /// The disk refuses them, or a later version has written the file.
    Failing,
}

#[cfg(feature = "dashboard")]
impl GroupStorage {
    /// Returns the name, in lower case.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Loading => "loading",
            Self::Stored => "stored",
            Self::Failing => "failing",
        }
    }
}

impl ErrorGroups {
    pub(in crate::errors) fn new(setup: &GroupsSetup<'_>) -> Self {
        let directory = setup.directory;
        let store = directory.map(|path| GroupStore::in_directory(path, setup.diagnostics));
        Self::with_store(setup, store)
    }

    pub(super) fn with_store(setup: &GroupsSetup<'_>, store: Option<GroupStore>) -> Self {
        let mut table = GroupTable::default();
        table.releases.begin(setup.release);
        let inner = GroupsState {
            table: Mutex::new(table),
            clock: setup.clock.clone(),
            users: Arc::clone(setup.users),
            release: setup.release.to_owned(),
            environment: setup.environment.to_owned(),
            is_loaded: AtomicBool::new(store.is_none()),
            store,
            first_number: setup.first_number,
            earlier: Mutex::default(),
            has_earlier: AtomicBool::new(false),
            loading: Mutex::default(),
            begun: setup.clock.now(),
            begins_load: AtomicBool::new(false),
            changes: AtomicU64::new(0),
            stored_changes: AtomicU64::new(0),
            is_saving: AtomicBool::new(false),
            saved_at: AtomicU64::new(setup.clock.now()),
            not_before: AtomicU64::new(0),
            is_failing: AtomicBool::new(false),
            on_new: Arc::default(),
            on_regression: Arc::default(),
            on_spike: Arc::default(),
            record_queue: Arc::clone(setup.record_queue),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The tasks that look at the groups, call the hooks and store the groups.
    pub(in crate::errors) fn tasks(&self) -> Vec<PeriodicTask> {
        let (ticking, delivering) = (self.clone(), self.clone());
        let (reporting, last) = (self.clone(), self.clone());
        let mut tasks = vec![
            PeriodicTask::on_pool(TICK, move || ticking.tick()),
            PeriodicTask::on_pool(TICK, move || delivering.deliver()),
            // By itself, because a hook may hang, and the groups are to be stored nevertheless.
            PeriodicTask::at_end("the reports of errors", move || {
                reporting.report_last();
                true
            }),
        ];
        if self.inner.store.is_some() {
            tasks.push(PeriodicTask::at_end("the error groups", move || {
                last.finish()
            }));
        }
        tasks
    }

    /// Returns groups, selected and ordered by a query.
    ///
    /// It copies the groups under their lock, which takes about a millisecond for a thousand groups.
    pub fn list(&self, query: &ErrorQuery) -> Vec<ErrorGroup> {
        // A child process made by `fork` while the lock was held cannot read the table.
        let all = lock_for_status(&self.inner.table).map(|table| {
            let (minute, now) = (self.minute(), self.now());
            let groups = table.groups.values();
            groups.map(|entry| entry.group(minute, now)).collect()
        });
        query.apply(all.unwrap_or_default())
    }

    /// Returns a group. The number of a group that was merged into another one leads to that.
    pub fn show(&self, number: u64) -> Option<ErrorGroup> {
        let table = lock_for_status(&self.inner.table)?;
        let number = table.resolve_number(number)?;
        let entry = table.groups.get(&number)?;
        Some(entry.group(self.minute(), self.now()))
    }

    /// Returns whether the groups of earlier processes are read, and all changes of states are on disk. Without a data
    /// directory, they never are.
    pub fn is_stored(&self) -> bool {
        let inner = &self.inner;
        inner.store.is_some()
            && self.is_loaded()
            && inner.stored_changes.load(Relaxed) >= inner.changes.load(Relaxed)
    }

    /// Where the groups are kept.
    #[cfg(feature = "dashboard")]
    pub(crate) fn storage(&self) -> GroupStorage {
        let inner = &self.inner;
        if inner.store.is_none() {
            GroupStorage::Memory
        } else if inner.is_failing.load(Relaxed) {
            GroupStorage::Failing
        } else if self.is_loaded() {
            GroupStorage::Stored
        } else {
            GroupStorage::Loading
        }
    }

    pub(crate) fn on_new(
        &self,
        hook: impl Fn(&ErrorPatternEvent) + Send + Sync + 'static,
    ) -> Subscription {
        self.inner.on_new.subscribe(hook)
    }

    pub(crate) fn on_regression(
        &self,
        hook: impl Fn(&ErrorPatternEvent) + Send + Sync + 'static,
    ) -> Subscription {
        self.inner.on_regression.subscribe(hook)
    }

    pub(crate) fn on_spike(
        &self,
        hook: impl Fn(&ErrorPatternEvent) + Send + Sync + 'static,
    ) -> Subscription {
        self.inner.on_spike.subscribe(hook)
    }

    /// Figures for the metrics. `None` in a child made by `fork` if a thread of the parent held the lock.
    pub(crate) fn figures(&self) -> Option<ErrorGroupFigures> {
        let table = lock_for_status(&self.inner.table)?;
        let mut states = [
            ("open", 0),
            ("regressed", 0),
            ("muted", 0),
            ("resolved", 0),
            ("spiking", 0),
        ];
        for entry in table.groups.values() {
            let name = entry.state.as_str();
            for (state, count) in &mut states {
                *count += usize::from(*state == name || *state == "spiking" && entry.is_spiking);
            }
        }
        let hooks = [
            &self.inner.on_new,
            &self.inner.on_regression,
            &self.inner.on_spike,
        ];
        let hooks = hooks.map(|hooks| hooks.counts());
        let sum = |of: fn(&HookCounts) -> u64| hooks.iter().map(of).sum();
        Some(ErrorGroupFigures {
            counts: table.counts,
            states,
            hooks: HookCounts {
                emitted: sum(|it| it.emitted),
                delivered: sum(|it| it.delivered),
                disabled: sum(|it| it.disabled),
                dropped: sum(|it| it.dropped),
                panics: sum(|it| it.panics),
            },
        })
    }

    /// Adds an event of this process, which was captured at `captured`. `store` gets it with its group, and returns the
    /// number under which it is stored.
    pub(in crate::errors) fn add(
        &self,
        mut event: ErrorEvent,
        captured: Nanos,
        has_backtrace: bool,
        store: impl FnOnce(&ErrorEvent) -> Option<u64>,
    ) -> (Arc<ErrorEvent>, Option<u64>) {
        let user = (!event.user.is_empty()).then(|| self.inner.users.hash(&event.user));
        let mut arrival = self.arrival(Some(captured), has_backtrace);
        arrival.user = user;
        // The number and the count change under one lock, so that what is stored of the groups contains exactly the
        // events up to a number.
        self.update(|table| {
            event.group = table.place(&event, &arrival);
            let number = store(&event);
            let event = Arc::new(event);
            table.add(&event, &arrival);
            table.covered = table.covered.max(number.unwrap_or_default());
            (event, number)
        })
    }

    /// Adds the frames of an event of this process, which may be none.
    pub(in crate::errors) fn set_frames(&self, event: &ErrorEvent, frames: &[Frame]) {
        let arrival = self.arrival(Some(self.inner.clock.now()), true);
        self.update(|table| table.set_frames(event.id, Some(event), frames, &arrival));
    }

    /// Starts a job that loads the groups, or one that stores them, if a state has changed. Called on the worker's thread.
    pub(in crate::errors) fn dispatch(&self, jobs: &BlockingPool<'_>) {
        let inner = &self.inner;
        // Stored events wait for it, so it does not wait for the first look. If it fails, the looks try again.
        if self.awaits_load() && !inner.begins_load.swap(true, Relaxed) {
            let groups = self.clone();
            jobs.spawn(move || groups.load());
        }
        if !self.is_save_due() || inner.is_saving.swap(true, Relaxed) {
            return;
        }
        let groups = self.clone();
        let is_queued = jobs.spawn(move || {
            groups.save();
            groups.inner.is_saving.store(false, Relaxed);
        });
        if !is_queued {
            inner.is_saving.store(false, Relaxed);
        }
    }

    /// Whether a change is to be stored now.
    pub(super) fn is_save_due(&self) -> bool {
        let inner = &self.inner;
        inner.store.is_some()
            && self.is_loaded()
            && !self.is_stored()
            && inner.clock.now() >= inner.not_before.load(Relaxed)
    }

    /// Loads the groups in the first call, then looks at all groups, and stores them if it is time. Blocks as long as the
    /// disk does.
    pub(super) fn tick(&self) {
        self.load();
        self.look(nanos(FRAMES_PATIENCE));
        let inner = &self.inner;
        let now = inner.clock.now();
        let age = now.saturating_sub(inner.saved_at.load(Relaxed));
        if age >= nanos(SAVE_EVERY) && now >= inner.not_before.load(Relaxed) && self.lock().is_dirty
        {
            self.save();
        }
    }

    /// Calls the hooks with what is to be announced.
    pub(super) fn deliver(&self) {
        let inner = &self.inner;
        let last = self.lock().last_announcing();
        for hooks in [&inner.on_new, &inner.on_regression, &inner.on_spike] {
            hooks.deliver();
        }
        // Until this is stored, the next process announces it again.
        self.update(|table| table.has_changed |= table.set_announced(last));
    }

    /// Calls the hooks a last time. What they have not been called with, the next process announces.
    pub(super) fn report_last(&self) {
        self.load();
        // Without a file, groups that wait for frames are announced now or never.
        let patience = self
            .inner
            .store
            .as_ref()
            .map_or(0, |_| nanos(FRAMES_PATIENCE));
        self.look(patience);
        self.deliver();
        self.save();
    }

    /// Stores the groups a last time. Returns whether they are stored.
    fn finish(&self) -> bool {
        self.load();
        self.look(nanos(FRAMES_PATIENCE));
        self.save()
    }

    /// Ends waiting for longer than `patience`, mutes and spikes, begins spikes, and queues what is to be announced.
    fn look(&self, patience: Nanos) {
        let (minute, now) = (self.minute(), self.now());
        let arrival = self.arrival(Some(self.inner.clock.now()), false);
        self.update(|table| {
            table.end_waiting(patience, &arrival);
            let mut spikes = Vec::new();
            for entry in table.groups.values_mut() {
                if let ErrorState::Muted {
                    until: Mute::Until(time),
                    ..
                } = entry.state
                    && now >= time
                {
                    entry.set_state(ErrorState::Open, now, &ChangeAuthor::default());
                    table.has_changed = true;
                }
                let rate = Rate::of(&entry.timeline, minute, minute_of(entry.first_seen));
                let is_spiking = rate.is_spike(entry.is_spiking);
                if is_spiking && !entry.is_spiking {
                    spikes.push(entry.number);
                }
                entry.is_spiking = is_spiking;
            }
            table.counts.spikes += spikes.len() as u64;
            for number in spikes {
                table.push_pattern(ErrorPattern::Spike, number);
            }
            // What is new is known only once the groups of earlier processes are.
            if self.is_loaded() {
                for seen in std::mem::take(&mut table.patterns) {
                    table.counts.new += u64::from(seen.pattern == ErrorPattern::New);
                    match self.event(table, seen, minute, now) {
                        Some(event) => {
                            // Both are one step, so that what is stored contains all that the hooks were not called with.
                            self.emit(event);
                            table.push_announcing(seen);
                        }
                        None => table.counts.unannounced += 1,
                    }
                }
            }
        });
    }

    /// Queues an event for the hooks. Calls no code of the host.
    fn emit(&self, event: ErrorPatternEvent) {
        let is_muted = matches!(event.group.state, ErrorState::Muted { .. });
        match event.pattern {
            _ if is_muted => {}
            ErrorPattern::New => self.inner.on_new.emit(event),
            ErrorPattern::Regression => self.inner.on_regression.emit(event),
            ErrorPattern::Spike => self.inner.on_spike.emit(event),
            ErrorPattern::FirstOfRelease => {}
        }
    }

    fn event(
        &self,
        table: &GroupTable,
        seen: SeenPattern,
        minute: u64,
        now: SystemTime,
    ) -> Option<ErrorPatternEvent> {
        let number = table.resolve_number(seen.number)?;
        let entry = table.groups.get(&number)?;
        let group = entry.group(minute, now);
        let rate = Rate::of(&entry.timeline, minute, minute_of(entry.first_seen));
        Some(ErrorPatternEvent {
            pattern: seen.pattern,
            sentence: sentence(seen.pattern, &group, rate.lately, rate.usual),
            group,
            at: now,
            release: self.inner.release.clone(),
            events: rate.lately,
            usual_events: rate.usual,
        })
    }

    /// Stores the groups. Returns whether they are stored.
    pub(super) fn save(&self) -> bool {
        let inner = &self.inner;
        let Some(store) = inner.store.as_ref().filter(|_| self.is_loaded()) else {
            return false;
        };
        let mut changes = 0;
        let is_saved = store.save(|| {
            let mut table = self.lock();
            changes = inner.changes.load(Relaxed);
            table.is_dirty = false;
            encode(&table, &inner.release, &inner.environment)
        });
        let now = inner.clock.now();
        inner.is_failing.store(!is_saved, Relaxed);
        if is_saved {
            inner.stored_changes.fetch_max(changes, Relaxed);
            inner.saved_at.store(now, Relaxed);
        } else {
            self.lock().is_dirty = true;
            inner
                .not_before
                .store(now.saturating_add(nanos(RETRY_AFTER)), Relaxed);
        }
        is_saved
    }

    /// Runs `change` while the groups are locked. If an event has changed a state, that is stored soon.
    pub(super) fn update<R>(&self, change: impl FnOnce(&mut GroupTable) -> R) -> R {
        let mut table = self.lock();
        let result = change(&mut table);
        let has_changed = std::mem::take(&mut table.has_changed);
        table.is_dirty |= has_changed;
        drop(table);
        if has_changed {
            self.record_change();
        }
        result
    }

    pub(super) fn record_change(&self) {
        self.inner.changes.fetch_add(1, Relaxed);
        // The worker stores it now, not in its next round.
        self.inner.record_queue.wake();
    }

    pub(super) fn arrival(&self, captured: Option<Nanos>, has_backtrace: bool) -> Arrival<'_> {
        Arrival {
            captured,
            now: self.inner.clock.now(),
            is_news: true,
            has_backtrace,
            user: None,
            release: &self.inner.release,
            environment: &self.inner.environment,
        }
    }

    pub(super) fn now(&self) -> SystemTime {
        let clock = &self.inner.clock;
        UNIX_EPOCH + Duration::from_nanos(clock.wall(clock.now()))
    }

    fn minute(&self) -> u64 {
        minute_of(self.now())
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, GroupTable> {
        lock(&self.inner.table)
    }

    #[cfg(test)]
    pub(super) fn with_table<R>(&self, look: impl FnOnce(&GroupTable) -> R) -> R {
        look(&self.lock())
    }
}

impl fmt::Debug for ErrorGroups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ErrorGroups").finish_non_exhaustive()
    }
}
