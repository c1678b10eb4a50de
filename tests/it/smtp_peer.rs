//! A mail server on loopback that follows a script. The real ones are in `tests/real`, which reads mails with this file too.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::allow_attributes,
    reason = "each user takes another part of it"
)]

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What the server does when it has read a command.
#[derive(Debug, Clone)]
pub enum SmtpReply {
    /// What a server usually says.
    Usual,
    /// Sends this line.
    Line(&'static str),
    /// Never responds.
    Hang,
    /// Closes the connection.
    Drop,
}

/// When TLS begins.
#[derive(Clone)]
pub enum SmtpTls {
    Never,
    Implicit(Arc<ServerConfig>),
    StartTls(Arc<ServerConfig>),
}

/// A mail that the server has accepted.
#[derive(Debug, Clone, Default)]
pub struct ReceivedMail {
    pub from: String,
    pub to: Vec<String>,
    pub content: String,
}

impl ReceivedMail {
    /// A header, unfolded.
    pub fn header(&self, name: &str) -> Option<String> {
        let head = self.content.split("\r\n\r\n").next().unwrap_or_default();
        let head = head.replace("\r\n ", " ").replace("\r\n\t", " ");
        let begin = format!("{}: ", name.to_ascii_lowercase());
        let line = head
            .split("\r\n")
            .find(|line| line.to_ascii_lowercase().starts_with(&begin))?;
        Some(line[begin.len()..].to_owned())
    }

    /// The content of the parts, decoded: the text and the HTML.
    pub fn parts(&self) -> Vec<String> {
        let kind = self.header("Content-Type").unwrap();
        let boundary = kind.split('"').nth(1).unwrap();
        let mark = format!("--{boundary}");
        let parts = self.content.split(&mark);
        let parts = parts.skip(1).filter(|part| !part.starts_with("--"));
        parts.map(decoded).collect()
    }
}

/// Decodes the content of a part, whatever its encoding.
fn decoded(part: &str) -> String {
    let (head, body) = part.trim_start().split_once("\r\n\r\n").unwrap();
    if head.contains("base64") {
        return String::from_utf8(base64(body)).unwrap();
    }
    if !head.contains("quoted-printable") {
        return body.to_owned();
    }
    let body = body.replace("=\r\n", "");
    let mut bytes = body.bytes();
    let mut out = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte == b'=' {
            let hex = [bytes.next().unwrap(), bytes.next().unwrap()];
            let hex = std::str::from_utf8(&hex).unwrap();
            out.push(u8::from_str_radix(hex, 16).unwrap());
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).unwrap()
}

pub fn base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bits = (0u32, 0);
    let mut out = Vec::new();
    for byte in text.bytes() {
        let Some(digit) = DIGITS.iter().position(|it| *it == byte) else {
            continue;
        };
        bits = (bits.0 << 6 | digit as u32, bits.1 + 6);
        if bits.1 >= 8 {
            bits.1 -= 8;
            out.push((bits.0 >> bits.1) as u8);
            bits.0 &= (1 << bits.1) - 1;
        }
    }
    out
}

type Script = dyn FnMut(&str) -> SmtpReply + Send;

/// The server. Its threads end with the process.
pub struct SmtpPeer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    script: Mutex<Box<Script>>,
    mails: Mutex<Vec<ReceivedMail>>,
    commands: Mutex<Vec<String>>,
    tls: SmtpTls,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SmtpPeer {
    /// A server whose script gets each command: `CONNECT`, `EHLO ..`, `.` for the end of a mail, and so on.
    pub fn start(tls: SmtpTls, script: impl FnMut(&str) -> SmtpReply + Send + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            script: Mutex::new(Box::new(script)),
            mails: Mutex::default(),
            commands: Mutex::default(),
            tls,
        });
        let server = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = Arc::clone(&server);
                thread::spawn(move || drop(server.serve(stream)));
            }
        });
        Self { address, shared }
    }

    /// A server without TLS that responds as usual.
    pub fn usual() -> Self {
        Self::start(SmtpTls::Never, |_| SmtpReply::Usual)
    }

    /// A server without TLS that responds once to a command with this line, and as usual otherwise.
    pub fn once(command: &'static str, reply: SmtpReply) -> Self {
        let mut reply = Some(reply);
        Self::start(SmtpTls::Never, move |seen| {
            if seen.starts_with(command) {
                reply.take().unwrap_or(SmtpReply::Usual)
            } else {
                SmtpReply::Usual
            }
        })
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    pub fn mails(&self) -> Vec<ReceivedMail> {
        lock(&self.shared.mails).clone()
    }

    /// The commands of all connections.
    pub fn commands(&self) -> Vec<String> {
        lock(&self.shared.commands).clone()
    }
}

