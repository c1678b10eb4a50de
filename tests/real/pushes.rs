//! Metrics that hosts push to the Collector, compared with the client's own counts and sizes.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::collector::{Collector, Points, attributes};
use crate::host::{Account, Host};
use crate::outages::seconds;
use crate::tally::{Key, Tally};
use crate::web::Web;
use crate::{AnyError, Checks, Place, until};

const DURATION: &str = "http.server.request.duration";
const SIZE: &str = "http.server.request.body.size";
/// The number of requests with a body. Their sizes differ by a factor of 40.
const BODIES: usize = 400;
/// Requests without a body: path, route, status and number.
const PLAIN: [(&str, &str, u16, u64); 5] = [
    ("/api/content/7", "/api/content/{id}", 200, 120),
    ("/api/users/7", "/api/users/{id}", 200, 80),
    ("/api/users/5000", "/api/users/{id}", 404, 40),
    ("/api/fail", "/api/fail", 500, 20),
    ("/nothing", "_unmatched", 404, 30),
];

/// What a client has sent to a host.
#[derive(Default)]
struct Sent {
    tally: Tally,
    /// The sizes of the bodies, sorted.
    sizes: Vec<f64>,
}

pub(crate) async fn check(place: &Place, collector: &mut Collector, checks: &mut Checks) {
    for temporality in ["cumulative", "delta"] {
        let result = counts_and_quantiles(place, collector, temporality).await;
        checks.note(&format!("pushed metrics, {temporality}"), result);
    }
    let result = outage(place, collector).await;
    checks.note("pushed metrics after an outage of the Collector", result);
}

async fn host(
    place: &Place,
    collector: &Collector,
    instance: &str,
    temporality: &str,
) -> Result<Host, AnyError> {
    let endpoint = collector.endpoint();
    let settings = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_METRICS_EXPORTER", "otlp"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "500"),
        (
            "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
            temporality,
        ),
    ];
    Host::start(place, instance, &settings).await
}

impl Sent {
    async fn send(&mut self, host: &Host) -> Result<(), AnyError> {
        let web = Web::default();
        for (path, route, status, times) in PLAIN {
            for _ in 0..times {
                let response = web.get(format!("http://{}{path}", host.address)).await?;
                self.note("GET", route, status, response.status)?;
            }
        }
        for n in 0..BODIES {
            // From 100 bytes to some 4,000, denser at the lower end.
            let length = 100 + n * n / 41;
            let body = json!({ "title": "t", "body": "b".repeat(length) }).to_string();
            self.sizes.push(body.len() as f64);
            let request = Request::post(format!("http://{}/api/content", host.address))
                .header("content-type", "application/json")
                .body(Body::from(body))?;
            let response = web.send(request).await?;
            self.note("POST", "/api/content", 201, response.status)?;
        }
        self.sizes.sort_by(f64::total_cmp);
        Ok(())
    }

    fn note(&mut self, method: &str, route: &str, status: u16, seen: u16) -> Result<(), AnyError> {
        if seen != status {
            return Err(format!("{method} {route} responded with {seen}").into());
        }
        let key = Key::new(method, route, Some(status), "completed");
        self.tally.add(key);
        Ok(())
    }
}

/// The load goes on over many pushes. The Collector then has the client's counts, and its sizes.
async fn counts_and_quantiles(
    place: &Place,
    collector: &Collector,
    temporality: &str,
) -> Result<String, AnyError> {
    let instance = format!("pushes-{temporality}");
    let host = host(place, collector, &instance, temporality).await?;
    let mut sent = Sent::default();
    sent.send(&host).await?;
    sleep(seconds(2)).await;
    // The rest is pushed at the end.
    sent.send(&host).await?;
    let report = host.end().await?;
    until(async || {
        let all = collector.metrics(&instance)?;
        let totals = exact(&report, &all)?;
        let is_delta = temporality == "delta";
        let counts = sent.tally.compare(&counts(&all, is_delta)?)?;
        let quantiles = quantiles(&all, is_delta, &sent.sizes)?;
        Ok(format!("{counts}; {quantiles}; {totals}"))
    })
    .await
}

/// Pushes wait while the Collector is stopped, and arrive once it is back.
async fn outage(place: &Place, collector: &mut Collector) -> Result<String, AnyError> {
    let instance = "pushes-outage";
    let host = host(place, collector, instance, "delta").await?;
    let mut sent = Sent::default();
    sent.send(&host).await?;
    collector.server.stop().await?;
    sent.send(&host).await?;
    sleep(seconds(2)).await;
    collector.start_again().await?;
    sent.send(&host).await?;
    let report = host.end().await?;
    until(async || {
        let all = collector.metrics(instance)?;
        let totals = exact(&report, &all)?;
        let counts = sent.tally.compare(&counts(&all, true)?)?;
        Ok(format!("{counts}; {totals}"))
    })
    .await
}

