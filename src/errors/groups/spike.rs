//! Spikes: more events than usual for the group, within five minutes or within an hour.

use super::timeline::EventTimeline;

/// A spike has more events than this within five minutes.
const FLOOR: u64 = 10;
/// A spike has more events than this within an hour.
const FLOOR_OF_HOUR: u64 = 30;
/// How many times the usual number makes a spike of five minutes.
const FACTOR: f64 = 5.0;
/// How many times the usual number makes a spike of an hour.
const FACTOR_OF_HOUR: f64 = 3.0;
/// The hours that show what is usual.
const USUAL_HOURS: u64 = 24;

/// The events of a group lately, beside what is usual for it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rate {
    /// The events within five minutes, and what is usual.
    pub(super) lately: u64,
    pub(super) usual: f64,
    /// The events within an hour, and what is usual. `None` in the first hour of the group.
    of_hour: Option<(u64, f64)>,
}

impl Rate {
    /// The rate at a minute. `first` is the minute of the first event of the group.
    pub(super) fn of(timeline: &EventTimeline, now: u64, first: u64) -> Self {
        let hour = now / 60;
        // The hour that has not ended does not count, nor do those before the first event.
        let hours = hour.saturating_sub(first / 60).min(USUAL_HOURS);
        let usual_of_hour = if hours == 0 {
            0.0
        } else {
            timeline.in_hours(hour - 1, hours) as f64 / hours as f64
        };
        Self {
            lately: timeline.in_minutes(now, 5),
            usual: usual_of_hour / 12.0,
            of_hour: (hours > 0).then(|| (timeline.in_minutes(now, 60), usual_of_hour)),
        }
    }

    /// Whether there is a spike. One that has begun ends at half of what makes it begin, so that it begins once.
    pub(super) fn is_spike(self, has_begun: bool) -> bool {
        let share = if has_begun { 0.5 } else { 1.0 };
        let exceeds = |events: u64, usual: f64, floor: u64, factor: f64| {
            events > floor && events as f64 > usual * factor * share
        };
        let of_hour = self
            .of_hour
            .is_some_and(|(events, usual)| exceeds(events, usual, FLOOR_OF_HOUR, FACTOR_OF_HOUR));
        of_hour || exceeds(self.lately, self.usual, FLOOR, FACTOR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The minutes at which a spike begins and ends, for events by minute.
    fn episodes(minutes: u64, events: impl Fn(u64) -> u32) -> Vec<(u64, bool)> {
        const START: u64 = 480_000 * 60;
        let mut timeline = EventTimeline::new();
        let (mut is_spiking, mut changes) = (false, Vec::new());
        for minute in 0..minutes {
            timeline.add(START + minute, events(minute));
            let is_spike = Rate::of(&timeline, START + minute, START).is_spike(is_spiking);
            if is_spike != is_spiking {
                is_spiking = is_spike;
                changes.push((minute, is_spike));
            }
        }
        changes
    }

    #[test]
    fn the_floor_is_ten_events_in_five_minutes() {
        assert_eq!(episodes(300, |minute| u32::from(minute < 5) * 2), []);
        let changes = episodes(300, |minute| if minute == 100 { 11 } else { 0 });
        assert_eq!(changes, [(100, true), (105, false)]);
    }

    #[test]
    fn a_steady_error_is_no_spike_and_five_times_as_many_are() {
        let steady = episodes(3000, |_| 4);
        // The first hour has no rate before it, and is new.
        assert_eq!(steady, [(2, true), (60, false)]);
        let burst = |minute: u64| {
            if (1200..1230).contains(&minute) {
                40
            } else {
                4
            }
        };
        let changes: Vec<_> = episodes(3000, burst).into_iter().skip(2).collect();
        assert_eq!(changes.len(), 2, "once an episode: {changes:?}");
        assert!((1200..1203).contains(&changes[0].0), "{changes:?}");
        let twice = episodes(3000, |minute| if minute > 1200 { 8 } else { 4 });
        assert_eq!(twice.len(), 2, "{twice:?}");
    }

    #[test]
    fn a_slow_rise_is_found_within_the_hour() {
        let slow = |minute: u64| {
            if minute >= 1200 {
                u32::from(minute.is_multiple_of(2))
            } else {
                u32::from(minute.is_multiple_of(10))
            }
        };
        let changes = episodes(1300, slow);
        assert_eq!(
            changes.len(),
            0,
            "30 in an hour are not more than the floor: {changes:?}"
        );
        let slow = |minute: u64| {
            if minute >= 1200 {
                1
            } else {
                u32::from(minute.is_multiple_of(10))
            }
        };
        let changes = episodes(1300, slow);
        assert!(matches!(changes[..], [(1225..1260, true)]), "{changes:?}");
    }
}
