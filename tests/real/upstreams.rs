//! The host's generator is dead, hangs, or resets what it is asked: the host tells them apart.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

use crate::host::Host;
use crate::relay::text_page;
use crate::web::Web;
use crate::{AnyError, Checks, Place};

/// Times that each is asked.
const CALLS: u64 = 3;

pub(crate) async fn check(place: &Place, checks: &mut Checks) {
    // Status of the host's answer, outcome and error type of its calls.
    let cases = [
        ("dead", 502, "failed", "connection_refused"),
        ("hanging", 504, "timeout", "timeout"),
        ("resetting", 502, "failed", "connection_reset"),
    ];
    for (name, status, outcome, error) in cases {
        checks.note(
            &format!("a generator that is {name}"),
            told(place, name, status, (outcome, error)).await,
        );
    }
}

/// Starts one that goes on until this process ends.
async fn upstream(name: &str) -> Result<SocketAddr, AnyError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    if name == "dead" {
        return Ok(address);
    }
    let hangs = name == "hanging";
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut client, _)) = listener.accept().await {
            if hangs {
                held.push(client);
            } else {
                tokio::spawn(async move { reset(&mut client).await });
            }
        }
    });
    Ok(address)
}

async fn reset(client: &mut TcpStream) -> Result<(), AnyError> {
    let _read = client.read(&mut [0; 1024]).await?;
    // What is dropped then is reset.
    socket2::SockRef::from(&*client).set_linger(Some(Duration::ZERO))?;
    Ok(())
}

async fn told(
    place: &Place,
    name: &str,
    status: u16,
    (outcome, error): (&str, &str),
) -> Result<String, AnyError> {
    let url = format!("http://{}", upstream(name).await?);
    let host = Host::start(place, name, &[("GENERATOR_URL", url.as_str())]).await?;
    let web = Web::default();
    for _ in 0..CALLS {
        let request = Request::post(format!("http://{}/api/content/generate", host.address))
            .header("content-type", "application/json")
            .body(Body::from(r#"{"prompt": "a fox"}"#))?;
        let answer = web.send(request).await?;
        if answer.status != status {
            return Err(format!("it was answered with {}", answer.status).into());
        }
    }
    let page = text_page(host.address).await?;
    let of_posts = |line: &&str| {
        let has = |label: &str, value: &str| line.contains(&format!("{label}=\"{value}\""));
        line.starts_with("http_client_request_duration_seconds_count{")
            && has("http_request_method", "POST")
            && has("service_peer_name", "generator")
            && has("watchpost_outcome", outcome)
            && has("error_type", error)
    };
    let lines: Vec<_> = page.lines().filter(of_posts).collect();
    host.end().await?;
    match lines[..] {
        [line] if line.ends_with(&format!(" {CALLS}")) => Ok(format!("{outcome}, {error}")),
        _ => {
            let calls = page
                .lines()
                .filter(|line| line.starts_with("http_client_request_duration_seconds_count"));
            Err(calls.collect::<Vec<_>>().join("; ").into())
        }
    }
}
