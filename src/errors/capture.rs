use std::cell::Cell;
use std::error::Error;
use std::hash::BuildHasher;
use std::panic::Location;
use std::sync::Arc;

use rustc_hash::FxBuildHasher;

use super::backtraces::BacktraceQueue;
use super::chain::{ChainSummary, put_chain, put_text};
use super::config::ErrorsConfig;
use super::details::CaptureDetails;
use super::durable::DurableWaiters;
use super::groups::{ErrorGroup, ErrorGroups};
use super::sentry::{self, Outbox, SentrySetup};
use crate::context::{self, Facts, NO_REQUEST, ReadDriverError, Requests, Slot};
use crate::model::codec::{Reader, put_str};
use crate::model::{EventId, Level, RecordKind, SpanId, TraceId, cut, is_suppressed, prefix};
use crate::record::{self, ErrorKind, ErrorRecord, Pairs, put_more};
use crate::trace::Traces;
use crate::worker::{Deadlines, RecordQueue, RemoteSetup, SpoolStatus, SpoolWriter};

/// Bytes of a path, a query, a user agent or an address.
const MAX_TEXT: usize = 2048;
/// Bytes of the request's user and attributes; more are left out.
const MAX_MORE: usize = 8 * 1024;
/// Bytes of a source file's name.
const MAX_FILE: usize = 512;

/// Where errors are captured; one a monitor. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct ErrorTracker {
    pub(super) shared: Arc<CaptureState>,
}

#[derive(Debug)]
pub(super) struct CaptureState {
    pub(super) record_queue: Arc<RecordQueue>,
    pub(super) requests: Arc<Requests>,
    pub(super) waiting: BacktraceQueue,
    pub(super) groups: ErrorGroups,
    pub(super) keeper: Option<SpoolWriter>,
    /// The number of the first record that this process stores.
    pub(super) first: u64,
    /// Where events wait for who sends them.
    pub(super) outbox: Option<Outbox>,
    pub(super) awaited: Arc<DurableWaiters>,
    /// Who knows of plain OpenTelemetry spans, where spans are made.
    traces: Option<Arc<Traces>>,
    /// Reads errors of database drivers.
    pub(super) read_driver: ReadDriverError,
}

/// What is captured.
pub(super) struct CaptureInput<'a> {
    pub(super) kind: ErrorKind,
    pub(super) level: Level,
    pub(super) event: EventId,
    pub(super) location: &'a Location<'a>,
    pub(super) details: Option<&'a CaptureDetails>,
}

thread_local! {
    /// Taken while a record is made: a `Display` that captures an error itself finds an empty one.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    /// Whether this thread is capturing: a panic meanwhile is part of it and no event of its own.
    static CAPTURING: Cell<bool> = const { Cell::new(false) };
}

/// Whether the calling thread is capturing an error this moment.
pub(super) fn is_capturing() -> bool {
    CAPTURING.try_with(Cell::get).unwrap_or(true)
}

impl ErrorTracker {
    /// `keeper` stores events, where there is a data directory; `traces` knows of plain OpenTelemetry spans;
    /// `read_driver` reads errors of database drivers.
    pub(crate) fn new(
        config: &ErrorsConfig,
        record_queue: &Arc<RecordQueue>,
        requests: &Arc<Requests>,
        keeper: Option<SpoolWriter>,
        traces: Option<Arc<Traces>>,
        read_driver: ReadDriverError,
    ) -> Self {
        let shared = CaptureState {
            record_queue: Arc::clone(record_queue),
            requests: Arc::clone(requests),
            waiting: BacktraceQueue::new(config.backtraces),
            groups: ErrorGroups::default(),
            first: keeper.as_ref().map_or(0, SpoolWriter::last) + 1,
            outbox: Outbox::new(config.dsn.is_some()),
            keeper,
            awaited: DurableWaiters::new(),
            traces,
            read_driver,
        };
        let shared = Arc::new(shared);
        super::global::register(requests.number(), &shared);
        Self { shared }
    }

    /// Who keeps the deadlines of captures that wait.
    pub(crate) fn keep_by(&self, deadlines: Deadlines) {
        self.shared.awaited.keep_by(deadlines);
    }

    /// Captures an error with its sources.
    #[track_caller]
    pub(crate) fn error<E: Error + ?Sized>(&self, error: &E) -> EventId {
        let captured = CaptureInput {
            kind: ErrorKind::Error,
            event: EventId::random(),
            level: Level::Error,
            location: Location::caller(),
            details: None,
        };
        let read = self.shared.read_driver;
        self.shared
            .capture(&captured, |out| put_chain(out, error, read))
    }

    /// Captures a text.
    #[track_caller]
    pub(crate) fn message(&self, level: Level, text: &str) -> EventId {
        let captured = CaptureInput {
            kind: ErrorKind::Message,
            event: EventId::random(),
            level,
            location: Location::caller(),
            details: None,
        };
        self.shared
            .capture(&captured, |out| put_text(out, "", text))
    }

    /// The sink that sends events to Sentry.
    pub(crate) fn remote(&self, setup: SentrySetup<'_>) -> Option<RemoteSetup> {
        sentry::remote(&self.shared, setup)
    }

    /// How the store does, where there is one and it can be read.
    pub(crate) fn store(&self) -> Option<SpoolStatus> {
        self.shared.keeper.as_ref().and_then(SpoolWriter::status)
    }

    #[cfg(test)]
    pub(crate) fn while_store_is_locked<R>(&self, run: impl FnOnce() -> R) -> R {
        match &self.shared.keeper {
            Some(keeper) => keeper.while_locked(run),
            None => run(),
        }
    }

    /// The errors told apart, the one seen last first.
    pub(crate) fn groups(&self) -> Vec<ErrorGroup> {
        self.shared.groups.snapshot()
    }
}

