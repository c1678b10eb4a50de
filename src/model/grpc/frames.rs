use bytes::Buf;

use super::Status;
use crate::model::is_media_type;

/// The bytes of a trailer line that are kept: enough for `grpc-status: 16` and some spaces.
const LINE: usize = 32;
/// The flags of a frame that holds trailers, and of one that is compressed.
const TRAILERS: u8 = 0x80;
const COMPRESSED: u8 = 0x01;

/// Reads the status of a gRPC-Web response from its body, whose last frame holds the trailers.
///
/// It accepts the body in pieces of any size, keeps a few bytes, and allocates nothing.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// The body is base64 text.
    is_text: bool,
    /// The body cannot be read, so its status is unknown.
    is_unreadable: bool,
    /// The frame of trailers has arrived.
    ended: bool,
    status: Option<Status>,
    position: FramePosition,
    /// Bytes of messages, without the frame headers.
    messages: u64,
    base64: Base64Group,
}

/// The position of the next byte in its frame.
#[derive(Debug)]
enum FramePosition {
    /// In the header of a frame: the bytes so far, and their number.
    Head([u8; 5], usize),
    /// In a message, this many bytes before its end.
    Message(u32),
    /// In the trailers, this many bytes before their end, with the current line.
    Trailers(u32, [u8; LINE], usize),
}

impl Default for FramePosition {
    fn default() -> Self {
        Self::Head([0; 5], 0)
    }
}

/// A group of four digits of base64.
#[derive(Debug, Default)]
struct Base64Group {
    bits: u32,
    digits: u8,
    padding: u8,
}

impl Frames {
    /// A reader for a response with this `Content-Type`; `None` if its status is not in the body.
    pub(crate) fn of(content_type: &[u8]) -> Option<Self> {
        let is = |name| is_media_type(content_type, name);
        let suffixed = |name: &str| {
            let start = content_type.trim_ascii_start().get(..name.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()))
        };
        let is_text = is("application/grpc-web-text") || suffixed("application/grpc-web-text+");
        let is_web = is_text || is("application/grpc-web") || suffixed("application/grpc-web+");
        is_web.then(|| Self {
            is_text,
            ..Self::default()
        })
    }

    /// Reads a piece of the body. If not all of it is in its first chunk, as it is with `Bytes`, the status remains
    /// unknown.
    pub(crate) fn push(&mut self, data: &impl Buf) {
        let chunk = data.chunk();
        if chunk.len() < data.remaining() {
            self.is_unreadable = true;
        }
        if self.is_unreadable {
            return;
        }
        if self.is_text {
            self.push_text(chunk);
        } else {
            self.push_binary(chunk);
        }
    }

    /// The status, once it has arrived.
    pub(crate) fn status(&self) -> Option<Status> {
        self.status.filter(|_| !self.is_unreadable)
    }

    /// Whether the body so far is readable, so that one that ends without a status has none.
    pub(crate) fn is_readable(&self) -> bool {
        !self.is_unreadable
    }

    /// The bytes of messages so far.
    pub(crate) fn messages(&self) -> u64 {
        self.messages
    }

    fn push_text(&mut self, text: &[u8]) {
        for digit in text {
            match self.base64.push(*digit) {
                Ok(None) => {}
                Ok(Some((bytes, len))) => {
                    let bytes = bytes.get(..len).unwrap_or_default();
                    self.push_binary(bytes);
                }
                Err(()) => self.is_unreadable = true,
            }
        }
    }

    fn push_binary(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.is_unreadable {
            bytes = match &mut self.position {
                FramePosition::Head(head, len) => {
                    let (byte, rest) = bytes.split_at(1);
                    for (to, byte) in head.iter_mut().skip(*len).zip(byte) {
                        *to = *byte;
                    }
                    *len += 1;
                    if *len == head.len() {
                        let head = *head;
                        self.begin_frame(head);
                    }
                    rest
                }
                FramePosition::Message(left) => {
                    let taken = bytes.len().min(*left as usize);
                    *left -= u32::try_from(taken).unwrap_or(u32::MAX);
                    self.messages += taken as u64;
                    if *left == 0 {
                        self.position = FramePosition::default();
                    }
                    bytes.get(taken..).unwrap_or_default()
                }
                FramePosition::Trailers(left, line, len) => {
                    let (byte, rest) = bytes.split_at(1);
                    let byte = byte.first().copied().unwrap_or_default();
                    *left -= 1;
                    let last = *left == 0;
                    if byte != b'\n' {
                        if let Some(to) = line.get_mut(*len) {
                            *to = byte;
                        }
                        *len = len.saturating_add(1);
                    }
                    if byte == b'\n' || last {
                        let status = line.get(..*len).and_then(status_line);
                        *len = 0;
                        self.status = status.or(self.status);
                    }
                    if last {
                        self.position = FramePosition::default();
                    }
                    rest
                }
            };
        }
    }

    fn begin_frame(&mut self, [flags, length @ ..]: [u8; 5]) {
        let length = u32::from_be_bytes(length);
        let trailers = flags & TRAILERS != 0;
        self.ended |= trailers;
        if trailers && flags & COMPRESSED != 0 || self.ended && !trailers {
            self.is_unreadable = true;
        }
        self.position = match (length, trailers) {
            (0, _) => FramePosition::default(),
            (_, true) => FramePosition::Trailers(length, [0; LINE], 0),
            (_, false) => FramePosition::Message(length),
        };
    }
}

/// The status in a trailer line without its line end.
fn status_line(line: &[u8]) -> Option<Status> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = line.split_at(colon);
    let value = value.get(1..).unwrap_or_default();
    name.trim_ascii()
        .eq_ignore_ascii_case(b"grpc-status")
        .then(|| Status::parse(value.trim_ascii()))
}

