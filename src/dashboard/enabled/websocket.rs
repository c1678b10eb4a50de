//! The server's side of a WebSocket (RFC 6455) that sends texts and receives nothing but control frames.
//!
//! A text is written from the memory that all connections share, so a connection that keeps up needs no buffer.

use std::future::poll_fn;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode, Version};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use ring::digest;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What the handshake appends to the client's key.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// The maximum size of a client's frame: a control frame has at most 125 bytes, after two of a head and four of a mask.
const MAX_FRAME: usize = 2 + 4 + 125;

const FINAL: u8 = 0x80;
const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// Why a connection ends, as a close frame says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CloseCode {
    GoingAway = 1001,
    Protocol = 1002,
    Policy = 1008,
}

/// What a client sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inbound {
    /// A ping with its content, which must be answered.
    Ping {
        content: [u8; 125],
        len: usize,
    },
    Pong,
    /// The client closes, or has disconnected.
    Closed,
    /// Something that no client of ours sends.
    Unexpected,
}

/// Returns the response that accepts an upgrade. `None` if the request is no valid handshake.
pub(super) fn accept<B: Default>(version: Version, headers: &HeaderMap) -> Option<Response<B>> {
    let has_token = |name, wanted: &str| {
        let values = headers.get_all(name).iter();
        let mut tokens = values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','));
        tokens.any(|token| token.trim().eq_ignore_ascii_case(wanted))
    };
    let key = headers.get(SEC_WEBSOCKET_KEY)?.as_bytes();
    let is_handshake = version == Version::HTTP_11
        && has_token(CONNECTION, "upgrade")
        && has_token(UPGRADE, "websocket")
        && headers.get(SEC_WEBSOCKET_VERSION)?.as_bytes() == b"13"
        && key.len() == 24;
    if !is_handshake {
        return None;
    }
    let mut response = Response::new(B::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept_key(key)?);
    Some(response)
}

fn accept_key(key: &[u8]) -> Option<HeaderValue> {
    let mut hash = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    hash.update(key);
    hash.update(GUID);
    HeaderValue::from_str(&base64(hash.finish().as_ref())).ok()
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4_usize {
            let digit = (bits >> (18 - 6 * at)) & 63;
            let digit = ALPHABET.get(digit as usize).copied().unwrap_or(b'=');
            text.push(char::from(if at <= chunk.len() { digit } else { b'=' }));
        }
    }
    text
}

/// An open connection.
pub(super) struct WebSocket<T = TokioIo<Upgraded>> {
    stream: T,
    received: [u8; MAX_FRAME],
    len: usize,
}

impl<T: AsyncRead + AsyncWrite + Unpin> WebSocket<T> {
    pub(super) fn new(stream: T) -> Self {
        Self {
            stream,
            received: [0; MAX_FRAME],
            len: 0,
        }
    }

    /// Sends a text.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: a part of the frame may have been sent, so the connection must be dropped.
    pub(super) async fn send_text(&mut self, text: &Bytes) -> io::Result<()> {
        self.send(TEXT, text).await
    }

    pub(super) async fn send_ping(&mut self) -> io::Result<()> {
        self.send(PING, b"").await
    }

    pub(super) async fn send_pong(&mut self, content: &[u8]) -> io::Result<()> {
        self.send(PONG, content).await
    }

    pub(super) async fn send_close(&mut self, code: CloseCode) -> io::Result<()> {
        self.send(CLOSE, &(code as u16).to_be_bytes()).await?;
        let stream = &mut self.stream;
        poll_fn(|context| Pin::new(&mut *stream).poll_shutdown(context)).await
    }

