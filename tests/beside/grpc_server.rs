//! gRPC servers on tonic with the endpoint layer, with real servers and clients over loopback.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf as _, BufMut as _, Bytes};
use http::Request;
use http::uri::PathAndQuery;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;
use tonic::client::{Grpc, GrpcService};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::NamedService;
use tonic::service::Routes;
use tonic::transport::server::TcpConnectInfo;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Status};
use watchpost::http::{EndpointLayer, HttpConfig};
use watchpost::testing::Page;
use watchpost::trace::SpanStatus;
use watchpost::{Monitor, MonitorGuard};

use crate::cases::{Case, host_output};
use crate::support::{Written, block_on, builder, records};

pub(crate) const CASES: [Case; 9] = [
    Case::new("grpc_server_of_tonic", of_tonic),
    Case::new("grpc_server_scanned", scanned),
    Case::new("grpc_server_health", health),
    Case::new("grpc_server_web_inside_the_layer", || web(true)),
    Case::new("grpc_server_web_outside_the_layer", || web(false)),
    Case::new("grpc_server_in_axum", in_axum),
    Case::new("grpc_server_interceptor", interceptor),
    Case::new("grpc_server_over_a_unix_socket", unix_socket),
    Case::unchanged("grpc_server_with_traces_of_its_own", with_traces),
];

const HTTP: &str = "http_server_request_duration_seconds_count";
const RPC: &str = "rpc_server_call_duration_seconds_count";
pub(crate) const CALL: &str = "/shop.Cart/Call";
pub(crate) const WATCH: &str = "/shop.Cart/Watch";

/// A codec whose messages are bytes.
#[derive(Clone, Copy, Default)]
pub(crate) struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

/// A service whose calls end as their message requests: with a panic, never, or with a status.
#[derive(Clone)]
pub(crate) struct Cart;

impl NamedService for Cart {
    const NAME: &'static str = "shop.Cart";
}

async fn response(message: Bytes) -> Result<tonic::Response<Bytes>, Status> {
    match &*message {
        b"panic" => std::panic::resume_unwind(Box::new("planned")),
        b"hang" => std::future::pending().await,
        [code] if *code != 0 => Err(Status::new(Code::from(i32::from(*code)), "planned")),
        _ => Ok(tonic::Response::new(message)),
    }
}

impl tower_service::Service<Request<Body>> for Cart {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(Raw);
            Ok(match request.uri().path() {
                CALL => {
                    let call = |request: tonic::Request<Bytes>| response(request.into_inner());
                    grpc.unary(tower::service_fn(call), request).await
                }
                // Two messages, then the requested status, or nothing forever.
                WATCH => {
                    let watch = |request: tonic::Request<Bytes>| async move {
                        let two = [Ok(Bytes::from("1")), Ok(Bytes::from("2"))];
                        let last = async move {
                            response(request.into_inner())
                                .await
                                .map(tonic::Response::into_inner)
                        };
                        let last = futures_util::stream::once(Box::pin(last));
                        let all =
                            futures_util::StreamExt::chain(futures_util::stream::iter(two), last);
                        Ok::<_, Status>(tonic::Response::new(all))
                    };
                    grpc.server_streaming(tower::service_fn(watch), request)
                        .await
                }
                _ => Status::unimplemented("no such method").into_http(),
            })
        })
    }
}

/// The layer with the peer address of tonic.
fn layer(monitor: &Monitor) -> EndpointLayer {
    monitor
        .layer()
        .peer_addr(|extensions| extensions.get::<TcpConnectInfo>()?.remote_addr())
}

pub(crate) async fn listen() -> (TcpListenerStream, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (TcpListenerStream::new(listener), address)
}

/// Serves the service with the layer; returns its address.
async fn serve(layer: EndpointLayer) -> SocketAddr {
    let (incoming, address) = listen().await;
    let server = Server::builder().layer(layer).add_service(Cart);
    tokio::spawn(server.serve_with_incoming(incoming));
    address
}

async fn connect(address: SocketAddr) -> Grpc<Channel> {
    let endpoint = Endpoint::new(format!("http://{address}")).unwrap();
    Grpc::new(endpoint.connect().await.unwrap())
}

