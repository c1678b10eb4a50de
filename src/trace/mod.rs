//! Traces: W3C `traceparent` in, which are kept, and how they are sent.

mod config;
mod limits;
pub(crate) mod otlp;
mod resource;
mod traceparent;

pub(crate) use self::config::{Exporter, SamplerKind, TraceConfig};
pub(crate) use self::limits::SpanLimits;
pub(crate) use self::resource::{Origin, resource};
pub(crate) use self::traceparent::parse_traceparent;
