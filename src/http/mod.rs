//! Inbound requests: the endpoint layer.
//!
//! # When a request ends
//!
//! A request begins when the service is called and ends with the last byte of the response's body. Each is recorded
//! once, with one [outcome](crate::Outcome), whatever the service, its bodies or the layer's hooks do:
//!
//! | `watchpost_outcome` | how it ended | error rate |
//! |---|---|---|
//! | `completed` | the response was handed to the server to its last byte | if its status is 5xx |
//! | `timeout` | as `completed`, with status 408 or one of `timeout_statuses`; or the service gave an error that is a time-out, such as tower's `Elapsed` | if its status is 5xx, or without a status |
//! | `upgraded` | the connection became a WebSocket or a tunnel | no |
//! | `cancelled` | the service's future was dropped before it gave headers | no |
//! | `upload_aborted` | the client left while it sent the request's body; there is no status | no |
//! | `body_dropped` | the response's body was dropped before its end: mostly, the client left | if its status is 5xx |
//! | `body_error` | the response's body gave an error, or ended with other bytes than it declared | yes |
//! | `failed` | the service gave another error instead of a response; there is no status | yes |
//! | `panicked` | the service, or its body, panicked; the panic goes on unchanged | yes |
//!
//! `error_type` is the status for a 5xx, else the [gRPC status](#grpc) of a failure, else the outcome where it is in the
//! error rate by itself, or `timeout`.
//!
//! # When a body is whole
//!
//! A body ends when it says so, with its trailers, or when the server drops it after all bytes that were declared:
//! those of the body's exact `size_hint`, else those of the response's `Content-Length`. Servers do not poll a body
//! again once they have them. So files, ranges of files, streams with a `Content-Length` and proxied responses are
//! `completed`. A body that ends with other bytes than it declared is a `body_error`. Over HTTP/1 a server cuts the chunk
//! that crosses the declared length, which is one too, with the bytes that were sent; where a chunk ends at that length,
//! the server asks for no further one, and the request is `completed`.
//!
//! A response whose `Content-Length` no client can read is a `body_error` as well. The header is no number (`abc`, `+30`,
//! `-1`), differs from the length that the body knows, or stands beside `Transfer-Encoding` over HTTP/1.1; of a body that
//! does not know its length, it is a list (`30, 30`), or there are several that differ. hyper then closes an HTTP/1
//! connection without a response. A body that knows its length, and any body over HTTP/2, it sends with the header as it
//! is.
//!
//! The layer sees what the server takes, not what the client receives. A body of known length, such as a `String` or
//! `Bytes`, is taken whole: over HTTP/2 at once, over HTTP/1 as soon as the connection takes any of it. Such a
//! request is `completed` even if the client leaves before it has read the response. Of a stream, what the server and
//! the system hold in their buffers counts as sent.
//!
//! # When a client leaves while it uploads
//!
//! The service then finds an error in the request's body and responds to nobody, often with 400 or 500. The request is
//! recorded as `upload_aborted`, without that status, and with the bytes that came as its size. It takes a body that
//! the layer can see: axum's `Body`. What is no lost connection (a chunk that cannot be read, a limit that is
//! exceeded) stays what the service makes of it. Where the service's future is dropped before it reads on, the
//! request is `cancelled`.
//!
//! A request without a body costs nothing for this. One that has a body costs an allocation, and a call more for each
//! chunk that is read. A body without `Content-Length` that is read to its end has its size recorded this way.
//!
//! With every other outcome than `upload_aborted`, `http.request.body.size` is what `Content-Length` declares, read or not,
//! also where the client leaves and the request is `cancelled`; [`count_request_body`](EndpointLayer::count_request_body)
//! records the bytes that were read instead.
//!
//! # Event streams and upgraded connections
//!
//! A response of the media type `text/event-stream`, in any case and with any parameters, without a length ends its request
//! at the headers. The stream's own life is
//! recorded in `watchpost_http_connection_duration_seconds`, by route and `watchpost_outcome`: `completed` if the
//! service ended it, `body_dropped` if the client left or the server gave it up, `body_error`, or `panicked`. One that
//! lasts longer than a minute has a second log record when it ends, with the ids and fields of its request's, and
//! `watchpost.record` `stream_end`:
//!
//! ```json
//! {"timestamp":"2026-01-01T00:01:30.000Z","level":"INFO","message":"GET /events stream body_dropped 90000.000 ms","service.name":"shop","trace_id":"0af7651916cd43dd8448eb211c80319c","span_id":"b7ad6b7169203331","http.request.method":"GET","http.route":"/events","http.response.status_code":200,"watchpost.outcome":"body_dropped","watchpost.record":"stream_end","duration_ms":90000.000,"http.response.body.size":12,"url.path":"/events"}
//! ```
//!
//! A WebSocket's or tunnel's task is wrapped by [`Monitor::connection`](crate::Monitor::connection) and recorded in
//! the same series: `completed`, `cancelled` if the task is dropped, or `panicked`.
//!
//! # Where the layer stands
//!
//! With axum, the layer is the last call on the router, after all routes and the fallback: axum puts a layer around what
//! the router has at that moment.
//!
//! ```
//! # #[cfg(feature = "axum")] fn example(monitor: watchpost::Monitor, routes: axum::Router) -> axum::Router {
//! # let not_found = || async { "not found" };
//! axum::Router::new().merge(routes).fallback(not_found).layer(monitor.layer())
//! # }
//! ```
//!
//! | written | what is wrong |
//! |---|---|
//! | `Router::new().layer(monitor.layer()).merge(routes)` | no request to `routes` is recorded: they came after the layer |
//! | `Router::new().merge(routes).layer(monitor.layer()).fallback(not_found)` | what the fallback responds to is not recorded |
//! | `monitor.layer().layer(router)` | every request is recorded, and none has a route; a notice says so after 100 of them |
//!
//! The layer may stand inside another one of the same monitor, such as in a router that is merged. The outer layer
//! records the request; the inner one passes it through, calls no hook, and a notice says so once. A request that a
//! handler makes to a router is a request of its own. A request that crosses to another task between the two layers, as
//! with tower's `Buffer`, may be recorded by both.
//!
//! # Which route a request has
//!
//! `http.route` is the pattern of the route that axum matched, such as `/users/{id}`. Requests of a nested service have
//! its prefix: those of `nest_service("/static", ..)` are `/static/*`, also where the service responds with 404. A
//! `Router` is nested with `nest`, which keeps its inner routes (`/svc/items/{id}`); `nest_service` makes one route of it
//! (`/svc/*`). Where axum matched nothing, the [`route`](EndpointLayer::route) hook names the route, and else it is `_unmatched`.
//!
//! No text that a client chooses is a label. A method that is not among `http.known_methods` is `_OTHER`; spans and log
//! records have it as `http.request.method_original`. The `Host` is `server.address` and `server.port` on spans alone.
//!
//! # Other frameworks
//!
//! The layer stands around any tower service of `http` requests. Only axum 0.8 shows it a route; elsewhere the host names
//! routes by a hook. After 100 responses without a route a notice and [`doctor`](crate::Monitor::doctor) say what to write.
//!
//! | framework | what to write |
//! |---|---|
//! | axum 0.8 | `Router::new().route(..).layer(monitor.layer())` |
//! | axum 0.7 | the same, with `monitor.layer().route(..)`, where the hook reads that axum's `MatchedPath` from `parts.extensions` |
//! | tonic | `Server::builder().layer(monitor.layer())`; see below |
//! | hyper | the layer around the service, and `hyper_util::service::TowerToHyperService` around both; see the example `hyper_service` |
//! | warp 0.4 | `layer.layer(warp::service(filter))`, served by hyper, with a `route` hook |
//! | salvo 1 | `Router::new().hoop(layer.compat())`, with a `route` hook; what no route of that router wants does not reach the layer |
//! | `lambda_http` 1 | `lambda_http::run(layer.layer(handler))`, with a `route` hook; call `monitor.flush(..)` before the handler returns, since nothing runs between invocations |
//! | poem, actix-web, rocket | their middleware has request types of its own, so the layer cannot stand there. Requests are recorded where they reach a tower service, for example one that poem mounts by `.compat()`; handlers use [`Monitor::trace`](crate::Monitor::trace), queries and calls as everywhere |
//!
//! # gRPC
//!
//! A gRPC call is an HTTP request and is recorded as one. Beside that it is recorded by OpenTelemetry's conventions for
//! gRPC: `rpc_server_call_duration_seconds` has a series for each method and status, so that an alert can ask for any
//! status. A page without gRPC calls has no such series.
//!
//! ```text
//! rpc_server_call_duration_seconds_count{rpc_method="grpc.health.v1.Health/Check",rpc_response_status_code="NOT_FOUND",rpc_system_name="grpc"} 2
//! rpc_server_call_duration_seconds_count{rpc_method="grpc.health.v1.Health/Check",rpc_response_status_code="OK",rpc_system_name="grpc"} 4
//! http_server_request_duration_seconds_count{http_request_method="POST",http_response_status_code="200",http_route="/grpc.health.v1.Health/Check",network_protocol_version="2",url_scheme="http",watchpost_outcome="completed"} 6
//! ```
//!
//! This rule of Prometheus fires where more than one call in twenty is refused for its load:
//!
//! ```text
//! sum by (rpc_method) (rate(rpc_server_call_duration_seconds_count{rpc_response_status_code="RESOURCE_EXHAUSTED"}[5m]))
//!   > 0.05 * sum by (rpc_method) (rate(rpc_server_call_duration_seconds_count[5m]))
//! ```
//!
//! The log record has the same names. The span has them too, and its name is the method, or `grpc` where no method is
//! known:
//!
//! ```json
//! {"timestamp":"2026-01-01T00:00:01.000Z","level":"INFO","message":"POST /grpc.health.v1.Health/Check OK 0.387 ms","service.name":"tonic-service","trace_id":"0af7651916cd43dd8448eb211c80319c","span_id":"b7ad6b7169203331","http.request.method":"POST","http.route":"/grpc.health.v1.Health/Check","http.response.status_code":200,"rpc.system.name":"grpc","rpc.method":"grpc.health.v1.Health/Check","rpc.response.status_code":"OK","watchpost.outcome":"completed","time_to_headers_ms":0.267,"duration_ms":0.387,"http.response.body.size":7,"url.path":"/grpc.health.v1.Health/Check","client.address":"127.0.0.1","user_agent.original":"tonic/0.14.9"}
//! ```
//!
//! **Failures.** UNKNOWN, `DEADLINE_EXCEEDED`, UNIMPLEMENTED, INTERNAL, UNAVAILABLE and `DATA_LOSS` are failures of the
//! service, as the conventions say, and are its `error_type`. All other statuses are successes, as a 4xx is.
//! UNIMPLEMENTED is a failure of a method that is known; to call a method that the service does not have is none.
//!
//! **Where the status is read.** In the headers, in the trailers, and for gRPC-Web in the last frame of the body, in its
//! binary and its text form. A status that cannot be read is UNKNOWN. So is the status of a gRPC response with HTTP's 200
//! that comes to its end without one, with or without trailers: clients report it as UNKNOWN. A call that panics, is cancelled, or
//! whose body is dropped or breaks off has no `rpc_response_status_code`; `error_type` has the outcome where that is an
//! error. A compressed frame of trailers is not read: the call then has no status.
//!
//! **Methods.** The path of a call is its route and its `rpc_method` where `http.grpc_methods` lists it, or once a gRPC
//! response has shown that the method exists: with the status OK, or with a message. At most 128 paths are learnt, and
//! none where there is a [`route`](EndpointLayer::route) hook. From then on the route is there from the start of each
//! call, and so in [`in_flight`](crate::Monitor::in_flight), in long polls, and for calls that panic or are cancelled.
//! Until then `http_route` is `_unmatched` and `rpc_method` is `_OTHER`; list the methods of a service whose calls may
//! all fail. A scan of methods that do not exist makes one series.
//!
//! **tonic inside axum.** `Routes::into_axum_router` has one pattern for a service, `/package.Service/{*rest}`. The path
//! of a method takes its place by the same rule.
//!
//! **Addresses.** tonic keeps the peer's address in a type of its own. Name it with
//! [`peer_addr`](EndpointLayer::peer_addr), and `client.address` and `trusted_proxies` work as with axum. A time-out of
//! tonic's `Server::timeout` stands outside of the layers of `Server::layer`: it is `cancelled`.
//!
//! ```
//! # fn example(monitor: watchpost::Monitor) {
//! use tonic::transport::server::{Server, TcpConnectInfo};
//!
//! let layer = monitor
//!     .layer()
//!     .peer_addr(|extensions| extensions.get::<TcpConnectInfo>()?.remote_addr());
//! let server = Server::builder().layer(layer);
//! # }
//! ```

