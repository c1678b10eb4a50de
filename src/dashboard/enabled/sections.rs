//! The smaller sections of the live document.

use std::time::Duration;

use super::alert_figures::{AlertReading, AlertRow, AlertSpan, MAX_SHOWN};
use super::anomaly_figures::{AnomalyRow, CardBands};
use super::changes::{millis, word_of};
use super::figures::{CardSeverity, VerdictFigures};
use super::json::{self, ObjectWriter};
use super::past::Curves;
use super::setup::{DashboardSetup, PartState};
use super::span_facts::{has_failed, integer, root_of, text};
use crate::context::InFlight;
use crate::dashboard::DashboardCard;
use crate::errors::{ErrorGroup, ErrorState};
use crate::history::{Marker, MarkerKind};
use crate::model::{DropReason, RecordKind, TraceId};
use crate::semconv;
use crate::trace::SpanStatus;

/// The maximum number of rows of a list.
pub(super) const MAX_ROWS: usize = 8;
/// The maximum number of requests in flight that are listed.
const MAX_RUNNING: usize = 5;
/// The maximum number of labels of an alert.
const MAX_LABELS: usize = 32;
/// The maximum number of findings.
const MAX_FINDINGS: usize = 16;
/// How long a group of errors is new, in milliseconds.
const NEW_FOR: u64 = 3_600_000;
/// How long a marker is shown, in milliseconds.
const MARKED_FOR: u64 = 30 * 24 * 3_600_000;
/// The maximum number of markers.
const MAX_FLAGS: usize = 100;

pub(super) fn verdict(verdict: &VerdictFigures, uptime: Option<u64>) -> String {
    json::object(|it| {
        it.text("state", verdict.word());
        it.integer("since", verdict.since);
        it.integer("uptime", uptime);
        it.integer("reason_count", verdict.reason_count as u64);
        it.list("reasons", |list| {
            for reason in &verdict.reasons {
                list.object(|it| {
                    it.text("kind", reason.kind);
                    it.text("name", &reason.name);
                    it.text("state", reason.state.as_str());
                    it.text("text", &reason.text);
                    let alert = reason.alert.as_ref();
                    it.optional_text("alert", alert.map(|(id, _)| id.as_str()));
                    let card = alert.and_then(|(_, card)| *card);
                    it.optional_text("card", card.map(DashboardCard::as_str));
                });
            }
        });
        it.optional("slow", verdict.slow_route.as_ref(), |it, slow| {
            it.text("method", &slow.method);
            it.text("route", &slow.route);
            it.number("p95", Some(slow.p95));
        });
        it.optional("where", verdict.failing_route.as_ref(), |it, failing| {
            it.optional_text("method", failing.method.as_deref());
            it.text("route", &failing.route);
            it.number("share", Some(failing.share));
        });
    })
}

/// The curves, as `points` has them and `series` begins.
pub(super) fn curves(curves: &Curves) -> String {
    json::object(|it| {
        it.integer("start", curves.start);
        it.integer("step_ms", curves.step_ms);
        it.object("values", |it| {
            for (card, values) in DashboardCard::ALL.iter().zip(&curves.values) {
                it.numbers(card.as_str(), values);
            }
        });
    })
}

/// The curves of a range.
pub(super) fn series(
    curves: &Curves,
    bands: &CardBands,
    data_from: Option<u64>,
    failed: Option<&str>,
) -> String {
    json::object(|it| {
        it.integer("start", curves.start);
        it.integer("step_ms", curves.step_ms);
        it.object("values", |it| {
            for (card, values) in DashboardCard::ALL.iter().zip(&curves.values) {
                it.numbers(card.as_str(), values);
            }
        });
        it.object("normal", |it| {
            for card in DashboardCard::ALL {
                let Some([low, high]) = bands.curves(card, curves) else {
                    continue;
                };
                it.object(card.as_str(), |it| {
                    it.numbers("low", &low);
                    it.numbers("high", &high);
                });
            }
        });
        it.list("gaps", |list| {
            for gap in &curves.gaps {
                list.object(|it| {
                    it.integer("from", gap.from);
                    it.integer("to", gap.to);
                    it.text("reason", gap.reason());
                });
            }
        });
        it.integer("data_from", data_from);
        it.optional_text("failed", failed);
    })
}

pub(super) fn day(start: u64, step: Duration, load: &[Option<f64>], spans: &[AlertSpan]) -> String {
    json::object(|it| {
        it.integer("start", start);
        it.integer(
            "step_ms",
            u64::try_from(step.as_millis()).unwrap_or(u64::MAX),
        );
        it.numbers("load", load);
        it.list("states", |list| {
            let is_shown = |span: &&AlertSpan| span.is_firing && span.severity.is_some();
            for span in spans.iter().filter(is_shown) {
                list.object(|it| {
                    it.integer("from", span.from);
                    it.integer("to", span.to);
                    it.optional_text("state", span.severity.map(CardSeverity::as_str));
                });
            }
        });
    })
}

