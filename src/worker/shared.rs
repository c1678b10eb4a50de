use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use super::any_sink::AnySink;
use super::completion::Completion;
use super::context::WorkerContext;
use super::deadline::{Deadlines, Pending};
use super::{Record, RecordQueue};
use crate::clock::{Clock, Nanos};
use crate::model::{Diagnostics, DropReason, RecordCounters, RecordKind, ShutdownReport, lock};

/// The state that the worker's thread shares with its handles.
pub(super) struct WorkerShared {
    /// The host's clock, which a test may drive: records and notices carry its times.
    pub(super) clock: Clock,
    /// The machine's monotonic clock: waits and deadlines use it.
    pub(super) monotonic: Clock,
    pub(super) record_queue: Arc<RecordQueue>,
    pub(super) counters: Arc<RecordCounters>,
    /// The counts of records in a child made by `fork`.
    child_counters: RecordCounters,
    pub(super) diagnostics: Arc<Diagnostics>,
    pub(super) sinks: Vec<AnySink>,
    pub(super) deadlines: Deadlines,
    commands: Mutex<Vec<Command>>,
    /// Completed when the worker has ended, or when a deadline of a shutdown has passed.
    pub(super) finished: Arc<Completion<ShutdownReport>>,
    finishing: AtomicBool,
    /// When the last round began.
    pub(super) last_round: AtomicU64,
    /// Panics that the worker's thread recovered from.
    pub(super) panics: AtomicU64,
    pub(super) has_thread: AtomicBool,
    /// What the tasks at the end of the worker have not stored yet.
    pub(super) unstored: Mutex<Vec<&'static str>>,
}

/// A request to the worker's thread.
pub(super) enum Command {
    Flush {
        until: Nanos,
        done: Arc<Completion<bool>>,
    },
    Shutdown {
        until: Nanos,
    },
}

impl WorkerShared {
    pub(super) fn new(
        context: WorkerContext,
        sinks: Vec<AnySink>,
        unstored: Vec<&'static str>,
    ) -> Self {
        let WorkerContext {
            clock,
            monotonic,
            record_queue,
            counters,
            diagnostics,
        } = context;
        Self {
            clock,
            deadlines: Deadlines::new(monotonic.clone()),
            monotonic,
            record_queue,
            counters,
            child_counters: RecordCounters::default(),
            diagnostics,
            sinks,
            commands: Mutex::default(),
            finished: Arc::default(),
            finishing: AtomicBool::new(false),
            last_round: AtomicU64::new(0),
            panics: AtomicU64::new(0),
            has_thread: AtomicBool::new(true),
            unstored: Mutex::new(unstored),
        }
    }

    /// Hands a command to the worker's thread. A flush after the end of the worker completes immediately.
    pub(super) fn command(&self, command: Command) {
        {
            let mut commands = lock(&self.commands);
            // A stuck worker takes no commands: flushes whose deadline has passed need not pile up.
            commands.retain(
                |command| !matches!(command, Command::Flush { done, .. } if done.is_settled()),
            );
            commands.push(command);
        }
        if self.is_finished() {
            self.complete_leftover_flushes();
        } else {
            self.record_queue.wake();
        }
    }

    pub(super) fn take_commands(&self) -> Vec<Command> {
        std::mem::take(&mut *lock(&self.commands))
    }

    pub(super) fn is_finished(&self) -> bool {
        self.finished.value().is_some()
    }

