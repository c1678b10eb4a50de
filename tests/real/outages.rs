//! The Collector and Prometheus are stopped, suspended and restarted while a host is under load.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::Request;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use crate::collector::Collector;
use crate::host::Host;
use crate::prometheus::Prometheus;
use crate::relay;
use crate::traces::exact;
use crate::web::Web;
use crate::{AnyError, Checks, Place, until};

/// The pause between two requests.
const PACE: Duration = Duration::from_millis(20);
/// The time limit of a response: less than that of an export, so that no request has waited for one.
const LONGEST: Duration = Duration::from_secs(2);
/// The time limit of an export in milliseconds.
const ATTEMPT: &str = "3000";

/// The request with a body; its failure is captured.
const GENERATE: &str = "/api/content/generate";
/// Requests whose responses are always the same.
const PATHS: [(&str, u16); 7] = [
    (GENERATE, 502),
    ("/api/content/7", 200),
    ("/api/users/7", 200),
    ("/api/search?q=rivers", 200),
    ("/api/users/5000", 404),
    ("/api/fail", 500),
    ("/nothing", 404),
];

/// Requests at a steady rate, whose responses must not change.
pub(crate) struct Traffic {
    web: Web,
    first: BTreeMap<&'static str, Bytes>,
}

impl Traffic {
    pub(crate) async fn new(host: &Host) -> Result<Self, AnyError> {
        let (web, mut first) = (Web::default(), BTreeMap::new());
        for (path, status) in PATHS {
            let response = web.send(request(host, path)?).await?;
            if response.status != status {
                return Err(format!("{path} responded with {}", response.status).into());
            }
            first.insert(path, response.body);
        }
        Ok(Self { web, first })
    }

    pub(crate) async fn flow(&self, host: &Host, time: Duration) -> Result<String, AnyError> {
        let begun = Instant::now();
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut requests = JoinSet::new();
        for (path, status) in PATHS.iter().copied().cycle() {
            if begun.elapsed() > time {
                break;
            }
            pace.tick().await;
            let web = self.web.clone();
            let request = request(host, path)?;
            requests.spawn(async move {
                let begun = Instant::now();
                let response = web.send(request).await?;
                Ok::<_, AnyError>((path, status, response, begun.elapsed()))
            });
        }
        let mut times = Vec::new();
        while let Some(done) = requests.join_next().await {
            let (path, status, response, took) = done??;
            if response.status != status || self.first.get(path) != Some(&response.body) {
                let (status, body) = (response.status, response.body);
                return Err(format!("{path} responded with {status} and {body:?}").into());
            }
            times.push(took);
        }
        times.sort_unstable();
        let slowest = times.last().copied().unwrap_or_default();
        let middle = times.get(times.len() / 2).copied().unwrap_or_default();
        let summary = format!(
            "{} responses as before, half within {middle:.1?}, the slowest {slowest:.1?}",
            times.len()
        );
        if slowest < LONGEST {
            Ok(summary)
        } else {
            Err(summary.into())
        }
    }
}

