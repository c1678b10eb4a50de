//! Classifies the errors of clients whose types are known.

mod chain;
#[cfg(feature = "_client")]
mod hyper_client;
#[cfg(not(all(feature = "_client", feature = "reqwest")))]
mod none;
#[cfg(feature = "reqwest")]
mod reqwest;

pub(super) use self::chain::{ErrorCause, ErrorTypes, classify_error};
#[cfg(not(feature = "_client"))]
use self::none as hyper_client;
#[cfg(not(feature = "reqwest"))]
use self::none as reqwest;
