//! The captured errors of a host in Bugsink.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tokio::time::sleep;

use crate::bugsink::{Bugsink, Project};
use crate::collector::{Collector, text_of};
use crate::host::{Account, Host, events_of, filed_events_of};
use crate::outages::{Traffic, seconds};
use crate::traces::{Call, same, trace_of};
use crate::web::Web;
use crate::{AnyError, Checks, MAIN, Place, until};

/// Checks the main host's errors in Bugsink.
pub(crate) async fn check(
    bugsink: &Bugsink,
    project: &Project,
    host: &Host,
    collector: Option<&Collector>,
    checks: &mut Checks,
) {
    checks.note(
        "a failed request by its trace id: header, lines, Bugsink, Collector",
        followed(bugsink, project, host, collector).await,
    );
    checks.note("a panic in Bugsink", panic(bugsink, project, host).await);
}

/// The event with the ID in a log line, once Bugsink has it.
async fn event_of(bugsink: &Bugsink, project: &Project, line: &Value) -> Result<Value, AnyError> {
    let id = line["event_id"]
        .as_str()
        .ok_or("the line has no event id")?;
    let mut number = None;
    until(async || {
        number = bugsink.events(project).await?.remove(id);
        match &number {
            Some(number) => Ok(number.clone()),
            None => Err(format!("there is no event {id}").into()),
        }
    })
    .await?;
    let event = bugsink.event(&number.ok_or("it is gone")?).await?;
    same("its id", event["event_id"].as_str(), Some(id))?;
    Ok(event)
}

async fn followed(
    bugsink: &Bugsink,
    project: &Project,
    host: &Host,
    collector: Option<&Collector>,
) -> Result<String, AnyError> {
    let call = Call::new(7)?;
    let response = call.send(&Web::default(), host, "overload", 502).await?;
    same("the header's trace", response.trace()?, call.trace.as_str())?;
    let mut captured = None;
    until(async || {
        let lines = host.lines()?.into_iter();
        let mut lines = lines.filter(|line| text_of(&line["trace_id"]) == call.trace);
        captured = lines.find(|line| line.get("event_id").is_some());
        captured
            .as_ref()
            .map(|_| String::new())
            .ok_or("no line has its event".into())
    })
    .await?;
    let event = event_of(bugsink, project, &captured.ok_or("it is gone")?).await?;
    let trace = &event["contexts"]["trace"];
    same(
        "the event's trace",
        text_of(&trace["trace_id"]),
        &call.trace,
    )?;
    let exception = &event["exception"]["values"][0];
    same(
        "what failed",
        text_of(&exception["value"]),
        "the generator failed (502)",
    )?;
    same(
        "where",
        text_of(&event["transaction"]),
        "POST /api/content/generate",
    )?;
    let crumbs = event["breadcrumbs"]["values"].to_string();
    same(
        "its last lines",
        crumbs.contains("the generator failed"),
        true,
    )?;
    if let Some(collector) = collector {
        let spans = trace_of(collector, MAIN, &call.trace, 3).await?;
        let of = spans
            .iter()
            .find(|span| span.id == text_of(&trace["span_id"]));
        let root = spans
            .iter()
            .find(|span| span.kind == 2)
            .ok_or("it has no root")?;
        same(
            "the event's span",
            of.map(|span| span.name.as_str()),
            Some(root.name.as_str()),
        )?;
        same("the root's status", root.status, 2)?;
    }
    Ok(format!(
        "{} and {}",
        call.trace,
        text_of(&event["event_id"])
    ))
}

async fn panic(bugsink: &Bugsink, project: &Project, host: &Host) -> Result<String, AnyError> {
    let lines = host.lines()?;
    let is_panic = |line: &&Value| text_of(&line["exception.type"]) == "panic";
    let line = lines
        .iter()
        .rev()
        .find(is_panic)
        .ok_or("no line has a panic")?;
    let event = event_of(bugsink, project, line).await?;
    let exception = &event["exception"]["values"][0];
    same("its level", text_of(&event["level"]), "fatal")?;
    same("its type", text_of(&exception["type"]), "panic")?;
    same(
        "it was handled",
        exception["mechanism"]["handled"].as_bool(),
        Some(false),
    )?;
    let trace = text_of(&event["contexts"]["trace"]["trace_id"]);
    same("its trace", trace, text_of(&line["trace_id"]))?;
    Ok(format!("{trace} and {}", text_of(&event["event_id"])))
}

/// The events of one instance in its log lines on standard output and in its log files.
#[derive(Debug)]
pub(crate) struct LoggedEvents {
    pub(crate) lines: BTreeSet<String>,
    filed: BTreeSet<String>,
}

impl LoggedEvents {
    pub(crate) fn read(place: &Place, instance: &str) -> Result<Self, AnyError> {
        Ok(Self {
            lines: events_of(place, instance)?,
            filed: filed_events_of(place, instance)?,
        })
    }
}

