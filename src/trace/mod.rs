//! Traces: what each request did, span by span.
//!
//! Every request that passes the endpoint layer is the root of its trace in this process. Spans from all of these
//! sources form one tree with correct parents:
//!
//! | source | where it works |
//! |---|---|
//! | [`monitor.span("name").run(future)`](crate::Monitor::span) | anywhere; `try_run` records an `Err` as the span's error |
//! | `tracing` spans, `#[instrument]` | with [`install`](crate::Monitor::install) or [`tracing_layer`](crate::Monitor::tracing_layer) |
//! | `tracing` spans by tracing-opentelemetry | with [`SpanBackend::TracingOpentelemetry`] |
//! | OpenTelemetry spans | from a tracer of [`monitor.otel()`](crate::Monitor::otel), whose provider `install` makes the global one |
//! | tasks and threads | with [`spawn`], [`spawn_blocking`], [`in_current_trace`] |
//!
//! Outside of requests, the topmost span is the root of a trace. Kept traces stay in memory, where
//! [`monitor.recent_traces()`](crate::Monitor::recent_traces) returns them, and [in the data
//! directory](#kept-traces-in-the-data-directory), if there is one. They are exported over OTLP if an endpoint is set.
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
//! [`KeptTrace`] implements `Display`, which writes the spans as a tree. This is the trace of a request whose call to
//! another service failed:
//!
//! ```text
//! 6433a40f5c269d2370d079855ba45d49 (error)
//!   POST /orders/{id} 28.9ms error: 503
//!     - loading the order
//!     SELECT orders 4.2ms
//!     charge 21.5ms
//!       POST /v1/charges/{id} 21.3ms failed: connection_reset
//!     UPDATE orders 2.2ms error: 40001
//! ```
//!
//! The word in parentheses is the [reason](#which-traces-are-kept) why the trace was kept. Lines with a dash are events.
//! A span that did not complete has its outcome or `error` after the duration. A program prints its traces with
//!
//! ```
//! # let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build().unwrap();
//! for trace in monitor.recent_traces() {
//!     println!("{trace}");
//! }
//! ```
//!
//! A request that is a root has a log record when it ends. Roots of other kinds, such as `monitor.span("pack")`, have
//! none: only the `tracing` events in them are log records. Log such an event at the end if you need one.
//!
//! # When a span ends
//!
//! | span | ends |
//! |---|---|
//! | a request | with the last byte of the response body, or as [`http`](crate::http#when-a-request-ends) describes |
//! | of `monitor.span` | when its future completes; if the future is dropped earlier, `watchpost.outcome` is `cancelled`; if it panics, the status is an error and `error.type` is `panicked` |
//! | of `tracing` | when its last handle is dropped |
//! | of OpenTelemetry | when its `end` is called, or when it is dropped |
//!
//! A span that completes, or whose `try_run` returns an `Err`, has no `watchpost.outcome`.
//!
//! Spans can end on any thread, in any order, and after their root. Until the root has ended, they wait in the trace's
//! buffer. A span that ends after its root is kept if its trace was kept, and is dropped otherwise.
//!
//! An event at the level ERROR in a `tracing` span, such as that of `#[instrument(err)]`, sets the span's status to an
//! error, unless `otel.status_code` sets another. The status message is the event's field `error`, or else its message.
//!
//! # Which traces are kept
//!
//! Sampling selects the traces that are kept. There are two kinds, and this crate uses both:
//!
//! - **Head sampling** decides when the trace starts, before anything is known about it: by the caller's decision, or by a
//!   ratio of all trace IDs. The decision is sent on to other services in the sampled flag of `traceparent`.
//! - **Tail sampling** decides when the root of the trace ends, by what happened in it: it panicked, failed, timed out or
//!   was slow. It needs all spans until then, so every span that the setting `trace.level` admits is recorded, also if
//!   head sampling did not select the trace. It sees the spans of this process only: it needs no
//!   collector, and the other services of the trace decide for themselves.
//!
//! A trace is kept if either of them selects it. The root's attribute `watchpost.kept` has the reason, the first one in
//! this order that applies:
//!
//! | reason | sampling | the trace | limit |
//! |---|---|---|---|
//! | [`Panic`](crate::KeepReason::Panic) | tail | its code panicked | 1 MiB a second, for all reasons of tail sampling together |
//! | [`Timeout`](crate::KeepReason::Timeout) | tail | its time ran out | the same |
//! | [`Error`](crate::KeepReason::Error) | tail | its root failed | the same |
//! | [`Captured`](crate::KeepReason::Captured) | tail | an error was captured in it | the same |
//! | [`Slow`](crate::KeepReason::Slow) | tail | its request took longer than 99 of 100 recent ones of its route, after the first 500; with [`slow_trace_threshold`](crate::MonitorBuilder::slow_trace_threshold), its root of any kind took at least that long instead | the same |
//! | [`Parent`](crate::KeepReason::Parent) | head | its caller sampled it | [100 traces a second](crate::MonitorBuilder::max_traces_per_second), for both reasons of head sampling together |
//! | [`Head`](crate::KeepReason::Head) | head | its ID is within the [ratio](crate::MonitorBuilder::trace_ratio); services with the same ratio sample the same traces | the same |
//!
//! At a ratio of 1, the default, head sampling keeps all traces up to its limit; at a ratio of 0, tail sampling alone
//! decides. The exemplars of request durations name kept traces. Those of other histograms are taken while the trace is
//! still open, so they name traces that head sampling selected.
//!
//! Only the root's status counts as a failure of the trace. If a child span failed and the root succeeded, tail sampling
//! does not keep the trace. To keep it, capture the error.
//!
//! # Export over OTLP
//!
//! With the feature `otlp` and an endpoint, kept traces are sent to any OTLP receiver: an OpenTelemetry Collector, Jaeger,
//! Tempo or a vendor's service.
//!
//! ```sh
//! WATCHPOST_OTLP_ENDPOINT=http://localhost:4318 ./shop    # or OTEL_EXPORTER_OTLP_ENDPOINT
//! ```
//!
//! In code, [`otlp_endpoint`](crate::MonitorBuilder::otlp_endpoint) sets the URL and [`OtlpConfig`] everything else. The
//! protocol is protobuf over HTTP, to `/v1/traces` below the endpoint, compressed with gzip. gRPC on port 4317 is not
//! supported.
//!
//! | | |
//! |---|---|
//! | a batch is sent | 5 s after its first span, or when it has 512 spans or 1 MiB |
//! | spans that wait | at most 65,536, and 8 MiB; further ones are dropped as `queue_overflow` |
//! | no response, 429, 502, 503, 504 | the batch is sent again, after `Retry-After` if there is one |
//! | 413 | the batch is halved and sent again |
//! | 401, 403, 404, 405, a redirect | the batch is dropped as `send_error`, and nothing is sent for five minutes |
//! | other refusals | the batch, or the spans that the receiver names, are dropped as `send_error` |
//!
//! `watchpost_records_delivered_total{signal="span"}` counts the spans that the receiver accepted, and a receiver that
//! refuses or does not respond is a `warn` of [`/health`](crate::health) and a finding of
//! [`doctor`](crate::Monitor::doctor). The worker sends; requests never wait for it.
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
//! The numbers of attributes, events and links are defaults: the settings `trace.max_*` change them, up to 1000, and
//! `trace.max_value_length` limits texts further, including those in arrays. The limits are the same for every source,
//! and for [`recent_traces`](crate::Monitor::recent_traces) and the exporter.
//!
//! What exceeds a limit is dropped and counted. A span or an event with a truncated text has the attribute
//! `watchpost.truncated`. This mark and the root's `watchpost.kept` and `watchpost.lost_spans` do not count as
//! attributes. On a request, the attributes of the semantic conventions come before those of the service.
//!
//! Each key occurs once: the value that was set last replaces earlier ones. This applies to
//! `span.record`, to fields with the same name, and to hooks that set an attribute of the request again.
//!
//! The worker redacts names, attributes and texts before they are displayed or exported.
//!
//! # Which operation an event belongs to
//!
//! A `tracing` event that `trace.level` enables becomes an event of the innermost operation: a `tracing` span, a span
//! of [`Monitor::span`](crate::Monitor::span), a query, an outgoing call, an OpenTelemetry span or the root. The
//! event's log record, child spans, captured errors and outgoing headers name the same operation. An event with an
//! explicit `parent:` belongs to that span; with `parent: None` it belongs to no span.
//!
//! The fields `otel.name`, `otel.kind`, `otel.status_code` and `otel.status_description` of a `tracing` span have the
//! meaning that tracing-opentelemetry gives them.
//!
//! # The caller's sampling decision
//!
//! With a `parentbased_*` sampler, which is the default, a caller's sampled flag decides if the peer is a
//! [trusted proxy](crate::http::EndpointLayer::trusted_proxies), like OpenTelemetry's `ParentBased` sampler:
//!
//! | the caller | its flag | the trace |
//! |---|---|---|
//! | trusted | `01` | is kept and exported, within the limit of traces a second; calls carry `01` |
//! | trusted | `00` | is not exported; calls carry `00` |
//! | any other, or none | is ignored | the ratio decides; calls carry its decision |
//!
//! A trace that a trusted caller did not sample, and that has a reason to be kept, stays in memory only:
//! `recent_traces` returns it, it is not exported, and the flag of outgoing calls stays `00`. To export such traces,
//! choose a sampler that ignores the caller, such as `traceidratio`. A plain OpenTelemetry span with a remote parent
//! counts as having a trusted caller, since the host's own code read that parent.
//!
//! The caller's random flag (`02`) is propagated. The caller's `tracestate`, from all headers of that name, is
//! propagated if every member is valid and there are at most 32 members. If it is longer than 512 bytes, members are
//! dropped, starting with those over 128 bytes. OpenTelemetry's own types use the keys of an earlier grammar. So
//! exported spans and the host's propagators omit members such as `a@@b=1`, while calls of
//! [`external`](crate::external) include them.
//!
//! Several `baggage` headers form one list, which is truncated after 8192 bytes. It is propagated without a
//! `traceparent`, too. OpenTelemetry's propagator reads it, and removes white space at either end of a value, even if
//! it is percent-encoded.
//!
//! With [`public_endpoint`](crate::MonitorBuilder::public_endpoint), the traces and baggage of callers are not
//! continued, except for those of trusted proxies.
//!
//! # Beside an OpenTelemetry provider of your own
//!
//! If a service keeps its own provider, join the provider with its sampler:
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
//! | joined | complete, by the service's sampler, with the request's trace ID | have the same spans, including those that are not sampled |
//! | another one | complete, by the service's sampler | have their own trace ID, unless a caller sent one or a span of the provider is around the layer; a finding reports this |
//! | [`tracer_provider()`](crate::otel::Otel::tracer_provider), which `install` sets if there is none | | have all spans |
//!
//! If the provider is not this monitor's, requests add no span to OpenTelemetry's contexts. The service's exporter
//! would never get such a parent, and its flag would override the service's sampler. A request inside a span of that
//! provider continues the span's trace. Calls of [`external`](crate::external) carry the provider's current span,
//! unless this monitor sends its spans over OTLP, too.
//!
//! Two layers of tracing-opentelemetry in one subscriber panic in each span. If the service has its own,
//! [`Otel::tracing_layer`](crate::otel::Otel::tracing_layer) is disabled, and the monitor's own layer records the spans
//! of its traces, unless the provider is joined. A layer that a `reload` handle adds to a running subscriber is not
//! detected.
//!
//! # How budgets are shared
//!
//! The sources of traces share both limits: traces per second and bytes per second. A source is a route, or the name of
//! the topmost span outside of requests, up to its first digit.
//!
//! - The only active source gets the whole budget.
//! - A source that asks for more than its share gets what the others leave.
//! - A source that rarely asks still finds room: a route with one request per second gets its traces even with a
//!   concurrent batch job or a route with ten thousand.
//! - Several sources can together exceed the burst of one source by three eighths, but never the rate in the long run.
//!
//! The memory of recent traces is shared in the same way: when it is full, the oldest trace of the largest source is
//! dropped.
//!
//! # What is dropped when memory is full
//!
//! Undecided traces hold at most 16 MiB in total and 1 MiB each. A trace that finds no room is decided at once:
//!
//! - A trace that is sampled or has a captured error is sent as it is.
//! - For any other trace, the spans so far are discarded and counted in
//!   `watchpost_spans_lost_total{reason="no_room"}`. If the root is kept later, its `watchpost.lost_spans` has their
//!   number.
//!
//! A trace that is open for one minute is decided in the same way. A span whose trace is no longer known counts as
//! `reason="late"`. A trace that has a reason to be kept, but exceeds all budgets, counts in
//! `watchpost_traces_over_budget_total`.
//!
//! An exported span is a record like any other: `watchpost_records_*_total{signal="span"}` counts it, and the limits of
//! [`otlp_endpoint`](crate::MonitorBuilder::otlp_endpoint) apply.
//!
//! # Kept traces in the data directory
//!
//! With a [data directory](crate::MonitorBuilder::data_dir), kept traces are stored there too, in the folder `traces`, and are
//! found after a restart. They take at most `trace.max_stored_bytes`, 256 MiB by default. With 0 none are stored.
//!
//! Failed, slow and sampled traces have files of their own. When the limit is reached, the oldest file of those that have most
//! bytes is removed: samples of a busy service do not displace a few failures, and failures leave a third to each of the
//! others.
//!
//! | to find | call |
//! |---|---|
//! | a trace by its ID, with all spans | [`monitor.find_trace(id)`](crate::Monitor::find_trace), in memory or on disk |
//! | traces by route, duration, status, reason, time, trace ID or request ID | [`monitor.stored_traces(&query)`](crate::Monitor::stored_traces) |
//! | the trace of a log record | `monitor.find_trace(record.trace_id)` |
//! | the log records of a trace, as long as they are in memory | [`monitor.recent_logs`](crate::Monitor::recent_logs) with [`LogQuery::trace_id`](crate::logs::LogQuery::trace_id) |
//!
//! A search reads the files on the monitor's own threads, at most two at the same time, from the newest back. It ends after five
//! seconds with what it has found, and the next query continues there. [`StoredTraces::stored_since`] says since when there are
//! traces.
//!
//! To find traces by the ID of a proxy, allow its header:
//! [`allow_headers`](crate::http::HttpConfig::allow_headers)`(["x-request-id"])`. An ID that [looks like a
//! secret](crate::config) is redacted like everything else.
//!
//! Stored traces are best effort:
//!
//! - Their texts are redacted before they are written.
//! - They are written and synced every two seconds, and at a flush or a shutdown. A process that is killed loses those
//!   that were not written yet.
//! - While the disk fails or hangs, up to 4 MiB of traces wait, and further ones are dropped. `/health` says so
//!   (`traces.store`). The disk is tried again every five seconds.
//! - `watchpost_traces_store_emitted_total` is the sum of `_stored_total` and `_dropped_total`, which has the `reason`. They
//!   count records: one for each kept trace, and one for each group of spans that ended later or did not fit.
//! - A damaged record is passed over and counted in `watchpost_traces_store_damaged_total` when a search reads its file.
//! - Files of a newer version of this crate are not read or changed, and nothing is stored beside them.

