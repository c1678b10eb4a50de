use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::state::{CheckRules, CheckState, NextStep, timeout_error};
use super::status::CheckResult;
use crate::clock::Clock;
use crate::db::ProbeReport;
use crate::model::{lock, lock_for_status, prefix, suppress_thread, unsuppressed};
use crate::redact;

/// The maximum number of bytes of a check's text that are kept.
const MAX_OUTPUT: usize = 1024;
/// The maximum number of bytes of a check's text that are read.
const MAX_READ: usize = 64 * 1024;

/// Begins one run.
pub(super) type CheckFn =
    dyn Fn() -> Pin<Box<dyn Future<Output = CheckResult> + Send>> + Send + Sync;

/// A check that was added to [`Health`](super::Health). Its methods change its settings at any time.
///
/// Dropping this value changes nothing: the check runs for as long as its `Health` exists.
///
/// ```no_run
/// # async fn ping() -> Result<(), std::io::Error> { Ok(()) }
/// # fn checks(health: &watchpost::health::Health) {
/// use std::time::Duration;
///
/// health.check("database", ping).component_type("datastore");
/// health
///     .check("mail", || async { Err::<(), _>("the relay is not configured") })
///     .critical(false)
///     .interval(Duration::from_secs(60));
/// # }
/// ```
#[derive(Clone)]
pub struct Check(pub(super) Arc<RegisteredCheck>);

/// How a check is run.
pub(super) struct CheckRunner {
    pub(super) run: Box<CheckFn>,
    /// Where a run reports what it is doing.
    pub(super) report: ProbeReport,
}

/// A check: what its task, its runs and the pages share.
pub(super) struct RegisteredCheck {
    pub(super) name: Cow<'static, str>,
    run: Box<CheckFn>,
    /// What the current run is doing.
    report: ProbeReport,
    state: Mutex<CheckState>,
    component_type: Mutex<Cow<'static, str>>,
    /// Notified when a run returns and when the rules change.
    changed: Notify,
    ended: AtomicBool,
    /// Notified when the current run is to end. One permit is enough, since there is one run at a time.
    cancelled: Notify,
    clock: Clock,
}

impl Check {
    /// Sets the time limit of one run, after which it counts as failed. Default: 5 s.
    #[expect(
        clippy::return_self_not_must_use,
        reason = "the check is added already"
    )]
    pub fn timeout(self, timeout: Duration) -> Self {
        self.change_rules(|rules| rules.timeout = timeout)
    }

    /// Sets the time from the start of one run to the start of the next, at least 10 ms. Default: 10 s. Until the first
    /// success it is at most 1 s.
    #[expect(
        clippy::return_self_not_must_use,
        reason = "the check is added already"
    )]
    pub fn interval(self, interval: Duration) -> Self {
        self.change_rules(|rules| rules.interval = interval)
    }

    /// Sets whether the service is not ready while this check is down. Default: `true`.
    #[expect(
        clippy::return_self_not_must_use,
        reason = "the check is added already"
    )]
    pub fn critical(self, critical: bool) -> Self {
        self.change_rules(|rules| rules.critical = critical)
    }

    /// Sets the consecutive failures after which the check is down. Default: 3.
    #[expect(
        clippy::return_self_not_must_use,
        reason = "the check is added already"
    )]
    pub fn failures(self, failures: u32) -> Self {
        self.change_rules(|rules| rules.failures = failures)
    }

    /// Sets the consecutive successes after which the check is up again. Default: 2. The very first success is enough
    /// to be up.
    #[expect(
        clippy::return_self_not_must_use,
        reason = "the check is added already"
    )]
    pub fn successes(self, successes: u32) -> Self {
        self.change_rules(|rules| rules.successes = successes)
    }

    /// Sets the `componentType` of the health format: `component` (default), `datastore`, `system` or a word of your
    /// own.
    #[expect(
        clippy::return_self_not_must_use,
        reason = "the check is added already"
    )]
    pub fn component_type(self, kind: impl Into<Cow<'static, str>>) -> Self {
        *lock(&self.0.component_type) = kind.into();
        self
    }

    fn change_rules(self, change: impl FnOnce(&mut CheckRules)) -> Self {
        self.0.state().change_rules(change);
        self.0.changed.notify_one();
        self
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check")
            .field("name", &self.0.name)
            .finish_non_exhaustive()
    }
}

