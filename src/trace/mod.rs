//! Traces: what each request did, span by span.
//!
//! Every request that passes the endpoint layer is the root of its trace in this process. Spans from all of these
//! sources become one tree with the right parents:
//!
//! | source | where it works |
//! |---|---|
//! | [`monitor.span("name").run(future)`](crate::Monitor::span) | anywhere; `try_run` records an `Err` as the span's error |
//! | `tracing` spans, `#[instrument]` | with [`install`](crate::Monitor::install) or [`tracing_layer`](crate::Monitor::tracing_layer) |
//! | `tracing` spans by tracing-opentelemetry | with [`SpanBackend::TracingOpentelemetry`] |
//! | OpenTelemetry spans | from a tracer of [`monitor.otel()`](crate::Monitor::otel), whose provider `install` makes the global one |
//! | tasks and threads | with [`spawn`], [`spawn_blocking`], [`in_current_trace`] |
//!
//! Outside of requests, the topmost span is the root of a trace. Kept traces stay in memory for
//! [`monitor.recent_traces()`](crate::Monitor::recent_traces), and are exported over OTLP if an endpoint is set.
//!
//! ```
//! # async fn example() -> watchpost::Result<()> {
//! let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
//! let packed = monitor
//!     .span("pack")
//!     .attr("order.id", 17)
//!     .try_run(async { Err::<(), _>("out of paper") })
//!     .await;
//! assert!(packed.is_err());
//! monitor.flush(std::time::Duration::from_secs(1)).await;
//! assert_eq!(monitor.recent_traces()[0].kept, watchpost::KeepReason::Error);
//! # Ok(())
//! # }
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(example()).unwrap();
//! ```
//!
//! The example `tracing_spans` prints its kept traces with the reason for which each was kept:
//!
//! ```text
//! 68696f698df80b1d0ad36cdd19c7284f (head)
//!   pack 6.2ms
//!     - begin to pack
//!     fetch 3.3ms
//!     print_label 2.6ms
//!     check the payment 18.7µs
//!     notify_customer 2.1ms
//!       write a mail 60.3µs
//!         - mail written
//! 728b86b5e747b02723fe47a0224edbb3 (error)
//!   send 33.7µs no van
//! ```
//!
//! Lines with a dash are events. `head` is a trace that was sampled when it began.
//!
//! # When a span ends
//!
//! | span | ends |
//! |---|---|
//! | a request | with the last byte of the response body, or as [`http`](crate::http#when-a-request-ends) describes |
//! | of `monitor.span` | when its future completes; when it is dropped before, with `watchpost.outcome` `cancelled`; when it panics, with an error as its status |
//! | of `tracing` | when its last handle is dropped |
//! | of OpenTelemetry | when its `end` is called, or when it is dropped |
//!
//! Spans may end on any thread, in any order, and after their root. Until the root has ended, they wait in a buffer of
//! their trace. A span that ends after its root is kept or dropped as its trace was.
//!
//! An event of the level ERROR in a `tracing` span, such as that of `#[instrument(err)]`, sets the span's status to an
//! error, unless `otel.status_code` sets another. The status message is the event's field `error`, or else its message.
//!
//! # Which traces are kept
//!
//! Every span that the setting `trace.level` admits is recorded. Whether its trace is kept is decided when the root ends. The attribute `watchpost.kept` of
//! the root has the reason:
//!
//! | reason | the trace | limit |
//! |---|---|---|
//! | [`Panic`](crate::KeepReason::Panic), [`Timeout`](crate::KeepReason::Timeout), [`Error`](crate::KeepReason::Error), [`Captured`](crate::KeepReason::Captured) | its code panicked, its time ran out, its root failed, or an error was captured in it | 1 MiB a second |
//! | [`Slow`](crate::KeepReason::Slow) | took longer than 99 of 100 recent requests of its route (after 500 requests), or than [`slow_trace_threshold`](crate::MonitorBuilder::slow_trace_threshold) | 1 MiB a second |
//! | [`Parent`](crate::KeepReason::Parent), [`Head`](crate::KeepReason::Head) | was sampled: by its caller, or by its ID, at the [ratio](crate::MonitorBuilder::trace_ratio), so that services with the same ratio sample the same traces | [100 a second](crate::MonitorBuilder::max_traces_per_second) |
//!
//! The first two rows apply at a ratio of 0, too. Exemplars name kept traces only.
//!
//! Of all spans, only the root's status is a reason. A trace in which a child span failed while its root succeeded is
//! kept by the ratio alone, whichever source the child is from. To keep such a trace, capture the error.
//!
//! # Attributes and limits
//!
//! | part | limit |
//! |---|---|
//! | attributes of a span | 128, of 16 KiB together; a value has at most 4 KiB |
//! | events of a span | 128, of 8 KiB together; a value has at most 2 KiB |
//! | links of a span | 128, of 4 KiB together; a value has at most 2 KiB |
//! | name | 1 KiB |
//! | status message | 2 KiB |
//!
//! What exceeds a limit is counted as dropped. A span or an event with a truncated text has the attribute
//! `watchpost.truncated`. Each key occurs once: the value that was set last replaces earlier ones, in `span.record`, in
//! fields of one name, and where a hook sets an attribute that the request has already.
//!
//! Names, attributes and texts are redacted on the worker before anything shows them.
//!
//! # Which operation an event belongs to
//!
//! A `tracing` event at the level of `trace.level` becomes an event of the innermost operation. That is a `tracing` span, a
//! span of [`Monitor::span`](crate::Monitor::span), a query, an outgoing call, an OpenTelemetry span or the root. The
//! event's log record, child spans, captured errors and outgoing headers name the same operation. An event with an
//! explicit `parent:` belongs to that span; with `parent: None` it belongs to none.
//!
//! The fields `otel.name`, `otel.kind`, `otel.status_code` and `otel.status_description` of a `tracing` span have the
//! meaning that tracing-opentelemetry gives them.
//!
//! # The caller's sampling decision
//!
//! With a `parentbased_*` sampler, which is the default, the sampled flag of a caller decides if the peer is a
//! [trusted proxy](crate::http::EndpointLayer::trusted_proxies), as OpenTelemetry's `ParentBased` has it:
//!
//! | the caller | its flag | the trace |
//! |---|---|---|
//! | trusted | `01` | is kept and exported, within the limit of traces a second; calls carry `01` |
//! | trusted | `00` | is not exported; calls carry `00` |
//! | any other, or none | is ignored | the ratio decides; calls carry its decision |
//!
//! If something happened in a trace that a trusted caller did not sample, the trace is kept in memory: `recent_traces`
//! returns it, it is not exported, and the flag of outgoing calls stays `00`. To export such traces, choose a sampler
//! that ignores the caller, such as `traceidratio`. A plain OpenTelemetry span with a remote parent counts
//! as having a trusted caller, since the host's own code read that parent.
//!
//! The random flag (`02`) of a caller goes on with its trace. So does its `tracestate`, if every member is valid and there
//! are at most 32, from all headers of that name; of more than 512 bytes, members are left out, those over 128 bytes
//! first. OpenTelemetry's own types have the keys of an earlier grammar: exported spans and propagators of the host's
//! miss members such as `a@@b=1`, calls of [`external`](crate::external) do not. `baggage` of several headers is one list,
//! cut after 8192 bytes; it goes on without a `traceparent` too. OpenTelemetry's propagator reads it, and leaves out
//! white space at either end of a value, even where it is percent-encoded.
//!
//! With [`public_endpoint`](crate::MonitorBuilder::public_endpoint), traces and baggage of callers end here, but for those of trusted proxies.
//!
//! # Beside an OpenTelemetry provider of your own
//!
//! A service that keeps its provider joins it, with its sampler:
//!
//! ```
//! # use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
//! # fn main() -> watchpost::Result<()> {
//! # let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
//! let builder = SdkTracerProvider::builder(); // with your exporters and resource
//! let sampler = Sampler::ParentBased(Box::new(Sampler::AlwaysOn));
//! let provider = monitor.otel().join(builder, sampler).build();
//! opentelemetry::global::set_tracer_provider(provider.clone());
//! # Ok(())
//! # }
//! ```
//!
//! | the provider | spans at the service's exporter | this monitor's traces |
//! |---|---|---|
//! | joined | complete, by the service's sampler, with the request's trace ID | have the same spans, those that are not sampled too |
//! | another one | complete, by the service's sampler | have a trace ID of their own, unless a caller sent one or a span of the provider is around the layer; a finding says so |
//! | [`tracer_provider()`](crate::otel::Otel::tracer_provider), which `install` sets where there is none | | have all |
//!
//! Beside a provider that is not this monitor's, requests put no span into OpenTelemetry's contexts: it would be a parent
//! that the service's exporter never gets, and its flag would decide in place of the service's sampler. A request inside
//! a span of that provider continues its trace. Calls of [`external`](crate::external) carry the provider's current span,
//! unless this monitor sends its spans over OTLP, too.
//!
//! Two layers of tracing-opentelemetry in one subscriber panic in each span. Where the service has one,
//! [`Otel::tracing_layer`](crate::otel::Otel::tracing_layer) steps aside, and the monitor's own layer makes the spans of
//! its traces, unless the provider is joined. A layer that is put into a running subscriber by a `reload` handle is not
//! found.
//!
//! # How budgets are shared
//!
//! The routes share both limits: the traces and the bytes of a second. So do the topmost spans outside of requests, by
//! their name up to its first digit. A source that asks for more than its part gets what the others leave. A source that
//! asks seldom still finds something left: a route with one request a second has its traces beside a batch job or a route
//! with ten thousand. A source that is alone gets everything. Several sources may together exceed the burst of one by
//! three eighths, never the rate in the long run.
//!
//! The memory of recent traces is shared in the same way: the oldest trace of the source that takes the most makes room.
//!
//! # What is dropped when memory is full
//!
//! Undecided traces hold at most 16 MiB together and 1 MiB each. A trace that finds no room is decided at once:
//!
//! - A trace that is sampled or has a captured error is sent as it is.
//! - The spans so far of any other are discarded, and count in `watchpost_spans_lost_total{reason="no_room"}`. If its
//!   root is kept later, the root's `watchpost.lost_spans` has their number.
//!
//! A trace that is open for a minute is decided in the same way. A span whose trace is no longer known counts as
//! `reason="late"`. A trace that something happened in, and that no budget had room for, counts in
//! `watchpost_traces_over_budget_total`.
//!
//! A kept span that is exported is a record like any other: `watchpost_records_*_total{signal="span"}` counts it, and
//! the limits of [`otlp_endpoint`](crate::MonitorBuilder::otlp_endpoint) apply.

