//! The loop that delivers lines. It runs on the worker's blocking pool: it reads files and compresses.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use super::answer::{BulkItem, ItemVerdict};
use super::batch::{BatchLimit, LogDocument, bulk_body};
use super::books::{ShipBooks, ShipFigures};
use super::cursor::ShipCursor;
use super::dead_letters::DeadLetters;
use super::server::{Answer, SearchServer};
use super::source::LineSource;
use super::target::IndexNames;
use crate::clock::{Nanos, nanos};
use crate::model::Diagnostics;
use crate::worker::back_off;

/// The most created indices that are remembered.
const MAX_CREATED: usize = 16;
/// The maximum number of notices about documents that are refused.
const MAX_NOTICES: u32 = 16;

/// What delivers the lines: at most one request at a time.
pub(super) struct LogShipper {
    pub(super) source: LineSource,
    pub(super) names: IndexNames,
    pub(super) server: SearchServer,
    pub(super) limit: BatchLimit,
    /// The stored position, and the file of refused documents, with log files.
    pub(super) files: Option<(ShipCursor, DeadLetters)>,
    pub(super) books: Arc<ShipBooks>,
    pub(super) diagnostics: Arc<Diagnostics>,
    /// Whether the index template is to be stored.
    pub(super) wants_template: bool,
    /// Documents that are not settled, in the order of their lines.
    pub(super) batch: Vec<LogDocument>,
    pub(super) state: ShipState,
}

/// What a shipper remembers from one attempt to the next.
#[derive(Debug, Default)]
pub(super) struct ShipState {
    /// The indices that this process has created, or may not create.
    created: Vec<CreatedIndex>,
    /// Attempts since the last delivery after which documents were left to be sent again.
    failures: u32,
    not_before: Nanos,
    notices: u32,
    /// Whether the current failure was reported.
    is_reported: bool,
    line: Vec<u8>,
    /// The number of lines that were read.
    lines_read: u64,
}

/// An index whose creation the server has answered for good.
#[derive(Debug)]
struct CreatedIndex {
    name: String,
    /// Why the server refuses to create it.
    refusal: Option<String>,
}

/// What became of the creation of an index.
enum IndexCreation {
    /// The server has answered for good.
    Settled,
    /// To be tried again later; why.
    Failed(String),
    /// All nodes wait, or the process ends.
    Waits,
}

/// What follows from an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ShipStep {
    /// There may be more to do at once.
    Goes,
    /// Nothing is left to do.
    Idle,
    /// What is left has to wait.
    Waits,
}

impl ShipState {
    fn created(&self, index: &str) -> Option<&CreatedIndex> {
        self.created.iter().find(|it| it.name == index)
    }
}

impl LogShipper {
    /// Reads and sends until nothing is left, or has to wait.
    pub(super) fn run(&mut self, runtime: &Handle, goes_on: impl Fn() -> bool) -> ShipStep {
        loop {
            let step = self.step(runtime);
            if step != ShipStep::Goes || !goes_on() {
                return step;
            }
        }
    }

    /// Ends all waits, for the last attempts. They are over at `ends_at`, if there is such a time.
    pub(super) fn end(&mut self, ends_at: Option<Nanos>) {
        self.server.end(ends_at);
        self.state.not_before = 0;
    }

    /// The number of lines that were read so far.
    pub(super) fn lines_read(&self) -> u64 {
        self.state.lines_read
    }

    fn step(&mut self, runtime: &Handle) -> ShipStep {
        let before = self.state.lines_read;
        let failure = self.fill().err();
        let is_readable = failure.is_none();
        self.note_disk(
            failure.map(|it| format!("the log files cannot be read ({it})")),
            |books| &mut books.read_problem,
        );
        self.book(|_, _| {});
        if self.batch.is_empty() {
            // Lines may have been skipped.
            self.store_position();
            return if !is_readable {
                ShipStep::Waits
            } else if self.state.lines_read > before {
                ShipStep::Goes
            } else {
                ShipStep::Idle
            };
        }
        if self.server.now() < self.state.not_before {
            return ShipStep::Waits;
        }
        if self.wants_template {
            match self.store_template(runtime) {
                ShipStep::Goes => {}
                other => return other,
            }
        }
        self.send(runtime)
    }

    /// Reads lines until the batch is full, or there are no more.
    fn fill(&mut self) -> std::io::Result<()> {
        let mut bytes: usize = self.batch.iter().map(LogDocument::size).sum();
        let mut foreign = Vec::new();
        let mut read = Ok(());
        while self.limit.has_room(self.batch.len() + foreign.len(), bytes) {
            let line = match self.source.next(&self.names, &mut self.state.line) {
                Ok(Some(line)) => line,
                Ok(None) => break,
                Err(error) => {
                    read = Err(error);
                    break;
                }
            };
            self.state.lines_read += 1;
            bytes += line.document.size();
            if line.is_valid {
                self.batch.push(line.document);
            } else {
                let item = BulkItem {
                    kind: "not_a_log_line".to_owned(),
                    ..BulkItem::default()
                };
                foreign.push((line.document, item));
            }
        }
        if !foreign.is_empty() {
            // All at once: each time, the file is synced.
            self.bury(&foreign);
            self.book(|books, _| books.rejected += foreign.len() as u64);
        }
        read
    }

