//! Inbound requests: the endpoint layer, a [`tower::Layer`] that records every request to a service.
//!
//! ```
//! # #[cfg(feature = "axum")] fn example(monitor: watchpost::Monitor) -> axum::Router {
//! use axum::{Router, routing::get};
//!
//! Router::new()
//!     .route("/users/{id}", get(async || "a user"))
//!     .layer(monitor.layer()) // last, after all routes and the fallback
//! # }
//! ```
//!
//! Each request is recorded once, when it has ended: as metrics, a log record and a trace that share one trace ID. The
//! response carries that ID as `x-trace-id`. After `curl http://shop.example/users/17?token=abc` the log has this
//! record:
//!
//! ```json
//! {"timestamp":"2026-01-01T00:00:00.012000Z","level":"INFO","message":"GET /users/{id} 200 12.000 ms","service.name":"shop","trace_id":"6a1cbb26c60f98b21e459be664a000dd","span_id":"86c8bee032b1cb8d","http.request.method":"GET","http.route":"/users/{id}","http.response.status_code":200,"watchpost.outcome":"completed","time_to_headers_ms":12.000,"duration_ms":12.000,"http.response.body.size":6,"url.path":"/users/17","url.query":"token=REDACTED","user_agent.original":"curl/8.5.0"}
//! ```
//!
//! The metrics have these series, and the buckets of the durations:
//!
//! ```text
//! http_server_request_duration_seconds_count{http_request_method="GET",http_response_status_code="200",http_route="/users/{id}",network_protocol_version="1.1",url_scheme="http",watchpost_outcome="completed"} 1
//! http_server_request_duration_seconds_sum{http_request_method="GET",http_response_status_code="200",http_route="/users/{id}",network_protocol_version="1.1",url_scheme="http",watchpost_outcome="completed"} 0.012
//! watchpost_http_time_to_headers_seconds_count{http_request_method="GET",http_route="/users/{id}"} 1
//! watchpost_http_time_to_headers_seconds_sum{http_request_method="GET",http_route="/users/{id}"} 0.012
//! http_server_response_body_size_bytes_count{http_request_method="GET",http_route="/users/{id}",url_scheme="http"} 1
//! http_server_response_body_size_bytes_sum{http_request_method="GET",http_route="/users/{id}",url_scheme="http"} 6
//! http_server_active_requests{http_request_method="GET",url_scheme="http"} 0
//! ```
//!
//! The root span of the trace is `GET /users/{id}`, of kind `SERVER`. It has the attributes of the log record with these
//! differences:
//!
//! | | log record | root span |
//! |---|---|---|
//! | `watchpost.outcome` | always | unless it is `completed` |
//! | duration | `duration_ms` | the span's own duration |
//! | time to headers | `time_to_headers_ms` | `watchpost.time_to_headers_ms` |
//! | `server.address`, `server.port`, `url.scheme`, `network.protocol.version`, `network.peer.address` | no | yes |
//! | `watchpost.kept`, the reason why the trace is kept | no | yes |
//!
//! [`watchpost::trace`](crate::trace) shows what lies below the root and which traces are kept.
//!
//! Contents: [placement](#where-to-put-the-layer), [outcomes](#how-a-request-can-end), [layers that catch
//! panics](#with-a-layer-that-catches-panics), [metrics](#metrics), [end of a
//! request](#when-a-request-ends), [uploads](#uploads-that-break-off), [streams and
//! upgrades](#event-streams-and-upgraded-connections), [hooks](#hooks), [routes](#which-route-a-request-has), [client
//! addresses](#which-client-a-request-has), [other frameworks](#other-frameworks), [hyper](#hyper), [gRPC](#grpc),
//! [limits](#what-the-layer-cannot-see).
//!
//! [`HttpConfig`] has the settings; [`watchpost::config`](crate::config) lists their names in files and variables.
//!
//! # Where to put the layer
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
//! | `Router::new().layer(monitor.layer()).merge(routes)` | Requests to `routes` are not recorded: they were added after the layer. |
//! | `Router::new().merge(routes).layer(monitor.layer()).fallback(not_found)` | Requests to the fallback are not recorded. |
//! | `monitor.layer().layer(router)` | Every request is recorded, and none has a route. A notice says so after 100 responses. |
//!
//! Layers that are added after it lie outside: a timeout there drops the request, which is then `cancelled`, and a
//! response that they make is not recorded. Layers that were added before lie inside, and what they respond is recorded.
//!
//! The layer may lie inside another one of the same monitor, for example in a router that is merged. The outer layer
//! records the request; the inner one passes it through and runs no hook, and a notice says so once. A request that a
//! handler makes to a router is a request of its own. A request that moves to another task between the two layers, as
//! with tower's `Buffer`, may be recorded by both.
//!
//! # How a request can end
//!
//! Each request has exactly one [outcome](crate::Outcome):
//!
//! | `watchpost_outcome` | how the request ended | status | `error_type` | error rate, level ERROR |
//! |---|---|---|---|---|
//! | `completed` | The server has taken the response to its last byte. | yes | the status, if it is 5xx | if the status is 5xx |
//! | `timeout` | As `completed`, with status 408 or one of [`timeout_statuses`](EndpointLayer::timeout_statuses). | yes | the status if it is 5xx, else `timeout` | if the status is 5xx |
//! | `timeout` | The service returned a timeout error, such as tower's `Elapsed`. | none | `timeout` | yes |
//! | `upgraded` | The connection became a WebSocket or a tunnel. | 101, or 2xx to CONNECT | none | no |
//! | `cancelled` | The service's future was dropped before it gave a response: the client left, or an outer layer gave up. | none | none | no |
//! | `upload_aborted` | The client left while it sent the request's body. | none | none | no |
//! | `body_dropped` | The response's body was dropped before its end: mostly, the client left. | yes | the status, if it is 5xx | if the status is 5xx |
//! | `body_error` | The response's body returned an error, or ended with other bytes than it declared. | yes | the status if it is 5xx, else `body_error` | yes |
//! | `failed` | The service returned another error instead of a response. | none | `failed` | yes |
//! | `panicked` | The service or its body panicked. The panic goes on unchanged. | if there were headers | the status if it is 5xx, else `panicked` | yes |
//!
//! For gRPC a failed [status](#grpc) takes the place of 5xx. The [`classify`](EndpointLayer::classify) hook can make any
//! response a failure; its `error_type` is then `failure`. Log records of failures have the level ERROR, all others
//! INFO. The traces of failures, timeouts and slow requests are kept at any sampling ratio, within a budget.
//!
//! This is the error rate in the query language of Prometheus. A 408 has an `error_type`; the second condition leaves it
//! out:
//!
//! ```text
//! sum(rate(http_server_request_duration_seconds_count{error_type!="",http_response_status_code!="408"}[5m]))
//!   / sum(rate(http_server_request_duration_seconds_count[5m]))
//! ```
//!
//! These are the records of a 500, of a handler that panics, and of a client that leaves before the response:
//!
//! ```json
//! {"timestamp":"2026-01-01T00:00:00.042000Z","level":"ERROR","message":"POST /orders 500 30.000 ms","service.name":"shop","trace_id":"e7f8643b45843fff22ddf060b1f05c53","span_id":"dcdad548d1250885","http.request.method":"POST","http.route":"/orders","http.response.status_code":500,"watchpost.outcome":"completed","error.type":"500","time_to_headers_ms":30.000,"duration_ms":30.000,"http.response.body.size":2,"url.path":"/orders","user_agent.original":"curl/8.5.0"}
//! {"timestamp":"2026-01-01T00:00:00.044000Z","level":"ERROR","message":"GET /boom panicked 2.000 ms","service.name":"shop","trace_id":"090308a727d22794783d5478435fb085","span_id":"1855f99e25520e19","http.request.method":"GET","http.route":"/boom","watchpost.outcome":"panicked","error.type":"panicked","duration_ms":2.000,"url.path":"/boom","user_agent.original":"curl/8.5.0"}
//! {"timestamp":"2026-01-01T00:00:00.049000Z","level":"INFO","message":"GET /slow cancelled 5.000 ms","service.name":"shop","trace_id":"e67bd27ef1aab01b30732c1829f8d8fd","span_id":"cf3f073e57bdd279","http.request.method":"GET","http.route":"/slow","watchpost.outcome":"cancelled","duration_ms":5.000,"url.path":"/slow","user_agent.original":"curl/8.5.0"}
//! ```
//!
//! # With a layer that catches panics
//!
//! A panic passes through this layer unchanged. Without another layer, the server closes the connection, and the client
//! gets no response. `tower_http::catch_panic::CatchPanicLayer` makes a 500 of it. Add it before this layer, so that it
//! lies inside:
//!
//! ```
//! # #[cfg(feature = "axum")] fn example(monitor: watchpost::Monitor, routes: axum::Router) -> axum::Router {
//! use tower_http::catch_panic::CatchPanicLayer;
//!
//! routes.layer(CatchPanicLayer::new()).layer(monitor.layer())
//! # }
//! ```
//!
//! | `CatchPanicLayer` | `watchpost_outcome` | status, `error_type` | reason in `watchpost.kept` | `x-trace-id` in the 500 |
//! |---|---|---|---|---|
//! | inside, as above | `completed` | 500, `500` | `error` | yes |
//! | outside, added after this layer | `panicked` | none, `panicked` | `panic` | no |
//! | none | `panicked` | none, `panicked` | `panic` | there is no response |
//!
//! Inside, the recorded status is what the client got. Outside is right if panics should be told apart from other
//! failures in the metrics. In each case the request is a failure of level ERROR, and its trace is kept. The panic itself
//! is a [captured error](crate::errors#panics) with the request's IDs, once, because the panic hook captures it before any
//! layer catches it. `CatchPanicLayer` does not catch panics of response bodies: these are `panicked` in every order.
//!
//! # Metrics
//!
//! | series | labels | unit and kind |
//! |---|---|---|
//! | `http_server_request_duration_seconds` | `http_request_method`, `http_route`, `http_response_status_code`, `watchpost_outcome`, `error_type`, `url_scheme`, `network_protocol_version` | seconds, histogram |
//! | `http_server_active_requests` | `http_request_method`, `url_scheme` | requests under way, gauge |
//! | `watchpost_http_time_to_headers_seconds` | `http_request_method`, `http_route` | seconds, histogram |
//! | `http_server_request_body_size_bytes`, `http_server_response_body_size_bytes` | `http_request_method`, `http_route`, `url_scheme` | bytes, count and sum |
//! | `watchpost_http_connections` | `http_route` | event streams and upgraded connections under way, gauge |
//! | `watchpost_http_connection_duration_seconds` | `http_route`, `watchpost_outcome` | seconds, histogram |
//! | `watchpost_request_db_duration_seconds` | `http_route` | seconds in queries of a request, histogram |
//! | `watchpost_request_db_queries_total`, `watchpost_request_db_duplicates_total`, `watchpost_request_n_plus_one_total` | `http_route` | queries, repeated queries, requests with a query in a loop; counters |
//! | `rpc_server_call_duration_seconds` | `rpc_system_name`, `rpc_method`, `rpc_response_status_code`, `error_type` | seconds, histogram |
//! | `watchpost_long_polls_total` | `http_route` | polls that kept their thread for longer than `http.long_poll` (100 ms), counter |
//! | `watchpost_hook_panics_total` | `hook` | panics of hooks, counter |
//!
//! Labels without a value are left out. The bucket bounds of requests are 1 ms, 5 ms, 25 ms, 100 ms, 500 ms and 2.5 s;
//! those of connections are 1 ms, 100 ms, 1 s, 10 s, 1 min, 10 min and 1 h. The setting `metrics.histograms` sets
//! others. The series of queries and of gRPC calls appear with the first one. Exemplars of durations name a kept trace.
//!
//! **Cardinality.** No text that a client chooses is a label. A method that is not among `http.known_methods` is
//! `_OTHER`; log records and spans have it as `http.request.method_original`. A monitor has at most 4,096 routes, 512 of
//! them from hooks and [connections](crate::Monitor::connection); the requests of all others are counted under `_overflow`.
//!
//! # When a request ends
//!
//! A request starts when the service is called, and its durations are measured from then. It ends with the last byte of
//! the response's body:
//!
//! | response | when the request ends |
//! |---|---|
//! | a body of known length (`String`, `Bytes`, a file, `Content-Length`) | when the server has taken all declared bytes |
//! | a stream without a length | with the body's end |
//! | a body with trailers | with the trailers |
//! | no body; 204, 304, or a response to HEAD | with the headers |
//! | an event stream without a length | with the headers; see [below](#event-streams-and-upgraded-connections) |
//! | 101, or 2xx to CONNECT | with the headers, as `upgraded` |
//! | an error of the service, a panic, a future or body that is dropped | then |
//!
//! Servers do not poll a body again once they have the declared bytes: those of its exact `size_hint`, else those of
//! `Content-Length`. So files, ranges of files and proxied responses are `completed` without a last poll.
//!
//! **The layer sees what the server takes, not what the client receives.** A body of known length is taken at once over
//! HTTP/2, and over HTTP/1 as soon as the connection takes any of it. Such a request is `completed` even if the client
//! leaves before it has read the response. The bytes of a stream that are in the buffers of the server and the system
//! count as sent.
//!
//! **Wrong lengths.** A body that ends with other bytes than it declared is a `body_error`. Over HTTP/1 a server cuts
//! the chunk that crosses the declared length; the size is then the bytes that were sent. If a chunk ends at that
//! length, the server asks for no further one, and the request is `completed`.
//!
//! **Unreadable lengths.** A response is a `body_error` as well if no client can read its `Content-Length`:
//!
//! - The header is no number (`abc`, `+30`, `-1`).
//! - It differs from the length that the body knows.
//! - It is sent together with `Transfer-Encoding` over HTTP/1.1.
//! - The body does not know its length, and the header is a list (`30, 30`), or several headers differ.
//!
//! Over HTTP/1, hyper closes the connection without a response if the body does not know its length. In all other cases it
//! sends the header unchanged.
//!
//! # Uploads that break off
//!
//! If the client leaves while it uploads, the service finds an error in the request's body and responds to nobody, often
//! with 400 or 500. The request is recorded as `upload_aborted`, without that status, and with the bytes that came as
//! its size. The layer must be able to see the body for this: it must be axum's `Body`. Errors that are no lost
//! connection, such as a chunk that cannot be read or a limit that is exceeded, keep the service's response. If the
//! service's future is dropped before it reads on, the request is `cancelled`.
//!
//! A request without a body costs nothing for this; one with a body costs an allocation, and a call for each chunk.
//!
//! `http.request.body.size` is what `Content-Length` declares, whether the service has read it or not. Without that
//! header, or if the client left before the end of the body, it is the bytes that came.
//! [`count_request_body`](EndpointLayer::count_request_body) records the bytes that were read instead.
//!
//! # Event streams and upgraded connections
//!
//! A response with the media type `text/event-stream` and no length ends its request at the headers. The stream has a
//! series of its own, `watchpost_http_connection_duration_seconds`, with the outcomes `completed` if the service ended
//! it, `body_dropped` if the client left or the server gave it up, `body_error` and `panicked`. A stream that lasts
//! longer than a minute has a second log record when it ends, with the IDs and fields of its request and
//! `watchpost.record` `stream_end`:
//!
//! ```json
//! {"timestamp":"2026-01-01T00:01:30.050000Z","level":"INFO","message":"GET /events stream body_dropped 90000.000 ms","service.name":"shop","trace_id":"b8404f9551d2ddffc65adf3b028cf8ef","span_id":"1da70ae7da6b28cd","http.request.method":"GET","http.route":"/events","http.response.status_code":200,"watchpost.outcome":"body_dropped","watchpost.record":"stream_end","duration_ms":90000.000,"http.response.body.size":0,"url.path":"/events","user_agent.original":"curl/8.5.0"}
//! ```
//!
//! ```text
//! watchpost_http_connection_duration_seconds_count{http_route="/events",watchpost_outcome="body_dropped"} 1
//! watchpost_http_connection_duration_seconds_sum{http_route="/events",watchpost_outcome="body_dropped"} 90
//! watchpost_http_connections{http_route="/events"} 0
//! ```
//!
//! The request of a WebSocket or a tunnel ends as `upgraded`. Wrap the task that serves the connection with
//! [`Monitor::connection`](crate::Monitor::connection): it is recorded in the same series, as `completed`, `cancelled`
//! if the task is dropped, or `panicked`.
//!
//! ```
//! # async fn serve(_: ()) {}
//! # fn example(monitor: &watchpost::Monitor, socket: ()) {
//! // In the handler of the upgrade: the task's events and spans then belong to the request's trace.
//! let connection = monitor.connection("/ws");
//! tokio::spawn(connection.run(serve(socket)));
//! # }
//! ```
//!
//! # Hooks
//!
//! Hooks are closures that the layer's methods set. They run on the request's thread, so they must not block.
//!
//! | hook | when it runs | what it gets | what it may do |
//! |---|---|---|---|
//! | [`peer_addr`](EndpointLayer::peer_addr) | before the service is called, first | the request's extensions | return the peer's address |
//! | [`skip`](EndpointLayer::skip) | before the service is called | the request's head | return `true`: the request is not recorded |
//! | [`route`](EndpointLayer::route) | before the service is called, if axum matched no route | the request's head | name the route |
//! | [`user`](EndpointLayer::user) | before the service is called | the request's head | return the user's ID |
//! | [`on_request`](EndpointLayer::on_request) | before the service is called, last | the request's head | add attributes |
//! | [`on_response`](EndpointLayer::on_response) | when the service has responded | the response's head | add attributes |
//! | [`classify`](EndpointLayer::classify) | with the trailers, else at the end | the response's head and trailers | decide whether the response is a failure |
//! | [`on_end`](EndpointLayer::on_end) | at the end of every request, also one that was cancelled or panicked | a [`FinishedRequest`] | add attributes |
//!
//! Attributes are fields of the log record and of the span; the last value of a key wins. No hook can change the request
//! or the response.
//!
//! **Panics.** A hook that panics counts as not set for this request; the request goes on. `watchpost_hook_panics_total`
//! counts the panic. After ten panics the hook is switched off, and a notice names it:
//!
//! ```text
//! the endpoint layer's hook `user` panicked 10 times and is switched off: fix the closure given to `.user(..)`
//! ```
//!
//! # Active users
//!
//! The users that the hook [`user`](EndpointLayer::user) returns are counted: how many distinct ones there were within
//! five minutes and within a day. [`Monitor::active_users`](crate::Monitor::active_users) returns both numbers, and the
//! metrics page shows them:
//!
//! ```text
//! # TYPE watchpost_users_active gauge
//! watchpost_users_active{window="24h"} 4012
//! watchpost_users_active{window="5m"} 137
//! ```
//!
//! - **What counts.** Each request that is recorded, when it ends, however it ends, whether or not it has a log record
//!   or a kept trace. Skipped requests and the monitor's own pages do not count. An empty ID is no user.
//! - **Windows.** `5m` covers the current minute and the five before it, `24h` the current hour and the 24 before it. So
//!   a window shows every user of its time, and may show one for up to a minute, or an hour, longer. Steps of the wall
//!   clock change nothing.
//! - **Error.** Up to 2,048 users in each minute or hour, and 3,584 in the whole window, the numbers are exact but for a
//!   rare difference of one. Beyond that they are estimates with a standard error of 0.6 %, so nearly always within 2 %.
//! - **Memory.** Nothing without users, and never more than 512 KiB.
//! - **Restarts.** With a data directory, the count is stored once a minute and at the shutdown, without the IDs, and goes
//!   on after a restart.
//! - **Absent, not 0.** There is no number until a request with a user has ended. A service without the hook has none.
//! - **Privacy.** Of an ID, only a keyed hash is counted, and only in part. The key is random; with a data directory it
//!   is the file `users.key` there. Whoever has the key and the counts can test whether an ID that they know was active,
//!   but cannot list the IDs.
//!
//! A host that knows its number of users better, such as by its sessions, sets it with
//! [`Monitor::set_active_users`](crate::Monitor::set_active_users).
//!
//! # Which route a request has
//!
//! `http.route` is the pattern of the route that axum matched, such as `/users/{id}`. Requests of a nested service have
//! its prefix: those of `nest_service("/static", ..)` are `/static/*`, also if the service responds with 404. A `Router`
//! should be nested with `nest`, which keeps its inner routes (`/svc/items/{id}`); `nest_service` makes one route of it
//! (`/svc/*`). If axum matched nothing, the [`route`](EndpointLayer::route) hook names the route; without a name it is
//! `_unmatched`.
//!
//! # Which client a request has
//!
//! `client.address` of log records and spans is the address of the connection's peer. axum knows it if the service is
//! served with `into_make_service_with_connect_info::<SocketAddr>()`. With other servers, insert a [`PeerAddr`] or set
//! [`peer_addr`](EndpointLayer::peer_addr).
//!
//! If the peer is among [`trusted_proxies`](EndpointLayer::trusted_proxies), `client.address` is the last address in
//! `Forwarded`, else in `X-Forwarded-For`, that is no trusted proxy; the span's `network.peer.address` is the proxy's. The
//! headers of all other peers are ignored, because a client can send any.
//!
//! A caller's `traceparent` is continued. With `http.public_endpoint` a new trace starts instead, unless the peer is a
//! trusted proxy. The caller's sampled flag counts only from trusted proxies.
//!
//! # Other frameworks
//!
//! The layer stands around any tower service of `http` requests. Only axum 0.8 shows it a route; elsewhere a hook names
//! the routes. After 100 responses without a route, a notice and [`doctor`](crate::Monitor::doctor) say what to write.
//!
//! | framework | what to write |
//! |---|---|
//! | axum 0.8 | `Router::new().route(..).layer(monitor.layer())` |
//! | axum 0.7 | The same, with `monitor.layer().route(..)`: the hook reads that axum's `MatchedPath` from `parts.extensions`. |
//! | tonic | `Server::builder().layer(monitor.layer())`; see [below](#grpc). |
//! | hyper 1 | The layer around the service, and `hyper_util::service::TowerToHyperService` around both; see [below](#hyper). |
//! | warp 0.4 | `layer.layer(warp::service(filter))`, served by hyper, with a `route` hook. |
//! | salvo 1 | `Router::new().hoop(layer.compat())`, with a `route` hook. Requests that no route of that router takes do not reach the layer. |
//! | `lambda_http` 1 | `lambda_http::run(layer.layer(handler))`, with a `route` hook. Call `monitor.flush(..)` before the handler returns: nothing runs between invocations. |
//! | poem, actix-web, rocket | Their middleware has request types of its own, so the layer cannot stand there. Requests are recorded at a tower service, for example one that poem mounts by `.compat()`. Handlers use [`Monitor::span`](crate::Monitor::span), queries and outgoing calls as everywhere. |
//!
//! # hyper
//!
//! hyper has no router and does not show the peer's address to the service. A `route` hook names the routes, and
//! [`PeerAddr`] in the request's extensions is the address:
//!
//! ```no_run
//! use std::convert::Infallible;
//! use http::{Request, Response};
//! use hyper::body::Incoming;
//! use hyper_util::rt::{TokioExecutor, TokioIo};
//! use hyper_util::{server::conn::auto::Builder, service::TowerToHyperService};
//! use tower::{Layer, ServiceBuilder, service_fn};
//! use watchpost::http::PeerAddr;
//!
//! async fn handle(request: Request<Incoming>) -> Result<Response<String>, Infallible> {
//!     Ok(Response::new(format!("hello {}", request.uri().path())))
//! }
//!
//! # async fn example(monitor: watchpost::Monitor) -> std::io::Result<()> {
//! let layer = monitor.layer().route(|parts| match parts.uri.path() {
//!     "/" => Some("/".into()),
//!     path if path.starts_with("/hello/") => Some("/hello/{name}".into()),
//!     _ => None, // `_unmatched`
//! });
//! let service = layer.layer(service_fn(handle));
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//! loop {
//!     let (stream, peer) = listener.accept().await?;
//!     let service = ServiceBuilder::new()
//!         .map_request(move |mut request: Request<Incoming>| {
//!             request.extensions_mut().insert(PeerAddr(peer.ip()));
//!             request
//!         })
//!         .service(service.clone());
//!     tokio::spawn(async move {
//!         let server = Builder::new(TokioExecutor::new());
//!         server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service)).await
//!     });
//! }
//! # }
//! ```
//!
//! The example `hyper_service` has in addition a graceful shutdown. Uploads that break off are recorded as `cancelled` or
//! by the service's own response, because the layer can look into axum's bodies only.
//!
//! # gRPC
//!
//! A gRPC call is an HTTP request and is recorded as one. In addition it is recorded by OpenTelemetry's conventions for
//! RPC: `rpc_server_call_duration_seconds` has a series for each method and status, so that an alert can ask for any
//! status. A service without gRPC calls has no such series.
//!
//! ```text
//! rpc_server_call_duration_seconds_count{rpc_method="grpc.health.v1.Health/Check",rpc_response_status_code="NOT_FOUND",rpc_system_name="grpc"} 2
//! rpc_server_call_duration_seconds_count{rpc_method="grpc.health.v1.Health/Check",rpc_response_status_code="OK",rpc_system_name="grpc"} 4
//! http_server_request_duration_seconds_count{http_request_method="POST",http_response_status_code="200",http_route="/grpc.health.v1.Health/Check",network_protocol_version="2",url_scheme="http",watchpost_outcome="completed"} 6
//! ```
//!
//! This rule of Prometheus fires if more than one call in twenty is refused for its load:
//!
//! ```text
//! sum by (rpc_method) (rate(rpc_server_call_duration_seconds_count{rpc_response_status_code="RESOURCE_EXHAUSTED"}[5m]))
//!   > 0.05 * sum by (rpc_method) (rate(rpc_server_call_duration_seconds_count[5m]))
//! ```
//!
//! The log record has the same names. The span has them too, and its name is the method, or `grpc` if no method is
//! known:
//!
//! ```json
//! {"timestamp":"2026-01-01T00:00:01.000000Z","level":"INFO","message":"POST /grpc.health.v1.Health/Check OK 0.387 ms","service.name":"tonic-service","trace_id":"0af7651916cd43dd8448eb211c80319c","span_id":"b7ad6b7169203331","http.request.method":"POST","http.route":"/grpc.health.v1.Health/Check","http.response.status_code":200,"rpc.system.name":"grpc","rpc.method":"grpc.health.v1.Health/Check","rpc.response.status_code":"OK","watchpost.outcome":"completed","time_to_headers_ms":0.267,"duration_ms":0.387,"http.response.body.size":7,"url.path":"/grpc.health.v1.Health/Check","client.address":"127.0.0.1","user_agent.original":"tonic/0.14.9"}
//! ```
//!
//! **Failures.** UNKNOWN, `DEADLINE_EXCEEDED`, UNIMPLEMENTED, INTERNAL, UNAVAILABLE and `DATA_LOSS` are failures of the
//! service, as the conventions say, and become its `error_type`. All other statuses are successes, as a 4xx is.
//! UNIMPLEMENTED is a failure of a known method; a call of a method that the service does not have is not.
//!
//! **Where the status is read.** In the headers, in the trailers, and for gRPC-Web in the last frame of the body, in its
//! binary and its text form. A status that cannot be read is UNKNOWN. So is that of a gRPC response with HTTP's 200 that
//! ends without a status, with or without trailers: clients report it as UNKNOWN. A call that panics, is cancelled, or
//! whose body is dropped or breaks off has no `rpc_response_status_code`; `error_type` is the outcome, if that is an
//! error. A compressed frame of trailers is not read: the call then has no status.
//!
//! **Methods.** The path of a call is its route and its `rpc_method` if `http.grpc_methods` lists it, or once a gRPC
//! response has shown that the method exists: with the status OK, or with a message. At most 128 paths are learnt, and
//! none with a [`route`](EndpointLayer::route) hook. From then on the route is known from the start of each call: in
//! [`in_flight`](crate::Monitor::in_flight), in long polls, and for calls that panic or are cancelled. Until then
//! `http_route` is `_unmatched` and `rpc_method` is `_OTHER`; list the methods of a service whose calls may all fail. A
//! scan of methods that do not exist makes one series.
//!
//! **tonic inside axum.** `Routes::into_axum_router` has one pattern for each service, `/package.Service/{*rest}`. The
//! path of a method takes its place by the same rule.
//!
//! **Addresses.** tonic keeps the peer's address in a type of its own. Read it with
//! [`peer_addr`](EndpointLayer::peer_addr), and `client.address` and `trusted_proxies` work as with axum. tonic's
//! `Server::timeout` lies outside the layers of `Server::layer`: a call that it ends is `cancelled`.
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
//!
//! # What the layer cannot see
//!
//! - **The client.** A response that the server has taken may never arrive, and a dropped future does not say who
//!   dropped it: the client, or an outer layer.
//! - **The time before the service.** Time in the listen backlog, the TLS handshake and the server's queue, and a
//!   request that the server refuses itself (a malformed head, too many headers) never reach the layer.
//! - **Outer layers.** What they add to the time, and responses that they make, are not recorded.
//! - **Work after the response.** A task that a handler spawned is no part of the request's duration; its spans belong
//!   to the trace if it was started with [`spawn`](crate::trace::spawn).
//! - **Compressed sizes.** `http.response.body.size` counts the bytes that pass the layer. A compression layer inside it
//!   makes it the compressed size, one outside leaves the uncompressed size.
//! - **Routes of other frameworks**, and request bodies of types other than axum's.

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
mod grpc_methods;
mod hooks;
mod in_flight;
mod known_headers;
mod labels;
mod layer;
mod layer_context;
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

#[cfg(feature = "history")]
pub(crate) use self::classify::class_of_labels;
#[cfg(feature = "dashboard")]
pub(crate) use self::client_address::RequestSource;
pub(crate) use self::layer_context::{LayerContext, LayerSetup};
pub(crate) use self::layer_state::RequestLogMode;