mod active_span;
mod attribute_buffer;
mod attribute_value;
mod budget;
pub(crate) mod callsite_filter;
pub(crate) mod callsites;
mod config;
mod decode;
mod entered_spans;
pub(crate) mod event;
mod foreign_otel;
mod global_provider;
mod joined_provider;
mod layer;
mod layer_probe;
mod limits;
pub(crate) mod log_event;
mod manual_span;
mod otel_context;
pub(crate) mod otlp;
mod propagate;
mod recent_decisions;
mod recent_traces;
mod resource;
mod route_latency;
mod sampler;
mod sdk_encoding;
mod sdk_processor;
mod sdk_provider;
mod sdk_spans;
mod span_builder;
mod span_decoder;
mod span_fields;
mod span_record;
mod span_template;
mod trace_sender;
mod trace_state;
mod traceparent;
mod traces;
mod tracing_otel_filter;
mod unique_attributes;

pub use self::attribute_value::AttributeValue;
pub use self::config::{Propagators, SamplerKind, SpanBackend, TraceConfig, TraceExporter};
pub use self::decode::{Span, SpanEvent, SpanLink};
pub use self::limits::SpanLimits;
pub use self::otlp::{OtlpCompression, OtlpConfig, OtlpProtocol};
pub use self::propagate::{InTrace, in_current_trace, spawn, spawn_blocking};
pub use self::recent_traces::KeptTrace;
pub use self::span_builder::{RunSpan, SpanBuilder, TryRunSpan};
pub use self::span_record::{SpanKind, SpanStatus};

