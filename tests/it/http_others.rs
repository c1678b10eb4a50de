//! The endpoint layer in services of hyper and tonic, over real sockets.

use std::net::SocketAddr;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tower::Layer;
use watchpost::testing::Harness;

use crate::support::json_lines;

const COUNT: &str = "http_server_request_duration_seconds_count";

async fn listener() -> (tokio::net::TcpListener, SocketAddr) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

#[tokio::test]
async fn a_hyper_service_has_its_routes_from_a_hook() {
    let harness = Harness::new();
    let layer = harness.layer().route(|parts| match parts.uri.path() {
        "/hello" => Some("/hello".into()),
        _ => None,
    });
    let response = async |request: http::Request<Incoming>| {
        if request.uri().path() == "/error" {
            return Err("no response");
        }
        Ok(http::Response::new(Full::new(Bytes::from("hello"))))
    };
    let service = layer.layer(tower::service_fn(response));
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(service.clone());
            let http = hyper::server::conn::http1::Builder::new();
            tokio::spawn(http.serve_connection(TokioIo::new(stream), service));
        }
    });
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    for (path, is_response) in [("/hello", true), ("/other", true), ("/error", false)] {
        let response = client
            .get(format!("http://{address}{path}").parse().unwrap())
            .await;
        assert_eq!(response.is_ok(), is_response, "{path}");
        if let Ok(response) = response {
            assert_eq!(response.headers()["x-trace-id"].len(), 32);
            assert_eq!(
                response.into_body().collect().await.unwrap().to_bytes(),
                "hello"
            );
        }
    }
    let page = harness.page();
    assert_eq!(page.sum(COUNT, &[("http_route", "/hello")]), 1.0);
    assert_eq!(
        page.sum(
            COUNT,
            &[
                ("http_route", "_unmatched"),
                ("watchpost_outcome", "completed")
            ]
        ),
        1.0
    );
    let failed = [("watchpost_outcome", "failed"), ("error_type", "failed")];
    assert_eq!(page.sum(COUNT, &failed), 1.0);
    assert_eq!(
        page.sum("http_server_response_body_size_bytes_sum", &[]),
        10.0
    );
    assert_eq!(json_lines(&harness).len(), 3);
}

#[tokio::test]
async fn a_tonic_service_has_its_path_as_route() {
    let harness = Harness::new();
    let (_reporter, health) = tonic_health::server::health_reporter();
    let (listener, address) = listener().await;
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    let server = tonic::transport::Server::builder()
        .layer(harness.layer())
        .add_service(health);
    tokio::spawn(server.serve_with_incoming(incoming));
    let channel = tonic::transport::Endpoint::new(format!("http://{address}")).unwrap();
    let mut client = HealthClient::new(channel.connect().await.unwrap());
    let check = |service: &str| HealthCheckRequest {
        service: service.to_owned(),
    };
    client.check(check("")).await.unwrap();
    assert_eq!(
        client.check(check("unknown")).await.unwrap_err().code(),
        tonic::Code::NotFound
    );
    let raw = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http::<Full<Bytes>>();
    let scan = http::Request::post(format!("http://{address}/no.Such/Method"))
        .header("content-type", "application/grpc")
        .body(Full::new(Bytes::new()))
        .unwrap();
    let response = raw.request(scan).await.unwrap();
    assert_eq!(response.headers()["grpc-status"], "12");
    drop(response);
    let page = harness.page();
    let check = [("http_route", "/grpc.health.v1.Health/Check")];
    assert_eq!(page.sum(COUNT, &check), 2.0);
    assert_eq!(page.sum(COUNT, &[("http_route", "_unmatched")]), 1.0);
    let lines = json_lines(&harness);
    let statuses: Vec<_> = lines
        .iter()
        .map(|line| line["rpc.response.status_code"].as_str())
        .collect();
    assert_eq!(
        statuses,
        [Some("OK"), Some("NOT_FOUND"), Some("UNIMPLEMENTED")]
    );
    // The body of the first ends with trailers; the others have no body.
    for line in &lines {
        assert_eq!(line["watchpost.outcome"], "completed", "{line}");
    }
    assert_eq!(lines[0]["level"], "INFO");
    assert!(harness.in_flight().is_empty());
}

/// `HandleError > layer > timeout`: the host handles the error outside of the layer.
#[tokio::test]
async fn a_timeout_inside_of_the_layer_is_recorded_as_timeout() {
    let harness = Harness::new();
    let never = tower::service_fn(async |_: http::Request<String>| {
        std::future::pending::<Result<http::Response<String>, std::io::Error>>().await
    });
    let timeout = tower::timeout::TimeoutLayer::new(std::time::Duration::from_millis(5));
    let mut service = harness.layer().layer(timeout.layer(never));
    let request = http::Request::get("/slow").body(String::new()).unwrap();
    let error = tower::Service::call(&mut service, request)
        .await
        .unwrap_err();
    assert!(error.is::<tower::timeout::error::Elapsed>());
    let name = "http_server_request_duration_seconds_count";
    let labels = [("watchpost_outcome", "timeout"), ("error_type", "timeout")];
    assert_eq!(harness.page().sum(name, &labels), 1.0);
    assert_eq!(harness.page().sum(name, &[]), 1.0);
    let record: serde_json::Value = serde_json::from_str(&harness.lines()[0]).unwrap();
    assert_eq!(record["watchpost.outcome"], "timeout");
    assert_eq!(record["level"], "ERROR");
}
