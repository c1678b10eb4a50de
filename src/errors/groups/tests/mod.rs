mod merges;
mod patterns;
mod storage;

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::handle::{ErrorGroups, GroupsSetup};
use super::store::GroupStore;
use super::table::{MAX_GROUPS, MAX_SAMPLE_BYTES};
use super::{
    ErrorFilter, ErrorGroup, ErrorPatternEvent, ErrorQuery, ErrorResolution, ErrorSort, ErrorState,
    GroupedBy, Mute,
};
use crate::clock::Clock;
use crate::errors::event::{ErrorEvent, Frame};
use crate::errors::stored_record::StoredRecord;
use crate::errors::testing::event;
use crate::files::{Files, header, put, records};
use crate::model::{Diagnostics, EventId, RecordCounters, lock};
use crate::users::{UserKey, UserTracker};
use crate::worker::RecordQueue;

const MINUTE: Duration = Duration::from_secs(60);

/// The groups of one process, on a driven clock.
struct Process {
    clock: Clock,
    groups: ErrorGroups,
    diagnostics: Arc<Diagnostics>,
    /// The number of the last stored event.
    last: u64,
}

impl Process {
    fn new(release: &str) -> Self {
        Self::begin(release, None, 0)
    }

    fn begin(release: &str, files: Option<&Memory>, last: u64) -> Self {
        let clock = Clock::driven(Duration::from_secs(1_700_000_000));
        let diagnostics = Arc::new(Diagnostics::default());
        let key = UserKey::from_bytes([3; UserKey::LENGTH]);
        let counters = Arc::<RecordCounters>::default();
        let setup = GroupsSetup {
            clock: &clock,
            users: &Arc::new(UserTracker::new(clock.clone(), key)),
            release,
            environment: "test",
            directory: None,
            first_number: last + 1,
            record_queue: &Arc::new(RecordQueue::new(1 << 20, counters)),
            diagnostics: &diagnostics,
        };
        let store =
            files.map(|files| GroupStore::with_files(Box::new(files.clone()), &diagnostics));
        let groups = ErrorGroups::with_store(&setup, store);
        Self {
            clock,
            groups,
            diagnostics,
            last,
        }
    }

    /// Adds an event with a new ID, which happens now. Returns it.
    fn add(&mut self, event: ErrorEvent) -> Arc<ErrorEvent> {
        self.add_with(event, false)
    }

    fn add_with(&mut self, mut event: ErrorEvent, has_backtrace: bool) -> Arc<ErrorEvent> {
        event.id = EventId::random();
        let now = self.clock.now();
        event.at = UNIX_EPOCH + Duration::from_nanos(self.clock.wall(now));
        self.last += 1;
        let number = self.last;
        let added = self.groups.add(event, now, has_backtrace, |_| Some(number));
        self.groups.with_table(super::table::GroupTable::check);
        added.0
    }

    /// Adds an event whose frames are known at once.
    fn add_frames(&mut self, event: ErrorEvent, frames: &[Frame]) -> Arc<ErrorEvent> {
        let event = self.add_with(event, true);
        self.groups.set_frames(&event, frames);
        self.groups.with_table(super::table::GroupTable::check);
        event
    }

    fn pass(&self, time: Duration) {
        self.clock.advance(time);
        self.groups.tick();
        self.groups.deliver();
        // As the worker does.
        if self.groups.is_save_due() {
            self.groups.save();
        }
        self.groups.with_table(super::table::GroupTable::check);
    }

    fn all(&self) -> Vec<ErrorGroup> {
        self.groups.list(&ErrorQuery::default())
    }

    fn only(&self) -> ErrorGroup {
        let all = self.all();
        assert_eq!(all.len(), 1, "{all:#?}");
        all.into_iter().next().unwrap()
    }

    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_nanos(self.clock.wall(self.clock.now()))
    }
}

fn frames(functions: &[&str]) -> Vec<Frame> {
    let frame = |function: &&str| Frame {
        function: (*function).to_owned(),
        file: "src/a.rs".to_owned(),
        line: 1,
        in_app: !function.starts_with("std"),
    };
    functions.iter().map(frame).collect()
}