    async fn send(&mut self, kind: u8, content: &[u8]) -> io::Result<()> {
        let (head, len) = frame_head(kind, content.len());
        let mut head = head.get(..len).unwrap_or_default();
        let mut content = content;
        let stream = &mut self.stream;
        while !head.is_empty() || !content.is_empty() {
            let slices = [IoSlice::new(head), IoSlice::new(content)];
            let written =
                poll_fn(|context| Pin::new(&mut *stream).poll_write_vectored(context, &slices))
                    .await?;
            if written == 0 {
                return Err(ErrorKind::WriteZero.into());
            }
            let of_head = written.min(head.len());
            head = head.get(of_head..).unwrap_or_default();
            content = content.get(written - of_head..).unwrap_or_default();
        }
        poll_fn(|context| Pin::new(&mut *stream).poll_flush(context)).await
    }

    /// Reads the next frame of the client.
    pub(super) fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<Inbound> {
        loop {
            if let Some(inbound) = self.take_frame() {
                return Poll::Ready(inbound);
            }
            let Some(room) = self.received.get_mut(self.len..) else {
                return Poll::Ready(Inbound::Unexpected);
            };
            let mut buffer = ReadBuf::new(room);
            match ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => self.len += buffer.filled().len(),
                Ok(()) | Err(_) => return Poll::Ready(Inbound::Closed),
            }
        }
    }

    /// Takes a complete frame from what was received.
    fn take_frame(&mut self) -> Option<Inbound> {
        let received = self.received.get(..self.len)?;
        let (&first, &second) = (received.first()?, received.get(1)?);
        let (kind, len) = (first & 0x0f, usize::from(second & 0x7f));
        // Frames of a client are masked, and control frames are whole and short. Any other frame carries data.
        let is_control = first & 0xf0 == FINAL && second & 0x80 != 0 && len <= 125;
        if !is_control || !matches!(kind, CLOSE | PING | PONG) {
            return Some(Inbound::Unexpected);
        }
        let mask = received.get(2..6)?;
        let masked = received.get(6..6 + len)?;
        let mut content = [0; 125];
        for ((plain, byte), mask) in content.iter_mut().zip(masked).zip(mask.iter().cycle()) {
            *plain = byte ^ mask;
        }
        self.received.copy_within(6 + len..self.len, 0);
        self.len -= 6 + len;
        Some(match kind {
            PING => Inbound::Ping { content, len },
            PONG => Inbound::Pong,
            _ => Inbound::Closed,
        })
    }
}

