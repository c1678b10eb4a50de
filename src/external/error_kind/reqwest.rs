use std::any::Any;
use std::error::Error;

/// Downcasts a value to reqwest's error.
pub(super) fn downcast(any: &dyn Any) -> Option<&(dyn Error + 'static)> {
    let error = any.downcast_ref::<reqwest::Error>()?;
    Some(error)
}

/// Classifies reqwest's error.
pub(super) fn classify(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let error = error.downcast_ref::<reqwest::Error>()?;
    if error.is_timeout() {
        Some("timeout")
    } else if error.is_dns() {
        Some("name_not_resolved")
    } else if error.is_redirect() {
        Some("redirect")
    } else {
        None
    }
}
