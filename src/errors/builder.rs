use std::borrow::Cow;
use std::error::Error;
use std::panic::Location;
use std::sync::Arc;

use super::capture::CaptureInput;
use super::chain::put_chain;
use super::details::CaptureDetails;
use super::durable::DurableCapture;
use super::shared::CaptureState;
use super::tracker::ErrorTracker;
use crate::model::{EventId, Level, Value};
use crate::record::ErrorKind;

/// A builder for the capture of one error, made by [`Monitor::error_capture`](crate::Monitor::error_capture).
///
/// Nothing is captured before [`capture`](Self::capture) or [`capture_durable`](Self::capture_durable). Texts beyond
/// their limits are cut, further entries are left out, and the event is then marked as
/// [`truncated`](crate::errors::ErrorEvent::truncated).
///
/// ```
/// # fn main() -> watchpost::Result<()> {
/// # let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
/// use watchpost::Level;
///
/// let error = std::io::Error::other("the disk is gone");
/// let id = monitor
///     .error_capture(&error)
///     .level(Level::Fatal)
///     .tag("disk", "sda")
///     .extra("free_bytes", 0)
///     .user("u-17")
///     .capture();
/// assert!(!id.is_nil());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "nothing is captured before `.capture()`"]
pub struct ErrorCapture<'a, E: ?Sized> {
    shared: Arc<CaptureState>,
    error: &'a E,
    level: Level,
    location: &'static Location<'static>,
    details: Box<CaptureDetails>,
}

impl<'a, E: Error + ?Sized> ErrorCapture<'a, E> {
    #[track_caller]
    pub(crate) fn new(errors: &ErrorTracker, error: &'a E) -> Self {
        Self {
            shared: Arc::clone(&errors.shared),
            error,
            level: Level::Error,
            location: Location::caller(),
            details: Box::default(),
        }
    }

    /// Sets the severity. Default: [`Level::Error`].
    pub fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// Sets a tag, by which the event can be searched. It replaces an earlier tag with this key.
    ///
    /// An event has at most 50 tags, with keys of 32 bytes and values of 200 bytes.
    pub fn tag(mut self, key: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        self.details.set_tag(key.as_ref(), value.as_ref());
        self
    }

    /// Sets an extra attribute. It replaces an earlier attribute with this key.
    ///
    /// All extra attributes of an event have at most 12 KiB. The log record shows tags and extra attributes in one
    /// object; where a tag has the same key, it shows the extra attribute.
    pub fn extra(mut self, key: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        self.details.set_extra(key, value);
        self
    }

    /// Sets the user whom the error concerns: an ID rather than a name, at most 256 bytes. Default: the user of the
    /// current request.
    pub fn user(mut self, user: impl AsRef<str>) -> Self {
        self.details.set_user(user.as_ref());
        self
    }

    /// Adds a part of the fingerprint. Events with equal fingerprints form one group, regardless of their type, frames
    /// and message.
    ///
    /// A fingerprint has at most eight parts of 256 bytes. The part `{{ default }}` represents the type and the message
    /// with placeholders.
    pub fn fingerprint(mut self, part: impl AsRef<str>) -> Self {
        self.details.push_fingerprint_part(part.as_ref());
        self
    }

    /// Captures the error and returns a future that completes when the event is on disk. See
    /// [`Monitor::capture_error_durable`](crate::Monitor::capture_error_durable).
    ///
    /// # Cancel safety
    ///
    /// The call itself captures the error; dropping the future cancels only the wait.
    pub fn capture_durable(self) -> DurableCapture {
        self.shared.capture_durable(&self.input(), |out| {
            put_chain(out, self.error, self.shared.read_driver_error)
        })
    }

    /// Captures the error and returns the event's ID. It never blocks. The ID is nil on a thread of this crate, where
    /// nothing is captured.
    pub fn capture(self) -> EventId {
        self.shared.capture(&self.input(), |out| {
            put_chain(out, self.error, self.shared.read_driver_error)
        })
    }

    fn input(&self) -> CaptureInput<'_> {
        CaptureInput {
            kind: ErrorKind::Error,
            event: EventId::random(),
            level: self.level,
            location: self.location,
            details: Some(&self.details),
        }
    }
}
