//! Blocks of lines in memory, and how they are read from files.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom};
use std::str::from_utf8;

use super::sieve::Sieve;
use crate::logs::files::MAX_MEMBER;

/// The bytes that are read at once.
const BLOCK: usize = 256 * 1024;
/// The maximum number of bytes of a line. Ours have 16 KiB; a longer one is passed over.
const MAX_LINE: usize = 1 << 20;

/// Complete lines.
#[derive(Debug, Default)]
pub(super) struct LineBlock {
    /// The byte in the file at which it begins.
    pub(super) start: u64,
    pub(super) bytes: Vec<u8>,
    /// The bytes in lower case, of those blocks that are compared with something.
    lower: Vec<u8>,
}

impl LineBlock {
    /// Reads the lines before a byte at which a line begins. At the byte `floor`, another one begins: none before it is read.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be read, or has become shorter.
    pub(super) fn read_before(&mut self, file: &mut File, floor: u64, end: u64) -> io::Result<()> {
        let mut length = BLOCK as u64;
        loop {
            // One more, which is the newline before the first line unless that is cut.
            let from = end.saturating_sub(length + 1).max(floor);
            self.read(file, from, end)?;
            if from == floor {
                return Ok(());
            }
            let first_end = self.bytes.iter().position(|byte| *byte == b'\n');
            let cut = first_end.map_or(self.bytes.len(), |at| at + 1);
            if cut < self.bytes.len() {
                self.bytes.drain(..cut);
                self.start = from + cut as u64;
                return Ok(());
            }
            if length >= MAX_LINE as u64 {
                // In the middle of a line that is too long: what was read of it is passed over.
                self.bytes.clear();
                self.start = from;
                return Ok(());
            }
            length *= 2;
        }
    }

    /// Reads a part of a file.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be read, or is shorter.
    pub(super) fn read(&mut self, file: &mut File, from: u64, to: u64) -> io::Result<()> {
        let length = usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX);
        // An indexed block may have a line that is longer than ours.
        if length > 2 * MAX_MEMBER {
            return Err(ErrorKind::InvalidData.into());
        }
        self.start = from;
        self.bytes.clear();
        self.bytes.resize(length, 0);
        file.seek(SeekFrom::Start(from))?;
        file.read_exact(&mut self.bytes)
    }

    /// The lines that may pass a sieve, each with the byte in the file at which it begins. None if the block as a whole does
    /// not pass.
    pub(super) fn candidates(&mut self, sieve: &Sieve) -> Vec<(u64, &str)> {
        self.lower.clear();
        if *sieve != Sieve::Pass {
            self.lower.extend_from_slice(&self.bytes);
            self.lower.make_ascii_lowercase();
        }
        let lower = from_utf8(&self.lower).ok().filter(|it| !it.is_empty());
        if lower.is_some_and(|lower| !sieve.passes(lower)) {
            return Vec::new();
        }
        let mut found = Vec::new();
        let mut at = 0;
        for line in self.bytes.split_inclusive(|byte| *byte == b'\n') {
            let range = at..at + line.len();
            at = range.end;
            if lower.is_some_and(|it| it.get(range.clone()).is_some_and(|it| !sieve.passes(it))) {
                continue;
            }
            let complete = line
                .strip_suffix(b"\n")
                .and_then(|line| from_utf8(line).ok());
            found.extend(complete.map(|line| (self.start + range.start as u64, line)));
        }
        found
    }

    /// The last line of the block, and the first one.
    pub(super) fn ends(&self) -> [Option<&str>; 2] {
        let mut lines = self
            .bytes
            .split(|byte| *byte == b'\n')
            .filter(|it| !it.is_empty());
        let first = lines.next();
        [lines.next_back().or(first), first].map(|line| from_utf8(line?).ok())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn lines_are_read_backwards_whatever_their_lengths() {
        for longest in [200, 5_000, 300_000, 900_000] {
            let (mut lines, mut total) = (Vec::new(), 0);
            let mut state = 7_u64;
            while total < 2_000_000 {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                let mut line = vec![b'x'; (state >> 33) as usize % longest];
                line.push(b'\n');
                total += line.len();
                lines.push(line);
            }
            let whole = lines.concat();
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&whole).unwrap();
            let (mut block, mut end) = (LineBlock::default(), whole.len() as u64);
            let mut read = Vec::new();
            while end > 0 {
                block.read_before(&mut file, 0, end).unwrap();
                assert!(block.start < end);
                let found = block.candidates(&Sieve::Pass);
                read.extend(found.iter().rev().map(|(_, line)| line.len() + 1));
                end = block.start;
            }
            read.reverse();
            let expected: Vec<_> = lines.iter().map(Vec::len).collect();
            assert_eq!(read, expected, "{longest}");
        }
    }
}
