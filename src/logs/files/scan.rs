//! Counts the lines of files.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

/// The complete lines of a file and their bytes, before compression. What follows the last line is a torn one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct LineCount {
    pub(super) lines: u64,
    pub(super) bytes: u64,
}

impl LineCount {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self {
            lines: newlines(bytes),
            bytes: bytes
                .iter()
                .rposition(|it| *it == b'\n')
                .map_or(0, |at| at as u64 + 1),
        }
    }
}

/// Counts the lines of a file.
///
/// # Errors
///
/// Returns an error if the file cannot be opened or read.
pub(super) fn count_lines(path: &Path, is_compressed: bool) -> io::Result<LineCount> {
    let file = File::open(path)?;
    if is_compressed {
        count(MultiGzDecoder::new(io::BufReader::new(file)))
    } else {
        count(file)
    }
}

fn count(mut from: impl Read) -> io::Result<LineCount> {
    let mut buffer = vec![0; 64 * 1024];
    let (mut total, mut read) = (LineCount::default(), 0);
    loop {
        let len = match from.read(&mut buffer) {
            Ok(0) => return Ok(total),
            Ok(len) => len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let part = LineCount::of(buffer.get(..len).unwrap_or_default());
        total.lines += part.lines;
        if part.lines > 0 {
            total.bytes = read + part.bytes;
        }
        read += len as u64;
    }
}

/// The number of newlines. It is the number of lines, as each line ends in one and has no other.
#[expect(
    clippy::naive_bytecount,
    reason = "fast enough, and without another crate"
)]
fn newlines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|it| **it == b'\n').count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_over_the_borders_of_reads() {
        let text = "x".repeat(70_000) + "\n" + &"ab\n".repeat(30_000) + "torn";
        let counted = count(text.as_bytes()).unwrap();
        assert_eq!(counted.lines, 30_001);
        assert_eq!(counted.bytes, text.len() as u64 - 4);
        assert_eq!(count(&b""[..]).unwrap(), LineCount::default());
        assert_eq!(count(&b"torn"[..]).unwrap(), LineCount::default());
    }
}