/// The totals of errors: each captured error has a line on standard output, one in the log files and an event at the
/// receiver.
pub(crate) async fn exact(
    bugsink: &Bugsink,
    project: &Project,
    report: &BTreeMap<String, Account>,
    logged: &LoggedEvents,
) -> Result<String, AnyError> {
    let LoggedEvents { lines, filed } = logged;
    let none = Account::default();
    let account = report.get("error").unwrap_or(&none);
    let Account {
        emitted,
        delivered,
        spooled,
        dropped,
    } = account;
    let events = bugsink.events(project).await?;
    let summary = format!(
        "{emitted} emitted, {delivered} delivered, {spooled} spooled, dropped {dropped:?}; {} lines, {} in files, {} distinct events",
        lines.len(),
        filed.len(),
        events.len()
    );
    let settled = delivered + spooled + dropped.values().sum::<u64>();
    let known = events.keys().all(|id| lines.contains(id));
    let received = (lines.len() + filed.len() + events.len()) as u64;
    if *emitted == settled && *delivered == received && known && lines == filed && !lines.is_empty()
    {
        Ok(summary)
    } else {
        Err(summary.into())
    }
}

/// Bugsink is stopped, suspended and restarted while a host captures errors.
pub(crate) async fn outages(place: &Place, bugsink: &mut Bugsink, checks: &mut Checks) {
    let result = come_and_go(place, bugsink, checks).await;
    checks.note(
        "totals after Bugsink was stopped, restarted and suspended",
        result,
    );
    let result = found_again(place, bugsink).await;
    checks.note(
        "errors of a host that ended while Bugsink was stopped",
        result,
    );
}

async fn come_and_go(
    place: &Place,
    bugsink: &mut Bugsink,
    checks: &mut Checks,
) -> Result<String, AnyError> {
    let instance = "error-outages";
    let project = bugsink.project(instance).await?;
    let host = Host::start(place, instance, &[("SENTRY_DSN", &project.dsn)]).await?;
    let traffic = Traffic::new(&host).await?;
    bugsink.server.stop().await?;
    checks.note(
        "responses with Bugsink stopped",
        traffic.flow(&host, seconds(4)).await,
    );
    bugsink.start_again().await?;
    checks.note(
        "responses with Bugsink restarted",
        traffic.flow(&host, seconds(4)).await,
    );
    bugsink.server.hang()?;
    checks.note(
        "responses while Bugsink is suspended",
        traffic.flow(&host, seconds(8)).await,
    );
    bugsink.server.go_on()?;
    checks.note(
        "responses after Bugsink is resumed",
        traffic.flow(&host, seconds(4)).await,
    );
    until(async || {
        let (summary, there) = (
            events_of(place, instance)?.len(),
            bugsink.events(&project).await?.len(),
        );
        if summary == there {
            Ok(String::new())
        } else {
            Err(format!("{there} of {summary} events have arrived").into())
        }
    })
    .await?;
    let report = host.end().await?;
    let logged = LoggedEvents::read(place, instance)?;
    exact(bugsink, &project, &report, &logged).await
}

/// The next process delivers what a host could not.
async fn found_again(place: &Place, bugsink: &mut Bugsink) -> Result<String, AnyError> {
    let instance = "errors-kept";
    let project = bugsink.project(instance).await?;
    let settings = [("SENTRY_DSN", project.dsn.as_str())];
    let host = Host::start(place, instance, &settings).await?;
    let traffic = Traffic::new(&host).await?;
    traffic.flow(&host, seconds(2)).await?;
    // No event may be in transit, since Bugsink would store it without a response. Each has its log line by then.
    sleep(seconds(1)).await;
    let all = events_of(place, instance)?.len();
    until(async || {
        let there = bugsink.events(&project).await?.len();
        if there == all {
            Ok(String::new())
        } else {
            Err(format!("{there} of {all}").into())
        }
    })
    .await?;
    bugsink.server.stop().await?;
    traffic.flow(&host, seconds(3)).await?;
    let report = host.end().await?;
    bugsink.start_again().await?;
    let logged = LoggedEvents::read(place, instance)?;
    let totals = exact(bugsink, &project, &report, &logged).await?;
    let lines = logged.lines;
    let kept = report.get("error").map_or(0, |account| account.spooled);
    same(
        "all that was left is kept",
        kept,
        (lines.len() - all) as u64,
    )?;

    let host = Host::start(place, instance, &settings).await?;
    until(async || {
        let there: BTreeSet<_> = bugsink.events(&project).await?.into_keys().collect();
        if there == lines {
            Ok(String::new())
        } else {
            Err(format!("{} of {} events have arrived", there.len(), lines.len()).into())
        }
    })
    .await?;
    let report = host.end().await?;
    let delivered = report.get("error").map_or(0, |account| account.delivered);
    same("what the next one delivered", delivered, kept)?;
    Ok(format!("{totals}; the next one delivered {delivered}"))
}
