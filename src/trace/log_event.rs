//! Records of the `log` crate that a bridge, ours or the host's, converted to `tracing` events. tracing-log gives all
//! of them the target `log` and stores the record's own target in a field.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing::{Event, Metadata};

use super::attribute_value::AttributeValue;
use super::callsites;
use crate::model::LevelDirectives;

/// The field with the record's own target.
pub(crate) const TARGET: &str = "log.target";
/// The field with the module that created the record; omitted if it equals the target.
pub(crate) const MODULE: &str = "log.module_path";
const FILE: &str = "log.file";
const LINE: &str = "log.line";

/// Whether a callsite belongs to the bridge.
pub(crate) fn is_log(metadata: &Metadata<'_>) -> bool {
    metadata.target() == "log" && metadata.fields().field(TARGET).is_some()
}

/// Returns the name under which a field of a bridged record is displayed.
pub(crate) fn shown_name(name: &'static str) -> &'static str {
    match name {
        TARGET => "target",
        FILE => "code.file.path",
        LINE => "code.line.number",
        other => other,
    }
}

/// Whether the levels enable a bridged record, by its own target. Records that `tracing` itself forwards to `log` are
/// excluded, because their event was already recorded.
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

/// Collects the fields that decide whether a bridged record is enabled.
struct BridgedRecordVisitor<'a> {
    wanted: bool,
    event: &'a Event<'a>,
    levels: &'a LevelDirectives,
    /// The hash of the file name.
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

/// Renames the fields of a bridged record to their standard names.
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
