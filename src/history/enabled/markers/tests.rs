use std::fs;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::UNIX_EPOCH;

use super::marker_list::MAX_MARKERS;
use super::*;

fn clock() -> Clock {
    Clock::driven(Duration::from_secs(1_000_000))
}

fn all(store: &MarkerStore) -> Vec<Marker> {
    store.between(UNIX_EPOCH, UNIX_EPOCH + Duration::from_secs(10_000_000))
}

fn texts(store: &MarkerStore) -> Vec<String> {
    let all = all(store).into_iter();
    all.map(|marker| format!("{} {}", marker.kind.as_str(), marker.text))
        .collect()
}

/// A process with this version of the service.
fn process(version: &str, path: &Path) -> MarkerStore {
    MarkerStore::new(&clock(), version).in_directory(path, &Arc::default())
}

fn files(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A directory that fails while `fails` is set.
struct FailingFiles {
    disk: Disk,
    fails: Arc<AtomicBool>,
    calls: Arc<AtomicUsize>,
}

impl FailingFiles {
    fn check(&self) -> io::Result<()> {
        self.calls.fetch_add(1, Relaxed);
        if self.fails.load(Relaxed) {
            return Err(io::Error::other("no space"));
        }
        Ok(())
    }
}

impl Files for FailingFiles {
    fn list(&mut self) -> io::Result<Vec<(String, u64)>> {
        self.disk.list()
    }

    fn read(&mut self, name: &str) -> io::Result<Vec<u8>> {
        self.disk.read(name)
    }

    fn create(&mut self, name: &str) -> io::Result<()> {
        self.disk.create(name)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Err(error) = self.check() {
            // A part was written.
            self.disk.append(&bytes[..bytes.len() / 2])?;
            return Err(error);
        }
        self.disk.append(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.disk.sync()
    }

    fn replace(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.disk.replace(name, bytes)
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }
}

#[test]
fn a_start_tells_whether_it_is_a_deployment_and_whether_it_follows_a_crash() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    // Each process has a version, and ends with a shutdown or without one.
    let runs = [
        ("1.0", true, (false, false)),
        ("1.0", false, (false, false)),
        ("1.1", false, (true, true)),
        ("1.1", true, (false, true)),
        ("", true, (false, false)),
        ("1.2", true, (false, false)),
        ("1.3", true, (true, false)),
    ];
    for (number, (version, is_shut_down, expected)) in runs.into_iter().enumerate() {
        let store = process(version, path);
        store.mark(&format!("run {number}"));
        store.save();
        let mut all = all(&store).into_iter();
        let start = all.rfind(|it| it.kind == MarkerKind::Start).unwrap();
        assert_eq!(start.text, version);
        let flags = (start.is_new_version, start.was_interrupted);
        assert_eq!(flags, expected, "run {number}");
        if is_shut_down {
            store.shut_down();
        }
    }
    let last = process("1.3", path);
    last.save();
    let found = texts(&last);
    assert_eq!(found.len(), 7 * 2 + 5 + 1);
    assert_eq!(
        found[..5],
        [
            "start 1.0",
            "mark run 0",
            "shutdown 1.0",
            "start 1.0",
            "mark run 1"
        ]
    );
    // The flags of earlier starts are stored too.
    let deployments = all(&last).into_iter().filter(|it| it.is_new_version);
    assert_eq!(
        deployments.map(|it| it.text).collect::<Vec<_>>(),
        ["1.1", "1.3"]
    );
    assert_eq!(files(path).len(), 1, "old files are removed");
}

#[test]
fn a_torn_end_and_a_damaged_record_cost_what_they_cover() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let store = process("1", path);
    for number in 0..3 {
        store.mark(&format!("m{number}"));
        store.save();
    }
    let file = path.join(&files(path)[0]);
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() - 1]).unwrap();
    let next = process("1", path);
    next.save();
    let expected = ["start 1", "mark m0", "mark m1", "start 1"];
    assert_eq!(texts(&next), expected);
    // What is appended after the torn end is found again.
    next.mark("after");
    next.save();
    let file = path.join(&files(path)[0]);
    let mut bytes = fs::read(&file).unwrap();
    let at = bytes.windows(2).position(|it| it == b"m0").unwrap();
    bytes[at] ^= 1;
    fs::write(&file, bytes).unwrap();
    let last = process("1", path);
    last.save();
    let expected = ["start 1", "mark m1", "start 1", "mark after", "start 1"];
    assert_eq!(texts(&last), expected);
}

