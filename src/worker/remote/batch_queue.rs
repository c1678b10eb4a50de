use std::collections::VecDeque;
use std::time::Duration;

use super::back_off::back_off;
use super::{Batch, dates};
use crate::clock::{Nanos, nanos};
use crate::model::{DropReason, RecordCounters, RecordKind};
use crate::worker::sink_status::SinkError;

/// A batch with its number. The halves of a split batch have its number.
#[derive(Debug, Clone)]
pub(super) struct NumberedBatch {
    pub(super) batch: Batch,
    pub(super) number: u64,
}

/// The batches for one receiver, waiting and in flight, with the state of its retries.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a state of its own")]
pub(super) struct BatchQueue {
    /// Items of each kind that the [`Encode`](super::Encode) holds, not yet in a batch.
    held: [u64; RecordKind::ALL.len()],
    batches: VecDeque<NumberedBatch>,
    /// The batch whose request is in flight. It stays here, so that closing the queue can count it.
    pub(super) in_flight: Option<NumberedBatch>,
    /// Bytes and items of the batches that wait and of the one in flight.
    pub(super) bytes: usize,
    pub(super) items: u64,
    /// The number of batches accepted so far, which is the number of the last one.
    pub(super) accepted: u64,
    /// The numbers of batches that a job is making or will make, ascending. All batches of one job have its number.
    announced: VecDeque<u64>,
    /// When the job in progress was started.
    pub(super) job_since: Option<Nanos>,
    /// A flush awaits the batches up to this one.
    flush_up_to: u64,
    /// Whether the next batch is tried immediately, for a flush.
    urgent: bool,
    /// Failed attempts in a row.
    failures: u32,
    not_before: Nanos,
    /// Whether the receiver requested the current wait, which no flush shortens.
    rate_limited: bool,
    /// Whether the last attempt failed.
    pub(super) failing: bool,
    /// Why items are dropped; `None` once a batch is delivered.
    pub(super) error: Option<SinkError>,
    /// The number of notices about the receiver so far.
    pub(super) notices: u32,
    pub(super) last_delivery: Option<Nanos>,
    pub(super) waiting_since: Option<Nanos>,
    pub(super) closed: bool,
}

