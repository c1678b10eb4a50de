//! The memory of log records, without a worker.

use std::sync::Arc;
use std::time::Duration;

use super::blocks::LogBlocks;
use super::*;
use crate::clock::Clock;
use crate::context::Requests;
use crate::logs::LogQuery;
use crate::logs::config::ServiceFields;
use crate::model::RecordKind;
use crate::worker::{LineObserver, Record};

/// The sequences and bodies of all records, in order.
fn all(blocks: &LogBlocks) -> Vec<(u64, Vec<u8>)> {
    let held = blocks.hold(0);
    let entries = held.blocks.iter().flat_map(|block| block.entries());
    entries
        .map(|entry| (entry.sequence, entry.body.to_vec()))
        .collect()
}

#[test]
fn the_newest_records_stay_within_the_limit_whatever_their_sizes() {
    for max_bytes in [0, 1, 100, 300, 5_000, 70_000, 1 << 20] {
        let mut blocks = LogBlocks::new(max_bytes);
        let (mut added, mut state) = (Vec::new(), 1_u64);
        for _ in 0..5_000 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            // Most are short, some as long as the queue permits.
            let longest = [40, 400, 4_000, 65_000][(state >> 62) as usize];
            let body = vec![(state >> 40) as u8; (state >> 33) as usize % longest];
            let before = blocks.hold(0).newest;
            blocks.add(RecordKind::Log, state, &body);
            if blocks.hold(0).newest > before {
                added.push((before + 1, body));
            }
            assert!(blocks.bytes() <= max_bytes, "{max_bytes}");
        }
        let kept = all(&blocks);
        assert!(added.ends_with(&kept), "{max_bytes}");
        let held = blocks.hold(0);
        let oldest = kept.first().map_or(0, |(sequence, _)| *sequence);
        assert_eq!((held.oldest, held.newest), (oldest, added.len() as u64));
        let bytes: usize = kept.iter().map(|(_, body)| body.len()).sum();
        // At most one block of sixteen is free, and the ends of some are.
        assert!(max_bytes < 1 << 20 || bytes > max_bytes / 2, "{bytes}");
    }
}

#[test]
fn a_full_memory_is_used_again_and_a_reader_keeps_what_it_holds() {
    let mut blocks = LogBlocks::new(64 << 10);
    let body = [7; 1000];
    (0..1000).for_each(|_| blocks.add(RecordKind::Log, 1, &body));
    let held = blocks.hold(0);
    let before: Vec<_> = held.blocks.iter().flat_map(|it| it.entries()).collect();
    (0..1000).for_each(|n| blocks.add(RecordKind::Request, n, &[9; 1000]));
    let after: Vec<_> = held.blocks.iter().flat_map(|it| it.entries()).collect();
    assert_eq!(before, after);
    assert!(after.iter().all(|entry| entry.body == body));
    assert!(blocks.bytes() <= 64 << 10 && blocks.bytes() > 56 << 10);
}

#[test]
fn a_reader_that_is_up_to_date_gets_no_block() {
    let mut blocks = LogBlocks::new(1 << 20);
    assert!(blocks.hold(0).blocks.is_empty());
    (0..3000).for_each(|_| blocks.add(RecordKind::Log, 1, &[1; 100]));
    assert!(blocks.hold(3000).blocks.is_empty());
    assert!(blocks.hold(u64::MAX).blocks.is_empty());
    assert_eq!(blocks.hold(2999).blocks.len(), 1);
    assert_eq!(all(&blocks).len(), 3000);
}

fn store(max_bytes: usize) -> Arc<RecentLogStore> {
    let requests = Requests::new(Clock::driven(Duration::from_secs(100)));
    let service = ServiceFields {
        name: "shop".to_owned(),
        environment: Some("test".to_owned()),
        ..ServiceFields::default()
    };
    Arc::new(RecentLogStore::new(max_bytes, Arc::new(requests), service))
}

#[test]
fn a_malformed_record_is_passed_over() {
    let store = store(1 << 20);
    let mut observer = RecentLogsObserver::new(Arc::clone(&store));
    for kind in RecordKind::ALL {
        for body in [&b""[..], b"\xff", &[0xff; 40], &[0; 300]] {
            let record = Record {
                source: 0,
                kind,
                items: 1,
                at: 0,
                body,
            };
            observer.records(&[record]);
        }
    }
    observer.notice(5, "password=hunter2 was \"wrong\"\n");
    let found = store.read(&LogQuery::default());
    let notice = &found.records[0];
    assert_eq!(notice.message, "password=[Filtered] was \"wrong\"\n");
    assert_eq!(
        (notice.kind, &*notice.target),
        (RecordKind::Notice, "watchpost")
    );
    assert_eq!(notice.level, tracing::Level::WARN);
    assert_eq!(found.newest, notice.sequence);
}

#[test]
fn a_long_notice_and_a_storm_of_long_records_are_bounded() {
    let store = store(256 << 10);
    let mut observer = RecentLogsObserver::new(Arc::clone(&store));
    observer.notice(0, &"x".repeat(100 << 20));
    assert_eq!(store.read(&LogQuery::default()).records.len(), 1);
    let long = vec![0; 65_000];
    for n in 0..1_000_000_u64 {
        let body = if n % 1000 == 0 { &*long } else { b"short" };
        let record = Record {
            source: 0,
            kind: RecordKind::Log,
            items: 1,
            at: n,
            body,
        };
        observer.records(&[record]);
        assert!(store.bytes() <= 256 << 10);
    }
    assert_eq!(store.read(&LogQuery::default()).newest, 1_000_001);
}

#[test]
fn the_time_and_the_service_of_a_record_are_searched_and_are_no_fields_of_it() {
    let store = store(1 << 20);
    let mut observer = RecentLogsObserver::new(Arc::clone(&store));
    // At 00:01:40 and 01:01:40.
    for hour in [0, 3_600_000_000_000] {
        observer.notice(hour, "full");
    }
    for (text, count) in [
        ("timestamp:>=1970-01-01T01:00:00Z", 1),
        ("timestamp:<1970-01-01T01:00:00Z full", 1),
        ("service.name:shop", 2),
        ("service.environment:test AND NOT service.name:bank", 2),
        ("service.name:bank", 0),
    ] {
        let found = store.read(&LogQuery::default().text(text).unwrap());
        assert_eq!(found.records.len(), count, "{text}");
        assert!(found.records.iter().all(|it| it.fields.is_empty()));
    }
}
