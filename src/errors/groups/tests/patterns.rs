//! New errors, regressions, spikes, and their hooks.

use super::*;

#[test]
fn hooks_hear_of_new_errors_regressions_and_spikes_once() {
    let mut process = Process::new("1");
    let seen = hooks(&process);
    let number = process.add(event("a.rs:1:1", "E", "m")).group;
    process.add(event("a.rs:1:1", "E", "m"));
    // Its frames are not known yet: it may be one that is known.
    let waiting = process.add_with(event("b.rs:1:1", "E", "m"), true);
    process.pass(Duration::from_secs(1));
    assert_eq!(patterns(&seen), ["new"]);
    process
        .groups
        .set_frames(&waiting, &frames(&["shop::load"]));
    process.pass(Duration::from_secs(1));
    assert_eq!(patterns(&seen), ["new"]);
    // A third place whose frames are known.
    process.add_frames(event("c.rs:1:1", "E", "m"), &frames(&["shop::load"]));
    process.pass(Duration::from_secs(1));
    assert_eq!(patterns(&seen), [""; 0]);

    process
        .groups
        .resolve(number, ErrorResolution::Now)
        .unwrap();
    process.add(event("a.rs:1:1", "E", "m"));
    process.add(event("a.rs:1:1", "E", "m"));
    process.pass(Duration::from_secs(1));
    let sentence = lock(&seen)[0].sentence.clone();
    assert_eq!(sentence, "Resolved error occurs again: E: m, at a.rs:1:1");
    assert_eq!(patterns(&seen), ["regression"]);

    process.pass(120 * MINUTE);
    for _ in 0..11 {
        process.add(event("a.rs:1:1", "E", "m"));
        process.pass(Duration::from_secs(2));
    }
    let spike = lock(&seen)[0].clone();
    assert_eq!((spike.events, spike.group.is_spiking), (11, true));
    assert_eq!(patterns(&seen), ["spike"]);
    process.pass(120 * MINUTE);
    // A muted group is counted, and no hook is called with it.
    let mute = Mute::until_more_than(1000, MINUTE);
    process.groups.mute(number, mute).unwrap();
    for _ in 0..20 {
        process.add(event("a.rs:1:1", "E", "m"));
    }
    process.pass(Duration::from_secs(1));
    assert_eq!(patterns(&seen), [""; 0]);
    let figures = process.groups.figures().unwrap();
    let counts = figures.counts;
    assert_eq!((counts.new, counts.regressed, counts.spikes), (2, 1, 2));
    assert_eq!(figures.hooks.emitted, figures.hooks.delivered);
}

#[test]
fn a_hook_that_panics_is_counted_and_stops_nothing() {
    let mut process = Process::new("1");
    process
        .groups
        .on_new(|_| panic!("a planned panic"))
        .detach();
    let seen = hooks(&process);
    for n in 0..7_u8 {
        process.add(event("a.rs:1:1", "E", &char::from(b'a' + n).to_string()));
        process.pass(Duration::from_secs(1));
    }
    assert_eq!(patterns(&seen).len(), 7);
    let hooks = process.groups.figures().unwrap().hooks;
    assert_eq!((hooks.panics, hooks.emitted, hooks.delivered), (5, 7, 7));
}

#[test]
fn the_first_error_of_a_release_is_counted_once() {
    let files = Memory::default();
    let mut one = Process::begin("1", Some(&files), 0);
    one.groups.tick();
    one.add(event("a.rs:1:1", "E", "m"));
    one.pass(MINUTE);
    // The first release that is known is no deploy.
    assert_eq!(one.groups.figures().unwrap().counts.first_of_release, 0);
    let mut two = Process::begin("2", Some(&files), one.last);
    two.groups.tick();
    for _ in 0..3 {
        two.add(event("a.rs:1:1", "E", "m"));
    }
    two.pass(MINUTE);
    let counts = two.groups.figures().unwrap().counts;
    assert_eq!((counts.first_of_release, counts.new), (1, 0));
    let restarted = Process::begin("2", Some(&files), two.last);
    restarted.groups.tick();
    assert_eq!(
        restarted.groups.figures().unwrap().counts.first_of_release,
        0
    );
}

#[test]
fn what_a_process_has_not_announced_the_next_one_announces() {
    let files = Memory::default();
    let mut one = Process::begin("1", Some(&files), 0);
    one.pass(Duration::from_secs(1));
    let resolved = one.add(event("a.rs:1:1", "E", "known")).group;
    let heard = hooks(&one);
    one.pass(MINUTE);
    assert_eq!(patterns(&heard), ["new"]);
    one.groups.resolve(resolved, ErrorResolution::Now).unwrap();
    one.add(event("a.rs:1:1", "E", "known"));
    one.add(event("b.rs:1:1", "E", "new"));
    let waiting = one.add_with(event("c.rs:1:1", "E", "waits for frames"), true);
    // It ends while the hooks have not been called.
    one.clock.advance(Duration::from_secs(11));
    one.groups.tick();
    let mut two = Process::begin("1", Some(&files), one.last);
    let seen = hooks(&two);
    two.pass(Duration::ZERO);
    assert_eq!(patterns(&seen), ["new", "regression"]);
    two.pass(MINUTE);
    assert_eq!(patterns(&seen), ["new"], "its frames did not come");
    two.pass(MINUTE);
    let three = Process::begin("1", Some(&files), two.last);
    let seen = hooks(&three);
    three.pass(MINUTE);
    assert_eq!(patterns(&seen), [""; 0]);
    // One that the file of the groups does not contain, as after a crash.
    two.last += 1;
    let mut lost = ErrorEvent::clone(&waiting);
    (lost.group, lost.id) = (7, EventId::random());
    lost.causes = event("", "E", "the last words").causes;
    let four = Process::begin("1", Some(&files), two.last);
    let seen = hooks(&four);
    four.groups.tick();
    let record = StoredRecord::Event(Box::new(lost));
    four.groups.add_earlier(two.last, record);
    four.pass(MINUTE);
    assert_eq!(patterns(&seen), ["new"]);
}
