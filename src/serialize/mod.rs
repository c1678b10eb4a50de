//! [`serde::Serialize`] for the public snapshots.
//!
//! The JSON names are listed here, in one place, so that the types stay free of attributes. Each list names every field
//! of its struct: a field that is added to a type and not here is a compile error.

mod forms;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use self::forms::{LevelWord, Map, Millis, OptionalMillis, OptionalTime, Time};
use crate::context::InFlight;
use crate::db::{DbSystem, PoolState, QueryCaller, QueryStats};
use crate::errors::{
    Breadcrumb, Cause, ErrorEvent, ErrorGroup, ErrorState, ErrorStateChange, EventKind, Frame,
    GroupedBy, TopCounts,
};
use crate::external::{Dependency, DependencyState, LastError, Limit, ModelUsage};
use crate::health::{HealthStatus, HealthVerdict};
use crate::logs::{LogRecord, RecentLogs};
use crate::metrics::CappedMetric;
use crate::model::{
    Attributes, DropReason, EventId, KeepReason, Level, Outcome, RecordKind, RecordTotals,
    ShutdownReport, SpanId, TraceId, Value,
};
use crate::monitor::{Finding, Global, GlobalReport, GlobalState, InstallReport};
use crate::system::{CgroupFigures, DiskSpace, InterfaceFigures, SystemFigures};
use crate::trace::{
    AttributeValue, KeptTrace, Span, SpanEvent, SpanKind, SpanLink, SpanStatus, StoredTrace,
    StoredTraces,
};
use crate::users::ActiveUsers;

/// Serializes types as the text that they display.
macro_rules! as_displayed {
    ($($type:ty),* $(,)?) => {
        $(impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        })*
    };
}

/// Serializes enums as the name that `as_str` returns.
macro_rules! as_name {
    ($($type:ty),* $(,)?) => {
        $(impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        })*
    };
}

/// Serializes a struct: its fields under their own names, then those that have another form as `field: Form as name`.
macro_rules! as_struct {
    ($type:ident { $($field:ident),* $(,)? } $(with { $($other:ident: $form:ident as $name:literal),* $(,)? })?) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let Self { $($field,)* $($($other,)*)? } = self;
                let fields: &[&str] = &[$(stringify!($field),)* $($($name,)*)?];
                let mut out = serializer.serialize_struct(stringify!($type), fields.len())?;
                $(out.serialize_field(stringify!($field), $field)?;)*
                $($(out.serialize_field($name, &$form($other))?;)*)?
                out.end()
            }
        }
    };
}

#[cfg(feature = "alerts")]
mod alerts;
#[cfg(feature = "history")]
mod history;

as_displayed!(TraceId, SpanId, EventId);
as_name!(
    DbSystem,
    DependencyState,
    DropReason,
    ErrorState,
    EventKind,
    Global,
    GlobalState,
    GroupedBy,
    HealthStatus,
    KeepReason,
    Level,
    Outcome,
    RecordKind,
    SpanKind,
    SpanStatus,
);

as_struct!(HealthVerdict { status, reasons });
as_struct!(QueryStats {
    system, namespace, summary, text, calls, errors, cancelled, rows, callers, other_callers, slowest_trace_id,
} with {
    total: Millis as "total_ms",
    p50: Millis as "p50_ms",
    p95: Millis as "p95_ms",
    p99: Millis as "p99_ms",
    max: Millis as "max_ms",
});
as_struct!(QueryCaller { route, calls });
as_struct!(PoolState {
    used,
    idle,
    max,
    idle_min,
    pending
});

as_struct!(Dependency {
    service, state, reason, calls, errors, timeouts, cancelled, rate, error_rate, last_error, limits,
} with {
    p95: Millis as "p95_ms",
});
as_struct!(LastError { error } with { age: Millis as "age_ms" });
as_struct!(Limit { window, limit, remaining, used_ratio } with {
    reset: OptionalMillis as "reset_ms",
    length: OptionalMillis as "length_ms",
    exhausted_in: OptionalMillis as "exhausted_in_ms",
});
as_struct!(ModelUsage { service, model, route, calls, errors, input_tokens, output_tokens, cost } with {
    day: Time as "day",
});

as_struct!(InFlight { route, trace_id } with {
    running_for: Millis as "running_for_ms",
    polled_for: OptionalMillis as "polled_for_ms",
});
as_struct!(KeptTrace { trace_id, kept, spans } with {
    start: Time as "start",
    duration: Millis as "duration_ms",
});
as_struct!(StoredTrace { trace_id, request_id, name, route, status_code, is_error, kept } with {
    start: Time as "start",
    duration: Millis as "duration_ms",
});
as_struct!(StoredTraces { traces, next } with { stored_since: OptionalTime as "stored_since" });
as_struct!(Span {
    trace_id, span_id, parent_span_id, is_root, parent_is_remote, name, kind, status, status_message, events, links,
    scope, left_out,
} with {
    start: Time as "start",
    duration: Millis as "duration_ms",
    attributes: Map as "attributes",
});
as_struct!(SpanEvent { name } with { at: Time as "at", attributes: Map as "attributes" });
as_struct!(SpanLink { trace_id, span_id } with { attributes: Map as "attributes" });

