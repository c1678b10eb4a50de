//! The traces of a host in the Collector.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::collector::{Collector, Span, Spans, text_of};
use crate::host::{Account, Host};
use crate::prometheus::Prometheus;
use crate::web::{Web, WebResponse};
use crate::{AnyError, Checks, MAIN, Place, until};

/// A request with children of every kind, for a caller with a trace.
pub(crate) struct Call {
    pub(crate) trace: String,
    parent: String,
}

impl Call {
    pub(crate) fn new(n: u64) -> Result<Self, AnyError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
        Ok(Self {
            trace: format!("{:016x}{now:016x}", 0x5eed_0000_0000_0000 + n),
            parent: format!("{:016x}", 0xca11_0000_0000_0000 + n),
        })
    }

    async fn make(&self, web: &Web, host: &Host) -> Result<WebResponse, AnyError> {
        self.send(web, host, "a fox and a stone", 201).await
    }

    pub(crate) async fn send(
        &self,
        web: &Web,
        host: &Host,
        prompt: &str,
        status: u16,
    ) -> Result<WebResponse, AnyError> {
        let request = Request::post(format!("http://{}/api/content/generate", host.address))
            .header("content-type", "application/json")
            .header(
                "traceparent",
                format!("00-{}-{}-01", self.trace, self.parent),
            )
            .body(Body::from(json!({ "prompt": prompt }).to_string()))?;
        let response = web.send(request).await?;
        if response.status == status {
            Ok(response)
        } else {
            Err(format!("the status is {}", response.status).into())
        }
    }
}

/// Checks the main host's traces in the Collector.
pub(crate) async fn check(
    collector: &Collector,
    host: &Host,
    prometheus: Option<&Prometheus>,
    checks: &mut Checks,
) {
    checks.note(
        "a whole trace in the Collector",
        whole_trace(collector, host, (MAIN, "sqlite")).await,
    );
    if let Some(prometheus) = prometheus {
        checks.note(
            "one id in header, lines, exemplar and Collector",
            one_id(collector, host, prometheus).await,
        );
        checks.note(
            "every exemplar's trace in the Collector",
            exemplars_were_kept(collector, prometheus).await,
        );
    }
    checks.note("every child under its parent", all_whole(collector).await);
}

/// The spans of one trace, once the Collector has all of them.
pub(crate) async fn trace_of(
    collector: &Collector,
    instance: &str,
    trace: &str,
    spans: usize,
) -> Result<Vec<Span>, AnyError> {
    let mut found = Vec::new();
    let there = until(async || {
        let (all, _) = collector.spans(instance)?;
        found = all
            .into_values()
            .filter(|span| span.trace == trace)
            .collect();
        if found.len() == spans {
            Ok(String::new())
        } else {
            Err(format!("{} of {spans} spans of {trace} are there", found.len()).into())
        }
    })
    .await;
    there.map(|_| found)
}

/// The name of the span with this ID, or the ID if there is none.
fn name_of<'a>(spans: &'a [Span], id: &'a str) -> &'a str {
    let of = spans.iter().find(|span| span.id == id);
    of.map_or(id, |span| &span.name)
}