/// The code of a unary call.
pub(crate) async fn call<C>(client: &mut Grpc<C>, message: &[u8]) -> Code
where
    C: GrpcService<Body>,
    C::ResponseBody: http_body::Body<Data = Bytes> + Send + 'static,
    <C::ResponseBody as http_body::Body>::Error: Into<tonic::codegen::StdError>,
    C::Error: std::fmt::Debug,
{
    client.ready().await.unwrap();
    let request = tonic::Request::new(Bytes::copy_from_slice(message));
    let path = PathAndQuery::from_static(CALL);
    match client.unary::<Bytes, Bytes, _>(request, path, Raw).await {
        Ok(_) => Code::Ok,
        Err(status) => status.code(),
    }
}

pub(crate) fn page(monitor: &Monitor) -> Page {
    Page::read(&monitor.metrics().render())
}

/// Waits until this number of requests has ended.
async fn ended(monitor: &Monitor, requests: f64) -> Page {
    loop {
        let page = page(monitor);
        if page.sum(HTTP, &[]) >= requests {
            return page;
        }
        tokio::task::yield_now().await;
    }
}

fn installed() -> (MonitorGuard, Written) {
    let (builder, written) = builder();
    (builder.install().unwrap(), written)
}

/// The log records of requests.
fn requests(monitor: &Monitor, written: &Written) -> Vec<Value> {
    let mut all = records(monitor, written);
    all.retain(|record| record["http.request.method"] != Value::Null);
    all
}

