//! What 64 open pages cost a host under load: the latencies of its requests and the CPU time of its threads, with the pages
//! open and without, in turns. All of it is one process, so nothing else differs.
//!
//! Timings are printed and decide nothing. What decides is that all pages are served by one computation a second.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use tokio::runtime::Runtime;
use watchpost::Access;
use watchpost::dashboard::DashboardConfig;
use watchpost::db::{ConnectionPool, PoolState};
use watchpost::testing::Harness;

const TOKEN: &str = "a-token-of-thirty-two-characters";
const PAGES: usize = 64;
const PER_SECOND: u32 = 1000;
/// How often one computation asks a pool.
const ASKS: u64 = 3;
/// The senders of requests, each with a connection of its own.
const SENDERS: u32 = 4;
/// The name of the threads on which the host runs.
const HOST_THREADS: &str = "the-host";

/// A pool that counts how often it is asked: by each of its three metrics for each state of the dashboard.
struct CountingPool(AtomicU64);

impl ConnectionPool for CountingPool {
    fn state(&self) -> Option<PoolState> {
        self.0.fetch_add(1, Relaxed);
        Some(PoolState::new(1, 1))
    }
}

struct Host {
    runtime: Runtime,
    address: SocketAddr,
    pool: Arc<CountingPool>,
    _harness: Harness,
}

impl Host {
    fn start() -> Self {
        let harness = Harness::in_real_time(|builder| {
            let pages = DashboardConfig::default().max_clients_per_address(2 * PAGES);
            builder
                .access_token(TOKEN)
                .console(false)
                .dashboard(pages.max_clients(2 * PAGES))
        });
        let pool = Arc::new(CountingPool(AtomicU64::new(0)));
        let _watch = harness.watch_pool("orders", &pool);
        let app = Router::new()
            .route("/orders/{id}", get(|| async { "an order" }))
            .layer(harness.layer())
            .merge(harness.dashboard(Access::from_settings()))
            .into_make_service_with_connect_info::<SocketAddr>();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name(HOST_THREADS)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let address = listener.local_addr().unwrap();
        drop(runtime.spawn(async move { axum::serve(listener, app).await }));
        Self {
            runtime,
            address,
            pool,
            _harness: harness,
        }
    }

    /// Sends requests at [`PER_SECOND`] for a while. Returns how long each took, in nanoseconds.
    fn load(&self, time: Duration) -> Vec<u64> {
        let address = self.address;
        let senders: Vec<_> = (0..SENDERS)
            .map(|n| thread::spawn(move || send(address, n, time)))
            .collect();
        let times = senders.into_iter().flat_map(|it| it.join().unwrap());
        times.collect()
    }
}

/// Sends requests at a fixed rate, each after the response to the one before.
fn send(address: SocketAddr, n: u32, time: Duration) -> Vec<u64> {
    let every = Duration::from_secs(1) * SENDERS / PER_SECOND;
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let begin = Instant::now() + every * n / SENDERS;
    let count = u32::try_from(time.as_nanos() / every.as_nanos()).unwrap();
    let mut buffer = [0; 4096];
    let one = |i| {
        let due = begin + every * i;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let sent = Instant::now();
        stream
            .write_all(b"GET /orders/7 HTTP/1.1\r\nhost: x\r\n\r\n")
            .unwrap();
        let mut read = 0;
        while !buffer[..read].ends_with(b"an order") {
            read += stream.read(&mut buffer[read..]).unwrap();
        }
        u64::try_from(sent.elapsed().as_nanos()).unwrap()
    };
    (0..count).map(one).collect()
}

/// Open pages: sockets that are read until the end.
struct Pages {
    is_over: Arc<AtomicBool>,
    reader: thread::JoinHandle<Vec<usize>>,
}

impl Pages {
    fn open(address: SocketAddr) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let sockets: Vec<_> = (0..PAGES).map(|_| connect(address)).collect();
        let over = Arc::clone(&is_over);
        let reader = thread::spawn(move || read_all(sockets, &over));
        Self { is_over, reader }
    }

    /// Closes them and returns how many messages each got.
    fn close(self) -> Vec<usize> {
        self.is_over.store(true, Relaxed);
        self.reader.join().unwrap()
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET /monitoring/live HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {TOKEN}\r\nconnection: Upgrade\r\n\
         upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    .unwrap();
    stream.set_nonblocking(true).unwrap();
    stream
}

