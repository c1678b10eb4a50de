//! The host's generator is dead, hangs, resets connections or breaks off its responses: each has its own error type.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use crate::host::Host;
use crate::relay::text_page;
use crate::web::Web;
use crate::{AnyError, Checks, Place};

/// The number of requests in each case.
const CALLS: u64 = 3;

pub(crate) async fn check(place: &Place, checks: &mut Checks) {
    // The status of the host's response, and the outcome and error type of its calls.
    let cases = [
        ("dead", 502, "failed", "connection_refused"),
        ("hanging", 504, "timeout", "timeout"),
        ("resetting", 502, "failed", "connection_reset"),
    ];
    for (name, status, outcome, error) in cases {
        checks.note(
            &format!("a generator that is {name}"),
            check_case(place, name, status, (outcome, error)).await,
        );
    }
    for name in ["ending short", "resetting within"] {
        checks.note(
            &format!("a generator that is {name} of a response that is handed on"),
            handed_on(place, name).await,
        );
    }
}

/// Starts a server that runs until this process ends.
async fn upstream(name: &str) -> Result<SocketAddr, AnyError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    if name == "dead" {
        return Ok(address);
    }
    let hangs = name == "hanging";
    let (responses, resets) = match name {
        "ending short" => (true, false),
        "resetting within" => (true, true),
        _ => (false, true),
    };
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut client, _)) = listener.accept().await {
            if hangs {
                held.push(client);
            } else {
                tokio::spawn(async move { break_off(&mut client, responses, resets).await });
            }
        }
    });
    Ok(address)
}

/// A part of a response, if any, and how the connection ends.
async fn break_off(client: &mut TcpStream, responses: bool, resets: bool) -> Result<(), AnyError> {
    let read = client.read(&mut [0; 1024]).await?;
    if responses && read > 0 {
        let part = "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nOnce there was";
        client.write_all(part.as_bytes()).await?;
        // The bytes arrive before the connection ends.
        sleep(Duration::from_millis(100)).await;
    }
    if !resets {
        return Ok(());
    }
    // Dropping the connection resets it.
    socket2::SockRef::from(&*client).set_linger(Some(Duration::ZERO))?;
    Ok(())
}

async fn check_case(
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
        let response = web.send(request).await?;
        if response.status != status {
            return Err(format!("the status is {}", response.status).into());
        }
    }
    let page = text_page(host.address).await?;
    host.end().await?;
    counted(
        &page,
        "http_client_request_duration_seconds_count",
        &[
            ("http_request_method", "POST"),
            ("service_peer_name", "generator"),
            ("watchpost_outcome", outcome),
            ("error_type", error),
        ],
    )
}

/// The host's clients see the break, and it is recorded as that of the upstream.
async fn handed_on(place: &Place, name: &str) -> Result<String, AnyError> {
    let url = format!("http://{}", upstream(name).await?);
    let instance = name.replace(' ', "-");
    let host = Host::start(place, &instance, &[("GENERATOR_URL", url.as_str())]).await?;
    let web = Web::default();
    for _ in 0..CALLS {
        let response = web.get(format!("http://{}/api/story", host.address)).await;
        if response.is_ok() {
            return Err("a response that was broken off came to a good end".into());
        }
    }
    let page = text_page(host.address).await?;
    host.end().await?;
    let served = counted(
        &page,
        "http_server_request_duration_seconds_count",
        &[
            ("http_route", "/api/story"),
            ("http_response_status_code", "200"),
            ("watchpost_outcome", "body_error"),
            ("error_type", "body_error"),
        ],
    )?;
    // Calls of the health check break off as well.
    let line = page.lines().find(|line| {
        line.starts_with("http_client_request_duration_seconds_count{")
            && line.contains("watchpost_outcome=\"body_error\"")
            && line.contains("error_type=\"body_error\"")
    });
    let calls = line.and_then(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok());
    match calls {
        Some(calls) if calls >= CALLS => Ok(format!("{served}; {calls} calls that end so")),
        calls => Err(format!("{calls:?} calls end in a body_error").into()),
    }
}

/// Checks that the only series with these labels counts every call.
fn counted(page: &str, name: &str, labels: &[(&str, &str)]) -> Result<String, AnyError> {
    let of_name = |line: &&str| line.starts_with(&format!("{name}{{"));
    let has =
        |line: &str, (label, value): &(&str, &str)| line.contains(&format!("{label}=\"{value}\""));
    let is_it = |line: &&str| labels.iter().all(|label| has(line, label));
    let lines: Vec<_> = page.lines().filter(of_name).filter(is_it).collect();
    match lines[..] {
        [line] if line.ends_with(&format!(" {CALLS}")) => {
            let words: Vec<_> = labels.iter().map(|(_, value)| *value).collect();
            Ok(words.join(", "))
        }
        _ => Err(page
            .lines()
            .filter(of_name)
            .collect::<Vec<_>>()
            .join("; ")
            .into()),
    }
}