/// Checks that each request has one log record, one trace with its ID, and one count in each metric.
fn once(monitor: &Monitor, written: &Written, all: usize) -> Vec<Value> {
    let records = requests(monitor, written);
    assert_eq!(records.len(), all, "{records:#?}");
    let mut ids: Vec<_> = records
        .iter()
        .map(|record| record["trace_id"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    let traces = monitor.recent_traces();
    let mut kept: Vec<_> = traces.iter().map(|it| it.trace_id.to_string()).collect();
    kept.sort();
    assert_eq!(ids, kept);
    let page = page(monitor);
    assert_eq!(page.sum(HTTP, &[]) as usize, all);
    records
}

fn of_tonic() {
    let (monitor, written) = installed();
    block_on(async {
        let address = serve(layer(&monitor)).await;
        let mut client = connect(address).await;
        for code in 0..=16 {
            assert_eq!(
                call(&mut client, &[code]).await,
                Code::from(i32::from(code))
            );
        }
        // The task of the stream panics; the connection stays open.
        assert_ne!(call(&mut client, b"panic").await, Code::Ok);
        ended(&monitor, 18.0).await;
        // The client cancels.
        let mut second = client.clone();
        let hanging = tokio::spawn(async move { call(&mut second, b"hang").await });
        loop {
            let under_way = monitor.in_flight();
            if let [request] = &*under_way {
                assert_eq!(&*request.route, CALL);
                break;
            }
            tokio::task::yield_now().await;
        }
        hanging.abort();
        ended(&monitor, 19.0).await;
        // A deadline that the client sends and tonic's server enforces.
        client.ready().await.unwrap();
        let mut request = tonic::Request::new(Bytes::from("hang"));
        request.set_timeout(Duration::from_millis(20));
        let path = PathAndQuery::from_static(CALL);
        let late = client.unary::<Bytes, Bytes, _>(request, path, Raw).await;
        assert_ne!(late.unwrap_err().code(), Code::Ok);
        ended(&monitor, 20.0).await;
        // A stream that ends, one that fails, and one that the client cancels.
        for (message, code) in [(&b"ok"[..], Code::Ok), (&[13], Code::Internal)] {
            client.ready().await.unwrap();
            let request = tonic::Request::new(Bytes::from_static(message));
            let path = PathAndQuery::from_static(WATCH);
            let stream = client.server_streaming::<Bytes, Bytes, _>(request, path, Raw);
            let mut stream = stream.await.unwrap().into_inner();
            let end = loop {
                match stream.message().await {
                    Ok(Some(_)) => {}
                    Ok(None) => break Code::Ok,
                    Err(status) => break status.code(),
                }
            };
            assert_eq!(end, code);
        }
        client.ready().await.unwrap();
        let request = tonic::Request::new(Bytes::from("hang"));
        let path = PathAndQuery::from_static(WATCH);
        let stream = client.server_streaming::<Bytes, Bytes, _>(request, path, Raw);
        let mut stream = stream.await.unwrap().into_inner();
        assert!(stream.message().await.unwrap().is_some());
        drop(stream);
        ended(&monitor, 23.0).await;
    });
    let records = once(&monitor, &written, 23);
    for record in &records {
        assert_eq!(record["rpc.system.name"], "grpc", "{record}");
        assert_eq!(record["client.address"], "127.0.0.1", "{record}");
    }
    let page = page(&monitor);
    assert_eq!(page.sum(RPC, &[]), 23.0);
    assert_eq!(page.sum(HTTP, &[("http_route", CALL)]), 20.0);
    assert_eq!(page.sum(HTTP, &[("http_route", WATCH)]), 3.0);
    for (outcome, count) in [
        ("completed", 19.0),
        ("panicked", 1.0),
        ("cancelled", 2.0),
        ("body_dropped", 1.0),
    ] {
        let labels = [("watchpost_outcome", outcome)];
        assert_eq!(page.sum(HTTP, &labels), count, "{outcome}");
    }
    for name in ["NOT_FOUND", "RESOURCE_EXHAUSTED", "UNAUTHENTICATED"] {
        let labels = [
            ("rpc_response_status_code", name),
            ("rpc_method", "shop.Cart/Call"),
        ];
        assert_eq!(page.sum(RPC, &labels), 1.0, "{name}");
        assert_eq!(page.sum(RPC, &[("error_type", name)]), 0.0, "{name}");
    }
    let failed = records.iter().filter(|it| it["level"] == "ERROR").count();
    // Six statuses, the failed stream, the panic.
    assert_eq!(failed, 8);
    let traces = monitor.recent_traces();
    let failed = traces.iter().flat_map(|trace| &trace.spans);
    let failed = failed.filter(|span| span.status == SpanStatus::Error);
    assert_eq!(failed.count(), 8);
}

/// Sends a request over HTTP/2 or HTTP/1.1 and reads the headers, the data and the trailers.
async fn raw(
    address: SocketAddr,
    http2: bool,
    path: &str,
    kind: &str,
    body: Vec<u8>,
) -> (http::HeaderMap, Bytes, Option<http::HeaderMap>) {
    let client = Client::builder(TokioExecutor::new())
        .http2_only(http2)
        .build_http::<Full<Bytes>>();
    let request = Request::post(format!("http://{address}{path}"))
        .header("content-type", kind)
        .header("accept", kind)
        .header("te", "trailers")
        .body(Full::new(Bytes::from(body)))
        .unwrap();
    let (head, body) = client.request(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap();
    let trailers = body.trailers().cloned();
    (head.headers, body.to_bytes(), trailers)
}

fn frame(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0], &length[..], message].concat()
}

fn scanned() {
    let (monitor, written) = installed();
    block_on(async {
        let address = serve(layer(&monitor)).await;
        let (_, _, trailers) = raw(address, true, CALL, "application/grpc", frame(b"ok")).await;
        assert_eq!(trailers.unwrap()["grpc-status"], "0");
        for path in [
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
            "/shop.Cart/None",
            "/admin.Users/Delete",
            "/index.php",
        ] {
            let (headers, ..) = raw(address, true, path, "application/grpc", frame(b"")).await;
            assert_eq!(headers["grpc-status"], "12", "{path}");
        }
        ended(&monitor, 6.0).await;
    });
    let records = once(&monitor, &written, 6);
    for record in &records[1..] {
        assert_eq!(record["level"], "INFO", "{record}");
        assert_eq!(record["rpc.method"], "_OTHER", "{record}");
        assert_eq!(record["http.route"], "_unmatched", "{record}");
    }
    let page = page(&monitor);
    assert_eq!(page.samples(RPC, &[("rpc_method", "_OTHER")]).count(), 1);
    assert_eq!(
        page.samples(HTTP, &[("http_route", "_unmatched")]).count(),
        1
    );
    assert_eq!(page.sum(HTTP, &[("error_type", "UNIMPLEMENTED")]), 0.0);
}

fn health() {
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_client::HealthClient;
    let (monitor, written) = installed();
    block_on(async {
        let (_reporter, service) = tonic_health::server::health_reporter();
        let (incoming, address) = listen().await;
        let server = Server::builder()
            .layer(layer(&monitor))
            .add_service(service);
        tokio::spawn(server.serve_with_incoming(incoming));
        let endpoint = Endpoint::new(format!("http://{address}")).unwrap();
        let mut client = HealthClient::new(endpoint.connect().await.unwrap());
        let of = |service: &str| HealthCheckRequest {
            service: service.to_owned(),
        };
        client.check(of("")).await.unwrap();
        client.check(of("nobody")).await.unwrap_err();
        // This call never ends by itself.
        let mut watch = client.watch(of("")).await.unwrap().into_inner();
        watch.message().await.unwrap().unwrap();
        let under_way = monitor.in_flight();
        assert_eq!(&*under_way[0].route, "/grpc.health.v1.Health/Watch");
        drop(watch);
        ended(&monitor, 3.0).await;
    });
    once(&monitor, &written, 3);
    let page = page(&monitor);
    let check = ("rpc_method", "grpc.health.v1.Health/Check");
    for name in ["OK", "NOT_FOUND"] {
        let labels = [check, ("rpc_response_status_code", name)];
        assert_eq!(page.sum(RPC, &labels), 1.0);
    }
    let watch = [("rpc_method", "grpc.health.v1.Health/Watch")];
    assert_eq!(page.sum(RPC, &watch), 1.0);
}

fn web(inside: bool) {
    let (monitor, written) = installed();
    block_on(async {
        let (incoming, address) = listen().await;
        let web = tonic_web::GrpcWebLayer::new();
        let server = Server::builder().accept_http1(true);
        if inside {
            let mut server = server.layer(layer(&monitor)).layer(web);
            tokio::spawn(server.add_service(Cart).serve_with_incoming(incoming));
        } else {
            let mut server = server.layer(web).layer(layer(&monitor));
            tokio::spawn(server.add_service(Cart).serve_with_incoming(incoming));
        }
        // `AAAAAAJvaw==` is the message `ok`, and `AAAAAAEN` requests INTERNAL.
        for (kind, message) in [
            ("application/grpc-web+proto", frame(b"ok")),
            ("application/grpc-web+proto", frame(&[13])),
            ("application/grpc-web+proto", frame(&[5])),
            ("application/grpc-web-text", b"AAAAAAJvaw==".to_vec()),
            ("application/grpc-web-text", b"AAAAAAEN".to_vec()),
        ] {
            for http2 in [false, true] {
                let (headers, ..) = raw(address, http2, CALL, kind, message.clone()).await;
                assert!(headers["content-type"].to_str().unwrap().starts_with(kind));
            }
        }
        // Its failure comes after messages.
        for (kind, message) in [
            ("application/grpc-web", frame(&[14])),
            ("application/grpc-web-text", b"AAAAAAEO".to_vec()),
        ] {
            let (headers, body, _) = raw(address, false, WATCH, kind, message).await;
            assert!(!headers.contains_key("grpc-status"));
            assert!(!body.is_empty());
        }
        ended(&monitor, 12.0).await;
    });
    let records = once(&monitor, &written, 12);
    let names: Vec<_> = records
        .iter()
        .map(|record| record["rpc.response.status_code"].as_str().unwrap())
        .collect();
    let of = ["OK", "INTERNAL", "NOT_FOUND", "OK", "INTERNAL"];
    let mut expected: Vec<_> = of.into_iter().flat_map(|name| [name, name]).collect();
    expected.extend(["UNAVAILABLE", "UNAVAILABLE"]);
    assert_eq!(names, expected);
    let page = page(&monitor);
    assert_eq!(page.sum(HTTP, &[("http_route", CALL)]), 10.0);
    assert_eq!(page.sum(RPC, &[("error_type", "UNAVAILABLE")]), 2.0);
    assert_eq!(page.sum(RPC, &[("error_type", "INTERNAL")]), 4.0);
}

fn in_axum() {
    let (monitor, written) = installed();
    block_on(async {
        let app = Routes::new(Cart)
            .into_axum_router()
            .route("/plain", axum::routing::get(|| async { "plain" }))
            .layer(monitor.layer());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, app).await });
        let mut client = connect(address).await;
        assert_eq!(call(&mut client, b"ok").await, Code::Ok);
        assert_eq!(call(&mut client, &[7]).await, Code::PermissionDenied);
        assert_ne!(call(&mut client, b"panic").await, Code::Ok);
        for path in ["/shop.Cart/None", "/no.Such/Method"] {
            let (headers, ..) = raw(address, true, path, "application/grpc", frame(b"")).await;
            assert_eq!(headers["grpc-status"], "12");
        }
        let plain = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
        let uri = format!("http://{address}/plain").parse().unwrap();
        let plain = plain.get(uri).await.unwrap();
        assert_eq!(
            plain.into_body().collect().await.unwrap().to_bytes(),
            "plain"
        );
        ended(&monitor, 6.0).await;
    });
    let records = once(&monitor, &written, 6);
    for record in &records {
        assert_eq!(record["client.address"], "127.0.0.1");
    }
    let page = page(&monitor);
    for (route, count) in [
        (CALL, 3.0),
        ("/shop.Cart/{*rest}", 1.0),
        ("_unmatched", 1.0),
        ("/plain", 1.0),
    ] {
        assert_eq!(page.sum(HTTP, &[("http_route", route)]), count, "{route}");
    }
    assert_eq!(page.sum(RPC, &[]), 5.0);
    assert_eq!(page.sum(RPC, &[("rpc_method", "shop.Cart/Call")]), 3.0);
    assert_eq!(page.sum(HTTP, &[("error_type", "UNIMPLEMENTED")]), 0.0);
}

