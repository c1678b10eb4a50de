//! Records the HTTP calls that a service makes to others: a span and metrics for each call, rate limits, and the state
//! of each service.
//!
//! [`Monitor::external`](crate::Monitor::external) names a service. Wrap its client once with
//! [`client_layer`](External::client_layer), or each call with a [`CallGuard`]:
//!
//! ```
//! use tower::{Layer, Service, ServiceExt};
//! use watchpost::external::UrlTemplate;
//!
//! # async fn example() -> watchpost::Result<()> {
//! # let client = tower::service_fn(async |_: http::Request<String>| {
//! #     Ok::<_, std::io::Error>(http::Response::new(String::new()))
//! # });
//! let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
//! let mut client = monitor.external("payments").client_layer().layer(client);
//!
//! let url = "https://pay.example.com/v1/charges/4?key=secret";
//! let mut request = http::Request::get(url).body(String::new()).unwrap();
//! request.extensions_mut().insert(UrlTemplate("/v1/charges/{id}".into()));
//! let response = client.ready().await.unwrap().call(request).await.unwrap();
//! drop(response);
//!
//! let payments = &monitor.dependencies()[0];
//! assert_eq!((&*payments.service, payments.calls), ("payments", 1));
//! assert_eq!(payments.state, watchpost::external::DependencyState::Up);
//! # Ok(())
//! # }
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(example()).unwrap();
//! ```
//!
//! # How to record a client
//!
//! | client | how |
//! |---|---|
//! | a tower service: hyper-util, a tonic `Channel` | wrap it once with [`client_layer`](External::client_layer) |
//! | reqwest, with the feature `reqwest` | send each request with `External::send` |
//! | any other | wrap each call with [`call`](External::call), and add the trace to its request with [`inject`](CallGuard::inject) |
//!
//! # What is recorded
//!
//! | where | what |
//! |---|---|
//! | the trace | a span by the HTTP client conventions, named by the method and the [template](CallGuard::template) |
//! | `http_client_request_duration_seconds` | a histogram by method, server, service, status, outcome and `error_type`, with the bounds 1, 5, 25, 100 and 500 ms and 2.5 s |
//! | `http_client_active_requests` | calls under way, a gauge by method and server |
//! | `watchpost_external_rate_limit_*` | gauges by service and window: `limit` and `remaining` (calls, tokens or what the window counts), `reset_seconds`, `used_ratio` (0 to 1), `exhausted_in_seconds` (`+Inf` if the window resets earlier) |
//! | [`Monitor::dependencies`](crate::Monitor::dependencies) | by service: rate, errors, timeouts, p95, the last error, limits, and the state with its reason |
//!
//! After five calls of the client above, where the last one got a 503, the metrics contain:
//!
//! ```text
//! http_client_request_duration_seconds_sum{error_type="503",http_request_method="GET",http_response_status_code="503",network_protocol_version="1.1",server_address="pay.example.com",server_port="443",service_peer_name="payments",watchpost_outcome="completed"} 0.038700214
//! http_client_request_duration_seconds_count{error_type="503",http_request_method="GET",http_response_status_code="503",network_protocol_version="1.1",server_address="pay.example.com",server_port="443",service_peer_name="payments",watchpost_outcome="completed"} 1
//! watchpost_external_rate_limit_used_ratio{service_peer_name="payments",watchpost_rate_limit_window="requests"} 0.3
//! ```
//!
//! The span of the last call:
//!
//! ```text
//! GET /v1/charges/{id}                 client  38.700214ms  error
//!   http.request.method                GET
//!   url.full                           https://REDACTED:REDACTED@pay.example.com/v1/charges/4?key=REDACTED
//!   server.address                     pay.example.com
//!   server.port                        443
//!   service.peer.name                  payments
//!   url.template                       /v1/charges/{id}
//!   network.protocol.version           1.1
//!   http.response.status_code          503
//!   error.type                         503
//! ```
//!
//! And the [`Dependency`] that [`Monitor::dependencies`](crate::Monitor::dependencies) returns:
//!
//! ```text
//! Dependency {
//!     service: "payments", state: Degraded,
//!     reason: "1 of the last 5 calls failed, the last one with `503`",
//!     calls: 5, errors: 1, timeouts: 0, cancelled: 0, rate: 5.0, error_rate: 0.2, p95: 43.225158ms,
//!     last_error: Some(LastError { error: "503", age: 1.257592ms }),
//!     limits: [Limit {
//!         window: "requests", limit: Some(100), remaining: Some(70), reset: Some(11.998626419s),
//!         length: None, used_ratio: Some(0.3), exhausted_in: None,
//!     }],
//! }
//! ```
//!
//! `service.peer.name` is the name that was given to `external`. The URL is recorded without credentials, without the
//! values of its query and without its fragment. Headers, bodies and the texts of errors are not recorded.
//!
//! # When a call ends
//!
//! With the layer and `External::send`, a call ends with the last byte or the trailers of the response body. With a
//! guard, it ends when [`finish`](CallGuard::finish), [`fail`](CallGuard::fail), [`time_out`](CallGuard::time_out) or
//! one of the `run` methods completes.
//!
//! | `watchpost_outcome` | when |
//! |---|---|
//! | `completed` | A response was received, with any status. From 400 on, the status is an error of the span. |
//! | `failed` | The client returned an error. |
//! | `timeout` | The client or the response body returned an error that is a timeout. |
//! | `cancelled` | The future was dropped before the response arrived: the host's own client disconnected, or a timeout around the call expired. |
//! | `body_dropped` | The response body was dropped before its end, and before all bytes arrived that it or `Content-Length` declares. |
//! | `body_error` | The response body returned an error, or ended with a different number of bytes than declared. |
//! | `panicked` | Code in the call panicked. |
//! | `upgraded` | The response was a 101, which turns the connection into a WebSocket or a tunnel. |
//!
//! A timeout *around* the layer drops the call, which looks like a client that disconnected. A timeout *inside* of
//! the layer is an error that is recognized.
//!
//! # How errors are classified
//!
//! `error_type` is a word such as `timeout`, `connection_refused`, `connection_reset`, `name_not_resolved` or
//! `invalid_response` if the error, or one of its sources, is of `std`, tokio, tower, hyper or reqwest, or if it is
//! boxed. Otherwise it is the name of the error's type; [`errors_of`](ClientLayer::errors_of) adds types whose sources
//! are examined.
//!
//! # When a service is degraded or down
//!
//! The state follows from the last 256 calls of the last five minutes. With five or more calls, a service is down if at
//! least half of them failed, and degraded if at least a tenth did. A service that requested a pause (`Retry-After`) is
//! degraded until it ends. A call without a response, and one with a 5xx or 429, is a failure of the service; one that
//! the host cancelled is not.
//!
//! # Which headers carry the trace
//!
//! `traceparent`, and the `tracestate` and `baggage` of the host's caller, as `trace.propagators` sets it. Leave
//! `baggage` out of that setting if other companies' services must not see what your callers put into it. The sampled
//! flag is the decision at the start of the trace, made by a trusted caller or the sampling ratio. A trace that is kept
//! here only because an error occurred may be missing on the other side.
//!
//! # gRPC
//!
//! The layer wraps a tonic `Channel` like any client. Requests to a channel have no authority, so set the server. Add
//! tonic's error types, since this crate does not depend on tonic:
//!
//! ```
//! use tower::Layer;
//!
//! # fn example(monitor: watchpost::Monitor, channel: tonic::transport::Channel) {
//! let layer = monitor
//!     .external("billing")
//!     .client_layer()
//!     .server("billing.internal", 443)
//!     .errors_of::<tonic::transport::Error>()
//!     .errors_of::<tonic::Status>();
//! let channel = layer.layer(channel); // for `BillingClient::new(channel)`
//! # }
//! ```
//!
//! A request with a gRPC `content-type` is recorded by the RPC conventions. Its span is named by the gRPC method, and
//! it is counted both in `http_client_request_duration_seconds` and in a separate histogram:
//!
//! ```text
//! rpc_client_call_duration_seconds_count{error_type="UNAVAILABLE",rpc_method="shop.Cart/Call",rpc_response_status_code="UNAVAILABLE",rpc_system_name="grpc",server_address="billing.internal",server_port="443",service_peer_name="billing"} 50
//! ```
//!
//! The status comes from the headers or the trailers. As in gRPC clients, a response that ends without a status is
//! UNKNOWN. Every status except OK is an error of the span. UNKNOWN, `DEADLINE_EXCEEDED`, `RESOURCE_EXHAUSTED`,
//! UNIMPLEMENTED, INTERNAL, UNAVAILABLE and `DATA_LOSS` are failures of the service, which can make it degraded or
//! down.
//!
//! A deadline that the server reports is the status `DEADLINE_EXCEEDED`; one that the client enforces is the outcome
//! `timeout` without a status. A call whose response body is dropped before its trailers has no status. Statuses in the
//! body frames of gRPC-Web are not read: such a call has no gRPC status, and its HTTP status decides.
//!
//! # Calls of generative AI models
//!
//! [`gen_ai`](CallGuard::gen_ai) marks a call of a model; [`tokens`](CallGuard::tokens) and [`cost`](CallGuard::cost)
//! add what it used. The span has the attributes of the conventions for generative AI. Prompts and completions are
//! never recorded.
//!
//! | where | what |
//! |---|---|
//! | `gen_ai_client_operation_duration_seconds` | a histogram by operation, model, service and `error_type` |
//! | `gen_ai_client_token_usage` | tokens of a call, a histogram by operation, model, service, token type and route |
//! | `watchpost_gen_ai_cost` | the cost of a call in your currency, a histogram by operation, model, service and route |
//! | [`Monitor::model_usage`](crate::Monitor::model_usage) | by day, service, model and route, for 31 days |
//!
//! # Which rate limits are read
//!
//! - `RateLimit` and `RateLimit-Policy` of the IETF draft, and its older forms.
//! - `X-RateLimit-*` with resets in seconds, as a Unix timestamp, a date or a Go duration; also by request, token,
//!   minute or day, as services of AI models send them.
//! - `Retry-After`.
//!
//! A value that cannot be parsed is ignored and counted in `watchpost_external_rate_limit_parse_errors_total`. Use
//! [`quota`](External::quota) for a limit that a service does not report in its responses.
//!
//! # Cardinality limits
//!
//! | what | maximum | the rest |
//! |---|---|---|
//! | services of a monitor | 64 | `_other` |
//! | servers of a monitor | 64, with at most 16 of one service | `_other` |
//! | rate-limit windows of a service | 16 | ignored |
//! | gRPC methods | 256 | `_OTHER` |
//! | AI models | 64, with at most 32 of one service | `_OTHER` |
//!
//! Sources: <https://opentelemetry.io/docs/specs/semconv/http/>,
//! <https://opentelemetry.io/docs/specs/semconv/rpc/>, <https://opentelemetry.io/docs/specs/semconv/gen-ai/>,
//! <https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/>

mod body;
mod calls;
mod dependency;
mod end;
mod error_kind;
mod gen_ai;
mod grpc;
mod guard;
mod layer;
mod limits;
#[cfg(feature = "reqwest")]
mod reqwest;
mod server;
mod service;
mod service_limits;
mod service_state;
mod url;

pub use self::body::ClientResponseBody;
pub use self::dependency::{Dependency, DependencyState, LastError};
pub use self::gen_ai::ModelUsage;
pub use self::guard::{CallGuard, RunCall, TryRunCall};
pub use self::layer::{ClientFuture, ClientLayer, ClientService, UrlTemplate};
#[cfg(feature = "reqwest")]
pub use self::reqwest::SendRequest;
pub use self::service::External;
pub use self::service_limits::Limit;

pub(crate) use self::calls::ExternalCalls;
