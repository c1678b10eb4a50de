//! The format of a file: a header, then records. Each record has a mark, its length, a checksum, its number and its
//! body, so that a reader skips a damaged one and finds those after it.

const MAGIC: [u8; 8] = *b"WPSPOOL1";
const MARK: [u8; 4] = [0xa5, b'W', b'P', 0x5a];
/// Bytes of a file's header: magic, first number, checksum.
pub(crate) const HEADER: usize = 8 + 8 + 4;
/// Bytes of a record's head: mark, length, checksum, number.
pub(crate) const HEAD: usize = 4 + 4 + 4 + 8;
/// The maximum number of bytes of a record's body.
pub(crate) const MAX_BODY: usize = 1 << 20;

/// The header of a file whose records are numbered from `first`.
pub(crate) fn header(first: u64) -> [u8; HEADER] {
    let mut out = [0; HEADER];
    let (front, check) = out.split_at_mut(16);
    let (magic, number) = front.split_at_mut(8);
    magic.copy_from_slice(&MAGIC);
    number.copy_from_slice(&first.to_le_bytes());
    check.copy_from_slice(&crc32fast::hash(front).to_le_bytes());
    out
}

/// Appends a record.
pub(crate) fn put(out: &mut Vec<u8>, number: u64, body: &[u8]) {
    let len = u32::try_from(body.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&MARK);
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(&checksum(number, body).to_le_bytes());
    out.extend_from_slice(&number.to_le_bytes());
    out.extend_from_slice(body);
}

/// Iterates over the records of a file and skips damaged ones; `None` if the header is not valid.
pub(crate) fn records(file: &[u8]) -> Option<impl Iterator<Item = (u64, &[u8])>> {
    let first = u64::from_le_bytes(*file.get(8..16)?.first_chunk()?);
    if file.get(..HEADER)? != header(first) {
        return None;
    }
    let mut rest = file.get(HEADER..)?;
    Some(std::iter::from_fn(move || {
        loop {
            let at = rest.windows(MARK.len()).position(|it| it == MARK)?;
            rest = rest.get(at..)?;
            if let Some((number, body)) = first_record(rest) {
                rest = rest.get(HEAD + body.len()..)?;
                return Some((number, body));
            }
            rest = rest.get(1..)?;
        }
    }))
}

/// The record at the start of `from`, if it is complete and its checksum matches.
fn first_record(from: &[u8]) -> Option<(u64, &[u8])> {
    let len = u32::from_le_bytes(*from.get(4..8)?.first_chunk()?) as usize;
    let check = u32::from_le_bytes(*from.get(8..12)?.first_chunk()?);
    let number = u64::from_le_bytes(*from.get(12..HEAD)?.first_chunk()?);
    let body = from.get(HEAD..HEAD.checked_add(len)?)?;
    (checksum(number, body) == check).then_some((number, body))
}

fn checksum(number: u64, body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&number.to_le_bytes());
    hasher.update(body);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> (Vec<u8>, Vec<(u64, Vec<u8>)>) {
        let mut file = header(7).to_vec();
        let mut all = Vec::new();
        for number in 7..20_u64 {
            let body = vec![number as u8; 10 + number as usize * 3];
            put(&mut file, number, &body);
            all.push((number, body));
        }
        (file, all)
    }

    fn read(file: &[u8]) -> Option<Vec<(u64, Vec<u8>)>> {
        records(file).map(|all| all.map(|(n, body)| (n, body.to_vec())).collect())
    }

    #[test]
    fn one_flipped_byte_costs_one_record_at_most() {
        let (file, all) = file();
        assert_eq!(read(&file).unwrap(), all);
        for at in 0..file.len() {
            for flip in [1, 0x80, 0xff] {
                let mut damaged = file.clone();
                damaged[at] ^= flip;
                let read = read(&damaged);
                if at < HEADER {
                    assert_eq!(read, None, "byte {at}");
                    continue;
                }
                let read = read.unwrap();
                assert_eq!(read.len(), all.len() - 1, "byte {at}");
                assert!(read.iter().all(|record| all.contains(record)));
            }
        }
    }

    #[test]
    fn a_file_cut_anywhere_has_the_records_before_the_cut() {
        let (file, all) = file();
        for len in 0..file.len() {
            match read(&file[..len]) {
                None => assert!(len < HEADER),
                Some(read) => {
                    assert!(all.starts_with(&read));
                    let used: usize = read.iter().map(|(_, body)| HEAD + body.len()).sum();
                    assert!(HEADER + used <= len);
                }
            }
        }
    }

    #[test]
    fn a_body_that_looks_like_records_is_a_body() {
        let mut inner = Vec::new();
        put(&mut inner, 99, b"inner");
        let mut file = header(0).to_vec();
        put(&mut file, 0, &inner);
        put(&mut file, 1, b"after");
        assert_eq!(read(&file).unwrap().len(), 2);
    }
}
