//! The client layer around a `Channel` of tonic, with real clients and servers over loopback.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::uri::PathAndQuery;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Status};
use tower::Layer as _;
use watchpost::external::{ClientService, Dependency};
use watchpost::trace::{AttributeValue, KeptTrace, Span, SpanStatus};
use watchpost::{Monitor, MonitorGuard};

use crate::cases::Case;
use crate::grpc_server::{Cart, Raw, WATCH, call, listen, page};
use crate::support::{block_on, builder};

pub(crate) const CASES: [Case; 5] = [
    Case::new("grpc_client_statuses", statuses),
    Case::new("grpc_client_streams", streams),
    Case::new("grpc_client_refused", refused),
    Case::new("grpc_client_deadlines", deadlines),
    Case::new("grpc_client_beside_plain_http", plain_http),
];

const RPC: &str = "rpc_client_call_duration_seconds_count";
const HTTP: &str = "http_client_request_duration_seconds_count";

async fn serve() -> SocketAddr {
    let (incoming, address) = listen().await;
    tokio::spawn(
        Server::builder()
            .add_service(Cart)
            .serve_with_incoming(incoming),
    );
    address
}

fn watched(
    monitor: &Monitor,
    channel: Channel,
    address: SocketAddr,
) -> Grpc<ClientService<Channel>> {
    let layer = monitor.external("cart").client_layer();
    let layer = layer
        .server(address.ip().to_string(), address.port())
        .errors_of::<tonic::transport::Error>()
        .errors_of::<Status>();
    Grpc::new(layer.layer(channel))
}

fn endpoint(address: SocketAddr) -> Endpoint {
    Endpoint::new(format!("http://{address}")).unwrap()
}

fn cart(monitor: &Monitor) -> Dependency {
    let mut all = monitor.dependencies().into_iter();
    all.find(|it| &*it.service == "cart").unwrap()
}

/// The spans of the calls in a job's trace, in order.
async fn calls(monitor: &Monitor) -> Vec<Span> {
    assert!(monitor.flush(Duration::from_secs(10)).await);
    let traces = monitor.recent_traces();
    let jobs: Vec<&KeptTrace> = traces
        .iter()
        .filter(|it| it.spans[0].name == "job")
        .collect();
    assert_eq!(jobs.len(), 1, "{traces:#?}");
    let mut spans: Vec<Span> = jobs[0]
        .spans
        .iter()
        .filter(|it| !it.is_root)
        .cloned()
        .collect();
    spans.sort_by_key(|span| span.start);
    spans
}

fn attribute(span: &Span, name: &str) -> Option<String> {
    let mut all = span.attributes.iter();
    let (_, value) = all.find(|(key, _)| key == name)?;
    Some(match value {
        AttributeValue::Str(text) => text.clone(),
        AttributeValue::I64(number) => number.to_string(),
        other => format!("{other:?}"),
    })
}

fn monitor() -> MonitorGuard {
    builder().0.build().unwrap()
}

/// Each gRPC status code, as the client sees it and as it is recorded.
fn statuses() {
    let monitor = monitor();
    block_on(async {
        let address = serve().await;
        let mut client = watched(
            &monitor,
            endpoint(address).connect().await.unwrap(),
            address,
        );
        let job = async {
            for code in 0..=16_u8 {
                assert_eq!(
                    call(&mut client, &[code]).await,
                    Code::from(i32::from(code))
                );
            }
        };
        monitor.span("job").run(job).await;
        let page = page(&monitor);
        assert_eq!(page.sum(RPC, &[]), 17.0);
        assert_eq!(page.sum(HTTP, &[]), 17.0);
        let port = address.port().to_string();
        for (status, error) in [
            ("OK", ""),
            ("NOT_FOUND", "NOT_FOUND"),
            ("UNAVAILABLE", "UNAVAILABLE"),
        ] {
            let labels = [
                ("rpc_system_name", "grpc"),
                ("rpc_method", "shop.Cart/Call"),
                ("rpc_response_status_code", status),
                ("service_peer_name", "cart"),
                ("server_address", "127.0.0.1"),
                ("server_port", &*port),
            ];
            assert_eq!(page.sum(RPC, &labels), 1.0, "{status}");
            if !error.is_empty() {
                assert_eq!(page.sum(RPC, &[("error_type", error)]), 1.0, "{status}");
            }
        }
        // UNKNOWN, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS.
        let dependency = cart(&monitor);
        assert_eq!((dependency.calls, dependency.errors), (17, 7));
        let spans = calls(&monitor).await;
        assert_eq!(spans.len(), 17);
        for (code, span) in spans.iter().enumerate() {
            assert_eq!(span.name, "shop.Cart/Call");
            let status = if code == 0 {
                SpanStatus::Unset
            } else {
                SpanStatus::Error
            };
            assert_eq!(span.status, status, "{code}");
            assert_eq!(attribute(span, "rpc.method").unwrap(), "shop.Cart/Call");
            assert_eq!(attribute(span, "server.address").unwrap(), "127.0.0.1");
            assert_eq!(attribute(span, "http.response.status_code").unwrap(), "200");
            let name = attribute(span, "rpc.response.status_code").unwrap();
            assert_eq!(attribute(span, "error.type"), (code > 0).then_some(name));
        }
        // A dependency is down if all of its calls fail.
        for _ in 0..50 {
            assert_eq!(call(&mut client, &[14]).await, Code::Unavailable);
        }
        let dependency = cart(&monitor);
        assert_eq!((dependency.calls, dependency.errors), (67, 57));
        assert_eq!(dependency.last_error.unwrap().error, "UNAVAILABLE");
    });
}

