use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use tokio::runtime::Handle;

use super::check::{Check, CheckFn, CheckRunner, RegisteredCheck, watch};
use super::component::ComponentStatus;
use super::config::HealthConfig;
use super::disk;
use super::readiness::Readiness;
use super::state::{CheckRules, CheckVerdict};
use super::status::SuccessDetail;
use crate::access::TokenResolver;
use crate::clock::{Clock, nanos};
use crate::db::{Probe, ProbeReport};
use crate::model::{Diagnostics, lock, lock_for_status};
use crate::system::SystemReader;

/// The maximum number of checks of one monitor; further ones are refused.
const MAX_CHECKS: usize = 256;
/// The interval of the check of the data directory.
const DISK_INTERVAL: Duration = Duration::from_secs(60);

/// The health checks of one monitor, and the services that report them. Cheap to clone; clones share everything.
///
/// Returned by [`Monitor::health`](crate::Monitor::health). The [module documentation](super) explains which endpoint
/// is for what, and what a failing check does.
#[derive(Clone)]
pub struct Health(pub(super) Arc<HealthShared>);

pub(super) struct HealthShared {
    pub(super) setup: HealthSetup,
    pub(super) checks: Mutex<Vec<Arc<RegisteredCheck>>>,
    list_components: OnceLock<Box<ListComponents>>,
    draining: AtomicBool,
    /// The time of the last request for `/readyz` plus one nanosecond; 0 if there was none.
    last_ready_request: AtomicU64,
}

/// Calls a function with the name and the status of each component.
type ListComponents = dyn Fn(&mut dyn FnMut(&str, ComponentStatus)) + Send + Sync;

/// The parts of a [`Health`].
#[derive(Debug)]
pub(crate) struct HealthSetup {
    pub(crate) config: HealthConfig,
    pub(crate) clock: Clock,
    /// The worker's runtime, on which the checks' tasks run, and their timers and sockets.
    pub(crate) handle: Handle,
    pub(crate) diagnostics: Arc<Diagnostics>,
    pub(crate) keys: TokenResolver,
    /// The service's name.
    pub(crate) service: String,
    /// The service's version.
    pub(crate) release: Option<String>,
}

impl Health {
    /// A `Health` without checks.
    pub(crate) fn new(setup: HealthSetup) -> Self {
        Self(Arc::new(HealthShared {
            setup,
            checks: Mutex::default(),
            list_components: OnceLock::new(),
            draining: AtomicBool::new(false),
            last_ready_request: AtomicU64::new(0),
        }))
    }

    /// Adds a check. It runs immediately, then at each interval; the endpoints report its last result and never run it.
    /// The returned [`Check`] changes its settings.
    ///
    /// `run` is called for each run, on its own thread within the runtime of the monitor's worker. Tokio's timers and
    /// sockets work there; blocking calls and panics are harmless.
    ///
    /// The text of an error is shown to clients with access to `/health`, cut at 1 KiB. Secrets with a known form are
    /// redacted; other secrets must not be in it. `tracing` events of a run become log records; those of a task that it
    /// spawns do not.
    ///
    /// Several checks may have the same name and are then listed under it. A monitor has at most 256 checks. A further
    /// one is not run, which the monitor reports.
    ///
    /// # Cancel safety
    ///
    /// The future of a run that exceeds its time limit is dropped, so it must be cancel safe.
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

    /// Adds the check `database`, which checks a database through its pool.
    ///
    /// The output of a failure is the driver's error. When a run exceeds its time limit, the output names what it was
    /// waiting for, and the last error since the last success, such as the reason why a pool cannot connect.
    ///
    /// The check uses an idle connection of the pool. Without one it connects by itself, with the pool's options, and
    /// closes that connection afterwards: a pool retries for longer than a check may take. It is a warning if the
    /// database responds while the pool has no free connection for a second, or if the server refuses further
    /// connections; neither makes the service unready. For `SQLite`, the file is opened and read each time. The check's
    /// statements do not count as queries.
    ///
    /// ```no_run
    /// # #[cfg(feature = "sqlx")]
    /// # fn example(monitor: &watchpost::Monitor, pool: &sqlx::SqlitePool) {
    /// monitor.health().database(pool);
    /// # }
    /// ```
    ///
    /// [`Probe`] is implemented for the pools of SQLx and deadpool-postgres and for shared clients of tokio-postgres,
    /// instrumented or not, with the features of their names. Implement it for others.
    pub fn database<P: Probe + Clone>(&self, pool: &P) -> Check {
        self.database_as("database", pool)
    }