pub(crate) use self::active_span::{ActiveSpan, OwnedSpan, inject_request};
pub(crate) use self::attribute_buffer::AttributeBuffer;
pub(crate) use self::global_provider::install_provider;
pub(crate) use self::joined_provider::join;
pub(crate) use self::layer::{EncodedEvent, SpanLayer, SpanLayerConfig, leave_span};
pub(crate) use self::otel_context::{
    AttachedContext, OtelContext, Propagation, their_current_span,
};
pub(crate) use self::recent_traces::{RecentTraces, RecentTracesProcessor};
pub(crate) use self::resource::{ServiceIdentity, resource};
pub(crate) use self::route_latency::RouteLatency;
pub(crate) use self::sdk_provider::{outgoing, provider};
pub(crate) use self::span_decoder::SpanDecoder;
pub(crate) use self::span_record::{
    SpanRecord, ValueRef as SpanValue, attributes as attributes_of,
};
pub(crate) use self::span_template::{CountAttributes, SpanTemplate};
pub(crate) use self::trace_sender::{RootEnd, RootRecord};
pub(crate) use self::trace_state::{baggage, trace_state};
pub(crate) use self::traceparent::parse_traceparent;
pub(crate) use self::traces::Traces;
pub(crate) use self::tracing_otel_filter::TracingOtelFilter;