as_struct!(LogRecord { sequence, kind, target, message, trace_id, span_id, route } with {
    at: Time as "at",
    level: LevelWord as "level",
    fields: Map as "fields",
});
as_struct!(RecentLogs {
    records,
    oldest,
    newest
});

as_struct!(ErrorGroup {
    number, kind, count, last_event, error_type, message, location, route, grouped_by, grouping_version, state, changes,
    is_new, is_spiking, users, routes, releases, environments, minutes, hours, sample, samples,
} with {
    first_seen: Time as "first_seen",
    last_seen: Time as "last_seen",
});
as_struct!(ErrorStateChange { state, by, comment } with { at: Time as "at" });
as_struct!(TopCounts { names, other });
as_struct!(ErrorEvent {
    id, level, kind, causes, location, thread, trace_id, span_id, method, route, path, query, user_agent,
    client_address, user, attributes, extra, breadcrumbs, frames, fingerprint, group, resident_bytes, truncated,
} with {
    at: Time as "at",
    tags: Map as "tags",
});
as_struct!(Cause { type_name, message });
as_struct!(Breadcrumb { level, target, message } with { at: Time as "at", fields: Map as "fields" });
as_struct!(Frame {
    function,
    file,
    line,
    in_app
});

as_struct!(ActiveUsers { five_minutes, day });
as_struct!(SystemFigures {
    cpu_utilization, available_cpus, host_cpu_utilization, host_cpus, resident_memory, memory_usage, memory_limit,
    memory_utilization, open_files, max_files, threads, disk, network, cgroup, restarts,
} with {
    at: Time as "at",
    rate_interval: OptionalMillis as "rate_interval_ms",
    uptime: OptionalMillis as "uptime_ms",
});
as_struct!(DiskSpace { total, available });
as_struct!(InterfaceFigures {
    interface,
    received,
    transmitted
});
as_struct!(CgroupFigures {
    memory_limit, memory_usage, cpu_limit, cpu_periods, cpu_throttled_periods,
} with {
    cpu_throttled: OptionalMillis as "cpu_throttled_ms",
});

as_struct!(CappedMetric {
    metric,
    series,
    overflowed
});
as_struct!(GlobalReport {
    global,
    state,
    sentence
});
as_struct!(InstallReport { globals });

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Str(text) => serializer.serialize_str(text),
            Self::I64(number) => serializer.serialize_i64(*number),
            Self::F64(number) => serializer.serialize_f64(*number),
            Self::Bool(truth) => serializer.serialize_bool(*truth),
        }
    }
}

impl Serialize for AttributeValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Str(text) => serializer.serialize_str(text),
            Self::I64(number) => serializer.serialize_i64(*number),
            Self::F64(number) => serializer.serialize_f64(*number),
            Self::Bool(truth) => serializer.serialize_bool(*truth),
            Self::Array(values) => serializer.collect_seq(values),
        }
    }
}

impl Serialize for Attributes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Finding", 2)?;
        out.serialize_field("about", self.about)?;
        out.serialize_field("sentence", &self.sentence)?;
        out.end()
    }
}

/// Dropped records by the name of the reason; reasons that dropped nothing are left out.
struct DroppedByReason<'a>(&'a RecordTotals);

impl Serialize for DroppedByReason<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let counts = DropReason::ALL.map(|reason| (reason, self.0.dropped(reason)));
        serializer.collect_map(counts.into_iter().filter(|(_, count)| *count > 0))
    }
}

impl Serialize for RecordTotals {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("RecordTotals", 5)?;
        out.serialize_field("kind", &self.kind())?;
        out.serialize_field("emitted", &self.emitted())?;
        out.serialize_field("delivered", &self.delivered())?;
        out.serialize_field("spooled", &self.spooled())?;
        out.serialize_field("dropped", &DroppedByReason(self))?;
        out.end()
    }
}

impl Serialize for ShutdownReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let totals = RecordKind::ALL.map(|kind| *self.totals(kind));
        let mut out = serializer.serialize_struct("ShutdownReport", 3)?;
        out.serialize_field("complete", &self.is_complete())?;
        out.serialize_field("records", &totals)?;
        out.serialize_field("unstored", self.unstored())?;
        out.end()
    }
}