/// A stream before and after TLS.
trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}

impl Shared {
    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        let raw = stream.try_clone()?;
        let secure = |config: &Arc<ServerConfig>, stream| -> io::Result<Box<dyn ReadWrite>> {
            let connection = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
            Ok(Box::new(StreamOwned::new(connection, stream)))
        };
        let mut stream: Box<dyn ReadWrite> = match &self.tls {
            SmtpTls::Implicit(config) => secure(config, stream)?,
            _ => Box::new(stream),
        };
        let mut is_secure = matches!(self.tls, SmtpTls::Implicit(_));
        let mut mail = ReceivedMail::default();
        let mut command = "CONNECT".to_owned();
        loop {
            lock(&self.commands).push(command.clone());
            let reply = (lock(&self.script))(&command);
            let usual = match command.split([' ', ':']).next().unwrap_or_default() {
                "CONNECT" => "220 ready",
                "EHLO" if matches!(self.tls, SmtpTls::StartTls(_)) && !is_secure => {
                    "250-here\r\n250 STARTTLS"
                }
                "EHLO" => "250-here\r\n250 AUTH PLAIN LOGIN",
                "STARTTLS" => "220 go",
                "AUTH" => "235 good",
                "DATA" => "354 go",
                "QUIT" => "221 bye",
                _ => "250 good",
            };
            let line = match reply {
                SmtpReply::Usual => usual,
                SmtpReply::Line(line) => line,
                SmtpReply::Hang => {
                    drop(stream.read(&mut [0]));
                    return Ok(());
                }
                SmtpReply::Drop => return raw.shutdown(std::net::Shutdown::Both),
            };
            let is_good = line.starts_with(['2', '3']);
            if is_good {
                if let Some(from) = command.strip_prefix("MAIL FROM:") {
                    mail.from = from.to_owned();
                } else if let Some(to) = command.strip_prefix("RCPT TO:") {
                    mail.to.push(to.to_owned());
                } else if command == "." {
                    lock(&self.mails).push(std::mem::take(&mut mail));
                }
            }
            stream.write_all(format!("{line}\r\n").as_bytes())?;
            stream.flush()?;
            if command == "QUIT" {
                return Ok(());
            }
            if command == "DATA" && is_good {
                mail.content = content(&mut stream)?;
                command = ".".to_owned();
                continue;
            }
            if command == "STARTTLS"
                && is_good
                && let SmtpTls::StartTls(config) = &self.tls
            {
                stream = secure(config, raw.try_clone()?)?;
                is_secure = true;
            }
            command = read_line(&mut stream)?;
        }
    }
}

fn read_line(stream: &mut impl Read) -> io::Result<String> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        line.push(byte[0]);
    }
    line.truncate(line.len() - 2);
    String::from_utf8(line).map_err(io::Error::other)
}

/// Reads a mail up to the line with a dot.
fn content(stream: &mut impl Read) -> io::Result<String> {
    let mut content = String::new();
    loop {
        let line = read_line(stream)?;
        if line == "." {
            return Ok(content);
        }
        content.push_str(line.strip_prefix('.').unwrap_or(&line));
        content.push_str("\r\n");
    }
}
