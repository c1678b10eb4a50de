//! What a process finds of the ones before it.

use super::*;

#[test]
fn groups_and_states_are_those_of_the_process_before() {
    let files = Memory::default();
    let mut one = Process::begin("1", Some(&files), 0);
    one.groups.tick();
    let resolved = one.add(event("a.rs:1:1", "E", "m")).group;
    let muted = one
        .add_frames(event("b.rs:1:1", "E", "m"), &frames(&["shop::b"]))
        .group;
    for n in 0..100 {
        let mut event = event("c.rs:1:1", "E", "m");
        event.fingerprint = vec!["mine".to_owned()];
        event.user = format!("u{n}");
        event.route = format!("/{}", n % 20);
        one.add(event);
        one.clock.advance(MINUTE);
    }
    one.groups
        .resolve(resolved, ErrorResolution::NextRelease)
        .unwrap();
    let mute = Mute::until_more_than(5, 60 * MINUTE);
    one.groups.mute(muted, mute).unwrap();
    one.pass(MINUTE);
    let mut two = Process::begin("1", Some(&files), one.last);
    two.clock.advance(101 * MINUTE);
    // An event before the file is read joins its group.
    two.add_frames(event("z.rs:1:1", "E", "m"), &frames(&["shop::b"]));
    let seen = hooks(&two);
    two.pass(Duration::ZERO);
    assert_eq!(patterns(&seen), [""; 0], "all are known");
    assert!(
        two.diagnostics.notices().is_empty(),
        "{:?}",
        two.diagnostics
    );
    for number in [resolved, muted, one.all()[0].number] {
        let before = one.groups.show(number).unwrap();
        let after = two.groups.show(number).unwrap();
        let of = |it: &ErrorGroup| {
            let added = u64::from(it.number == muted && it.count == 2);
            let text = format!(
                "{:?}",
                (
                    &it.error_type,
                    &it.message,
                    &it.location,
                    it.grouped_by,
                    it.grouping_version,
                    &it.state,
                    it.users,
                    it.first_seen,
                    it.hours.iter().sum::<u32>() - added as u32,
                    it.routes.other,
                )
            );
            (text, it.count - added)
        };
        assert_eq!(of(&before), of(&after));
    }
    assert_eq!(two.all().len(), 3);
}

#[test]
fn the_largest_groups_make_a_file_that_can_be_read_whole() {
    let files = Memory::default();
    let mut one = Process::begin("1", Some(&files), 0);
    one.groups.tick();
    for n in 0..MAX_GROUPS {
        let text = "x".repeat(2000);
        let mut event = event(&format!("{}:{n}:1", "y".repeat(500)), &text, &text);
        event.fingerprint = vec![n.to_string()];
        for m in 0..10 {
            event.route = format!("{}/{m}", "z".repeat(250));
            one.add_noisy(event.clone());
        }
    }
    let muted = one.all()[MAX_GROUPS - 1].number;
    let mute = Mute::until_more_than(1000, MINUTE);
    one.groups.mute(muted, mute).unwrap();
    one.pass(MINUTE);
    assert!(lock(&files.files)["error_groups"].len() <= 7 << 20);
    let two = Process::begin("1", Some(&files), one.last);
    two.groups.tick();
    assert!(two.diagnostics.notices().is_empty());
    assert!(two.all().len() > MAX_GROUPS / 2);
    assert_eq!(two.groups.show(muted).unwrap().state.as_str(), "muted");
}

