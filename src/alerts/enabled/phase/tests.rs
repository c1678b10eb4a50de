use std::time::UNIX_EPOCH;

use proptest::prelude::*;

use super::super::alert::NotificationReason;
use super::super::notification_pace::NotificationPace;
use super::*;
use AlertState::{Firing, Inactive, Pending, Recovering, Resolved};
use TransitionReason::{ConditionEnded, ConditionMet, HeldFor, NotCleared, Stale};

const STEP: u64 = 30;

fn moment(step: usize) -> Moment {
    let seconds = step as u64 * STEP;
    Moment {
        rule: seconds * 1_000_000_000,
        wall: seconds * 1000,
    }
}

fn timing(hold: u64, keep_firing: u64) -> Timing {
    Timing {
        hold: Duration::from_secs(hold),
        keep_firing: Duration::from_secs(keep_firing),
        missing: MissingData::Keep,
        stale_after: Duration::from_secs(5 * STEP),
    }
}

/// What each character of a course means: `f` fires, `b` is between the thresholds, `c` is clear, `-` is missing and `!` a
/// failure.
fn signal(char: char) -> Signal {
    match char {
        'f' => Signal::Fires(9.0),
        'b' => Signal::Between(5.0),
        'c' => Signal::Clears(1.0),
        '-' => Signal::Missing,
        '!' => Signal::Failed,
        other => panic!("{other}"),
    }
}

