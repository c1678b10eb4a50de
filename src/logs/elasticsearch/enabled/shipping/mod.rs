use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::Duration;

use tokio::runtime::Handle;

use super::batch::BatchLimit;
use super::books::ShipBooks;
use super::cursor::ShipCursor;
use super::dead_letters::DeadLetters;
use super::line_queue::{LineQueue, QueueWriter};
use super::server::SearchServer;
use super::shipper::{LogShipper, PERIOD, ShipState, ShipStep};
use super::source::LineSource;
use super::target::IndexNames;
use crate::clock::nanos;
use crate::logs::elasticsearch::{ShippingSetup, ShippingStatus};
use crate::logs::files::LogFiles;
use crate::model::{lock, try_lock};
use crate::worker::{HttpClient, PeriodicTask, TlsRoots};

/// At the end of the process: the pause in which lines may still come, the number of rounds in a row without any after which
/// there are none, and how long a request in flight is waited for.
const LAST_PAUSE: Duration = Duration::from_millis(50);
const LAST_ROUNDS: u32 = 3;
const LAST_WAIT: Duration = Duration::from_secs(1);
/// How long the end of the process sends what is in the files. The next process sends the rest.
const LAST_SENDING: Duration = Duration::from_secs(2);

/// The shipping of log records, with the feature `elasticsearch`.
#[derive(Clone)]
pub(crate) struct Shipping(Arc<ShippingState>);

struct ShippingState {
    shipper: Mutex<LogShipper>,
    books: Arc<ShipBooks>,
    lines: WaitingLines,
    is_ending: Arc<AtomicBool>,
}

/// Where lines wait.
enum WaitingLines {
    Files(Arc<LogFiles>),
    Queue(Arc<LineQueue>),
}

impl Shipping {
    /// `None` if no URL is set, or if the settings cannot be used, which is reported.
    pub(crate) fn new(setup: &ShippingSetup<'_>) -> Option<Self> {
        let config = setup.config;
        if config.urls.is_empty() {
            return None;
        }
        let is_ending = Arc::new(AtomicBool::new(false));
        let roots = TlsRoots {
            authorities: config.certificate.clone(),
        };
        let server = HttpClient::new(&roots)
            .map_err(|problem| {
                format!("{problem}; correct the setting `elasticsearch.certificate`")
            })
            .and_then(|client| SearchServer::new(config, client, Arc::clone(&is_ending)));
        let server = server
            .inspect_err(|problem| {
                let notice = format!("log records are not sent to Elasticsearch: {problem}");
                setup.diagnostics.report(notice);
            })
            .ok()?;
        let books = Arc::new(ShipBooks::new());
        let (lines, source, files) = if let Some(files) = setup.files {
            let cursor = ShipCursor::open(files.directory());
            let source = LineSource::files(files, cursor.position());
            let letters = DeadLetters::new(files.directory());
            let lines = WaitingLines::Files(Arc::clone(files));
            (lines, source, Some((cursor, letters)))
        } else {
            let queue = Arc::new(LineQueue::default());
            let source = LineSource::queue(&queue, RandomState::new().hash_one(0_u8));
            (WaitingLines::Queue(queue), source, None)
        };
        let shipper = LogShipper {
            source,
            names: IndexNames::new(&config.index, config.data_stream),
            server,
            limit: BatchLimit::new(config.max_batch_documents as usize, config.max_batch_bytes),
            files,
            books: Arc::clone(&books),
            diagnostics: Arc::clone(setup.diagnostics),
            wants_template: config.template,
            batch: Vec::new(),
            state: ShipState::default(),
        };
        Some(Self(Arc::new(ShippingState {
            shipper: Mutex::new(shipper),
            books,
            lines,
            is_ending,
        })))
    }

    pub(crate) fn tasks(&self) -> [PeriodicTask; 2] {
        let (shipping, last) = (Arc::clone(&self.0), Arc::clone(&self.0));
        [
            PeriodicTask::on_pool(PERIOD, move || shipping.run()),
            PeriodicTask::at_end("log records for Elasticsearch", move || last.finish()),
        ]
    }

    /// What takes the lines, in JSON, if there are no files.
    pub(crate) fn writer(&self) -> Option<Box<dyn io::Write + Send>> {
        match &self.0.lines {
            WaitingLines::Files(_) => None,
            WaitingLines::Queue(queue) => Some(Box::new(QueueWriter(Arc::clone(queue)))),
        }
    }

