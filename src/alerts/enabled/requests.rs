//! The queries that define failed requests, for the rules that read them.

use std::time::Duration;

use crate::history::MetricQuery;

const REQUESTS: &str = "http_server_request_duration_seconds";

/// All requests that ended within a window, without upgrades, which end at the headers.
pub(super) fn all_requests(window: Duration) -> MetricQuery {
    MetricQuery::increase(REQUESTS)
        .label_not_in("watchpost_outcome", ["upgraded"])
        .total()
        .window(window)
}

/// Those of them that failed. A 408 is the client's doing.
pub(super) fn failed_requests(window: Duration) -> MetricQuery {
    all_requests(window)
        .label_not_in("error_type", [""])
        .label_not_in("http_response_status_code", ["408"])
}
