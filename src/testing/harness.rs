use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::page::Page;
use crate::clock::{Clock, nanos};
use crate::logs::LogFormat;
use crate::monitor::{Monitor, MonitorBuilder, MonitorGuard};

/// How long a harness waits for its own worker.
const PATIENCE: Duration = Duration::from_secs(10);
/// The wall time at which a driven clock begins: 2026-01-01T00:00:00Z.
const BEGINNING: Duration = Duration::from_secs(1_767_225_600);

/// A monitor whose lines go to memory and whose clock stands until it is moved.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use tower::{Layer, Service};
/// use watchpost::testing::Harness;
///
/// let harness = Harness::new();
/// let service = tower::service_fn(async |_: http::Request<String>| {
///     Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
/// });
/// harness.layer().layer(service).call(http::Request::new(String::new())).await.unwrap();
/// assert_eq!(harness.lines().len(), 1);
/// let page = harness.page();
/// assert_eq!(page.sum("http_server_request_duration_seconds_count", &[]), 1.0);
/// # }
/// ```
#[derive(Debug)]
pub struct Harness {
    monitor: MonitorGuard,
    written: OutputBuffer,
    clock: Clock,
}

impl Harness {
    /// A harness with the defaults, without the environment.
    ///
    /// # Panics
    ///
    /// If the monitor cannot be built.
    pub fn new() -> Self {
        Self::with(|builder| builder)
    }

    /// A harness whose monitor is configured further.
    ///
    /// # Panics
    ///
    /// If the monitor cannot be built.
    pub fn with(configure: impl FnOnce(MonitorBuilder) -> MonitorBuilder) -> Self {
        Self::build(Clock::driven(BEGINNING), configure)
    }

    /// A harness under the machine's own clock.
    ///
    /// # Panics
    ///
    /// If the monitor cannot be built.
    pub fn in_real_time(configure: impl FnOnce(MonitorBuilder) -> MonitorBuilder) -> Self {
        Self::build(Clock::system(), configure)
    }

    #[expect(clippy::panic, reason = "a test that cannot begin has failed")]
    fn build(clock: Clock, configure: impl FnOnce(MonitorBuilder) -> MonitorBuilder) -> Self {
        let written = OutputBuffer::default();
        let builder = Monitor::builder("harness")
            .env(false)
            .log_format(LogFormat::Json);
        let builder = builder.console_to(written.clone()).clock(clock.clone());
        match configure(builder).build() {
            Ok(monitor) => Self {
                monitor,
                written,
                clock,
            },
            Err(error) => panic!("the harness' monitor: {error}"),
        }
    }

    /// Everything that was written so far, a line each, after a flush.
    ///
    /// # Panics
    ///
    /// If the worker does not flush within ten seconds.
    pub fn lines(&self) -> Vec<String> {
        self.written().lines().map(str::to_owned).collect()
    }

    /// Everything that was written so far, after a flush.
    ///
    /// # Panics
    ///
    /// If the worker does not flush within ten seconds.
    pub fn written(&self) -> String {
        assert!(
            self.monitor.flush_for_test(PATIENCE),
            "the worker did not flush"
        );
        let bytes = self
            .written
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The monitor's notices so far.
    pub fn notices(&self) -> Vec<String> {
        self.monitor.report().notices
    }

    /// The page that Prometheus would scrape, read back.
    pub fn page(&self) -> Page {
        Page::read(&self.monitor.metrics().render())
    }

    /// Moves the clock on. Under the machine's own clock it does nothing.
    pub fn advance(&self, by: Duration) {
        self.clock.advance(Duration::from_nanos(nanos(by)));
    }
}

impl Default for Harness {
    fn default() -> Self {
        Self::new()
    }
}

impl std::ops::Deref for Harness {
    type Target = Monitor;

    fn deref(&self) -> &Monitor {
        &self.monitor
    }
}

/// What the console's lines are written to.
#[derive(Debug, Clone, Default)]
struct OutputBuffer(Arc<Mutex<Vec<u8>>>);

impl Write for OutputBuffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