    /// Sends the first documents of the batch.
    fn send(&mut self, runtime: &Handle) -> ShipStep {
        let count = self.limit.prefix(&self.batch);
        let documents = self.batch.get(..count).unwrap_or_default();
        let body = || bulk_body(documents);
        match self.server.bulk(runtime, count, body) {
            Answer::Done(items) => self.settle(runtime, items),
            Answer::TooLarge | Answer::Bad(_) if count > 1 => {
                self.limit.lower(count);
                self.book(|books, _| books.failed_requests += 1);
                ShipStep::Goes
            }
            Answer::TooLarge => self.give_up_first(413, "too_large".to_owned()),
            Answer::Bad(kind) => self.give_up_first(400, kind),
            Answer::Broken(why) => {
                // A server that refuses the size may close the connection before the answer is read.
                self.limit.halve(count);
                self.fail(&why)
            }
            Answer::Failed(why) => self.fail(&why),
            Answer::Waits => ShipStep::Waits,
        }
    }

    /// Gives up a document that the server refuses alone, with the whole request.
    fn give_up_first(&mut self, status: u16, kind: String) -> ShipStep {
        let item = BulkItem {
            status,
            kind,
            ..BulkItem::default()
        };
        let document = self.batch.remove(0);
        self.bury(&[(document, item)]);
        self.book(|books, _| {
            books.failed_requests += 1;
            books.is_rejecting = true;
            if status == 413 {
                books.too_large += 1;
            } else {
                books.rejected += 1;
            }
        });
        self.store_position();
        ShipStep::Goes
    }

    /// Settles the documents that were sent, by the result of each.
    fn settle(&mut self, runtime: &Handle, items: Vec<BulkItem>) -> ShipStep {
        let count = items.len().min(self.batch.len());
        let rest = self.batch.split_off(count);
        let sent = std::mem::take(&mut self.batch);
        let (mut delivered, mut repeated) = (0, 0);
        let (mut dead, mut too_large, mut retried) = (Vec::new(), Vec::new(), Vec::new());
        let (mut missing, mut why) = (Vec::<String>::new(), None);
        for (document, mut item) in sent.into_iter().zip(items) {
            match item.verdict() {
                ItemVerdict::Delivered => delivered += 1,
                ItemVerdict::Repeated => repeated += 1,
                ItemVerdict::Retry => {
                    why.get_or_insert_with(|| {
                        let BulkItem { status, kind, .. } = &item;
                        format!("it cannot take some documents now (status {status} {kind})")
                    });
                    retried.push(document);
                }
                ItemVerdict::NoIndex => {
                    if let Some(created) = self.state.created(&document.index) {
                        if let Some(refusal) = &created.refusal {
                            item.reason = format!("the index cannot be created: {refusal}");
                        }
                        dead.push((document, item));
                        continue;
                    }
                    if !missing.contains(&document.index) {
                        missing.push(document.index.clone());
                    }
                    retried.push(document);
                }
                ItemVerdict::TooLarge => too_large.push((document, item)),
                ItemVerdict::Rejected => dead.push((document, item)),
            }
        }
        self.batch = retried;
        self.batch.extend(rest);
        self.bury(&dead);
        self.bury(&too_large);
        self.book(|books, now| {
            books.delivered += delivered + repeated;
            books.repeated += repeated;
            books.rejected += dead.len() as u64;
            books.too_large += too_large.len() as u64;
            if delivered + repeated > 0 {
                books.last_delivery = Some(now);
                books.waiting_since = None;
            }
            books.is_rejecting = !dead.is_empty() || !too_large.is_empty();
        });
        self.limit.grow();
        self.store_position();
        for index in missing {
            match self.create(runtime, index) {
                IndexCreation::Settled => {}
                IndexCreation::Failed(failure) => {
                    why = Some(failure);
                    break;
                }
                IndexCreation::Waits => return ShipStep::Waits,
            }
        }
        let Some(why) = why else {
            self.recover();
            return ShipStep::Goes;
        };
        if delivered + repeated > 0 {
            // The server works: a document that it refuses for long does not slow down the others.
            self.state.failures = 0;
        }
        self.state.failures = self.state.failures.saturating_add(1);
        let wait = back_off(self.state.failures);
        self.state.not_before = self.server.now().saturating_add(nanos(wait));
        self.fail(&why)
    }

