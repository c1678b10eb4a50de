//! The memory of the dashboard's live connections, measured by an allocator in this binary. The clients are plain sockets,
//! which allocate nothing.

use std::alloc::System;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tokio::net::TcpSocket;
use tokio::runtime::Runtime;
use watchpost::Access;
use watchpost::dashboard::DashboardConfig;
use watchpost::testing::Harness;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const TOKEN: &str = "a-token-of-thirty-two-characters";
/// The number of clients, which all come from one address.
const CLIENTS: usize = 64;
const KIB: isize = 1024;
/// The size of the sockets' buffers: so small that no state fits.
const SMALL: u32 = 4096;

/// What is kept of the requests is little and soon full, so that the result does not include it.
const RECENT: &str =
    "[trace]\nrecent_bytes = 32768\n[log]\nrecent_bytes = 65536\n[history]\ninterval = \"1h\"\n";

/// Lets one test run at a time, since all share the allocator's counts.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The bytes that are allocated now, relative to the beginning of the region.
fn live(region: &Region<'_, System>) -> isize {
    let change = region.change();
    change.bytes_allocated.cast_signed() - change.bytes_deallocated.cast_signed()
}

struct Host {
    runtime: Runtime,
    address: SocketAddr,
    _harness: Harness,
}

impl Host {
    fn start() -> Self {
        let settings = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&settings, RECENT).unwrap();
        let harness = Harness::in_real_time(|builder| {
            let builder = builder.file(settings.path());
            let config = DashboardConfig::default();
            builder.access_token(TOKEN).dashboard(
                config
                    .max_clients(2 * CLIENTS)
                    .max_clients_per_address(2 * CLIENTS),
            )
        });
        let app = Router::new()
            .route("/orders/{id}", get(|| async { "an order" }))
            .layer(harness.layer())
            .merge(harness.dashboard(Access::from_settings()))
            .into_make_service_with_connect_info::<SocketAddr>();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let entered = runtime.enter();
        let socket = TcpSocket::new_v4().unwrap();
        // The connections inherit it.
        socket.set_send_buffer_size(SMALL).unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(256).unwrap();
        let address = listener.local_addr().unwrap();
        drop(runtime.spawn(async move { axum::serve(listener, app).await }));
        drop(entered);
        Self {
            runtime,
            address,
            _harness: harness,
        }
    }

    /// Sends a request to the host, so that the state changes.
    fn visit(&self) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        write!(
            stream,
            "GET /orders/1 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        )
        .unwrap();
        let mut buffer = [0; 1024];
        while stream.read(&mut buffer).unwrap() > 0 {}
    }

    /// Opens a live connection with a small buffer.
    fn connect(&self) -> Client {
        let stream = self.runtime.block_on(async {
            let socket = TcpSocket::new_v4().unwrap();
            socket.set_recv_buffer_size(SMALL).unwrap();
            let stream = socket.connect(self.address).await.unwrap();
            stream.into_std().unwrap()
        });
        stream.set_nonblocking(true).unwrap();
        let mut client = Client { stream, read: 0 };
        let address = self.address;
        write!(
            client.stream,
            "GET /monitoring/live HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {TOKEN}\r\nconnection: Upgrade\r\n\
             upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        .unwrap();
        client
    }
}

struct Client {
    stream: TcpStream,
    /// The number of bytes that were read.
    read: usize,
}

