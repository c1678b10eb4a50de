use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;

use super::HealthConfig;
use super::check::{Check, CheckFn, RegisteredCheck, watch};
use super::component::{ComponentStatus, SuccessDetail};
use super::disk;
use super::document::Readiness;
use super::service::{HealthPage, HealthService};
use super::state::{CheckRules, CheckVerdict};
use crate::access::{Access, Keys};
use crate::clock::{Clock, nanos};
use crate::db::{Probe, ProbeReport};
use crate::model::Diagnostics;
use crate::model::lock_for_status;

/// Checks of one monitor; more are refused.
const MAX_CHECKS: usize = 256;
/// From one look at the disk to the next.
const DISK_INTERVAL: Duration = Duration::from_secs(60);

/// The checks of one monitor and the pages that tell of them. Cheap to clone; clones share everything.
///
/// The [module page](super) says which page is for whom and what a failing check does.
#[derive(Clone)]
pub struct Health(pub(super) Arc<HealthShared>);

pub(super) struct HealthShared {
    pub(super) setup: HealthSetup,
    pub(super) checks: Mutex<Vec<Arc<RegisteredCheck>>>,
    readings: OnceLock<Box<ListComponents>>,
    draining: AtomicBool,
    /// When `/readyz` was last asked, plus one; 0: never.
    ready_asked: AtomicU64,
}

/// Hands each reading and its name to the given function.
type ListComponents = dyn Fn(&mut dyn FnMut(&str, ComponentStatus)) + Send + Sync;

/// What a [`Health`] is made of.
#[derive(Debug)]
pub(crate) struct HealthSetup {
    pub(crate) config: HealthConfig,
    pub(crate) clock: Clock,
    /// The worker's runtime: it waits for the checks and drives their timers and sockets.
    pub(crate) handle: Handle,
    pub(crate) diagnostics: Arc<Diagnostics>,
    pub(crate) keys: Keys,
    /// The service's name.
    pub(crate) service: String,
    /// The version that runs.
    pub(crate) release: Option<String>,
}

impl Health {
    /// No checks yet.
    pub(crate) fn new(setup: HealthSetup) -> Self {
        Self(Arc::new(HealthShared {
            setup,
            checks: Mutex::default(),
            readings: OnceLock::new(),
            draining: AtomicBool::new(false),
            ready_asked: AtomicU64::new(0),
        }))
    }