/// Checks one trace: names, kinds, scopes, parents, attributes by type and times of its spans, and the generator's part,
/// which another service has sent.
pub(crate) async fn whole_trace(
    collector: &Collector,
    host: &Host,
    (instance, system): (&str, &str),
) -> Result<String, AnyError> {
    let call = Call::new(0)?;
    let response = call.make(&Web::default(), host).await?;
    same("the header's trace", response.trace()?, call.trace.as_str())?;
    let spans = trace_of(collector, instance, &call.trace, 5).await?;
    let mut tree: Vec<_> = spans
        .iter()
        .map(|span| {
            (
                span.name.as_str(),
                name_of(&spans, &span.parent),
                span.kind,
                span.scope.as_str(),
            )
        })
        .collect();
    tree.sort_unstable();
    let root = "POST /api/content/generate";
    same(
        "the tree",
        tree,
        vec![
            ("INSERT contents", root, 3, "watchpost"),
            (root, call.parent.as_str(), 2, "watchpost"),
            ("make a title", root, 1, "contentmax.titles"),
            (MODEL_CALL, "write a text", 3, "watchpost"),
            ("write a text", root, 1, "watchpost"),
        ],
    )?;

    let of = |name: &str| {
        spans
            .iter()
            .find(|span| span.name == name)
            .ok_or("it is gone")
    };
    let root = of(root)?;
    let mut attributes = root.attributes.clone();
    for time in [
        "watchpost.time_to_headers_ms",
        "http.response.body.size",
        "watchpost.db.duration_ms",
    ] {
        let value = attributes.remove(time).unwrap_or_default();
        let number = value["doubleValue"].as_f64();
        let number = number.or_else(|| value["intValue"].as_str()?.parse().ok());
        if number.is_none_or(|number| number <= 0.0) {
            return Err(format!("{time} is {value}").into());
        }
    }
    let text = |text: &str| json!({ "stringValue": text });
    let number = |number: u64| json!({ "intValue": number.to_string() });
    let expected: BTreeMap<String, Value> = [
        ("client.address", text("127.0.0.1")),
        ("network.peer.address", text("127.0.0.1")),
        ("server.address", text("127.0.0.1")),
        ("server.port", number(host.address.port().into())),
        ("http.request.body.size", number(30)),
        ("http.request.method", text("POST")),
        ("http.response.status_code", number(201)),
        ("http.route", text("/api/content/generate")),
        ("network.protocol.version", text("1.1")),
        ("url.path", text("/api/content/generate")),
        ("url.scheme", text("http")),
        ("watchpost.db.queries", number(1)),
        ("watchpost.kept", text("head")),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into();
    same("the root's attributes", &attributes, &expected)?;
    same(
        "a child's attributes",
        (
            of("write a text")?.attributes.get("contentmax.words"),
            of("INSERT contents")?.attributes.get("db.system.name"),
        ),
        (Some(&number(5)), Some(&text(system))),
    )?;
    generators_part(collector, of(MODEL_CALL)?).await?;
    for (key, expected) in [
        ("service.name", text("contentmax")),
        ("service.version", text(env!("CARGO_PKG_VERSION"))),
        ("telemetry.sdk.language", text("rust")),
    ] {
        same(key, root.resource.get(key), Some(&expected))?;
    }
    let within = |span: &Span| root.start <= span.start && span.start <= span.end;
    if !spans
        .iter()
        .all(|span| within(span) && span.end <= root.end)
    {
        return Err("a child is outside its root".into());
    }
    Ok(format!("{} spans of {}", spans.len(), call.trace))
}

/// The span of a call to the generator.
const MODEL_CALL: &str = "text_completion storyteller-1";

/// Checks the attributes of the model call, and that the generator's own span is its child.
async fn generators_part(collector: &Collector, call: &Span) -> Result<String, AnyError> {
    let text = |key: &str| call.attributes.get(key).map_or("", text_of);
    let number = |key: &str| {
        call.attributes
            .get(key)
            .and_then(|it| it["intValue"].as_str())
    };
    same(
        "the model's call",
        (
            text("gen_ai.operation.name"),
            text("gen_ai.request.model"),
            number("gen_ai.usage.input_tokens"),
            number("gen_ai.usage.output_tokens"),
            text("url.template"),
        ),
        (
            "text_completion",
            "storyteller-1",
            Some("5"),
            Some("10"),
            "/v1/generate",
        ),
    )?;
    if call
        .attributes
        .values()
        .any(|value| text_of(value).contains("fox"))
    {
        return Err("the prompt is in the span".into());
    }
    until(async || {
        let (theirs, _) = collector.spans_of("service.name", "generator")?;
        let of = |span: &&Span| span.trace == call.trace;
        let seen: Vec<_> = theirs.values().filter(of).collect();
        let [span] = seen[..] else {
            return Err(format!("{} spans of the generator are there", seen.len()).into());
        };
        let summary = (span.name.as_str(), span.parent.as_str(), span.kind);
        same(
            "the generator's span",
            summary,
            ("POST /v1/generate", call.id.as_str(), 2),
        )?;
        Ok(String::new())
    })
    .await
}

/// Checks that one trace ID is in the response's headers, in the log lines, in an exemplar and in the Collector.
async fn one_id(
    collector: &Collector,
    host: &Host,
    prometheus: &Prometheus,
) -> Result<String, AnyError> {
    let (web, mut n, mut calls) = (Web::default(), 0, Vec::new());
    let mut seen = None;
    // A bucket takes a new exemplar once a second, and Prometheus reads the last one.
    until(async || {
        n += 1;
        let call = Call::new(n)?;
        let response = call.make(&web, host).await?;
        same("the header's trace", response.trace()?, call.trace.as_str())?;
        calls.push(call);
        let exemplars = prometheus.exemplars("http_server_request_duration_seconds_bucket");
        let exemplars = exemplars.await?;
        let of = |call: &&Call| exemplars.iter().any(|(_, trace)| *trace == call.trace);
        seen = calls.iter().find(of).map(|call| call.trace.clone());
        match &seen {
            Some(trace) => Ok(trace.clone()),
            None => Err("no exemplar names one of the traces".into()),
        }
    })
    .await?;
    let trace = seen.ok_or("no trace was found")?;
    let of = |line: &Value| text_of(&line["trace_id"]) == trace;
    let lines: Vec<_> = host.lines()?.into_iter().filter(of).collect();
    let spans = trace_of(collector, MAIN, &trace, 5).await?;
    let root = spans
        .iter()
        .find(|span| span.kind == 2)
        .ok_or("it has no root")?;
    let known = |line: &Value| text_of(&line["span_id"]) == root.id;
    same(
        "lines that name the root",
        lines.iter().filter(|line| known(line)).count(),
        2,
    )?;
    Ok(format!("{trace} in {n} calls"))
}

/// Checks that the Collector has the trace of each exemplar.
async fn exemplars_were_kept(
    collector: &Collector,
    prometheus: &Prometheus,
) -> Result<String, AnyError> {
    until(async || {
        let name = "http_server_request_duration_seconds_bucket";
        let exemplars = prometheus.exemplars(name).await?;
        let (spans, _) = collector.spans(MAIN)?;
        let known = |trace: &str| spans.values().any(|span| span.trace == trace);
        match exemplars.iter().find(|(_, trace)| !known(trace)) {
            Some((_, trace)) => Err(format!("the Collector has no trace {trace}").into()),
            None if exemplars.is_empty() => Err("Prometheus has no exemplar".into()),
            None => Ok(format!("all {} of them", exemplars.len())),
        }
    })
    .await
}

/// At ratio 0 the Collector has the complete traces that failed or were slow, and no others.
pub(crate) async fn kept_at_ratio_0(
    place: &Place,
    collector: &Collector,
) -> Result<String, AnyError> {
    let instance = "ratio-0";
    let endpoint = collector.endpoint();
    let settings = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_TRACES_SAMPLER", "always_off"),
        ("WATCHPOST_TRACE_SLOW", "1s"),
    ];
    let host = Host::start(place, instance, &settings).await?;
    let web = Web::default();
    let url = |path: &str| format!("http://{}{path}", host.address);
    let mut expected = BTreeMap::new();
    for round in 0..5 {
        for (path, kept) in [
            ("/api/content/7", None),
            ("/api/users/7", None),
            ("/api/users/5000", None),
            ("/api/fail", Some("error")),
        ] {
            let response = web.get(url(path)).await?;
            if let Some(kept) = kept {
                expected.insert(response.trace()?.to_owned(), (kept, 1));
            }
        }
        let overload = Request::post(url("/api/content/generate"))
            .header("content-type", "application/json")
            .body(Body::from(r#"{"prompt": "overload"}"#))?;
        let response = web.send(overload).await?;
        expected.insert(response.trace()?.to_owned(), ("error", 3));
        // The sampled flag of an untrusted caller is ignored.
        Call::new(round)?.make(&web, &host).await?;
    }
    let response = web.get(url("/api/slow?ms=1200")).await?;
    expected.insert(response.trace()?.to_owned(), ("slow", 1));
    // The connection ends without a response, so the client does not know the trace ID.
    let panicked = web.get(url("/api/panic")).await;
    same("a response after a panic", panicked.is_ok(), false)?;

    let report = host.end().await?;
    // The Collector writes received data within 100 ms.
    until(async || {
        let (spans, again) = collector.spans(instance)?;
        let totals = exact(&report, &spans, again)?;
        whole(&spans)?;
        let traces = only(spans, &expected)?;
        Ok(format!("{traces} traces; {totals}"))
    })
    .await
}

/// Checks that the trace of a panic and these traces exist, each with its reason and number of spans, and no others; returns
/// their number.
fn only(
    mut spans: Spans,
    expected: &BTreeMap<String, (&'static str, usize)>,
) -> Result<usize, AnyError> {
    let panic = spans.values().find(|span| span.name == "GET /api/panic");
    let panic = panic.ok_or("the panic is not there")?.clone();
    same("why the panic is there", kept(&panic), "panic")?;
    spans.retain(|_, span| span.trace != panic.trace);
    let mut traces: BTreeMap<String, (&str, usize)> = BTreeMap::new();
    for span in spans.values() {
        let (why, count) = traces.entry(span.trace.clone()).or_default();
        *count += 1;
        if span.kind == 2 {
            *why = kept(span);
        }
    }
    same("the traces that are there", &traces, expected)?;
    Ok(traces.len() + 1)
}

fn kept(root: &Span) -> &str {
    root.attributes.get("watchpost.kept").map_or("", text_of)
}

/// Compares the host's totals with the Collector: `delivered` is the number of distinct spans there.
pub(crate) fn exact(
    report: &BTreeMap<String, Account>,
    spans: &Spans,
    again: u64,
) -> Result<String, AnyError> {
    let none = Account::default();
    let account = report.get("span").unwrap_or(&none);
    let dropped: u64 = account.dropped.values().sum();
    let Account {
        emitted,
        delivered,
        spooled,
        ..
    } = account;
    let summary = format!(
        "{emitted} emitted, {delivered} delivered, dropped {:?}; {} distinct in the Collector, {again} came again",
        account.dropped,
        spans.len(),
    );
    let balanced = *emitted == delivered + spooled + dropped;
    if balanced && *delivered == spans.len() as u64 {
        Ok(summary)
    } else {
        Err(summary.into())
    }
}

/// Checks that every span has its parent in the Collector, except for roots: requests, whose parents are remote, and calls of
/// health checks, which are single spans.
fn whole(spans: &Spans) -> Result<String, AnyError> {
    let mut children = 0;
    let is_alone = |span: &Span| {
        span.parent.is_empty() && spans.values().filter(|of| of.trace == span.trace).count() == 1
    };
    for span in spans
        .values()
        .filter(|span| span.kind != 2 && !is_alone(span))
    {
        children += 1;
        let parent = spans.get(&span.parent);
        if parent.is_none_or(|parent| parent.trace != span.trace) {
            let Span {
                name,
                trace,
                parent,
                ..
            } = span;
            return Err(format!("{name} of {trace} has no parent {parent}").into());
        }
    }
    Ok(format!("{children} children among {} spans", spans.len()))
}

/// Checks that all children have their roots.
async fn all_whole(collector: &Collector) -> Result<String, AnyError> {
    // Waits for the last batch.
    sleep(Duration::from_secs(2)).await;
    until(async || whole(&collector.spans(MAIN)?.0)).await
}

#[expect(clippy::needless_pass_by_value, reason = "they are values")]
pub(crate) fn same<T: PartialEq + std::fmt::Debug>(
    what: &str,
    seen: T,
    expected: T,
) -> Result<(), AnyError> {
    if seen == expected {
        Ok(())
    } else {
        Err(format!("{what}: {seen:?}, it should be {expected:?}").into())
    }
}
