//! What all rooms speak of: ids, outcomes, attributes, the books of what was sent and lost, notices,
//! and the mark of our own answers.

mod attributes;
mod authority;
mod body;
mod books;
mod cache;
mod cut;
mod explicit_keys;
pub(crate) mod grpc;
mod guarded;
mod hooked;
mod host;
mod ids;
pub(crate) mod json;
mod kept;
mod level;
mod life;
mod lock;
mod media_type;
mod notices;
mod outcome;
mod own;
mod peek;
mod sampling;
mod secret;
mod successive;
pub(crate) mod text;
mod thread;
mod unwind;
pub(crate) mod wire;

pub(crate) use self::attributes::within;
pub use self::attributes::{Attributes, Value};
pub use self::books::{Reason, ShutdownReport, Signal, Totals};
pub(crate) use self::explicit_keys::ExplicitKeys;
pub use self::ids::{EventId, ParseIdError, SpanId, TraceId};
pub use self::kept::Kept;
pub use self::level::Level;
pub use self::outcome::Outcome;

pub(crate) use self::authority::port_of;
pub(crate) use self::body::{Progress, declared_length, length};
pub(crate) use self::books::Books;
pub(crate) use self::cache::Cache;
pub(crate) use self::cut::{BEYOND, cut, prefix};
pub(crate) use self::guarded::{Dropping, Guarded, guarded, noted};
pub(crate) use self::hooked::{
    has_hook, hook_is_set, hook_saw_panic, layer_saw_panic, panics_missed,
};
pub(crate) use self::host::split_host;
pub(crate) use self::ids::hex_of_byte;
pub(crate) use self::life::Life;
pub(crate) use self::lock::{lock, read_lock, recover, write_lock};
pub(crate) use self::media_type::{is_grpc, is_media_type};
pub(crate) use self::notices::Notices;
pub(crate) use self::own::{OwnAnswer, as_hosts, as_own, is_own_thread, mark_own_thread};
#[cfg(test)]
pub(crate) use self::peek::as_in_child;
pub(crate) use self::peek::{is_forked_from, note_process, peek, peek_shared};
pub(crate) use self::sampling::Sampling;
pub(crate) use self::secret::Secret;
pub(crate) use self::successive::{Successive, Taken};
pub(crate) use self::thread::thread_number;
pub(crate) use self::unwind::caught;
