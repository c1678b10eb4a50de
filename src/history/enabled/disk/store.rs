//! The state machine of the history's files.

use std::fmt;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::super::steps::{Resolution, StepFlags, StepTime, Tick};
use super::super::store::{MemoryStore, OnDisk};
use super::super::view::{StoredList, StoredSteps};
use super::block::write_block;
use super::coarse::{self, Following};
use super::files::StoreFiles;
use super::folder::SegmentFolder;
use super::journal::{JournalReader, JournalRecord, JournalWriter};
use super::segment::Segment;
use super::status::DiskStatus;
use crate::clock::{Clock, nanos};
use crate::history::HistoryConfig;
use crate::model::{Diagnostics, catch_panic, lock, lock_for_status, recover, try_lock};

/// The maximum number of snapshots of one segment.
const MAX_BLOCK: u64 = 720;
/// With more snapshots than this that wait, they are written as a segment, and not to the journal.
const MAX_WAITING: u64 = 60;
/// The maximum number of series that one journal names.
const MAX_NAMED: usize = 1 << 16;
/// The wait after an error of the disk.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// The number of stores that this process has made. It tells apart those that it makes at one moment.
static STORES: AtomicU64 = AtomicU64::new(0);

/// The parts of a [`DiskStore`].
pub(in crate::history) struct DiskStoreSetup {
    pub(in crate::history) config: HistoryConfig,
    pub(in crate::history) memory: Arc<Mutex<MemoryStore>>,
    /// The segments that queries read.
    pub(in crate::history) stored: StoredList,
    /// The path of the directory, for notices.
    pub(in crate::history) path: String,
    pub(in crate::history) clock: Clock,
    pub(in crate::history) diagnostics: Arc<Diagnostics>,
}

/// Writes the snapshots of the memory to files: first to a journal, then as segments.
///
/// One task at a time uses the files. The memory is its queue: what it has not saved yet is still there, unless the disk
/// fails for so long that there is no room.
pub(in crate::history) struct DiskStore {
    setup: DiskStoreSetup,
    files: Arc<dyn StoreFiles>,
    state: Mutex<DiskState>,
    status: Mutex<DiskStatus>,
}

struct DiskState {
    /// `None` before the first attempt, and after an error.
    open: Option<OpenStore>,
    /// The ID of the history, if this process begins it.
    new_id: String,
    /// The ID of the history that the snapshots in memory continue.
    id: Option<String>,
    /// When the files are tried again after an error.
    not_before: u64,
    /// What earlier attempts have counted.
    lost: u64,
    damaged_files: u64,
    evicted: u64,
}

/// Files that are open.
struct OpenStore {
    folder: SegmentFolder,
    journal: Option<JournalWriter>,
    /// The first snapshot that is in no segment.
    written: Tick,
    /// The first snapshot that is in no file.
    saved: Tick,
    /// Whether snapshots waited for a failing disk: they are written as a segment.
    is_recovering: bool,
    /// Whether coarser segments may be missing.
    needs_upkeep: bool,
}

impl DiskStore {
    pub(super) fn new(setup: DiskStoreSetup, files: Arc<dyn StoreFiles>) -> Self {
        let now = setup.clock.now();
        let (wall, process) = (setup.clock.wall(now), std::process::id());
        let new_id = format!("{wall:x}-{process:x}-{:x}", STORES.fetch_add(1, Relaxed));
        Self {
            setup,
            files,
            state: Mutex::new(DiskState {
                open: None,
                new_id,
                id: None,
                not_before: 0,
                lost: 0,
                damaged_files: 0,
                evicted: 0,
            }),
            status: Mutex::default(),
        }
    }

    /// Lets queries read these segments.
    fn publish(&self, segments: &[Segment]) {
        let stored = segments.iter().cloned();
        let stored = stored.map(|segment| Arc::new(segment) as Arc<dyn StoredSteps>);
        self.setup.stored.replace(stored.collect());
    }

