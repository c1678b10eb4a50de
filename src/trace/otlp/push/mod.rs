//! Metrics that are pushed to an OTLP receiver, for services that are not scraped.
//!
//! A thread of the worker's blocking pool takes a snapshot of all metrics at each interval, and when a flush or a shutdown
//! is requested. The snapshot becomes requests of about 1 MiB at most, which wait in a remote sink until the receiver
//! accepts them. An item of a batch is a data point. A function of the host that hangs in a snapshot stops pushes alone.

#[cfg(not(feature = "otlp"))]
mod disabled;
#[cfg(feature = "otlp")]
mod enabled;

#[cfg(not(feature = "otlp"))]
pub(crate) use self::disabled::remote;
#[cfg(feature = "otlp")]
pub(crate) use self::enabled::remote;

use opentelemetry_sdk::Resource;

use crate::metrics::{Metrics, MetricsConfig};
use crate::model::Diagnostics;
use crate::trace::otlp::OtlpTarget;

/// What pushes are made of.
#[cfg_attr(
    not(feature = "otlp"),
    expect(dead_code, reason = "this build cannot push")
)]
pub(crate) struct PushSetup<'a> {
    pub(crate) config: &'a MetricsConfig,
    /// The receiver, if there is one.
    pub(crate) target: Option<OtlpTarget>,
    pub(crate) metrics: &'a Metrics,
    pub(crate) resource: &'a Resource,
    pub(crate) diagnostics: &'a Diagnostics,
}
