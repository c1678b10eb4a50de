//! Encodes an error as a record in the queue, on the caller's thread.

use std::cell::Cell;
use std::hash::BuildHasher;
use std::panic::Location;

use rustc_hash::FxBuildHasher;

use super::chain::ChainSummary;
use super::details::CaptureDetails;
use super::registry::count_unrouted;
use super::shared::CaptureState;
use crate::clock::Nanos;
use crate::context::{self, NO_REQUEST, RequestHead, Slot};
use crate::model::codec::{Reader, put_str};
use crate::model::{EventId, Level, RecordKind, SpanId, TraceId, cut, is_suppressed, prefix};
use crate::record::{ErrorKind, ErrorRecord, Method, TextPairs, put_user_and_attributes};

/// The maximum number of bytes of a path, a query, a user agent or an address.
const MAX_TEXT: usize = 2048;
/// The maximum number of bytes of the request's user and attributes; further attributes are left out.
const MAX_MORE: usize = 8 * 1024;
/// The maximum number of bytes of a source file's name.
const MAX_FILE: usize = 512;
/// The maximum number of bytes of a thread's name.
const MAX_THREAD: usize = 64;

/// One capture, without the error itself.
pub(super) struct CaptureInput<'a> {
    pub(super) kind: ErrorKind,
    pub(super) level: Level,
    pub(super) event: EventId,
    pub(super) location: &'a Location<'a>,
    pub(super) details: Option<&'a CaptureDetails>,
}

impl<'a> CaptureInput<'a> {
    /// A new event without details.
    pub(super) fn new(kind: ErrorKind, level: Level, location: &'a Location<'a>) -> Self {
        Self {
            kind,
            level,
            event: EventId::random(),
            location,
            details: None,
        }
    }
}