fn interceptor() {
    let (monitor, written) = installed();
    block_on(async {
        let (incoming, address) = listen().await;
        let check = |request: tonic::Request<()>| match request.metadata().get("authorization") {
            Some(_) => Ok(request),
            None => Err(Status::unauthenticated("who are you?")),
        };
        let service = tonic::service::interceptor::InterceptedService::new(Cart, check);
        let server = Server::builder()
            .layer(layer(&monitor))
            .add_service(service);
        tokio::spawn(server.serve_with_incoming(incoming));
        let mut client = connect(address).await;
        // A rejection alone does not confirm the method.
        assert_eq!(call(&mut client, b"ok").await, Code::Unauthenticated);
        client.ready().await.unwrap();
        let mut request = tonic::Request::new(Bytes::from("ok"));
        let metadata = request.metadata_mut();
        metadata.insert("authorization", "Bearer planned".parse().unwrap());
        let path = PathAndQuery::from_static(CALL);
        client
            .unary::<Bytes, Bytes, _>(request, path, Raw)
            .await
            .unwrap();
        assert_eq!(call(&mut client, b"ok").await, Code::Unauthenticated);
        ended(&monitor, 3.0).await;
    });
    let records = once(&monitor, &written, 3);
    assert!(!written.text().contains("Bearer planned"));
    assert!(records.iter().all(|record| record["level"] == "INFO"));
    let page = page(&monitor);
    for method in ["_OTHER", "shop.Cart/Call"] {
        let labels = [
            ("rpc_method", method),
            ("rpc_response_status_code", "UNAUTHENTICATED"),
        ];
        assert_eq!(page.sum(RPC, &labels), 1.0, "{method}");
    }
}