    /// Like [`database`](Self::database), with another name for the check, for one of several databases.
    pub fn database_as<P: Probe + Clone>(
        &self,
        name: impl Into<Cow<'static, str>>,
        pool: &P,
    ) -> Check {
        let (pool, report) = (Arc::new(pool.clone()), ProbeReport::default());
        let run_report = report.clone();
        let run = move || -> std::pin::Pin<Box<dyn Future<Output = _> + Send>> {
            let (pool, report) = (Arc::clone(&pool), run_report.clone());
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
        let runner = CheckRunner {
            run: Box::new(run),
            report,
        };
        self.add_runner(name.into(), runner)
            .component_type("datastore")
    }

    /// Adds the check of the data directory: that a file can be written there, and that the disk has free space, where
    /// the system reports it; the space is one of the system's figures too. It does not make the service unready.
    pub(crate) fn check_disk(&self, directory: PathBuf, system: &Arc<SystemReader>) {
        let directory: Arc<std::path::Path> = directory.into();
        let system = Arc::clone(system);
        let run = move || -> std::pin::Pin<Box<dyn Future<Output = _> + Send>> {
            let (directory, system) = (Arc::clone(&directory), Arc::clone(&system));
            Box::pin(async move { disk::check(&directory, &system) })
        };
        self.add(Cow::Borrowed("disk"), Box::new(run))
            .critical(false)
            .interval(DISK_INTERVAL)
            .component_type("system");
    }

    /// Sets the function that lists the components of the monitor. It is called for each `/health` document, so it must
    /// neither wait nor allocate much. Later calls have no effect.
    pub(crate) fn set_components(
        &self,
        list: impl Fn(&mut dyn FnMut(&str, ComponentStatus)) + Send + Sync + 'static,
    ) {
        self.0.list_components.get_or_init(|| Box::new(list));
    }

    fn add(&self, name: Cow<'static, str>, run: Box<CheckFn>) -> Check {
        self.add_runner(
            name,
            CheckRunner {
                run,
                report: ProbeReport::default(),
            },
        )
    }

    fn add_runner(&self, name: Cow<'static, str>, runner: CheckRunner) -> Check {
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
        let check = Arc::new(RegisteredCheck::new(name, rules, clock.clone(), runner));
        let mut checks = lock(&self.0.checks);
        if checks.len() < MAX_CHECKS {
            checks.push(Arc::clone(&check));
            drop(handle.spawn(watch(Arc::clone(&check), handle.clone())));
        } else {
            diagnostics.report(format!(
                "{MAX_CHECKS} health checks have been added: further ones are not run; add checks once, \
                 at the start"
            ));
        }
        drop(checks);
        Check(check)
    }

    /// Notes a request for `/readyz`.
    pub(super) fn note_ready_request(&self) {
        let now = self.0.setup.clock.now();
        self.0
            .last_ready_request
            .store(now.saturating_add(1), Relaxed);
    }

    /// Whether `/readyz` was requested within this time.
    pub(crate) fn had_ready_request_within(&self, time: Duration) -> bool {
        let now = self.0.setup.clock.now();
        let last = self.0.last_ready_request.load(Relaxed).checked_sub(1);
        last.is_some_and(|last| now.saturating_sub(last) <= nanos(time))
    }

    /// Sets whether the service is draining, which makes it not ready.
    pub(crate) fn set_draining(&self, draining: bool) {
        self.0.draining.store(draining, Relaxed);
    }

    /// Ends all checks; the endpoints continue to report the last results.
    ///
    /// Call it before the worker's runtime ends: without it, the timer of a run in progress would panic.
    pub(crate) fn stop(&self) {
        self.0.stop();
    }

    /// Whether the service is ready for traffic.
    pub(super) fn readiness(&self) -> Readiness {
        if self.0.draining.load(Relaxed) {
            return Readiness::Draining;
        }
        let mut readiness = Readiness::Yes;
        // A child process made by `fork` may not be able to read them. The checks run in the parent only.
        let checks = lock_for_status(&self.0.checks);
        for check in checks.iter().flat_map(|checks| checks.iter()) {
            let Some(state) = check.peek_state() else {
                continue;
            };
            match (state.rules.critical, state.verdict) {
                (true, CheckVerdict::Down) => return Readiness::No,
                (true, CheckVerdict::Starting) => readiness = Readiness::Starting,
                (false, _) | (true, CheckVerdict::Up) => {}
            }
        }
        readiness
    }

    /// Calls `each` with the name and the status of each component of the monitor.
    pub(super) fn components(&self, mut each: impl FnMut(&str, ComponentStatus)) {
        if let Some(list) = self.0.list_components.get() {
            list(&mut each);
        }
    }
}

impl HealthShared {
    fn stop(&self) {
        let checks = lock(&self.checks);
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
        let checks = lock(&self.0.checks);
        f.debug_struct("Health")
            .field("draining", &self.0.draining)
            .field("checks", &checks.len())
            .finish_non_exhaustive()
    }
}
