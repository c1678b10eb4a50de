//! Groups of earlier processes join those of this one.

use super::entry::GroupEntry;
use super::group::GroupedBy;
use super::pattern::ErrorPattern;
use super::table::{Arrival, GroupTable, MAX_GROUPS, PlaceGroup};

impl GroupTable {
    /// Adds a group of an earlier process. What this process has counted of it is added to it.
    pub(super) fn restore(&mut self, mut entry: GroupEntry, arrival: &Arrival<'_>) {
        // One that waits for frames is announced once it is known to be a new one.
        let waits = entry.grouped_by == GroupedBy::Place;
        entry.is_announced = !waits;
        entry.created = arrival.now;
        let number = entry.number;
        // 1. A group of this process that has its number gives it up. It may be another one.
        let stand_in = self.groups.contains_key(&number);
        let stand_in = stand_in.then(|| self.renumber(number));
        // 2. The groups of this process whose events belong to it are taken out, and joined once it is there.
        let fingerprints = entry.fingerprints.iter();
        let mut own: Vec<u64> = fingerprints
            .filter_map(|fingerprint| self.by_fingerprint.get(fingerprint).copied())
            .collect();
        let places = entry.places.iter();
        own.extend(places.filter_map(|place| match self.by_place.get(place) {
            Some(PlaceGroup::Awaiting(group)) if waits || entry.grouped_by == GroupedBy::Frames => {
                Some(*group)
            }
            _ => None,
        }));
        own.sort_unstable();
        own.dedup();
        self.patterns
            .retain(|seen| seen.pattern != ErrorPattern::New || !own.contains(&seen.number));
        let own: Vec<GroupEntry> = own.into_iter().filter_map(|own| self.take(own)).collect();
        if self.groups.len() >= MAX_GROUPS {
            self.evict();
        }
        self.link(&entry);
        self.sources.entry(entry.source).or_default().groups += 1;
        self.groups.insert(number, entry);
        for own in own {
            let at = own.last_seen;
            let (from, source) = (own.number, own.source);
            let bytes = own.samples.bytes();
            self.resize_samples(source, 0, bytes);
            self.sources.entry(source).or_default().groups += 1;
            self.groups.insert(from, own);
            self.join(from, number, at, arrival);
            if stand_in == Some(from) {
                // No event has this number.
                self.merged.remove(&from);
                if let Some(entry) = self.groups.get_mut(&number) {
                    entry.merged.retain(|it| *it != from);
                    entry.waited.retain(|it| *it != from);
                }
            }
        }
    }

    /// Gives a group another number, to which all then leads that led to it. Returns that number.
    fn renumber(&mut self, from: u64) -> u64 {
        let to = self.free_number(from);
        let Some(mut entry) = self.groups.remove(&from) else {
            return from;
        };
        entry.number = to;
        self.groups.insert(to, entry);
        let keys = self.by_fingerprint.values_mut();
        let keys = keys.chain(self.merged.values_mut());
        let seen = self.patterns.iter_mut().map(|seen| &mut seen.number);
        let places = self.by_place.values_mut().filter_map(|place| match place {
            PlaceGroup::Awaiting(group) | PlaceGroup::Decided(group) => Some(group),
            PlaceGroup::ByMessage => None,
        });
        for number in keys.chain(seen).chain(places) {
            if *number == from {
                *number = to;
            }
        }
        to
    }

    fn link(&mut self, entry: &GroupEntry) {
        for fingerprint in &entry.fingerprints {
            self.by_fingerprint.insert(*fingerprint, entry.number);
        }
        for number in entry.merged.iter().chain(&entry.waited) {
            self.merged.insert(*number, entry.number);
        }
        for place in &entry.places {
            match entry.grouped_by {
                GroupedBy::Frames => {
                    let leads_to = PlaceGroup::Decided(entry.number);
                    self.by_place.insert(*place, leads_to);
                }
                // What is decided about the place stays.
                GroupedBy::Place => {
                    let leads_to = PlaceGroup::Awaiting(entry.number);
                    self.by_place.entry(*place).or_insert(leads_to);
                }
                // Places of groups by message lead nowhere.
                GroupedBy::Message | GroupedBy::Fingerprint => {}
            }
        }
    }
}