    #[cfg(test)]
    pub(super) fn segments(&self) -> Vec<Segment> {
        let state = lock(&self.state);
        let open = state.open.as_ref();
        open.map_or_else(Vec::new, |open| open.folder.segments().to_vec())
    }

    /// The current state; `None` in a child made by `fork` if a thread of the parent held the lock.
    pub(in crate::history) fn status(&self) -> Option<DiskStatus> {
        lock_for_status(&self.status).map(|status| status.clone())
    }

    /// Saves the snapshots that are not in files yet. Blocks as long as the disk does. Does nothing while another call works,
    /// and for 30 s after an error.
    pub(in crate::history) fn persist(&self) {
        if let Some(mut state) = try_lock(&self.state)
            && self.setup.clock.now() >= state.not_before
        {
            self.work(&mut state);
        }
    }

    /// Saves the last snapshots of this process, also soon after an error. Waits for another call that works.
    pub(in crate::history) fn persist_last(&self) {
        self.work(&mut lock(&self.state));
    }

    fn work(&self, state: &mut DiskState) {
        let now = self.setup.clock.now();
        self.status_mut().busy_since = Some(now);
        let done = catch_panic(|| self.try_work(state))
            .unwrap_or_else(|| Err(io::Error::other("code panicked")));
        let mut status = self.status_mut();
        status.busy_since = None;
        status.unsaved = lock(&self.setup.memory).dropped();
        status.evicted = state.evicted;
        let before = status.damaged_files + status.lost;
        status.damaged_files = state.damaged_files;
        status.lost = state.lost;
        if let Some(open) = &state.open {
            open.describe(&mut status);
        }
        if status.damaged_files + status.lost > before {
            self.report_damage(&status);
        }
        match done {
            Ok(is_saved) => {
                if is_saved {
                    status.saved_at = Some(now);
                }
                if status.failure.take().is_some() {
                    self.report("the history is stored on disk again".to_owned());
                }
            }
            Err(error) => {
                let path = &self.setup.path;
                state.not_before = self.setup.clock.now().saturating_add(nanos(RETRY_AFTER));
                let text = match error.kind() {
                    ErrorKind::Unsupported => {
                        format!("the history in `{path}` is not read or written: {error}")
                    }
                    _ => format!(
                        "the history is in memory alone: its directory `{path}` refuses it ({error}); it is tried again \
                         every 30 s"
                    ),
                };
                let since = status.failure.take().map_or(now, |(_, since)| since);
                self.report(text.clone());
                status.failure = Some((text, since));
            }
        }
    }

    /// Returns whether snapshots were saved.
    fn try_work(&self, state: &mut DiskState) -> io::Result<bool> {
        let mut open = match state.open.take() {
            Some(open) => open,
            None => self.open(state)?,
        };
        let before = open.folder.damaged();
        let saved = open.saved;
        // After an error the files are opened anew: what the call that failed has done is not known.
        let done = open.save(self, state);
        state.damaged_files += open.folder.damaged() - before;
        done?;
        let is_saved = open.saved > saved;
        state.open = Some(open);
        Ok(is_saved)
    }