/// The head of a frame that is not masked, and its length.
fn frame_head(kind: u8, len: usize) -> ([u8; 10], usize) {
    let mut head = [0; 10];
    let first = FINAL | kind;
    let long = (len as u64).to_be_bytes();
    match (u8::try_from(len), long) {
        (Ok(len @ 0..=125), _) => {
            head[0] = first;
            head[1] = len;
            (head, 2)
        }
        (_, [0, 0, 0, 0, 0, 0, high, low]) => {
            head[..4].copy_from_slice(&[first, 126, high, low]);
            (head, 4)
        }
        (_, long) => {
            head[..2].copy_from_slice(&[first, 127]);
            head[2..].copy_from_slice(&long);
            (head, 10)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[test]
    fn the_handshake_of_the_standard() {
        let key = accept_key(b"dGhlIHNhbXBsZSBub25jZQ==").unwrap();
        assert_eq!(key, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v")] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        let valid = [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let headers = |left_out: usize| -> HeaderMap {
            let kept = valid.iter().enumerate().filter(|(at, _)| *at != left_out);
            kept.map(|(_, (name, value))| {
                (
                    name.parse::<http::HeaderName>().unwrap(),
                    value.parse().unwrap(),
                )
            })
            .collect()
        };
        assert!(accept::<()>(Version::HTTP_11, &headers(9)).is_some());
        assert!(accept::<()>(Version::HTTP_10, &headers(9)).is_none());
        for left_out in 0..4 {
            assert!(accept::<()>(Version::HTTP_11, &headers(left_out)).is_none());
        }
    }

    fn masked(first: u8, content: &[u8]) -> Vec<u8> {
        let mask = [7, 77, 177, 3];
        let mut frame = vec![first, 0x80 | content.len() as u8];
        frame.extend(mask);
        frame.extend(
            content
                .iter()
                .zip(mask.iter().cycle())
                .map(|(byte, mask)| byte ^ mask),
        );
        frame
    }

    #[tokio::test]
    async fn control_frames_are_read_however_they_arrive() {
        let (client, server) = duplex(4096);
        let mut client = client;
        let mut socket = WebSocket::new(server);
        let mut sent = masked(FINAL | PING, b"are you there");
        sent.extend(masked(FINAL | PONG, b""));
        sent.extend(masked(FINAL | PING, &[9; 125]));
        sent.extend(masked(FINAL | CLOSE, &[3, 232]));
        let writer = tokio::spawn(async move {
            for byte in sent {
                client.write_all(&[byte]).await.unwrap();
                tokio::task::yield_now().await;
            }
            client
        });
        let mut next = async || poll_fn(|context| socket.poll_receive(context)).await;
        let Inbound::Ping { content, len } = next().await else {
            panic!()
        };
        assert_eq!(&content[..len], b"are you there");
        assert_eq!(next().await, Inbound::Pong);
        assert_eq!(
            next().await,
            Inbound::Ping {
                content: [9; 125],
                len: 125
            }
        );
        assert_eq!(next().await, Inbound::Closed);
        drop(writer.await);
        assert_eq!(next().await, Inbound::Closed, "disconnected");
    }

    #[tokio::test]
    async fn anything_but_control_frames_is_unexpected() {
        let unmasked = vec![FINAL | PING, 0];
        let long = vec![FINAL | PING, 0xfe, 0, 200];
        for frame in [
            masked(FINAL | TEXT, b"{}"),
            masked(FINAL | 2, b""),
            masked(PING, b"not final"),
            masked(FINAL | 0x40 | PING, b"reserved bit"),
            masked(FINAL | 0xb, b"unknown"),
            masked(0, b"continuation"),
            unmasked,
            long,
        ] {
            let (mut client, server) = duplex(4096);
            let mut socket = WebSocket::new(server);
            client.write_all(&frame).await.unwrap();
            let inbound = poll_fn(|context| socket.poll_receive(context)).await;
            assert_eq!(inbound, Inbound::Unexpected, "{frame:?}");
        }
    }

    #[tokio::test]
    async fn a_text_of_any_length_is_one_frame() {
        for len in [0, 1, 125, 126, 65_535, 65_536, 100_000] {
            let (mut client, server) = duplex(1000);
            let text = Bytes::from(vec![b'x'; len]);
            let sent = text.clone();
            let writer = tokio::spawn(async move {
                let mut socket = WebSocket::new(server);
                socket.send_text(&sent).await.unwrap();
                socket.send_close(CloseCode::GoingAway).await.unwrap();
            });
            let mut received = Vec::new();
            client.read_to_end(&mut received).await.unwrap();
            writer.await.unwrap();
            let (head, head_len) = frame_head(TEXT, len);
            assert_eq!(received.len(), head_len + len + 4);
            assert_eq!(&received[..head_len], &head[..head_len]);
            assert_eq!(&received[head_len + len..], [FINAL | CLOSE, 2, 3, 233]);
        }
        assert_eq!(frame_head(TEXT, 126).0[..4], [0x81, 126, 0, 126]);
        assert_eq!(
            frame_head(TEXT, 65_536).0,
            [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]
        );
    }

    proptest! {
        #[test]
        fn no_input_panics(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let (mut client, server) = duplex(4096);
                let mut socket = WebSocket::new(server);
                client.write_all(&bytes).await.unwrap();
                drop(client);
                for _ in 0..600 {
                    let inbound = poll_fn(|context| socket.poll_receive(context)).await;
                    if matches!(inbound, Inbound::Closed | Inbound::Unexpected) {
                        return;
                    }
                }
                panic!("the connection does not end");
            });
        }
    }
}