fn request(host: &Host, path: &str) -> Result<Request<Body>, AnyError> {
    let url = format!("http://{}{path}", host.address);
    if path != GENERATE {
        return Ok(Request::get(url).body(Body::empty())?);
    }
    let request = Request::post(url).header("content-type", "application/json");
    Ok(request.body(Body::from(r#"{"prompt": "overload"}"#))?)
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

async fn host(place: &Place, collector: &Collector, name: &str) -> Result<Host, AnyError> {
    let endpoint = collector.endpoint();
    let settings = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", ATTEMPT),
        ("OTEL_BSP_SCHEDULE_DELAY", "500"),
    ];
    Host::start(place, name, &settings).await
}

pub(crate) async fn check(place: &Place, collector: &mut Collector, checks: &mut Checks) {
    let result = come_and_go(place, collector, checks).await;
    checks.note(
        "totals after the Collector was stopped, restarted and suspended",
        result,
    );
    let result = end_without(place, collector, false).await;
    checks.note(
        "totals of a host that ends while the Collector is stopped",
        result,
    );
    let result = end_without(place, collector, true).await;
    checks.note(
        "totals of a host that ends while the Collector is suspended",
        result,
    );
}

/// Prometheus is restarted and has every request in the end.
pub(crate) async fn of_prometheus(place: &Place, prometheus: &mut Prometheus, checks: &mut Checks) {
    let result = come_and_go_before(place, prometheus, checks).await;
    checks.note(
        "what Prometheus knows after a stop, a start and a hang",
        result,
    );
}

async fn come_and_go_before(
    place: &Place,
    prometheus: &mut Prometheus,
    checks: &mut Checks,
) -> Result<String, AnyError> {
    let host = Host::start(place, "scraped", &[]).await?;
    relay::targets(&place.dir.join("host.json"), host.address)?;
    let traffic = Traffic::new(&host).await?;
    checks.note(
        "responses with Prometheus up",
        traffic.flow(&host, seconds(3)).await,
    );
    prometheus.server.stop().await?;
    checks.note(
        "responses with Prometheus stopped",
        traffic.flow(&host, seconds(4)).await,
    );
    prometheus.start_again().await?;
    checks.note(
        "responses with Prometheus restarted",
        traffic.flow(&host, seconds(3)).await,
    );
    prometheus.server.hang()?;
    checks.note(
        "responses while Prometheus is suspended",
        traffic.flow(&host, seconds(5)).await,
    );
    prometheus.server.go_on()?;
    let instance = host.address.to_string();
    let known = until(async || {
        let query = "http_server_request_duration_seconds_count";
        let series = prometheus.query(query, "openmetrics").await?;
        let of_host = series
            .iter()
            .filter(|(labels, _)| labels.get("instance") == Some(&instance));
        let known: u64 = of_host.map(|(_, count)| count).sum();
        let lines = host.request_lines()?.len() as u64;
        if known == lines && known > 0 {
            Ok(format!("{known} requests, as many as lines"))
        } else {
            Err(format!("{known} requests, and {lines} lines").into())
        }
    })
    .await;
    host.end().await?;
    known
}

/// All outages during one process, which has delivered everything in the end.
async fn come_and_go(
    place: &Place,
    collector: &mut Collector,
    checks: &mut Checks,
) -> Result<String, AnyError> {
    let instance = "outages";
    let host = host(place, collector, instance).await?;
    let traffic = Traffic::new(&host).await?;
    checks.note(
        "responses with the Collector up",
        traffic.flow(&host, seconds(3)).await,
    );
    collector.server.stop().await?;
    checks.note(
        "responses with the Collector stopped",
        traffic.flow(&host, seconds(5)).await,
    );
    collector.start_again().await?;
    checks.note(
        "responses with the Collector restarted",
        traffic.flow(&host, seconds(4)).await,
    );
    collector.server.hang()?;
    checks.note(
        "responses while the Collector is suspended",
        traffic.flow(&host, seconds(9)).await,
    );
    collector.server.go_on()?;
    checks.note(
        "responses after the Collector is resumed",
        traffic.flow(&host, seconds(4)).await,
    );
    let report = host.end().await?;
    let (spans, again) = settled(collector, instance).await?;
    let totals = exact(&report, &spans, again)?;
    // The queue was never full, and the receiver was available at the end.
    match report.get("span") {
        Some(account) if account.dropped.is_empty() && account.emitted > 0 => Ok(totals),
        _ => Err(totals.into()),
    }
}

/// The shutdown does not wait for a receiver that is gone, and the report contains what was not delivered.
async fn end_without(
    place: &Place,
    collector: &mut Collector,
    hangs: bool,
) -> Result<String, AnyError> {
    let instance = if hangs {
        "ends-in-hang"
    } else {
        "ends-in-stop"
    };
    let host = host(place, collector, instance).await?;
    let traffic = Traffic::new(&host).await?;
    traffic.flow(&host, seconds(2)).await?;
    // Nothing may be in transit or unwritten: a suspended process never continues.
    sleep(seconds(3)).await;
    if hangs {
        collector.server.hang()?;
    } else {
        collector.server.stop().await?;
    }
    traffic.flow(&host, seconds(3)).await?;
    let begun = Instant::now();
    let report = host.end().await?;
    let took = begun.elapsed();
    if hangs {
        collector.server.kill().await?;
    }
    let (spans, again) = collector.spans(instance)?;
    collector.start_again().await?;
    let totals = format!(
        "{}; the end took {took:.1?}",
        exact(&report, &spans, again)?
    );
    // Without probes, draining takes no time; sending the rest has 3 s.
    let lost = report
        .get("span")
        .is_some_and(|span| span.dropped.contains_key("shutdown"));
    if lost && !spans.is_empty() && took < seconds(10) {
        Ok(totals)
    } else {
        Err(totals.into())
    }
}

/// The spans in the Collector once no more arrive; it may still process duplicates.
async fn settled(
    collector: &Collector,
    instance: &str,
) -> Result<(crate::collector::Spans, u64), AnyError> {
    let mut last = collector.spans(instance)?;
    loop {
        sleep(seconds(1)).await;
        let now = collector.spans(instance)?;
        if now == last {
            return Ok(now);
        }
        last = now;
    }
}
