use std::time::SystemTime;

use crate::model::{Attributes, EventId, Level, SpanId, TraceId};

/// A captured error as every sink gets it: scrubbed, with what was known of its request.
///
/// Texts are empty and ids nil where something is not known.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ErrorEvent {
    /// The event's id, the same everywhere.
    pub id: EventId,
    /// When it was captured, by the service's clock.
    pub at: SystemTime,
    /// How bad it is.
    pub level: Level,
    /// Whether it is a panic, a message or an error.
    pub kind: EventKind,
    /// The error, then its sources, at most ten.
    pub causes: Vec<Cause>,
    /// Where it was captured, or where the panic was: `file:line:column`.
    pub location: String,
    /// The thread's name.
    pub thread: String,
    /// The request's trace.
    pub trace_id: TraceId,
    /// The request's span.
    pub span_id: SpanId,
    /// The request's method.
    pub method: String,
    /// The route's pattern; empty outside a request.
    pub route: String,
    /// The request's path.
    pub path: String,
    /// The names in the request's query, without their values.
    pub query: String,
    /// The request's user agent.
    pub user_agent: String,
    /// The client's address.
    pub client_address: String,
    /// Whom it concerned.
    pub user: String,
    /// The request's attributes, allowed headers among them.
    pub attributes: Attributes,
    /// What the capture is found by: each key once.
    pub tags: Vec<(String, String)>,
    /// What else the capture told.
    pub extra: Attributes,
    /// The last `tracing` events of the request, oldest first, at most twenty.
    pub breadcrumbs: Vec<Breadcrumb>,
    /// The calls that led there, the innermost first; empty where no backtrace was taken.
    pub frames: Vec<Frame>,
    /// The parts of the fingerprint, where the capture named them.
    pub fingerprint: Vec<String>,
    /// The number of the group that it belongs to.
    pub group: u64,
    /// Bytes of memory that the process had, as the system counts them.
    pub resident_bytes: Option<u64>,
    /// Whether a text was cut, or a part was left out, because it was too large.
    pub truncated: bool,
}

/// What kind of event was captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventKind {
    /// An error that was handed over.
    Error,
    /// A text that was handed over.
    Message,
    /// A panic.
    Panic,
}

/// An error, or the source of one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Cause {
    /// The type's path, as far as the program knows it: for sources the name that `Debug` prints.
    pub type_name: String,
    /// What `Display` prints.
    pub message: String,
}

/// A `tracing` event of the request.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Breadcrumb {
    /// When it came.
    pub at: SystemTime,
    /// How bad it was.
    pub level: Level,
    /// The event's target: mostly its module.
    pub target: String,
    /// Its message.
    pub message: String,
    /// Its other fields.
    pub fields: Vec<(String, String)>,
}

/// A call in a backtrace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Frame {
    /// The function's path.
    pub function: String,
    /// The source file; empty where the program does not know it.
    pub file: String,
    /// The line, counted from one; 0 where the program does not know it.
    pub line: u32,
    /// Whether it is the service's own code, as far as the path tells.
    pub in_app: bool,
}

impl ErrorEvent {
    /// The error itself: the first of the causes.
    pub fn error(&self) -> Option<&Cause> {
        self.causes.first()
    }
}