/// A stream ends with its trailers; a dropped stream has no status.
fn streams() {
    let monitor = monitor();
    block_on(async {
        let address = serve().await;
        let mut client = watched(
            &monitor,
            endpoint(address).connect().await.unwrap(),
            address,
        );
        for (message, read) in [
            (&[5_u8][..], usize::MAX),
            (b"fine", usize::MAX),
            (b"hang", 1),
        ] {
            client.ready().await.unwrap();
            let request = tonic::Request::new(Bytes::copy_from_slice(message));
            let path = PathAndQuery::from_static(WATCH);
            let stream = client
                .server_streaming::<Bytes, Bytes, _>(request, path, Raw)
                .await;
            let mut stream = stream.unwrap().into_inner();
            for _ in 0..read {
                match stream.message().await {
                    Ok(Some(_)) => {}
                    _ => break,
                }
            }
            drop(stream);
        }
        let page = page(&monitor);
        let count = |status: &str| page.sum(RPC, &[("rpc_response_status_code", status)]);
        assert_eq!((count("NOT_FOUND"), count("OK")), (1.0, 1.0));
        assert_eq!(page.sum(RPC, &[("rpc_method", "shop.Cart/Watch")]), 3.0);
        assert_eq!(
            page.sum(HTTP, &[("watchpost_outcome", "body_dropped")]),
            1.0
        );
    });
}

/// A port without a listener.
fn refused() {
    let monitor = monitor();
    block_on(async {
        let (incoming, address) = listen().await;
        drop(incoming);
        let mut client = watched(&monitor, endpoint(address).connect_lazy(), address);
        let job = async {
            assert_eq!(call(&mut client, b"x").await, Code::Unavailable);
        };
        monitor.span("job").run(job).await;
        let error = [
            ("error_type", "connection_refused"),
            ("rpc_method", "shop.Cart/Call"),
        ];
        assert_eq!(
            page(&monitor).sum(RPC, &error),
            1.0,
            "{}",
            monitor.metrics().render()
        );
        assert_eq!(
            cart(&monitor).last_error.unwrap().error,
            "connection_refused"
        );
        let span = &calls(&monitor).await[0];
        assert_eq!(span.name, "shop.Cart/Call");
        assert_eq!(attribute(span, "rpc.response.status_code"), None);
    });
}

/// A timeout of the `Endpoint`, which the client enforces.
fn deadlines() {
    let monitor = monitor();
    block_on(async {
        let address = serve().await;
        let endpoint = endpoint(address).timeout(Duration::from_millis(30));
        let mut client = watched(&monitor, endpoint.connect().await.unwrap(), address);
        assert_ne!(call(&mut client, b"hang").await, Code::Ok);
        let error = [("error_type", "timeout")];
        assert_eq!(
            page(&monitor).sum(RPC, &error),
            1.0,
            "{}",
            monitor.metrics().render()
        );
        let dependency = cart(&monitor);
        assert_eq!((dependency.errors, dependency.timeouts), (1, 1));
    });
}

/// Plain HTTP has no series of RPC calls.
fn plain_http() {
    let monitor = monitor();
    block_on(async {
        let client = tower::service_fn(async |_: http::Request<String>| {
            let response = http::Response::builder().header("grpc-status", "14");
            Ok::<_, std::io::Error>(response.body(String::new()).unwrap())
        });
        let mut client = monitor.external("plain").client_layer().layer(client);
        let request = http::Request::get("http://127.0.0.1:9/shop.Cart/Call");
        let request = request.body(String::new()).unwrap();
        tower::Service::call(&mut client, request).await.unwrap();
        assert!(!monitor.metrics().render().contains("rpc_client_call"));
        assert_eq!(monitor.dependencies()[0].errors, 0);
        // With a failure in the headers, the client does not read the body.
        let client = tower::service_fn(async |_: http::Request<String>| {
            let body = http_body_util::StreamBody::new(futures_util::stream::pending::<
                Result<http_body::Frame<Bytes>, std::io::Error>,
            >());
            let response = http::Response::builder().header("grpc-status", "14");
            Ok::<_, std::io::Error>(response.body(body).unwrap())
        });
        let mut client = monitor.external("early").client_layer().layer(client);
        let request = http::Request::post("http://127.0.0.1:9/shop.Cart/Call");
        let request = request.header("content-type", "application/grpc");
        let response = tower::Service::call(&mut client, request.body(String::new()).unwrap());
        drop(response.await.unwrap());
        let early = [
            ("service_peer_name", "early"),
            ("error_type", "UNAVAILABLE"),
        ];
        assert_eq!(page(&monitor).sum(RPC, &early), 1.0);
        // The status of gRPC-Web is in the body, which the layer does not read: no failure is recorded.
        let client = tower::service_fn(async |_: http::Request<String>| {
            Ok::<_, std::io::Error>(http::Response::new(String::new()))
        });
        let mut client = monitor.external("web").client_layer().layer(client);
        let request = http::Request::post("http://127.0.0.1:9/shop.Cart/Call");
        let request = request.header("content-type", "application/grpc-web+proto");
        let request = request.body(String::new()).unwrap();
        tower::Service::call(&mut client, request).await.unwrap();
        let all = monitor.dependencies();
        let errors = |name: &str| all.iter().find(|it| &*it.service == name).unwrap().errors;
        assert_eq!((errors("early"), errors("web"), errors("plain")), (1, 0, 0));
        let web = [("service_peer_name", "web")];
        let page = page(&monitor);
        assert_eq!(page.sum(RPC, &web), 1.0);
        let mut samples = page.samples(RPC, &web);
        assert!(samples.all(|sample| !sample.labels.contains_key("error_type")));
    });
}
