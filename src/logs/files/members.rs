//! Compressed files: each block of lines is a gzip member of its own, whose head says how long it is. So a file can be read
//! from its end back, or at one block, and any program for gzip reads it as a whole.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek as _, SeekFrom, Write};

use flate2::bufread::GzDecoder;
use flate2::{Compression, GzBuilder};

/// A block ends with the line that makes it so long, in bytes.
pub(in crate::logs) const MEMBER: usize = 256 * 1024;
/// The maximum number of bytes of a block. One that is cut within a line has up to `MEMBER` more.
pub(in crate::logs) const MAX_MEMBER: usize = 4 << 20;

/// The first bytes of a member: those of gzip with an extra field, which ends with the length of the member.
const HEAD: usize = 20;
const EXTRA: [u8; 8] = [b'W', b'P', 4, 0, 0, 0, 0, 0];
const FEXTRA: u8 = 4;

/// Compresses a file of lines block by block.
///
/// # Errors
///
/// Returns an error if a file cannot be read or written.
pub(super) fn compress_members(from: &mut impl Read, into: &mut impl Write) -> io::Result<()> {
    let (mut cutter, mut is_empty) = (BlockCutter::default(), true);
    while let Some(block) = cutter.next(from)? {
        is_empty = false;
        into.write_all(&member_of(block)?)?;
    }
    if is_empty {
        // A file without a member is none of gzip.
        into.write_all(&member_of(&[])?)?;
    }
    Ok(())
}

fn member_of(block: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzBuilder::new()
        .extra(EXTRA)
        .write(Vec::new(), Compression::fast());
    encoder.write_all(block)?;
    let mut member = encoder.finish()?;
    let length = u32::try_from(member.len()).map_err(|_| ErrorKind::InvalidData)?;
    if let Some(place) = member.get_mut(HEAD - 4..HEAD) {
        place.copy_from_slice(&length.to_le_bytes());
    }
    Ok(member)
}

/// Divides a file of lines into blocks, always in the same way.
#[derive(Debug, Default)]
pub(in crate::logs) struct BlockCutter {
    buffer: Vec<u8>,
    /// The end of the block that was returned last.
    taken: usize,
}

impl BlockCutter {
    /// The next block; `None` at the end. The last one may be shorter.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be read.
    pub(in crate::logs) fn next(&mut self, from: &mut impl Read) -> io::Result<Option<&[u8]>> {
        self.buffer.drain(..self.taken);
        let mut searched = 0;
        loop {
            if let Some(end) = end_of_block(&self.buffer, searched) {
                self.taken = end;
                break;
            }
            searched = self.buffer.len();
            let before = self.buffer.len();
            if before >= MAX_MEMBER {
                self.taken = before;
                break;
            }
            self.buffer.resize(before + MEMBER / 4, 0);
            let read = from.read(self.buffer.get_mut(before..).unwrap_or_default());
            self.buffer
                .truncate(before + read.as_ref().copied().unwrap_or_default());
            match read {
                Ok(0) => {
                    self.taken = before;
                    break;
                }
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.buffer.get(..self.taken).filter(|it| !it.is_empty()))
    }
}

/// The end of the first line that ends at `MEMBER` or later. Bytes before `searched` have none.
fn end_of_block(bytes: &[u8], searched: usize) -> Option<usize> {
    let from = searched.max(MEMBER - 1);
    let at = bytes.get(from..)?.iter().position(|byte| *byte == b'\n')?;
    Some(from + at + 1)
}

/// A block of a compressed file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::logs) struct Member {
    /// Its first byte in the compressed file, and their number.
    at: u64,
    length: u32,
    /// Its first byte before compression, and their number.
    pub(in crate::logs) start: u64,
    pub(in crate::logs) bytes: u32,
}

/// The blocks of a compressed file, in their order, up to the first damage.
///
/// # Errors
///
/// Returns an error if the file cannot be read.
pub(in crate::logs) fn members(file: &mut File) -> io::Result<Vec<Member>> {
    let file_length = file.metadata()?.len();
    let (mut all, mut at, mut start) = (Vec::new(), 0, 0);
    while let Some(length) = length_at(file, at, file_length)? {
        let mut bytes = [0; 4];
        file.seek(SeekFrom::Start(at + u64::from(length) - 4))?;
        file.read_exact(&mut bytes)?;
        let bytes = u32::from_le_bytes(bytes);
        all.push(Member {
            at,
            length,
            start,
            bytes,
        });
        at += u64::from(length);
        start += u64::from(bytes);
    }
    Ok(all)
}