thread_local! {
    /// The buffer in which records are made. It is taken out during use, so that a `Display` that captures an error
    /// itself finds an empty one.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    /// Whether this thread is capturing. A panic during a capture belongs to it and is not a separate event.
    static CAPTURING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is capturing an error.
pub(super) fn is_capturing() -> bool {
    CAPTURING.try_with(Cell::get).unwrap_or(true)
}

impl CaptureState {
    /// Queues the record of an event and returns the event's ID. `put_chain` appends types and messages; it may run
    /// code of the host.
    pub(super) fn capture(
        &self,
        input: &CaptureInput<'_>,
        put_chain: impl FnOnce(&mut Vec<u8>) -> ChainSummary,
    ) -> EventId {
        // 1. A capture on a thread of this crate, or inside another capture, would feed itself.
        if is_suppressed() || CAPTURING.try_with(|it| it.replace(true)).unwrap_or(true) {
            count_unrouted();
            return EventId::NIL;
        }
        // 2. The host's code runs first, while no lock is held: its result is in the buffer before the request is
        // looked at.
        let at = self.requests.clock().now();
        let mut scratch = SCRATCH.try_with(Cell::take).unwrap_or_default();
        scratch.clear();
        let chain = put_chain(&mut scratch);
        // 3. The rest runs only code of this crate.
        self.push(input, at, &mut scratch, &chain);
        // 4. The buffer is kept for the next capture. On a thread that is ending, both calls fail and drop it.
        let _ended = SCRATCH.try_with(|kept| kept.set(scratch));
        let _ended = CAPTURING.try_with(|it| it.set(false));
        input.event
    }

    /// Queues the record of an event whose chain is in `scratch`.
    fn push(
        &self,
        input: &CaptureInput<'_>,
        at: Nanos,
        scratch: &mut Vec<u8>,
        chain: &ChainSummary,
    ) {
        // 1. Copy the known data of the request, after the chain.
        let chain_end = scratch.len();
        let mut query = None;
        let request = self.with_current(|slot, span| {
            slot.mark_captured();
            // A panic hook must not wait for a lock, which this thread may hold.
            if input.kind == ErrorKind::Error {
                query = slot.failed_query();
            }
            copy_request(slot, span, scratch)
        });
        let request = request.unwrap_or(RequestParts::none(chain_end));
        let part = |from: usize, to: usize| scratch.get(from..to).unwrap_or_default();

        // 2. Take a backtrace if this location gets one. It stays in memory until the worker resolves it.
        let pairs = TextPairs(part(0, chain_end));
        let error_type = pairs.iter().next().map_or("", |(error_type, _)| error_type);
        let has_backtrace = input.kind != ErrorKind::Message
            && self
                .backtraces
                .capture(input.event, error_type, input.location);

        // 3. Encode the details. A query belongs to this error only if it failed with it.
        let no_details = CaptureDetails::default();
        let details = input.details.unwrap_or(&no_details);
        let query = query.filter(|query| query.is_of(chain.driver.as_ref(), error_type));
        let encoded = details.encode(chain.driver.as_ref(), query.as_deref());

        // On a thread whose locals are destroyed, `thread::current` would panic.
        let thread = SCRATCH.try_with(|_| std::thread::current()).ok();
        let thread = thread.as_ref().and_then(std::thread::Thread::name);
        let record = ErrorRecord {
            event: input.event,
            trace: request.ids.trace,
            span: request.ids.span,
            route: request.ids.route.0,
            kind: input.kind,
            level: input.level,
            backtrace: has_backtrace,
            shortened: !(chain.complete && request.complete) || encoded.shortened,
            file: prefix(input.location.file(), MAX_FILE),
            line: input.location.line(),
            column: input.location.column(),
            thread: prefix(thread.unwrap_or_default(), MAX_THREAD),
            method: request.method,
            chain: pairs,
            texts: part(chain_end, request.texts_end),
            more: part(request.texts_end, request.more_end),
            user: &details.user,
            tags: TextPairs(&encoded.tags),
            extra: &encoded.extra,
            fingerprint: &details.fingerprint,
            breadcrumbs: part(request.more_end, scratch.len()),
        };
        // 4. Queue the record. When the queue is almost full, each location has a share of the rest, so that one
        // that fails all the time leaves room for the others.
        let source = source_of(input.location);
        self.record_queue
            .push_from(RecordKind::Error, source, at, |out| record.put(out));
    }
}

/// The known data of the current request. Its bytes are in the scratch buffer: texts, user and attributes, events.
struct RequestParts {
    ids: context::OperationIds,
    method: &'static str,
    texts_end: usize,
    more_end: usize,
    /// Whether nothing was cut or left out.
    complete: bool,
}

impl RequestParts {
    /// Those of a capture outside a request, whose chain ends at `end`.
    fn none(end: usize) -> Self {
        Self {
            ids: context::OperationIds {
                trace: TraceId::NIL,
                span: SpanId::NIL,
                route: NO_REQUEST,
            },
            method: "",
            texts_end: end,
            more_end: end,
            complete: true,
        }
    }
}

/// A number for a place in the code, never 0.
fn source_of(location: &Location<'_>) -> u32 {
    let place = (location.file(), location.line(), location.column());
    let hash = FxBuildHasher.hash_one(place);
    // The queue shifts the number by the bits of a signal, so the upper half, which is mixed best, is used.
    (hash >> 32 | 1) as u32
}

fn copy_request(slot: &Slot, span: SpanId, out: &mut Vec<u8>) -> RequestParts {
    let mut complete = true;
    // Only `try` access: in a panic hook this thread may hold the lock. The event then has the IDs and no texts.
    let texts_end = slot.try_with_head(|facts: &RequestHead| {
        let mut texts = Reader::new(&facts.texts);
        // Path, query, user agent and client address.
        for text in std::iter::from_fn(|| texts.str()).take(4) {
            put_str(out, &cut(text, MAX_TEXT));
            complete &= text.len() <= MAX_TEXT;
        }
        out.len()
    });
    let texts_end = texts_end.unwrap_or(out.len());
    let method = slot.method().map_or("", Method::as_str);
    slot.try_with_head(|facts| {
        if facts.more.len() <= MAX_MORE {
            out.extend_from_slice(&facts.more);
        } else {
            put_user_and_attributes(out, &facts.more, MAX_MORE);
            complete = false;
        }
    });
    let more_end = out.len();
    slot.copy_breadcrumbs(out);
    RequestParts {
        ids: context::OperationIds { span, ..slot.ids() },
        method,
        texts_end,
        more_end,
        complete,
    }
}
