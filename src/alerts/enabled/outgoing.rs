//! What the hooks and the channels get once it is stored.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::alert::AlertEvent;
use super::notify::AlertAnnouncement;
use crate::clock::{Nanos, nanos};
use crate::model::lock;

/// For how long hooks and channels wait for a disk that hangs, or for what notifications show beside an alert.
const WAIT: Duration = Duration::from_secs(5);

/// The changes that wait, in order.
#[derive(Debug, Default)]
pub(super) struct OutgoingQueue {
    waiting: Mutex<VecDeque<Outgoing>>,
    /// Held while changes are handed over.
    handing: Mutex<()>,
    /// The number of changes, and of those whose writing has ended.
    changes: AtomicU64,
    written: AtomicU64,
}

/// The changes of a round, until they are stored.
#[derive(Debug)]
pub(super) struct Outgoing {
    /// The number of the change.
    change: u64,
    at: Nanos,
    /// Whether the announcements have all that they show.
    is_complete: bool,
    pub(super) events: Vec<AlertEvent>,
    pub(super) announcements: Vec<AlertAnnouncement>,
}

impl OutgoingQueue {
    /// Adds a change, and returns its number. It waits until it is [complete](Self::complete).
    ///
    /// Whoever numbers announcements calls this under the same lock. So the channels get them in order, and one that they have
    /// stored says that they have all before.
    pub(super) fn add(
        &self,
        events: Vec<AlertEvent>,
        announcements: Vec<AlertAnnouncement>,
        now: Nanos,
    ) -> u64 {
        let mut waiting = lock(&self.waiting);
        let change = self.changes.fetch_add(1, Relaxed) + 1;
        waiting.push_back(Outgoing {
            change,
            at: now,
            is_complete: false,
            events,
            announcements,
        });
        change
    }

    /// Sets the announcements of a change with all that they show. Has no effect if it was handed over without that.
    pub(super) fn complete(&self, change: u64, announcements: Vec<AlertAnnouncement>) {
        let mut waiting = lock(&self.waiting);
        if let Some(outgoing) = waiting.iter_mut().find(|it| it.change == change) {
            (outgoing.announcements, outgoing.is_complete) = (announcements, true);
        }
    }

    /// The number of the last change.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Relaxed)
    }

    /// Whether changes have still to be written.
    pub(super) fn has_unwritten(&self) -> bool {
        self.written.load(Relaxed) < self.changes()
    }

    /// Notes that the writing of all changes up to this number has ended.
    pub(super) fn note_written(&self, change: u64) {
        self.written.fetch_max(change, Relaxed);
    }

    /// Hands over what is stored. Waits for nothing: if the disk hangs, it goes on without it.
    pub(super) fn hand_over(&self, now: impl Fn() -> Nanos, mut take: impl FnMut(Outgoing)) {
        // One thread at a time, so that the order stays.
        let _handing = lock(&self.handing);
        loop {
            let next = {
                let mut waiting = lock(&self.waiting);
                let written = self.written.load(Relaxed);
                let is_ready = |next: &Outgoing| {
                    let is_stored = next.is_complete && next.change <= written;
                    is_stored || now().saturating_sub(next.at) >= nanos(WAIT)
                };
                if waiting.front().is_some_and(is_ready) {
                    waiting.pop_front()
                } else {
                    None
                }
            };
            let Some(next) = next else {
                return;
            };
            take(next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of the changes that are handed over.
    fn handed(queue: &OutgoingQueue, now: Nanos) -> Vec<u64> {
        let mut all = Vec::new();
        queue.hand_over(|| now, |outgoing| all.push(outgoing.change));
        all
    }

    #[test]
    fn a_change_waits_for_those_before_it() {
        let queue = OutgoingQueue::default();
        // A round, and an acknowledgement while the round still reads the history.
        let round = queue.add(Vec::new(), Vec::new(), 0);
        let acknowledged = queue.add(Vec::new(), Vec::new(), 1);
        queue.complete(acknowledged, Vec::new());
        queue.note_written(queue.changes());
        assert!(handed(&queue, 2).is_empty());
        queue.complete(round, Vec::new());
        assert_eq!(handed(&queue, 3), [round, acknowledged]);
    }

    #[test]
    fn a_change_waits_for_the_disk_and_for_nothing_longer_than_five_seconds() {
        let queue = OutgoingQueue::default();
        let first = queue.add(Vec::new(), Vec::new(), 0);
        queue.complete(first, Vec::new());
        let second = queue.add(Vec::new(), Vec::new(), 0);
        assert!(queue.has_unwritten() && handed(&queue, 1).is_empty());
        queue.note_written(first);
        assert_eq!(handed(&queue, 1), [first]);
        assert_eq!(handed(&queue, nanos(WAIT)), [second]);
        // Too late.
        queue.complete(second, Vec::new());
        assert!(handed(&queue, nanos(WAIT)).is_empty());
    }
}
