//! Events over time: the last hour by minutes, and the last week by hours.

/// The minutes that are counted one by one.
pub(in crate::errors) const MINUTES: usize = 60;
/// The hours that are counted one by one.
pub(in crate::errors) const HOURS: usize = 7 * 24;

/// The events of a group over time, in a fixed number of counts.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct EventTimeline {
    minutes: Slots,
    hours: Slots,
}

/// The counts of the last slots of time. A slot's place is its number modulo the number of places.
#[derive(Debug, Clone, PartialEq)]
struct Slots {
    newest: u64,
    counts: Box<[u32]>,
}

impl EventTimeline {
    pub(super) fn new() -> Self {
        Self {
            minutes: Slots::new(MINUTES),
            hours: Slots::new(HOURS),
        }
    }

    /// Adds events of a minute since the Unix epoch.
    pub(super) fn add(&mut self, minute: u64, events: u32) {
        self.minutes.add(minute, events);
        self.hours.add(minute / 60, events);
    }

    /// Adds the events of another timeline.
    pub(super) fn merge(&mut self, other: &Self) {
        self.minutes.merge(&other.minutes);
        self.hours.merge(&other.hours);
    }

    /// The events of the last `count` minutes, that of `now` included.
    pub(super) fn in_minutes(&self, now: u64, count: u64) -> u64 {
        self.minutes.sum(now, count)
    }

    /// The events of the last `count` hours, that of `now` included. Both are hours.
    pub(super) fn in_hours(&self, now: u64, count: u64) -> u64 {
        self.hours.sum(now, count)
    }

    /// The counts of the last hour by minutes, the oldest first.
    pub(super) fn minutes(&self, now: u64) -> Vec<u32> {
        self.minutes.list(now)
    }

    /// The counts of the last week by hours, the oldest first. `now` is a minute.
    pub(super) fn hours(&self, now: u64) -> Vec<u32> {
        self.hours.list(now / 60)
    }

    /// The counts that are not 0, with their numbers: of minutes, then of hours.
    pub(super) fn parts(&self) -> [Vec<(u64, u32)>; 2] {
        [self.minutes.parts(), self.hours.parts()]
    }

    /// A timeline with these counts.
    pub(super) fn from_parts(minutes: &[(u64, u32)], hours: &[(u64, u32)]) -> Self {
        let mut timeline = Self::new();
        for (minute, count) in minutes {
            timeline.minutes.add(*minute, *count);
        }
        for (hour, count) in hours {
            timeline.hours.add(*hour, *count);
        }
        timeline
    }
}

impl Slots {
    fn new(places: usize) -> Self {
        Self {
            newest: 0,
            counts: vec![0; places].into(),
        }
    }

    fn len(&self) -> u64 {
        self.counts.len() as u64
    }

    fn add(&mut self, slot: u64, events: u32) {
        // A clock that was set back by more than all slots begins anew: the old counts would never leave otherwise.
        if slot.saturating_add(self.len()) <= self.newest {
            self.counts.fill(0);
            self.newest = slot;
        }
        if slot > self.newest {
            let passed = (slot - self.newest).min(self.len());
            for cleared in 0..passed {
                if let Some(count) = self.place(slot - cleared) {
                    *count = 0;
                }
            }
            self.newest = slot;
        }
        if let Some(count) = self.place(slot) {
            *count = count.saturating_add(events);
        }
    }

    fn merge(&mut self, other: &Self) {
        for (slot, count) in other.parts() {
            // One that is too old for this timeline would begin it anew.
            if slot.saturating_add(self.len()) > self.newest {
                self.add(slot, count);
            }
        }
    }

    fn place(&mut self, slot: u64) -> Option<&mut u32> {
        let place = slot.checked_rem(self.len())?;
        self.counts.get_mut(place as usize)
    }

    fn count(&self, slot: u64) -> u32 {
        let is_counted = slot <= self.newest && slot.saturating_add(self.len()) > self.newest;
        let place = slot.checked_rem(self.len()).filter(|_| is_counted);
        let count = place.and_then(|place| self.counts.get(place as usize));
        count.copied().unwrap_or_default()
    }

    fn sum(&self, now: u64, count: u64) -> u64 {
        let first = now.saturating_sub(count.min(self.len()).saturating_sub(1));
        (first..=now).map(|slot| u64::from(self.count(slot))).sum()
    }

    fn list(&self, now: u64) -> Vec<u32> {
        let first = now.saturating_sub(self.len() - 1);
        (first..=now).map(|slot| self.count(slot)).collect()
    }

    fn parts(&self) -> Vec<(u64, u32)> {
        let first = self.newest.saturating_sub(self.len() - 1);
        let all = (first..=self.newest).map(|slot| (slot, self.count(slot)));
        all.filter(|(_, count)| *count > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 29_000_000;

    #[test]
    fn events_leave_the_windows_with_time() {
        let mut timeline = EventTimeline::new();
        for minute in NOW..NOW + 200 {
            timeline.add(minute, 2);
        }
        let now = NOW + 199;
        assert_eq!(timeline.in_minutes(now, 5), 10);
        assert_eq!(timeline.in_minutes(now, 60), 120);
        assert_eq!(timeline.in_minutes(now, 1000), 120);
        assert_eq!(timeline.in_hours(now / 60, 168), 400);
        assert_eq!(timeline.in_minutes(now + 4, 5), 2);
        assert_eq!(timeline.in_minutes(now + 5, 5), 0);
        assert_eq!(timeline.minutes(now + 58)[..3], [2, 2, 0]);
        assert_eq!(timeline.hours(now).iter().sum::<u32>(), 400);
        timeline.add(NOW + 1_000_000, 7);
        assert_eq!(timeline.hours(NOW + 1_000_000).iter().sum::<u32>(), 7);
    }

    #[test]
    fn a_clock_that_is_set_back_goes_on_counting() {
        let mut timeline = EventTimeline::new();
        timeline.add(NOW, 5);
        timeline.add(NOW - 10, 3);
        assert_eq!(timeline.in_minutes(NOW, 60), 8);
        timeline.add(NOW - 100_000, 1);
        assert_eq!(timeline.in_minutes(NOW - 100_000, 60), 1);
        timeline.add(NOW - 99_999, 1);
        assert_eq!(timeline.in_minutes(NOW - 99_999, 60), 2);
        assert_eq!(timeline.in_minutes(NOW, 60), 0);
    }

    #[test]
    fn parts_make_the_same_timeline_and_merging_adds() {
        let mut one = EventTimeline::new();
        let mut other = EventTimeline::new();
        for minute in 0..100 {
            one.add(NOW + minute, 1);
            other.add(NOW + 2 * minute, 2);
        }
        let [minutes, hours] = one.parts();
        assert_eq!(EventTimeline::from_parts(&minutes, &hours), one);
        let now = NOW + 198;
        let sum = one.in_hours(now / 60, 168) + other.in_hours(now / 60, 168);
        one.merge(&other);
        assert_eq!(one.in_hours(now / 60, 168), sum);
        // An old timeline does not reset a newer one.
        let mut old = EventTimeline::new();
        old.add(NOW - 1_000_000, 9);
        one.merge(&old);
        assert_eq!(one.in_hours(now / 60, 168), sum);
    }
}