mod active_span;
mod attribute_buffer;
mod attribute_value;
mod budget;
pub(crate) mod callsite_filter;
pub(crate) mod callsites;
mod config;
mod decode;
mod decoded_limits;
mod entered_spans;
pub(crate) mod event;
mod foreign_otel;
mod global_provider;
mod joined_provider;
#[cfg(feature = "dashboard")]
mod kept_list;
mod kept_trace;
mod kept_traces_processor;
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
mod stored;
mod trace_display;
mod trace_lookup;
mod trace_sender;
mod trace_state;
mod traceparent;
mod traces;
mod tracing_otel_filter;
mod unique_attributes;

pub use self::attribute_value::AttributeValue;
pub use self::config::{Propagators, SamplerKind, SpanBackend, TraceConfig, TraceExporter};
pub use self::decode::{Span, SpanEvent, SpanLink};
pub use self::kept_trace::KeptTrace;
pub use self::limits::SpanLimits;
pub use self::otlp::{OtlpCompression, OtlpConfig, OtlpProtocol};
pub use self::propagate::{InTrace, in_current_trace, spawn, spawn_blocking};
pub use self::span_builder::{RunSpan, SpanBuilder, TryRunSpan};
pub use self::span_record::{SpanKind, SpanStatus};
pub use self::stored::{StoredTrace, StoredTraceQuery, StoredTraces};
pub use self::trace_lookup::TraceLookup;

