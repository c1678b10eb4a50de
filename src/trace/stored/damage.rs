//! Counts the damaged records of a file.

use crate::files::{HEAD, HEADER, records};

/// Returns how many places of a complete file are damaged: parts that are no record, a torn end among them. Damaged records
/// next to each other are one place.
pub(super) fn damaged_records(file: &[u8]) -> u64 {
    let Some(all) = records(file) else {
        // A process may have ended before it had written the header of a file.
        return u64::from(file.len() >= HEADER);
    };
    let (mut damaged, mut end) = (0, HEADER);
    for (_, body) in all {
        // Where the record begins, from the start of the file.
        let offset = body.as_ptr().addr().saturating_sub(file.as_ptr().addr());
        damaged += u64::from(offset.saturating_sub(HEAD) > end);
        end = offset + body.len();
    }
    damaged + u64::from(end < file.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::{header, put};

    #[test]
    fn each_flipped_bit_and_each_cut_counts_one() {
        let mut file = header(7).to_vec();
        let mut ends = vec![file.len()];
        for number in 7..20 {
            put(&mut file, number, &[number as u8; 30]);
            ends.push(file.len());
        }
        assert_eq!(damaged_records(&file), 0);
        for at in 0..file.len() {
            let mut flipped = file.clone();
            flipped[at] ^= 4;
            assert_eq!(damaged_records(&flipped), 1, "byte {at}");
            let expected = u64::from(at >= HEADER && !ends.contains(&at));
            assert_eq!(damaged_records(&file[..at]), expected, "cut at {at}");
        }
    }
}
