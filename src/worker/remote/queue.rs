use std::collections::VecDeque;
use std::time::Duration;

use super::back_off::back_off;
use super::{Batch, dates};
use crate::clock::{Nanos, nanos};
use crate::model::{DropReason, RecordCounters, RecordKind};
use crate::worker::trouble::SinkError;

/// A batch and its place in the order. Halves have their whole's.
#[derive(Debug, Clone)]
pub(super) struct Numbered {
    pub(super) batch: Batch,
    pub(super) number: u64,
}

/// What waits for one receiver, what is under way to it, and how it did so far.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a state of its own")]
pub(super) struct Queue {
    /// Items that lie with the [`Encode`](super::Encode), not yet in a batch.
    held: [u64; RecordKind::ALL.len()],
    batches: VecDeque<Numbered>,
    /// Stays here while its request is under way, so that whoever closes the queue finds it.
    pub(super) in_flight: Option<Numbered>,
    /// Of the batches that wait and of the one that is under way.
    pub(super) bytes: usize,
    pub(super) items: u64,
    /// Batches accepted so far: the number of the last.
    pub(super) accepted: u64,
    /// Batches up to this one are awaited by a flush.
    wanted: u64,
    /// The next batch is tried at once, for a flush.
    urged: bool,
    failures: u32,
    not_before: Nanos,
    /// The receiver itself asked for the wait: no flush shortens it.
    asked_to_wait: bool,
    pub(super) failing: bool,
    /// Why items are dropped; `None` once a batch is delivered.
    pub(super) trouble: Option<SinkError>,
    pub(super) told: u32,
    pub(super) last_delivery: Option<Nanos>,
    pub(super) waiting_since: Option<Nanos>,
    pub(super) closed: bool,
}

impl Queue {
    /// Counts items that the consumer has now.
    #[expect(
        clippy::indexing_slicing,
        reason = "signals index arrays of their own number"
    )]
    pub(super) fn hold(&mut self, signal: RecordKind, items: u64) {
        self.held[signal as usize] += items;
    }

    /// Takes items back from the consumer; how many of them it had.
    #[expect(
        clippy::indexing_slicing,
        reason = "signals index arrays of their own number"
    )]
    pub(super) fn release(&mut self, signal: RecordKind, items: u64) -> u64 {
        let held = &mut self.held[signal as usize];
        let released = items.min(*held);
        *held -= released;
        released
    }

    /// Whether the consumer has nothing.
    pub(super) fn holds_nothing(&self) -> bool {
        self.held.iter().all(|items| *items == 0)
    }

    /// Drops all that the consumer has; how many items.
    pub(super) fn drop_held(&mut self, reason: DropReason, counters: &RecordCounters) -> u64 {
        let held = std::mem::take(&mut self.held);
        for (signal, items) in RecordKind::ALL.into_iter().zip(held) {
            counters.dropped(signal, reason, items);
        }
        held.iter().sum()
    }

    /// Appends a batch.
    pub(super) fn append(&mut self, batch: Batch, now: Nanos) {
        self.accepted += 1;
        self.bytes += batch.body.len();
        self.items += batch.items;
        self.waiting_since.get_or_insert(now);
        let number = self.accepted;
        self.batches.push_back(Numbered { batch, number });
    }

    /// The next batch that may be sent now, which is then under way.
    pub(super) fn start(&mut self, now: Nanos) -> Option<Numbered> {
        if self.closed || self.in_flight.is_some() || !self.is_due(now) {
            return None;
        }
        let next = self.batches.pop_front()?;
        self.urged = false;
        self.in_flight = Some(next.clone());
        Some(next)
    }

    /// Takes the batch that was under way out of the queue for good.
    pub(super) fn finish(&mut self) -> Option<Batch> {
        let Numbered { batch, .. } = self.in_flight.take()?;
        self.bytes = self.bytes.saturating_sub(batch.body.len());
        self.items = self.items.saturating_sub(batch.items);
        if self.batches.is_empty() {
            self.waiting_since = None;
        }
        Some(batch)
    }

    /// Puts batches in the place of the one that was under way.
    pub(super) fn replace(&mut self, parts: impl DoubleEndedIterator<Item = Batch>) {
        let Some(Numbered { batch, number }) = self.in_flight.take() else {
            return;
        };
        self.bytes = self.bytes.saturating_sub(batch.body.len());
        self.items = self.items.saturating_sub(batch.items);
        for batch in parts.rev() {
            self.bytes += batch.body.len();
            self.items += batch.items;
            self.batches.push_front(Numbered { batch, number });
        }
    }

    /// Puts the batch that was under way back and waits before it is tried again.
    pub(super) fn retry(&mut self, now: Nanos, after: Option<Duration>) {
        if let Some(batch) = self.in_flight.take() {
            self.batches.push_front(batch);
        }
        self.failures = self.failures.saturating_add(1);
        // Who asks for no wait at all is not taken at his word.
        let asked = after.unwrap_or_default().min(dates::LONGEST);
        self.asked_to_wait = !asked.is_zero();
        let wait = asked.max(back_off(self.failures));
        self.not_before = now.saturating_add(nanos(wait));
    }

    /// Waits before the next batch is tried.
    pub(super) fn pause(&mut self, now: Nanos, pause: Option<Duration>) {
        self.asked_to_wait = false;
        self.not_before = pause.map_or(0, |pause| now.saturating_add(nanos(pause)));
    }

    /// The receiver wants to be left alone for a while.
    pub(super) fn obey(&mut self, now: Nanos, pause: Duration) {
        self.asked_to_wait = true;
        self.not_before = now.saturating_add(nanos(pause.min(dates::LONGEST)));
    }

    /// The receiver does well.
    pub(super) fn recover(&mut self, now: Nanos) {
        self.failures = 0;
        self.not_before = 0;
        self.asked_to_wait = false;
        self.last_delivery = Some(now);
        if self.waiting_since.is_some() {
            self.waiting_since = Some(now);
        }
    }

    /// Asks for all that was accepted so far. The next batch is tried at once if more is asked for than
    /// before, or if somebody asks anew.
    pub(super) fn want_all(&mut self, anew: bool) -> u64 {
        if anew || self.wanted < self.accepted {
            self.urged = !self.batches.is_empty();
        }
        self.wanted = self.accepted;
        self.accepted
    }

    /// Whether everything up to the batch of that number is delivered or dropped.
    pub(super) fn is_settled(&self, number: u64) -> bool {
        let oldest = self.in_flight.as_ref().or(self.batches.front());
        oldest.is_none_or(|oldest| oldest.number > number)
    }

    /// When the next batch may be sent, if there is one and none is under way.
    pub(super) fn next_start(&self) -> Option<Nanos> {
        let idle = !self.closed && self.in_flight.is_none() && !self.batches.is_empty();
        idle.then_some(if self.is_urgent() { 0 } else { self.not_before })
    }

    /// Whether a wait is on that the receiver asked for.
    pub(super) fn is_rate_limited(&self, now: Nanos) -> bool {
        self.asked_to_wait && now < self.not_before
    }

    /// Takes everything out, the one under way first.
    pub(super) fn empty(&mut self) -> impl Iterator<Item = Batch> + use<> {
        (self.bytes, self.items) = (0, 0);
        let waiting = std::mem::take(&mut self.batches);
        let all = self.in_flight.take().into_iter().chain(waiting);
        all.map(|numbered| numbered.batch)
    }

    fn is_due(&self, now: Nanos) -> bool {
        self.is_urgent() || now >= self.not_before
    }

    fn is_urgent(&self) -> bool {
        self.urged && !self.asked_to_wait
    }
}
