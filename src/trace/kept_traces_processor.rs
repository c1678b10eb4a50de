use std::sync::Arc;

use super::recent_traces::RecentTraces;
use super::stored::TraceStore;
use crate::clock::Nanos;
use crate::model::RecordKind;
use crate::worker::{BlockingPool, Record, RecordProcessor};

/// Adds kept traces to the memory, and to the data directory if there is one.
pub(crate) struct KeptTracesProcessor {
    pub(crate) recent: Arc<RecentTraces>,
    pub(crate) store: Option<TraceStore>,
}

impl RecordProcessor for KeptTracesProcessor {
    fn kind(&self) -> RecordKind {
        RecordKind::Span
    }

    fn process(&mut self, record: &Record<'_>, _: &BlockingPool<'_>) {
        self.recent.add(record.at, record.body);
        if let Some(store) = &self.store {
            store.add(record.at, record.body);
        }
    }

    fn run_due(&mut self, pool: &BlockingPool<'_>) {
        if let Some(store) = &self.store {
            store.run_due(|job| pool.spawn(job));
        }
    }

    fn due(&self) -> Option<Nanos> {
        self.store.as_ref()?.due()
    }

    fn position(&self) -> u64 {
        self.store.as_ref().map_or(0, TraceStore::request_flush)
    }

    fn is_settled(&self, position: u64) -> bool {
        let store = self.store.as_ref();
        store.is_none_or(|store| store.is_settled(position))
    }

    fn finish(&mut self) -> bool {
        let store = self.store.as_ref();
        store.is_none_or(|store| store.is_settled(store.request_flush()))
    }
}

impl Drop for KeptTracesProcessor {
    fn drop(&mut self) {
        if let Some(store) = &self.store {
            store.close();
        }
    }
}
