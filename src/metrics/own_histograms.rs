//! The names of this crate's own histograms. Some are created with their first value.

use super::name::{InstrumentKind, typed_name};
use crate::semconv;

/// Every histogram of this crate and its unit.
const OWN: [(&str, &str); 15] = [
    (semconv::HTTP_SERVER_REQUEST_DURATION, "s"),
    (semconv::HTTP_SERVER_REQUEST_BODY_SIZE, "By"),
    (semconv::HTTP_SERVER_RESPONSE_BODY_SIZE, "By"),
    (semconv::HTTP_TIME_TO_HEADERS, "s"),
    (semconv::HTTP_CONNECTION_DURATION, "s"),
    (semconv::RPC_SERVER_CALL_DURATION, "s"),
    (semconv::RPC_CLIENT_CALL_DURATION, "s"),
    (semconv::HTTP_CLIENT_REQUEST_DURATION, "s"),
    (semconv::REQUEST_DB_DURATION, "s"),
    (semconv::DB_CLIENT_OPERATION_DURATION, "s"),
    (semconv::DB_CLIENT_CONNECTION_WAIT_TIME, "s"),
    (semconv::GEN_AI_CLIENT_OPERATION_DURATION, "s"),
    (semconv::GEN_AI_CLIENT_TOKEN_USAGE, ""),
    (semconv::GEN_AI_COST, ""),
    (semconv::CONTENT_GENERATION_DURATION, "s"),
];

/// The prefixes of names that are reserved for this crate, in the program and in the exposition.
const NAMESPACES: [&str; 12] = [
    "http.",
    "http_server_",
    "http_client_",
    "rpc.",
    "rpc_server_",
    "rpc_client_",
    "db.",
    "db_client_",
    "gen_ai.",
    "gen_ai_client_",
    "watchpost.",
    "watchpost_",
];

/// The names of this crate's histograms: each in the program's form and the exposed one.
pub(super) fn own_histograms() -> impl Iterator<Item = String> {
    OWN.into_iter().flat_map(|(name, unit)| {
        let family = typed_name(name, InstrumentKind::Histogram, unit).family;
        [name.to_owned(), family]
    })
}

/// Whether a name is in a namespace of this crate, so that a histogram of this name exists either from the start or
/// never.
pub(crate) fn is_in_own_namespace(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    NAMESPACES.iter().any(|start| name.starts_with(start))
}
