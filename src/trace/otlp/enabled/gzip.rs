use std::io::{Read, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

/// Returns the body as it is sent, compressed if `gzip` is set.
pub(crate) fn compressed(plain: Bytes, gzip: bool) -> Bytes {
    if !gzip {
        return plain;
    }
    // The fastest level: spans are so repetitive that higher levels gain little.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing to a `Vec` cannot fail.
    drop(encoder.write_all(&plain));
    encoder.finish().unwrap_or_default().into()
}

/// Decompresses a body. Returns `None` if it is corrupt or larger than `max_bytes`.
pub(crate) fn decompressed(body: &[u8], max_bytes: usize) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    let mut decoder = GzDecoder::new(body).take(max_bytes as u64 + 1);
    decoder.read_to_end(&mut plain).ok()?;
    (plain.len() <= max_bytes).then_some(plain)
}
