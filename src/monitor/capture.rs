//! Captures errors.

use super::handle::Monitor;
use crate::errors::{DurableCapture, ErrorCapture};
use crate::model::{EventId, Level};

impl Monitor {
    /// Captures an error with its sources and what is known of the current request; the event's id. Never
    /// waits, whatever the worker and the sinks do. See [`errors`](crate::errors).
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

    /// Captures a text that is no error, of at most 8 KiB; what is longer is cut.
    #[track_caller]
    pub fn capture_message(&self, level: Level, text: impl AsRef<str>) -> EventId {
        self.inner.errors.capture_message(level, text.as_ref())
    }

    /// Begins the capture of an error with more to tell: tags, extra values, a user, a level, a fingerprint.
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

    /// Captures an error at once, and waits until it is stored: from then on it survives the end of the process,
    /// however it comes. Waits two seconds at most.
    ///
    /// Without a data directory, and while the disk refuses, the event is captured in memory and
    /// [`CaptureReceipt::is_stored`](crate::errors::CaptureReceipt::is_stored) says so.
    ///
    /// # Cancel safety
    ///
    /// The event is captured by the call; dropping the future changes nothing.
    #[track_caller]
    pub fn capture_error_durable<E: std::error::Error + ?Sized>(
        &self,
        error: &E,
    ) -> DurableCapture {
        self.error_capture(error).capture_durable()
    }

    /// What gives the events of a Sentry that the service set up itself the ids of the request that they are
    /// captured in: trace id, span id and, where it has none, the transaction's name. The request's trace is
    /// kept as if the error were captured here. Outside this monitor's requests events stay as they are.
    ///
    /// The ids go into the event's context `trace`. If a transaction or span of Sentry's is active, that context links
    /// the event to it and stays; the ids are then in a context `watchpost` (`trace_id`, `span_id`), and the trace id in
    /// the tag `watchpost.trace_id`.
    ///
    /// The `sentry` of the service has to be the version that watchpost is built with, 0.49.
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
