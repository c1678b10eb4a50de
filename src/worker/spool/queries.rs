//! Queries for records by key or from the newest back. They run in the task that writes, between writes.

use std::collections::VecDeque;
use std::sync::Arc;

use super::store::Spool;
use crate::model::catch_panic;
use crate::worker::completion::Completion;

/// The maximum number of queries that wait.
const MAX_QUERIES: usize = 16;

/// What to read of the stored records.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SpoolQuery {
    /// All records with a key.
    Find(u128),
    /// The newest records with numbers below this one.
    Before { number: u64, max_records: usize },
}

/// The answer to a query.
#[derive(Debug, Default)]
pub(crate) struct SpoolAnswer {
    /// The records: in the order of their numbers for a key, the newest first otherwise.
    pub(crate) records: Vec<(u64, Vec<u8>)>,
    /// Whether a record with the key has been removed to make room, as far as it is remembered.
    pub(crate) was_removed: bool,
    /// The oldest record of all, if none was found.
    pub(crate) oldest: Option<Vec<u8>>,
}

type QueryCompletion = Arc<Completion<Option<Arc<SpoolAnswer>>>>;

/// Queries that wait for the task.
#[derive(Default)]
pub(super) struct WaitingQueries(VecDeque<(SpoolQuery, QueryCompletion)>);

impl WaitingQueries {
    /// Adds a query. Returns its completion if too many wait.
    pub(super) fn add(
        &mut self,
        query: SpoolQuery,
        answer: QueryCompletion,
    ) -> Option<QueryCompletion> {
        // Those that nobody waits for any more make room.
        self.0.retain(|(_, answer)| answer.value().is_none());
        if self.0.len() >= MAX_QUERIES {
            return Some(answer);
        }
        self.0.push_back((query, answer));
        None
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Answers all queries: with `None` if the spool could not be opened.
    pub(super) fn answer(self, mut spool: Option<&mut Spool>) {
        for (query, answer) in self.0 {
            // The deadline of a query may have passed while the disk was busy.
            if answer.value().is_none() {
                let spool = spool.as_deref_mut();
                let read = spool.and_then(|spool| catch_panic(|| read(spool, query)));
                answer.complete(read.map(Arc::new));
            }
        }
    }
}

fn read(spool: &mut Spool, query: SpoolQuery) -> SpoolAnswer {
    match query {
        SpoolQuery::Find(key) => {
            let records = spool.find(key);
            SpoolAnswer {
                was_removed: spool.has_removed(key),
                oldest: records.is_empty().then(|| spool.oldest()).flatten(),
                records,
            }
        }
        SpoolQuery::Before {
            number,
            max_records,
        } => SpoolAnswer {
            records: spool.read_back(number, max_records),
            ..SpoolAnswer::default()
        },
    }
}