    /// Ends the worker now: closes the record queue and the sinks, counts what is left as dropped, and publishes the
    /// report.
    ///
    /// It may be called from any thread at any time. Only the first call has an effect.
    pub(super) fn finish(&self) {
        if self.finishing.swap(true, Relaxed) {
            return;
        }
        // Close the queue first, so that nothing new arrives. Then count what it holds, which no sink will get.
        self.record_queue.close();
        let mut buffers = Vec::new();
        self.record_queue.drain(&mut buffers);
        for record in buffers.iter().flat_map(|buffer| Record::all(buffer)) {
            let items = u64::from(record.items);
            self.counters
                .dropped(record.kind, DropReason::Shutdown, items);
        }
        // Close every sink, even if an earlier one had something left: no short-circuit here.
        let left = self.sinks.iter().filter(|sink| !sink.close()).count();
        let settled = |kind| self.counters.totals(kind).in_flight() == 0;
        let complete = left == 0
            && buffers.iter().all(Vec::is_empty)
            && RecordKind::ALL.into_iter().all(settled);
        let unstored = lock(&self.unstored).clone();
        let report = self.counters.report(complete).unstored_of(unstored);
        self.finished.complete(report);
        self.complete_leftover_flushes();
        self.deadlines.recheck();
        // The worker's thread may be asleep and must notice the end.
        self.record_queue.wake();
    }

    /// The report of a child made by `fork`: everything that it has recorded is dropped, because it has no worker.
    ///
    /// The shared counters get it too, on top of the parent's values at the fork. Records that the parent queued in the
    /// milliseconds before the fork count as the child's.
    pub(super) fn report_in_child(&self) -> ShutdownReport {
        self.record_queue
            .drop_in_child(&[&self.counters, &self.child_counters]);
        self.child_counters.report(false).in_child()
    }

    /// Completes the flushes that no thread will take: everything is delivered or counted by now.
    fn complete_leftover_flushes(&self) {
        for command in self.take_commands() {
            if let Command::Flush { done, .. } = command {
                done.complete(true);
            }
        }
        self.deadlines.recheck();
    }
}

impl Pending for Completion<bool> {
    fn is_settled(&self) -> bool {
        self.value().is_some()
    }

    fn expire(&self) {
        self.complete(false);
    }
}

impl Pending for WorkerShared {
    fn is_settled(&self) -> bool {
        self.is_finished()
    }

    fn expire(&self) {
        self.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_reports_what_it_recorded_and_delivers_nothing() {
        let counters = Arc::new(RecordCounters::default());
        let record_queue = Arc::new(RecordQueue::new(0, Arc::clone(&counters)));
        let context = WorkerContext {
            clock: Clock::system(),
            monotonic: Clock::system(),
            record_queue: Arc::clone(&record_queue),
            counters: Arc::clone(&counters),
            diagnostics: Arc::default(),
        };
        let shared = WorkerShared::new(context, Vec::new(), Vec::new());
        // Counted before the fork, so by the parent.
        counters.emitted(RecordKind::Error, 40);
        counters.delivered(RecordKind::Error, 40);
        let nothing = shared.report_in_child();
        assert!(nothing.to_string().starts_with("nothing was emitted\n"));
        for _ in 0..300 {
            record_queue.push(RecordKind::Error, 0, |out| out.resize(out.len() + 2000, 0));
        }
        let report = shared.report_in_child();
        let errors = report.totals(RecordKind::Error);
        let dropped =
            [DropReason::QueueOverflow, DropReason::Shutdown].map(|it| errors.dropped(it));
        assert_eq!((errors.emitted(), dropped.iter().sum()), (300, 300_u64));
        assert!(dropped[0] > 0 && dropped[1] > 0, "{report}");
        assert!(!report.is_complete());
        let text = report.to_string();
        assert!(
            text.contains("300 emitted, 0 delivered") && text.contains("`fork`"),
            "{text}"
        );
        assert_eq!(counters.totals(RecordKind::Error).emitted(), 340);
        // A buffer that a thread of the parent had locked stays locked in the child.
        record_queue.push(RecordKind::Error, 0, |_| {});
        let again = record_queue.while_locked(|| shared.report_in_child());
        assert_eq!(again.totals(RecordKind::Error).emitted(), 300);
        let last = shared.report_in_child();
        assert_eq!(last.totals(RecordKind::Error).emitted(), 301);
    }
}
