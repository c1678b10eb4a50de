//! The public API that uses OpenTelemetry's own types. Only this module names them, so that a new version of
//! OpenTelemetry changes only this module.

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
            traces.foreign_otel().note_provider_given();
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
