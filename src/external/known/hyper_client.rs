use std::any::Any;
use std::error::Error;

use hyper_util::client::legacy;

/// The error, if it is this client's.
pub(super) fn error(any: &dyn Any) -> Option<&(dyn Error + 'static)> {
    let error = any.downcast_ref::<legacy::Error>()?;
    Some(error)
}

/// What it says by itself: nothing that those behind it do not say better.
pub(super) fn says(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let _ = error;
    None
}