impl RegisteredCheck {
    pub(super) fn new(
        name: Cow<'static, str>,
        rules: CheckRules,
        clock: Clock,
        runner: CheckRunner,
    ) -> Self {
        let CheckRunner { run, report } = runner;
        let mut state = CheckState::new(rules, clock.now());
        state.report = report.clone();
        Self {
            name,
            run,
            report,
            state: Mutex::new(state),
            component_type: Mutex::new(Cow::Borrowed("component")),
            changed: Notify::new(),
            ended: AtomicBool::new(false),
            cancelled: Notify::new(),
            clock,
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, CheckState> {
        lock(&self.state)
    }

    /// The state for a page; `None` in a child process made by `fork` while the state was locked.
    pub(super) fn peek_state(&self) -> Option<MutexGuard<'_, CheckState>> {
        lock_for_status(&self.state)
    }

    /// Like [`peek_state`](Self::peek_state), for the component type.
    pub(super) fn peek_component_type(&self) -> Option<Cow<'static, str>> {
        lock_for_status(&self.component_type).map(|held| held.clone())
    }

    /// Ends the check: no further run starts, and the future of the current one is dropped.
    pub(super) fn end(&self) {
        self.ended.store(true, Relaxed);
        self.changed.notify_one();
        self.cancelled.notify_one();
    }

    /// One run, until it returns, exceeds its time limit or the check ends.
    async fn run(&self) -> CheckResult {
        let (mut cancelled, mut run) = (pin!(self.cancelled.notified()), pin!(self.run_in_time()));
        poll_fn(|context| match cancelled.as_mut().poll(context) {
            // First, because the runtime may have ended, and timers panic without one.
            Poll::Ready(()) => Poll::Ready(Err("ended".to_owned())),
            Poll::Pending => run.as_mut().poll(context),
        })
        .await
    }

    /// One run. Its future is dropped when it exceeds its time limit.
    async fn run_in_time(&self) -> CheckResult {
        let since = self.clock.now();
        self.report.begin(self.state().rules.timeout);
        // The timer is this crate's code, the check is the host's: only the latter's `tracing` events are recorded.
        let mut run = unsuppressed(|| (self.run)());
        loop {
            // Read each time, because the rules may change between calls.
            let allowed = self.state().rules.timeout;
            let spent = Duration::from_nanos(self.clock.now().saturating_sub(since));
            let Some(left) = allowed.checked_sub(spent).filter(|left| !left.is_zero()) else {
                return Err(timeout_error(allowed, &self.report));
            };
            let polled = poll_fn(|context| unsuppressed(|| run.as_mut().poll(context)));
            if let Ok(result) = timeout(left, polled).await {
                return result;
            }
        }
    }

    /// Takes the result of a run. Every text of a check passes here and is redacted.
    fn finish_run(&self, run: u64, result: CheckResult) {
        let result = result.map_err(|error| scrubbed(&error)).map(|mut detail| {
            detail.warning = detail.warning.map(|warning| scrubbed(&warning));
            detail
        });
        self.state().finish_run(run, self.clock.now(), result);
        self.changed.notify_one();
    }
}

/// Starts the runs of a check when they are due, until the check ends.
pub(super) async fn watch(check: Arc<RegisteredCheck>, handle: Handle) {
    while !check.ended.load(Relaxed) {
        let now = check.clock.now();
        let next = check.state().next_step(now);
        match next {
            NextStep::Run(run) => start(&check, run, &handle),
            NextStep::Wait(until) => {
                let pause = Duration::from_nanos(until.saturating_sub(now));
                // Whether the time has passed or something has changed: look again.
                let (Ok(()) | Err(_)) = timeout(pause, check.changed.notified()).await;
            }
        }
    }
}

/// Starts a run on its own thread. So a run that blocks its thread delays neither the worker nor another check, and
/// does not occupy a thread of the pool on which the worker's sinks write.
fn start(check: &Arc<RegisteredCheck>, run: u64, handle: &Handle) {
    let (on, runtime) = (Arc::clone(check), handle.clone());
    let rules = redact::RedactionRules::current();
    let started = thread::Builder::new()
        .name("watchpost-check".to_owned())
        .spawn(move || {
            suppress_thread();
            rules.set_for_thread();
            match catch_unwind(AssertUnwindSafe(|| runtime.block_on(on.run()))) {
                Ok(result) => on.finish_run(run, result),
                Err(payload) => {
                    on.finish_run(run, Err(panic_error(&*payload)));
                    // Last, because the drop of a payload may panic too.
                    drop(payload);
                }
            }
        });
    if let Err(error) = started {
        check.finish_run(run, Err(format!("no thread could be started: {error}")));
    }
}

/// The error of a run that panicked.
fn panic_error(payload: &(dyn Any + Send)) -> String {
    let message = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    match message {
        Some(message) => format!("panicked: {message}"),
        None => "panicked".to_owned(),
    }
}

/// A check's text without secrets, cut at [`MAX_OUTPUT`].
///
/// It is redacted before it is cut, so that no secret loses the part by which it is recognized. A secret that is cut at
/// [`MAX_READ`] is far more than the part that is kept.
fn scrubbed(text: &str) -> String {
    let text = redact::text(prefix(text, MAX_READ));
    prefix(&text, MAX_OUTPUT).to_owned()
}

#[cfg(test)]
mod tests;
