use std::convert::Infallible;
use std::future::pending;
use std::io::{Read as _, Write as _};
use std::net::TcpStream as Client;
use std::time::Instant;

use http::{Request, Response};

use super::limiter::MAX_CONNECTIONS;
use super::page::{Boxed, ServedBody};
use super::progress::ConnectionStage;
use super::*;

#[derive(Clone)]
struct Says(&'static str);

impl tower::Service<Request<()>> for Says {
    type Response = Response<http_body_util::Full<bytes::Bytes>>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        std::future::ready(Ok(Response::new(self.0.into())))
    }
}

fn server() -> Server {
    watched_server().0
}

/// A server with its counters and its diagnostics.
fn watched_server() -> (Server, Arc<ServerCounters>, Arc<Diagnostics>) {
    let (counters, diagnostics) = (
        Arc::<ServerCounters>::default(),
        Arc::<Diagnostics>::default(),
    );
    let server = Server::start(
        "127.0.0.1:0",
        [
            ("/livez", page(Says("ok"))),
            ("/large", page(Says(Box::leak("x".repeat(8 << 20).into())))),
            (
                "/hangs",
                Box::new(|_| -> Boxed<Response<ServedBody>> { Box::pin(pending()) }) as PageHandler,
            ),
            (
                "/blocks",
                Box::new(|_| {
                    loop {
                        thread::park();
                    }
                }),
            ),
            ("/panics", Box::new(|_| panic!("in a page"))),
        ],
        Arc::clone(&counters),
        Arc::clone(&diagnostics),
    );
    (server.unwrap(), counters, diagnostics)
}

fn connect(server: &Server) -> Client {
    let client = Client::connect(server.local_addr()).unwrap();
    client
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    client
}

/// Reads until the server closes the connection.
fn rest(mut client: &Client) -> String {
    let mut text = Vec::new();
    // A reset also ends the connection.
    let (Ok(_) | Err(_)) = client.read_to_end(&mut text);
    String::from_utf8(text).unwrap()
}

/// Reads one response on a connection that stays open.
fn ask(mut client: &Client, request: &str, end: &str) -> String {
    client.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    while !text.ends_with(end) {
        let mut byte = [0];
        client.read_exact(&mut byte).unwrap();
        text.push(char::from(byte[0]));
    }
    text
}

