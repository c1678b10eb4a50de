use super::*;
use crate::history::enabled::roll_up::roll_up_times;

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// Snapshots every ten seconds from a wall time on.
fn snapshots(first: Tick, from: i64, count: usize) -> Vec<StepTime> {
    (first..)
        .zip(1..)
        .take(count)
        .map(|(number, n)| StepTime {
            wall: from + n * 10 * SECOND,
            length: 10 * SECOND,
            at: number * 10_000_000_000,
            has_gap: false,
            first_snapshot: number,
            snapshots: 1,
        })
        .collect()
}

/// The steps of all resolutions.
struct Stored {
    raw: Vec<StepTime>,
    minutes: Vec<StepTime>,
    hours: Vec<StepTime>,
}

impl Stored {
    fn new(raw: Vec<StepTime>) -> Self {
        let first = raw[0].first_snapshot;
        let minutes = roll_up_times(first, &raw, Resolution::Minute).times;
        let hours = roll_up_times(0, &minutes, Resolution::Hour).times;
        Self {
            raw,
            minutes,
            hours,
        }
    }

    /// An empty memory, and everything in segments.
    fn sources(&self) -> Vec<Source<'_>> {
        let source = |resolution, first, times| Source {
            resolution,
            first,
            times,
        };
        vec![
            source(Resolution::Raw, 0, &[]),
            source(Resolution::Raw, self.raw[0].first_snapshot, &self.raw),
            source(Resolution::Minute, 0, &self.minutes),
            source(Resolution::Hour, 0, &self.hours),
        ]
    }
}