/// The state after each step, as one letter: inactive, Pending, Firing, reCovering, Resolved.
fn states(timing: &Timing, course: &str) -> String {
    let mut tracking = Tracking::default();
    let mut out = String::new();
    for (step, char) in course.chars().enumerate() {
        let before = tracking.phase.state();
        let change = tracking.step(timing, signal(char), moment(step));
        let after = tracking.phase.state();
        assert_eq!(
            change.map(|it| (it.from, it.to)),
            (before != after).then_some((before, after))
        );
        out.push(match after {
            Inactive => '.',
            Pending => 'P',
            Firing => 'F',
            Recovering => 'C',
            Resolved => 'R',
        });
    }
    out
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn an_alert_follows_its_condition() {
    let missing = |missing, timing: Timing| Timing { missing, ..timing };
    let (keep, resolve, fire) = (MissingData::Keep, MissingData::Resolve, MissingData::Fire);
    for (name, timing, course, expected) in [
        ("fires at once without `for`", timing(0, 0), "cfcf", ".FRF"),
        ("the first true is t0", timing(60, 0), "fffff", "PPFFF"),
        (
            "a false value ends pending silently",
            timing(60, 0),
            "ffcff",
            "PP.PP",
        ),
        (
            "one sample does not fire",
            timing(30, 0),
            "fcfcfc",
            "P.P.P.",
        ),
        (
            "goes on firing for a time",
            timing(0, 60),
            "fccccc",
            "FCCRRR",
        ),
        (
            "true again resets that time",
            timing(0, 60),
            "fccfccc",
            "FCCFCCR",
        ),
        (
            "a resolved alert becomes pending again",
            timing(30, 0),
            "ffcff",
            "PFRPF",
        ),
        (
            "between the thresholds it goes on",
            timing(0, 0),
            "fbbcb",
            "FFFRR",
        ),
        (
            "between the thresholds it does not begin",
            timing(30, 0),
            "bfbff",
            ".P.PF",
        ),
        (
            "between the thresholds it does not recover",
            timing(0, 60),
            "fcbccc",
            "FCFCCR",
        ),
        (
            "missing data keep the state",
            missing(keep, timing(30, 0)),
            "ff--ff",
            "PFFFFF",
        ),
        (
            "missing data do not fire what is pending",
            missing(keep, timing(30, 0)),
            "f--f",
            "PPPF",
        ),
        (
            "it is stale after five intervals",
            missing(keep, timing(0, 0)),
            "f------",
            "FFFFFFR",
        ),
        (
            "a pending alert is stale too",
            missing(keep, timing(600, 0)),
            "f------",
            "PPPPPP.",
        ),
        (
            "a value begins that time again",
            missing(keep, timing(0, 0)),
            "f----f----f",
            "FFFFFFFFFFF",
        ),
        (
            "recovering waits for data",
            missing(keep, timing(0, 30)),
            "fc--cc",
            "FCCCRR",
        ),
        (
            "missing data resolve",
            missing(resolve, timing(0, 0)),
            "f-f",
            "FRF",
        ),
        (
            "missing data resolve slowly",
            missing(resolve, timing(0, 30)),
            "f--",
            "FCR",
        ),
        (
            "missing data end pending",
            missing(resolve, timing(60, 0)),
            "f-f",
            "P.P",
        ),
        (
            "missing data fire",
            missing(fire, timing(30, 0)),
            "c--c",
            ".PFR",
        ),
        (
            "a failure changes nothing",
            timing(60, 60),
            "!f!ffc!!c",
            ".PPFFCCCR",
        ),
    ] {
        assert_eq!(states(&timing, course), expected, "{name}");
    }
}

#[test]
fn a_change_has_its_reason_and_value() {
    let timing = timing(30, 30);
    let mut tracking = Tracking::default();
    let mut reasons = Vec::new();
    for (step, char) in "ffcbccf------".chars().enumerate() {
        let change = tracking.step(&timing, signal(char), moment(step));
        reasons.extend(change.map(|it| (it.to, it.reason, it.value)));
    }
    let expected = [
        (Pending, ConditionMet, Some(9.0)),
        (Firing, HeldFor, Some(9.0)),
        (Recovering, ConditionEnded, Some(1.0)),
        (Firing, NotCleared, Some(5.0)),
        (Recovering, ConditionEnded, Some(1.0)),
        (Resolved, ConditionEnded, Some(1.0)),
        (Pending, ConditionMet, Some(9.0)),
        (Inactive, Stale, None),
    ];
    assert_eq!(reasons, expected);
}

#[test]
fn a_value_of_zero_is_a_value() {
    let mut tracking = Tracking::default();
    let change = tracking.step(&timing(0, 0), Signal::Fires(0.0), moment(0));
    assert_eq!(change.and_then(|change| change.value), Some(0.0));
    assert_eq!(tracking.value, Some(0.0));
}

#[test]
fn flags_tell_of_missing_data_and_failures() {
    let mut tracking = Tracking::default();
    let timing = timing(0, 0);
    let mut flags = Vec::new();
    for (step, char) in "f-!-f!".chars().enumerate() {
        tracking.step(&timing, signal(char), moment(step));
        flags.push((tracking.missing_since.is_some(), tracking.has_failed));
    }
    let expected = [
        (false, false),
        (true, false),
        (true, true),
        (true, false),
        (false, false),
        (false, true),
    ];
    assert_eq!(flags, expected);
}

/// The notification after each step: First, Repeat, Ended. Lower-case letters of the course are muted.
fn notifications(hold: u64, cooldown: u64, repeat: u64, course: &str) -> String {
    let (timing, mut tracking, mut last) = (timing(hold, 0), Tracking::default(), None);
    let pace = NotificationPace {
        cooldown: Duration::from_secs(cooldown),
        repeat: Duration::from_secs(repeat),
    };
    let mut out = String::new();
    for (step, char) in course.chars().enumerate() {
        if char == 'A' {
            tracking.phase.episode_mut().unwrap().acknowledged = Some(Acknowledgement {
                by: "ada".to_owned(),
                comment: String::new(),
                at: UNIX_EPOCH,
                until: None,
            });
        }
        let condition = if char == 'A' {
            'f'
        } else {
            char.to_ascii_lowercase()
        };
        tracking.step(&timing, signal(condition), moment(step));
        let is_muted = char.is_ascii_lowercase();
        let reason = pace.notify(&mut tracking, &mut last, is_muted, moment(step).rule);
        out.push(match reason {
            None => '.',
            Some(NotificationReason::First) => 'F',
            Some(NotificationReason::Repeat) => 'R',
            Some(NotificationReason::Resolved) => 'E',
        });
    }
    out
}

#[test]
fn an_alert_is_announced_at_its_pace() {
    for (name, hold, cooldown, repeat, course, expected) in [
        ("once, and its end", 0, 0, 3600, "FFFCC", "F..E."),
        (
            "pending is not announced",
            60,
            0,
            3600,
            "FFCFFFC",
            ".....FE",
        ),
        ("again after `repeat`", 0, 0, 90, "FFFFFFFC", "F..R..RE"),
        (
            "the cooldown is longer than `repeat`",
            0,
            120,
            30,
            "FFFFFFFFF",
            "F...R...R",
        ),
        (
            "the cooldown goes on over a resolve",
            0,
            120,
            3600,
            "FCFCFFFC",
            "FE..F..E",
        ),
        (
            "an episode within the cooldown is silent to its end",
            0,
            300,
            3600,
            "FCFCFC",
            "FE....",
        ),
        (
            "an acknowledged alert is not repeated, and its end is sent",
            0,
            0,
            30,
            "FRAFFC",
            "FR...E",
        ),
        (
            "a muted alert is not announced, nor its end",
            0,
            0,
            30,
            "fffc",
            "....",
        ),
        (
            "it is announced once it is no longer muted",
            0,
            0,
            3600,
            "ffFFC",
            "..F.E",
        ),
        (
            "the end of what was announced is sent even if it is muted",
            0,
            0,
            30,
            "Fffc",
            "F..E",
        ),
    ] {
        let course = course.replace('R', "F");
        assert_eq!(
            notifications(hold, cooldown, repeat, &course),
            expected,
            "{name}"
        );
    }
}

proptest! {
    /// Between two firing notifications there is the cooldown, each end follows a notification, and no failure or order of
    /// signals panics.
    #[test]
    fn the_pace_holds_for_any_course(
        course in "[fbcFBC\\-!]{1,80}",
        hold in 0..3_u64,
        cooldown in 0..6_u64,
        repeat in 1..6_u64,
    ) {
        let said = notifications(hold * STEP, cooldown * STEP, repeat * STEP, &course);
        let mut last: Option<usize> = None;
        let mut is_open = false;
        for (step, char) in said.chars().enumerate() {
            match char {
                'F' | 'R' => {
                    prop_assert!(last.is_none_or(|last| (step - last) as u64 >= cooldown));
                    prop_assert_eq!(is_open, char == 'R');
                    (last, is_open) = (Some(step), true);
                }
                'E' => {
                    prop_assert!(is_open);
                    is_open = false;
                }
                _ => {}
            }
        }
    }
}
