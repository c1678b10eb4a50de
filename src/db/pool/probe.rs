use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::super::failure;
use crate::model::{caught, prefix};
use crate::redact;

/// Bytes of an error that is reported.
const MAX_ERROR: usize = 8 * 1024;
/// Bytes of what is added to the sentence that a run was out of time.
const MAX_TOLD: usize = 900;
/// Sources of an error that are reported with it.
const MAX_SOURCES: usize = 10;

/// How long a database that answers may leave a pool without a free connection before that is reported.
#[cfg(any(feature = "sqlx", feature = "deadpool-postgres"))]
const PATIENCE: Duration = Duration::from_secs(1);
/// From one look for a free connection to the next.
#[cfg(any(feature = "sqlx", feature = "deadpool-postgres"))]
const PAUSE: Duration = Duration::from_millis(50);

/// A database that [`Health::database`](crate::health::Health::database) can check: the pools of the features `sqlx`
/// and `deadpool-postgres`, bare or watched, shared clients of tokio-postgres, or one of your own.
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
    /// Asks the database for a sign of life. What was reported on the way is part of the check's output where this is not
    /// ready within the check's timeout; it is dropped then.
    ///
    /// It runs on the monitor's runtime: a connection that it makes must not outlive it, or the pool would hold one
    /// that ends with the monitor.
    fn probe(&self, report: &ProbeReport) -> impl Future<Output = Result<(), String>> + Send;
}

impl<P: Probe> Probe for Arc<P> {
    fn probe(&self, report: &ProbeReport) -> impl Future<Output = Result<(), String>> + Send {
        (**self).probe(report)
    }
}

/// What a probe has to report beside its result. Clones share everything.
#[derive(Clone, Default)]
pub struct ProbeReport(Arc<Mutex<Report>>);

#[derive(Default)]
struct Report {
    /// What the run under way waits for; empty for nothing.
    stage: String,
    /// The last error since the last success; empty for none.
    error: String,
    /// Why a success is a warning; empty where it is none.
    warning: String,
    /// How long the run may take.
    timeout: Duration,
}

impl ProbeReport {
    fn lock(&self) -> MutexGuard<'_, Report> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets what is waited for from now on, such as `connecting`: a check that runs out of time reports it.
    pub fn stage(&self, stage: impl Into<String>) {
        self.lock().stage = stage.into();
    }

    /// Keeps an error, with its sources, until the check succeeds; the error as a text. A check that runs out of time
    /// reports it.
    pub fn error(&self, error: &(dyn Error + 'static)) -> String {
        let text = text_of(error);
        self.lock().error.clone_from(&text);
        text
    }

    /// Makes the success of this run a warning, which makes nobody unready.
    pub fn warn(&self, sentence: impl Into<String>) {
        self.lock().warning = sentence.into();
    }

    /// Begins a run that may take this long.
    pub(crate) fn begin(&self, timeout: Duration) {
        let mut report = self.lock();
        report.timeout = timeout;
        report.stage.clear();
        report.warning.clear();
    }

    /// This long, or a quarter of the run's time where that is less.
    #[cfg(any(feature = "sqlx", feature = "deadpool-postgres"))]
    pub(in crate::db) fn at_most(&self, time: Duration) -> Duration {
        time.min(self.lock().timeout / 4)
    }

    /// Ends a run that failed.
    pub(crate) fn failed(&self, error: &str) {
        prefix(error, MAX_ERROR).clone_into(&mut self.lock().error);
    }

    /// Ends a run that succeeded; its warning.
    pub(crate) fn succeeded(&self) -> Option<String> {
        let mut report = self.lock();
        report.error.clear();
        Some(std::mem::take(&mut report.warning)).filter(|warning| !warning.is_empty())
    }

    /// What to add to the sentence that a run was out of time.
    pub(crate) fn timed_out(&self) -> String {
        let report = self.lock();
        let mut told = String::new();
        if !report.stage.is_empty() {
            told = format!(" while {}", report.stage);
        }
        if !report.error.is_empty() {
            told = format!("{told}; the last error: {}", report.error);
        }
        prefix(&redact::text(&told), MAX_TOLD).to_owned()
    }
}

/// An error with those of its sources that it does not quote, and the code of the database.
fn text_of(error: &(dyn Error + 'static)) -> String {
    let written = |error: &dyn Error| caught(|| error.to_string()).unwrap_or_default();
    let mut text = written(error);
    let mut next = caught(|| error.source()).flatten();
    for _ in 0..MAX_SOURCES {
        let Some(source) = next else { break };
        let more = written(source);
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        next = caught(|| source.source()).flatten();
    }
    if let Some(code) = failure::of_chain(error).and_then(|found| found.code) {
        text = format!("{text} ({code})");
    }
    prefix(&text, MAX_ERROR).to_owned()
}

/// Whether a server refuses a connection because it has as many as it takes: it answers those that it has.
#[cfg(any(feature = "sqlx", feature = "deadpool-postgres"))]
pub(in crate::db) fn is_full_server(error: &(dyn Error + 'static)) -> bool {
    // `too_many_connections` of PostgreSQL, and of MySQL.
    let full = ["53300", "08004"];
    let code = failure::of_chain(error).and_then(|found| found.code);
    code.is_some_and(|code| full.contains(&&*code))
}

/// Waits a while for a free connection of a pool whose database answers; where none is, that is a warning.
#[cfg(any(feature = "sqlx", feature = "deadpool-postgres"))]
pub(in crate::db) async fn wait_for_free(report: &ProbeReport, is_free: impl Fn() -> bool) {
    let patience = report.at_most(PATIENCE);
    let begun = tokio::time::Instant::now();
    while !is_free() {
        if begun.elapsed() >= patience {
            report.warn(format!(
                "the database answers, and no connection of the pool was free for {patience:?}"
            ));
            return;
        }
        tokio::time::sleep(PAUSE.min(patience)).await;
    }
}

impl fmt::Debug for ProbeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProbeReport").finish_non_exhaustive()
    }
}