/// The source and the steps of each piece.
fn pieces(plan: &Plan) -> Vec<(usize, Range<Tick>)> {
    let pieces = plan.pieces.iter();
    pieces
        .map(|piece| (piece.source, piece.groups.all()))
        .collect()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn whole_hours_are_read_as_hours_and_the_edges_as_finer_steps() {
    let stored = Stored::new(snapshots(0, 0, 4 * 360));
    let sources = stored.sources();
    let aligned: Vec<i64> = (1..=4).map(|hour| hour * HOUR).collect();
    let hours = plan(&sources, &aligned, seconds(3600));
    assert_eq!(pieces(&hours), [(3, 0..4)]);
    assert_eq!(hours.slots, 4);
    // From 00:29:50 to 03:01:10.
    let cut = plan(&sources, &[3 * HOUR + 70 * SECOND], seconds(9080));
    assert_eq!(
        pieces(&cut),
        [
            (1, 179..180),
            (2, 30..60),
            (3, 1..3),
            (2, 180..181),
            (1, 1086..1087)
        ]
    );
    assert_eq!(cut.slots, 1, "all of it is in one window");
    let window = &cut.windows[0];
    assert_eq!((window.millis, window.has_gap), (9_080_000, false));
}

#[test]
fn what_is_in_no_window_is_not_read() {
    let stored = Stored::new(snapshots(0, 0, 10 * 360));
    // Five minutes before 02:00 and before 08:00.
    let plan = plan(&stored.sources(), &[2 * HOUR, 8 * HOUR], seconds(300));
    assert_eq!(pieces(&plan), [(2, 115..120), (2, 475..480)]);
    assert_eq!(
        (plan.slots, plan.windows[1].slots.first()),
        (2, Some(&(1..2)))
    );
}

#[test]
fn where_finer_steps_are_gone_a_step_counts_by_its_end() {
    let mut stored = Stored::new(snapshots(0, 0, 3 * 360));
    // The snapshots of the first 90 minutes and the minutes of the first hour are removed.
    stored.raw.drain(..540);
    let mut sources = stored.sources();
    sources[2] = Source {
        resolution: Resolution::Minute,
        first: 60,
        times: &stored.minutes[60..],
    };
    // From 00:30:05 to 01:10:05.
    let early = plan(&sources, &[70 * MINUTE + 5 * SECOND], seconds(2400));
    assert_eq!(pieces(&early), [(3, 0..1), (2, 60..70)]);
    // From 00:30:05 to 00:50:05: the hour ends later.
    let none = plan(&sources, &[50 * MINUTE + 5 * SECOND], seconds(1200));
    assert_eq!(pieces(&none), []);
    assert_eq!(none.windows[0].slots, []);
    // From 01:40:05 to 01:41:15: seven snapshots.
    let late = plan(&sources, &[101 * MINUTE + 15 * SECOND], seconds(70));
    assert_eq!(pieces(&late), [(1, 600..607)]);
}

#[test]
fn the_memory_alone_is_read_if_it_has_everything() {
    let stored = Stored::new(snapshots(0, 0, 4 * 360));
    let memory = snapshots(720, 2 * HOUR, 1000);
    let mut sources = stored.sources();
    sources[0] = Source {
        resolution: Resolution::Raw,
        first: 720,
        times: &memory,
    };
    // From 02:30 to 03:30.
    let recent = plan(&sources, &[3 * HOUR + 30 * MINUTE], seconds(3600));
    assert_eq!(pieces(&recent), [(0, 900..1260)]);
    // From 00:00 to 04:30.
    let all = plan(&sources, &[4 * HOUR + 30 * MINUTE], seconds(16_200));
    assert_eq!(pieces(&all), [(3, 0..4), (0, 1440..1620)]);
    // From 01:59:30 to 02:00:30: the memory's snapshots are preferred.
    let both = plan(&sources, &[2 * HOUR + 30 * SECOND], seconds(60));
    assert_eq!(pieces(&both), [(1, 717..720), (0, 720..723)]);
}

#[test]
fn a_clock_that_was_set_back_gives_a_window_both_passes() {
    let mut raw = snapshots(0, 0, 120);
    let mut second = snapshots(120, 5 * MINUTE, 120);
    second[0].has_gap = true;
    raw.append(&mut second);
    let stored = Stored::new(raw);
    let plan = plan(&stored.sources(), &[10 * MINUTE, 12 * MINUTE], seconds(60));
    assert_eq!(
        pieces(&plan),
        [(2, 9..10), (2, 11..12), (2, 24..25), (2, 26..27)]
    );
    assert_eq!(plan.windows[0].slots, [0..1, 2..3]);
    assert_eq!(plan.windows[0].millis, 120_000);
    assert_eq!(plan.windows[1].slots, [1..2, 3..4]);
    assert!(!plan.windows[1].has_gap);
    // From 00:05 to 00:06, where the clock was set.
    let set = super::plan(&stored.sources(), &[6 * MINUTE], seconds(60));
    assert!(set.windows[0].has_gap);
}

#[test]
fn files_that_overlap_are_read_once() {
    let stored = Stored::new(snapshots(0, 0, 2 * 360));
    let mut sources = stored.sources();
    // Two of the files that were merged are there still.
    for range in [0..30, 30..60] {
        sources.push(Source {
            resolution: Resolution::Minute,
            first: range.start as Tick,
            times: &stored.minutes[range],
        });
    }
    let plan = plan(&sources, &[90 * MINUTE], seconds(60 * 60));
    assert_eq!(pieces(&plan), [(2, 30..90)]);
}

#[test]
fn a_window_that_begins_before_the_history_has_a_gap() {
    let stored = Stored::new(snapshots(0, HOUR, 360));
    let sources = stored.sources();
    assert_eq!(begins_at(&sources), Some(HOUR));
    let gap = |at, length| plan(&sources, &[at], seconds(length)).windows[0].has_gap;
    assert!(!gap(2 * HOUR, 3600));
    assert!(gap(2 * HOUR, 3601));
    let nothing = plan(&[], &[HOUR], seconds(60));
    assert!(nothing.windows[0].has_gap && nothing.pieces.is_empty());
}

#[test]
fn a_long_history_with_many_windows_is_planned_quickly() {
    // 30 days, a window of five minutes at each of 11,000 odd times.
    let stored = Stored::new(snapshots(0, 0, 30 * 24 * 360));
    let times: Vec<i64> = (1..=11_000).map(|n| n * 235_643).collect();
    let plan = plan(&stored.sources(), &times, seconds(300));
    assert_eq!(plan.windows.len(), 11_000);
    assert!(plan.slots <= 22_001, "{}", plan.slots);
    let read: u64 = pieces(&plan)
        .iter()
        .map(|(_, steps)| steps.end - steps.start)
        .sum();
    // At most the minutes of the whole time, and two times five snapshots for each window.
    assert!(read <= 30 * 24 * 60 + 2 * 6 * 11_000, "{read}");
}
