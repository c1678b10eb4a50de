use std::time::Instant as Clock;

use http::Method;

use super::*;
use crate::worker::peer::{Authority, Certificate, Peer, Reply};

fn client() -> HttpClient {
    HttpClient::new(&TlsRoots::default()).unwrap()
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let value = runtime.block_on(future);
    runtime.shutdown_background();
    value
}

fn post(url: &str) -> Request<Bytes> {
    let request = Request::builder().method(Method::POST).uri(url);
    request.body(Bytes::from_static(b"hello")).unwrap()
}

fn send(client: &HttpClient, url: &str, millis: u64) -> Result<HttpResponse, HttpError> {
    run(client.send(post(url), Duration::from_millis(millis)))
}

fn failure(client: &HttpClient, url: &str, millis: u64) -> String {
    send(client, url, millis).unwrap_err().to_string()
}

#[test]
fn an_answer_is_read_and_the_connection_kept() {
    let peer = Peer::always(Reply::Answer(
        200,
        vec![("x-one".to_owned(), "1".to_owned())],
        b"body".to_vec(),
    ));
    let client = client();
    run(async {
        for _ in 0..3 {
            let sent = client.send(post(&peer.url("/a?b=c")), Duration::from_secs(5));
            let response = sent.await.unwrap();
            assert_eq!(
                (response.status.as_u16(), &response.body[..]),
                (200, &b"body"[..])
            );
            assert!(response.complete);
            assert_eq!(response.headers["x-one"], "1");
        }
    });
    let seen = peer.seen();
    assert_eq!((seen.len(), peer.connections()), (3, 1));
    assert_eq!(
        (seen[0].method.as_str(), seen[0].target.as_str()),
        ("POST", "/a?b=c")
    );
    assert_eq!(
        (&seen[0].body[..], seen[0].header("content-length")),
        (&b"hello"[..], Some("5"))
    );
    assert_eq!(
        seen[0].header("host"),
        Some(peer.address().to_string().as_str())
    );
}

#[test]
fn a_redirect_is_an_answer() {
    let elsewhere = Peer::always(Reply::status(200));
    let peer = Peer::always(Reply::with(307, "location", &elsewhere.url("/")));
    assert_eq!(send(&client(), &peer.url("/"), 5_000).unwrap().status, 307);
    assert!(elsewhere.seen().is_empty());
}

#[test]
fn a_body_is_read_up_to_its_bound_and_within_the_time() {
    let client = client();
    let peer = Peer::always(Reply::Huge(200, 1 << 30));
    let begun = Clock::now();
    let response = send(&client, &peer.url("/"), 10_000).unwrap();
    assert_eq!(
        (response.body.len(), response.complete),
        (MAX_RESPONSE, false)
    );
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    for reply in [Reply::Short(200), Reply::ResetInBody(200)] {
        let peer = Peer::always(reply);
        let response = send(&client, &peer.url("/"), 5_000).unwrap();
        assert_eq!((response.status.as_u16(), response.complete), (200, false));
        assert!(response.body.len() < 1000);
    }
}

#[test]
fn the_time_holds_whatever_the_peer_does() {
    let client = client();
    for reply in [Reply::Hang, Reply::Drip(Duration::from_millis(50))] {
        let peer = Peer::always(reply);
        let begun = Clock::now();
        assert_eq!(
            failure(&client, &peer.url("/"), 300),
            "no response within 0.3 s"
        );
        assert!(begun.elapsed() < Duration::from_millis(800));
    }
    let peer = Peer::always(Reply::status(200));
    peer.deaf(true);
    assert_eq!(
        failure(&client, &peer.url("/"), 300),
        "no response within 0.3 s"
    );
}

#[test]
fn a_failure_names_its_cause_and_no_secret() {
    let client = client();
    let peer = Peer::always(Reply::Reset);
    let url = peer.url("/secret?key=secret");
    let error = failure(&client, &url, 5_000);
    assert_eq!(error, "the connection broke off before the response");
    peer.script(|_| Reply::Garbage);
    assert_eq!(failure(&client, &url, 5_000), "the response is not HTTP");
    peer.refuse();
    assert_eq!(failure(&client, &url, 5_000), "the connection was refused");
    let nowhere = "http://nowhere.invalid/secret";
    let error = failure(&client, nowhere, 5_000);
    assert!(error.starts_with("the name `nowhere.invalid` "), "{error}");
}