impl BatchQueue {
    /// Counts items that the encoder holds from now on.
    #[expect(
        clippy::indexing_slicing,
        reason = "kinds index arrays of their own number"
    )]
    pub(super) fn hold(&mut self, kind: RecordKind, items: u64) {
        self.held[kind as usize] += items;
    }

    /// Takes items back from the encoder and returns how many of them it held.
    #[expect(
        clippy::indexing_slicing,
        reason = "kinds index arrays of their own number"
    )]
    pub(super) fn release(&mut self, kind: RecordKind, items: u64) -> u64 {
        let held = &mut self.held[kind as usize];
        let released = items.min(*held);
        *held -= released;
        released
    }

    /// Whether the encoder holds no items.
    pub(super) fn holds_nothing(&self) -> bool {
        self.held.iter().all(|items| *items == 0)
    }

    /// Counts all items that the encoder holds as dropped and returns their number.
    pub(super) fn drop_held(&mut self, reason: DropReason, counters: &RecordCounters) -> u64 {
        let held = std::mem::take(&mut self.held);
        for (kind, items) in RecordKind::ALL.into_iter().zip(held) {
            counters.dropped(kind, reason, items);
        }
        held.iter().sum()
    }

    /// Appends a batch.
    pub(super) fn append(&mut self, batch: Batch, now: Nanos) {
        let number = self.announced.front().copied().unwrap_or_else(|| {
            self.accepted += 1;
            self.accepted
        });
        self.bytes += batch.body.len();
        self.items += batch.items;
        self.waiting_since.get_or_insert(now);
        // A flush that waits for the job that made it has asked for an immediate attempt.
        self.urgent |= number <= self.flush_up_to;
        self.batches.push_back(NumberedBatch { batch, number });
    }

    /// Reserves a number for the batches of a job.
    pub(super) fn announce(&mut self, now: Nanos) {
        self.job_since.get_or_insert(now);
        self.accepted += 1;
        self.announced.push_back(self.accepted);
    }

    /// Ends the oldest announcement, whose batches have all been appended.
    pub(super) fn end_announced(&mut self, now: Nanos) {
        self.announced.pop_front();
        // The next job is started in the same round.
        self.job_since = self.is_making().then_some(now);
    }

    /// Whether a job is making batches.
    pub(super) fn is_making(&self) -> bool {
        !self.announced.is_empty()
    }

    /// Returns the next batch if it may be sent now. It is in flight from then on.
    pub(super) fn start(&mut self, now: Nanos) -> Option<NumberedBatch> {
        if self.closed || self.in_flight.is_some() || !self.is_due(now) {
            return None;
        }
        let next = self.batches.pop_front()?;
        self.urgent = false;
        self.in_flight = Some(next.clone());
        Some(next)
    }

    /// Removes the batch that was in flight.
    pub(super) fn finish(&mut self) -> Option<Batch> {
        let NumberedBatch { batch, .. } = self.in_flight.take()?;
        self.bytes = self.bytes.saturating_sub(batch.body.len());
        self.items = self.items.saturating_sub(batch.items);
        // While others wait, the time goes on. Only a delivery restarts it.
        if self.batches.is_empty() {
            self.waiting_since = None;
        }
        Some(batch)
    }

    /// Replaces the batch that was in flight with its parts.
    pub(super) fn replace(&mut self, parts: impl DoubleEndedIterator<Item = Batch>) {
        let Some(NumberedBatch { batch, number }) = self.in_flight.take() else {
            return;
        };
        self.bytes = self.bytes.saturating_sub(batch.body.len());
        self.items = self.items.saturating_sub(batch.items);
        // In front of the others and with the number of the whole, so that a flush that awaits the whole awaits both
        // parts.
        for batch in parts.rev() {
            self.bytes += batch.body.len();
            self.items += batch.items;
            self.batches.push_front(NumberedBatch { batch, number });
        }
    }

    /// Puts the batch that was in flight back and sets the wait before the next attempt.
    pub(super) fn retry(&mut self, now: Nanos, after: Option<Duration>) {
        if let Some(batch) = self.in_flight.take() {
            self.batches.push_front(batch);
        }
        self.failures = self.failures.saturating_add(1);
        // A receiver that requests no wait still gets the back-off.
        let asked = after.unwrap_or_default().min(dates::MAX_WAIT);
        self.rate_limited = !asked.is_zero();
        let wait = asked.max(back_off(self.failures));
        self.not_before = now.saturating_add(nanos(wait));
    }

    /// Sets the wait before the next batch.
    pub(super) fn pause(&mut self, now: Nanos, pause: Option<Duration>) {
        self.rate_limited = false;
        self.not_before = pause.map_or(0, |pause| now.saturating_add(nanos(pause)));
    }

    /// Sets a wait that the receiver requested.
    pub(super) fn pause_for_receiver(&mut self, now: Nanos, pause: Duration) {
        self.rate_limited = true;
        self.not_before = now.saturating_add(nanos(pause.min(dates::MAX_WAIT)));
    }

    /// Ends all waits after a delivery.
    pub(super) fn record_delivery(&mut self, now: Nanos) {
        self.failures = 0;
        self.not_before = 0;
        self.rate_limited = false;
        self.last_delivery = Some(now);
        if self.waiting_since.is_some() {
            self.waiting_since = Some(now);
        }
    }

    /// Requests the delivery of everything accepted so far, and returns the number of the last batch. The next batch is
    /// tried immediately if `at_once`, or if there are batches that no earlier request covered.
    pub(super) fn request_flush(&mut self, at_once: bool) -> u64 {
        if at_once || self.flush_up_to < self.accepted {
            self.urgent = !self.batches.is_empty();
        }
        self.flush_up_to = self.accepted;
        self.accepted
    }

    /// Whether everything up to the batch with this number is delivered or dropped.
    pub(super) fn is_settled(&self, number: u64) -> bool {
        // Batches are sent in order, so everything before the oldest one is settled.
        let oldest = self.in_flight.as_ref().or(self.batches.front());
        oldest.is_none_or(|oldest| oldest.number > number)
            && self.announced.front().is_none_or(|made| *made > number)
    }

    /// When the next batch may be sent, if there is one and none is in flight.
    pub(super) fn next_start(&self) -> Option<Nanos> {
        let idle = !self.closed && self.in_flight.is_none() && !self.batches.is_empty();
        idle.then_some(if self.is_urgent() { 0 } else { self.not_before })
    }

    /// Whether the receiver requested the current wait.
    pub(super) fn is_rate_limited(&self, now: Nanos) -> bool {
        self.rate_limited && now < self.not_before
    }

    /// Takes all batches, the one in flight first.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = Batch> + use<> {
        (self.bytes, self.items) = (0, 0);
        let waiting = std::mem::take(&mut self.batches);
        let all = self.in_flight.take().into_iter().chain(waiting);
        all.map(|numbered| numbered.batch)
    }

    fn is_due(&self, now: Nanos) -> bool {
        self.is_urgent() || now >= self.not_before
    }

    fn is_urgent(&self) -> bool {
        self.urgent && !self.rate_limited
    }
}