/// Compares the host's totals with the Collector: `delivered` is the number of points there.
fn exact(report: &BTreeMap<String, Account>, all: &[Points]) -> Result<String, AnyError> {
    let none = Account::default();
    let account = report.get("metric").unwrap_or(&none);
    let arrived: usize = all.iter().map(|metric| metric.points().len()).sum();
    let summary = format!("{account:?}; {arrived} points in the Collector");
    let is_exact = account.emitted == account.delivered
        && account.dropped.is_empty()
        && account.delivered == arrived as u64;
    if is_exact && arrived > 0 {
        Ok(summary)
    } else {
        Err(summary.into())
    }
}

/// A whole number, which the file has as a text.
fn number(value: &Value) -> u64 {
    let text = value.as_str().and_then(|text| text.parse().ok());
    text.or(value.as_u64()).unwrap_or_default()
}

/// The last point of each series, or the sum of all points where these are increases. Each has its attributes, the number of
/// values and the counts of its positive buckets by their index.
fn series(
    all: &[Points],
    name: &str,
    are_increases: bool,
) -> Result<Vec<(BTreeMap<String, Value>, BTreeMap<i64, u64>)>, AnyError> {
    let mut series = BTreeMap::new();
    for metric in all.iter().filter(|metric| metric.name() == name) {
        let temporality = if are_increases { 1 } else { 2 };
        if metric.data["aggregationTemporality"] != json!(temporality) {
            return Err(format!("{name}: {:?}", metric.data["aggregationTemporality"]).into());
        }
        for point in metric.points() {
            let attributes = attributes(point);
            let key = format!("{attributes:?}");
            let entry = series.entry(key).or_insert((attributes, BTreeMap::new()));
            if !are_increases {
                entry.1.clear();
            }
            let positive = &point["positive"];
            let offset = positive["offset"].as_i64().unwrap_or_default();
            let counts = crate::collector::list(&positive["bucketCounts"]);
            let mut sum = 0;
            for (index, count) in (offset..).zip(counts) {
                sum += number(count);
                *entry.1.entry(index).or_default() += number(count);
            }
            let count = number(&point["count"]);
            if sum + number(&point["zeroCount"]) != count || point["scale"] != json!(5) {
                return Err(format!("{name}: {sum} of {count} values in buckets: {point}").into());
            }
        }
    }
    Ok(series.into_values().collect())
}

/// The number of requests of each kind in the histogram of durations.
fn counts(all: &[Points], are_increases: bool) -> Result<BTreeMap<Key, u64>, AnyError> {
    let mut counts = BTreeMap::new();
    for (attributes, buckets) in series(all, DURATION, are_increases)? {
        let count = buckets.values().sum::<u64>();
        *counts.entry(Key::of_attributes(&attributes)).or_default() += count;
    }
    Ok(counts)
}

/// Compares quantiles of the sizes of bodies with the client's sizes.
fn quantiles(all: &[Points], are_increases: bool, sizes: &[f64]) -> Result<String, AnyError> {
    let mut buckets: BTreeMap<i64, u64> = BTreeMap::new();
    for (attributes, of_series) in series(all, SIZE, are_increases)? {
        if attributes.get("http.route") == Some(&json!({ "stringValue": "/api/content" })) {
            for (index, count) in of_series {
                *buckets.entry(index).or_default() += count;
            }
        }
    }
    let total: u64 = buckets.values().sum();
    if total != sizes.len() as u64 {
        return Err(format!("{total} sizes, the client sent {}", sizes.len()).into());
    }
    let mut worst = 0.0_f64;
    for percent in [50, 95, 99] {
        let exact = sizes[sizes.len() * percent / 100 - 1];
        let rank = sizes.len() * percent / 100;
        let mut below = 0;
        let found = buckets.iter().find(|(_, count)| {
            below += **count;
            below >= rank as u64
        });
        let (index, _) = found.ok_or("no bucket has the quantile")?;
        let read = ((*index as f64 + 0.5) / 32.0).exp2();
        worst = worst.max((read / exact - 1.0).abs());
    }
    let summary = format!(
        "p50, p95 and p99 of {} sizes differ by at most {:.2} %",
        sizes.len(),
        worst * 100.0
    );
    if worst < 0.02 {
        Ok(summary)
    } else {
        Err(summary.into())
    }
}