impl Client {
    /// Reads what there is. Returns whether it contains `text`, unless that lies across two readings.
    fn read(&mut self, text: &str) -> bool {
        let (mut buffer, mut has_text) = ([0; 4096], false);
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => panic!("closed after {} bytes", self.read),
                Ok(len) => {
                    self.read += len;
                    let read = &buffer[..len];
                    has_text |= read.windows(text.len()).any(|it| it == text.as_bytes());
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return has_text,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// Lets all clients read, and the host be visited, until `is_done`.
fn keep_up(host: &Host, clients: &mut [Client], mut is_done: impl FnMut(&[Client]) -> bool) {
    let patience = Instant::now() + Duration::from_secs(60);
    while !is_done(clients) {
        assert!(Instant::now() < patience);
        host.visit();
        for client in &mut *clients {
            client.read("\"type\"");
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// The least bytes that are allocated while the clients read for a while: the state is there once or twice, and some
/// requests are in progress.
fn least(host: &Host, clients: &mut [Client], region: &Region<'_, System>) -> isize {
    let (begin, mut least) = (Instant::now(), isize::MAX);
    keep_up(host, clients, |_| {
        least = least.min(live(region));
        begin.elapsed() > Duration::from_secs(4)
    });
    least
}

/// Connects further clients, lets all of them keep up, and returns the least memory.
fn with_more(
    host: &Host,
    first: &mut [Client],
    region: &Region<'_, System>,
) -> (isize, Vec<Client>) {
    let mut more: Vec<Client> = (0..CLIENTS).map(|_| host.connect()).collect();
    let mut smallest = isize::MAX;
    let begin = Instant::now();
    keep_up(host, first, |_| {
        for client in &mut more {
            client.read("\"type\"");
        }
        let is_settled = more.iter().all(|client| client.read > 20_000);
        if is_settled {
            smallest = smallest.min(live(region));
        }
        is_settled && begin.elapsed() > Duration::from_secs(6)
    });
    (smallest, more)
}

/// A client takes what is free again after it has left. What stays is of the host, whose live window fills meanwhile, or of
/// clients that are gone: it has a limit too.
#[test]
fn a_client_that_keeps_up_takes_at_most_8_kib() {
    let _alone = alone();
    let host = Host::start();
    let mut first = [host.connect()];
    // The caches and buffers of a running dashboard are filled first.
    keep_up(&host, &mut first, |clients| clients[0].read > 20_000);
    let region = Region::new(ALLOCATOR);
    let mut before = least(&host, &mut first, &region);
    let mut rounds = Vec::new();
    for _ in 0..2 {
        let (all, more) = with_more(&host, &mut first, &region);
        drop(more);
        let after = least(&host, &mut first, &region);
        let each = |one: isize| (all - one) / CLIENTS.cast_signed();
        println!(
            "memory: {} to {} bytes for each of {CLIENTS} clients that keep up",
            each(after),
            each(before)
        );
        rounds.push((each(before), each(after)));
        before = after;
    }
    // The first round also fills what clients share.
    let (from_before, from_after) = rounds[1];
    assert!(from_after <= 8 * KIB, "{from_after} bytes: {rounds:?}");
    assert!(from_before <= 16 * KIB, "{from_before} bytes: {rounds:?}");
}

#[test]
fn a_client_that_is_behind_takes_at_most_64_kib_and_is_told_what_it_missed() {
    let _alone = alone();
    let host = Host::start();
    let mut first = [host.connect()];
    keep_up(&host, &mut first, |clients| clients[0].read > 20_000);
    let region = Region::new(ALLOCATOR);
    let one = least(&host, &mut first, &region);
    let mut behind: Vec<Client> = (0..CLIENTS).map(|_| host.connect()).collect();
    // While the others read nothing, one receives some states more.
    let (mut most, before) = (0, first[0].read);
    keep_up(&host, &mut first, |clients| {
        most = most.max(live(&region));
        clients[0].read > before + 20_000
    });
    let each = (most - one) / CLIENTS.cast_signed();
    println!("memory: {each} bytes for each of {CLIENTS} clients that are behind");
    assert!(each <= 64 * KIB, "{each} bytes");
    // They are not closed yet, and learn how much they have missed.
    let mut told = [false; CLIENTS];
    let patience = Instant::now() + Duration::from_secs(20);
    while told.contains(&false) && Instant::now() < patience {
        host.visit();
        for (client, told) in behind.iter_mut().zip(&mut told) {
            *told |= client.read("\"type\":\"gap\",\"missed\":");
        }
        thread::sleep(Duration::from_millis(5));
    }
    let told = told.iter().filter(|told| **told).count();
    // A message may lie across two readings.
    assert!(told > CLIENTS * 9 / 10, "{told} of {CLIENTS}");
}
