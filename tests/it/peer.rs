//! A receiver on loopback that follows a script, with correct and faulty responses, and stores the requests. The
//! library's own tests include this file as well, so it does not use the crate.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::allow_attributes,
    reason = "each user takes another part of it"
)]

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A received request.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    pub method: String,
    pub target: String,
    /// Header names are in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// The number of its connection, from 0.
    pub connection: usize,
    pub at: Option<Instant>,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        Some(&headers.find(|(n, _)| n == name)?.1)
    }
}

/// What the receiver does after it has read a request.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Sends a response.
    Answer(u16, Vec<(String, String)>, Vec<u8>),
    /// Never responds.
    Hang,
    /// Sends the response byte by byte, with this pause before each.
    Drip(Duration),
    /// Resets the connection before the response.
    Reset,
    /// Resets the connection in the body of a response with this status.
    ResetInBody(u16),
    /// Sends a response with this status and a body of this number of bytes.
    Huge(u16, u64),
    /// Sends a response with this status that ends before its declared length.
    Short(u16),
    /// Sends bytes that are not HTTP.
    Garbage,
    /// Sends a response after this delay.
    Late(Duration, u16),
}

impl Reply {
    pub fn status(status: u16) -> Self {
        Self::Answer(status, Vec::new(), Vec::new())
    }

    pub fn with(status: u16, name: &str, value: &str) -> Self {
        Self::Answer(
            status,
            vec![(name.to_owned(), value.to_owned())],
            Vec::new(),
        )
    }
}

type Script = dyn FnMut(&Seen) -> Reply + Send;

/// The receiver. Dropping it ends its threads.
pub struct Peer {
    shared: Arc<Shared>,
    address: SocketAddr,
    scheme: &'static str,
}

struct Shared {
    script: Mutex<Box<Script>>,
    seen: Mutex<Vec<Seen>>,
    streams: Mutex<Vec<TcpStream>>,
    connections: AtomicUsize,
    /// Connections are accepted and not read.
    deaf: AtomicBool,
    listening: AtomicBool,
    ended: AtomicBool,
    tls: Option<Arc<ServerConfig>>,
}

impl Peer {
    /// A receiver without TLS.
    pub fn start(script: impl FnMut(&Seen) -> Reply + Send + 'static) -> Self {
        Self::start_with(None, script)
    }

    /// A receiver with the same reply to every request.
    pub fn always(reply: Reply) -> Self {
        Self::start(move |_| reply.clone())
    }

    /// A receiver with these replies in turn; the last one repeats.
    pub fn replies(replies: impl IntoIterator<Item = Reply>) -> Self {
        let mut replies = replies.into_iter().collect::<Vec<_>>().into_iter();
        let mut last = Reply::status(200);
        Self::start(move |_| {
            if let Some(reply) = replies.next() {
                last = reply;
            }
            last.clone()
        })
    }

    /// A receiver with TLS.
    pub fn tls(
        config: Arc<ServerConfig>,
        script: impl FnMut(&Seen) -> Reply + Send + 'static,
    ) -> Self {
        Self::start_with(Some(config), script)
    }

