//! OpenTelemetry's own API: spans of its tracers in the monitor's traces, and a provider of the service beside the monitor.
//!
//! Only this module has types of OpenTelemetry in its public API, so a new version of OpenTelemetry changes only this
//! module. This version is built with `opentelemetry` 0.33 and `tracing-opentelemetry` 0.34; the service must use the same.
//!
//! | the service has | what to write |
//! |---|---|
//! | code that takes a tracer | [`monitor.otel().tracer_provider()`](Otel::tracer_provider), or `opentelemetry::global::tracer(..)` after [`install`](crate::Monitor::install) |
//! | a provider of its own, with exporters | [`monitor.otel().join(builder, sampler)`](Otel::join) when it is built |
//! | code that calls `OpenTelemetrySpanExt` on `tracing` spans | [`SpanBackend::TracingOpentelemetry`](crate::trace::SpanBackend); `install` then adds [`tracing_layer`](Otel::tracing_layer) |
//! | none of these | nothing; [`watchpost::trace`](crate::trace#export-over-otlp) describes the export over OTLP |
//!
//! Spans of all sources are one tree:
//!
//! ```
//! use opentelemetry::trace::{Span, Status, Tracer, TracerProvider};
//!
//! # async fn example() -> watchpost::Result<()> {
//! # let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
//! let tracer = monitor.otel().tracer_provider().tracer("shop");
//! let report = async {
//!     tracer.in_span("read orders", |_| { /* 2 ms of work, in which a `tracing` span `parse` has an event */ });
//!     let mut span = tracer.start("send report");
//!     span.set_status(Status::error("mailbox full"));
//!     span.end();
//! };
//! monitor.span("nightly report").run(report).await;
//! # monitor.flush(std::time::Duration::from_secs(5)).await;
//! # let printed = monitor.recent_traces()[0].to_string();
//! # assert!(printed.contains("\n  nightly report ") && printed.contains("\n    send report "), "{printed}");
//! # assert!(printed.ends_with(" error: mailbox full"), "{printed}");
//! # Ok(())
//! # }
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(example()).unwrap();
//! ```
//!
//! ```text
//! 1c300d25d5ab7b5a9033bc8886ae81c3 (head)
//!   nightly report 2.4ms
//!     read orders 2.3ms
//!       parse 2.2ms
//!         - 12 orders
//!     send report 6.6µs error: mailbox full
//! ```
//!
//! [`watchpost::trace`](crate::trace#beside-an-opentelemetry-provider-of-your-own) compares a joined provider with one that
//! is not joined, and [`watchpost::guide::beside`](crate::guide::beside) shows the order of the calls at the start.

use std::sync::Arc;

use opentelemetry_sdk::trace::{SdkTracerProvider, ShouldSample, TracerProviderBuilder};
use tracing::Subscriber;
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::LookupSpan;

use crate::trace::{Traces, TracingOtelFilter, join, provider};

/// The OpenTelemetry integration of a monitor. Returned by [`Monitor::otel`](crate::Monitor::otel).
#[derive(Debug, Clone)]
pub struct Otel {
    provider: SdkTracerProvider,
    traces: Option<Arc<Traces>>,
    theirs: Option<TracingOtelFilter>,
}

impl Otel {
    pub(crate) fn new(traces: Option<&Arc<Traces>>, theirs: Option<TracingOtelFilter>) -> Self {
        let none = || SdkTracerProvider::builder().build();
        Self {
            provider: traces.map_or_else(none, provider),
            traces: traces.cloned(),
            theirs,
        }
    }

    /// Returns a tracer provider whose spans join the monitor's traces, as children of the context that is current when
    /// they start. [`install`](crate::Monitor::install) sets it as the global provider, unless one is set already.
    ///
    /// Its spans are recorded regardless of the sampling ratio, and are kept or dropped with their trace. If an
    /// attribute is set several times, the last value applies. The SDK accepts 1024 attribute values in one span and
    /// ignores later ones.
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
        if let Some(traces) = &self.traces {
            traces.foreign_otel().record_provider_taken();
        }
        self.provider.clone()
    }

    /// Returns the provider without noting that the service uses it.
    pub(crate) fn own_provider(&self) -> SdkTracerProvider {
        self.provider.clone()
    }

    /// Adds the spans of the service's own provider to the monitor's traces.
    ///
    /// The service keeps its exporters and its sampler. Pass the sampler here instead of to `with_sampler`; the SDK's
    /// default is `ParentBased(AlwaysOn)`. The exporters receive the spans that the sampler samples, with the same
    /// parents as without this crate. A root span that starts in a request takes the trace ID of that request. All
    /// spans, including those that are not sampled, are part of the monitor's traces. If the service's own layer of
    /// tracing-opentelemetry uses this provider, that layer creates the spans for `tracing` spans, and the monitor's
    /// layer creates none.
    ///
    /// ```
    /// use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
    ///
    /// # fn main() -> watchpost::Result<()> {
    /// let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
    /// let builder = SdkTracerProvider::builder(); // with your exporters
    /// let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(0.1)));
    /// let provider = monitor.otel().join(builder, sampler).build();
    /// opentelemetry::global::set_tracer_provider(provider);
    /// # Ok(())
    /// # }
    /// ```
    pub fn join(
        &self,
        builder: TracerProviderBuilder,
        sampler: impl ShouldSample + 'static,
    ) -> TracerProviderBuilder {
        match &self.traces {
            Some(traces) => join(builder, Box::new(sampler), traces),
            None => builder.with_sampler(sampler),
        }
    }

    /// Returns the tracing-opentelemetry layer over [`tracer_provider`](Self::tracer_provider), if
    /// [`SpanBackend::TracingOpentelemetry`](crate::trace::SpanBackend) is chosen; else `None`. Add it after the
    /// monitor's own layer, which still writes log records. `install` adds it automatically.
    ///
    /// It receives the spans that `trace.level` enables, and omits source locations, threads and busy times.
    ///
    /// ```
    /// use tracing_subscriber::prelude::*;
    /// use watchpost::trace::SpanBackend;
    ///
    /// # fn main() -> watchpost::Result<()> {
    /// let builder = watchpost::Monitor::builder("shop").spans(SpanBackend::TracingOpentelemetry);
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
