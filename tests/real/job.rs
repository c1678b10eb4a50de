//! A background job at full speed: its queries in Prometheus, and its traces next to those of requests.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use serde_json::Value;
use tokio::time::{Instant, interval, sleep};

use crate::collector::{Collector, Spans};
use crate::host::Host;
use crate::prometheus::Prometheus;
use crate::traces::{exact, same};
use crate::web::Web;
use crate::{AnyError, Checks, Place, relay, until};

const NAME: &str = "job";
/// The runs of the job, and the digests per run, each with three queries in a trace of its own.
const RUNS: u64 = 60;
const DIGESTS: u64 = 100;
/// The name of the root span of a digest.
const ROOT: &str = "write a digest";
/// The pause between two requests of a slow client.
const PACE: Duration = Duration::from_millis(250);
/// The paths that this client requests in turn.
const PATHS: [&str; 2] = ["/api/users/7", "/static/about.txt"];
/// The size of the file in bytes.
const ABOUT_BYTES: u64 = 48;
/// The default limit of kept traces per second.
const MAX_PER_SECOND: u64 = 100;

pub(crate) async fn check(
    place: &Place,
    prometheus: &Prometheus,
    collector: Option<&Collector>,
    checks: &mut Checks,
) -> Result<(), AnyError> {
    let endpoint = collector.map(Collector::endpoint);
    let settings: Vec<_> = endpoint
        .iter()
        .map(|endpoint| ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()))
        .chain([("OTEL_TRACES_SAMPLER", "always_on")])
        .collect();
    let host = Host::start(place, NAME, &settings).await?;
    relay::targets(&place.dir.join("host.json"), host.address)?;
    let begun = Instant::now();
    let requested = work(&host).await?;
    let took = begun.elapsed();
    checks.note(
        "a job's queries in Prometheus",
        queries(prometheus, &host, requested.len() as u64 / 2).await,
    );
    checks.note(
        "bytes of a file in Prometheus",
        bytes(prometheus, &host, requested.len() as u64 / 2).await,
    );
    let report = host.end().await?;
    if let Some(collector) = collector {
        let kept = until(async || {
            let (spans, again) = collector.spans(NAME)?;
            let totals = exact(&report, &spans, again)?;
            Ok(format!("{}; {totals}", beside(&spans, &requested, took)?))
        });
        checks.note("traces of rare requests next to those of a job", kept.await);
    }
    Ok(())
}

/// Starts the runs of the job and sends requests until they are done. Returns the traces of the requests, an even number.
async fn work(host: &Host) -> Result<Vec<String>, AnyError> {
    let web = Web::default();
    for _ in 0..RUNS {
        let request = Request::post(format!("http://{}/api/digests", host.address));
        let response = web.send(request.body(Body::empty())?).await?;
        same("the start of a run", response.status, 202)?;
    }
    let mut requested = Vec::new();
    let mut pace = interval(PACE);
    let deadline = Instant::now() + Duration::from_secs(60);
    while written(&host.lines()?) < RUNS * DIGESTS {
        if Instant::now() > deadline {
            return Err("the job is not done after a minute".into());
        }
        for path in PATHS {
            pace.tick().await;
            let response = web.get(format!("http://{}{path}", host.address)).await?;
            same("a request beside the job", response.status, 200)?;
            requested.push(response.trace()?.to_owned());
        }
    }
    // One more run would be too many.
    sleep(PACE).await;
    same("digests", written(&host.lines()?), RUNS * DIGESTS)?;
    Ok(requested)
}

/// The number of digests that the host has logged.
fn written(lines: &[Value]) -> u64 {
    let is_run = |line: &&Value| line.to_string().contains("digests written");
    let runs = lines.iter().filter(is_run);
    runs.filter_map(|line| line["written"].as_u64()).sum()
}

/// Checks that each query of the job and of the requests is counted.
async fn queries(
    prometheus: &Prometheus,
    host: &Host,
    users_asked: u64,
) -> Result<String, AnyError> {
    let instance = host.address.to_string();
    let summaries = ["INSERT digests", "SELECT contents", "SELECT users"];
    until(async || {
        let name = "db_client_operation_duration_seconds_count";
        let mut seen = [0; 3];
        for (labels, count) in prometheus.query(name, "openmetrics").await? {
            let label = |name: &str| labels.get(name).map_or("", String::as_str);
            let summary = label("db_query_summary");
            let at = summaries.iter().position(|known| *known == summary);
            let of_host = label("instance") == instance;
            if let Some(seen) = at.filter(|_| of_host).and_then(|at| seen.get_mut(at)) {
                same("the outcome", label("watchpost_outcome"), "completed")?;
                *seen += count;
            }
        }
        let digests = RUNS * DIGESTS;
        // One query counts the users when the host starts.
        same(
            "queries",
            seen,
            [digests, digests, digests + users_asked + 1],
        )?;
        Ok(format!("{seen:?}, {users_asked} of them by requests"))
    })
    .await
}

async fn bytes(prometheus: &Prometheus, host: &Host, files: u64) -> Result<String, AnyError> {
    let instance = host.address.to_string();
    until(async || {
        let name = "http_server_response_body_size_bytes_sum";
        let mut bytes = 0;
        for (labels, sum) in prometheus.query(name, "openmetrics").await? {
            let is = |name: &str, value: &str| labels.get(name).is_some_and(|it| it == value);
            if is("instance", &instance) && is("http_route", "/static/*") {
                bytes += sum;
            }
        }
        same("bytes", bytes, files * ABOUT_BYTES)?;
        Ok(format!("{bytes} of {files} files"))
    })
    .await
}

/// Checks that all traces of requests are kept, and as many of the job's as the budget allows.
fn beside(spans: &Spans, requested: &[String], took: Duration) -> Result<String, AnyError> {
    let there: BTreeSet<&str> = spans.values().map(|span| span.trace.as_str()).collect();
    if let Some(lost) = requested
        .iter()
        .find(|trace| !there.contains(trace.as_str()))
    {
        return Err(format!("trace {lost} of a request is not there").into());
    }
    let roots: BTreeSet<&str> = spans
        .values()
        .filter(|span| span.parent.is_empty() && span.name == ROOT)
        .map(|span| span.trace.as_str())
        .collect();
    let of_job = spans
        .values()
        .filter(|span| roots.contains(span.trace.as_str()));
    same("spans of a digest", of_job.count(), roots.len() * 4)?;
    let with_user = spans.values().filter(|span| span.name == ROOT);
    let with_user = with_user.filter(|span| span.attributes.contains_key("user.id"));
    same("digests with a user", with_user.count(), roots.len())?;
    let kept = roots.len() as u64;
    // The budget that accrues while the job runs, and the burst before.
    let most = (took.as_secs() + 3) * MAX_PER_SECOND;
    if kept == 0 || kept > most {
        return Err(format!("{kept} traces of the job, at most {most} are kept").into());
    }
    Ok(format!(
        "all {} of requests, {kept} of the job's {} in {took:.1?}",
        requested.len(),
        RUNS * DIGESTS,
    ))
}
