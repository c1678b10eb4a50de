//! Arbitrary bytes as a file of records, and files of ours with a damaged byte: nothing is read that is not there, and every
//! intact record is read.
#![no_main]

use std::ops::Range;

use libfuzzer_sys::fuzz_target;

#[path = "../../../src/files/segment.rs"]
mod segment;

use segment::{HEAD, HEADER, header, put, records};

fuzz_target!(|data: &[u8]| {
    read(data);
    damage(data);
    let mut with_header = header(7).to_vec();
    with_header.extend_from_slice(data);
    read(&with_header);
});

/// Reads a file. Its records are parts of it, one after another.
fn read(file: &[u8]) -> Vec<(u64, Range<usize>)> {
    let mut found = Vec::new();
    let mut end = HEADER;
    for (number, body) in records(file).into_iter().flatten() {
        let from = body.as_ptr().addr() - file.as_ptr().addr();
        assert!(from >= end + HEAD, "{from} {end}");
        end = from + body.len();
        assert!(end <= file.len());
        found.push((number, from..end));
    }
    found
}

/// Writes a file with the parts of the input as bodies, and changes one of its bytes.
fn damage(data: &[u8]) {
    let Some((head, bodies)) = data.split_first_chunk::<4>() else {
        return;
    };
    let [change, first, high, low] = *head;
    let first = u64::from(first);
    let mut file = header(first).to_vec();
    let mut written = Vec::new();
    for (number, body) in (first..).zip(bodies.split(|byte| *byte == 0xff)) {
        let from = file.len() + HEAD;
        put(&mut file, number, body);
        written.push((number, from..file.len()));
    }
    assert_eq!(read(&file), written);
    let at = (usize::from(high) << 8 | usize::from(low)) % file.len();
    file[at] ^= change;
    let found = read(&file);
    if change == 0 {
        assert_eq!(found, written);
    } else if at < HEADER {
        assert!(found.is_empty());
    } else {
        let is_hit = |range: &Range<usize>| (range.start - HEAD..range.end).contains(&at);
        for record in &written {
            assert_eq!(found.contains(record), !is_hit(&record.1), "byte {at}");
        }
        // A body may contain a whole record, which is found once the record around it is damaged.
        let hit = written.iter().find(|(_, range)| is_hit(range));
        let inside = |range: &Range<usize>| {
            hit.is_some_and(|(_, hit)| hit.start <= range.start && range.end <= hit.end)
        };
        assert!(
            found
                .iter()
                .all(|record| written.contains(record) || inside(&record.1))
        );
    }
    file.truncate(at);
    let whole = written.iter().filter(|(_, range)| range.end <= at);
    if at >= HEADER {
        assert_eq!(
            read(&file).iter().collect::<Vec<_>>(),
            whole.collect::<Vec<_>>()
        );
    }
}
