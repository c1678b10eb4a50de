use opentelemetry_sdk::trace::SpanData;

use super::body::BodyEncoder;
use super::{DecodeSpans, OtlpConfig};
use crate::clock::{Nanos, nanos};
use crate::model::RecordKind;
use crate::worker::{Batch, Encode, ItemOutcome, Record};

/// The total size, in bytes, of the records of its spans at which a request is full.
const MAX_BYTES: usize = 1 << 20;

/// Batches spans into requests.
pub(super) struct SpanBatcher {
    decode: Box<dyn DecodeSpans>,
    encoder: BodyEncoder,
    spans: Vec<SpanData>,
    /// The size of each span: its share of the record's bytes.
    sizes: Vec<usize>,
    max_spans: usize,
    delay: Nanos,
    /// The time at which the oldest span arrived.
    since: Option<Nanos>,
    /// The outcomes of spans that could not be encoded.
    outcomes: Vec<(RecordKind, ItemOutcome, u64)>,
}

impl SpanBatcher {
    pub(super) fn new(
        config: &OtlpConfig,
        encoder: BodyEncoder,
        decode: Box<dyn DecodeSpans>,
    ) -> Self {
        Self {
            decode,
            encoder,
            spans: Vec::new(),
            sizes: Vec::new(),
            max_spans: config.max_export_batch_size.max(1) as usize,
            delay: nanos(config.schedule_delay),
            since: None,
            outcomes: Vec::new(),
        }
    }

    /// Returns the number of spans in the next request, and whether it is full.
    fn next(&self) -> (usize, bool) {
        let mut bytes = 0;
        for (n, size) in self.sizes.iter().enumerate() {
            bytes += size;
            if n + 1 == self.max_spans || bytes >= MAX_BYTES {
                return (n + 1, true);
            }
        }
        (self.sizes.len(), false)
    }
}

impl Encode for SpanBatcher {
    fn takes(&self, kind: RecordKind) -> bool {
        kind == RecordKind::Span
    }

    fn encode(&mut self, record: &Record<'_>) -> u64 {
        // A decoder that panicked may have left spans that were not counted.
        self.spans.truncate(self.sizes.len());
        let before = self.spans.len();
        self.decode.spans(record, &mut self.spans);
        let found = self.spans.len().saturating_sub(before);
        let share = record.body.len() / found.max(1);
        self.sizes.resize(self.spans.len(), share);
        found as u64
    }

    fn take_batches(&mut self, now: Nanos, all: bool, out: &mut Vec<Batch>) {
        self.spans.truncate(self.sizes.len());
        if !self.spans.is_empty() {
            self.since.get_or_insert(now);
        }
        let all = all || self.due().is_some_and(|due| now >= due);
        loop {
            let (count, full) = self.next();
            if count == 0 || !full && !all {
                break;
            }
            let spans = self.spans.drain(..count).collect();
            self.sizes.drain(..count);
            match self.encoder.encode(spans) {
                Ok(body) => out.push(Batch::new(RecordKind::Span, count as u64, body)),
                Err(reason) => {
                    let fate = ItemOutcome::Dropped(reason);
                    self.outcomes.push((RecordKind::Span, fate, count as u64));
                }
            }
            self.since = (!self.spans.is_empty()).then_some(now);
        }
    }

    fn take_outcomes(&mut self) -> Vec<(RecordKind, ItemOutcome, u64)> {
        std::mem::take(&mut self.outcomes)
    }

    fn due(&self) -> Option<Nanos> {
        self.since.map(|since| since.saturating_add(self.delay))
    }

    fn clear(&mut self) {
        self.spans.clear();
        self.sizes.clear();
        self.since = None;
    }
}
