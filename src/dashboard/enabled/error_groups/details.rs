//! The document of one group: its events over time, its stack, what happened before, and what was decided about it.

use super::curve::{EventSteps, lengths};
use super::inbox::put_range;
use super::lookup::{ErrorRequest, find};
use super::row::{put_row, put_state, trace_of};
use crate::dashboard::enabled::json::{self, ListWriter, ObjectWriter};
use crate::dashboard::enabled::setup::DashboardSetup;
use crate::dashboard::enabled::times::millis;
use crate::errors::{Breadcrumb, ErrorEvent, ErrorGroup, Frame, TopCounts};
use crate::model::Level;

/// The maximum numbers of frames of a stack, and of fields of a breadcrumb.
const MAX_FRAMES: usize = 128;
const MAX_FIELDS: usize = 16;
/// The present rate is the mean over these minutes.
const RATE_MINUTES: usize = 5;

/// Writes the document of a group. `group` is `null` if there is no such group.
pub(in crate::dashboard::enabled) fn one(setup: &DashboardSetup, request: &ErrorRequest) -> String {
    let now = setup.now();
    let found = find(setup, request.wanted);
    let lengths = lengths(found.as_slice());
    let steps = EventSteps::new(request.range, now, lengths);
    json::object(|it| {
        it.integer("at", now);
        put_range(it, &steps);
        it.text("storage", setup.errors.error_groups().storage().as_str());
        it.optional_text("release", setup.version.as_deref());
        it.optional("group", found.as_ref(), |it, group| {
            put_row(it, group, &steps);
            put_details(it, group);
        });
    })
}

fn put_details(it: &mut ObjectWriter<'_>, group: &ErrorGroup) {
    it.text("grouped_by", group.grouped_by.as_str());
    it.integer("grouping_version", u64::from(group.grouping_version));
    let lately = group.minutes.iter().rev().take(RATE_MINUTES);
    let lately: u64 = lately.map(|it| u64::from(*it)).sum();
    it.integer("in_five_minutes", lately);
    for (name, counts) in [
        ("routes", &group.routes),
        ("in_releases", &group.releases),
        ("environments", &group.environments),
    ] {
        it.object(name, |it| put_counts(it, counts));
    }
    it.list("changes", |list| {
        for change in group.changes.iter().rev() {
            list.object(|it| {
                it.integer("at", millis(change.at));
                put_state(it, "state", &change.state);
                it.text("by", &change.by);
                it.text("comment", &change.comment);
            });
        }
    });
    it.optional("sample", group.sample.as_deref(), put_sample);
    it.list("samples", |list| {
        for event in group.samples.iter().rev() {
            list.object(|it| put_event(it, event));
        }
    });
}

fn put_counts(it: &mut ObjectWriter<'_>, counts: &TopCounts) {
    it.list("names", |list| {
        for (name, count) in &counts.names {
            list.object(|it| {
                it.text("name", name);
                it.integer("count", *count);
            });
        }
    });
    it.integer("other", counts.other);
}

/// An event as a row.
fn put_event(it: &mut ObjectWriter<'_>, event: &ErrorEvent) {
    it.text("id", &event.id.to_string());
    it.integer("at", millis(event.at));
    it.text("method", &event.method);
    it.text("route", &event.route);
    it.text("path", &event.path);
    it.text("user", &event.user);
    it.optional_text("trace_id", trace_of(event).as_deref());
    let message = event.error().map_or("", |cause| cause.message.as_str());
    it.text("message", message);
}

/// The event that is shown in full.
fn put_sample(it: &mut ObjectWriter<'_>, event: &ErrorEvent) {
    put_event(it, event);
    it.text("level", word_of(event.level));
    it.text("location", &event.location);
    it.text("thread", &event.thread);
    it.text("query", &event.query);
    it.bool("truncated", event.truncated);
    it.list("causes", |list| {
        for cause in &event.causes {
            list.object(|it| {
                it.text("type", &cause.type_name);
                it.long_text("message", &cause.message);
            });
        }
    });
    it.integer("frame_count", event.frames.len() as u64);
    it.list("frames", |list| {
        for frame in event.frames.iter().take(MAX_FRAMES) {
            list.object(|it| put_frame(it, frame));
        }
    });
    it.list("breadcrumbs", |list| {
        for crumb in &event.breadcrumbs {
            list.object(|it| put_breadcrumb(it, crumb, event));
        }
    });
    it.list("tags", |list| {
        put_pairs(
            list,
            event
                .tags
                .iter()
                .map(|(key, value)| (key.as_str(), value.as_str())),
        );
    });
}

/// The name of a level, as log lines have it.
fn word_of(level: Level) -> &'static str {
    match level {
        Level::Warning => "warn",
        level => level.as_str(),
    }
}

fn put_frame(it: &mut ObjectWriter<'_>, frame: &Frame) {
    it.text("function", &frame.function);
    it.text("file", &frame.file);
    it.integer("line", u64::from(frame.line));
    it.bool("in_app", frame.in_app);
}

fn put_breadcrumb(it: &mut ObjectWriter<'_>, crumb: &Breadcrumb, event: &ErrorEvent) {
    it.integer("at", millis(crumb.at));
    // Before the error, so most of them are below 0.
    let offset = match crumb.at.duration_since(event.at) {
        Ok(after) => after.as_secs_f64(),
        Err(before) => -before.duration().as_secs_f64(),
    };
    it.signed("at_us", (offset * 1e6) as i64);
    it.text("level", word_of(crumb.level));
    it.text("target", &crumb.target);
    it.long_text("message", &crumb.message);
    it.list("fields", |list| {
        let fields = crumb.fields.iter().take(MAX_FIELDS);
        put_pairs(
            list,
            fields.map(|(key, value)| (key.as_str(), value.as_str())),
        );
    });
}

fn put_pairs<'a>(list: &mut ListWriter<'_>, pairs: impl Iterator<Item = (&'a str, &'a str)>) {
    for (key, value) in pairs {
        list.object(|it| {
            it.text("key", key);
            it.long_text("value", value);
        });
    }
}