#[test]
fn what_a_failing_disk_does_not_take_is_stored_later() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let clock = clock();
    let (fails, calls) = (Arc::new(AtomicBool::new(false)), Arc::default());
    let files_of = |disk| FailingFiles {
        disk,
        fails: Arc::clone(&fails),
        calls: Arc::clone(&calls),
    };
    let diagnostics = Arc::new(Diagnostics::default());
    let store = MarkerStore::new(&clock, "1").in_files(files_of(Disk::new(path)), &diagnostics);
    store.mark("before");
    store.save();
    fails.store(true, Relaxed);
    store.mark("lost?");
    for _ in 0..3 {
        store.save();
    }
    assert_eq!(calls.load(Relaxed), 2, "it pauses after a failure");
    assert!(diagnostics.notices()[0].contains("no space"));
    clock.advance(RETRY_AFTER);
    store.save();
    assert_eq!(calls.load(Relaxed), 3);
    // A process that begins now finds what was stored before the failure.
    let other = tempfile::tempdir().unwrap();
    for name in files(path) {
        fs::copy(path.join(&name), other.path().join(&name)).unwrap();
    }
    let next = process("1", other.path());
    next.save();
    assert_eq!(texts(&next), ["start 1", "mark before", "start 1"]);

    fails.store(false, Relaxed);
    store.mark("after");
    clock.advance(RETRY_AFTER);
    store.save();
    let next = process("1", path);
    next.save();
    let expected = [
        "start 1",
        "mark before",
        "mark lost?",
        "mark after",
        "start 1",
    ];
    assert_eq!(texts(&next), expected);
}

#[test]
fn a_removed_directory_is_written_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("markers");
    let clock = clock();
    let store = MarkerStore::new(&clock, "1").in_directory(&path, &Arc::default());
    store.mark("one");
    store.save();
    fs::remove_dir_all(&path).unwrap();
    store.mark("two");
    store.save();
    clock.advance(RETRY_AFTER);
    store.save();
    let next = process("1", &path);
    next.save();
    assert_eq!(texts(&next), ["start 1", "mark one", "mark two", "start 1"]);
}

#[test]
fn the_last_markers_are_kept_and_the_files_stay_small() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let store = process("1", path);
    for number in 0..25_000 {
        store.mark(&format!("m{number}"));
        if number % 1000 == 0 {
            store.save();
        }
    }
    store.save();
    let found = texts(&store);
    assert_eq!(found.len(), MAX_MARKERS);
    assert_eq!(found[0], "start 1", "the start stays");
    assert_eq!(found[1], format!("mark m{}", 25_000 - MAX_MARKERS + 1));
    let stored = files(path);
    assert_eq!(stored.len(), 1);
    let bytes = fs::metadata(path.join(&stored[0])).unwrap().len();
    assert!(bytes < 22_000 * 40, "{bytes} bytes");
    let next = process("2", path);
    next.save();
    let found = all(&next);
    assert_eq!(found.len(), MAX_MARKERS);
    let start = found.last().unwrap();
    assert!(start.is_new_version && start.was_interrupted);
    // More than are kept, before the first write.
    let many = process("2", path);
    for number in 0..=MAX_MARKERS {
        many.mark(&format!("n{number}"));
    }
    many.shut_down();
    let last = process("2", path);
    last.save();
    let found = all(&last);
    assert_eq!(found.len(), MAX_MARKERS);
    assert!(!found.last().unwrap().was_interrupted);
}

#[test]
fn a_crash_before_the_old_file_was_removed_doubles_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let store = process("1", path);
    store.mark("one");
    store.save();
    let old = files(path).remove(0);
    let bytes = fs::read(path.join(&old)).unwrap();
    process("1", path).save();
    fs::write(path.join(&old), bytes).unwrap();
    assert_eq!(files(path).len(), 2);
    fs::write(path.join("notes.txt"), "of somebody else").unwrap();
    let last = process("1", path);
    last.save();
    assert_eq!(texts(&last), ["start 1", "mark one", "start 1", "start 1"]);
    assert_eq!(files(path).len(), 2, "{:?}", files(path));
    assert_eq!(files(path)[0], "notes.txt");
}

#[test]
fn texts_are_redacted_and_cut_and_times_select() {
    let clock = clock();
    let store = MarkerStore::new(&clock, "1");
    store.mark("deployed with password=hunter2secret");
    clock.advance(Duration::from_secs(10));
    store.mark(&"é".repeat(1000));
    let found = all(&store);
    assert!(!found[1].text.contains("hunter2"), "{}", found[1].text);
    assert!(found[1].text.starts_with("deployed with"));
    assert!((200..=MAX_TEXT).contains(&found[2].text.len()));
    let at = |seconds: u64| UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds);
    assert_eq!(store.between(at(0), at(9)).len(), 2);
    assert_eq!(store.between(at(10), at(10)).len(), 1);
    assert_eq!(store.between(at(11), at(99)), []);
}
