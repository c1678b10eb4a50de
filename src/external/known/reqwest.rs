use std::any::Any;
use std::error::Error;

/// The error, if it is this client's.
pub(super) fn error(any: &dyn Any) -> Option<&(dyn Error + 'static)> {
    let error = any.downcast_ref::<reqwest::Error>()?;
    Some(error)
}

/// What it says by itself.
pub(super) fn says(error: &(dyn Error + 'static)) -> Option<&'static str> {
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
