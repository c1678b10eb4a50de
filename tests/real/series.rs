//! The counts of the client compared with those of Prometheus and the host's log lines.

use std::collections::{BTreeMap, BTreeSet};

use crate::host::Host;
use crate::prometheus::Prometheus;
use crate::tally::{Key, Tally};
use crate::traces::same;
use crate::{AnyError, Checks, until};

/// The number of complete stories.
const STORIES: u64 = 250;
/// The calls of the generator caused by the client's requests: method, status, outcome.
const CALLS: [([&str; 3], u64); 8] = [
    (["POST", "200", "completed"], 300),
    (["POST", "503", "completed"], 50),
    (["GET", "200", "completed"], STORIES),
    (["GET", "400", "completed"], 50),
    (["GET", "200", "body_dropped"], 50),
    (["GET", "200", "body_error"], 50),
    (["HEAD", "200", "completed"], 25),
    (["HEAD", "400", "completed"], 25),
];

pub(crate) async fn check(
    prometheus: &Prometheus,
    host: &Host,
    tally: &Tally,
    checks: &mut Checks,
) {
    for job in ["openmetrics", "text"] {
        let name = format!("what Prometheus knows from the {job} page");
        checks.note(&name, same_series(prometheus, job, tally).await);
        let name = format!("calls that Prometheus knows from the {job} page");
        checks.note(&name, calls(prometheus, job).await);
        let name = format!("sockets that Prometheus knows from the {job} page");
        checks.note(&name, sockets(prometheus, job, tally).await);
        let name = format!("requests still under way on the {job} page");
        checks.note(&name, none_under_way(prometheus, job).await);
    }
    checks.note("one line a request", one_line_each(host, tally).await);
    checks.note(
        "an exemplar's trace in a line",
        exemplars(prometheus, host).await,
    );
}

async fn same_series(
    prometheus: &Prometheus,
    job: &str,
    tally: &Tally,
) -> Result<String, AnyError> {
    until(async || {
        let mut theirs = BTreeMap::new();
        let query = "http_server_request_duration_seconds_count";
        for (labels, value) in prometheus.query(query, job).await? {
            *theirs.entry(Key::of_labels(&labels)).or_default() += value;
        }
        tally.compare(&theirs)
    })
    .await
}

/// The calls caused by the client's requests, by method, status and outcome.
async fn calls(prometheus: &Prometheus, job: &str) -> Result<String, AnyError> {
    until(async || {
        let query = "http_client_request_duration_seconds_count";
        let mut theirs: BTreeMap<[String; 3], u64> = BTreeMap::new();
        for (labels, value) in prometheus.query(query, job).await? {
            let label = |name: &str| labels.get(name).cloned().unwrap_or_default();
            let key = [
                "http_request_method",
                "http_response_status_code",
                "watchpost_outcome",
            ];
            *theirs.entry(key.map(label)).or_default() += value;
        }
        // The calls of the health check are added.
        let health = ["GET", "200", "completed"].map(str::to_owned);
        if let Some(count) = theirs.get_mut(&health) {
            *count = (*count).min(STORIES);
        }
        let ours = CALLS.map(|(key, count)| (key.map(str::to_owned), count));
        same("calls", &theirs, &BTreeMap::from(ours))?;
        Ok(format!(
            "{} of {} kinds",
            theirs.values().sum::<u64>(),
            theirs.len()
        ))
    })
    .await
}

async fn sockets(prometheus: &Prometheus, job: &str, tally: &Tally) -> Result<String, AnyError> {
    until(async || {
        let query = "watchpost_http_connection_duration_seconds_count";
        let mut theirs = 0;
        for (labels, value) in prometheus.query(query, job).await? {
            if labels.values().any(|value| value == "/ws/echo") {
                theirs += value;
            }
        }
        if theirs == tally.sockets {
            Ok(format!("{theirs}"))
        } else {
            Err(format!("{theirs}, the client had {}", tally.sockets).into())
        }
    })
    .await
}

async fn none_under_way(prometheus: &Prometheus, job: &str) -> Result<String, AnyError> {
    until(async || {
        let series = prometheus.query("http_server_active_requests", job).await?;
        match series.iter().map(|(_, value)| value).sum::<u64>() {
            0 if !series.is_empty() => Ok(format!("none, in {} series", series.len())),
            n => Err(format!("{n}, in {} series", series.len()).into()),
        }
    })
    .await
}

/// Each request has one log line, with the same values as its series and the trace ID of the response.
async fn one_line_each(host: &Host, tally: &Tally) -> Result<String, AnyError> {
    until(async || {
        let mut theirs: BTreeMap<Key, u64> = BTreeMap::new();
        let mut traces = BTreeSet::new();
        for line in host.request_lines()? {
            *theirs.entry(Key::of_line(&line)).or_default() += 1;
            let trace = line["trace_id"].as_str().unwrap_or_default();
            if !traces.insert(trace.to_owned()) {
                return Err(format!("trace {trace} has two lines").into());
            }
        }
        let same = tally.compare(&theirs)?;
        match tally.traces.iter().find(|trace| !traces.contains(*trace)) {
            Some(trace) => Err(format!("trace {trace} of a response is in no log line").into()),
            None => Ok(format!(
                "{same}; {} responses found by trace id",
                tally.traces.len()
            )),
        }
    })
    .await
}

async fn exemplars(prometheus: &Prometheus, host: &Host) -> Result<String, AnyError> {
    until(async || {
        let routes: BTreeMap<String, String> = host
            .request_lines()?
            .iter()
            .filter_map(|line| {
                let trace = line["trace_id"].as_str()?;
                Some((trace.to_owned(), line["http.route"].as_str()?.to_owned()))
            })
            .collect();
        let exemplars = prometheus
            .exemplars("http_server_request_duration_seconds_bucket")
            .await?;
        if exemplars.is_empty() {
            return Err("Prometheus has no exemplar".into());
        }
        for (labels, trace) in &exemplars {
            let route = labels.get("http_route").map_or("", String::as_str);
            match routes.get(trace) {
                Some(line_route) if line_route == route => {}
                line_route => {
                    return Err(
                        format!("{trace} of {route} is in a log line of {line_route:?}").into(),
                    );
                }
            }
        }
        Ok(format!(
            "all {} of them, of the same route",
            exemplars.len()
        ))
    })
    .await
}
