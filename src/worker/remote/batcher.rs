use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use tokio::runtime::Handle;

use super::{Batch, Encode, RemoteSink};
use crate::clock::Nanos;
use crate::model::{RecordKind, catch_panic, lock};
use crate::worker::processor::BlockingPool;
use crate::worker::record_queue::Record;

/// After this many panics in one batch of records, the rest of the batch is dropped.
const MAX_PANICS: u32 = 3;

/// A remote sink with the encoder that fills it.
pub(in crate::worker) struct Batcher {
    pub(in crate::worker) sink: Arc<RemoteSink>,
    encode: Box<dyn Encode>,
    takes: [bool; RecordKind::ALL.len()],
    /// Whether the sink has accepted the items of each kind that [`announce`](Self::announce) named last.
    open: [bool; RecordKind::ALL.len()],
    batches: Vec<Batch>,
    /// The job in progress.
    job: Option<Arc<JobResult>>,
    /// Whether the sink has been told of a job that follows the one in progress.
    next_is_announced: bool,
}

/// The batches of a job, once it has ended; `None` if it panicked.
type JobResult = Mutex<Option<Option<Vec<Batch>>>>;

impl Batcher {
    pub(in crate::worker) fn new(sink: Arc<RemoteSink>, encode: Box<dyn Encode>) -> Self {
        let takes =
            RecordKind::ALL.map(|kind| catch_panic(|| encode.takes(kind)).unwrap_or_default());
        Self {
            sink,
            encode,
            takes,
            open: [false; RecordKind::ALL.len()],
            batches: Vec::new(),
            job: None,
            next_is_announced: false,
        }
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "kinds index arrays of their own number"
    )]
    pub(in crate::worker) fn takes(&self, kind: RecordKind) -> bool {
        self.takes[kind as usize]
    }

    /// Announces the items of these records to the sink before anything works on them. A sink that is closed meanwhile
    /// finds and counts them.
    pub(in crate::worker) fn announce(&mut self, records: &[Record<'_>]) {
        for kind in RecordKind::ALL {
            let of_kind = records.iter().filter(|record| record.kind == kind);
            let items: u64 = of_kind.map(|record| u64::from(record.items)).sum();
            let open = self.takes(kind) && (items == 0 || self.sink.hold(kind, items));
            if let Some(slot) = self.open.get_mut(kind as usize) {
                *slot = open;
            }
        }
    }

    /// Encodes the announced records. A record for which the encoder panics is dropped; after several panics the rest
    /// is dropped too. `panics` counts each panic.
    pub(in crate::worker) fn encode(&mut self, records: &[Record<'_>], panics: &AtomicU64) {
        let mut panicked_records = 0;
        for record in records {
            let (kind, announced) = (record.kind, u64::from(record.items));
            if !self.is_open(kind) {
                continue;
            }
            let found = if panicked_records < MAX_PANICS {
                catch_panic(|| self.encode.encode(record)).unwrap_or_else(|| {
                    panics.fetch_add(1, Relaxed);
                    self.sink.report_encoder_panic();
                    panicked_records += 1;
                    0
                })
            } else {
                0
            };
            // The sink holds what was announced. The rest, or all of a record that panicked, is counted as dropped.
            if found != announced {
                self.sink.correct_held(kind, announced, found);
            }
        }
    }

    fn is_open(&self, kind: RecordKind) -> bool {
        self.open.get(kind as usize).copied().unwrap_or_default()
    }

    /// Tells the encoder that a flush or the shutdown has just been requested.
    pub(in crate::worker) fn request_flush(&mut self) {
        catch_panic(|| self.encode.request_flush());
        // What is flushed may have happened after the job in progress has read it, so another job follows. The sink must
        // know of it now: the flush takes the number of the last batch in this round.
        if self.job.is_some() && !self.next_is_announced {
            self.sink.announce_batches();
            self.next_is_announced = true;
        }
    }

    /// Hands the batches that are due to the sink, and starts a job if one is due.
    pub(in crate::worker) fn hand_over(
        &mut self,
        now: Nanos,
        all: bool,
        pool: &Handle,
        panics: &AtomicU64,
    ) {
        self.end_job(panics);
        let made = catch_panic(|| self.encode.take_batches(now, all, &mut self.batches));
        for batch in self.batches.drain(..) {
            self.sink.accept(batch);
        }
        for (kind, outcome, items) in
            catch_panic(|| self.encode.take_outcomes()).unwrap_or_default()
        {
            self.sink.settle_held(kind, outcome, items);
        }
        // After a panic nobody knows what the encoder still holds: the sink counts all of it as dropped, and the
        // encoder begins anew.
        if made.is_none() {
            panics.fetch_add(1, Relaxed);
            self.sink.drop_held();
            catch_panic(|| self.encode.clear());
        }
        if self.job.is_none() {
            self.start_job(now, pool);
        }
    }

    /// Hands the batches of a job that has ended to the sink.
    fn end_job(&mut self, panics: &AtomicU64) {
        let Some(made) = self.job.as_ref().and_then(|job| lock(job).take()) else {
            return;
        };
        self.job = None;
        if made.is_none() {
            panics.fetch_add(1, Relaxed);
            self.sink.report_encoder_panic();
        }
        for batch in made.into_iter().flatten() {
            self.sink.accept(batch);
        }
        self.sink.end_announced();
    }

    fn start_job(&mut self, now: Nanos, pool: &Handle) {
        let Some(job) = catch_panic(|| self.encode.take_job(now)).flatten() else {
            if std::mem::take(&mut self.next_is_announced) {
                self.sink.end_announced();
            }
            return;
        };
        if !std::mem::take(&mut self.next_is_announced) {
            self.sink.announce_batches();
        }
        let result = Arc::<JobResult>::default();
        let (of_job, sink) = (Arc::clone(&result), Arc::clone(&self.sink));
        let is_queued = BlockingPool(pool).spawn(move || {
            let made = catch_panic(job);
            *lock(&of_job) = Some(made);
            sink.wake_worker();
        });
        if is_queued {
            self.job = Some(result);
        } else {
            // The system has no thread for it. The next round tries again, and a flush goes on waiting.
            self.next_is_announced = true;
            catch_panic(|| self.encode.request_flush());
        }
    }

    /// When [`hand_over`](Self::hand_over) must be called, unless a record arrives earlier.
    pub(in crate::worker) fn due(&self) -> Option<Nanos> {
        // While a job is in progress nothing is due: the job wakes the worker when it ends.
        if self.job.is_some() {
            return None;
        }
        catch_panic(|| self.encode.due()).flatten()
    }
}
