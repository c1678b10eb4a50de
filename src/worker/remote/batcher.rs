use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::{Batch, Encode, Remote};
use crate::clock::Nanos;
use crate::model::RecordKind;
use crate::model::catch_panic;
use crate::worker::record_queue::Record;

/// After this many panics in one batch of records the rest of them is given up.
const MAX_PANICS: u32 = 3;

/// A remote sink with its consumer.
pub(in crate::worker) struct Batcher {
    pub(in crate::worker) sink: Arc<Remote>,
    consume: Box<dyn Encode>,
    takes: [bool; RecordKind::ALL.len()],
    /// Whether the sink has taken the promised items of each signal.
    open: [bool; RecordKind::ALL.len()],
    batches: Vec<Batch>,
}

impl Batcher {
    pub(in crate::worker) fn new(sink: Arc<Remote>, consume: Box<dyn Encode>) -> Self {
        let takes =
            RecordKind::ALL.map(|signal| catch_panic(|| consume.takes(signal)).unwrap_or_default());
        Self {
            sink,
            consume,
            takes,
            open: [false; RecordKind::ALL.len()],
            batches: Vec::new(),
        }
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "signals index arrays of their own number"
    )]
    pub(in crate::worker) fn takes(&self, signal: RecordKind) -> bool {
        self.takes[signal as usize]
    }

    /// Says to the sink what it will get of these records, before anybody works on them: a sink that is closed meanwhile
    /// finds and counts them.
    pub(in crate::worker) fn promise(&mut self, records: &[Record<'_>]) {
        for signal in RecordKind::ALL {
            let of_signal = records.iter().filter(|record| record.signal == signal);
            let items: u64 = of_signal.map(|record| u64::from(record.items)).sum();
            let open = self.takes(signal) && (items == 0 || self.sink.hold(signal, items));
            if let Some(slot) = self.open.get_mut(signal as usize) {
                *slot = open;
            }
        }
    }

    /// Hands promised records to the consumer. A record at which it panics is dropped alone; after several the rest
    /// is given up. `panics` counts each.
    pub(in crate::worker) fn take(&mut self, records: &[Record<'_>], panics: &AtomicU64) {
        let mut met = 0;
        for record in records {
            let (signal, promised) = (record.signal, u64::from(record.items));
            if !self.is_open(signal) {
                continue;
            }
            let found = if met < MAX_PANICS {
                catch_panic(|| self.consume.take(record)).unwrap_or_else(|| {
                    panics.fetch_add(1, Relaxed);
                    self.sink.consumer_panicked();
                    met += 1;
                    0
                })
            } else {
                0
            };
            if found != promised {
                self.sink.correct(signal, promised, found);
            }
        }
    }

    fn is_open(&self, signal: RecordKind) -> bool {
        self.open.get(signal as usize).copied().unwrap_or_default()
    }

    /// Hands the batches that are due to the sink.
    pub(in crate::worker) fn hand_over(&mut self, now: Nanos, all: bool, panics: &AtomicU64) {
        let made = catch_panic(|| self.consume.batches(now, all, &mut self.batches));
        for batch in self.batches.drain(..) {
            self.sink.accept(batch);
        }
        for (signal, fate, items) in
            catch_panic(|| self.consume.take_outcomes()).unwrap_or_default()
        {
            self.sink.settle_held(signal, fate, items);
        }
        if made.is_none() {
            panics.fetch_add(1, Relaxed);
            self.sink.lose_held();
            catch_panic(|| self.consume.forget());
        }
    }

    /// When [`hand_over`](Self::hand_over) has something to do without a further record.
    pub(in crate::worker) fn due(&self) -> Option<Nanos> {
        catch_panic(|| self.consume.due()).flatten()
    }
}
