use std::sync::Arc;

use http::StatusCode;

use super::super::audit::{self, AuditedChange, Requester};
use super::super::change_fields::{ChangeFields, Refusal, bad, unavailable};
use super::super::documents::{query_text, query_value};
use super::super::flat_json::FlatValue;
use super::super::json;
use super::super::publisher::Dashboard;
use super::super::routes::AlertAction;
use super::AlertCall;
use super::documents;
use crate::alerts::LabelMatcher;

/// The maximum number of matchers.
const MAX_MATCHERS: usize = 16;

/// Responds to a request about alerts with a JSON document.
///
/// # Errors
///
/// Returns why the request is refused.
pub(in crate::dashboard::enabled) async fn answer(
    dashboard: &Arc<Dashboard>,
    call: AlertCall,
) -> Result<String, Refusal> {
    match call.action {
        AlertAction::List => {
            let written = dashboard.document(documents::list).await;
            written.ok_or_else(unavailable)
        }
        AlertAction::Preview => preview(dashboard, &call).await,
        AlertAction::Backtest => backtest(dashboard, &call).await,
        AlertAction::Acknowledge => acknowledge(dashboard, &call).await,
        AlertAction::Silence => silence(dashboard, &call).await,
        AlertAction::EndSilence => end_silence(dashboard, &call).await,
    }
}

async fn preview(dashboard: &Arc<Dashboard>, call: &AlertCall) -> Result<String, Refusal> {
    let mut texts = Vec::new();
    for (name, value) in call
        .query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
    {
        if name == "matcher" {
            texts
                .push(query_text(value).ok_or_else(|| bad("A matcher is not encoded correctly."))?);
        }
    }
    let matchers = matchers(&texts)?;
    let alerts = dashboard.setup.alerts.alerts.clone();
    let hidden = dashboard
        .on_pool(move || alerts.preview_silence(&matchers))
        .await;
    Ok(documents::preview(&hidden.ok_or_else(unavailable)?))
}

async fn backtest(dashboard: &Arc<Dashboard>, call: &AlertCall) -> Result<String, Refusal> {
    let value = |name| query_value(&call.query, name).and_then(query_text);
    let name = value("rule").ok_or_else(|| bad("The rule must be given."))?;
    let hours = match value("hours").as_deref() {
        None => 24,
        Some(hours) => hours
            .parse()
            .ok()
            .filter(|hours| (1..=documents::MAX_HOURS).contains(hours))
            .ok_or_else(|| bad("`hours` must be from 1 to 24."))?,
    };
    let write = move |setup: &_| documents::backtest(setup, &name, hours);
    let written = dashboard.document(write).await;
    written.ok_or_else(unavailable)?
}

async fn acknowledge(dashboard: &Arc<Dashboard>, call: &AlertCall) -> Result<String, Refusal> {
    let fields = ChangeFields::read(&call.body)?;
    let id = fields.text("alert", 16)?;
    let is_id = id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let fingerprint = u64::from_str_radix(&id, 16).ok().filter(|_| is_id);
    let fingerprint = fingerprint
        .ok_or_else(|| bad("`alert` must be the ID of an alert: 16 hexadecimal digits."))?;
    let lasting = fields.seconds("seconds")?;
    let person = fields.who_and_why()?;
    let (acting, who) = (Arc::clone(dashboard), call.who);
    let is_found = dashboard
        .on_pool(move || {
            let alerts = &acting.setup.alerts.alerts;
            let mut all = alerts.list().into_iter();
            let named = all.find(|it| it.fingerprint == fingerprint);
            let (by, comment) = person.clone();
            let is_found = alerts.acknowledge(fingerprint, by, comment, lasting);
            if is_found {
                let subject = named.map_or(id, |alert| documents::named(&alert));
                audit(&acting, &who, "acknowledge", &subject, &person);
            }
            is_found
        })
        .await
        .ok_or_else(unavailable)?;
    if !is_found {
        let message = "No such alert fires: it may be over.";
        return Err(Refusal::new(StatusCode::NOT_FOUND, "not_found", message));
    }
    Ok(json::object(|it| it.bool("acknowledged", true)))
}

async fn silence(dashboard: &Arc<Dashboard>, call: &AlertCall) -> Result<String, Refusal> {
    let fields = ChangeFields::read(&call.body)?;
    let texts = match fields.get("matchers") {
        Some(FlatValue::Texts(texts)) => texts.clone(),
        _ => {
            return Err(bad(
                "`matchers` must be a list of texts such as `alertname=slow-response`.",
            ));
        }
    };
    let matchers = matchers(&texts)?;
    let lasting = fields.seconds("seconds")?;
    let lasting = lasting.ok_or_else(|| bad("`seconds` must be given: a silence has an end."))?;
    let person = fields.who_and_why()?;
    let (acting, who) = (Arc::clone(dashboard), call.who);
    let number = dashboard
        .on_pool(move || {
            let (by, comment) = person.clone();
            let alerts = &acting.setup.alerts.alerts;
            let number = alerts.silence(matchers, lasting, by, comment)?;
            let subject = format!("{} for {} s", texts.join(", "), lasting.as_secs());
            audit(&acting, &who, "silence", &subject, &person);
            Ok(number)
        })
        .await
        .ok_or_else(unavailable)?
        .map_err(|error: crate::Error| {
            Refusal::new(StatusCode::CONFLICT, "conflict", error.to_string())
        })?;
    Ok(json::object(|it| it.text("silence", &number.to_string())))
}

async fn end_silence(dashboard: &Arc<Dashboard>, call: &AlertCall) -> Result<String, Refusal> {
    let fields = ChangeFields::read(&call.body)?;
    let text = fields.text("silence", 20)?;
    let number = text
        .parse()
        .map_err(|_| bad("`silence` must be the number of a silence, as a text."))?;
    let person = fields.who_and_why()?;
    let (acting, who) = (Arc::clone(dashboard), call.who);
    let has_ended = dashboard
        .on_pool(move || {
            let alerts = &acting.setup.alerts.alerts;
            let mut all = alerts.silences().into_iter();
            let silence = all.find(|it| it.number == number);
            let has_ended = alerts.end_silence(number);
            if has_ended {
                let subject = silence.map_or(text, |silence| {
                    let matchers = silence.matchers.iter().map(ToString::to_string);
                    matchers.collect::<Vec<String>>().join(", ")
                });
                audit(&acting, &who, "end silence", &subject, &person);
            }
            has_ended
        })
        .await
        .ok_or_else(unavailable)?;
    if !has_ended {
        let message = "There is no such silence: it may be over.";
        return Err(Refusal::new(StatusCode::NOT_FOUND, "not_found", message));
    }
    Ok(json::object(|it| it.bool("ended", true)))
}

/// Writes the record of a change, in the job that made it: the job goes on if the client leaves.
fn audit(
    dashboard: &Dashboard,
    who: &Requester,
    action: &'static str,
    subject: &str,
    (by, comment): &(String, String),
) {
    let change = AuditedChange {
        action,
        subject,
        by,
        comment,
    };
    audit::record(&dashboard.setup.log, who, &change);
}

/// Reads the matchers of a silence.
fn matchers(texts: &[String]) -> Result<Vec<LabelMatcher>, Refusal> {
    if texts.is_empty() || texts.len() > MAX_MATCHERS {
        return Err(bad(
            "There must be 1 to 16 matchers; without any, all alerts would be hidden.",
        ));
    }
    let parse = |text: &String| {
        text.parse()
            .map_err(|error: crate::Error| bad(&error.to_string()))
    };
    texts.iter().map(parse).collect()
}
