//! Captures that complete when their event is on disk.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::capture::CaptureInput;
use super::chain::ChainSummary;
use super::shared::CaptureState;
use crate::model::EventId;
use crate::worker::{Completion, CompletionFuture};

/// The result of a durable capture: the event's ID, and whether the event is on disk.
///
/// [`DurableCapture`] completes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct CaptureReceipt {
    id: EventId,
    stored: bool,
}

impl CaptureReceipt {
    /// Returns the event's ID; nil if nothing was captured: on a thread of this crate, or while the thread was already
    /// capturing.
    pub fn id(self) -> EventId {
        self.id
    }

    /// Returns whether the event is on disk. If not, it is in memory only: there is no data directory, the disk refuses
    /// writes, or it took longer than two seconds (2.5 s if other captures wait).
    pub fn is_stored(self) -> bool {
        self.stored
    }
}

/// A future that completes with a [`CaptureReceipt`] when the event is on disk, or after about two seconds (2.5 s if
/// other captures wait) without that.
///
/// Made by [`Monitor::capture_error_durable`](crate::Monitor::capture_error_durable) and
/// [`ErrorCapture::capture_durable`](crate::errors::ErrorCapture::capture_durable).
///
/// ```no_run
/// # async fn example(monitor: watchpost::Monitor) {
/// let error = std::io::Error::other("the payment was taken and the order was not written");
/// let receipt = monitor.capture_error_durable(&error).await;
/// if !receipt.is_stored() {
///     tracing::warn!(event_id = %receipt.id(), "the event is in memory only");
/// }
/// # }
/// ```
///
/// # Cancel safety
///
/// The event is captured before this value exists; dropping it cancels only the wait.
#[derive(Debug)]
#[must_use = "await it to learn whether the event reached the disk"]
pub struct DurableCapture {
    id: EventId,
    awaited: CompletionFuture<bool>,
}

impl Future for DurableCapture {
    type Output = CaptureReceipt;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<CaptureReceipt> {
        let id = self.id;
        Pin::new(&mut self.awaited)
            .poll(cx)
            .map(|stored| CaptureReceipt { id, stored })
    }
}

impl CaptureState {
    /// Like [`capture`](Self::capture), with a future that completes when the event is stored or will not be.
    pub(super) fn capture_durable(
        &self,
        input: &CaptureInput<'_>,
        put_chain: impl FnOnce(&mut Vec<u8>) -> ChainSummary,
    ) -> DurableCapture {
        let completion = Arc::<Completion<bool>>::default();
        if self.store.is_some() {
            // Before the record is queued, because the worker may store the event immediately.
            self.durable_waiters.add(input.event, &completion);
        } else {
            completion.complete(false);
        }
        let id = self.capture(input, put_chain);
        if id.is_nil() {
            completion.complete(false);
        }
        // The worker stores the event now, not in its next round.
        self.record_queue.wake();
        DurableCapture {
            id,
            awaited: CompletionFuture(completion),
        }
    }
}
