use std::any::Any;
use std::error::Error;

use hyper_util::client::legacy;

/// Downcasts a value to the error of hyper-util's client.
pub(super) fn downcast(any: &dyn Any) -> Option<&(dyn Error + 'static)> {
    let error = any.downcast_ref::<legacy::Error>()?;
    Some(error)
}

/// Classifies the client's error: never, since its sources show the cause better.
pub(super) fn classify(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let _ = error;
    None
}
