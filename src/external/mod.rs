//! Outgoing calls: a guard around each, a span, a series, the limits that services tell, and how they do.
//!
//! ```
//! use tower::{Layer, Service, ServiceExt};
//!
//! # async fn example() -> watchpost::Result<()> {
//! # let client = tower::service_fn(async |_: http::Request<String>| {
//! #     Ok::<_, std::io::Error>(http::Response::new(String::new()))
//! # });
//! let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
//! let mut client = monitor.external("payments").client_layer().layer(client);
//!
//! let request = http::Request::get("http://pay.internal/v1/balance?key=secret").body(String::new()).unwrap();
//! let answer = client.ready().await.unwrap().call(request).await;
//! # drop(answer);
//! let payments = &monitor.dependencies()[0];
//! assert_eq!((&*payments.service, payments.calls), ("payments", 1));
//! assert_eq!(payments.state, watchpost::external::DependencyState::Up);
//! # Ok(())
//! # }
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(example()).unwrap();
//! ```
//!
//! # How to watch a client
//!
//! A client that is a tower service, such as hyper-util's or a tonic channel, is wrapped by
//! [`client_layer`](External::client_layer) and needs no more. reqwest's requests are sent by `External::send`, with
//! the feature `reqwest`. Of any other client each call is wrapped by a [guard](CallGuard), and
//! [`inject`](CallGuard::inject) puts the trace into its request.
//!
//! # When a call ends
//!
//! Through the layer with the last byte of the response's body, or its trailers; of a guard with what is called of it.
//!
//! | `watchpost_outcome` | |
//! |---|---|
//! | `completed` | there was an answer, whatever its status; from 400 on the span's status is an error |
//! | `failed` | the client gave an error |
//! | `timeout` | the client, or the answer's body, gave an error that is a time-out |
//! | `cancelled` | the future was dropped before the answer: our own client left, or a time-out around it gave up |
//! | `body_dropped` | the response's body was dropped before its end, and before all bytes came that it or `Content-Length` declares |
//! | `body_error` | the response's body gave an error, or ended with other bytes than were declared |
//! | `panicked` | code in it panicked |
//! | `upgraded` | the response, 101, made the connection a WebSocket or a tunnel |
//!
//! A time-out *around* the layer drops the call, which cannot be told from a client that left; inside of it, it is an
//! error that is known.
//!
//! Errors are told apart by type (`error_type`): `connection_refused`, `connection_reset`, `invalid_answer` and so on
//! where the error, or one behind it, is one of `std`, tokio, tower, hyper or reqwest, or is boxed; else by the name of
//! the client's type.
//!
//! # What goes along
//!
//! `traceparent`, and the caller's `tracestate` and `baggage`, as `trace.propagators` says: leave `baggage` out of it
//! where services of others should not see what your callers put there. The sampled flag is the decision at the trace's
//! start, a trusted caller's or the ratio's: what is kept here because it went wrong may be missing on the other side.
//!
//! # What is kept of a call
//!
//! Method, server, status, and the URL without credentials, without the values of its query and without its fragment.
//! Headers, bodies and the texts of errors are not kept. `service.peer.name` is the name that was given here.
//!
//! | where | what |
//! |---|---|
//! | the trace | a span by the HTTP client conventions, named by the method and the [template](CallGuard::template) |
//! | `http_client_request_duration_seconds` | by method, server, service, status, outcome and `error_type` |
//! | `http_client_active_requests` | by method and server |
//! | `watchpost_external_rate_limit_*` | by service and window: `limit`, `remaining`, `reset_seconds`, `used_ratio`, `exhausted_in_seconds` |
//! | [`monitor.dependencies()`](crate::Monitor::dependencies) | by service: rate, errors, time-outs, p95, the last error, limits, and whether it is up, with the reason |
//!
//! # gRPC
//!
//! The layer stands around a `Channel` of tonic as around any client. Requests to a channel have no authority, so name the
//! server; and name tonic's types of errors, which this crate does not depend on:
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
//! A request whose `content-type` is gRPC's is a call by the conventions for RPC. It is counted in
//! `http_client_request_duration_seconds`, and in a histogram of its own:
//!
//! ```text
//! rpc_client_call_duration_seconds_count{error_type="UNAVAILABLE",rpc_method="shop.Cart/Call",rpc_response_status_code="UNAVAILABLE",rpc_system_name="grpc",server_address="billing.internal",server_port="443",service_peer_name="billing"} 50
//! ```
//!
//! The span's name is the method. The status comes from the headers or the trailers; a response that ends without one is
//! UNKNOWN, as clients take it. Each status but OK is an error of the span. A failure of the service, which can make it
//! down, is UNKNOWN, `DEADLINE_EXCEEDED`, `RESOURCE_EXHAUSTED`, UNIMPLEMENTED, INTERNAL, UNAVAILABLE or `DATA_LOSS`. A
//! deadline that the server reports is the status `DEADLINE_EXCEEDED`; one that the client keeps is the outcome `timeout`,
//! without a status. A response body that is dropped before its trailers has no status. Statuses in the frames of
//! gRPC-Web are not read on this side: such a call has no status, and is judged by that of HTTP.
//!
//! # Calls of models
//!
//! [`gen_ai`](CallGuard::gen_ai) says that a call asks a model, [`tokens`](CallGuard::tokens) and
//! [`cost`](CallGuard::cost) what it used. The span has the attributes of the conventions for generative AI;
//! `gen_ai_client_operation_duration_seconds` and `gen_ai_client_token_usage` count by model, the tokens and
//! `watchpost_gen_ai_cost` by route too, and [`monitor.model_usage()`](crate::Monitor::model_usage) by day, for 31
//! days. Prompts and answers are never kept.
//!
//! # Which limits are read
//!
//! `RateLimit` and `RateLimit-Policy` of the IETF draft and its older forms, `X-RateLimit-*` with resets in seconds,
//! as a time of the epoch, a date or a Go duration, the kinds by request, token, minute or day that model services
//! send, and `Retry-After`. What cannot be read is ignored and counted in
//! `watchpost_external_rate_limit_rubbish_total`. What a service tells elsewhere is set by
//! [`quota`](External::quota).
//!
//! # What is bounded
//!
//! 64 services and 64 servers of a monitor are told apart, 16 windows of a service; all further ones count as
//! `_other`. 256 gRPC methods are; further ones are `_OTHER`.
//!
//! Sources: <https://opentelemetry.io/docs/specs/semconv/http/>,
//! <https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/>

mod body;
mod calls;
mod dependency;
mod end;
mod gen_ai;
mod grpc;
mod guard;
mod known;
mod layer;
mod limits;
mod quota;
#[cfg(feature = "reqwest")]
mod reqwest;
mod server;
mod service;
mod url;
mod watched;

pub use self::body::AnswerBody;
pub use self::dependency::{Dependency, DependencyState, LastError};
pub use self::gen_ai::ModelUsage;
pub use self::guard::{CallGuard, RunCall, TryRunCall};
pub use self::layer::{Client, ClientFuture, ClientLayer, UrlTemplate};
pub use self::quota::Limit;
#[cfg(feature = "reqwest")]
pub use self::reqwest::SendRequest;
pub use self::service::External;

pub(crate) use self::calls::Calls;
