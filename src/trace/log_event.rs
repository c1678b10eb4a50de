//! Records of the `log` crate that a bridge has turned into `tracing` events, ours or one of the host's: tracing-log
//! gives all of them the target `log` and carries the record's own in fields.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing::{Event, Metadata};

use super::attribute_value::AttributeValue;
use super::callsites;
use crate::model::LevelDirectives;

/// The record's own target.
pub(crate) const TARGET: &str = "log.target";
/// The module in which it was made; left out where it is the target.
pub(crate) const MODULE: &str = "log.module_path";
const FILE: &str = "log.file";
const LINE: &str = "log.line";

/// Whether a callsite is one of the bridge's.
pub(crate) fn is_log(metadata: &Metadata<'_>) -> bool {
    metadata.target() == "log" && metadata.fields().field(TARGET).is_some()
}

/// The name under which a field of a bridged record is shown.
pub(crate) fn shown_name(name: &'static str) -> &'static str {
    match name {
        TARGET => "target",
        FILE => "code.file.path",
        LINE => "code.line.number",
        other => other,
    }
}

/// Whether these levels want a bridged record, by its own target. What `tracing` itself hands to `log` is not wanted:
/// its event was recorded already.
#[cold]
pub(super) fn wanted(event: &Event<'_>, levels: &LevelDirectives) -> bool {
    let mut source = BridgedRecordVisitor {
        wanted: false,
        event,
        levels,
        file: None,
        line: None,
    };
    event.record(&mut source);
    let copied = source.file.zip(source.line);
    source.wanted && !copied.is_some_and(|(file, line)| callsites::contains(file, line))
}

/// What decides whether a bridged record is wanted.
struct BridgedRecordVisitor<'a> {
    wanted: bool,
    event: &'a Event<'a>,
    levels: &'a LevelDirectives,
    /// A hash of the file's name.
    file: Option<u64>,
    line: Option<u64>,
}

impl Visit for BridgedRecordVisitor<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            TARGET => self.wanted = self.levels.wants(value, *self.event.metadata().level()),
            FILE => self.file = Some(callsites::hash_of_file(value)),
            _ => {}
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == LINE {
            self.line = Some(value);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

/// Gives the fields of a bridged record the names of what they are.
pub(super) fn normalise(fields: &mut Vec<(&'static str, AttributeValue)>) {
    let of = |name: &str| {
        fields
            .iter()
            .find(|(have, _)| *have == name)
            .map(|(_, value)| value)
    };
    let same = of(TARGET).is_some_and(|target| of(MODULE) == Some(target));
    fields.retain_mut(|(name, _)| {
        let shown = shown_name(name);
        let kept = !(same && *name == MODULE);
        *name = shown;
        kept
    });
}