    fn start_with(
        tls: Option<Arc<ServerConfig>>,
        script: impl FnMut(&Seen) -> Reply + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let scheme = if tls.is_some() { "https" } else { "http" };
        let shared = Arc::new(Shared {
            script: Mutex::new(Box::new(script)),
            seen: Mutex::default(),
            streams: Mutex::default(),
            connections: AtomicUsize::new(0),
            deaf: AtomicBool::new(false),
            listening: AtomicBool::new(true),
            ended: AtomicBool::new(false),
            tls,
        });
        spawn(&shared, move |shared| shared.accept(listener));
        Self {
            shared,
            address,
            scheme,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path, with the receiver's address.
    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// The URL of a path, with another host name.
    pub fn url_by_name(&self, host: &str, path: &str) -> String {
        format!("{}://{host}:{}{path}", self.scheme, self.address.port())
    }

    /// The requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.shared.seen).clone()
    }

    /// Waits until this number of requests has arrived; panics if that takes too long.
    pub fn await_seen(&self, requests: usize, within: Duration) -> Vec<Seen> {
        let begun = Instant::now();
        loop {
            let seen = self.seen();
            if seen.len() >= requests {
                return seen;
            }
            let got = seen.len();
            assert!(begun.elapsed() < within, "{got} requests of {requests}");
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(SeqCst)
    }

    /// Replaces the script.
    pub fn script(&self, script: impl FnMut(&Seen) -> Reply + Send + 'static) {
        *lock(&self.shared.script) = Box::new(script);
    }

    /// Sets whether new connections are accepted without being read. Existing connections are closed.
    pub fn deaf(&self, deaf: bool) {
        self.shared.deaf.store(deaf, SeqCst);
        self.shared.cut();
    }

    /// Refuses new connections and closes existing ones.
    pub fn refuse(&self) {
        self.shared.listening.store(false, SeqCst);
        self.shared.cut();
        let begun = Instant::now();
        while TcpStream::connect(self.address).is_ok() {
            assert!(begun.elapsed() < Duration::from_secs(5), "it still listens");
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Listens again on the same port.
    pub fn listen(&self) {
        let listener = TcpListener::bind(self.address).expect("the port is still free");
        self.shared.listening.store(true, SeqCst);
        spawn(&self.shared, move |shared| shared.accept(listener));
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.shared.ended.store(true, SeqCst);
        self.shared.cut();
    }
}

fn spawn(shared: &Arc<Shared>, run: impl FnOnce(Arc<Shared>) + Send + 'static) {
    let shared = Arc::clone(shared);
    thread::Builder::new()
        .name("peer".to_owned())
        .spawn(move || run(shared))
        .expect("a thread can be had");
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Shared {
    #[allow(clippy::needless_pass_by_value, reason = "it is closed at the end")]
    fn accept(self: Arc<Self>, listener: TcpListener) {
        listener.set_nonblocking(true).expect("it can be polled");
        while self.listening.load(SeqCst) && !self.ended.load(SeqCst) {
            let Ok((stream, _)) = listener.accept() else {
                thread::sleep(Duration::from_millis(1));
                continue;
            };
            if stream.set_nonblocking(false).is_err() {
                continue;
            }
            let number = self.connections.fetch_add(1, SeqCst);
            lock(&self.streams).extend(stream.try_clone());
            if self.deaf.load(SeqCst) {
                // The clone in the list keeps the connection open.
                continue;
            }
            spawn(&self, move |shared| drop(shared.serve(stream, number)));
        }
    }

    fn cut(&self) {
        for stream in lock(&self.streams).drain(..) {
            drop(stream.shutdown(std::net::Shutdown::Both));
        }
    }

    fn serve(&self, stream: TcpStream, number: usize) -> io::Result<()> {
        let raw = stream.try_clone()?;
        match &self.tls {
            None => self.talk(stream, &raw, number),
            Some(config) => {
                let connection =
                    ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
                self.talk(StreamOwned::new(connection, stream), &raw, number)
            }
        }
    }

    fn talk(
        &self,
        mut stream: impl Read + Write,
        raw: &TcpStream,
        number: usize,
    ) -> io::Result<()> {
        loop {
            let mut seen = read_request(&mut stream)?;
            seen.connection = number;
            seen.at = Some(Instant::now());
            lock(&self.seen).push(seen.clone());
            let reply = (lock(&self.script))(&seen);
            let reset = || socket2::SockRef::from(raw).set_linger(Some(Duration::ZERO));
            match reply {
                Reply::Answer(status, headers, body) => {
                    stream.write_all(&response(status, &headers, body.len() as u64))?;
                    stream.write_all(&body)?;
                }
                Reply::Late(wait, status) => {
                    thread::sleep(wait);
                    stream.write_all(&response(status, &[], 0))?;
                }
                Reply::Hang => {
                    // Until the other side closes the connection.
                    drop(stream.read(&mut [0]));
                    return Ok(());
                }
                Reply::Drip(pause) => {
                    for byte in response(200, &[], 1 << 20) {
                        stream.write_all(&[byte])?;
                        stream.flush()?;
                        thread::sleep(pause);
                    }
                    return Ok(());
                }
                Reply::Reset => {
                    reset()?;
                    lock(&self.streams).clear();
                    return Ok(());
                }
                Reply::ResetInBody(status) => {
                    stream.write_all(&response(status, &[], 1000))?;
                    stream.write_all(&[b'x'; 100])?;
                    stream.flush()?;
                    thread::sleep(Duration::from_millis(20));
                    reset()?;
                    lock(&self.streams).clear();
                    return Ok(());
                }
                Reply::Huge(status, bytes) => {
                    stream.write_all(&response(status, &[], bytes))?;
                    let block = [b'x'; 8192];
                    let mut left = bytes;
                    while left > 0 {
                        let now = left.min(8192);
                        stream.write_all(block.get(..now as usize).unwrap_or_default())?;
                        left -= now;
                    }
                }
                Reply::Short(status) => {
                    stream.write_all(&response(status, &[], 1000))?;
                    stream.write_all(b"too short")?;
                    stream.flush()?;
                    raw.shutdown(std::net::Shutdown::Both)?;
                    return Ok(());
                }
                Reply::Garbage => {
                    stream.write_all(b"220 mail.example ESMTP\r\n\r\n")?;
                    stream.flush()?;
                    return raw.shutdown(std::net::Shutdown::Both);
                }
            }
            stream.flush()?;
        }
    }
}

fn read_request(stream: &mut impl Read) -> io::Result<Seen> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).map_err(io::Error::other)?;
    let mut lines = head.lines();
    let mut first = lines
        .next()
        .unwrap_or_default()
        .split(' ')
        .map(str::to_owned);
    let mut seen = Seen {
        method: first.next().unwrap_or_default(),
        target: first.next().unwrap_or_default(),
        ..Seen::default()
    };
    for line in lines {
        if let Some((name, value)) = line.split_once(':') {
            let pair = (name.to_ascii_lowercase(), value.trim().to_owned());
            seen.headers.push(pair);
        }
    }
    let length = seen.header("content-length").and_then(|it| it.parse().ok());
    seen.body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut seen.body)?;
    Ok(seen)
}

fn response(status: u16, headers: &[(String, String)], length: u64) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} Scripted\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if status != 204 && status != 304 {
        head.push_str(&format!("content-length: {length}\r\n"));
    }
    head.push_str("\r\n");
    head.into_bytes()
}