#[test]
fn stored_events_are_counted_once() {
    let files = Memory::default();
    let mut one = Process::begin("1", Some(&files), 0);
    one.groups.tick();
    let mut stored = Vec::new();
    for n in 1..=10_u64 {
        let event = one.add(event("a.rs:1:1", "E", "m"));
        stored.push((n, ErrorEvent::clone(&event)));
        if n == 6 {
            one.pass(MINUTE);
        }
    }
    // The process is killed: the file has the first six, and the store of events all.
    let two = Process::begin("1", Some(&files), one.last);
    let add = |range: std::ops::Range<usize>| {
        for (number, event) in &stored[range] {
            let record = StoredRecord::Event(Box::new(event.clone()));
            two.groups.add_earlier(*number, record);
        }
    };
    // Stored events are read once the file is, which says which of them are counted. A disk that hangs ends that.
    assert!(two.groups.awaits_load());
    two.clock.advance(MINUTE);
    assert!(!two.groups.awaits_load());
    add(0..5);
    assert!(two.all().is_empty());
    two.groups.tick();
    add(0..10);
    assert_eq!(two.only().count, 10);
    assert_eq!(two.only().releases.names, [("1".to_owned(), 10)]);
    assert_eq!(two.only().samples.len(), 8);
    // Those of this process are not added again.
    let record = StoredRecord::Event(Box::new(stored[0].1.clone()));
    two.groups.add_earlier(one.last + 1, record);
    assert_eq!(two.only().count, 10);
    // Without a file, all are.
    let three = Process::begin("1", Some(&Memory::default()), one.last);
    three.groups.tick();
    for (number, event) in &stored {
        let record = StoredRecord::Event(Box::new(event.clone()));
        three.groups.add_earlier(*number, record);
    }
    assert_eq!(three.only().count, 10);
}

#[test]
fn a_newer_file_is_left_as_it_is_and_a_damaged_one_is_used_as_far_as_possible() {
    let files = Memory::default();
    let mut one = Process::begin("1", Some(&files), 0);
    one.groups.tick();
    let mut numbers = Vec::new();
    for text in ["red", "green", "blue"] {
        numbers.push(one.add(event("a.rs:1:1", "E", text)).group);
    }
    for number in &numbers {
        one.groups.resolve(*number, ErrorResolution::Now).unwrap();
    }
    one.pass(MINUTE);
    let good = lock(&files.files)["error_groups"].clone();
    for at in 0..good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= 0x41;
        lock(&files.files).insert("error_groups".to_owned(), bytes);
        let next = Process::begin("1", Some(&files), one.last);
        next.groups.tick();
        let known = next.all().len();
        assert!(known >= 2 || at < 20, "byte {at}: {known}");
        let notices = next.diagnostics.notices().join("\n");
        assert!(notices.contains("it is damaged"), "byte {at}");
    }
    let mut newer = header(0).to_vec();
    put(&mut newer, 0, &[9, 1, 2]);
    lock(&files.files).insert("error_groups".to_owned(), newer.clone());
    let writes = files.writes.load(Relaxed);
    let mut next = Process::begin("1", Some(&files), one.last);
    let seen = hooks(&next);
    next.groups.tick();
    next.add(event("a.rs:1:1", "E", "m"));
    next.pass(MINUTE);
    assert_eq!(patterns(&seen), ["new"]);
    assert!(next.diagnostics.notices()[0].contains("format 9"));
    assert_eq!(lock(&files.files)["error_groups"], newer);
    assert_eq!(files.writes.load(Relaxed), writes);
}

#[test]
fn a_disk_that_fails_is_reported_and_tried_again() {
    let files = Memory::default();
    files.fails.store(true, Relaxed);
    let mut process = Process::begin("1", Some(&files), 0);
    process.groups.tick();
    let number = process.add(event("a.rs:1:1", "E", "m")).group;
    process
        .groups
        .resolve(number, ErrorResolution::Now)
        .unwrap();
    process.pass(Duration::from_secs(10));
    // It may hold groups of earlier processes, so nothing is announced and nothing is written.
    assert!(!process.groups.is_stored() && !process.groups.is_loaded());
    files.fails.store(false, Relaxed);
    process.pass(MINUTE);
    assert!(process.groups.is_stored());
    files.fails.store(true, Relaxed);
    process.groups.reopen(number).unwrap();
    process.pass(MINUTE);
    assert!(!process.groups.is_stored());
    files.fails.store(false, Relaxed);
    process.pass(MINUTE);
    assert!(process.groups.is_stored());
    assert_eq!(process.diagnostics.notices().len(), 2);
    let memory = Process::new("1");
    assert!(!memory.groups.is_stored());
}