fn unix_socket() {
    let (monitor, written) = installed();
    let path = std::env::temp_dir().join(format!("beside-grpc-{}.sock", std::process::id()));
    block_on(async {
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        let incoming = tokio_stream::wrappers::UnixListenerStream::new(listener);
        let proxies = HttpConfig::default().trusted_proxies(["0.0.0.0/0".parse().unwrap()]);
        let layer = layer(&monitor).trusted_proxies(proxies.trusted_proxies);
        let server = Server::builder().layer(layer).add_service(Cart);
        tokio::spawn(server.serve_with_incoming(incoming));
        let to = path.clone();
        let connector = tower::service_fn(move |_: http::Uri| {
            let to = to.clone();
            async move {
                let stream = tokio::net::UnixStream::connect(to).await?;
                Ok::<_, std::io::Error>(hyper_util::rt::TokioIo::new(stream))
            }
        });
        let endpoint = Endpoint::from_static("http://shop.test");
        let channel = endpoint.connect_with_connector(connector).await.unwrap();
        assert_eq!(call(&mut Grpc::new(channel), b"ok").await, Code::Ok);
        ended(&monitor, 1.0).await;
    });
    std::fs::remove_file(path).unwrap();
    let records = once(&monitor, &written, 1);
    assert_eq!(records[0]["client.address"], Value::Null);
    assert_eq!(records[0]["rpc.response.status_code"], "OK");
}