/// Files in memory, which may fail.
#[derive(Clone, Default)]
struct Memory {
    files: Arc<Mutex<HashMap<String, Vec<u8>>>>,
    fails: Arc<AtomicBool>,
    writes: Arc<AtomicUsize>,
    /// How long a read takes, in milliseconds.
    read_ms: Arc<AtomicUsize>,
}

impl Files for Memory {
    fn list(&mut self) -> io::Result<Vec<(String, u64)>> {
        Ok(Vec::new())
    }

    fn read(&mut self, name: &str) -> io::Result<Vec<u8>> {
        std::thread::sleep(Duration::from_millis(self.read_ms.load(Relaxed) as u64));
        if self.fails.load(Relaxed) {
            return Err(io::Error::other("the disk is broken"));
        }
        let file = lock(&self.files).get(name).cloned();
        file.ok_or(io::ErrorKind::NotFound.into())
    }

    fn create(&mut self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn append(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn replace(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        if self.fails.load(Relaxed) {
            return Err(io::Error::other("the disk is full"));
        }
        self.writes.fetch_add(1, Relaxed);
        lock(&self.files).insert(name.to_owned(), bytes.to_vec());
        Ok(())
    }

    fn rename(&mut self, _: &str, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn remove(&mut self, _: &str) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn frames_of_the_first_event_decide_and_later_events_join_by_place() {
    let mut process = Process::new("1");
    let first = process.add_with(event("a.rs:1:1", "E", "row 1 of x"), true);
    // Captured before the frames of the first one are known, without frames of its own.
    process.add(event("a.rs:1:1", "E", "something else"));
    process
        .groups
        .set_frames(&first, &frames(&["shop::load", "std::x"]));
    process.add(event("a.rs:1:1", "E", "a third text"));
    let group = process.only();
    assert_eq!((group.count, group.grouped_by), (3, GroupedBy::Frames));
    assert_eq!(group.sample.unwrap().frames.len(), 2);
    // Another place with the same frames, as in a build whose lines have moved.
    process.add_frames(
        event("a.rs:9:1", "E", "row 7 of x"),
        &frames(&["shop::load"]),
    );
    assert_eq!(process.only().count, 4);
    process.add(event("a.rs:9:1", "E", "without frames"));
    assert_eq!(
        (process.only().count, process.only().number),
        (5, first.group)
    );
    // Another type at the place, and other frames.
    process.add_frames(event("a.rs:1:1", "F", "row"), &frames(&["shop::load"]));
    process.add_frames(event("b.rs:1:1", "E", "row"), &frames(&["shop::save"]));
    assert_eq!(process.all().len(), 3);
}

#[test]
fn events_before_any_frames_join_the_group_of_their_place() {
    let mut process = Process::new("1");
    // No backtrace is captured while another one is resolved.
    for text in ["red", "green", "blue"] {
        process.add(event("a.rs:1:1", "E", text));
    }
    assert_eq!(process.all().len(), 3);
    process.add_frames(event("a.rs:1:1", "E", "white"), &frames(&["shop::load"]));
    let group = process.only();
    assert_eq!((group.count, group.grouped_by), (4, GroupedBy::Frames));
    assert_eq!(group.samples.len(), 4);
}

#[test]
fn without_own_frames_the_parameterized_message_decides() {
    let mut process = Process::new("1");
    process.add_frames(event("a.rs:1:1", "E", "row 1"), &frames(&["std::x"]));
    process.add_frames(event("a.rs:1:1", "E", "row 2"), &[]);
    process.add(event("b.rs:1:1", "E", "row 3"));
    let group = process.only();
    assert_eq!((group.count, group.grouped_by), (3, GroupedBy::Message));
    process.add(event("a.rs:1:1", "E", "line 1"));
    assert_eq!(process.all().len(), 2);
    // Frames that never come: the message decides in the end.
    process.add_with(event("c.rs:1:1", "E", "row 4"), true);
    process.add(event("c.rs:1:1", "E", "line 2"));
    assert_eq!(process.all().len(), 3);
    process.pass(Duration::from_secs(20));
    assert_eq!(process.all().len(), 2);
    assert_eq!(process.all().iter().map(|it| it.count).sum::<u64>(), 6);
    process.add(event("c.rs:1:1", "E", "row 5"));
    assert_eq!(process.all().len(), 2);
}

#[test]
fn a_fingerprint_of_the_host_comes_first() {
    let mut process = Process::new("1");
    for (location, text) in [("a.rs:1:1", "x"), ("b.rs:2:2", "y")] {
        let mut event = event(location, "E", text);
        event.fingerprint = vec!["mine".to_owned()];
        process.add_frames(event, &frames(&["shop::load"]));
    }
    let group = process.only();
    assert_eq!((group.count, group.grouped_by), (2, GroupedBy::Fingerprint));
    assert_eq!(group.grouping_version, 2);
    process.add(event("a.rs:1:1", "E", "x"));
    assert_eq!(process.all().len(), 2);
}

#[test]
fn a_group_knows_users_routes_releases_and_times() {
    let mut process = Process::new("1.4");
    for n in 0..30_u64 {
        let mut event = event("a.rs:1:1", "E", "m");
        event.route = if n % 3 == 0 { "/a" } else { "/b" }.to_owned();
        event.user = format!("u{}", n % 7);
        process.add(event);
        process.clock.advance(MINUTE);
    }
    let group = process.only();
    assert_eq!((group.users, group.route.as_str()), (7, "/b"));
    let routes = [("/b".to_owned(), 20), ("/a".to_owned(), 10)];
    assert_eq!(group.routes.names, routes);
    assert_eq!(group.releases.names, [("1.4".to_owned(), 30)]);
    assert_eq!(group.environments.names, [("test".to_owned(), 30)]);
    assert_eq!(group.minutes.len(), 60);
    assert_eq!(group.minutes[29..], [&[1; 30][..], &[0]].concat()[..]);
    assert_eq!(group.hours.iter().sum::<u32>(), 30);
    let life = group.last_seen.duration_since(group.first_seen).unwrap();
    assert_eq!(life, MINUTE * 29);
    assert_eq!(group.samples.len(), 8);
}

#[test]
fn resolved_groups_regress_as_their_resolution_says() {
    for (resolution, in_this_release) in [
        (ErrorResolution::Now, true),
        (ErrorResolution::ThisRelease, true),
        (ErrorResolution::NextRelease, false),
    ] {
        let files = Memory::default();
        let mut process = Process::begin("1", Some(&files), 0);
        process.groups.tick();
        let number = process.add(event("a.rs:1:1", "E", "m")).group;
        process.clock.advance(MINUTE);
        process.groups.resolve(number, resolution).unwrap();
        // One that was captured before and arrives late.
        let late = event("a.rs:1:1", "E", "m");
        process.groups.add(late, 0, false, |_| None);
        assert_eq!(process.only().state.as_str(), "resolved");
        process.add(event("a.rs:1:1", "E", "m"));
        let state = process.only().state;
        let expected = if in_this_release {
            "regressed"
        } else {
            "resolved"
        };
        assert_eq!(state.as_str(), expected, "{resolution:?}");
        assert!(!process.only().is_new);
        process.pass(MINUTE);
        let mut next = Process::begin("2", Some(&files), process.last);
        next.groups.tick();
        next.add(event("a.rs:1:1", "E", "m"));
        assert_eq!(next.only().state.as_str(), "regressed", "{resolution:?}");
        // A rollback: in an earlier release nothing is known to be fixed.
        next.groups
            .resolve(number, ErrorResolution::ThisRelease)
            .unwrap();
        next.pass(MINUTE);
        let mut rollback = Process::begin("1", Some(&files), next.last);
        rollback.groups.tick();
        rollback.add(event("a.rs:1:1", "E", "m"));
        assert_eq!(rollback.only().state.as_str(), "resolved");
    }
}

#[test]
fn a_mute_ends_at_its_time_or_with_too_many_events() {
    let mut process = Process::new("1");
    let number = process.add(event("a.rs:1:1", "E", "m")).group;
    let until = process.now() + 5 * MINUTE;
    process.groups.mute(number, Mute::Until(until)).unwrap();
    process.pass(4 * MINUTE);
    assert_eq!(process.only().state.as_str(), "muted");
    process.pass(MINUTE);
    assert_eq!(process.only().state, ErrorState::Open);

    let mute = Mute::until_more_than(3, 10 * MINUTE);
    process.groups.mute(number, mute).unwrap();
    // Three within ten minutes, again and again. What was before the mute does not count.
    for n in 0..9 {
        process.add(event("a.rs:1:1", "E", "m"));
        process.clock.advance(4 * MINUTE);
        assert_eq!(process.only().state.as_str(), "muted", "{n}");
    }
    for _ in 0..4 {
        process.add(event("a.rs:1:1", "E", "m"));
    }
    assert_eq!(process.only().state, ErrorState::Open);
}

#[test]
fn changes_that_are_not_possible_say_why() {
    let mut process = Process::new("1");
    let number = process.add(event("a.rs:1:1", "E", "m")).group;
    let groups = &process.groups;
    let muted = Mute::until_more_than(1, MINUTE);
    for error in [
        groups.resolve(number ^ 1, ErrorResolution::Now),
        groups.mute(number, Mute::Until(UNIX_EPOCH)),
        groups.mute(number, Mute::until_more_than(1, Duration::ZERO)),
        groups.unmute(number),
        groups.merge(number, &[]),
        groups.merge(number, &[number]),
        groups.merge(number, &[number ^ 1]),
        groups.merge(number, &[1; 33]),
    ] {
        assert!(error.unwrap_err().is_error_group());
    }
    groups.mute(number, muted).unwrap();
    groups.resolve(number, ErrorResolution::Now).unwrap();
    assert_eq!(process.only().state.as_str(), "resolved");
    assert!(groups.mute(number, muted).is_err());
    groups.reopen(number).unwrap();
    groups.mute(number, muted).unwrap();
    groups.unmute(number).unwrap();
    assert_eq!(process.only().state, ErrorState::Open);
}

#[test]
fn merged_groups_count_together_and_keep_their_events() {
    let files = Memory::default();
    let mut process = Process::begin("1", Some(&files), 0);
    process.groups.tick();
    let load = frames(&["shop::load"]);
    let save = frames(&["shop::save"]);
    let into = process.add_frames(event("a.rs:1:1", "E", "m"), &load).group;
    let one = process.add_frames(event("b.rs:1:1", "E", "m"), &save).group;
    let two = process.add(event("c.rs:1:1", "E", "text")).group;
    process.groups.merge(into, &[one, two]).unwrap();
    assert_eq!((process.only().count, process.only().number), (3, into));
    process.add(event("b.rs:1:1", "E", "m"));
    process.add(event("c.rs:1:1", "E", "text"));
    assert_eq!(process.only().count, 5);
    assert_eq!(process.groups.show(one).unwrap().number, into);
    process.pass(MINUTE);
    // All of it is known to the next process.
    let mut next = Process::begin("1", Some(&files), process.last);
    next.groups.tick();
    next.add(event("b.rs:1:1", "E", "m"));
    next.add_frames(event("x.rs:1:1", "E", "m"), &save);
    next.add(event("d.rs:1:1", "E", "text"));
    assert_eq!((next.only().count, next.only().number), (8, into));
    assert_eq!(next.groups.show(two).unwrap().number, into);
}

#[test]
fn a_source_whose_errors_all_differ_leaves_the_groups_of_others() {
    let mut process = Process::new("1");
    let text = |n: u32| {
        n.to_string()
            .bytes()
            .map(|it| char::from(it + 49))
            .collect::<String>()
    };
    for n in 0..5 {
        process.add(event(
            &format!("rare:{n}:1"),
            "E",
            &format!("rare {}", text(n)),
        ));
    }
    let muted = process.add(event("noisy:1:1", "E", "muted")).group;
    let mute = Mute::until_more_than(9, MINUTE);
    process.groups.mute(muted, mute).unwrap();
    for n in 0..3000 {
        process.add_noisy(event("noisy:1:1", "E", &format!("noisy {}", text(n))));
    }
    process.groups.with_table(super::table::GroupTable::check);
    let all = process.all();
    assert_eq!(all.len(), MAX_GROUPS);
    assert_eq!(
        all.iter()
            .filter(|it| it.location.starts_with("rare"))
            .count(),
        5
    );
    // What somebody has decided about stays.
    assert!(process.groups.show(muted).is_some());
    // Nothing is lost without being counted.
    let counts = process.groups.figures().unwrap().counts;
    let kept: u64 = all.iter().map(|it| it.count).sum();
    assert_eq!(counts.events, 3006);
    assert_eq!(counts.events, kept + counts.evicted_events);
    assert_eq!(counts.evicted, 3006 - MAX_GROUPS as u64);
}

#[test]
fn rare_errors_keep_their_samples_when_the_memory_is_full() {
    let mut process = Process::new("1");
    let mut rare = event("rare:1:1", "E", "rare");
    rare.path = "x".repeat(10_000);
    let first = process.add(rare.clone());
    for n in 0..400_u64 {
        let mut noisy = event(
            "noisy:1:1",
            "E",
            &format!("{}", char::from(b'a' + (n % 26) as u8)),
        );
        noisy.path = "x".repeat(100_000);
        process.add_noisy(noisy);
    }
    for _ in 0..20 {
        process.add(rare.clone());
    }
    process.groups.with_table(super::table::GroupTable::check);
    let group = process.groups.show(first.group).unwrap();
    assert_eq!(group.samples.len(), 8);
    let all = process.all();
    let bytes = all
        .iter()
        .flat_map(|it| &it.samples)
        .map(|it| it.path.len());
    let bytes: usize = bytes.sum();
    assert!(
        bytes <= MAX_SAMPLE_BYTES && bytes > MAX_SAMPLE_BYTES / 2,
        "{bytes}"
    );
}

impl Process {
    /// Adds an event without a check of the table, which takes long.
    fn add_noisy(&mut self, mut event: ErrorEvent) {
        event.id = EventId::random();
        let now = self.clock.now();
        event.at = UNIX_EPOCH + Duration::from_nanos(self.clock.wall(now));
        self.groups.add(event, now, false, |_| None);
    }
}

type Seen = Arc<Mutex<Vec<ErrorPatternEvent>>>;

/// Collects what the three hooks get.
fn hooks(process: &Process) -> Seen {
    let seen = Seen::default();
    let to = |seen: &Seen| {
        let seen = Arc::clone(seen);
        move |event: &ErrorPatternEvent| lock(&seen).push(event.clone())
    };
    process.groups.on_new(to(&seen)).detach();
    process.groups.on_regression(to(&seen)).detach();
    process.groups.on_spike(to(&seen)).detach();
    seen
}

fn patterns(seen: &Seen) -> Vec<&'static str> {
    let taken = std::mem::take(&mut *lock(seen));
    taken.iter().map(|it| it.pattern.as_str()).collect()
}

#[test]
fn a_query_selects_and_orders() {
    let mut process = Process::new("1");
    let mut add = |text: &str, route: &str, count: usize| {
        let mut number = 0;
        for n in 0..count {
            let mut event = event("a.rs:1:1", "E", text);
            event.route = route.to_owned();
            event.user = format!("u{n}");
            number = process.add(event).group;
        }
        process.clock.advance(MINUTE);
        number
    };
    let many = add("many", "/a", 9);
    let few = add("few", "/b", 2);
    let old = add("old", "/a", 1);
    process.groups.resolve(old, ErrorResolution::Now).unwrap();
    process
        .groups
        .mute(few, Mute::until_more_than(1, MINUTE))
        .unwrap();
    let list = |query: ErrorQuery| {
        let found = process.groups.list(&query);
        found.iter().map(|it| it.number).collect::<Vec<_>>()
    };
    let query = ErrorQuery::default;
    assert_eq!(list(query()), [old, few, many]);
    for (filter, expected) in [
        (ErrorFilter::Open, vec![many]),
        (ErrorFilter::New, vec![many]),
        (ErrorFilter::Spiking, vec![]),
        (ErrorFilter::Regressed, vec![]),
        (ErrorFilter::Muted, vec![few]),
        (ErrorFilter::Resolved, vec![old]),
    ] {
        assert_eq!(list(query().filter(filter)), expected, "{filter:?}");
    }
    assert_eq!(list(query().route("/a")), [old, many]);
    assert_eq!(list(query().release("2")), [0; 0]);
    assert_eq!(list(query().text("FE")), [few]);
    for sort in [ErrorSort::Events, ErrorSort::LastHour, ErrorSort::Users] {
        assert_eq!(list(query().sort(sort)), [many, few, old], "{sort:?}");
    }
    assert_eq!(list(query().sort(ErrorSort::FirstSeen).limit(1)), [old]);
}
