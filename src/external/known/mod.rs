//! What the errors of clients say, as far as their types are known.

mod chain;
#[cfg(feature = "_client")]
mod hyper_client;
#[cfg(not(all(feature = "_client", feature = "reqwest")))]
mod nothing;
#[cfg(feature = "reqwest")]
mod reqwest;

pub(super) use self::chain::{Cause, ErrorTypes, cause};
#[cfg(not(feature = "_client"))]
use self::nothing as hyper_client;
#[cfg(not(feature = "reqwest"))]
use self::nothing as reqwest;
