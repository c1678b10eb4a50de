//! The public face for OpenTelemetry's own types. They are named here alone, so that their next version is a change
//! of this module and of nothing else.

use std::sync::Arc;

use opentelemetry_sdk::trace::{SdkTracerProvider, ShouldSample, TracerProviderBuilder};
use tracing::Subscriber;
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::LookupSpan;

use crate::trace::{Traces, TracingOtelFilter, join, provider};

/// A monitor as OpenTelemetry sees it.
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
        if let Some(traces) = &self.traces {
            traces.foreign_otel().note_provider_given();
        }
        self.provider.clone()
    }

    /// The provider, for what is no use by the service.
    pub(crate) fn own_provider(&self) -> SdkTracerProvider {
        self.provider.clone()
    }

    /// Adds to the builder of the service's own provider what brings its spans to the monitor's traces.
    ///
    /// The service keeps its exporters and its sampler, which is given here and not with `with_sampler`; the default of
    /// the SDK is `ParentBased(AlwaysOn)`. Its exporters get the spans that its sampler samples, with the parents that
    /// they have without this crate. A root span that starts in a request takes the trace ID of that request. All spans,
    /// the ones that are not sampled too, are part of the monitor's traces. Where a layer of tracing-opentelemetry of the
    /// service's own is over this provider, it makes the spans of `tracing`, and the monitor's layer makes none.
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

    /// The layer of tracing-opentelemetry over [`tracer_provider`](Self::tracer_provider), where
    /// [`SpanBackend::TracingOpentelemetry`](crate::trace::SpanBackend) is chosen; else there is none. It stands behind the monitor's own layer,
    /// which goes on to write lines. `install` adds it itself.
    ///
    /// It sees the spans that `trace.level` lets through, and leaves out source locations, threads and busy times.
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
