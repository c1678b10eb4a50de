//! A real OpenTelemetry Collector, and the spans and metrics that it has received, read from its file exporters.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use serde_json::Value;
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use crate::process::{Process, Server, free_port};
use crate::web::Web;
use crate::{AnyError, Place};

#[derive(Debug)]
pub(crate) struct Collector {
    binary: PathBuf,
    pids: PathBuf,
    settings: PathBuf,
    log: PathBuf,
    received: PathBuf,
    received_metrics: PathBuf,
    pub(crate) address: SocketAddr,
    pub(crate) server: Server,
}

/// A span in the Collector's file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Span {
    pub(crate) trace: String,
    pub(crate) id: String,
    /// Empty if there is none.
    pub(crate) parent: String,
    pub(crate) name: String,
    pub(crate) kind: u64,
    pub(crate) scope: String,
    /// By type, such as `{"intValue": "200"}`.
    pub(crate) attributes: BTreeMap<String, Value>,
    pub(crate) resource: BTreeMap<String, Value>,
    /// 2 is an error.
    pub(crate) status: u64,
    pub(crate) start: u64,
    pub(crate) end: u64,
}

/// The points of a metric in one push of the Collector's file.
#[derive(Debug, Clone)]
pub(crate) struct Points {
    /// The metric with its name, its unit and its data, as in the file.
    pub(crate) metric: Value,
    /// The data: what its kind is, and the points.
    pub(crate) data: Value,
}

/// Spans by ID.
pub(crate) type Spans = BTreeMap<String, Span>;

impl Collector {
    /// Prepares a Collector that keeps its port and file when it is restarted.
    pub(crate) async fn start(place: &Place, binary: PathBuf) -> Result<Self, AnyError> {
        let address = free_port().await?;
        let received = place.dir.join("collector.jsonl");
        let received_metrics = place.dir.join("collector-metrics.jsonl");
        let settings = place.dir.join("collector.yaml");
        std::fs::write(
            &settings,
            format!(
                "\
receivers: {{otlp: {{protocols: {{http: {{endpoint: '{address}'}}}}}}}}
exporters:
  file: {{path: '{}', append: true, flush_interval: 100ms}}
  file/metrics: {{path: '{}', append: true, flush_interval: 100ms}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    traces: {{receivers: [otlp], exporters: [file]}}
    metrics: {{receivers: [otlp], exporters: [file/metrics]}}
",
                received.display(),
                received_metrics.display()
            ),
        )?;
        let mut collector = Self {
            binary,
            pids: place.pids.clone(),
            settings,
            log: place.dir.join("collector.log"),
            received,
            received_metrics,
            address,
            server: Server::default(),
        };
        collector.start_again().await?;
        Ok(collector)
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Starts it and waits until it accepts data.
    pub(crate) async fn start_again(&mut self) -> Result<(), AnyError> {
        let mut command = Command::new(&self.binary);
        command.arg("--config").arg(&self.settings);
        let files = (self.log.as_path(), self.log.as_path());
        self.server
            .runs(Process::start("otelcol", &mut command, &self.pids, files)?);
        let deadline = Instant::now() + Duration::from_secs(30);
        let web = Web::default();
        loop {
            let nothing = Request::post(format!("{}/v1/traces", self.endpoint()))
                .header("content-type", "application/json")
                .body(Body::from("{}"))?;
            match web.send(nothing).await {
                Ok(response) if response.status == 200 => return Ok(()),
                refused if Instant::now() > deadline => {
                    let log = std::fs::read_to_string(&self.log).unwrap_or_default();
                    let last = log.lines().last().unwrap_or_default();
                    return Err(format!("it did not start: {refused:?}, {last}").into());
                }
                _ => sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// The metrics that one instance has pushed so far, in the order of their arrival.
    pub(crate) fn metrics(&self, instance: &str) -> Result<Vec<Points>, AnyError> {
        let text = std::fs::read_to_string(&self.received_metrics)?;
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let mut all = Vec::new();
        for line in whole.lines() {
            let batch: Value = serde_json::from_str(line)?;
            for of in list(&batch["resourceMetrics"]) {
                let resource = attributes(&of["resource"]);
                if resource.get("service.instance.id").map(text_of) != Some(instance) {
                    continue;
                }
                let scopes = list(&of["scopeMetrics"]).iter();
                for metric in scopes.flat_map(|scope| list(&scope["metrics"])) {
                    let kinds = ["sum", "gauge", "histogram", "exponentialHistogram"];
                    let data = kinds.iter().find_map(|kind| metric.get(kind));
                    all.push(Points {
                        metric: metric.clone(),
                        data: data.cloned().unwrap_or_default(),
                    });
                }
            }
        }
        Ok(all)
    }

    /// The distinct spans of one instance so far, and the number of duplicates.
    pub(crate) fn spans(&self, instance: &str) -> Result<(Spans, u64), AnyError> {
        self.spans_of("service.instance.id", instance)
    }

    /// As above, for spans whose resource has this attribute.
    pub(crate) fn spans_of(&self, key: &str, value: &str) -> Result<(Spans, u64), AnyError> {
        let text = std::fs::read_to_string(&self.received)?;
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let (mut spans, mut again) = (Spans::new(), 0);
        for line in whole.lines() {
            let batch: Value = serde_json::from_str(line)?;
            for of in list(&batch["resourceSpans"]) {
                let resource = attributes(&of["resource"]);
                if resource.get(key).map(text_of) != Some(value) {
                    continue;
                }
                for scope in list(&of["scopeSpans"]) {
                    for span in list(&scope["spans"]) {
                        let span = read(span, text_of(&scope["scope"]["name"]), &resource)?;
                        again += u64::from(spans.insert(span.id.clone(), span).is_some());
                    }
                }
            }
        }
        Ok((spans, again))
    }
}

fn read(span: &Value, scope: &str, resource: &BTreeMap<String, Value>) -> Result<Span, AnyError> {
    let text = |key: &str| span[key].as_str().unwrap_or_default().to_owned();
    Ok(Span {
        trace: text("traceId"),
        id: text("spanId"),
        parent: text("parentSpanId"),
        name: text("name"),
        kind: span["kind"].as_u64().unwrap_or_default(),
        scope: scope.to_owned(),
        attributes: attributes(span),
        resource: resource.clone(),
        status: span["status"]["code"].as_u64().unwrap_or_default(),
        start: text("startTimeUnixNano").parse()?,
        end: text("endTimeUnixNano").parse()?,
    })
}

impl Points {
    pub(crate) fn name(&self) -> &str {
        text_of(&self.metric["name"])
    }

    pub(crate) fn points(&self) -> &[Value] {
        list(&self.data["dataPoints"])
    }
}

pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

pub(crate) fn attributes(of: &Value) -> BTreeMap<String, Value> {
    let pair = |pair: &Value| (text_of(&pair["key"]).to_owned(), pair["value"].clone());
    list(&of["attributes"]).iter().map(pair).collect()
}

/// A text, plain or as the value of an attribute.
pub(crate) fn text_of(value: &Value) -> &str {
    let text = value.get("stringValue").unwrap_or(value);
    text.as_str().unwrap_or_default()
}
