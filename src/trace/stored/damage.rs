//! Counts the damaged records of a file.

use crate::files::{HEAD, HEADER, records};

/// Returns the number of records of a complete file that are damaged, at least: those whose numbers are missing, and a
/// torn end. Numbers within a file are consecutive.
pub(super) fn damaged_records(file: &[u8]) -> u64 {
    let Some(all) = records(file) else {
        // A process may have ended before it had written the header of a file.
        return u64::from(file.len() >= HEADER);
    };
    let first = file.get(8..16).and_then(|bytes| bytes.first_chunk());
    let mut next = first.map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let (mut missing, mut bytes) = (0_u64, HEADER);
    for (number, body) in all {
        missing = missing.saturating_add(number.saturating_sub(next));
        next = number.saturating_add(1);
        bytes += HEAD + body.len();
    }
    if missing == 0 && bytes < file.len() {
        return 1;
    }
    missing
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