#[test]
fn groups_that_two_threads_load_at_once_are_counted_once() {
    let files = Memory::default();
    let mut one = Process::begin("1", Some(&files), 0);
    one.groups.tick();
    for _ in 0..5 {
        one.add(event("a.rs:1:1", "E", "m"));
    }
    one.pass(MINUTE);
    files.read_ms.store(100, Relaxed);
    let two = Process::begin("1", Some(&files), one.last);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| two.groups.tick());
        }
    });
    assert_eq!(two.only().count, 5);
}

#[test]
fn files_of_earlier_forms_are_read() {
    let files = Memory::default();
    let mut one = Process::begin("1", Some(&files), 0);
    one.groups.tick();
    let number = one.add(event("a.rs:1:1", "E", "m")).group;
    one.groups.resolve(number, ErrorResolution::Now).unwrap();
    one.pass(MINUTE);
    one.pass(MINUTE);
    let third = lock(&files.files)["error_groups"].clone();
    // At the end of a group: the length of an empty list, the changes of the state, and the bits of what has yet to be
    // announced.
    let change = 8 + (1 + 8 + 1) + 4 + 4;
    let (list, changes, bits) = (4, 8 + change, 1);
    for form in [1, 2] {
        let mut earlier = header(1).to_vec();
        for (number, record) in records(&third).unwrap() {
            let mut record = record.to_vec();
            record[0] = form;
            if number > 0 {
                let end = record.len();
                let last = record[end - bits];
                record.truncate(end - bits - changes);
                match form {
                    1 => record.truncate(record.len() - list),
                    _ => record.push(last),
                }
            }
            put(&mut earlier, number, &record);
        }
        lock(&files.files).insert("error_groups".to_owned(), earlier);
        let two = Process::begin("1", Some(&files), one.last);
        two.groups.tick();
        assert!(
            two.diagnostics.notices().is_empty(),
            "{:?}",
            two.diagnostics
        );
        assert_eq!((two.only().number, two.only().count), (number, 1));
        assert_eq!(two.only().state.as_str(), "resolved");
        assert_eq!(two.only().changes, []);
    }
    lock(&files.files).insert("error_groups".to_owned(), third);
    let two = Process::begin("1", Some(&files), one.last);
    two.groups.tick();
    assert_eq!(two.only().changes.len(), 1);
    assert_eq!(two.only().changes, one.groups.show(number).unwrap().changes);
}

#[test]
fn a_file_that_cannot_be_read_does_not_silence_the_hooks_for_ever() {
    let files = Memory::default();
    let mut one = Process::begin("1", Some(&files), 0);
    one.groups.tick();
    one.add(event("a.rs:1:1", "E", "m"));
    one.pass(MINUTE);
    let stored = lock(&files.files)["error_groups"].clone();
    files.fails.store(true, Relaxed);
    let mut two = Process::begin("1", Some(&files), one.last);
    let seen = hooks(&two);
    two.groups.tick();
    two.add(event("b.rs:1:1", "E", "other"));
    two.pass(Duration::from_secs(20));
    assert_eq!(patterns(&seen), [""; 0], "it may be known");
    two.pass(Duration::from_secs(11));
    assert_eq!(patterns(&seen), ["new"]);
    let notices = two.diagnostics.notices().join("\n");
    assert!(notices.contains("left as they are"), "{notices}");
    // The file is not replaced by the groups of this process alone.
    files.fails.store(false, Relaxed);
    two.pass(MINUTE);
    assert!(!two.groups.is_stored());
    assert_eq!(lock(&files.files)["error_groups"], stored);
}