    /// Opens the files. The snapshots of the journals are put before those in memory.
    fn open(&self, state: &mut DiskState) -> io::Result<OpenStore> {
        let mut folder = SegmentFolder::open(&self.files, &state.new_id)?;
        let replay = Replay::of(&mut folder, &self.setup.config)?;
        state.lost += replay.lost;
        state.damaged_files += folder.damaged();
        let is_known = state.id.as_deref() == Some(folder.id());
        let start = lock(&self.setup.memory).timeline().ticks().start;
        let Replay {
            memory: before,
            next,
            base,
            ..
        } = replay;
        let in_journals = lock(&before).timeline().ticks();
        let mut written = if in_journals.is_empty() {
            next
        } else {
            folder.end(Resolution::Raw).max(in_journals.start)
        };
        // Snapshots that the memory cannot have in front of its own are written now.
        let (first, upto) = if is_known {
            (next.max(start), start.min(next))
        } else if next < start {
            (start, next)
        } else {
            (next, written)
        };
        if written < upto {
            if let Some(segment) = write_block(&self.files, &before, &(written..upto))? {
                folder.add(segment);
            }
            written = upto;
        }
        let written = if is_known || next < start {
            written.max(start)
        } else {
            written
        };
        let on_disk = OnDisk {
            written,
            saved: first,
        };
        {
            let mut memory = lock(&self.setup.memory);
            if is_known {
                memory.set_on_disk(on_disk);
            } else {
                let before = recover(before.into_inner());
                memory.continue_after(before, first, base, on_disk);
            }
            self.publish(folder.segments());
        }
        let is_recovering = state.id.is_some();
        state.id = Some(folder.id().to_owned());
        Ok(OpenStore {
            folder,
            journal: None,
            written,
            saved: first,
            is_recovering,
            needs_upkeep: true,
        })
    }

    fn report(&self, text: String) {
        self.setup.diagnostics.report(text);
    }

    fn report_damage(&self, status: &DiskStatus) {
        let path = &self.setup.path;
        if status.damaged_files > 0 {
            self.report(format!(
                "a file of the history is damaged and was set aside as `*.corrupt-N` in `{path}`: what it contained is \
                 missing; look at the file, then remove it"
            ));
        }
        if status.lost > 0 {
            self.report(format!(
                "a journal of the history in `{path}` is damaged: some snapshots are missing"
            ));
        }
    }

    fn status_mut(&self) -> MutexGuard<'_, DiskStatus> {
        lock(&self.status)
    }
}

/// What the journals contain.
struct Replay {
    /// The last snapshots, which are in no segment.
    memory: Mutex<MemoryStore>,
    /// The number of the next snapshot.
    next: Tick,
    /// The operating time of the last snapshot.
    base: u64,
    /// The number of snapshots that were in damaged parts.
    lost: u64,
}

impl Replay {
    /// Reads the journals. Writes a segment where snapshots are missing or the memory is full.
    fn of(folder: &mut SegmentFolder, config: &HistoryConfig) -> io::Result<Self> {
        let (next, base) = folder.next_snapshot();
        let mut replay = Self {
            memory: Mutex::new(empty(config)),
            next,
            base,
            lost: 0,
        };
        for (name, _) in folder.journals().to_vec() {
            let Some(mut journal) = JournalReader::open(&**folder.files(), &name)? else {
                // A process may have ended before it had written the header of a file.
                if !JournalReader::is_unfinished(&**folder.files(), &name)? {
                    folder.set_aside_journal(&name)?;
                }
                continue;
            };
            while let Some(record) = journal.next()? {
                // Those before are in a segment, or in an earlier journal.
                if record.tick < replay.next {
                    continue;
                }
                let len = lock(&replay.memory).timeline().len() as u64;
                let needs_segment = lock(&replay.memory).needs_segment();
                if record.tick > replay.next || len >= MAX_BLOCK || needs_segment {
                    replay.write(folder)?;
                    replay.lost += record.tick - replay.next;
                    replay.memory = Mutex::new(empty(config));
                }
                replay.next = record.tick + 1;
                replay.base = record.time.at;
                restore(&mut lock(&replay.memory), record);
            }
            // One that is at the end is that of a snapshot whose number is not known.
            replay.lost += journal.damaged_at_end();
        }
        Ok(replay)
    }

    fn write(&self, folder: &mut SegmentFolder) -> io::Result<()> {
        let ticks = lock(&self.memory).timeline().ticks();
        if !ticks.is_empty()
            && let Some(segment) = write_block(folder.files(), &self.memory, &ticks)?
        {
            folder.add(segment);
        }
        Ok(())
    }
}

