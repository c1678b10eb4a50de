//! The types that all other modules share: IDs, outcomes, attributes, record kinds and their counters, notices, the
//! encoding of records, and helpers for locks and panics.

mod attributes;
mod authority;
mod body;
mod cache;
pub(crate) mod codec;
mod cut;
mod diagnostics;
mod explicit_keys;
mod global_slot;
pub(crate) mod grpc;
mod hooks;
mod host;
mod ids;
mod in_progress;
pub(crate) mod json;
mod keep_reason;
mod level;
mod level_directives;
mod lifetime;
mod lock;
mod media_type;
mod outcome;
mod panic;
mod panic_guard;
mod panic_hook;
mod record_counters;
mod sampling;
mod secret;
mod status_lock;
mod suppression;
pub(crate) mod text;
mod thread;

pub(crate) use self::attributes::within;
pub use self::attributes::{Attributes, Value};
pub use self::hooks::Subscription;
pub use self::ids::{EventId, ParseIdError, SpanId, TraceId};
pub use self::keep_reason::KeepReason;
pub use self::level::Level;
pub use self::outcome::Outcome;
pub use self::record_counters::{DropReason, RecordKind, RecordTotals, ShutdownReport};

pub(crate) use self::authority::port_of;
pub(crate) use self::body::{BodyProgress, declared_length, length};
pub(crate) use self::cache::Cache;
pub(crate) use self::cut::{LOOKAHEAD, cut, prefix};
pub(crate) use self::diagnostics::Diagnostics;
pub(crate) use self::explicit_keys::ExplicitKeys;
pub(crate) use self::global_slot::{ClaimResult, GlobalSlot};
pub(crate) use self::hooks::{HookCounts, HookList};
pub(crate) use self::host::split_host;
pub(crate) use self::ids::hex_of_byte;
pub(crate) use self::in_progress::InProgress;
pub(crate) use self::level_directives::LevelDirectives;
pub(crate) use self::lifetime::MonitorLifetime;
pub(crate) use self::lock::{lock, read_lock, recover, try_lock, write_lock};
pub(crate) use self::media_type::{is_grpc, is_media_type};
pub(crate) use self::panic::catch_panic;
pub(crate) use self::panic_guard::{DropPanicCheck, EndOnPanic, end_on_panic, flag_on_panic};
pub(crate) use self::panic_hook::{
    has_panic_hook, missed_panics, record_hook_panic, record_hook_set, record_layer_panic,
};
pub(crate) use self::record_counters::RecordCounters;
pub(crate) use self::sampling::Sampling;
pub(crate) use self::secret::Secret;
#[cfg(test)]
pub(crate) use self::status_lock::as_in_child;
pub(crate) use self::status_lock::{
    is_forked_from, lock_for_status, read_for_status, record_process, write_lock_for_drop,
};
pub(crate) use self::suppression::{
    OwnResponse, is_suppressed, suppress_thread, suppressed, unsuppressed,
};
pub(crate) use self::thread::thread_number;
