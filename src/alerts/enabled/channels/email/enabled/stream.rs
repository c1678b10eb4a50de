//! What an SMTP connection reads from and writes to.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::worker::TlsTcpStream;

/// What a server would send first on a new connection.
const GREETING: &[u8] = b"220 \r\n";

/// A connection that has no TLS yet.
///
/// It gives one byte at a time. So no buffer holds what follows the response to `STARTTLS`, and nobody between can send
/// responses in plain text that would be taken for those of the server after the handshake: they break the handshake.
#[derive(Debug)]
pub(super) struct PlainStream(Arc<TcpStream>);

impl PlainStream {
    pub(super) fn new(stream: &Arc<TcpStream>) -> Self {
        Self(Arc::clone(stream))
    }
}

impl AsyncRead for PlainStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if into.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        loop {
            ready!(self.0.poll_read_ready(cx))?;
            let mut byte = [0];
            match self.0.try_read(&mut byte) {
                Ok(count) => {
                    into.put_slice(byte.get(..count).unwrap_or_default());
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for PlainStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_write_ready(cx))?;
            match self.0.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// The connection goes on with TLS.
    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncTokioStream for PlainStream {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }
}

/// A connection with TLS.
#[derive(Debug)]
pub(super) struct SecureStream {
    /// What is read first.
    greeting: &'static [u8],
    stream: TlsTcpStream,
}

impl SecureStream {
    /// A connection that begins with TLS.
    pub(super) fn implicit(stream: TlsTcpStream) -> Self {
        Self {
            greeting: b"",
            stream,
        }
    }

    /// A connection after `STARTTLS`. The server does not greet again, and lettre waits for it.
    pub(super) fn upgraded(stream: TlsTcpStream) -> Self {
        Self {
            greeting: GREETING,
            stream,
        }
    }
}

impl AsyncRead for SecureStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (now, later) = self
            .greeting
            .split_at(self.greeting.len().min(into.remaining()));
        if now.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, into);
        }
        into.put_slice(now);
        self.greeting = later;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for SecureStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl AsyncTokioStream for SecureStream {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.get_ref().0.peer_addr()
    }
}