/// A certificate authority of the tests, and its certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// What is wrong with a certificate, if anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certificate {
    Good,
    Expired,
    NotYet,
    OtherHost,
    SelfSigned,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names are good names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let name = &mut params.distinguished_name;
        name.push(DnType::CommonName, "the tests' authority");
        let key = KeyPair::generate().expect("a key can be made");
        let certificate = params.self_signed(&key).expect("it can be signed");
        Self {
            pem: certificate.pem(),
            issuer: Issuer::new(params, key),
        }
    }

    /// Writes its certificate as a PEM file into a directory.
    pub fn file(&self, directory: &std::path::Path) -> PathBuf {
        let path = directory.join("authority.pem");
        std::fs::write(&path, &self.pem).expect("the file can be written");
        path
    }

    /// The certificate of a server at `localhost` and `127.0.0.1`.
    pub fn server(&self, kind: Certificate) -> Arc<ServerConfig> {
        let names = match kind {
            Certificate::OtherHost => vec!["example.com".to_owned()],
            _ => vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
        };
        let mut params = CertificateParams::new(names).expect("the names are good");
        match kind {
            Certificate::Expired => params.not_after = rcgen::date_time_ymd(2001, 1, 1),
            Certificate::NotYet => params.not_before = rcgen::date_time_ymd(2200, 1, 1),
            _ => {}
        }
        let key = KeyPair::generate().expect("a key can be made");
        let certificate = match kind {
            Certificate::SelfSigned => params.self_signed(&key),
            _ => params.signed_by(&key, &self.issuer),
        };
        let certificate = certificate.expect("it can be signed");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("it is a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring speaks them")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("they fit each other");
        Arc::new(config)
    }
}