/// The alerts of the rules, those that fire first, and the times for which they held.
pub(super) fn alerts(reading: &AlertReading) -> String {
    let [open, critical, acknowledged] = reading.counts();
    json::object(|it| {
        it.integer("rules", reading.rules as u64);
        it.integer("open", open);
        it.integer("open_critical", critical);
        it.integer("acknowledged", acknowledged);
        it.list("alerts", |list| {
            for alert in reading.alerts.iter().take(MAX_SHOWN) {
                list.object(|it| put_alert(it, alert));
            }
        });
        it.list("spans", |list| {
            for span in &reading.spans {
                list.object(|it| {
                    it.text("rule", &span.rule);
                    it.optional_text("card", span.card.map(DashboardCard::as_str));
                    it.optional_text("severity", span.severity.map(CardSeverity::as_str));
                    it.text("state", if span.is_firing { "firing" } else { "pending" });
                    it.integer("from", span.from);
                    it.integer("to", span.to);
                });
            }
        });
    })
}

pub(super) fn put_alert(it: &mut ObjectWriter<'_>, alert: &AlertRow) {
    it.text("id", &alert.id);
    it.text("rule", &alert.rule);
    it.optional_text("card", alert.card.map(DashboardCard::as_str));
    it.text("state", alert.phase.as_str());
    let severity = alert.severity.map_or("info", CardSeverity::as_str);
    it.text("severity", severity);
    it.integer("began", alert.began);
    it.integer("since", alert.since);
    it.integer("fired_at", alert.fired_at);
    it.integer("fires_at", alert.fires_at);
    it.integer("resolved_at", alert.resolved_at);
    it.number("value", alert.value);
    it.text("bound", &alert.bound);
    it.text("summary", &alert.summary);
    it.list("labels", |list| {
        for (name, value) in alert.labels.iter().take(MAX_LABELS) {
            list.object(|it| {
                it.text("name", name);
                it.text("value", value);
            });
        }
    });
    it.list("matchers", |list| {
        for matcher in alert.matchers.iter().take(MAX_LABELS) {
            list.long_text(matcher);
        }
    });
    it.optional("acknowledged", alert.acknowledged.as_ref(), |it, by| {
        it.text("by", &by.by);
        it.text("comment", &by.comment);
        it.integer("at", by.at);
        it.integer("until", by.until);
    });
    it.list("silenced_by", |list| {
        for number in alert.silenced_by.iter().take(MAX_LABELS) {
            list.long_text(&number.to_string());
        }
    });
    it.optional_text("inhibited_by", alert.inhibited_by.as_deref());
    it.bool("no_data", alert.has_no_data);
    it.bool("failed", alert.has_failed);
    it.optional_text("runbook", alert.runbook.as_deref());
}

/// The anomalies of the last day.
pub(super) fn anomalies(rows: &[AnomalyRow]) -> String {
    json::list(|list| {
        for row in rows {
            list.object(|it| {
                it.text("id", &row.number.to_string());
                it.text("episode", &row.episode.to_string());
                it.text("signal", row.card.map_or(&row.name, |card| card.as_str()));
                it.text("text", &row.text);
                it.optional("route", row.route.as_ref(), |it, (method, route)| {
                    it.text("method", method);
                    it.text("route", route);
                });
                it.integer("from", row.from);
                it.integer("to", row.to);
                it.number("value", Some(row.value));
                it.object("normal", |it| {
                    it.number("low", Some(row.low));
                    it.number("high", Some(row.high));
                });
                it.list("also", |list| {
                    for name in &row.also {
                        list.long_text(name);
                    }
                });
            });
        }
    })
}

pub(super) fn running(requests: &[InFlight]) -> String {
    json::object(|it| {
        it.integer("count", requests.len() as u64);
        it.list("requests", |list| {
            for request in requests.iter().take(MAX_RUNNING) {
                list.object(|it| {
                    it.raw("method", "null");
                    it.text("route", &request.route);
                    it.text("trace_id", &request.trace_id.to_string());
                    it.number("running_for", Some(request.running_for.as_secs_f64()));
                    let polled_for = request.polled_for.map(|time| time.as_secs_f64());
                    it.number("polled_for", polled_for);
                });
            }
        });
    })
}

/// The latest kept traces that failed or were slow.
pub(super) fn traces(setup: &DashboardSetup, latest: &[TraceId]) -> String {
    let shown = latest.iter().filter_map(|id| setup.recent.trace(*id));
    json::list(|list| {
        for trace in shown.take(MAX_ROWS) {
            list.object(|it| {
                let root = root_of(&trace);
                let text = |key| root.and_then(|root| text(root, key));
                let status = root.and_then(|it| integer(it, semconv::HTTP_RESPONSE_STATUS_CODE));
                let status = status.and_then(|status| u64::try_from(status).ok());
                let name = root.map_or("", |root| root.name.as_str());
                it.text("trace_id", &trace.trace_id.to_string());
                it.integer("at", millis(trace.start));
                it.optional_text("method", text(semconv::HTTP_REQUEST_METHOD));
                it.text("route", text(semconv::HTTP_ROUTE).unwrap_or(name));
                it.number("duration", Some(trace.duration.as_secs_f64()));
                it.integer("status", status);
                let is_error = root.is_some_and(|root| root.status == SpanStatus::Error);
                it.bool("failed", has_failed(is_error, trace.kept));
                it.text("kept", trace.kept.as_str());
            });
        }
    })
}

