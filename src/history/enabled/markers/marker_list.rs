use std::collections::VecDeque;
use std::sync::Arc;

use super::marker::{Marker, MarkerKind};

/// The maximum number of markers that are kept.
pub(super) const MAX_MARKERS: usize = 10_000;

/// The markers in the order in which they were added.
#[derive(Debug)]
pub(super) struct MarkerList {
    all: VecDeque<Arc<Marker>>,
    /// The start of this process. It stays, so that the next start can be compared with it.
    start: Arc<Marker>,
    /// The number of the next marker. Those in the list have the numbers before it.
    next: u64,
    /// The number after the last marker that is stored.
    stored: u64,
}

/// The markers of earlier processes.
#[derive(Debug, Default)]
pub(super) struct EarlierMarkers {
    /// The last ones, in the order of their numbers.
    pub(super) markers: VecDeque<Marker>,
    /// The number after the last.
    pub(super) next: u64,
    /// The last start.
    pub(super) start: Option<Marker>,
    /// Whether there was no shutdown after the last start.
    pub(super) is_running: bool,
}

impl MarkerList {
    pub(super) fn new(start: Marker) -> Self {
        let start = Arc::new(start);
        Self {
            all: VecDeque::from([Arc::clone(&start)]),
            start,
            next: 1,
            stored: 0,
        }
    }

    /// Adds a marker. At the limit, the oldest is removed.
    pub(super) fn push(&mut self, marker: Marker) {
        self.all.push_back(Arc::new(marker));
        self.next = self.next.saturating_add(1);
        if self.all.len() > MAX_MARKERS {
            let is_start = self
                .all
                .front()
                .is_some_and(|it| Arc::ptr_eq(it, &self.start));
            self.all.remove(usize::from(is_start));
        }
    }

    /// Puts the markers of earlier processes in front of those of this one, and compares its start with the last.
    pub(super) fn put_before(&mut self, earlier: EarlierMarkers) {
        let mut start = Marker::clone(&self.start);
        let before = earlier.start.as_ref().map_or("", |start| &start.text);
        start.is_new_version = ![before, ""].contains(&&*start.text) && !before.is_empty();
        start.was_interrupted = earlier.is_running;
        let start = Arc::new(start);
        for marker in &mut self.all {
            if marker.kind == MarkerKind::Start {
                *marker = Arc::clone(&start);
            }
        }
        self.start = start;
        let free = MAX_MARKERS.saturating_sub(self.all.len());
        for marker in earlier.markers.into_iter().rev().take(free) {
            self.all.push_front(Arc::new(marker));
        }
        self.next = self.next.saturating_add(earlier.next);
        self.stored = earlier.next;
    }

    /// The markers that are not stored yet, or all, and the number of the first.
    pub(super) fn to_store(&self, with_stored: bool) -> (u64, Vec<Arc<Marker>>) {
        let count = if with_stored {
            self.all.len()
        } else {
            let count = usize::try_from(self.next.saturating_sub(self.stored));
            count.unwrap_or(usize::MAX).min(self.all.len())
        };
        let markers = self.all.iter().skip(self.all.len() - count);
        let first = self.next.saturating_sub(count as u64);
        (first, markers.cloned().collect())
    }

    /// The markers before this number are stored.
    pub(super) fn set_stored(&mut self, end: u64) {
        self.stored = end;
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Marker>> {
        self.all.iter()
    }

    /// The last `max` markers.
    #[cfg(feature = "dashboard")]
    pub(super) fn latest(&self, max: usize) -> impl Iterator<Item = &Arc<Marker>> {
        self.all.range(self.all.len().saturating_sub(max)..)
    }
}
