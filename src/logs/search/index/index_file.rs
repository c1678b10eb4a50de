//! The format of an index: a head, then one record of fixed length for each block.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use super::block_facts::{BlockFacts, FACTS};
use super::word_filter::{BYTES, WordFilter};

const MAGIC: &[u8; 8] = b"WPLOGIX1";
const HEAD: usize = 24;
/// The facts and the filter, each after its checksum.
const RECORD: u64 = (4 + FACTS + 4 + BYTES) as u64;

/// Which file of lines an index is of: the ID of the list of files, and the number of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IndexOwner {
    pub(super) list: u64,
    pub(super) segment: u64,
}

impl IndexOwner {
    fn head(self) -> [u8; HEAD] {
        let mut head = [0; HEAD];
        let parts = [*MAGIC, self.list.to_le_bytes(), self.segment.to_le_bytes()];
        for (into, part) in head.as_chunks_mut::<8>().0.iter_mut().zip(parts) {
            *into = part;
        }
        head
    }
}

/// Reads the facts of all blocks, up to the first damaged one. `None` if the file is not an index of this file of lines.
///
/// # Errors
///
/// Returns an error if it cannot be read.
pub(super) fn read_facts(path: &Path, owner: IndexOwner) -> io::Result<Option<Vec<BlockFacts>>> {
    let mut file = File::open(path)?;
    let mut head = [0; HEAD];
    let is_head = match file.read_exact(&mut head) {
        Ok(()) => head == owner.head(),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => false,
        Err(error) => return Err(error),
    };
    if !is_head {
        return Ok(None);
    }
    let complete = (file.metadata()?.len() - HEAD as u64) / RECORD;
    let mut all: Vec<BlockFacts> = Vec::new();
    for number in 0..complete {
        let mut part = [0; 4 + FACTS];
        file.seek(SeekFrom::Start(HEAD as u64 + number * RECORD))?;
        file.read_exact(&mut part)?;
        let Some(bytes) = checked(&part).and_then(|bytes| bytes.try_into().ok()) else {
            break;
        };
        let facts = BlockFacts::from_bytes(bytes);
        let follows = facts.start == all.last().map_or(0, |before| before.end);
        if !follows || facts.end <= facts.start {
            break;
        }
        all.push(facts);
    }
    Ok(Some(all))
}

/// Reads the filter of a block into `into`. Returns false if it is damaged.
///
/// # Errors
///
/// Returns an error if it cannot be read.
pub(super) fn read_filter(
    file: &mut File,
    number: usize,
    into: &mut WordFilter,
) -> io::Result<bool> {
    let at = HEAD as u64 + number as u64 * RECORD + 4 + FACTS as u64;
    file.seek(SeekFrom::Start(at))?;
    let mut sum = [0; 4];
    file.read_exact(&mut sum)?;
    file.read_exact(into.as_mut_bytes())?;
    Ok(crc32fast::hash(into.as_bytes()) == u32::from_le_bytes(sum))
}

/// Adds the block with this number. The file is cut after the blocks before it, and created if it is missing.
///
/// # Errors
///
/// Returns an error if it cannot be written.
pub(super) fn append(
    path: &Path,
    owner: IndexOwner,
    number: usize,
    (facts, words): (&BlockFacts, &WordFilter),
) -> io::Result<()> {
    // Never through a symbolic link, which may lead out of the directory.
    if fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink()) {
        fs::remove_file(path)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    if number == 0 {
        file.set_len(0)?;
        file.write_all(&owner.head())?;
    }
    let at = HEAD as u64 + number as u64 * RECORD;
    if file.metadata()?.len() < at {
        // It was replaced or cut meanwhile. It begins anew.
        return Err(ErrorKind::UnexpectedEof.into());
    }
    file.set_len(at)?;
    file.seek(SeekFrom::Start(at))?;
    let bytes = facts.to_bytes();
    let mut record = Vec::with_capacity(RECORD as usize);
    record.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
    record.extend_from_slice(&bytes);
    record.extend_from_slice(&crc32fast::hash(words.as_bytes()).to_le_bytes());
    record.extend_from_slice(words.as_bytes());
    file.write_all(&record)
}

/// What follows a checksum, if it is intact.
fn checked(part: &[u8]) -> Option<&[u8]> {
    let (sum, bytes) = part.split_first_chunk::<4>()?;
    (crc32fast::hash(bytes) == u32::from_le_bytes(*sum)).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_damaged_or_of_another_file_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("index");
        let owner = IndexOwner {
            list: 7,
            segment: 3,
        };
        let mut words = WordFilter::new();
        let of = |number: u64| BlockFacts {
            start: number * 10,
            end: number * 10 + 10,
            first: number,
            last: number + 5,
            counts: [1, 2, 3, 4, number as u32],
        };
        for number in 0..5 {
            words.add(number << 40 | number);
            append(&path, owner, number as usize, (&of(number), &words)).unwrap();
        }
        let all: Vec<_> = (0..5).map(of).collect();
        assert_eq!(read_facts(&path, owner).unwrap().unwrap(), all);
        let other = IndexOwner { list: 8, ..owner };
        assert_eq!(read_facts(&path, other).unwrap(), None);
        let intact = fs::read(&path).unwrap();
        let mut read = WordFilter::new();
        for at in (0..intact.len()).step_by(97).chain([0, 23, 24, 28]) {
            let mut damaged = intact.clone();
            damaged[at] ^= 0x10;
            fs::write(&path, &damaged).unwrap();
            let facts = read_facts(&path, owner).unwrap();
            let (hit, place) = (
                (at.max(HEAD) - HEAD) / RECORD as usize,
                (at.max(HEAD) - HEAD) % RECORD as usize,
            );
            if at < HEAD {
                assert_eq!(facts, None);
            } else if place < 4 + FACTS {
                assert_eq!(facts.unwrap(), all[..hit]);
            } else {
                assert_eq!(facts.unwrap(), all);
                let mut file = File::open(&path).unwrap();
                assert!(!read_filter(&mut file, hit, &mut read).unwrap());
            }
            fs::write(&path, &intact[..at]).unwrap();
            let left = read_facts(&path, owner).unwrap().unwrap_or_default();
            assert_eq!(left, all[..at.saturating_sub(HEAD) / RECORD as usize]);
        }
        // After a torn record, the index goes on where it is intact.
        fs::write(&path, &intact[..HEAD + 2 * RECORD as usize + 99]).unwrap();
        append(&path, owner, 2, (&of(2), &words)).unwrap();
        assert_eq!(read_facts(&path, owner).unwrap().unwrap(), all[..3]);
        assert!(append(&path, owner, 9, (&of(9), &words)).is_err());
    }
}