    /// `None` in a child made by `fork` if a thread of the parent held a lock.
    pub(crate) fn status(&self) -> Option<ShippingStatus> {
        let books = self.0.books.figures()?;
        // The figures of the books are read first: what is settled is never more than what was emitted.
        let (emitted, spooled, overflowed, at_shutdown) = match &self.0.lines {
            WaitingLines::Files(files) => {
                // Before the files are open, nothing is known of them.
                let (first, next) = books.lines.unwrap_or_default();
                let end = books.lines.and(files.end_line()).unwrap_or(next).max(next);
                let waiting = end.saturating_sub(next) + books.in_batch;
                (end.saturating_sub(first), waiting, 0, 0)
            }
            WaitingLines::Queue(queue) => {
                let queue = queue.figures()?;
                let at_shutdown = queue.at_shutdown + books.at_shutdown;
                let spooled = queue.kept().saturating_sub(books.settled());
                (queue.emitted, spooled, queue.overflowed, at_shutdown)
            }
        };
        let is_refused = books.is_rejecting.then_some(
            "it refuses log records, which are counted as dropped: the file `elasticsearch.dead.log` has them and the reasons",
        );
        Some(ShippingStatus {
            emitted,
            delivered: books.delivered,
            repeated: books.repeated,
            spooled,
            dropped: [
                ("send_error", books.rejected),
                ("too_large", books.too_large),
                ("truncated", books.truncated),
                ("queue_overflow", overflowed),
                ("shutdown", at_shutdown),
            ],
            failed_requests: books.failed_requests,
            waiting: self.0.books.age(books.waiting_since),
            last_delivery_age: self.0.books.age(books.last_delivery),
            problem: books
                .problem
                .or(books.read_problem)
                .or(books.store_problem)
                .or(is_refused.map(str::to_owned)),
            is_best_effort: matches!(self.0.lines, WaitingLines::Queue(_)),
        })
    }
}

impl ShippingState {
    fn run(&self) {
        if !self.is_ending.load(Relaxed) {
            let goes_on = || !self.is_ending.load(Relaxed);
            lock(&self.shipper).run(&Handle::current(), goes_on);
        }
    }

    /// Sends what is left. What cannot be sent soon stays in the files, from which the next process goes on: it is stored. In
    /// memory it is lost, and counted. Returns whether nothing is lost.
    fn finish(&self) -> bool {
        self.is_ending.store(true, Relaxed);
        let mut waited = Duration::ZERO;
        let mut shipper = loop {
            match try_lock(&self.shipper) {
                Some(shipper) => break shipper,
                None if waited >= LAST_WAIT => return self.close(),
                None => sleep(LAST_PAUSE),
            }
            waited += LAST_PAUSE;
        };
        let clock = shipper.server.clock().clone();
        // In memory, the deadline of the shutdown is the only one.
        let ends_at = match self.lines {
            WaitingLines::Files(_) => Some(clock.now().saturating_add(nanos(LAST_SENDING))),
            WaitingLines::Queue(_) => None,
        };
        let is_in_time = || ends_at.is_none_or(|ends_at| clock.now() < ends_at);
        shipper.end(ends_at);
        let runtime = Handle::current();
        let round = || {
            let before = shipper.lines_read();
            match shipper.run(&runtime, is_in_time) {
                ShipStep::Idle if !is_in_time() => LastRound::Ended,
                ShipStep::Idle if shipper.lines_read() == before => LastRound::Empty,
                ShipStep::Idle => LastRound::Lines,
                ShipStep::Goes | ShipStep::Waits => LastRound::Ended,
            }
        };
        // The last lines may still be on their way into the files.
        until_quiet(round, || sleep(LAST_PAUSE));
        let is_stored = self.close();
        // Nothing is sent any more, and the monitor may live on.
        shipper.batch = Vec::new();
        is_stored
    }

    /// Drops and counts what waits in memory. Returns whether there was nothing.
    fn close(&self) -> bool {
        let WaitingLines::Queue(queue) = &self.lines else {
            return true;
        };
        let waited = queue.close();
        let taken = queue.figures().unwrap_or_default().kept();
        waited + self.books.close(taken) == 0
    }
}

/// What a round at the end of the process has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LastRound {
    Lines,
    Empty,
    /// There is to be no other round.
    Ended,
}

/// Repeats a round, with a pause after each, until several in a row have found nothing.
fn until_quiet(mut round: impl FnMut() -> LastRound, mut pause: impl FnMut()) {
    let mut empty = 0;
    while empty < LAST_ROUNDS {
        match round() {
            LastRound::Lines => empty = 0,
            LastRound::Empty => empty += 1,
            LastRound::Ended => return,
        }
        pause();
    }
}

#[cfg(test)]
mod tests;
