//! Trace context: W3C `traceparent`.
