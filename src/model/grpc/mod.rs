//! The status of a gRPC call, from headers, trailers, or the body of gRPC-Web.

mod call;
mod frames;
mod status;

pub(crate) use self::call::Call;
pub(crate) use self::frames::Frames;
pub(crate) use self::status::{Status, is_method, rpc_method};