pub(super) fn errors(groups: &[ErrorGroup], now: u64) -> String {
    json::list(|list| {
        for group in groups.iter().take(MAX_ROWS) {
            list.object(|it| {
                it.text("id", &group.number.to_string());
                it.text("type", &group.error_type);
                it.text("message", &group.message);
                it.text("location", &group.location);
                it.text("route", &group.route);
                it.integer("count", group.count);
                let first = millis(group.first_seen);
                it.integer("first_at", first);
                it.integer("last_at", millis(group.last_seen));
                let sample = group.sample.as_ref().map(|event| event.trace_id);
                let trace = sample.filter(|id| *id != TraceId::NIL);
                it.optional_text("trace_id", trace.map(|id| id.to_string()).as_deref());
                let is_new = now.saturating_sub(first) < NEW_FOR;
                let mark = match group.state {
                    ErrorState::Regressed { .. } => Some("back"),
                    _ if group.is_spiking => Some("rising"),
                    _ => is_new.then_some("new"),
                };
                it.optional_text("mark", mark);
            });
        }
    })
}

/// The starts and marks of the last month, the oldest first.
pub(super) fn markers(markers: &[Marker], now: u64) -> String {
    let is_shown = |marker: &&Marker| {
        let age = now.saturating_sub(millis(marker.time));
        marker.kind != MarkerKind::Shutdown && age <= MARKED_FOR
    };
    let mut shown: Vec<&Marker> = markers.iter().filter(is_shown).collect();
    // A clock that was set back leaves them out of order.
    shown.sort_by_key(|marker| marker.time);
    let first = shown.len().saturating_sub(MAX_FLAGS);
    json::list(|list| {
        for marker in shown.iter().skip(first) {
            list.object(|it| {
                it.integer("at", millis(marker.time));
                it.text("kind", word_of(marker));
                it.text("text", &marker.text);
            });
        }
    })
}

pub(super) fn cost(setup: &DashboardSetup, clients: usize) -> String {
    let mut drops = Vec::new();
    for kind in RecordKind::ALL {
        let totals = setup.counters.totals(kind);
        for reason in DropReason::ALL {
            drops.push((kind.as_str(), reason.as_str(), totals.dropped(reason)));
        }
    }
    if let Some(traces) = &setup.traces {
        let lost = traces.lost();
        drops.push(("span", "no_room", lost.no_room));
        drops.push(("span", "late", lost.late));
    }
    drops.retain(|(_, _, count)| *count > 0);
    json::object(|it| {
        it.raw("cpu", "null");
        it.raw("memory", "null");
        it.integer(
            "dropped",
            drops.iter().map(|(_, _, count)| count).sum::<u64>(),
        );
        it.list("drops", |list| {
            for (signal, reason, count) in drops.iter().take(24) {
                list.object(|it| {
                    it.text("signal", signal);
                    it.text("reason", reason);
                    it.integer("count", *count);
                });
            }
        });
        it.integer("clients", clients as u64);
    })
}

/// What a new user has to do, and what works already.
pub(super) struct SetupInput<'a> {
    pub(super) has_requests: bool,
    pub(super) has_users: bool,
    pub(super) has_pools: bool,
    pub(super) mount: &'a str,
    pub(super) findings: &'a [String],
}

pub(super) fn setup(setup: &DashboardSetup, input: &SetupInput<'_>) -> String {
    json::object(|it| {
        it.bool("has_requests", input.has_requests);
        it.text("mount", input.mount);
        it.list("steps", |list| {
            for (name, done) in [
                ("install", (setup.is_installed)()),
                ("mount", true),
                ("layer", input.has_requests),
            ] {
                list.object(|it| {
                    it.text("name", name);
                    it.bool("done", done);
                });
            }
        });
        it.list("parts", |list| {
            let seen = |is_on| if is_on { PartState::On } else { PartState::Off };
            let users = ("users", seen(input.has_users), "");
            let pools = ("pools", seen(input.has_pools), "");
            let known = setup.parts.iter();
            let known = known.map(|part| (part.name, part.state, part.text.as_str()));
            for (name, state, text) in known.chain([users, pools]) {
                list.object(|it| {
                    it.text("name", name);
                    it.text("state", state.as_str());
                    it.text("text", text);
                });
            }
        });
        it.list("findings", |list| {
            for finding in input.findings.iter().take(MAX_FINDINGS) {
                // Longer than other texts: the advice stands at the end.
                list.long_text(finding);
            }
        });
    })
}

/// The state of readiness and checks in one word.
pub(super) fn overall(is_ready: bool, reasons: usize) -> CardSeverity {
    match (is_ready, reasons) {
        (false, _) => CardSeverity::Critical,
        (true, 0) => CardSeverity::Ok,
        (true, _) => CardSeverity::Warning,
    }
}
