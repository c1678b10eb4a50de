use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use super::any_sink::AnySink;
use super::completion::Completion;
use super::deadline::{Deadlines, Pending};
use super::{Record, RecordQueue};
use crate::clock::{Clock, Nanos};
use crate::model::{Diagnostics, DropReason, RecordCounters, RecordKind, ShutdownReport, lock};

/// What the worker's thread shares with those who ask something of it.
pub(super) struct WorkerShared {
    /// The host's clock, which a test may drive: it tells times.
    pub(super) clock: Clock,
    /// The machine's clock: waits and deadlines go by it.
    pub(super) pace: Clock,
    pub(super) record_queue: Arc<RecordQueue>,
    pub(super) counters: Arc<RecordCounters>,
    /// In a child made by `fork`, what was recorded there.
    child: RecordCounters,
    pub(super) diagnostics: Arc<Diagnostics>,
    pub(super) sinks: Vec<AnySink>,
    pub(super) deadlines: Deadlines,
    commands: Mutex<Vec<Command>>,
    /// Given when the worker has ended, or was given up at a deadline.
    pub(super) finished: Arc<Completion<ShutdownReport>>,
    finishing: AtomicBool,
    pub(super) beat: AtomicU64,
    pub(super) panics: AtomicU64,
    pub(super) has_thread: AtomicBool,
}

/// What is asked of the worker's thread.
pub(super) enum Command {
    Flush {
        until: Nanos,
        answer: Arc<Completion<bool>>,
    },
    Shutdown {
        until: Nanos,
    },
}

impl WorkerShared {
    pub(super) fn new(
        (clock, pace): (Clock, Clock),
        record_queue: Arc<RecordQueue>,
        (counters, diagnostics): (Arc<RecordCounters>, Arc<Diagnostics>),
        sinks: Vec<AnySink>,
    ) -> Self {
        Self {
            clock,
            deadlines: Deadlines::new(pace.clone()),
            pace,
            record_queue,
            counters,
            child: RecordCounters::default(),
            diagnostics,
            sinks,
            commands: Mutex::default(),
            finished: Arc::default(),
            finishing: AtomicBool::new(false),
            beat: AtomicU64::new(0),
            panics: AtomicU64::new(0),
            has_thread: AtomicBool::new(true),
        }
    }

    /// Hands a command to the worker's thread. A flush that comes when there is no thread left is
    /// answered at once.
    pub(super) fn command(&self, command: Command) {
        {
            let mut commands = lock(&self.commands);
            // A stuck worker takes no commands: those that have run out need not wait for it.
            commands.retain(
                |command| !matches!(command, Command::Flush { answer, .. } if answer.is_settled()),
            );
            commands.push(command);
        }
        if self.is_finished() {
            self.answer_leftovers();
        } else {
            self.record_queue.ring();
        }
    }

    pub(super) fn take_commands(&self) -> Vec<Command> {
        std::mem::take(&mut *lock(&self.commands))
    }

    pub(super) fn is_finished(&self) -> bool {
        self.finished.value().is_some()
    }

    /// Ends everything now: closes the record queue and the sinks, drops and counts what is left, and gives the
    /// report. From any thread, whatever the worker's thread is doing; the first call counts.
    pub(super) fn finish(&self) {
        if self.finishing.swap(true, Relaxed) {
            return;
        }
        self.record_queue.close();
        let mut buffers = Vec::new();
        self.record_queue.drain(&mut buffers);
        for record in buffers.iter().flat_map(|buffer| Record::all(buffer)) {
            let items = u64::from(record.items);
            self.counters
                .dropped(record.signal, DropReason::Shutdown, items);
        }
        // Every sink is closed, whatever the others had left.
        let left = self.sinks.iter().filter(|sink| !sink.close()).count();
        let settled = |signal| self.counters.totals(signal).on_their_way() == 0;
        let complete = left == 0
            && buffers.iter().all(Vec::is_empty)
            && RecordKind::ALL.into_iter().all(settled);
        self.finished.give(self.counters.report(complete));
        self.answer_leftovers();
        self.deadlines.look();
        // For the worker's thread, should it only be asleep.
        self.record_queue.ring();
    }

    /// What a child made by `fork` has recorded so far: all of it is dropped, for there is no worker. The counters have it
    /// too, behind what stood in them when the parent forked. What the parent recorded in the milliseconds before that
    /// cannot be told from it.
    pub(super) fn report_in_child(&self) -> ShutdownReport {
        self.record_queue
            .drop_in_child(&[&self.counters, &self.child]);
        self.child.report(false).in_child()
    }

    /// Answers the flushes that no thread will take: everything is delivered or counted.
    fn answer_leftovers(&self) {
        for command in self.take_commands() {
            if let Command::Flush { answer, .. } = command {
                answer.give(true);
            }
        }
        self.deadlines.look();
    }
}

impl Pending for Completion<bool> {
    fn is_settled(&self) -> bool {
        self.value().is_some()
    }

    fn expire(&self) {
        self.give(false);
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
        let clocks = (Clock::system(), Clock::system());
        let core = WorkerShared::new(
            clocks,
            Arc::clone(&record_queue),
            (Arc::clone(&counters), Arc::default()),
            Vec::new(),
        );
        // What stood in the counters when the parent forked is the parent's.
        counters.emitted(RecordKind::Error, 40);
        counters.delivered(RecordKind::Error, 40);
        let nothing = core.report_in_child();
        assert!(nothing.to_string().starts_with("nothing was emitted\n"));
        for _ in 0..300 {
            record_queue.push(RecordKind::Error, 0, |out| out.resize(out.len() + 2000, 0));
        }
        let report = core.report_in_child();
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
        // A buffer that a thread of the parent was at stays locked in the child.
        record_queue.push(RecordKind::Error, 0, |_| {});
        let again = record_queue.while_locked(|| core.report_in_child());
        assert_eq!(again.totals(RecordKind::Error).emitted(), 300);
        let last = core.report_in_child();
        assert_eq!(last.totals(RecordKind::Error).emitted(), 301);
    }
}