/// A store for snapshots that are all in a journal, and in no segment.
fn empty(config: &HistoryConfig) -> MemoryStore {
    let mut memory = MemoryStore::new(config);
    memory.set_on_disk(OnDisk {
        written: 0,
        saved: Tick::MAX,
    });
    memory
}

fn restore(memory: &mut MemoryStore, record: JournalRecord) {
    let flags = record.values.iter();
    let flags = flags.filter(|value| value.flags != StepFlags::default());
    let flags: Vec<_> = flags
        .map(|value| (value.key.clone(), value.flags))
        .collect();
    let values = record.values.into_iter();
    memory.restore(
        record.time,
        values.map(|value| (value.key, value.kind, value.step)),
    );
    for (key, flags) in flags {
        memory.flag(&key, record.tick, flags);
    }
}

impl OpenStore {
    /// Saves the snapshots that are in memory alone.
    fn save(&mut self, store: &DiskStore, state: &mut DiskState) -> io::Result<()> {
        let end = || lock(&store.setup.memory).timeline().ticks().end;
        let now_end = end();
        let waiting = now_end.saturating_sub(self.saved);
        if (self.is_recovering && self.written < now_end) || waiting > MAX_WAITING {
            self.close_block(store, now_end)?;
        }
        self.is_recovering = false;
        let mut is_synced = true;
        loop {
            let found = {
                let memory = lock(&store.setup.memory);
                let ticks = memory.timeline().ticks();
                self.saved = self.saved.max(ticks.start);
                memory.snapshot_at(self.saved)
            };
            let Some((time, values)) = found else {
                break;
            };
            if self.ends_before(store, self.saved, time.wall) {
                self.sync(store)?;
                self.close_block(store, self.saved)?;
            }
            let journal = match &mut self.journal {
                Some(journal) => journal,
                none => none.insert(JournalWriter::create(self.folder.files(), self.saved)?),
            };
            journal.append(self.saved, &time, &values)?;
            self.saved += 1;
            is_synced = false;
        }
        if !is_synced {
            self.sync(store)?;
        }
        let names = self.journal.as_ref().map_or(0, JournalWriter::series);
        if lock(&store.setup.memory).needs_segment() || names > MAX_NAMED {
            self.close_block(store, self.saved)?;
        }
        if self.needs_upkeep {
            self.upkeep(store, state)?;
        }
        Ok(())
    }

    /// Whether a block ends before this snapshot.
    fn ends_before(&self, store: &DiskStore, tick: Tick, wall: i64) -> bool {
        if tick <= self.written {
            return false;
        }
        let before = lock(&store.setup.memory).timeline().get(tick - 1).copied();
        // A segment does not continue over an hour of the wall clock.
        let hour = |wall: i64| Resolution::Hour.end_of_step(wall);
        tick - self.written >= MAX_BLOCK
            || before.is_some_and(|before| hour(before.wall) != hour(wall))
    }

    fn sync(&mut self, store: &DiskStore) -> io::Result<()> {
        if let Some(journal) = &mut self.journal {
            journal.sync(&**self.folder.files())?;
        }
        self.tell_memory(store);
        Ok(())
    }

    fn tell_memory(&self, store: &DiskStore) {
        lock(&store.setup.memory).set_on_disk(OnDisk {
            written: self.written,
            saved: self.saved,
        });
    }

    /// Writes the snapshots before `end` that are in no segment, then removes the journals. All their snapshots are before
    /// `end`.
    fn close_block(&mut self, store: &DiskStore, end: Tick) -> io::Result<()> {
        loop {
            let start = lock(&store.setup.memory).timeline().ticks().start;
            self.written = self.written.max(start);
            if self.written >= end {
                break;
            }
            let ticks: Range<Tick> = self.written..end.min(self.written + MAX_BLOCK);
            // Without a segment, the memory has removed the first snapshots.
            if let Some(segment) = write_block(self.folder.files(), &store.setup.memory, &ticks)? {
                self.folder.add(segment);
                self.written = ticks.end;
                self.saved = self.saved.max(ticks.end);
                self.tell_memory(store);
            }
        }
        self.folder.remove_journals()?;
        if let Some(journal) = self.journal.take() {
            let name = journal.name().to_owned();
            drop(journal);
            self.folder.files().remove(&name)?;
        }
        store.publish(self.folder.segments());
        self.needs_upkeep = true;
        Ok(())
    }