/// Reads one response on a new connection.
fn get(server: &Server, head: &str) -> String {
    let mut client = connect(server);
    write!(
        client,
        "{head} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    rest(&client)
}

#[test]
fn a_page_is_found_by_its_exact_path_alone() {
    let server = server();
    for head in ["GET /livez", "GET /livez?verbose", "POST /livez"] {
        let answer = get(&server, head);
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
    }
    for head in [
        "GET /",
        "GET /livez/",
        "GET /Livez",
        "GET //livez",
        "GET /live%7a",
        "GET /../livez",
        "GET /secret-path",
        "OPTIONS *",
        "DELETE /secret-path",
        "BREW /secret-path",
    ] {
        let answer = get(&server, head);
        assert!(
            answer.starts_with("HTTP/1.1 404 Not Found\r\n"),
            "{head}: {answer}"
        );
        assert!(answer.ends_with("\r\n\r\nnot found\n"), "{answer}");
        assert!(!answer.contains("secret-path"), "{answer}");
    }
}

#[test]
fn head_has_no_body_and_the_connection_goes_on() {
    let server = server();
    let client = connect(&server);
    for _ in 0..3 {
        let answer = ask(
            &client,
            "HEAD /livez HTTP/1.1\r\nhost: x\r\n\r\n",
            "\r\n\r\n",
        );
        assert!(answer.contains("content-length: 2\r\n"), "{answer}");
        let answer = ask(
            &client,
            "GET /livez HTTP/1.1\r\nhost: x\r\n\r\n",
            "\r\n\r\nok",
        );
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    }
}

#[test]
fn rubbish_is_refused_and_the_port_goes_on() {
    let server = server();
    let long = format!("GET /livez HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(100_000));
    for (sent, status) in [
        ("\0\x01\x02\r\n\r\n", "HTTP/1.1 400 "),
        ("GET /livez HTTP/9.9\r\n\r\n", "HTTP/1.1 400 "),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ""),
        (long.as_str(), "HTTP/1.1 431 "),
    ] {
        let mut client = connect(&server);
        // The server may close the connection before everything is sent.
        let (Ok(()) | Err(_)) = client.write_all(sent.as_bytes());
        let answer = rest(&client);
        // Unread bytes turn the close into a reset, which may overtake the response.
        assert!(answer.is_empty() || answer.starts_with(status), "{answer}");
    }
    assert!(get(&server, "GET /livez").ends_with("ok"));
}

#[test]
fn a_body_is_not_read() {
    let server = server();
    let mut client = connect(&server);
    let head = "POST /livez HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000\r\n\r\n";
    client.write_all(head.as_bytes()).unwrap();
    let answer = rest(&client);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

#[test]
fn a_head_that_drips_is_cut_off() {
    let server = server();
    let start = Instant::now();
    // A connection that is silent, one that sends a head slowly, and one that does so after a first response.
    let (silent, dripping, later) = (connect(&server), connect(&server), connect(&server));
    ask(
        &later,
        "GET /livez HTTP/1.1\r\nhost: x\r\n\r\n",
        "\r\n\r\nok",
    );
    thread::scope(|scope| {
        for mut client in [&dripping, &later] {
            scope.spawn(move || {
                let drops = b"GET /livez HTTP/1.1\r\nx: "
                    .iter()
                    .chain(std::iter::repeat(&b'x'));
                for drop in drops {
                    if client.write_all(&[*drop]).is_err() {
                        break;
                    }
                    thread::sleep(Duration::from_millis(50));
                }
            });
        }
        assert_eq!(rest(&silent), "");
        let took = start.elapsed();
        assert!(took < Duration::from_secs(4), "{took:?}");
        for client in [&dripping, &later] {
            assert_eq!(rest(client), "");
            let took = start.elapsed();
            assert!(
                took > Duration::from_secs(4) && took < Duration::from_secs(9),
                "{took:?}"
            );
        }
    });
}

#[test]
fn a_pause_between_two_requests_is_not_cut_off() {
    let server = server();
    let client = connect(&server);
    let again = || {
        ask(
            &client,
            "GET /livez HTTP/1.1\r\nhost: x\r\n\r\n",
            "\r\n\r\nok",
        )
    };
    again();
    // Longer than the time limit of a head.
    thread::sleep(Duration::from_secs(6));
    again();
}

#[test]
fn idle_and_slow_clients_keep_nobody_waiting() {
    let server = server();
    let idle: Vec<_> = (0..10).map(|_| connect(&server)).collect();
    let slow: Vec<_> = (0..10)
        .map(|_| {
            let mut client = connect(&server);
            let request = b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n";
            client.write_all(request).unwrap();
            client
        })
        .collect();
    for _ in 0..20 {
        assert!(get(&server, "GET /livez").ends_with("ok"));
    }
    drop((idle, slow));
}

#[test]
fn idle_connections_make_room_for_new_ones() {
    let (server, counters, diagnostics) = watched_server();
    let request = "GET /livez HTTP/1.1\r\nhost: x\r\n\r\n";
    // Each connection sent one request and stays open, which it may for longer than a probe waits.
    let idle: Vec<_> = (0..MAX_CONNECTIONS)
        .map(|_| {
            let client = connect(&server);
            ask(&client, request, "\r\n\r\nok");
            client
        })
        .collect();
    assert_eq!((counters.evicted(), diagnostics.notices().len()), (0, 0));
    for n in 1..=10 {
        assert!(get(&server, "GET /livez").ends_with("ok"));
        // A probe's connection ends at once and frees its place.
        assert!(counters.evicted() <= n);
    }
    assert!(counters.evicted() > 0);
    assert_eq!(counters.refused(), 0);
    assert_eq!(
        diagnostics.notices().len(),
        1,
        "{:?}",
        diagnostics.notices()
    );
    // The connection that was idle for longest was closed; the newest one is still served.
    assert_eq!(rest(&idle[0]), "");
    ask(&idle[MAX_CONNECTIONS - 1], request, "\r\n\r\nok");
}

#[test]
fn connections_that_say_nothing_keep_no_probe_waiting() {
    let (server, counters, _) = watched_server();
    let silent: Vec<_> = (0..4 * MAX_CONNECTIONS).map(|_| connect(&server)).collect();
    let start = Instant::now();
    assert!(get(&server, "GET /livez").ends_with("ok"));
    assert!(start.elapsed() < Duration::from_secs(1));
    assert!(counters.evicted() >= 3 * MAX_CONNECTIONS as u64);
    drop(silent);
}

#[test]
fn clients_that_take_nothing_make_room_after_a_second() {
    let (server, counters, diagnostics) = watched_server();
    let slow: Vec<_> = (0..MAX_CONNECTIONS)
        .map(|_| {
            let mut client = connect(&server);
            let request = b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n";
            client.write_all(request).unwrap();
            // The head has arrived, so the response is in progress.
            let mut byte = [0];
            client.read_exact(&mut byte).unwrap();
            client
        })
        .collect();
    let patience = Instant::now() + Duration::from_secs(10);
    let mut answer = String::new();
    while !answer.ends_with("ok") {
        assert!(Instant::now() < patience, "{answer}");
        answer = get_quietly(&server);
    }
    assert!(counters.evicted() > 0);
    assert!(
        (1..=2).contains(&diagnostics.notices().len()),
        "{:?}",
        diagnostics.notices()
    );
    drop(slow);
}

#[test]
fn connections_that_are_all_served_refuse_another_and_it_is_counted() {
    let (counters, diagnostics) = (
        Arc::<ServerCounters>::default(),
        Arc::<Diagnostics>::default(),
    );
    let limiter = ConnectionLimiter::new(Arc::clone(&counters), Arc::clone(&diagnostics));
    let mut held: Vec<_> = (0..MAX_CONNECTIONS)
        .map(|_| {
            let permit = limiter.acquire().unwrap();
            permit.progress.set(ConnectionStage::Response);
            permit
        })
        .collect();
    assert!(limiter.acquire().is_none());
    assert_eq!((counters.evicted(), counters.refused()), (0, 1));
    assert_eq!(diagnostics.notices().len(), 1);
    // A connection that ends frees its place, and one with an incomplete head is evicted.
    held.pop();
    let head = limiter.acquire().unwrap();
    head.progress.set(ConnectionStage::Head);
    let another = limiter.acquire().unwrap();
    another.progress.set(ConnectionStage::Response);
    assert_eq!((counters.evicted(), counters.refused()), (1, 1));
    // The end of the evicted connection frees no second place.
    drop(head);
    assert!(limiter.acquire().is_none());
}

/// Sends a request whose connection may be refused.
fn get_quietly(server: &Server) -> String {
    let mut client = connect(server);
    let request = b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let (Ok(()) | Err(_)) = client.write_all(request);
    rest(&client)
}

#[test]
fn a_page_that_panics_costs_its_connection() {
    let server = server();
    for _ in 0..2 * MAX_CONNECTIONS {
        assert_eq!(get(&server, "GET /panics"), "");
    }
    assert!(get(&server, "GET /livez").ends_with("ok"));
}

#[test]
fn a_stop_waits_for_no_idle_connection_and_for_answers_as_long_as_told() {
    let within = Duration::from_millis(400);
    for hanging in [false, true] {
        let server = server();
        let idle = connect(&server);
        ask(
            &idle,
            "GET /livez HTTP/1.1\r\nhost: x\r\n\r\n",
            "\r\n\r\nok",
        );
        if hanging {
            let mut client = &idle;
            client
                .write_all(b"GET /hangs HTTP/1.1\r\nhost: x\r\n\r\n")
                .unwrap();
            // The next response shows that this one is in progress.
            assert!(get(&server, "GET /livez").ends_with("ok"));
        }
        let start = Instant::now();
        assert!(server.shutdown_blocking(within), "{hanging}");
        assert!(start.elapsed() < within + Duration::from_millis(100));
        assert_eq!(rest(&idle), "");
        assert!(Client::connect(server.local_addr()).is_err());
    }
}

#[test]
fn a_page_that_blocks_the_thread_does_not_block_a_stop() {
    let server = server();
    let mut client = connect(&server);
    client
        .write_all(b"GET /blocks HTTP/1.1\r\nhost: x\r\n\r\n")
        .unwrap();
    let start = Instant::now();
    let ended = server.shutdown_blocking(Duration::from_millis(200));
    assert!(start.elapsed() < Duration::from_millis(300), "{ended}");
    drop(server);
    assert!(start.elapsed() < Duration::from_millis(400));
}

#[test]
fn dropping_closes_the_port() {
    let server = server();
    let address = server.local_addr();
    drop(server);
    let patience = Instant::now() + Duration::from_secs(10);
    while Client::connect(address).is_ok() {
        assert!(Instant::now() < patience, "the port stays open");
        thread::sleep(Duration::from_millis(1));
    }
}

fn start_without_pages(address: impl ToSocketAddrs) -> Result<Server> {
    Server::start(address, [], Arc::default(), Arc::default())
}

#[test]
fn a_port_that_is_taken_is_an_error() {
    let server = server();
    let error = start_without_pages(server.local_addr()).unwrap_err();
    assert!(error.is_io());
    assert!(
        error.to_string().contains(&server.local_addr().to_string()),
        "{error}"
    );
}

#[test]
fn an_address_that_cannot_be_read_is_an_error() {
    for address in ["", "127.0.0.1", "127.0.0.1:99999"] {
        assert!(
            start_without_pages(address).unwrap_err().is_io(),
            "{address}"
        );
    }
}

#[test]
fn failing_accepts_neither_spin_nor_end_the_loop() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(None);
        let pages: PageTable = Arc::new(vec![("/livez", page(Says("ok")))]);
        let start = Instant::now();
        let client = thread::spawn(move || {
            let mut client = Client::connect(address).unwrap();
            client
                .write_all(b"GET /livez HTTP/1.1\r\nconnection: close\r\n\r\n")
                .unwrap();
            (rest(&client), start.elapsed(), stop)
        });
        let mut asked = 0;
        let next = async || {
            asked += 1;
            match asked {
                // Too many open files: twice in the process, once in the system.
                1 | 2 => Err(io::Error::from_raw_os_error(24)),
                3 => Err(io::Error::from_raw_os_error(23)),
                4..100 => Err(ErrorKind::ConnectionAborted.into()),
                _ => Ok(listener.accept().await?.0),
            }
        };
        let limiter = ConnectionLimiter::new(Arc::default(), Arc::default());
        let serving = accept(next, pages, &limiter, stopped);
        let told = async {
            let (answer, took, stop) = tokio::task::spawn_blocking(|| client.join().unwrap())
                .await
                .unwrap();
            assert!(answer.ends_with("ok"), "{answer}");
            assert!(took >= 3 * ACCEPT_PAUSE, "{took:?}");
            stop.send_replace(Some(Duration::ZERO));
        };
        tokio::join!(serving, told);
        assert_eq!(asked, 101);
    });
}
