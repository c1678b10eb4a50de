//! The inbox: the groups of a state, with the number of groups in each.

use std::cmp::Reverse;

use rustc_hash::FxHashMap;

use super::curve::{EventSteps, lengths};
use super::inbox_filter::{InboxFilter, InboxOrder};
use super::row::put_row;
use super::state_counts::put_counts;
use crate::dashboard::enabled::json::{self, ListWriter, ObjectWriter};
use crate::dashboard::enabled::setup::DashboardSetup;
use crate::dashboard::enabled::times::millis;
use crate::errors::{ErrorGroup, ErrorQuery, ErrorState};

/// The maximum number of names that a filter offers.
const MAX_NAMES: usize = 100;

/// Writes the inbox.
pub(in crate::dashboard::enabled) fn list(setup: &DashboardSetup, filter: &InboxFilter) -> String {
    let now = setup.now();
    let errors = setup.errors.error_groups();
    let all = errors.list(&ErrorQuery::default());
    let steps = EventSteps::new(filter.range, now, lengths(&all));
    let selected = |group: &&ErrorGroup| filter.others.selects(group);
    let of_filter: Vec<&ErrorGroup> = all.iter().filter(selected).collect();
    let mut rows = of_filter.clone();
    rows.retain(|group| filter.state.selects(group));
    rows.sort_by_cached_key(|group| Reverse(key_of(group, filter.order, &steps)));
    let events: u64 = of_filter.iter().map(|group| steps.events(group)).sum();
    json::object(|it| {
        it.integer("at", now);
        put_range(it, &steps);
        it.text("storage", errors.storage().as_str());
        it.object("counts", |it| put_counts(it, &of_filter.iter().copied()));
        it.integer("known", all.len() as u64);
        it.integer("count", rows.len() as u64);
        it.integer("events", events);
        it.list("groups", |list| {
            for group in rows.iter().take(filter.limit) {
                list.object(|it| put_row(it, group, &steps));
            }
        });
        it.list("routes", |list| {
            put_names(list, all.iter().flat_map(|group| &group.routes.names));
        });
        it.list("releases", |list| {
            put_names(list, all.iter().flat_map(|group| &group.releases.names));
        });
    })
}

/// Writes the range and the steps of the curves.
pub(super) fn put_range(it: &mut ObjectWriter<'_>, steps: &EventSteps) {
    it.object("range", |it| {
        it.integer("from", steps.from);
        it.integer("to", steps.to);
        it.bool("live", steps.is_live);
    });
    it.integer("start", steps.start);
    it.integer("step_ms", steps.step);
    it.bool("is_cut", steps.is_cut());
}

/// What comes first in an order is the highest.
fn key_of(group: &ErrorGroup, order: InboxOrder, steps: &EventSteps) -> (u64, u64, u64, u64) {
    let last = millis(group.last_seen);
    let (first, second) = match order {
        InboxOrder::Change => {
            let is_regressed = matches!(group.state, ErrorState::Regressed { .. });
            let has_changed = is_regressed || group.is_spiking || group.is_new;
            (u64::from(has_changed), steps.events(group))
        }
        InboxOrder::LastSeen => (0, 0),
        InboxOrder::Count => (group.count, 0),
        InboxOrder::Users => (group.users, 0),
        InboxOrder::FirstSeen => (millis(group.first_seen), 0),
    };
    (first, second, last, group.number)
}

/// The names with the most events.
fn put_names<'a>(list: &mut ListWriter<'_>, names: impl Iterator<Item = &'a (String, u64)>) {
    let mut counts: FxHashMap<&str, u64> = FxHashMap::default();
    for (name, count) in names {
        let sum = counts.entry(name).or_default();
        *sum = sum.saturating_add(*count);
    }
    let mut counts: Vec<(&str, u64)> = counts.into_iter().collect();
    counts.sort_by_key(|(name, count)| (Reverse(*count), *name));
    for (name, _) in counts.into_iter().take(MAX_NAMES) {
        list.long_text(name);
    }
}
