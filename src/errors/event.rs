use std::time::SystemTime;

use crate::model::{Attributes, EventId, Level, SpanId, TraceId};

/// A captured error as every sink receives it: redacted, with the known data of its request.
///
/// A text is empty, and an ID nil, where a value is unknown. [`before_send`](crate::MonitorBuilder::before_send) gets
/// an event before it is sent, and [`ErrorGroup::sample`](crate::errors::ErrorGroup::sample) is one.
///
/// ```
/// let builder = watchpost::Monitor::builder("shop").before_send(|event| {
///     event.client_address.clear();
///     event.route != "/internal"
/// });
/// # drop(builder);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ErrorEvent {
    /// The ID of the event, as the capture returned it; equal in the log record, the store and Sentry.
    pub id: EventId,
    /// When the error was captured, by the system's clock.
    pub at: SystemTime,
    /// The severity.
    pub level: Level,
    /// What was captured: an error, a message or a panic.
    pub kind: EventKind,
    /// The error and its sources, the outermost first, at most ten.
    pub causes: Vec<Cause>,
    /// Where the error was captured, or where the panic happened: `file:line:column`.
    pub location: String,
    /// The name of the thread.
    pub thread: String,
    /// The trace of the request.
    pub trace_id: TraceId,
    /// The span in which the error was captured.
    pub span_id: SpanId,
    /// The method of the request.
    pub method: String,
    /// The route of the request, such as `/orders/{id}`; empty outside a request.
    pub route: String,
    /// The path of the request.
    pub path: String,
    /// The query of the request: names of parameters, with redacted values.
    pub query: String,
    /// The user agent of the request.
    pub user_agent: String,
    /// The address of the client.
    pub client_address: String,
    /// The user whom the error concerns: set by the capture, or else by the request.
    pub user: String,
    /// The attributes of the request, allowed headers among them.
    pub attributes: Attributes,
    /// The tags that the capture set. Each key is unique.
    pub tags: Vec<(String, String)>,
    /// The extra attributes that the capture set, and those of a failed database query.
    pub extra: Attributes,
    /// The last `tracing` events of the request, the oldest first, at most twenty.
    pub breadcrumbs: Vec<Breadcrumb>,
    /// The frames of the backtrace, the innermost first; empty without a backtrace.
    pub frames: Vec<Frame>,
    /// The parts of the fingerprint that the capture set.
    pub fingerprint: Vec<String>,
    /// The number of the group to which the event belongs.
    pub group: u64,
    /// The resident memory of the process in bytes; `None` where the system does not report it.
    pub resident_bytes: Option<u64>,
    /// Whether a text was cut or a part was left out because of its size.
    pub truncated: bool,
}

/// The kind of an [`ErrorEvent`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventKind {
    /// A captured error.
    Error,
    /// A captured text, from `capture_message`.
    Message,
    /// A panic.
    Panic,
}

impl EventKind {
    /// Returns the name, in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Message => "message",
            Self::Panic => "panic",
        }
    }
}

/// An error of a chain: the captured one or one of its sources.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Cause {
    /// The path of the type. For a source, and for an error behind `dyn Error`, it is the name that `Debug` prints, or
    /// `Error`.
    pub type_name: String,
    /// What `Display` prints, at most 8 KiB.
    pub message: String,
}

/// A `tracing` event of the request in which an error was captured.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Breadcrumb {
    /// When the event happened.
    pub at: SystemTime,
    /// The severity.
    pub level: Level,
    /// The target, which is usually a module.
    pub target: String,
    /// The message.
    pub message: String,
    /// The other fields, by name.
    pub fields: Vec<(String, String)>,
}

/// A frame of a backtrace: one function call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Frame {
    /// The path of the function.
    pub function: String,
    /// The source file; empty if the program has no debug information for it.
    pub file: String,
    /// The line, from 1; 0 if the program has no debug information for it.
    pub line: u32,
    /// Whether the function belongs to the service rather than a library, judged by file and crate.
    pub in_app: bool,
}

impl ErrorEvent {
    /// Returns the captured error itself, which is the first of [`causes`](Self::causes).
    pub fn error(&self) -> Option<&Cause> {
        self.causes.first()
    }
}
