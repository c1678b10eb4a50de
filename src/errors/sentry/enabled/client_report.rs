//! The client report: how many events were dropped, by reason.

use std::sync::{Mutex, MutexGuard};

use serde_json::json;

use crate::model::{DropReason, lock};

/// Counts dropped events until a report with them has been accepted.
#[derive(Debug, Default)]
pub(super) struct ClientReport(Mutex<DiscardCounts>);

#[derive(Debug, Default)]
struct DiscardCounts {
    /// Not yet accepted by the server, including those in the report that is being sent.
    unreported: [u64; REASONS.len()],
    /// In the report of the envelope that is being sent.
    in_flight: [u64; REASONS.len()],
}

/// The protocol's names of the reasons.
const REASONS: [&str; 6] = [
    "queue_overflow",
    "cache_overflow",
    "before_send",
    "internal_sdk_error",
    "send_error",
    "ratelimit_backoff",
];

impl ClientReport {
    /// Counts dropped events.
    pub(super) fn add(&self, reason: DropReason, events: u64) {
        let index = match reason {
            DropReason::QueueOverflow => 0,
            DropReason::CacheOverflow => 1,
            DropReason::BeforeSend => 2,
            DropReason::SendError | DropReason::TooLarge => 4,
            DropReason::RatelimitBackoff => 5,
            _ => 3,
        };
        if let Some(count) = self.lock().unreported.get_mut(index) {
            *count += events;
        }
    }

    /// The report to send with the next envelope; `None` if no event was dropped.
    pub(super) fn attach(&self, timestamp: f64) -> Option<String> {
        let mut counts = self.lock();
        counts.in_flight = counts.unreported;
        if counts.in_flight.iter().all(|count| *count == 0) {
            return None;
        }
        let discarded = REASONS
            .iter()
            .zip(counts.in_flight)
            .filter(|(_, count)| *count > 0);
        let discarded = discarded.map(
            |(reason, count)| json!({ "reason": reason, "category": "error", "quantity": count }),
        );
        let discarded: Vec<_> = discarded.collect();
        Some(json!({ "timestamp": timestamp, "discarded_events": discarded }).to_string())
    }

    /// The server has accepted the envelope, and the report with it.
    pub(super) fn accepted(&self) {
        let mut counts = self.lock();
        let reported = std::mem::take(&mut counts.in_flight);
        for (unreported, reported) in counts.unreported.iter_mut().zip(reported) {
            *unreported = unreported.saturating_sub(reported);
        }
    }

    fn lock(&self) -> MutexGuard<'_, DiscardCounts> {
        lock(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_accepted_report_is_not_sent_again() {
        let report = ClientReport::default();
        assert_eq!(report.attach(1.0), None);
        report.add(DropReason::SendError, 2);
        report.add(DropReason::BeforeSend, 1);
        let sent: serde_json::Value = serde_json::from_str(&report.attach(1.5).unwrap()).unwrap();
        let lost = |reason, quantity| json!({ "reason": reason, "category": "error", "quantity": quantity });
        let all = [lost("before_send", 1), lost("send_error", 2)];
        assert_eq!(sent, json!({ "timestamp": 1.5, "discarded_events": all }));
        report.add(DropReason::SendError, 1);
        report.accepted();
        let sent: serde_json::Value = serde_json::from_str(&report.attach(2.0).unwrap()).unwrap();
        assert_eq!(sent["discarded_events"], json!([lost("send_error", 1)]));
        report.accepted();
        assert_eq!(report.attach(3.0), None);
    }
}
