//! Traces: what a request did, span by span, kept where something happened in it.
//!
//! Every request that passes the endpoint layer is the root of a trace's part in this process. Spans inside it
//! come from several sides and land in one tree with the right parents:
//!
//! | written as | where |
//! |---|---|
//! | [`monitor.span("name").run(future)`](crate::Monitor::span) | anywhere; sees errors with `try_run` |
//! | `tracing` spans, `#[instrument]` | with [`install`](crate::Monitor::install) or [`tracing_layer`](crate::Monitor::tracing_layer) |
//! | the same, by tracing-opentelemetry | where [`SpanBackend::TracingOpentelemetry`] is chosen |
//! | OpenTelemetry spans | by a tracer of [`monitor.otel()`](crate::Monitor::otel), which `install` makes the process' own |
//! | tasks and threads | [`spawn`], [`spawn_blocking`], [`in_current_trace`] |
//!
//! Where no request is under way, the topmost span is the root of a trace of its own. Kept traces stay in memory for
//! [`monitor.recent_traces()`](crate::Monitor::recent_traces) and go out over OTLP where a receiver is set.
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
//! # When a span ends
//!
//! A request's span begins with its first byte and ends with the last byte of its answer's body, or where
//! [`http`](crate::http) says that a request ends. A span of `monitor.span` ends when its future is done, or is
//! dropped: then its `watchpost.outcome` is `cancelled`, or, in a panic, its status an error. A `tracing` span ends
//! when its last handle is dropped, an OpenTelemetry span when it is ended.
//!
//! Spans may end on any thread, in any order, and after their root. Until the root has ended they wait in a buffer
//! of their trace; one that ends later goes the way its trace went.
//!
//! An event of the level ERROR inside a `tracing` span, such as that of `#[instrument(err)]`, sets the status of the
//! span to an error, with the text of its field `error` or else its message, unless `otel.status_code` says otherwise.
//!
//! # Attributes and limits
//!
//! A span has each attribute once, and the value that was set last counts: in `span.record`, in fields of one name, and
//! where a hook sets an attribute of the request's own. A span has at most 128 attributes of 16 KiB together, 128 events
//! of 8 KiB and 128 links of 4 KiB; more are counted as dropped. A value has at most 4 KiB (2 KiB in an event or a
//! link), a name 1 KiB, a status message 2 KiB. A span or an event of which a text was cut has
//! `watchpost.truncated`.
//!
//! # What is kept
//!
//! Everything is recorded, and what is kept is decided when the root has ended. A trace is kept whole if something
//! happened in it: code panicked, time ran out, the root failed, an error was captured, or it was slow, which is
//! longer than 99 of 100 requests of its route took lately (once 500 were seen), or than
//! [`slow_trace_threshold`](crate::MonitorBuilder::slow_trace_threshold). That holds at a ratio of 0 too, within a budget of 1 MiB a
//! second. Of all others the [ratio](crate::MonitorBuilder::trace_ratio) chooses by trace id, so that services with
//! one ratio choose the same, up to [100 a second](crate::MonitorBuilder::max_traces_per_second). The root's
//! `watchpost.kept` says why.
//!
//! Of the spans, the status of the root alone counts. A trace in which a child span has an ERROR event or an error as
//! its status, while the root is fine and no error was captured, is kept by the ratio, and at a ratio of 0 it is not
//! kept. That is so for every kind of span, those by tracing-opentelemetry included; there an ERROR event without a
//! field `error` sets the status without a description. To keep such a trace, capture the error.
//!
//! Exemplars name kept traces only.
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
//! A trace that a trusted caller does not sample is kept in this process all the same if something happened in it:
//! `recent_traces` has it, the receiver does not, and the flag of calls stays `00`. To export such traces, choose a
//! sampler that does not ask the caller, such as `traceidratio`. A plain OpenTelemetry span with a remote parent counts
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
//! # How budgets are shared
//!
//! The traces and the bytes of a second are shared by routes, and by the names of topmost spans outside of requests, up
//! to the first digit of a name. A source that asks for more than there is gets what the others leave, and one that asks
//! seldom finds something left for it: a route with a request a second has its traces beside a batch job or a route with
//! ten thousand. Alone, a source gets all. Several may have three eighths more at once than one alone, never more in the
//! long run. The memory of recent traces is shared as well: the oldest trace of the source that has the most
//! in it makes room.
//!
//! # What is dropped when the queue is full
//!
//! The traces that are undecided hold 16 MiB together and 1 MiB each. When there is no more room, the trace that
//! asks is decided as it stands: what is chosen or has a captured error goes out as it is, of any other the spans so
//! far are given up, and counted in `watchpost_spans_lost_total{reason="no_room"}`; the root says how many it
//! misses in `watchpost.lost_spans`. A trace that is open for a minute is decided in the same way. A client that
//! aborts leaves nothing behind. A span whose trace nobody knows any more counts as `late`.
//!
//! Traces that would have been kept, but for the budget, count in `watchpost_traces_over_budget_total`. From there on
//! a kept span is a record like any other: `watchpost_records_*_total{signal="span"}` has its books, and the
//! sink's bounds are those of [`otlp_endpoint`](crate::MonitorBuilder::otlp_endpoint).
//!
//! # What a span holds
//!
//! Its [attributes, events and links](#attributes-and-limits) within their limits. Names, attributes and texts are
//! scrubbed on the worker before anything shows them. A `tracing` event at the level of `trace.level` becomes an
//! event of the innermost operation, which is also the one that its log record names. That operation is a `tracing` span, a
//! span of [`Monitor::span`](crate::Monitor::span), a query, a call, an OpenTelemetry span or the root. Children, captured
//! errors and outgoing headers name the same one. An event with an explicit `parent:` belongs to that span; with
//! `parent: None` it belongs to none. The fields `otel.name`, `otel.kind`, `otel.status_code` and
//! `otel.status_description` of a `tracing` span mean what tracing-opentelemetry says.

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
