use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::page::Page;
use crate::clock::{Clock, nanos};
use crate::logs::LogFormat;
use crate::monitor::{Monitor, MonitorBuilder, MonitorGuard};
use crate::system::SystemFigures;

/// The maximum time that a harness waits for its worker.
const PATIENCE: Duration = Duration::from_secs(10);
/// The initial wall-clock time of a manual clock: 2026-01-01T00:00:00Z.
const BEGINNING: Duration = Duration::from_secs(1_767_225_600);

/// A monitor that writes log records to memory and whose clock advances only by [`advance`](Self::advance), until
/// [`run_clock`](Self::run_clock) lets it go on.
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
    /// Creates a harness with the default settings. The environment is not read.
    ///
    /// # Panics
    ///
    /// Panics if the monitor cannot be built.
    pub fn new() -> Self {
        Self::with(|builder| builder)
    }

    /// Creates a harness and applies `configure` to the monitor's builder.
    ///
    /// # Panics
    ///
    /// Panics if the monitor cannot be built.
    pub fn with(configure: impl FnOnce(MonitorBuilder) -> MonitorBuilder) -> Self {
        Self::build(Clock::driven(BEGINNING), configure)
    }

    /// Creates a harness whose clock stands at `begin`, and applies `configure` to the monitor's builder.
    ///
    /// With [`run_clock`](Self::run_clock), a test of what is displayed can produce a day of history in some seconds and then
    /// let the time pass:
    ///
    /// ```
    /// # use std::time::{Duration, SystemTime};
    /// # use watchpost::testing::Harness;
    /// let hour = Duration::from_secs(3600);
    /// let harness = Harness::starting_at(SystemTime::now() - hour, |builder| builder);
    /// harness.advance(hour);
    /// harness.run_clock();
    /// assert!(harness.now().elapsed().unwrap_or_default() < hour);
    /// ```
    ///
    /// # Panics
    ///
    /// Panics if the monitor cannot be built.
    pub fn starting_at(
        begin: SystemTime,
        configure: impl FnOnce(MonitorBuilder) -> MonitorBuilder,
    ) -> Self {
        // A time before 1970 counts as the epoch.
        let begin = begin.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::build(Clock::driven(begin), configure)
    }

    /// Creates a harness that uses the system clock, and applies `configure` to the monitor's builder.
    ///
    /// # Panics
    ///
    /// Panics if the monitor cannot be built.
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

    /// Flushes, then returns everything written so far, one string per line.
    ///
    /// # Panics
    ///
    /// Panics if the worker does not flush within ten seconds.
    pub fn lines(&self) -> Vec<String> {
        self.written().lines().map(str::to_owned).collect()
    }

    /// Flushes, then returns everything written so far.
    ///
    /// # Panics
    ///
    /// Panics if the worker does not flush within ten seconds.
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

    /// Returns the monitor's notices so far.
    pub fn notices(&self) -> Vec<String> {
        self.monitor.report().notices
    }

    /// Renders the metrics page and returns it parsed.
    pub fn page(&self) -> Page {
        Page::read(&self.monitor.metrics().render())
    }

    /// Takes a snapshot of all metrics for the history, as the monitor does every ten seconds, and calls the hooks with the
    /// anomalies that it shows. Has no effect if no time has passed since the last one.
    #[cfg(feature = "history")]
    pub fn snapshot(&self) {
        self.monitor.store_anomalies_for_test();
        self.monitor.history().record();
        self.monitor.history().persist();
        self.monitor.call_anomaly_hooks_for_test();
    }

    /// Evaluates the alert rules, and calls the hooks of alerts, as the monitor does every 30 seconds.
    #[cfg(feature = "alerts")]
    pub fn evaluate_alerts(&self) {
        self.monitor.alerts().evaluate_for_test();
    }

    /// Stores and delivers what the channels of alerts have due, and returns the number of attempts. The monitor does so each
    /// second.
    ///
    /// # Panics
    ///
    /// Panics if no thread can be started.
    #[cfg(feature = "alerts")]
    #[expect(
        clippy::expect_used,
        reason = "a test that cannot start a thread has failed"
    )]
    pub fn deliver_notifications(&self) -> u64 {
        let alerts = self.monitor.alerts();
        // On a thread of its own, so that it works on any runtime.
        std::thread::scope(|scope| {
            let run = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .expect("a runtime");
                let handle = runtime.handle().clone();
                // The runtime is driven by this thread, and the channels by another.
                std::thread::scope(|scope| {
                    let (done, ended) = tokio::sync::oneshot::channel::<()>();
                    let delivering = scope.spawn(move || {
                        let attempts = alerts.deliver_for_test(&handle);
                        drop(done);
                        attempts
                    });
                    drop(runtime.block_on(ended));
                    delivering.join().expect("no panic")
                })
            });
            run.join().expect("no panic")
        })
    }

    /// Returns the wall time of the clock.
    pub fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_nanos(self.clock.wall(self.clock.now()))
    }

    /// Reads the figures of the system now, as the worker does every ten seconds, with those of the disk of the data
    /// directory, which its health check reads each minute. Returns them. The CPU rates, and the busy ratios of watched
    /// runtimes, cover the time since the last reading, if that is at least 100 ms.
    pub fn read_system(&self) -> SystemFigures {
        self.monitor.read_system_for_test();
        self.monitor.system()
    }

    /// Advances the clock. Has no effect on a harness that uses the system clock.
    pub fn advance(&self, by: Duration) {
        self.clock.advance(Duration::from_nanos(nanos(by)));
    }

    /// Lets the clock go on with the system's from where it stands. It can still be [advanced](Self::advance). Has no effect
    /// on a harness that uses the system clock.
    pub fn run_clock(&self) {
        self.clock.run();
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

/// The in-memory writer of the console output.
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
