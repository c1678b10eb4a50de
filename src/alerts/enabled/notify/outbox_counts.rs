use std::collections::BTreeMap;

/// Why an announcement was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::alerts::enabled) enum OutboxDrop {
    Coalesced,
    Ended,
    Rejected,
    Expired,
    QueueFull,
}

/// What became of the announcements: `emitted` is the sum of the others and of what waits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::alerts::enabled) struct OutboxCounts {
    pub(in crate::alerts::enabled) emitted: u64,
    pub(in crate::alerts::enabled) delivered: u64,
    pub(in crate::alerts::enabled) dropped: BTreeMap<OutboxDrop, u64>,
}

impl OutboxCounts {
    pub(super) fn drop_some(&mut self, why: OutboxDrop, count: u64) {
        if count > 0 {
            *self.dropped.entry(why).or_default() += count;
        }
    }
}

impl OutboxDrop {
    /// The name, as it is in metrics.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Coalesced => "coalesced",
            Self::Ended => "ended",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::QueueFull => "queue_full",
        }
    }
}
