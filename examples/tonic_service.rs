//! A gRPC service on tonic: the method is the route and `rpc.method`, and the status of each call is counted.
//!
//! The service is the standard health service, and a client of it asks once a second, now and then for
//! a service that nobody knows. `cargo run --example tonic_service`; another address is the first
//! argument.

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
    let here = listener.local_addr()?;
    eprintln!("tonic_service serves http://{here} (gRPC)");
    eprintln!("  metrics  http://{}/metrics", pages.local_addr());

    let client = tokio::spawn(ask(here));
    let drained = monitor.drain(watchpost::shutdown_signal());
    // tonic has a type of its own for the address of the peer.
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

async fn ask(address: SocketAddr) -> Result<(), tonic::transport::Error> {
    let channel = Endpoint::from_shared(format!("http://{address}"))?.connect_lazy();
    let mut client = HealthClient::new(channel);
    for service in ["content", "content", "nobody"].into_iter().cycle() {
        let request = HealthCheckRequest {
            service: service.into(),
        };
        match client.check(request).await {
            Ok(answer) => eprintln!("{service}: {:?}", answer.into_inner().status()),
            Err(status) => eprintln!("{service}: {}", status.code()),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}