/// tonic's `trace_fn` and tower-http's layer for gRPC, set up as in their documentation.
fn with_traces(added: bool) {
    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::util::SubscriberInitExt as _;
    let host = Written::default();
    let output = tracing_subscriber::fmt::layer()
        .without_time()
        .with_ansi(false)
        .with_writer(host.clone());
    // Durations differ between the runs.
    let trace = || {
        tower_http::trace::TraceLayer::new_for_grpc()
            .on_response(
                |response: &http::Response<_>, _: Duration, _: &tracing::Span| {
                    let _: &http::Response<Body> = response;
                    tracing::info!(status = response.status().as_u16(), "finished");
                },
            )
            .on_eos(
                |trailers: Option<&http::HeaderMap>, _: Duration, _: &tracing::Span| {
                    let status = trailers.and_then(|it| it.get("grpc-status")).cloned();
                    tracing::info!(?status, "end of stream");
                },
            )
            .on_failure(
                |error: tower_http::classify::GrpcFailureClass, _: Duration, _: &tracing::Span| {
                    tracing::error!(%error, "failed");
                },
            )
    };
    let ask = |address| async move {
        let mut client = connect(address).await;
        assert_eq!(call(&mut client, b"ok").await, Code::Ok);
        assert_eq!(call(&mut client, &[5]).await, Code::NotFound);
        assert_eq!(call(&mut client, &[13]).await, Code::Internal);
    };
    let server = || {
        Server::builder()
            .trace_fn(|request| tracing::info_span!("rpc", path = request.uri().path()))
    };
    let directives = "info,h2=off,hyper=off,hyper_util=off,tower=off,tonic=off";
    let filter = tracing_subscriber::EnvFilter::new(directives);
    if !added {
        tracing_subscriber::registry()
            .with(output)
            .with(filter)
            .init();
        block_on(async {
            let (incoming, address) = listen().await;
            let mut server = server().layer(trace());
            tokio::spawn(server.add_service(Cart).serve_with_incoming(incoming));
            ask(address).await;
        });
        return host_output(&host.bytes());
    }
    let (builder, written) = builder();
    let monitor = builder.build().unwrap();
    tracing_subscriber::registry()
        .with(output)
        .with(monitor.tracing_layer())
        .with(filter)
        .init();
    block_on(async {
        let (incoming, address) = listen().await;
        let mut server = server().layer(layer(&monitor)).layer(trace());
        tokio::spawn(server.add_service(Cart).serve_with_incoming(incoming));
        ask(address).await;
        ended(&monitor, 3.0).await;
    });
    // The span of `trace_fn` is around the layers and is an operation of its own.
    let all = requests(&monitor, &written);
    assert_eq!(all.len(), 3, "{all:#?}");
    let kept = monitor.recent_traces();
    for record in &all {
        let id = record["trace_id"].as_str().unwrap();
        let of_it = kept.iter().filter(|trace| trace.trace_id.to_string() == id);
        assert_eq!(of_it.count(), 1);
    }
    let names: Vec<_> = all
        .iter()
        .map(|record| record["rpc.response.status_code"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["OK", "NOT_FOUND", "INTERNAL"]);
    // Events of the host in a call have the IDs of its log record.
    for record in written.objects() {
        let ids: Vec<_> = all.iter().map(|request| &request["trace_id"]).collect();
        assert!(ids.contains(&&record["trace_id"]), "{record}");
    }
    host_output(&host.bytes());
}
