use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::forms::{Map, OptionalTime, Time};
use crate::alerts::{
    Acknowledgement, Alert, AlertState, AlertTransition, NotificationReason, Severity, Silence,
    TransitionReason,
};

/// A number of 64 bits in hexadecimal, since numbers of JavaScript have 53.
struct Hex<'a>(&'a u64);

impl Serialize for Hex<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:016x}", self.0))
    }
}

as_name!(AlertState, NotificationReason, Severity, TransitionReason);
as_displayed!(crate::alerts::LabelMatcher);

as_struct!(Alert {
    rule, severity, state, value, bound, has_no_data, has_failed, acknowledged, silenced_by, inhibited_by, runbook,
} with {
    labels: Map as "labels",
    annotations: Map as "annotations",
    fingerprint: Hex as "fingerprint",
    since: Time as "since",
    fired_at: OptionalTime as "fired_at",
    resolved_at: OptionalTime as "resolved_at",
});
as_struct!(Acknowledgement { by, comment } with {
    at: Time as "at",
    until: OptionalTime as "until",
});
as_struct!(AlertTransition { from, to, reason, value, rule } with {
    at: Time as "at",
    labels: Map as "labels",
});
as_struct!(Silence { number, matchers, author, comment } with {
    starts: Time as "starts",
    ends: Time as "ends",
});
