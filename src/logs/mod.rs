//! Lines: one a request, one a `tracing` event.