impl Base64Group {
    /// Takes a digit; returns the bytes of a group that it fills, and their number. A body is several texts of base64
    /// one after the other, each with its own padding.
    fn push(&mut self, digit: u8) -> Result<Option<([u8; 3], usize)>, ()> {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'=' if self.digits >= 2 => {
                self.padding += 1;
                0
            }
            b'\r' | b'\n' => return Ok(None),
            _ => return Err(()),
        };
        if self.padding > 0 && digit != b'=' {
            return Err(());
        }
        self.bits = self.bits << 6 | u32::from(value);
        self.digits += 1;
        if self.digits < 4 {
            return Ok(None);
        }
        let [_, bytes @ ..] = self.bits.to_be_bytes();
        let len = 3 - usize::from(self.padding.min(2));
        *self = Self::default();
        Ok(Some((bytes, len)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&[flags], &length[..], payload].concat()
    }

    fn base64(bytes: &[u8]) -> Vec<u8> {
        const DIGITS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut out = Vec::new();
        for base64 in bytes.chunks(3) {
            let mut all = [0; 3];
            all[..base64.len()].copy_from_slice(base64);
            let bits = u32::from_be_bytes([0, all[0], all[1], all[2]]);
            for n in 0..4 {
                let digit = DIGITS[(bits >> (18 - 6 * n)) as usize & 63];
                out.push(if n > base64.len() { b'=' } else { digit });
            }
        }
        out
    }

    fn read(kind: &str, pieces: &[&[u8]]) -> Frames {
        let mut frames = Frames::of(kind.as_bytes()).unwrap();
        for piece in pieces {
            frames.push(piece);
        }
        frames
    }

    #[test]
    fn the_status_is_found_in_any_pieces_and_in_text() {
        let message = frame(0, b"twelve bytes");
        let trailers = frame(0x80, b"grpc-message: no such user\r\ngrpc-status:5\r\nx: y");
        let body = [&message[..], &trailers].concat();
        // Each frame is encoded by itself, with its own padding.
        let text = [base64(&message), base64(&trailers)].concat();
        for (kind, body) in [
            ("application/grpc-web+proto", &body),
            ("application/grpc-web-text", &text),
            ("Application/gRPC-Web-Text+proto; x=y", &base64(&body)),
        ] {
            for size in 1..=body.len() {
                let pieces: Vec<_> = body.chunks(size).collect();
                let frames = read(kind, &pieces);
                let status = frames.status().map(Status::name);
                assert_eq!(status, Some("NOT_FOUND"), "{kind} in pieces of {size}");
                assert_eq!(frames.messages(), 12);
            }
            // The first half of the body contains no status.
            let frames = read(kind, &[&body[..body.len() / 2]]);
            assert_eq!(frames.status(), None);
            assert!(frames.is_readable());
        }
    }

    #[test]
    fn lines_of_trailers_are_read_as_headers_are() {
        for (trailers, name) in [
            ("grpc-status: 0\r\n", Some("OK")),
            ("Grpc-Status:13\r\n", Some("INTERNAL")),
            ("grpc-status:13", Some("INTERNAL")),
            ("grpc-status:13\n", Some("INTERNAL")),
            ("grpc-status:rubbish\r\n", Some("UNKNOWN")),
            ("grpc-status:\r\n", Some("UNKNOWN")),
            ("grpc-message:grpc-status:0\r\n", None),
            ("x-grpc-status:0\r\n", None),
            ("\r\n\r\n", None),
            ("", None),
        ] {
            let body = frame(0x80, trailers.as_bytes());
            let frames = read("application/grpc-web", &[&body]);
            assert_eq!(frames.status().map(Status::name), name, "{trailers:?}");
            assert!(frames.is_readable());
        }
        let long = format!("x: {}\r\ngrpc-status: 7\r\n", "y".repeat(10_000));
        let frames = read("application/grpc-web", &[&frame(0x80, long.as_bytes())]);
        assert_eq!(frames.status().map(Status::name), Some("PERMISSION_DENIED"));
    }

    #[test]
    fn nothing_is_said_of_what_cannot_be_read() {
        let compressed = frame(0x81, b"grpc-status:5\r\n");
        let after = [frame(0x80, b"grpc-status:5\r\n"), frame(0, b"more")].concat();
        for (kind, body) in [
            ("application/grpc-web", &compressed),
            ("application/grpc-web", &after),
            ("application/grpc-web-text", &b"!!!!".to_vec()),
            ("application/grpc-web-text", &b"=AAA".to_vec()),
            ("application/grpc-web-text", &b"AA=A".to_vec()),
        ] {
            let frames = read(kind, &[body]);
            assert_eq!((frames.status(), frames.is_readable()), (None, false));
        }
        let mut frames = Frames::of(b"application/grpc-web").unwrap();
        frames.push(&(&b"one"[..]).chain(&b"two"[..]));
        assert!(!frames.is_readable());
    }

    #[test]
    fn only_the_web_has_its_status_in_the_body() {
        for kind in [
            "application/grpc",
            "application/grpc+proto",
            "application/grpc-webby",
            "application/grpc-web-texts",
            "text/html",
            "",
        ] {
            assert!(Frames::of(kind.as_bytes()).is_none(), "{kind}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(body: Vec<u8>, size in 1_usize..9) {
            for kind in ["application/grpc-web", "application/grpc-web-text"] {
                let pieces: Vec<_> = body.chunks(size).collect();
                let frames = read(kind, &pieces);
                proptest::prop_assert!(frames.messages() <= body.len() as u64);
            }
        }
    }
}
