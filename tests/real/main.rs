//! A client of the host example that counts for itself, and asks a real Prometheus whether it knows
//! the same. `tests/real/run` starts it; without that it does nothing.

mod prometheus;
mod relay;
mod tally;
mod visits;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use crate::prometheus::Prometheus;
use crate::tally::{Key, Tally};

/// How long a figure may take to arrive: some scrapes.
const ARRIVAL: Duration = Duration::from_secs(30);
/// How long all of it may take.
const DEADLINE: Duration = Duration::from_secs(420);

pub(crate) type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// What `tests/real/run` hands over.
struct Place {
    /// Where the host serves.
    host: SocketAddr,
    /// Where Prometheus serves.
    prometheus: SocketAddr,
    /// The host's standard output.
    lines: PathBuf,
    /// The file from which Prometheus reads where the relay is.
    relay: PathBuf,
    /// Where the page's text form is left for `promtool`.
    page: PathBuf,
}

impl Place {
    fn from_environment() -> Option<Self> {
        let value = |name: &str| std::env::var(format!("WATCHPOST_REAL_{name}")).ok();
        Some(Self {
            host: value("HOST")?.parse().ok()?,
            prometheus: value("PROMETHEUS")?.parse().ok()?,
            lines: value("LINES")?.into(),
            relay: value("RELAY")?.into(),
            page: value("PAGE")?.into(),
        })
    }
}

/// Names and results of the checks.
#[derive(Default)]
struct Checks {
    passed: u32,
    failed: u32,
}

impl Checks {
    fn note(&mut self, name: &str, result: Result<String, AnyError>) {
        match result {
            Ok(seen) => {
                self.passed += 1;
                println!("passed: {name}: {seen}");
            }
            Err(error) => {
                self.failed += 1;
                println!("failed: {name}: {error}");
            }
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let Some(place) = Place::from_environment() else {
        println!("nothing done: `tests/real/run` starts this, with the servers that it needs");
        return ExitCode::SUCCESS;
    };
    let mut checks = Checks::default();
    if timeout(DEADLINE, check(&place, &mut checks)).await.is_err() {
        checks.note(
            "the deadline",
            Err(format!("not done after {DEADLINE:?}").into()),
        );
    }
    println!(
        "{} passed, {} failed, 0 skipped",
        checks.passed, checks.failed
    );
    if checks.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

async fn check(place: &Place, checks: &mut Checks) {
    checks.note(
        "the relay of the text form",
        relay::start(place.host, &place.relay).await,
    );
    let mut tally = Tally::default();
    checks.note(
        "10,000 requests",
        visits::make(place.host, &mut tally).await,
    );

    let prometheus = Prometheus::new(place.prometheus);
    for job in ["openmetrics", "text"] {
        let name = format!("what Prometheus knows from the {job} page");
        checks.note(&name, same_series(&prometheus, job, &tally).await);
        let name = format!("sockets that Prometheus knows from the {job} page");
        checks.note(&name, sockets(&prometheus, job, &tally).await);
        let name = format!("requests still under way on the {job} page");
        checks.note(&name, none_under_way(&prometheus, job).await);
    }
    checks.note("one line a request", one_line_each(place, &tally).await);
    checks.note(
        "an exemplar's trace in a line",
        exemplars(&prometheus, place).await,
    );
    checks.note("the text form, kept for promtool", keep_page(place).await);
}

/// Asks again until `ask` says yes, or tells what it said last.
async fn until<F>(mut ask: impl FnMut() -> F) -> Result<String, AnyError>
where
    F: Future<Output = Result<String, AnyError>>,
{
    let deadline = Instant::now() + ARRIVAL;
    loop {
        let answer = ask().await;
        if answer.is_ok() || Instant::now() > deadline {
            return answer;
        }
        sleep(Duration::from_millis(300)).await;
    }
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

/// Each request has one line, with the same words as its series, and the answer's trace id is on it.
async fn one_line_each(place: &Place, tally: &Tally) -> Result<String, AnyError> {
    until(async || {
        let mut theirs: BTreeMap<Key, u64> = BTreeMap::new();
        let mut traces = BTreeSet::new();
        for line in request_lines(place)? {
            *theirs.entry(Key::of_line(&line)).or_default() += 1;
            let trace = line["trace_id"].as_str().unwrap_or_default();
            if !traces.insert(trace.to_owned()) {
                return Err(format!("trace {trace} has two lines").into());
            }
        }
        let same = tally.compare(&theirs)?;
        match tally.traces.iter().find(|trace| !traces.contains(*trace)) {
            Some(trace) => Err(format!("trace {trace} of an answer is in no line").into()),
            None => Ok(format!(
                "{same}; {} answers found by trace id",
                tally.traces.len()
            )),
        }
    })
    .await
}

/// The lines of requests; every line must be one JSON object.
fn request_lines(place: &Place) -> Result<Vec<Value>, AnyError> {
    let text = std::fs::read_to_string(&place.lines)?;
    // The last line may be half written.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let mut lines = Vec::new();
    for line in whole.lines() {
        let line: Value =
            serde_json::from_str(line).map_err(|error| format!("{error} in the line {line}"))?;
        if line.get("watchpost.outcome").is_some() {
            lines.push(line);
        }
    }
    Ok(lines)
}

async fn exemplars(prometheus: &Prometheus, place: &Place) -> Result<String, AnyError> {
    until(async || {
        let routes: BTreeMap<String, String> = request_lines(place)?
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
                Some(told) if told == route => {}
                told => return Err(format!("{trace} of {route} is in a line of {told:?}").into()),
            }
        }
        Ok(format!(
            "all {} of them, of the same route",
            exemplars.len()
        ))
    })
    .await
}

async fn keep_page(place: &Place) -> Result<String, AnyError> {
    let page = relay::text_page(place.host).await?;
    std::fs::write(&place.page, &page)?;
    Ok(format!("{} lines", page.lines().count()))
}
