//! The numbers of groups in each state.

use crate::dashboard::enabled::json::{self, ObjectWriter};
use crate::errors::{ErrorFilter, ErrorGroup};

/// The states by which groups are listed, in the order of their tabs.
pub(super) const STATES: [(&str, ErrorFilter); 7] = [
    ("open", ErrorFilter::Open),
    ("new", ErrorFilter::New),
    ("spiking", ErrorFilter::Spiking),
    ("regressed", ErrorFilter::Regressed),
    ("muted", ErrorFilter::Muted),
    ("resolved", ErrorFilter::Resolved),
    ("all", ErrorFilter::All),
];

/// The numbers of groups in each state, as a section of the live state.
pub(in crate::dashboard::enabled) fn counts(groups: &[ErrorGroup]) -> String {
    json::object(|it| put_counts(it, &groups.iter()))
}

pub(super) fn put_counts<'a>(
    it: &mut ObjectWriter<'_>,
    groups: &(impl Iterator<Item = &'a ErrorGroup> + Clone),
) {
    for (name, filter) in STATES {
        let selected = groups.clone().filter(|group| filter.selects(group));
        let count = selected.count();
        it.integer(name, count as u64);
    }
}
