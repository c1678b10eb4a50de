use std::time::Duration;

use super::body::PushEncoder;
use super::streams::Streams;
use crate::clock::{Nanos, nanos};
use crate::metrics::Snapshotter;
use crate::model::RecordKind;
use crate::worker::{Batch, Encode, Record};

/// Makes the requests of a push at each interval, and when a flush is requested.
pub(super) struct MetricPusher {
    snapshotter: Snapshotter,
    streams: Streams,
    encoder: PushEncoder,
    interval: Nanos,
    /// The time of the next push, which the first round sets.
    due: Option<Nanos>,
    is_flush_requested: bool,
}

impl MetricPusher {
    pub(super) fn new(
        interval: Duration,
        snapshotter: Snapshotter,
        streams: Streams,
        encoder: PushEncoder,
    ) -> Self {
        Self {
            snapshotter,
            streams,
            encoder,
            interval: nanos(interval),
            due: None,
            is_flush_requested: false,
        }
    }

    /// Appends the requests of one push.
    fn push(&mut self, out: &mut Vec<Batch>) {
        let snapshot = self.snapshotter.snapshot();
        let mut push = self.streams.begin(snapshot.wall);
        for metric in &snapshot.metrics {
            self.encoder.add(push.metric(metric));
        }
        push.end();
        let bodies = self.encoder.take_bodies().into_iter();
        out.extend(bodies.map(|(points, body)| Batch::new(RecordKind::Metric, points, body)));
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

    // `all` is set in every round of a shutdown. One push is enough, so only a new request counts.
    fn take_batches(&mut self, now: Nanos, _all: bool, out: &mut Vec<Batch>) {
        let due = *self.due.get_or_insert(now.saturating_add(self.interval));
        if !self.is_flush_requested && now < due {
            return;
        }
        // Set first, so that a push that panics is not repeated at once. Pushes that were missed are not made up for.
        self.is_flush_requested = false;
        self.due = Some(now.saturating_add(self.interval));
        self.push(out);
    }

    fn due(&self) -> Option<Nanos> {
        self.due
    }

    fn clear(&mut self) {
        self.encoder.clear();
    }
}