#[test]
fn certificates_are_judged() {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let trust = TlsRoots {
        authorities: Some(authority.file(directory.path())),
    };
    let ours = HttpClient::new(&trust).unwrap();
    let outcome = |client: &HttpClient, kind| {
        let peer = Peer::tls(authority.server(kind), |_| Reply::status(204));
        match send(client, &peer.url_by_name("localhost", "/"), 5_000) {
            Ok(response) => {
                assert_eq!(peer.seen().len(), 1);
                response.status.to_string()
            }
            Err(failure) => {
                assert!(peer.seen().is_empty());
                failure.to_string()
            }
        }
    };
    let stranger = "its certificate comes from an authority that is not trusted";
    assert_eq!(outcome(&ours, Certificate::Good), "204 No Content");
    assert_eq!(
        outcome(&ours, Certificate::Expired),
        "its certificate has expired"
    );
    assert_eq!(
        outcome(&ours, Certificate::NotYet),
        "its certificate is not valid yet"
    );
    assert_eq!(
        outcome(&ours, Certificate::OtherHost),
        "its certificate is for another name"
    );
    assert_eq!(outcome(&ours, Certificate::SelfSigned), stranger);
    // The public authorities do not know ours.
    assert_eq!(outcome(&client(), Certificate::Good), stranger);

    // Never in plain text, and never without a time limit.
    let plain = Peer::always(Reply::status(200));
    let url = format!("https://localhost:{}/", plain.address().port());
    plain.script(|_| Reply::Garbage);
    let begun = Clock::now();
    let error = failure(&ours, &url, 10_000);
    assert!(error.contains("TLS"), "{error}");
    plain.deaf(true);
    let error = failure(&ours, &url, 10_000);
    assert_eq!(error, "the TLS handshake was not over within 3 s");
    assert!(plain.seen().is_empty() && begun.elapsed() < Duration::from_secs(9));
}

#[test]
fn a_file_without_certificates_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("none.pem");
    let problem = |path: &std::path::Path| {
        let trust = TlsRoots {
            authorities: Some(path.to_owned()),
        };
        HttpClient::new(&trust).unwrap_err()
    };
    assert!(problem(&path).contains("cannot be read"));
    std::fs::write(&path, "nothing").unwrap();
    assert!(problem(&path).ends_with("are none; write a PEM file with at least one"));
}

#[test]
fn a_slow_name_server_holds_up_nobody() {
    let peer = Peer::always(Reply::status(200));
    let address = peer.address();
    let names: Arc<Resolve> = Arc::new(move |host: &str, _| {
        if host == "slow.test" {
            std::thread::sleep(Duration::from_secs(6));
        }
        Ok(vec![address])
    });
    let tls = tls::connector(&TlsRoots::default()).unwrap();
    let client = HttpClient::with_resolver(tls, names, MAX_IDLE, AllowedAddresses::Any);
    run(async {
        let slow = async {
            let begun = Clock::now();
            let sent = client.send(post("http://slow.test/"), Duration::from_secs(10));
            let error = sent.await.unwrap_err().to_string();
            assert_eq!(error, "the name `slow.test` was not resolved within 3 s");
            assert!(begun.elapsed() < Duration::from_millis(3500));
        };
        let quick = async {
            let begun = Clock::now();
            let sent = client.send(post("http://quick.test/"), Duration::from_secs(10));
            assert_eq!(sent.await.unwrap().status, 200);
            assert!(begun.elapsed() < Duration::from_secs(1));
        };
        // Each hanging lookup holds a thread, and their number is limited.
        let many = async {
            let mut requests = Vec::new();
            for _ in 0..4 {
                let client = client.clone();
                let sent = async move {
                    client
                        .send(post("http://slow.test/"), Duration::from_millis(500))
                        .await
                };
                requests.push(tokio::spawn(sent));
            }
            let mut causes = Vec::new();
            for each in requests {
                causes.push(each.await.unwrap().unwrap_err().to_string());
            }
            causes
        };
        let ((), (), causes) = tokio::join!(slow, quick, many);
        let refused = causes.iter().filter(|it| it.contains("still hang")).count();
        // The quick one may have held a place at that moment.
        assert!((1..=2).contains(&refused), "{causes:?}");
    });
    assert_eq!(peer.seen()[0].header("host"), Some("quick.test"));
}

#[test]
fn a_name_is_looked_up_again_when_the_connection_is_gone() {
    let [old, new] = [0, 0].map(|_: i32| Peer::always(Reply::status(200)));
    let addresses = Arc::new(std::sync::Mutex::new(vec![old.address()]));
    let shared = Arc::clone(&addresses);
    let names: Arc<Resolve> = Arc::new(move |_: &str, _| Ok(shared.lock().unwrap().clone()));
    let tls = tls::connector(&TlsRoots::default()).unwrap();
    let client = HttpClient::with_resolver(tls, names, MAX_IDLE, AllowedAddresses::Any);
    run(async {
        let send = || client.send(post("http://moved.test/"), Duration::from_secs(5));
        assert!(send().await.is_ok());
        // The first of two addresses is unreachable: the second is tried.
        *addresses.lock().unwrap() = vec![old.address(), new.address()];
        old.refuse();
        // The client may notice only now that the kept connection is closed.
        drop(send().await);
        assert!(send().await.is_ok());
    });
    assert_eq!(old.seen().len(), 1);
    assert!(!new.seen().is_empty());
}

#[test]
fn a_port_that_is_none_is_not_replaced_by_the_schemes() {
    for url in [
        "http://127.0.0.1:65536/",
        "http://localhost:99999/v1",
        "https://localhost:4294967739/",
        "http://[::1]:70000/",
        "http://127.0.0.1:0/",
    ] {
        let error = failure(&client(), url, 1_000);
        assert_eq!(
            error, "the URL is bad: its port is no number from 1 to 65535",
            "{url}"
        );
    }
}
