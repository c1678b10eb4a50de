//! Traces.

mod config;
mod context;
mod guard;
mod layer;
mod levels;
mod limits;
mod otel_span;
pub(crate) mod otlp;
mod plain;
mod read;
mod recent;
mod resource;
mod running;
mod sampler;
mod slow;
mod span;
mod task;
mod trace_state;
mod traceparent;
mod traces;

pub use self::guard::{RunTrace, Trace, TryRunTrace};
pub use self::read::{AttributeValue, Span, SpanEvent, SpanLink};
pub use self::recent::KeptTrace;
pub use self::span::{SpanKind, SpanStatus};
pub use self::task::{InTrace, in_current_trace, spawn, spawn_blocking};

pub(crate) use self::config::{Exporter, SamplerKind, TraceConfig};
pub(crate) use self::context::{Attached, OtelContext};
pub(crate) use self::layer::SpanLayer;
pub(crate) use self::levels::Levels;
pub(crate) use self::limits::SpanLimits;
pub(crate) use self::otel_span::Decoder;
pub(crate) use self::plain::provider;
pub(crate) use self::recent::{Recent, RecentTap};
pub(crate) use self::resource::{Origin, resource};
pub(crate) use self::slow::RouteTimes;
pub(crate) use self::trace_state::{baggage, trace_state};
pub(crate) use self::traceparent::parse_traceparent;
pub(crate) use self::traces::{Lost, RootEnd, RootForm, Traces};
