//! What makes a group: the fingerprint of an event, from its own parts, its frames or its message.

mod dates;
mod fingerprint;
mod hash;
mod parameterize;
mod patterns;
mod position;

pub(super) use self::fingerprint::{
    CapturePlace, frames_fingerprint, message_fingerprint, own_fingerprint,
};
pub(super) use self::hash::{GROUPING_VERSION, GroupHash};
