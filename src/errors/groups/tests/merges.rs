//! What happens to the number and the state of a group when groups are merged, and when frames decide late.

use super::*;

fn spill() -> Vec<Frame> {
    frames(&["std::x"])
}

#[test]
fn a_group_by_message_keeps_its_state_when_its_place_waits_for_frames_again() {
    let files = Memory::default();
    let mut one = Process::begin("1", Some(&files), 0);
    one.groups.tick();
    let number = one.add_frames(event("a.rs:1:1", "E", "m"), &spill()).group;
    let mute = Mute::until_more_than(1000, MINUTE);
    one.groups.mute(number, mute).unwrap();
    one.pass(MINUTE);
    // In the next process the place is not known, so it waits for frames again.
    let mut two = Process::begin("1", Some(&files), one.last);
    two.groups.tick();
    let waiting = two.add_with(event("a.rs:1:1", "E", "m"), true);
    let muted = two.groups.show(number).unwrap();
    assert_eq!((muted.count, muted.state.as_str()), (1, "muted"));
    two.groups.set_frames(&waiting, &spill());
    let group = two.only();
    assert_eq!((group.number, group.count), (number, 2));
    assert_eq!(group.state.as_str(), "muted");
    // The number under which it waited leads to it.
    assert_eq!(two.groups.show(waiting.group).unwrap().number, number);
}

#[test]
fn restarts_do_not_displace_the_numbers_of_merged_groups() {
    let files = Memory::default();
    let mut process = Process::begin("1", Some(&files), 0);
    process.groups.tick();
    let number = process
        .add_frames(event("a.rs:1:1", "E", "m"), &spill())
        .group;
    let other = process.add(event("b.rs:1:1", "E", "other")).group;
    let third = process.add(event("c.rs:1:1", "E", "third")).group;
    process.groups.merge(number, &[other, third]).unwrap();
    for _ in 0..40 {
        process.pass(MINUTE);
        process = Process::begin("1", Some(&files), process.last);
        process.groups.tick();
        process.add_frames(event("a.rs:1:1", "E", "m"), &spill());
    }
    assert_eq!(process.only().count, 43);
    for merged in [other, third] {
        assert_eq!(process.groups.show(merged).unwrap().number, number);
    }
}

#[test]
fn an_event_before_the_load_waits_for_its_own_frames() {
    let files = Memory::default();
    let mut one = Process::begin("1", Some(&files), 0);
    one.groups.tick();
    let number = one.add_frames(event("a.rs:1:1", "E", "m"), &spill()).group;
    one.add_frames(event("b.rs:1:1", "E", "m"), &spill());
    one.pass(MINUTE);
    let mut two = Process::begin("1", Some(&files), one.last);
    let early = two.add_with(event("a.rs:1:1", "E", "m"), true);
    two.groups.tick();
    two.groups.set_frames(&early, &frames(&["shop::load"]));
    assert_eq!(two.groups.show(number).unwrap().count, 2);
    let own = two.groups.show(early.group).unwrap();
    assert_eq!((own.count, own.grouped_by), (1, GroupedBy::Frames));
}

#[test]
fn an_event_that_was_captured_before_a_resolution_regresses_nothing() {
    let mut process = Process::new("1");
    let load = frames(&["shop::load"]);
    let number = process.add_frames(event("a.rs:1:1", "E", "m"), &load).group;
    let before = process.add_with(event("b.rs:1:1", "E", "m"), true);
    process.clock.advance(Duration::from_secs(1));
    process
        .groups
        .resolve(number, ErrorResolution::Now)
        .unwrap();
    process.clock.advance(Duration::from_secs(1));
    process.groups.set_frames(&before, &load);
    assert_eq!(process.only().count, 2);
    assert_eq!(process.only().state.as_str(), "resolved");
    let after = process.add_with(event("c.rs:1:1", "E", "m"), true);
    process.groups.set_frames(&after, &load);
    assert_eq!(process.only().state.as_str(), "regressed");
}

#[test]
fn merged_events_do_not_end_a_mute() {
    let mut process = Process::new("1");
    let muted = process.add(event("a.rs:1:1", "E", "m")).group;
    let mute = Mute::until_more_than(3, 10 * MINUTE);
    process.groups.mute(muted, mute).unwrap();
    let mut other = 0;
    for _ in 0..50 {
        other = process.add(event("b.rs:1:1", "E", "other")).group;
    }
    process.groups.merge(muted, &[other]).unwrap();
    for _ in 0..3 {
        process.add(event("a.rs:1:1", "E", "m"));
    }
    assert_eq!(process.only().state.as_str(), "muted");
    process.add(event("a.rs:1:1", "E", "m"));
    assert_eq!(process.only().state, ErrorState::Open);
}

#[test]
fn a_mute_that_events_end_is_stored_at_once() {
    let files = Memory::default();
    let mut process = Process::begin("1", Some(&files), 0);
    let number = process.add(event("a.rs:1:1", "E", "m")).group;
    let mute = Mute::until_more_than(1, 10 * MINUTE);
    process.groups.mute(number, mute).unwrap();
    process.pass(MINUTE);
    process.pass(MINUTE);
    assert!(process.groups.is_stored());
    process.add(event("a.rs:1:1", "E", "m"));
    assert!(process.groups.is_stored());
    process.add(event("a.rs:1:1", "E", "m"));
    assert_eq!(process.only().state, ErrorState::Open);
    assert!(!process.groups.is_stored());
}