pub(crate) use self::active_span::{ActiveSpan, OwnedSpan, put_request_headers};
pub(crate) use self::attribute_buffer::AttributeBuffer;
pub(crate) use self::global_provider::install_provider;
pub(crate) use self::joined_provider::join;
#[cfg(feature = "dashboard")]
pub(crate) use self::kept_list::{
    KeptTraceList, SimilarTrace, TraceCursor, find_in_memory, find_roots, find_similar,
    is_selected, list_traces,
};
pub(crate) use self::kept_traces_processor::KeptTracesProcessor;
pub(crate) use self::layer::{EncodedEvent, OtelConflicts, SpanLayer, SpanLayerConfig, leave_span};
pub(crate) use self::otel_context::{AttachedContext, OtelContext, foreign_current_span};
pub(crate) use self::recent_traces::RecentTraces;
pub(crate) use self::resource::{ServiceIdentity, resource};
pub(crate) use self::route_latency::RouteLatency;
pub(crate) use self::sdk_provider::{outgoing, provider};
pub(crate) use self::span_decoder::SpanDecoder;
pub(crate) use self::span_record::{
    SpanRecord, ValueRef as SpanValue, attributes as attributes_of,
};
pub(crate) use self::span_template::{CountAttributes, SpanTemplate};
pub(crate) use self::stored::{TraceStore, TraceStoreSetup};
pub(crate) use self::trace_lookup::{find_trace, stored_traces};
pub(crate) use self::trace_sender::{RootEnd, RootRecord};
pub(crate) use self::trace_state::{baggage, trace_state};
pub(crate) use self::traceparent::parse_traceparent;
pub(crate) use self::traces::Traces;
pub(crate) use self::tracing_otel_filter::TracingOtelFilter;
