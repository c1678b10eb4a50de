//! Captures without a reference to a monitor.

use std::error::Error;
use std::ops::DerefMut;

use super::registry::{count_unrouted, current};
use super::tracker::ErrorTracker;
use crate::model::{EventId, Level, catch_panic};

/// Captures an error with the monitor of the current request, or else with the installed monitor. Returns the event's
/// ID.
///
/// Without either monitor nothing is captured: the event is counted in `watchpost_errors_unrouted_total` of every
/// monitor, and the ID is nil. It never blocks and never panics.
///
/// [`Monitor::capture_error`](crate::Monitor::capture_error) does the same with a given monitor, and
/// [`ResultExt::capture`] in front of a `?`.
///
/// ```
/// if let Err(error) = "x".parse::<u8>() {
///     watchpost::capture_error(&error);
/// }
/// ```
///
/// An `anyhow::Error`, an `eyre::Report` and a `Box<dyn Error>` do not implement `Error`, but dereference to a type
/// that does:
///
/// ```
/// fn load() -> anyhow::Result<()> {
///     anyhow::bail!("the configuration is empty")
/// }
///
/// if let Err(error) = load() {
///     watchpost::capture_error(&*error);
/// }
/// ```
#[track_caller]
pub fn capture_error<E: Error + ?Sized>(error: &E) -> EventId {
    if let Some(shared) = current() {
        ErrorTracker { shared }.capture_error(error)
    } else {
        count_unrouted();
        EventId::NIL
    }
}

/// Captures a text as an event, as [`capture_error`] captures an error. A longer text is cut at 8 KiB.
///
/// ```
/// use watchpost::Level;
///
/// watchpost::capture_message(Level::Warning, "the cache was rebuilt");
/// ```
#[track_caller]
pub fn capture_message(level: Level, text: impl AsRef<str>) -> EventId {
    if let Some(shared) = current() {
        ErrorTracker { shared }.capture_message(level, text.as_ref())
    } else {
        count_unrouted();
        EventId::NIL
    }
}

/// Captures the error of a result that is passed on.
///
/// It is implemented for results whose error
///
/// - implements [`Error`], or
/// - owns an error behind a pointer, as `anyhow::Error`, `eyre::Report` and `Box<dyn Error + Send + Sync>` do.
///
/// `Via` distinguishes the two and is always inferred.
///
/// ```
/// use watchpost::ResultExt;
///
/// fn port(text: &str) -> Result<u16, std::num::ParseIntError> {
///     let port = text.parse::<u16>().capture()?;
///     Ok(port)
/// }
/// assert!(port("none").is_err());
/// ```
///
/// With anyhow, eyre or a boxed error:
///
/// ```
/// use watchpost::ResultExt;
///
/// fn with_anyhow(path: &str) -> anyhow::Result<String> {
///     use anyhow::Context;
///
///     let text = std::fs::read_to_string(path).context("the prices cannot be read").capture()?;
///     Ok(text)
/// }
///
/// fn with_eyre(path: &str) -> eyre::Result<String> {
///     use eyre::WrapErr;
///
///     let text = std::fs::read_to_string(path).wrap_err("the prices cannot be read").capture()?;
///     Ok(text)
/// }
///
/// fn boxed(path: &str) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
///     Ok(std::fs::read_to_string(path).capture()?)
/// }
///
/// assert!(with_anyhow("gone").is_err() && with_eyre("gone").is_err() && boxed("gone").is_err());
/// ```
pub trait ResultExt<Via>: Sized {
    /// Returns the result unchanged; an error in it is captured as by [`capture_error`].
    #[must_use = "the error is captured, not handled"]
    #[track_caller]
    fn capture(self) -> Self;
}

impl<T, E: Error> ResultExt<via::Direct> for Result<T, E> {
    #[track_caller]
    fn capture(self) -> Self {
        if let Err(error) = &self {
            capture_error(error);
        }
        self
    }
}

// `DerefMut`, not `Deref`: an `Arc<dyn Error>` dereferences to an error and implements `Error`, so that the compiler
// could not choose between the two implementations. No type of the standard library does both with `DerefMut`.
impl<T, E: DerefMut<Target: via::ErasedError>> ResultExt<via::Pointer> for Result<T, E> {
    #[track_caller]
    fn capture(self) -> Self {
        // `deref` may be code of the host.
        if let Err(error) = &self
            && let Some(error) = catch_panic(|| &**error)
        {
            capture_error(error);
        }
        self
    }
}

/// How a result's error is converted to an [`Error`].
#[expect(
    unnameable_types,
    reason = "sealed: the compiler infers the types, and nobody implements the trait"
)]
mod via {
    use std::error::Error;

    /// The error implements it.
    #[derive(Debug)]
    pub enum Direct {}

    /// The error dereferences to an [`ErasedError`].
    #[derive(Debug)]
    pub enum Pointer {}

    /// An error whose type is erased. A pointer to an error of a known type, such as `Box<io::Error>`, implements
    /// [`Error`] itself.
    pub trait ErasedError: Error {}

    impl ErasedError for dyn Error {}
    impl ErasedError for dyn Error + Send {}
    impl ErasedError for dyn Error + Send + Sync {}
}
