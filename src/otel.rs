//! The public face for OpenTelemetry's own types. They are named here alone, so that their next version is a change
//! of this module and of nothing else.

use std::sync::Arc;

use opentelemetry_sdk::trace::SdkTracerProvider;

use crate::trace::{Traces, provider};

/// A monitor as OpenTelemetry sees it.
#[derive(Debug, Clone)]
pub struct Otel {
    provider: SdkTracerProvider,
}

impl Otel {
    pub(crate) fn new(traces: Option<&Arc<Traces>>) -> Self {
        let none = || SdkTracerProvider::builder().build();
        Self {
            provider: traces.map_or_else(none, provider),
        }
    }

    /// The provider whose tracers' spans join the monitor's traces, with the parent that is current where they
    /// start. `install` makes it the process' own, unless one is set already.
    ///
    /// Its spans are recorded whatever the ratio says, and kept or dropped with their trace.
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
}