fn read_all(mut sockets: Vec<TcpStream>, is_over: &AtomicBool) -> Vec<usize> {
    let mut messages = vec![0; sockets.len()];
    let mut buffer = vec![0; 64 * 1024];
    while !is_over.load(Relaxed) {
        for (socket, messages) in sockets.iter_mut().zip(&mut messages) {
            match socket.read(&mut buffer) {
                Ok(0) => panic!("a page was closed"),
                Ok(len) => {
                    let begin = b"{\"type\":";
                    let read = buffer[..len].windows(begin.len());
                    *messages += read.filter(|it| it == begin).count();
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => panic!("{error}"),
            }
        }
        thread::sleep(Duration::from_millis(10));
    }
    messages
}

/// The CPU time of the host's threads so far, in nanoseconds. `None` where the system does not tell.
fn cpu_time() -> Option<u64> {
    let mut sum = 0;
    for task in std::fs::read_dir("/proc/self/task").ok()?.flatten() {
        let name = std::fs::read_to_string(task.path().join("comm")).ok()?;
        if name.trim_end() == HOST_THREADS {
            let stat = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
            sum += stat.split(' ').next()?.parse::<u64>().ok()?;
        }
    }
    Some(sum)
}

/// What was seen in one turn.
struct Turn {
    requests: usize,
    p50: u64,
    p99: u64,
    /// Nanoseconds of the host's threads for each request.
    cpu: Option<u64>,
    computations: u64,
    /// How long the turn took.
    seconds: u64,
}

fn turn(host: &Host, time: Duration) -> Turn {
    let (cpu, asked, begin) = (cpu_time(), host.pool.0.load(Relaxed), Instant::now());
    let mut times = host.load(time);
    let computations = (host.pool.0.load(Relaxed) - asked).div_ceil(ASKS);
    times.sort_unstable();
    let requests = times.len();
    let cpu = cpu.zip(cpu_time());
    Turn {
        requests,
        p50: times[requests / 2],
        p99: times[requests * 99 / 100],
        cpu: cpu.map(|(before, after)| (after - before) / requests as u64),
        computations,
        seconds: begin.elapsed().as_secs(),
    }
}

/// The value in the middle.
fn middle(turns: &[Turn], value: impl Fn(&Turn) -> u64) -> u64 {
    let mut values: Vec<_> = turns.iter().map(value).collect();
    values.sort_unstable();
    values[values.len() / 2]
}

#[test]
fn all_pages_are_served_by_one_computation() {
    let is_long = std::env::var_os("WATCHPOST_LONG").is_some();
    let (turns, seconds) = if is_long { (7, 3) } else { (1, 2) };
    let time = Duration::from_secs(seconds);
    let host = Host::start();
    host.load(Duration::from_millis(500));
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..turns {
        without.push(turn(&host, time));
        let pages = Pages::open(host.address);
        // The first states are whole.
        host.load(Duration::from_millis(500));
        with.push(turn(&host, time));
        let messages = pages.close();
        // Each second has a state. A loaded machine may be late.
        let least = messages.iter().min().unwrap();
        assert!(*least as u64 >= seconds / 2, "{least} messages in {time:?}");
    }
    let requests: usize = without.iter().chain(&with).map(|it| it.requests).sum();
    for turn in &with {
        // One a second, those in progress at the begin and at the end, and a snapshot of the history.
        let most = turn.seconds + 3;
        let computations = turn.computations;
        assert!(
            (1..=most).contains(&computations),
            "{computations} computations for {PAGES} pages in {} s",
            turn.seconds
        );
    }
    let ratio = |value: &dyn Fn(&Turn) -> u64| {
        middle(&with, value) as f64 / middle(&without, value).max(1) as f64
    };
    let cpu = |turn: &Turn| turn.cpu.unwrap_or_default();
    println!(
        "result: {{\"pages\":{PAGES},\"per_second\":{PER_SECOND},\"requests\":{requests},\"turns\":{turns},\"seconds\":{seconds},\
         \"p50_us\":[{},{}],\"p99_us\":[{},{}],\"p99_ratio\":{:.3},\"cpu_ns\":[{},{}],\"cpu_ratio\":{:.3},\"computations\":{}}}",
        middle(&without, |it| it.p50) / 1000,
        middle(&with, |it| it.p50) / 1000,
        middle(&without, |it| it.p99) / 1000,
        middle(&with, |it| it.p99) / 1000,
        ratio(&|it| it.p99),
        middle(&without, cpu),
        middle(&with, cpu),
        ratio(&cpu),
        middle(&with, |it| it.computations),
    );
    host.runtime.shutdown_background();
}