impl CaptureState {
    /// Queues the record of an event; its id. `chain` appends types and messages; it may run foreign code.
    pub(super) fn capture(
        &self,
        captured: &CaptureInput<'_>,
        chain: impl FnOnce(&mut Vec<u8>) -> ChainSummary,
    ) -> EventId {
        // What runs on our own threads must not feed itself.
        if is_suppressed() || CAPTURING.try_with(|it| it.replace(true)).unwrap_or(true) {
            super::global::count_unclaimed();
            return EventId::NIL;
        }
        let at = self.requests.clock().now();
        let event = captured.event;
        let mut scratch = SCRATCH.try_with(Cell::take).unwrap_or_default();
        scratch.clear();
        let chain = chain(&mut scratch);
        self.push(captured, (event, at), &mut scratch, &chain);
        // A thread that is ending drops it.
        let _ended = SCRATCH.try_with(|kept| kept.set(scratch));
        let _ended = CAPTURING.try_with(|it| it.set(false));
        event
    }

    /// Looks at the operation that the thread is at. `look` calls nothing foreign.
    pub(super) fn at<R>(&self, look: impl FnOnce(&Arc<Slot>, SpanId) -> R) -> Option<R> {
        // For plain spans OpenTelemetry is asked, and in a panic hook nothing foreign may run.
        match self.traces.as_deref().filter(|_| !std::thread::panicking()) {
            Some(traces) => traces.with_current(look),
            None => context::with_current(Some(self.requests.number()), look),
        }
    }

    /// Queues the record, whose chain stands in `scratch`.
    fn push(
        &self,
        captured: &CaptureInput<'_>,
        (event, at): (EventId, u64),
        scratch: &mut Vec<u8>,
        chain: &ChainSummary,
    ) {
        let chain_end = scratch.len();
        let mut query = None;
        let seen = self.at(|slot, span| {
            slot.touch_captured();
            // In a panic hook no lock is waited for.
            if captured.kind == ErrorKind::Error {
                query = slot.failed_query();
            }
            copy_request(slot, span, scratch)
        });
        let part = |from: usize, to: usize| scratch.get(from..to).unwrap_or_default();
        let seen = seen.unwrap_or(RequestParts {
            ids: context::Ids {
                trace: TraceId::NIL,
                span: SpanId::NIL,
                route: NO_REQUEST,
            },
            method: "",
            texts_end: chain_end,
            more_end: chain_end,
            whole: true,
        });
        let pairs = Pairs(part(0, chain_end));
        let kind = pairs.iter().next().map_or("", |(kind, _)| kind);
        let backtrace = captured.kind != ErrorKind::Message
            && self.waiting.take(event, kind, captured.location);
        // A thread whose locals are gone does not know its name either.
        let thread = SCRATCH.try_with(|_| std::thread::current()).ok();
        let thread = thread.as_ref().and_then(std::thread::Thread::name);
        let nothing = CaptureDetails::default();
        let details = captured.details.unwrap_or(&nothing);
        let query = query.filter(|query| query.is_of(chain.driver.as_ref(), kind));
        let told = details.told(chain.driver.as_ref(), query.as_deref());
        let record = ErrorRecord {
            event,
            trace: seen.ids.trace,
            span: seen.ids.span,
            route: seen.ids.route.0,
            kind: captured.kind,
            level: captured.level,
            backtrace,
            shortened: !(chain.whole && seen.whole) || told.shortened,
            file: prefix(captured.location.file(), MAX_FILE),
            line: captured.location.line(),
            column: captured.location.column(),
            thread: prefix(thread.unwrap_or_default(), 64),
            method: seen.method,
            chain: pairs,
            texts: part(chain_end, seen.texts_end),
            more: part(seen.texts_end, seen.more_end),
            user: &details.user,
            tags: Pairs(&told.tags),
            extra: &told.extra,
            fingerprint: &details.fingerprint,
            crumbs: part(seen.more_end, scratch.len()),
        };
        // Where it was captured: an event of a place that captures many leaves room for the others.
        let source = source_of(captured.location);
        self.record_queue
            .push_of(RecordKind::Error, source, at, |out| record.put(out));
    }
}

/// What is known of the current request; the bytes follow each other in the scratch.
struct RequestParts {
    ids: context::Ids,
    method: &'static str,
    texts_end: usize,
    more_end: usize,
    /// Whether nothing of it was cut or left out.
    whole: bool,
}

/// A number of a place in the code.
fn source_of(location: &Location<'_>) -> u32 {
    let place = (location.file(), location.line(), location.column());
    let hash = FxBuildHasher.hash_one(place);
    // The intake shifts it by what a signal takes.
    (hash >> 32 | 1) as u32
}

fn copy_request(slot: &Slot, span: SpanId, out: &mut Vec<u8>) -> RequestParts {
    let mut whole = true;
    let texts_end = slot.facts(|facts: &Facts| {
        let mut texts = Reader::new(&facts.texts);
        // Path, query, user agent and client address.
        for text in std::iter::from_fn(|| texts.str()).take(4) {
            put_str(out, &cut(text, MAX_TEXT));
            whole &= text.len() <= MAX_TEXT;
        }
        out.len()
    });
    let texts_end = texts_end.unwrap_or(out.len());
    let method = slot.method().map_or("", record::Method::as_str);
    slot.facts(|facts| {
        if facts.more.len() <= MAX_MORE {
            out.extend_from_slice(&facts.more);
        } else {
            put_more(out, &facts.more, MAX_MORE);
            whole = false;
        }
    });
    let more_end = out.len();
    slot.copy_crumbs(out);
    RequestParts {
        ids: context::Ids { span, ..slot.ids() },
        method,
        texts_end,
        more_end,
        whole,
    }
}
