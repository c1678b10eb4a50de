//! What gRPC messages say of the status of a call: in headers, in trailers, and in the body for gRPC-Web.

mod call;
mod frames;
mod status;

pub(crate) use self::call::Call;
pub(crate) use self::frames::Frames;
pub(crate) use self::status::{Status, is_method, rpc_method};
