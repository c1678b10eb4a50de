//! The public face for OpenTelemetry's own types. They are named here alone, so that their next version is a change
//! of this module and of nothing else.

use std::sync::Arc;

use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Subscriber;
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::LookupSpan;

use crate::trace::{Theirs, Traces, provider};

/// A monitor as OpenTelemetry sees it.
#[derive(Debug, Clone)]
pub struct Otel {
    provider: SdkTracerProvider,
    theirs: Option<Theirs>,
}

impl Otel {
    pub(crate) fn new(traces: Option<&Arc<Traces>>, theirs: Option<Theirs>) -> Self {
        let none = || SdkTracerProvider::builder().build();
        Self {
            provider: traces.map_or_else(none, provider),
            theirs,
        }
    }

    /// The provider whose tracers' spans join the monitor's traces, with the parent that is current where they
    /// start. [`install`](crate::Monitor::install) makes it the process's own, unless one is set already.
    ///
    /// Its spans are recorded whatever the ratio says, and kept or dropped with their trace. Of several values of one
    /// attribute the last counts; the SDK takes 1024 of them in one span and ignores those that come later.
    ///
    /// ```
    /// use opentelemetry::trace::{Tracer, TracerProvider};
    ///
    /// # fn main() -> watchpost::Result<()> {
    /// let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
    /// let tracer = monitor.otel().tracer_provider().tracer("shop");
    /// tracer.in_span("pack", |_| { /* a part of what is current */ });
    /// # Ok(())
    /// # }
    /// ```
    pub fn tracer_provider(&self) -> SdkTracerProvider {
        self.provider.clone()
    }

    /// The layer of tracing-opentelemetry over [`tracer_provider`](Self::tracer_provider), where
    /// [`Spans::TracingOpentelemetry`](crate::trace::Spans) is chosen; else there is none. It stands behind the monitor's own layer,
    /// which goes on to write lines. `install` adds it itself.
    ///
    /// It sees the spans that `trace.level` lets through, and leaves out source locations, threads and busy times.
    ///
    /// ```
    /// use tracing_subscriber::prelude::*;
    /// use watchpost::trace::Spans;
    ///
    /// # fn main() -> watchpost::Result<()> {
    /// let builder = watchpost::Monitor::builder("shop").spans(Spans::TracingOpentelemetry);
    /// # let builder = builder.env(false).console(false);
    /// let monitor = builder.build()?;
    /// let subscriber = tracing_subscriber::registry()
    ///     .with(monitor.tracing_layer())
    ///     .with(monitor.otel().tracing_layer());
    /// # drop(subscriber);
    /// # Ok(())
    /// # }
    /// ```
    pub fn tracing_layer<S>(&self) -> Option<impl Layer<S> + Send + Sync + use<S>>
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        let theirs = self.theirs.clone();
        theirs.map(|theirs| theirs.layer(&self.provider))
    }
}
