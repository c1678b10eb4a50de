use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use super::answer::Answer;
use super::deadline::{Deadlines, Pending};
use super::outlet::Outlet;
use super::{Intake, Record};
use crate::clock::{Clock, Nanos};
use crate::model::{Books, Notices, Reason, ShutdownReport, Signal, lock};

/// What the worker's thread shares with those who ask something of it.
pub(super) struct Core {
    /// The host's clock, which a test may drive: it tells times.
    pub(super) clock: Clock,
    /// The machine's clock: waits and deadlines go by it.
    pub(super) pace: Clock,
    pub(super) intake: Arc<Intake>,
    pub(super) books: Arc<Books>,
    /// In a child made by `fork`, what was recorded there.
    child: Books,
    pub(super) notices: Arc<Notices>,
    pub(super) sinks: Vec<Outlet>,
    pub(super) deadlines: Deadlines,
    commands: Mutex<Vec<Command>>,
    /// Given when the worker has ended, or was given up at a deadline.
    pub(super) finished: Arc<Answer<ShutdownReport>>,
    finishing: AtomicBool,
    pub(super) beat: AtomicU64,
    pub(super) panics: AtomicU64,
    pub(super) has_thread: AtomicBool,
}

/// What is asked of the worker's thread.
pub(super) enum Command {
    Flush {
        until: Nanos,
        answer: Arc<Answer<bool>>,
    },
    Shutdown {
        until: Nanos,
    },
}

impl Core {
    pub(super) fn new(
        (clock, pace): (Clock, Clock),
        intake: Arc<Intake>,
        (books, notices): (Arc<Books>, Arc<Notices>),
        sinks: Vec<Outlet>,
    ) -> Self {
        Self {
            clock,
            deadlines: Deadlines::new(pace.clone()),
            pace,
            intake,
            books,
            child: Books::default(),
            notices,
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
            self.intake.ring();
        }
    }

    pub(super) fn take_commands(&self) -> Vec<Command> {
        std::mem::take(&mut *lock(&self.commands))
    }

    pub(super) fn is_finished(&self) -> bool {
        self.finished.value().is_some()
    }

    /// Ends everything now: closes the intake and the sinks, drops and counts what is left, and gives the
    /// report. From any thread, whatever the worker's thread is doing; the first call counts.
    pub(super) fn finish(&self) {
        if self.finishing.swap(true, Relaxed) {
            return;
        }
        self.intake.close();
        let mut buffers = Vec::new();
        self.intake.drain(&mut buffers);
        for record in buffers.iter().flat_map(|buffer| Record::all(buffer)) {
            let items = u64::from(record.items);
            self.books.dropped(record.signal, Reason::Shutdown, items);
        }
        // Every sink is closed, whatever the others had left.
        let left = self.sinks.iter().filter(|sink| !sink.close()).count();
        let settled = |signal| self.books.totals(signal).on_their_way() == 0;
        let complete =
            left == 0 && buffers.iter().all(Vec::is_empty) && Signal::ALL.into_iter().all(settled);
        self.finished.give(self.books.report(complete));
        self.answer_leftovers();
        self.deadlines.look();
        // For the worker's thread, should it only be asleep.
        self.intake.ring();
    }

    /// What a child made by `fork` has recorded so far: all of it is dropped, for there is no worker. The books have it
    /// too, behind what stood in them when the parent forked. What the parent recorded in the milliseconds before that
    /// cannot be told from it.
    pub(super) fn report_in_child(&self) -> ShutdownReport {
        self.intake.drop_in_child(&[&self.books, &self.child]);
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

impl Pending for Answer<bool> {
    fn is_settled(&self) -> bool {
        self.value().is_some()
    }

    fn expire(&self) {
        self.give(false);
    }
}

impl Pending for Core {
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
        let books = Arc::new(Books::default());
        let intake = Arc::new(Intake::new(0, Arc::clone(&books)));
        let clocks = (Clock::system(), Clock::system());
        let core = Core::new(
            clocks,
            Arc::clone(&intake),
            (Arc::clone(&books), Arc::default()),
            Vec::new(),
        );
        // What stood in the books when the parent forked is the parent's.
        books.emitted(Signal::Error, 40);
        books.delivered(Signal::Error, 40);
        let nothing = core.report_in_child();
        assert!(nothing.to_string().starts_with("nothing was emitted\n"));
        for _ in 0..300 {
            intake.push(Signal::Error, 0, |out| out.resize(out.len() + 2000, 0));
        }
        let report = core.report_in_child();
        let errors = report.totals(Signal::Error);
        let dropped = [Reason::QueueOverflow, Reason::Shutdown].map(|it| errors.dropped(it));
        assert_eq!((errors.emitted(), dropped.iter().sum()), (300, 300_u64));
        assert!(dropped[0] > 0 && dropped[1] > 0, "{report}");
        assert!(!report.is_complete());
        let text = report.to_string();
        assert!(
            text.contains("300 emitted, 0 delivered") && text.contains("`fork`"),
            "{text}"
        );
        assert_eq!(books.totals(Signal::Error).emitted(), 340);
        // A buffer that a thread of the parent was at stays locked in the child.
        intake.push(Signal::Error, 0, |_| {});
        let again = intake.while_locked(|| core.report_in_child());
        assert_eq!(again.totals(Signal::Error).emitted(), 300);
        let last = core.report_in_child();
        assert_eq!(last.totals(Signal::Error).emitted(), 301);
    }
}
