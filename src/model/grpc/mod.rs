//! What gRPC messages say of the status of a call: in headers, in trailers, and in the body for gRPC-Web.

#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the readers of bodies come next")
)]
mod frames;
mod status;

#[expect(unused_imports, reason = "the readers of bodies come next")]
pub(crate) use self::frames::Frames;
pub(crate) use self::status::{Status, is_method};