    /// Adds a check. It first runs at once, then each interval, whether anyone asks or not; a page tells
    /// the last result. The value that comes back changes its settings.
    ///
    /// `run` is called once a run, on a thread for that run, within the runtime of the monitor's worker:
    /// Tokio's timers and sockets work in it, a blocking call is no harm, and neither is a panic. A future
    /// that is not ready in time is dropped, so it must be cancel safe. The text of an error stands on
    /// the detailed page, cut at 1 KiB; secrets of a known shape are taken out, others it must not have.
    /// Its `tracing` events become lines, those of a task that it spawns there do not.
    ///
    /// Two checks may have one name; both are listed under it. After 256 checks a further one is not
    /// added, which the monitor says.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # fn checks(health: &watchpost::health::Health) {
    /// health.check("cache", || async {
    ///     tokio::net::TcpStream::connect("127.0.0.1:6379").await.map(drop)
    /// });
    /// # }
    /// ```
    pub fn check<F, Fut, E>(&self, name: impl Into<Cow<'static, str>>, run: F) -> Check
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: fmt::Display,
    {
        self.add(
            name.into(),
            Box::new(move || {
                let ran = run();
                Box::pin(async move {
                    match ran.await {
                        Ok(()) => Ok(SuccessDetail::default()),
                        Err(error) => Err(error.to_string()),
                    }
                })
            }),
        )
    }

    /// Adds the check `database`: whether a database answers, through its pool. As [`check`](Self::check), its output
    /// is the driver's error; where a run is out of time it says what was waited for and the last error since the last
    /// success, such as the reason for which a pool makes no connection.
    ///
    /// An idle connection of the pool is asked. Where there is none, the check connects by itself, with the pool's
    /// options, and closes that connection: a pool would go on trying until its own time is up, which is longer than a
    /// check may take. A database that answers while the pool has no free connection for a second is a warning, and so is
    /// a server that has no room for one connection more: neither makes the service unready. Of `SQLite` the file is
    /// opened and read each time. What is executed here counts with no query.
    ///
    /// ```no_run
    /// # #[cfg(feature = "sqlx")]
    /// # fn example(monitor: &watchpost::Monitor, pool: &sqlx::SqlitePool) {
    /// monitor.health().database(pool);
    /// # }
    /// ```
    ///
    /// The pools of SQLx and deadpool-postgres and shared clients of tokio-postgres are probes, bare or watched, with the
    /// features of their names; see [`Probe`] for others.
    pub fn database<P: Probe + Clone>(&self, pool: &P) -> Check {
        self.database_as("database", pool)
    }

    /// As [`database`](Self::database), by this name: for one of several.
    pub fn database_as<P: Probe + Clone>(
        &self,
        name: impl Into<Cow<'static, str>>,
        pool: &P,
    ) -> Check {
        let (pool, report) = (Arc::new(pool.clone()), ProbeReport::default());
        let reports = report.clone();
        let run = move || -> std::pin::Pin<Box<dyn Future<Output = _> + Send>> {
            let (pool, report) = (Arc::clone(&pool), reports.clone());
            Box::pin(async move {
                match pool.probe(&report).await {
                    Ok(()) => Ok(SuccessDetail {
                        warning: report.succeeded(),
                        ..SuccessDetail::default()
                    }),
                    Err(error) => {
                        report.failed(&error);
                        Err(error)
                    }
                }
            })
        };
        self.add_reporting(name.into(), Box::new(run), report)
            .component_type("datastore")
    }

    /// Adds the check of the data directory: that a file can be written there, and how much room is left
    /// where the system tells. It makes nobody unready.
    pub(crate) fn watch_disk(&self, directory: PathBuf) {
        let directory: Arc<std::path::Path> = directory.into();
        let run = move || -> std::pin::Pin<Box<dyn Future<Output = _> + Send>> {
            let directory = Arc::clone(&directory);
            Box::pin(async move { disk::look(&directory) })
        };
        self.add(Cow::Borrowed("disk"), Box::new(run))
            .critical(false)
            .interval(DISK_INTERVAL)
            .component_type("system");
    }

    /// Hands over what tells of the monitor's own parts: called whenever the detailed page is made, so it
    /// must neither wait nor allocate much. The first one stands.
    pub(crate) fn watch_parts(
        &self,
        readings: impl Fn(&mut dyn FnMut(&str, ComponentStatus)) + Send + Sync + 'static,
    ) {
        self.0.readings.get_or_init(|| Box::new(readings));
    }

    fn add(&self, name: Cow<'static, str>, run: Box<CheckFn>) -> Check {
        self.add_reporting(name, run, ProbeReport::default())
    }

    fn add_reporting(
        &self,
        name: Cow<'static, str>,
        run: Box<CheckFn>,
        report: ProbeReport,
    ) -> Check {
        let HealthSetup {
            config,
            clock,
            handle,
            diagnostics,
            ..
        } = &self.0.setup;
        let rules = CheckRules {
            timeout: config.timeout,
            interval: config.interval,
            failures: config.failures,
            successes: config.successes,
            critical: true,
        };
        let check = Arc::new(RegisteredCheck::new(
            name,
            rules,
            clock.clone(),
            (run, report),
        ));
        let mut checks = self.0.checks.lock().unwrap_or_else(PoisonError::into_inner);
        if checks.len() < MAX_CHECKS {
            checks.push(Arc::clone(&check));
            drop(handle.spawn(watch(Arc::clone(&check), handle.clone())));
        } else {
            diagnostics.report(format!(
                "{MAX_CHECKS} health checks have been added: further ones are not run. Add checks once, \
                 at the start."
            ));
        }
        drop(checks);
        Check(check)
    }

    /// The page that says that the process lives: `200`, `ok`, whatever else is wrong.
    pub fn livez(&self) -> HealthService {
        HealthService::new(self, HealthPage::Live)
    }

    /// The page that says whether to send traffic here: `200` and `ok`, or `503` and `starting`,
    /// `draining` or `not ready`. No detail stands on it, so it may be open.
    pub fn readyz(&self) -> HealthService {
        HealthService::new(self, HealthPage::Ready)
    }

    /// The page for people and monitors, in `application/health+json`: the overall status for anybody, all
    /// checks for whom `access` admits.
    pub fn details(&self, access: Access) -> HealthService {
        self.0.setup.keys.resolve(&access);
        HealthService::new(self, HealthPage::Details(access))
    }

    /// `/readyz` is being asked.
    pub(super) fn note_ready_asked(&self) {
        let now = self.0.setup.clock.now();
        self.0.ready_asked.store(now.saturating_add(1), Relaxed);
    }

    /// Whether anything has asked `/readyz` within this time.
    pub(crate) fn ready_asked_within(&self, time: Duration) -> bool {
        let now = self.0.setup.clock.now();
        let asked = self.0.ready_asked.load(Relaxed).checked_sub(1);
        asked.is_some_and(|asked| now.saturating_sub(asked) <= nanos(time))
    }

    /// Says whether the service is on its way out: the readiness page then says `draining`.
    pub(crate) fn drain(&self, draining: bool) {
        self.0.draining.store(draining, Relaxed);
    }

    /// Ends all checks; the pages go on to tell the last results. To be called before the worker's runtime
    /// ends: a timer of a check that is still under way would panic without it.
    pub(crate) fn stop(&self) {
        self.0.stop();
    }

    /// Whether traffic should come here.
    pub(super) fn ready(&self) -> Readiness {
        if self.0.draining.load(Relaxed) {
            return Readiness::Draining;
        }
        let mut ready = Readiness::Yes;
        // In a child made by `fork`, what the parent was at cannot be read: the checks run in the parent alone.
        let checks = lock_for_status(&self.0.checks);
        for check in checks.iter().flat_map(|checks| checks.iter()) {
            let Some(state) = check.seen() else { continue };
            match (state.rules.critical, state.verdict) {
                (true, CheckVerdict::Down) => return Readiness::No,
                (true, CheckVerdict::Starting) => ready = Readiness::Starting,
                (false, _) | (true, CheckVerdict::Up) => {}
            }
        }
        ready
    }

    /// The monitor's own parts, each with its name.
    pub(super) fn parts(&self, mut each: impl FnMut(&str, ComponentStatus)) {
        if let Some(readings) = self.0.readings.get() {
            readings(&mut each);
        }
    }
}

impl HealthShared {
    fn stop(&self) {
        let checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner);
        checks.iter().for_each(|check| check.end());
    }
}

impl Drop for HealthShared {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let checks = self.0.checks.lock().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("Health")
            .field("draining", &self.0.draining)
            .field("checks", &checks.len())
            .finish_non_exhaustive()
    }
}
