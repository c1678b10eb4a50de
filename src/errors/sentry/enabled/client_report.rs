use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::json;

use crate::model::DropReason;

/// The protocol's words for the reasons that we have, and how many events were dropped for each.
#[derive(Debug, Default)]
pub(super) struct ClientReport(Mutex<DiscardCounts>);

#[derive(Debug, Default)]
struct DiscardCounts {
    waiting: [u64; WORDS.len()],
    /// What stands in the envelope that is under way.
    sent: [u64; WORDS.len()],
}

const WORDS: [&str; 6] = [
    "queue_overflow",
    "cache_overflow",
    "before_send",
    "internal_sdk_error",
    "send_error",
    "ratelimit_backoff",
];

impl ClientReport {
    pub(super) fn add(&self, reason: DropReason, events: u64) {
        let word = match reason {
            DropReason::QueueOverflow => 0,
            DropReason::CacheOverflow => 1,
            DropReason::BeforeSend => 2,
            DropReason::SendError | DropReason::TooLarge => 4,
            DropReason::RatelimitBackoff => 5,
            _ => 3,
        };
        if let Some(count) = self.lock().waiting.get_mut(word) {
            *count += events;
        }
    }

    /// The report that goes with an envelope, if there is something to report.
    pub(super) fn begin(&self, timestamp: f64) -> Option<String> {
        let mut counts = self.lock();
        counts.sent = counts.waiting;
        if counts.sent.iter().all(|count| *count == 0) {
            return None;
        }
        let told = WORDS
            .iter()
            .zip(counts.sent)
            .filter(|(_, count)| *count > 0);
        let told = told.map(
            |(reason, count)| json!({ "reason": reason, "category": "error", "quantity": count }),
        );
        let told: Vec<_> = told.collect();
        Some(json!({ "timestamp": timestamp, "discarded_events": told }).to_string())
    }

    /// The envelope was taken, its report with it.
    pub(super) fn taken(&self) {
        let mut counts = self.lock();
        let sent = std::mem::take(&mut counts.sent);
        for (waiting, sent) in counts.waiting.iter_mut().zip(sent) {
            *waiting = waiting.saturating_sub(sent);
        }
    }

    fn lock(&self) -> MutexGuard<'_, DiscardCounts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_is_not_told_again() {
        let report = ClientReport::default();
        assert_eq!(report.begin(1.0), None);
        report.add(DropReason::SendError, 2);
        report.add(DropReason::BeforeSend, 1);
        let told: serde_json::Value = serde_json::from_str(&report.begin(1.5).unwrap()).unwrap();
        let lost = |reason, quantity| json!({ "reason": reason, "category": "error", "quantity": quantity });
        let all = [lost("before_send", 1), lost("send_error", 2)];
        assert_eq!(told, json!({ "timestamp": 1.5, "discarded_events": all }));
        report.add(DropReason::SendError, 1);
        report.taken();
        let told: serde_json::Value = serde_json::from_str(&report.begin(2.0).unwrap()).unwrap();
        assert_eq!(told["discarded_events"], json!([lost("send_error", 1)]));
        report.taken();
        assert_eq!(report.begin(3.0), None);
    }
}
