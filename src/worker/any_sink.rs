use std::sync::Arc;

use tokio::runtime::Handle;

use super::line_sink::{Sink, SinkStatus};
use super::remote::Remote;
use crate::clock::Nanos;

/// A sink of either kind, as flush, shutdown and health see it.
#[derive(Clone)]
pub(super) enum AnySink {
    Lines(Arc<Sink>),
    Remote(Arc<Remote>),
}

impl AnySink {
    /// Sets it to work if there is something to do now.
    pub(super) fn dispatch(&self, runtime: &Handle) {
        match self {
            Self::Lines(sink) => sink.dispatch(runtime),
            Self::Remote(sink) => sink.dispatch(runtime),
        }
    }

    /// When [`dispatch`](Self::dispatch) will have something to do that no record or bell announces.
    pub(super) fn next_dispatch(&self) -> Option<Nanos> {
        match self {
            Self::Lines(sink) => sink.next_dispatch(),
            Self::Remote(sink) => sink.next_dispatch(),
        }
    }

    /// Asks for all that was accepted so far; the number to hand to [`is_settled`](Self::is_settled).
    /// `anew` where somebody has just asked: a receiver that fails is then tried once at once.
    pub(super) fn want_all(&self, anew: bool) -> u64 {
        match self {
            Self::Lines(sink) => sink.want_all(),
            Self::Remote(sink) => sink.want_all(anew),
        }
    }

    /// Whether everything up to that number is delivered or dropped.
    pub(super) fn is_settled(&self, number: u64) -> bool {
        match self {
            Self::Lines(sink) => sink.is_settled(number),
            Self::Remote(sink) => sink.is_settled(number),
        }
    }

    /// Drops and counts what is left, from any thread; whether nothing was.
    pub(super) fn close(&self) -> bool {
        match self {
            Self::Lines(sink) => sink.close(),
            Self::Remote(sink) => sink.close(),
        }
    }

    /// Drops what is foreign in a closed sink.
    pub(super) fn drop_writer(&self) {
        match self {
            Self::Lines(sink) => sink.drop_writer(),
            // Its request is a task of the runtime, and goes with it.
            Self::Remote(_) => {}
        }
    }

    pub(super) fn status(&self) -> Option<SinkStatus> {
        match self {
            Self::Lines(sink) => sink.status(),
            Self::Remote(sink) => sink.status(),
        }
    }
}
