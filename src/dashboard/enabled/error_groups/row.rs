//! What a list says of a group.

use super::curve::EventSteps;
use crate::dashboard::enabled::json::ObjectWriter;
use crate::dashboard::enabled::times::millis;
use crate::errors::{ErrorEvent, ErrorGroup, ErrorState, Mute, ResolvedBy};
use crate::model::TraceId;

/// Writes the members that a row and the page of a group share.
pub(super) fn put_row(it: &mut ObjectWriter<'_>, group: &ErrorGroup, steps: &EventSteps) {
    it.text("id", &group.number.to_string());
    it.text("kind", group.kind.as_str());
    it.text("type", &group.error_type);
    it.text("message", &group.message);
    it.text("location", &group.location);
    it.optional_text("culprit", culprit(group));
    it.text("route", &group.route);
    it.integer("count", group.count);
    it.integer("in_range", steps.events(group));
    it.integer("users", group.users);
    it.integer("first_at", millis(group.first_seen));
    it.integer("last_at", millis(group.last_seen));
    it.bool("is_new", group.is_new);
    it.bool("is_spiking", group.is_spiking);
    put_state(it, "state", &group.state);
    let resolution = group.changes.iter().rev().find_map(|it| match &it.state {
        ErrorState::Resolved { by, .. } => Some(by),
        _ => None,
    });
    it.optional("last_resolution", resolution, put_resolution);
    let releases = group.releases.names.iter();
    it.list("releases", |list| {
        for (name, _) in releases {
            list.long_text(name);
        }
    });
    let trace = latest_trace(group);
    it.optional_text("trace_id", trace.map(|id| id.to_string()).as_deref());
    it.list("curve", |list| {
        for count in steps.of(group) {
            list.raw(&count.to_string());
        }
    });
}

/// The function of the service in which it occurs.
fn culprit(group: &ErrorGroup) -> Option<&str> {
    let frames = group.sample.as_ref().map(|event| event.frames.iter());
    let mut frames = frames.into_iter().flatten();
    let frame = frames.find(|frame| frame.in_app)?;
    Some(frame.function.as_str())
}

/// The trace of the latest sample that has one.
fn latest_trace(group: &ErrorGroup) -> Option<TraceId> {
    let samples = group.samples.iter().rev();
    samples
        .map(|event| event.trace_id)
        .find(|id| *id != TraceId::NIL)
}

pub(super) fn trace_of(event: &ErrorEvent) -> Option<String> {
    let id = Some(event.trace_id).filter(|id| *id != TraceId::NIL);
    id.map(|id| id.to_string())
}

/// Writes a state with what belongs to it.
pub(super) fn put_state(it: &mut ObjectWriter<'_>, key: &str, state: &ErrorState) {
    it.object(key, |it| {
        it.text("name", state.as_str());
        match state {
            ErrorState::Open => {}
            ErrorState::Resolved { at, by } => {
                it.integer("at", millis(*at));
                it.object("resolution", |it| put_resolution(it, by));
            }
            ErrorState::Regressed { at, resolved_at } => {
                it.integer("at", millis(*at));
                it.integer("resolved_at", millis(*resolved_at));
            }
            ErrorState::Muted { at, until } => {
                it.integer("at", millis(*at));
                it.object("mute", |it| match until {
                    Mute::Until(time) => it.integer("until", millis(*time)),
                    Mute::UntilMoreThan { events, period } => {
                        it.integer("events", *events);
                        it.integer("period", period.as_secs());
                    }
                });
            }
        }
    });
}

fn put_resolution(it: &mut ObjectWriter<'_>, by: &ResolvedBy) {
    let (word, release) = match by {
        ResolvedBy::Now => ("now", None),
        ResolvedBy::Release(release) => ("this_release", Some(release)),
        ResolvedBy::ReleaseAfter(release) => ("next_release", Some(release)),
    };
    it.text("in", word);
    it.optional_text("release", release.map(String::as_str));
}
