use std::sync::Arc;
use std::time::Duration;

use super::snapshot::InvalidSnapshot;
use super::{ActiveUsers, UserKey, UserTracker};
use crate::clock::Clock;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const WALL: Duration = Duration::from_secs(1_767_225_600);

fn key(seed: u8) -> UserKey {
    UserKey::from_bytes([seed; UserKey::LENGTH])
}

/// A tracker with a clock of its own.
fn tracker(seed: u8, wall: Duration) -> (UserTracker, Clock) {
    let clock = Clock::driven(wall);
    (UserTracker::new(clock.clone(), key(seed)), clock)
}

fn see(tracker: &UserTracker, clock: &Clock, users: std::ops::Range<u32>) {
    for user in users {
        tracker.record(tracker.hash(&format!("user-{user}")), clock.now());
    }
}

fn active(tracker: &UserTracker) -> (Option<u64>, Option<u64>) {
    let ActiveUsers { five_minutes, day } = tracker.active();
    (five_minutes, day)
}

#[test]
fn the_error_is_at_most_2_percent_and_small_numbers_are_exact() {
    // (users, keys, the most that the count may be off)
    let table = [
        (1, 5, 0.0),
        (10, 5, 0.0),
        (100, 5, 0.0),
        (1_000, 5, 0.0),
        (10_000, 5, 0.02),
        (100_000, 5, 0.02),
        (1_000_000, 2, 0.02),
    ];
    for (users, keys, limit) in table {
        for seed in 1..=keys {
            let (tracker, clock) = tracker(seed, WALL);
            see(&tracker, &clock, 0..users);
            let ActiveUsers { five_minutes, day } = tracker.active();
            for counted in [five_minutes, day] {
                let error = counted.unwrap() as f64 / f64::from(users) - 1.0;
                let off = format!("{users} users, key {seed}: {counted:?}, {error:+.4}");
                println!("{off}");
                assert!(error.abs() <= limit, "{off}");
            }
        }
    }
}

#[test]
fn a_union_of_all_slots_is_as_exact_as_one_slot() {
    let (tracker, clock) = tracker(7, WALL);
    // 5,000 users an hour, each of whom comes again in the next hour: 65,000 in 25 hours.
    for hour in 0..25 {
        see(&tracker, &clock, hour * 2_500..hour * 2_500 + 5_000);
        clock.advance(HOUR);
    }
    let day = tracker.active().day.unwrap() as f64;
    // The clock stands in the 26th hour, so the first hour has left.
    let expected = f64::from(24 * 2_500 + 2_500);
    assert!((day / expected - 1.0).abs() <= 0.02, "{day}");
}

#[test]
fn both_windows_slide() {
    let (tracker, clock) = tracker(1, WALL);
    assert_eq!(active(&tracker), (None, None));
    see(&tracker, &clock, 0..3);
    clock.advance(MINUTE);
    see(&tracker, &clock, 2..5);
    see(&tracker, &clock, 2..5);
    assert_eq!(active(&tracker), (Some(5), Some(5)));
    // The first minute is the fifth before the current one, then leaves.
    clock.advance(4 * MINUTE + Duration::from_secs(59));
    assert_eq!(active(&tracker), (Some(5), Some(5)));
    clock.advance(Duration::from_secs(1));
    assert_eq!(active(&tracker), (Some(3), Some(5)));
    clock.advance(MINUTE);
    assert_eq!(active(&tracker), (Some(0), Some(5)));
    see(&tracker, &clock, 9..10);
    assert_eq!(active(&tracker), (Some(1), Some(6)));
    // The hour of all users is the 24th before the current one, then leaves.
    clock.advance(24 * HOUR);
    assert_eq!(active(&tracker), (Some(0), Some(6)));
    clock.advance(HOUR);
    assert_eq!(active(&tracker), (Some(0), Some(0)));
}

#[test]
fn a_gap_of_any_length_leaves_nothing_behind() {
    // Gaps after which a slot has the place that it had before, and others.
    for minutes in [6, 7, 12, 25 * 60, 26 * 60, 50 * 60, 60 * 24 * 365 * 10] {
        let (tracker, clock) = tracker(1, WALL);
        for _ in 0..3 {
            see(&tracker, &clock, 0..10);
            clock.advance(MINUTE);
        }
        clock.advance(minutes * MINUTE);
        see(&tracker, &clock, 20..22);
        let day = if minutes < 24 * 60 { 12 } else { 2 };
        assert_eq!(active(&tracker), (Some(2), Some(day)), "{minutes} minutes");
    }
}

#[test]
fn a_late_record_does_not_clear_a_newer_minute() {
    let (tracker, clock) = tracker(1, WALL);
    let (late, at) = (tracker.hash("late"), clock.now());
    clock.advance(6 * MINUTE);
    see(&tracker, &clock, 0..3);
    tracker.record(late, at);
    assert_eq!(active(&tracker), (Some(3), Some(4)));
}

#[test]
fn the_hosts_numbers_replace_the_counted_ones_one_by_one() {
    let (tracker, clock) = tracker(1, WALL);
    tracker.set(ActiveUsers::default().day(40));
    assert_eq!(active(&tracker), (None, Some(40)));
    see(&tracker, &clock, 0..3);
    assert_eq!(active(&tracker), (Some(3), Some(40)));
    tracker.set(ActiveUsers::default().five_minutes(0));
    assert_eq!(active(&tracker), (Some(0), Some(3)));
    tracker.set(ActiveUsers::default());
    assert_eq!(active(&tracker), (Some(3), Some(3)));
}

