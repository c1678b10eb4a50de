//! A gRPC service on tonic: each call is counted by its method and its gRPC status.
//!
//! The service is the standard health service. A client in the same process calls it once a second, every third time for
//! a service that does not exist:
//!
//! ```text
//! $ cargo run --example tonic_service
//! tonic_service listens on http://127.0.0.1:50051 (gRPC)
//!   metrics  http://127.0.0.1:36983/metrics
//! content: Serving
//! content: Serving
//! unknown: NotFound
//! $ curl -s http://127.0.0.1:36983/metrics | grep rpc_server_call_duration_seconds_count
//! rpc_server_call_duration_seconds_count{rpc_method="grpc.health.v1.Health/Check",
//!   rpc_response_status_code="NOT_FOUND",rpc_system_name="grpc"} 1
//! rpc_server_call_duration_seconds_count{rpc_method="grpc.health.v1.Health/Check",
//!   rpc_response_status_code="OK",rpc_system_name="grpc"} 2
//! ```
//!
//! The first argument sets another address.

use std::net::SocketAddr;
use std::time::Duration;

use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::server::TcpConnectInfo;
use tonic::transport::{Endpoint, Server};
use tonic_health::ServingStatus;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use watchpost::Monitor;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let monitor = Monitor::builder("tonic-service").install()?;
    let (reporter, service) = tonic_health::server::health_reporter();
    reporter
        .set_service_status("content", ServingStatus::Serving)
        .await;
    let pages = monitor.serve("127.0.0.1:0")?;

    let address = std::env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:50051");
    let listener = tokio::net::TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    eprintln!("tonic_service listens on http://{address} (gRPC)");
    eprintln!("  metrics  http://{}/metrics", pages.local_addr());

    let client = tokio::spawn(call_once_a_second(address));
    let drained = monitor.drain(watchpost::shutdown_signal());
    // tonic puts the client's address into a type of its own.
    let layer = monitor
        .layer()
        .peer_addr(|extensions| extensions.get::<TcpConnectInfo>()?.remote_addr());
    Server::builder()
        .layer(layer)
        .add_service(service)
        .serve_with_incoming_shutdown(TcpListenerStream::new(listener), async move {
            drained.await;
            client.abort();
        })
        .await?;
    eprintln!("{}", monitor.shutdown(Duration::from_secs(3)).await);
    Ok(())
}

async fn call_once_a_second(address: SocketAddr) -> Result<(), tonic::transport::Error> {
    let channel = Endpoint::from_shared(format!("http://{address}"))?.connect_lazy();
    let mut client = HealthClient::new(channel);
    for service in ["content", "content", "unknown"].into_iter().cycle() {
        let request = HealthCheckRequest {
            service: service.into(),
        };
        match client.check(request).await {
            Ok(response) => eprintln!("{service}: {:?}", response.into_inner().status()),
            Err(status) => eprintln!("{service}: {:?}", status.code()),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}
