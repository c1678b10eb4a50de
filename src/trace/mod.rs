//! Trace context: W3C `traceparent` in.

mod traceparent;

pub(crate) use self::traceparent::parse_traceparent;
