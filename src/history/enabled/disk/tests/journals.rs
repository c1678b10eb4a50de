use std::sync::Arc;

use super::super::super::steps::{SeriesKey, SeriesKind, StepFlags, StepTime};
use super::super::super::store::{SeriesStep, Step};
use super::super::files::StoreFiles;
use super::super::journal::{JournalReader, JournalRecord, JournalWriter};
use super::fake::{Contents, FakeFiles};
use crate::metrics::HistogramValues;

fn value(name: &str, labels: &str, kind: SeriesKind, step: Step) -> SeriesStep {
    let key = SeriesKey {
        name: name.into(),
        labels: labels.into(),
    };
    SeriesStep::new(key, kind, step)
}

fn time(tick: u64) -> StepTime {
    StepTime {
        wall: 1_700_000_000_000 + i64::try_from(tick).unwrap() * 10_000,
        length: 10_001,
        at: tick * 10_000_000_000,
        has_gap: tick.is_multiple_of(3),
        first_snapshot: tick,
        snapshots: 1,
    }
}

/// The values of one snapshot. Series come, go and change.
fn values(tick: u64) -> Vec<SeriesStep> {
    let number = |factor: f64| Step::Number(tick as f64 * factor);
    let mut all = vec![value("a_total", "", SeriesKind::Counter, number(1.0))];
    if tick.is_multiple_of(2) {
        let labels = format!(r#"n="{tick}""#);
        all.push(value("b", &labels, SeriesKind::Gauge, number(0.3)));
    }
    let kind = if tick < 4 {
        SeriesKind::Gauge
    } else {
        SeriesKind::Counter
    };
    all.push(value("changes", "", kind, number(2.0)));
    let bounds: &[f64] = if tick < 3 { &[1.0] } else { &[0.5, 1.0] };
    let values = HistogramValues::empty(bounds).with(vec![(tick as u16, 2), (99, 1)], tick as f64);
    all.push(value(
        "took",
        "",
        SeriesKind::Histogram,
        Step::Histogram(values),
    ));
    if tick == 5 {
        all[0].flags = StepFlags::ANOMALY;
        all.last_mut().unwrap().flags = StepFlags(6);
    }
    all
}

fn text(value: &SeriesStep) -> String {
    format!("{value:?}")
}

/// The values of a record, in a stable order.
fn texts(values: &[SeriesStep]) -> Vec<String> {
    let mut texts: Vec<_> = values.iter().map(text).collect();
    texts.sort();
    texts
}

fn journal() -> (String, Vec<u8>) {
    let files = FakeFiles::default();
    let shared: Arc<dyn StoreFiles> = Arc::new(files.clone());
    let mut journal = JournalWriter::create(&shared, 1).unwrap();
    for tick in 1..=6 {
        journal.append(tick, &time(tick), &values(tick)).unwrap();
    }
    journal.sync(&*shared).unwrap();
    let (name, bytes) = files.contents().pop_first().unwrap();
    assert_eq!(journal.bytes(), bytes.len() as u64);
    (name, bytes)
}

/// The records, and whether the end is damaged. `None` if the header is.
fn read(name: &str, bytes: &[u8]) -> Option<(Vec<JournalRecord>, bool)> {
    let files = FakeFiles::of(Contents::from([(name.to_owned(), bytes.to_vec())]));
    let mut journal = JournalReader::open(&files, name).unwrap()?;
    let mut all = Vec::new();
    while let Some(record) = journal.next().unwrap() {
        all.push(record);
    }
    Some((all, journal.damaged_at_end() > 0))
}

#[test]
fn a_journal_is_read_as_it_was_written() {
    let (name, bytes) = journal();
    assert_eq!(name, "journal-00000000000000000001");
    let (records, is_damaged) = read(&name, &bytes).unwrap();
    assert!(!is_damaged);
    assert_eq!(records.len(), 6);
    for (record, tick) in records.iter().zip(1..) {
        assert_eq!((record.tick, record.time), (tick, time(tick)));
        assert_eq!(texts(&record.values), texts(&values(tick)));
    }
}

#[test]
fn each_flipped_byte_costs_one_record_and_the_series_that_it_names() {
    let (name, bytes) = journal();
    for at in 0..bytes.len() {
        for flip in [1, 0x40, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] ^= flip;
            let Some((records, _)) = read(&name, &damaged) else {
                assert!(at < 20, "byte {at}");
                continue;
            };
            assert_eq!(records.len(), 5, "byte {at}");
            for record in records {
                let expected = texts(&values(record.tick));
                let read = texts(&record.values);
                assert_eq!(record.time, time(record.tick));
                assert!(
                    read.iter().all(|value| expected.contains(value)),
                    "byte {at}"
                );
            }
        }
    }
}

#[test]
fn a_journal_cut_anywhere_has_the_records_before_the_cut() {
    let (name, bytes) = journal();
    let mut whole = 0;
    for len in 0..bytes.len() {
        let Some((records, is_damaged)) = read(&name, &bytes[..len]) else {
            assert!(len < 20);
            continue;
        };
        for (record, tick) in records.iter().zip(1..) {
            assert_eq!(texts(&record.values), texts(&values(tick)));
        }
        assert!(records.len() >= whole && records.len() < 6);
        // At the end of a record, nothing is missing.
        assert_eq!(is_damaged, len > 20 && records.len() == whole);
        whole = records.len();
    }
}