#[test]
fn threads_count_each_user_once() {
    let clock = Clock::driven(WALL);
    let tracker = Arc::new(UserTracker::new(clock.clone(), key(3)));
    let threads = [0..600, 300..900, 600..1200].map(|users| {
        let (tracker, clock) = (Arc::clone(&tracker), clock.clone());
        std::thread::spawn(move || see(&tracker, &clock, users))
    });
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(active(&tracker), (Some(1200), Some(1200)));
}

fn snapshots(tracker: &UserTracker) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    tracker.snapshots(|bytes| all.push(bytes));
    all
}

#[test]
fn a_restart_keeps_the_users_who_are_still_in_the_windows() {
    let (before, clock) = tracker(1, WALL);
    see(&before, &clock, 0..10);
    clock.advance(2 * HOUR + 2 * MINUTE);
    see(&before, &clock, 5..5_000);
    clock.advance(MINUTE);
    see(&before, &clock, 4_900..5_010);
    clock.advance(MINUTE / 2);
    let stored = snapshots(&before);
    // Two minutes and two hours: the first minute has left its window.
    assert_eq!(stored.len(), 4);
    assert!(stored.iter().all(|one| one.len() < 15_000));
    let counted = active(&before);

    // The next process begins at once, three minutes later, .. and a day later.
    let end = WALL + 2 * HOUR + 3 * MINUTE + MINUTE / 2;
    let restored = |after: Duration| {
        let (next, _) = tracker(1, end + after);
        for one in stored.iter().chain(&stored) {
            next.restore(one).unwrap();
        }
        active(&next)
    };
    assert_eq!(restored(Duration::ZERO), counted);
    assert_eq!(restored(3 * MINUTE), counted);
    // The minute of 4,995 users has left, that of 110 has not.
    assert_eq!(restored(5 * MINUTE), (Some(110), counted.1));
    assert_eq!(restored(6 * MINUTE), (Some(0), counted.1));
    assert_eq!(restored(30 * HOUR), (None, None));

    // Users are counted once, whether they come before or after the restart.
    let (next, clock) = tracker(1, end);
    see(&next, &clock, 0..5_010);
    for one in &stored {
        next.restore(one).unwrap();
    }
    let (_, day) = active(&next);
    let difference = day.unwrap().abs_diff(5_010);
    assert!(difference <= 100, "{day:?}");
}

#[test]
fn a_wall_clock_that_was_set_back_or_far_ahead_breaks_nothing() {
    let (before, clock) = tracker(1, WALL);
    see(&before, &clock, 0..10);
    let stored = snapshots(&before);
    for (wall, expected) in [
        (Duration::from_secs(1_767_222_000), (Some(10), Some(10))),
        (Duration::ZERO, (Some(10), Some(10))),
        (WALL + 10 * 365 * 24 * HOUR, (None, None)),
    ] {
        let (next, _) = tracker(1, wall);
        for one in &stored {
            next.restore(one).unwrap();
        }
        assert_eq!(active(&next), expected);
    }
}

#[test]
fn what_is_no_snapshot_is_refused_and_adds_nothing() {
    let (before, clock) = tracker(1, WALL);
    see(&before, &clock, 0..5_000);
    let stored = snapshots(&before);
    let (next, _) = tracker(1, WALL);
    for one in &stored {
        for length in [0, 1, 4, 25, one.len() - 1] {
            let torn = next.restore(&one[..length]);
            assert_eq!(torn, Err(InvalidSnapshot::Damaged), "{length} bytes");
        }
        for bit in (0..one.len() * 8).step_by(37) {
            let mut flipped = one.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(next.restore(&flipped), Err(InvalidSnapshot::Damaged));
        }
        // Each of these has a valid checksum.
        let with = |at: usize, byte: u8| {
            let mut changed = one[..one.len() - 4].to_vec();
            changed[at] = byte;
            let checksum = crc32fast::hash(&changed).to_le_bytes();
            changed.extend_from_slice(&checksum);
            changed
        };
        assert_eq!(
            next.restore(&with(4, 2)),
            Err(InvalidSnapshot::OtherVersion(2))
        );
        assert_eq!(next.restore(&with(5, 2)), Err(InvalidSnapshot::Damaged));
        assert_eq!(next.restore(&with(6, 0)), Err(InvalidSnapshot::OtherKey));
        // The precision of the sketch.
        assert_eq!(next.restore(&with(29, 11)), Err(InvalidSnapshot::Damaged));
    }
    assert_eq!(active(&next), (None, None));
    let (other, _) = tracker(2, WALL);
    assert_eq!(other.restore(&stored[0]), Err(InvalidSnapshot::OtherKey));
}

#[test]
fn registers_that_no_users_make_do_not_panic() {
    let (before, clock) = tracker(1, WALL);
    see(&before, &clock, 0..5_000);
    let stored = snapshots(&before).remove(0);
    for filler in [0, 1, 0x0f, 0x55, 0x7f, 0x80, 0xff] {
        let mut made_up = stored[..30].to_vec();
        made_up.resize(stored.len() - 4, filler);
        let checksum = crc32fast::hash(&made_up).to_le_bytes();
        made_up.extend_from_slice(&checksum);
        let (next, _) = tracker(1, WALL);
        // Accepted or not: the count is a number, and the tracker goes on.
        let is_accepted = next.restore(&made_up).is_ok();
        see(&next, &clock, 0..10);
        assert!(active(&next).1.is_some(), "{filler:#x}: {is_accepted}");
    }
}

#[test]
fn hashes_stay_the_same_and_depend_on_the_key() {
    // Stored sketches depend on this value.
    assert_eq!(key(1).hash("user-1").0, 14_897_818_896_586_475_854);
    assert_ne!(key(1).hash("user-1"), key(2).hash("user-1"));
    assert_ne!(UserKey::random(), UserKey::random());
    assert_eq!(format!("{:?}", key(1)), "UserKey(..)");
}
