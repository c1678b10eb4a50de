//! Tests the encoder and the batcher without a worker.

use super::super::batches::SpanBatcher;
use super::super::body::BodyEncoder;
use super::*;
use crate::worker::{Batch, Encode, ItemOutcome};

fn encoder(max_bytes: usize) -> BodyEncoder {
    let resource = Resource::builder_empty()
        .with_attribute(KeyValue::new("service.name", "shop"))
        .build();
    BodyEncoder::new(&resource, false, max_bytes)
}

#[test]
fn with_the_exporter_and_without_it_bodies_are_the_same() {
    let spans = || (1..100).map(span).collect::<Vec<_>>();
    let with = encoder(1 << 20);
    assert!(with.has_exporter());
    let with = with.encode(spans()).unwrap();
    let without = encoder(1 << 20).without_exporter().encode(spans()).unwrap();
    assert!(with == without);
}

#[test]
fn spans_of_which_no_body_can_be_made_are_counted() {
    let mut batches = SpanBatcher::new(&OtlpConfig::default(), encoder(1000), Box::new(Ids));
    let ids: Vec<u8> = (1_u64..600).flat_map(u64::to_le_bytes).collect();
    let record = Record {
        source: 0,
        kind: RecordKind::Span,
        items: 599,
        at: 0,
        body: &ids,
    };
    assert_eq!(batches.encode(&record), 599);
    let mut made: Vec<Batch> = Vec::new();
    batches.take_batches(0, true, &mut made);
    assert!(made.is_empty());
    let too_large = |items| {
        (
            RecordKind::Span,
            ItemOutcome::Dropped(DropReason::TooLarge),
            items,
        )
    };
    assert_eq!(batches.take_outcomes(), [too_large(512), too_large(87)]);
    assert!(batches.take_outcomes().is_empty() && batches.due().is_none());
    // The next record is decoded as usual.
    let record = Record {
        source: 0,
        items: 1,
        body: &ids[..8],
        ..record
    };
    assert_eq!(batches.encode(&record), 1);
    batches.take_batches(0, true, &mut made);
    assert_eq!((made.len(), made[0].items), (1, 1));
}