    /// Writes what is missing of coarser segments, merges small ones, and removes what is too old or too much.
    fn upkeep(&mut self, store: &DiskStore, state: &mut DiskState) -> io::Result<()> {
        let (following, now) = {
            let memory = lock(&store.setup.memory);
            let timeline = memory.timeline();
            let end = self.folder.end(Resolution::Raw);
            let first = end.max(timeline.ticks().start);
            let following = Following {
                first: timeline.get(first).map(|time| (first, time.wall)),
            };
            (following, timeline.times().back().map(|time| time.at))
        };
        coarse::roll_up(&mut self.folder, following)?;
        coarse::merge(&mut self.folder)?;
        if let Some(now) = now {
            self.remove_old(&store.setup.config, now)?;
        }
        self.make_room(&store.setup.config, state)?;
        store.publish(self.folder.segments());
        self.needs_upkeep = false;
        Ok(())
    }

    /// Removes the segments whose last step is too old, by the operating time.
    fn remove_old(&mut self, config: &HistoryConfig, now: u64) -> io::Result<()> {
        for (resolution, age) in [
            (Resolution::Raw, config.raw_age),
            (Resolution::Minute, config.minute_age),
            (Resolution::Hour, config.hour_age),
        ] {
            let is_old = |time: &StepTime| now.saturating_sub(time.at) > nanos(age);
            for segment in self.folder.of(resolution).to_vec() {
                if segment.times().last().is_some_and(is_old) {
                    self.folder.remove(&segment)?;
                }
            }
        }
        Ok(())
    }

    /// Removes the oldest segments until the rest is within the limit: first snapshots, then minutes, then hours. What is
    /// not rolled up yet is removed last, since it would be missing at every resolution.
    fn make_room(&mut self, config: &HistoryConfig, state: &mut DiskState) -> io::Result<()> {
        use Resolution::{Hour, Minute, Raw};

        let segments = self.folder.segments().iter();
        let mut bytes: u64 = segments.map(Segment::bytes).sum::<u64>() + self.journal_bytes();
        for (resolution, coarser) in [
            (Raw, Some(Minute)),
            (Minute, Some(Hour)),
            (Hour, None),
            (Raw, None),
            (Minute, None),
        ] {
            let rolled_up =
                coarser.map(|coarser| self.folder.last(coarser).map_or(0, StepTime::end));
            for segment in self.folder.of(resolution).to_vec() {
                if bytes <= config.max_bytes as u64 {
                    return Ok(());
                }
                let end = segment.times().last().map_or(0, StepTime::end);
                if rolled_up.is_some_and(|rolled_up| end > rolled_up) {
                    break;
                }
                self.folder.remove(&segment)?;
                bytes = bytes.saturating_sub(segment.bytes());
                if resolution == Raw {
                    state.evicted += segment.times().len() as u64;
                }
            }
        }
        Ok(())
    }

    fn journal_bytes(&self) -> u64 {
        let earlier = self.folder.journals().iter().map(|(_, bytes)| bytes);
        let current = self.journal.as_ref().map_or(0, JournalWriter::bytes);
        earlier.sum::<u64>() + current
    }

    fn describe(&self, status: &mut DiskStatus) {
        status.count(self.folder.segments());
        status.journal_bytes = self.journal_bytes();
        status.kept = self.folder.kept();
    }
}

impl fmt::Debug for DiskStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskStore")
            .field("path", &self.setup.path)
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}
