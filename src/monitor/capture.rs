//! The error capture methods of [`Monitor`].

use super::handle::Monitor;
use crate::errors::{DurableCapture, ErrorCapture};
use crate::model::{EventId, Level};

impl Monitor {
    /// Captures an error with its sources and the context of the current request; returns the event's ID. Never blocks,
    /// even if the worker or a sink does. See [`errors`](crate::errors).
    ///
    /// ```
    /// # fn main() -> watchpost::Result<()> {
    /// # let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
    /// let id = monitor.capture_error(&std::io::Error::other("the disk is gone"));
    /// assert_eq!(id.to_string().len(), 32);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn capture_error<E: std::error::Error + ?Sized>(&self, error: &E) -> EventId {
        self.inner.errors.capture_error(error)
    }

    /// Captures a message that is not an error. Text beyond 8 KiB is truncated.
    #[track_caller]
    pub fn capture_message(&self, level: Level, text: impl AsRef<str>) -> EventId {
        self.inner.errors.capture_message(level, text.as_ref())
    }

    /// Creates a capture of an error to which tags, extra values, a user, a level or a fingerprint can be added.
    ///
    /// ```
    /// # fn main() -> watchpost::Result<()> {
    /// # let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
    /// let error = std::io::Error::other("the disk is gone");
    /// monitor.error_capture(&error).tag("disk", "sda").extra("free_bytes", 0).user("u-17").capture();
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn error_capture<'a, E: std::error::Error + ?Sized>(
        &self,
        error: &'a E,
    ) -> ErrorCapture<'a, E> {
        ErrorCapture::new(&self.inner.errors, error)
    }

    /// Captures an error immediately and returns a future that waits until the event is stored on disk, for at most two
    /// seconds. A stored event survives any end of the process.
    ///
    /// Without a data directory, or while writes to the disk fail, the event is captured in memory and
    /// [`CaptureReceipt::is_stored`](crate::errors::CaptureReceipt::is_stored) returns `false`.
    ///
    /// # Cancel safety
    ///
    /// The call itself captures the event; dropping the future has no effect on it.
    #[track_caller]
    pub fn capture_error_durable<E: std::error::Error + ?Sized>(
        &self,
        error: &E,
    ) -> DurableCapture {
        self.error_capture(error).capture_durable()
    }

    /// Returns an integration for the service's own Sentry client. It adds the IDs of the current request to the
    /// client's events: the trace ID, the span ID and, if the event has none, the transaction name. The request's trace
    /// is kept, as if the error had been captured by this monitor. Events outside this monitor's requests are not
    /// changed.
    ///
    /// The IDs are set in the event's context `trace`. If a Sentry transaction or span is active, that context already
    /// links the event to it and is not changed. The IDs are then set in a context `watchpost` (`trace_id`, `span_id`),
    /// and the trace ID also in the tag `watchpost.trace_id`.
    ///
    /// The service must use the version of `sentry` that watchpost is built with, 0.49.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> watchpost::Result<()> {
    /// let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
    /// let options = sentry::ClientOptions::new().add_integration(monitor.sentry_integration());
    /// let _sentry = sentry::init(options);
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "sentry")]
    pub fn sentry_integration(&self) -> crate::errors::SentryIntegration {
        self.inner.errors.sentry_integration()
    }
}
