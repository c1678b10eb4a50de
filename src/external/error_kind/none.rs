use std::any::Any;
use std::error::Error;

/// Downcasts a value to this client's error; the client is not compiled in.
pub(super) fn downcast(any: &dyn Any) -> Option<&(dyn Error + 'static)> {
    let _ = any;
    None
}

/// Classifies the client's error.
pub(super) fn classify(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let _ = error;
    None
}
