use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::body::PushEncoder;
use super::streams::Streams;
use crate::clock::{Nanos, nanos};
use crate::metrics::Snapshotter;
use crate::model::{RecordKind, lock};
use crate::worker::{Batch, BatchJob, Encode, Record};

/// Makes the requests of a push at each interval, and when a flush is requested.
///
/// They are made on the blocking pool: a snapshot calls the host's code, which may hang, and may encode many series.
pub(super) struct MetricPusher {
    state: Arc<Mutex<PushState>>,
    interval: Nanos,
    /// The time of the next push, which the first round sets.
    due: Option<Nanos>,
    is_flush_requested: bool,
}

/// What a push needs. One push at a time holds its lock.
struct PushState {
    snapshotter: Snapshotter,
    streams: Streams,
    encoder: PushEncoder,
}

impl MetricPusher {
    pub(super) fn new(
        interval: Duration,
        snapshotter: Snapshotter,
        streams: Streams,
        encoder: PushEncoder,
    ) -> Self {
        let state = PushState {
            snapshotter,
            streams,
            encoder,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            interval: nanos(interval),
            due: None,
            is_flush_requested: false,
        }
    }
}

impl PushState {
    /// Makes the requests of one push.
    fn push(&mut self) -> Vec<Batch> {
        // A push that panicked may have left a part of its metrics here.
        self.encoder.clear();
        let snapshot = self.snapshotter.snapshot();
        let mut push = self.streams.begin(snapshot.wall);
        for metric in &snapshot.metrics {
            self.encoder.add(push.metric(metric));
        }
        push.end();
        let bodies = self.encoder.take_bodies().into_iter();
        bodies
            .map(|(points, body)| Batch::new(RecordKind::Metric, points, body))
            .collect()
    }
}

impl Encode for MetricPusher {
    /// All points are made here, none of a record.
    fn takes(&self, _kind: RecordKind) -> bool {
        false
    }

    fn encode(&mut self, _record: &Record<'_>) -> u64 {
        0
    }

    fn request_flush(&mut self) {
        self.is_flush_requested = true;
    }

    fn take_job(&mut self, now: Nanos) -> Option<BatchJob> {
        let due = *self.due.get_or_insert(now.saturating_add(self.interval));
        if !self.is_flush_requested && now < due {
            return None;
        }
        // A push that panics is not repeated at once. Pushes that were missed are not made up for.
        self.is_flush_requested = false;
        self.due = Some(now.saturating_add(self.interval));
        let state = Arc::clone(&self.state);
        Some(Box::new(move || lock(&state).push()))
    }

    fn take_batches(&mut self, _now: Nanos, _all: bool, _out: &mut Vec<Batch>) {}

    fn due(&self) -> Option<Nanos> {
        self.due
    }

    // It holds no items: a job returns all of them.
    fn clear(&mut self) {}
}
