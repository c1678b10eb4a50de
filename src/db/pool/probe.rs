use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::super::driver_error::driver_error_in_chain;
use crate::model::{catch_panic, lock, prefix};
use crate::redact;

/// Bytes of an error that is reported.
const MAX_ERROR: usize = 8 * 1024;
/// Bytes of what a probe adds to the message of a timeout.
const MAX_TIMEOUT_DETAILS: usize = 900;
/// Sources of an error that are reported with it.
const MAX_SOURCES: usize = 10;

/// Time that a pool may be without a free connection, while its database responds, before that is a warning.
#[cfg(any(feature = "sqlx", feature = "deadpool-postgres"))]
const MAX_BUSY: Duration = Duration::from_secs(1);
/// Interval between two checks for a free connection.
#[cfg(any(feature = "sqlx", feature = "deadpool-postgres"))]
const CHECK_EVERY: Duration = Duration::from_millis(50);

/// A database that [`Health::database`](crate::health::Health::database) can check.
///
/// The pools of the features `sqlx` and `deadpool-postgres` implement it, instrumented or not, and so do shared clients
/// of tokio-postgres. Implement it for a client of your own:
///
/// ```
/// use std::sync::Arc;
/// use watchpost::db::{Probe, ProbeReport};
///
/// # struct Connections;
/// # impl Connections { async fn ping(&self) -> Result<(), std::io::Error> { Ok(()) } }
/// #[derive(Clone)]
/// struct Cache(Arc<Connections>);
///
/// impl Probe for Cache {
///     async fn probe(&self, report: &ProbeReport) -> Result<(), String> {
///         report.stage("waiting for PONG");
///         self.0.ping().await.map_err(|error| report.error(&error))
///     }
/// }
/// ```
pub trait Probe: Send + Sync + 'static {
    /// Sends a cheap request to the database and waits for the response.
    ///
    /// It runs on the monitor's runtime. A connection that it opens must be closed by it: in the pool, that connection
    /// would end with the monitor.
    ///
    /// # Errors
    ///
    /// Returns a message for the check's output, made by [`ProbeReport::error`].
    ///
    /// # Cancel safety
    ///
    /// The future is dropped when the check's timeout elapses. The output then contains the state of `report`: the
    /// stage and the last error.
    fn probe(&self, report: &ProbeReport) -> impl Future<Output = Result<(), String>> + Send;
}

impl<P: Probe> Probe for Arc<P> {
    fn probe(&self, report: &ProbeReport) -> impl Future<Output = Result<(), String>> + Send {
        (**self).probe(report)
    }
}

/// What a probe reports in addition to its result. Clones share their state.
#[derive(Clone, Default)]
pub struct ProbeReport(Arc<Mutex<ProbeState>>);

#[derive(Default)]
struct ProbeState {
    /// What the current run waits for; empty for nothing.
    stage: String,
    /// The last error since the last success; empty for none.
    error: String,
    /// Why a success is a warning; empty if it is none.
    warning: String,
    /// The timeout of the run.
    timeout: Duration,
}

impl ProbeReport {
    fn lock(&self) -> MutexGuard<'_, ProbeState> {
        lock(&self.0)
    }

    /// Sets what the probe waits for from now on, such as `connecting`. A check that times out reports it.
    pub fn stage(&self, stage: impl Into<String>) {
        self.lock().stage = stage.into();
    }

    /// Returns the text of an error, with its sources and the database's code; at most 8 KiB. The report keeps it until
    /// the check succeeds: a check that times out reports it.
    pub fn error(&self, error: &(dyn Error + 'static)) -> String {
        let text = text_of(error);
        self.lock().error.clone_from(&text);
        text
    }

    /// Makes the success of this run a warning. A warning does not make the service unready.
    pub fn warn(&self, sentence: impl Into<String>) {
        self.lock().warning = sentence.into();
    }

    /// Begins a run with this timeout.
    pub(crate) fn begin(&self, timeout: Duration) {
        let mut report = self.lock();
        report.timeout = timeout;
        report.stage.clear();
        report.warning.clear();
        // The last error stays until a success, because a run that times out has none of its own.
    }

    /// The lesser of `time` and a quarter of the run's timeout.
    #[cfg(any(feature = "sqlx", feature = "deadpool-postgres"))]
    pub(in crate::db) fn at_most(&self, time: Duration) -> Duration {
        time.min(self.lock().timeout / 4)
    }

    /// Ends a run that failed.
    pub(crate) fn failed(&self, error: &str) {
        prefix(error, MAX_ERROR).clone_into(&mut self.lock().error);
    }

    /// Ends a run that succeeded. Returns its warning, if it has one.
    pub(crate) fn succeeded(&self) -> Option<String> {
        let mut report = self.lock();
        report.error.clear();
        Some(std::mem::take(&mut report.warning)).filter(|warning| !warning.is_empty())
    }

    /// What the message of a timeout adds: the stage and the last error.
    pub(crate) fn timed_out(&self) -> String {
        let report = self.lock();
        let mut details = String::new();
        if !report.stage.is_empty() {
            details = format!(" while {}", report.stage);
        }
        if !report.error.is_empty() {
            details = format!("{details}; the last error: {}", report.error);
        }
        prefix(&redact::text(&details), MAX_TIMEOUT_DETAILS).to_owned()
    }
}

/// The text of an error, with those of its sources that it does not quote, and the database's code.
fn text_of(error: &(dyn Error + 'static)) -> String {
    // `Display` and `source` are foreign code.
    let display = |error: &dyn Error| catch_panic(|| error.to_string()).unwrap_or_default();
    let mut text = display(error);
    let mut next = catch_panic(|| error.source()).flatten();
    for _ in 0..MAX_SOURCES {
        let Some(source) = next else { break };
        let more = display(source);
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        next = catch_panic(|| source.source()).flatten();
    }
    if let Some(code) = driver_error_in_chain(error).and_then(|found| found.code) {
        text = format!("{text} ({code})");
    }
    prefix(&text, MAX_ERROR).to_owned()
}

/// Whether a server refuses a connection because its limit is reached. It still serves those that it has.
#[cfg(any(feature = "sqlx", feature = "deadpool-postgres"))]
pub(in crate::db) fn is_full_server(error: &(dyn Error + 'static)) -> bool {
    /// `too_many_connections` of `PostgreSQL` and of `MySQL`.
    const TOO_MANY_CONNECTIONS: [&str; 2] = ["53300", "08004"];
    let code = driver_error_in_chain(error).and_then(|found| found.code);
    code.is_some_and(|code| TOO_MANY_CONNECTIONS.contains(&&*code))
}

/// Waits for a free connection of a pool whose database responds. Reports a warning if there is none in time.
#[cfg(any(feature = "sqlx", feature = "deadpool-postgres"))]
pub(in crate::db) async fn wait_for_free(report: &ProbeReport, is_free: impl Fn() -> bool) {
    let max_busy = report.at_most(MAX_BUSY);
    let start = tokio::time::Instant::now();
    while !is_free() {
        if start.elapsed() >= max_busy {
            report.warn(format!(
                "the database answers, and no connection of the pool was free for {max_busy:?}"
            ));
            return;
        }
        tokio::time::sleep(CHECK_EVERY.min(max_busy)).await;
    }
}

impl fmt::Debug for ProbeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProbeReport").finish_non_exhaustive()
    }
}
