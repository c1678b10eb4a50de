//! The names of this crate's fields, rendered at compile time.

use crate::semconv;

/// The target of this crate's notices.
pub(super) const OWN_TARGET: &str = "watchpost";

/// The name of a field, as written before its value.
pub(super) struct FieldKey<const JSON: usize, const PLAIN: usize> {
    /// `,"name":"`. A value without quotes uses all but the last byte.
    pub(super) json: [u8; JSON],
    /// ` name=`.
    pub(super) plain: [u8; PLAIN],
}

impl<const JSON: usize, const PLAIN: usize> FieldKey<JSON, PLAIN> {
    #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
    const fn of(name: &str) -> Self {
        let name = name.as_bytes();
        let (mut json, mut plain) = ([b'"'; JSON], [b' '; PLAIN]);
        json[0] = b',';
        json[JSON - 2] = b':';
        plain[PLAIN - 1] = b'=';
        let mut n = 0;
        while n < name.len() {
            json[n + 2] = name[n];
            plain[n + 1] = name[n];
            n += 1;
        }
        Self { json, plain }
    }
}

macro_rules! keys {
    ($($key:ident = $name:expr),* $(,)?) => {
        $(pub(super) static $key: FieldKey<{ $name.len() + 5 }, { $name.len() + 2 }> = FieldKey::of($name);)*
        const NAMES: &[&str] = &[$($name),*];
    };
}

keys! {
    TARGET = "target",
    TRACE_ID = "trace_id",
    SPAN_ID = "span_id",
    PARENT_SPAN_ID = "parent_span_id",
    PARENT_TRACE_ID = "watchpost.parent.trace_id",
    SERVICE_NAME = semconv::SERVICE_NAME,
    SERVICE_VERSION = semconv::SERVICE_VERSION,
    SERVICE_INSTANCE = semconv::SERVICE_INSTANCE_ID,
    ENVIRONMENT = semconv::DEPLOYMENT_ENVIRONMENT_NAME,
    METHOD = semconv::HTTP_REQUEST_METHOD,
    ROUTE = semconv::HTTP_ROUTE,
    STATUS = semconv::HTTP_RESPONSE_STATUS_CODE,
    RPC_SYSTEM = semconv::RPC_SYSTEM_NAME,
    RPC_METHOD = semconv::RPC_METHOD,
    RPC_STATUS = semconv::RPC_RESPONSE_STATUS_CODE,
    OUTCOME = semconv::WATCHPOST_OUTCOME,
    RECORD = semconv::WATCHPOST_RECORD,
    ERROR_TYPE = semconv::ERROR_TYPE,
    TIME_TO_HEADERS = "time_to_headers_ms",
    DURATION = "duration_ms",
    REQUEST_BYTES = semconv::HTTP_REQUEST_BODY_SIZE,
    RESPONSE_BYTES = semconv::HTTP_RESPONSE_BODY_SIZE,
    PATH = semconv::URL_PATH,
    QUERY = semconv::URL_QUERY,
    CLIENT = semconv::CLIENT_ADDRESS,
    AGENT = semconv::USER_AGENT_ORIGINAL,
    USER = semconv::USER_ID,
    EVENT_ID = "event_id",
    EXCEPTION_TYPE = semconv::EXCEPTION_TYPE,
    EXCEPTION_MESSAGE = semconv::EXCEPTION_MESSAGE,
    CAUSES = "exception.causes",
    FILE = "code.file.path",
    LINE = "code.line.number",
    TRUNCATED = "truncated",
}

/// Whether a field of this crate has the name. A field or an attribute of the host with such a name gets a prefix.
pub(super) fn is_own(name: &str) -> bool {
    matches!(name, "timestamp" | "level" | "message") || NAMES.contains(&name)
}