    /// Creates an index, once.
    fn create(&mut self, runtime: &Handle, index: String) -> IndexCreation {
        let path = self.names.creation_path(&index);
        let refusal = match self.server.put(runtime, &path, String::new()) {
            // Another process was faster.
            Answer::Done(Some(why)) if why.ends_with("resource_already_exists_exception") => None,
            Answer::Done(refusal) => refusal,
            Answer::Bad(kind) => Some(kind),
            Answer::TooLarge => Some("too_large".to_owned()),
            Answer::Broken(why) | Answer::Failed(why) => {
                return IndexCreation::Failed(format!(
                    "the index `{index}` cannot be created now ({why})"
                ));
            }
            Answer::Waits => return IndexCreation::Waits,
        };
        if let Some(why) = &refusal {
            // Its documents are refused again, and then they are dead letters with this reason.
            self.notice(format!(
                "the index `{index}` is missing, and Elasticsearch refuses to create it ({why}): grant the privilege `auto_configure` or `create_index`, or create it yourself"
            ));
        }
        if self.state.created.len() >= MAX_CREATED {
            self.state.created.remove(0);
        }
        self.state.created.push(CreatedIndex {
            name: index,
            refusal,
        });
        IndexCreation::Settled
    }

    fn store_template(&mut self, runtime: &Handle) -> ShipStep {
        let (path, body) = self.names.template();
        match self.server.put(runtime, &path, body) {
            Answer::Done(refused) => {
                if let Some(why) = refused {
                    self.diagnostics.report(format!(
                        "the index template for log records cannot be stored ({why}): the server chooses the types of fields; grant the privilege `manage_index_templates`, or set `elasticsearch.template = false` and store it yourself"
                    ));
                }
                self.wants_template = false;
                ShipStep::Goes
            }
            Answer::TooLarge | Answer::Bad(_) => {
                self.wants_template = false;
                ShipStep::Goes
            }
            Answer::Broken(why) | Answer::Failed(why) => self.fail(&why),
            Answer::Waits => ShipStep::Waits,
        }
    }

    /// Keeps documents that are given up in a file, with the reason.
    fn bury(&mut self, dead: &[(LogDocument, BulkItem)]) {
        let Some((_, first)) = dead.first() else {
            return;
        };
        let kept = match &self.files {
            Some((_, letters)) => match letters.add(dead) {
                Ok(()) => format!(
                    "they are kept in `{}` with the reason",
                    letters.path().display()
                ),
                Err(error) => {
                    format!("they are lost, for they cannot be written to a file ({error})")
                }
            },
            None => "they are lost, for there are no log files".to_owned(),
        };
        self.notice(format!(
            "{} log records are not in Elasticsearch, which refused them (status {} {}): {kept}",
            dead.len(),
            first.status,
            first.kind
        ));
    }

    /// Reports what the server refuses. The number of such notices is bounded: each may be another one.
    fn notice(&mut self, notice: String) {
        if self.state.notices < MAX_NOTICES {
            self.state.notices += 1;
            self.diagnostics.report(notice);
        }
    }

    /// Notes that nothing can be delivered now. The files keep what waits.
    fn fail(&mut self, why: &str) -> ShipStep {
        self.books.update(|books, _| {
            books.failed_requests += 1;
            books.problem = Some(why.to_owned());
        });
        if !std::mem::replace(&mut self.state.is_reported, true) {
            self.notice(format!(
                "log records cannot be sent to Elasticsearch now: {why}"
            ));
        }
        ShipStep::Goes
    }

    fn recover(&mut self) {
        self.state.failures = 0;
        self.state.is_reported = false;
        self.books.update(|books, _| books.problem = None);
    }

    /// Stores the position before the first document that is not settled.
    fn store_position(&mut self) {
        let first = self.batch.first().and_then(|it| it.at);
        let place = self.source.place();
        let Some(position) = first.or(place.map(|it| it.at)) else {
            return;
        };
        let stored = match &mut self.files {
            Some((cursor, _)) => cursor.store(position),
            None => Ok(()),
        };
        let failure = stored.err();
        self.note_disk(
            failure.map(|it| format!("the position in them cannot be stored ({it})")),
            |books| &mut books.store_problem,
        );
    }

    /// Changes the books. What was read, and what of it is not settled, changes with the rest: the books are exact at any time.
    fn book(&self, change: impl FnOnce(&mut ShipFigures, Nanos)) {
        let place = self.source.place();
        let in_batch = self.batch.len() as u64;
        self.books.update(|books, now| {
            change(books, now);
            books.in_batch = in_batch;
            if let Some(place) = place {
                books.lines = Some((place.first, place.at.line()));
                books.truncated = place.missed;
            }
            if in_batch > 0 {
                books.waiting_since.get_or_insert(now);
            } else {
                books.waiting_since = None;
            }
        });
    }

    /// Notes a problem with the disk, or that there is none any more. One is reported when it begins.
    fn note_disk(
        &self,
        problem: Option<String>,
        place: impl FnOnce(&mut ShipFigures) -> &mut Option<String>,
    ) {
        let mut begun = None;
        self.books.update(|books, _| {
            let known = place(books);
            begun = problem.clone().filter(|_| known.is_none());
            *known = problem;
        });
        if let Some(problem) = begun {
            self.diagnostics.report(format!(
                "log records are sent to Elasticsearch from the log files, and {problem}: free or repair the disk"
            ));
        }
    }
}

/// The time between two runs.
pub(super) const PERIOD: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests;