/// The block that has a byte of a file with so many bytes, both before compression: where it begins in the compressed file, and
/// before compression. That is the beginning of the file unless its blocks are known to the end.
///
/// # Errors
///
/// Returns an error if the file cannot be read.
pub(super) fn block_with(file: &mut File, offset: u64, bytes: u64) -> io::Result<(u64, u64)> {
    // The first block has it.
    if offset < MEMBER as u64 {
        return Ok((0, 0));
    }
    let all = members(file)?;
    let end = all.last().map_or(0, |it| it.start + u64::from(it.bytes));
    let before = all.iter().take_while(|it| it.start <= offset);
    let found = before.last().filter(|_| end >= bytes);
    Ok(found.map_or((0, 0), |it| (it.at, it.start)))
}

/// The length of the member at a byte; `None` if there is no complete one of ours.
fn length_at(file: &mut File, at: u64, file_length: u64) -> io::Result<Option<u32>> {
    if file_length.saturating_sub(at) <= HEAD as u64 {
        return Ok(None);
    }
    let mut head = [0; HEAD];
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(&mut head)?;
    let [
        0x1f,
        0x8b,
        8,
        FEXTRA,
        _,
        _,
        _,
        _,
        _,
        _,
        8,
        0,
        b'W',
        b'P',
        4,
        0,
        a,
        b,
        c,
        d,
    ] = head
    else {
        return Ok(None);
    };
    let length = u32::from_le_bytes([a, b, c, d]);
    let is_whole = u64::from(length) <= file_length - at;
    let has_room = length as usize > HEAD + 8 && length as usize <= 2 * MAX_MEMBER;
    Ok(Some(length).filter(|_| is_whole && has_room))
}

/// Reads a block.
///
/// # Errors
///
/// Returns an error if the file cannot be read, or if the block is damaged.
pub(in crate::logs) fn read_member(
    file: &mut File,
    member: &Member,
    into: &mut Vec<u8>,
) -> io::Result<()> {
    let mut compressed = vec![0; member.length as usize];
    file.seek(SeekFrom::Start(member.at))?;
    file.read_exact(&mut compressed)?;
    into.clear();
    let decoder = GzDecoder::new(&*compressed);
    decoder.take(2 * MAX_MEMBER as u64).read_to_end(into)?;
    if into.len() == member.bytes as usize {
        Ok(())
    } else {
        Err(ErrorKind::InvalidData.into())
    }
}

#[cfg(test)]
mod tests {
    use flate2::read::MultiGzDecoder;

    use super::*;

    fn text(bytes: usize, longest: usize) -> Vec<u8> {
        let (mut text, mut state) = (Vec::new(), 3_u64);
        while text.len() < bytes {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let length = (state >> 33) as usize % longest;
            text.extend((0..length).map(|n| b'a' + ((state >> (n % 50)) % 20) as u8));
            text.push(b'\n');
        }
        text
    }

    #[test]
    fn a_file_of_members_is_read_as_a_whole_and_block_by_block() {
        for (bytes, longest) in [(0, 1), (10, 5), (2_000_000, 300), (3_000_000, 700_000)] {
            let text = text(bytes, longest);
            let mut compressed = Vec::new();
            compress_members(&mut &*text, &mut compressed).unwrap();
            let mut whole = Vec::new();
            MultiGzDecoder::new(&*compressed)
                .read_to_end(&mut whole)
                .unwrap();
            assert!(whole == text);
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&compressed).unwrap();
            let all = members(&mut file).unwrap();
            let (mut read, mut block) = (Vec::new(), Vec::new());
            for member in &all {
                assert_eq!(member.start, read.len() as u64);
                read_member(&mut file, member, &mut block).unwrap();
                assert!(block.ends_with(b"\n") || bytes == 0);
                read.extend_from_slice(&block);
            }
            assert!(read == text);
            // Without its end, all blocks before it are there.
            if let Some(last) = all.last() {
                file.set_len(last.at + u64::from(last.length) - 1).unwrap();
                assert_eq!(members(&mut file).unwrap(), all[..all.len() - 1]);
            }
        }
    }

    #[test]
    fn a_file_of_another_program_has_no_members() {
        let mut file = tempfile::tempfile().unwrap();
        let mut encoder = flate2::write::GzEncoder::new(&mut file, Compression::fast());
        encoder.write_all(&text(1000, 50)).unwrap();
        encoder.finish().unwrap();
        assert_eq!(members(&mut file).unwrap(), []);
    }
}
