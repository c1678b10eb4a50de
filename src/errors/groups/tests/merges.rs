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
