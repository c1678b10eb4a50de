//! Spans that are created in code: `monitor.span("name").run(future)`.

use std::borrow::Cow;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::manual_span::ManualSpan;
use super::span_record::{SpanKind, SpanStatus};
use super::traces::Traces;
use crate::model::text::put_formatted;
use crate::model::{Attributes, Value};

/// A span that has not started, from [`Monitor::span`](crate::Monitor::span).
///
/// [`run`](Self::run), [`try_run`](Self::try_run) or [`in_scope`](Self::in_scope) starts it as a child of the current
/// operation. Without a current operation, it is the root of a new trace.
#[derive(Debug)]
#[must_use = "a span starts when it is run"]
pub struct SpanBuilder {
    traces: Option<Arc<Traces>>,
    name: Cow<'static, str>,
    kind: SpanKind,
    attributes: Attributes,
}

impl SpanBuilder {
    /// Creates a builder. If `traces` is `None`, the code runs without a span.
    pub(crate) fn new(traces: Option<Arc<Traces>>, name: Cow<'static, str>) -> Self {
        Self {
            traces,
            name,
            kind: SpanKind::Internal,
            attributes: Attributes::default(),
        }
    }

    /// Sets an attribute. The value is redacted before it is displayed or exported.
    pub fn attr(mut self, key: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        self.attributes.insert(key, value);
        self
    }

    /// Sets the kind of the span. Default: [`SpanKind::Internal`].
    pub fn kind(mut self, kind: SpanKind) -> Self {
        self.kind = kind;
        self
    }

    fn begin(self) -> Option<ManualSpan> {
        let traces = self.traces?;
        Some(ManualSpan::begin(
            traces,
            self.name,
            self.kind,
            self.attributes,
        ))
    }

    /// Runs a future in the span, which ends when the future completes.
    ///
    /// # Cancel safety
    ///
    /// This future is as cancel safe as `future`. If it is dropped before it completes, the span ends with
    /// `watchpost.outcome` `cancelled`.
    pub fn run<F: Future>(self, future: F) -> RunSpan<F> {
        RunSpan {
            running: self.begin(),
            future,
        }
    }

    /// Runs a future like [`run`](Self::run). An `Err` sets the span's status to an error with the error's text.
    ///
    /// # Cancel safety
    ///
    /// The same as [`run`](Self::run).
    pub fn try_run<F, T, E>(self, future: F) -> TryRunSpan<F>
    where
        F: Future<Output = Result<T, E>>,
        E: fmt::Display,
    {
        TryRunSpan {
            running: self.begin(),
            future,
        }
    }

    /// Runs a closure in the span.
    pub fn in_scope<R>(self, work: impl FnOnce() -> R) -> R {
        let mut running = self.begin();
        let done = ManualSpan::inside(&mut running, work);
        if let Some(running) = running {
            running.end(SpanStatus::Unset, None, None);
        }
        done
    }
}

pin_project! {
    /// The future of [`SpanBuilder::run`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct RunSpan<F> {
        // Declared before `running`, so that the future is dropped while the span is still open.
        #[pin]
        future: F,
        running: Option<ManualSpan>,
    }
}

impl<F: Future> Future for RunSpan<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let polled = ManualSpan::inside(this.running, || this.future.poll(cx));
        if polled.is_ready()
            && let Some(running) = this.running.take()
        {
            running.end(SpanStatus::Unset, None, None);
        }
        polled
    }
}

pin_project! {
    /// The future of [`SpanBuilder::try_run`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct TryRunSpan<F> {
        #[pin]
        future: F,
        running: Option<ManualSpan>,
    }
}

impl<F, T, E> Future for TryRunSpan<F>
where
    F: Future<Output = Result<T, E>>,
    E: fmt::Display,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let polled = ManualSpan::inside(this.running, || this.future.poll(cx));
        if let Poll::Ready(done) = &polled
            && let Some(running) = this.running.take()
        {
            match done {
                Ok(_) => running.end(SpanStatus::Unset, None, None),
                Err(error) => {
                    let mut text = Vec::new();
                    put_formatted(&mut text, format_args!("{error}"), 1024);
                    running.end(
                        SpanStatus::Error,
                        Some(&text),
                        Some(std::any::type_name::<E>()),
                    );
                }
            }
        }
        polled
    }
}