mod body;
mod cidr;
mod classify;
mod client_address;
mod config;
mod connection;
mod finished;
#[cfg_attr(feature = "axum", path = "axum.rs")]
#[cfg_attr(not(feature = "axum"), path = "no_axum.rs")]
mod framework;
mod future;
mod grpc;
mod hooks;
mod in_flight;
mod known_headers;
mod layer;
mod layer_state;
mod nested_layer;
mod panic;
mod poll_guard;
mod query_totals;
mod request_body;
mod request_guard;
mod request_trace;
mod response_body;
mod rpc_series;
mod series;
mod service;
mod service_error;
mod stream_end;
mod thread_cache;
mod unrouted;
#[cfg_attr(
    not(any(feature = "axum", test)),
    expect(dead_code, reason = "only axum's bodies are watched")
)]
mod upload;

pub use self::body::ResponseBody;
pub use self::cidr::{Cidr, CidrError};
pub use self::classify::Class;
pub use self::client_address::PeerAddr;
pub use self::config::HttpConfig;
pub use self::connection::{Connection, RunConnection};
pub use self::finished::FinishedRequest;
pub use self::future::ResponseFuture;
pub use self::layer::EndpointLayer;
pub use self::service::EndpointService;

pub(crate) use self::layer::LayerContext;
pub(crate) use self::layer_state::RequestLogMode;
