use std::sync::Arc;

use tokio::runtime::Handle;

use super::line_sink::LineSink;
use super::remote::RemoteSink;
use super::sink_status::SinkStatus;
use crate::clock::Nanos;

/// A sink of either kind, with what flush, shutdown and health need of it.
#[derive(Clone)]
pub(super) enum AnySink {
    Lines(Arc<LineSink>),
    Remote(Arc<RemoteSink>),
}

impl AnySink {
    /// Starts a delivery, if there is something to deliver now and none is running.
    pub(super) fn dispatch(&self, runtime: &Handle) {
        match self {
            Self::Lines(sink) => sink.dispatch(runtime),
            Self::Remote(sink) => sink.dispatch(runtime),
        }
    }

    /// When [`dispatch`](Self::dispatch) must be called, unless a record or a wake-up arrives earlier.
    pub(super) fn next_dispatch(&self) -> Option<Nanos> {
        match self {
            Self::Lines(sink) => sink.next_dispatch(),
            Self::Remote(sink) => sink.next_dispatch(),
        }
    }

    /// Requests the delivery of everything that was accepted so far, and returns the number to pass to
    /// [`is_settled`](Self::is_settled). `at_once` requests one attempt now, even if the sink waits after a failure.
    pub(super) fn request_flush(&self, at_once: bool) -> u64 {
        match self {
            Self::Lines(sink) => sink.request_flush(),
            Self::Remote(sink) => sink.request_flush(at_once),
        }
    }

    /// Whether everything up to this number is delivered or dropped.
    pub(super) fn is_settled(&self, number: u64) -> bool {
        match self {
            Self::Lines(sink) => sink.is_settled(number),
            Self::Remote(sink) => sink.is_settled(number),
        }
    }

    /// Closes the sink and counts what is left as dropped. Returns whether nothing was left. May be called from any
    /// thread.
    pub(super) fn close(&self) -> bool {
        match self {
            Self::Lines(sink) => sink.close(),
            Self::Remote(sink) => sink.close(),
        }
    }

    /// Drops the host's writer in a closed sink.
    pub(super) fn drop_writer(&self) {
        match self {
            Self::Lines(sink) => sink.drop_writer(),
            // Its request is a task of the runtime and is dropped with that.
            Self::Remote(_) => {}
        }
    }

    /// `None` in a child made by `fork` if a thread of the parent held the sink's lock.
    pub(super) fn status(&self) -> Option<SinkStatus> {
        match self {
            Self::Lines(sink) => sink.status(),
            Self::Remote(sink) => sink.status(),
        }
    }
}
