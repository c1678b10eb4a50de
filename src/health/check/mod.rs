use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::state::{CheckResult, CheckRules, CheckState, NextStep, timed_out};
use crate::clock::Clock;
use crate::db::ProbeReport;
use crate::model::lock_for_status;
use crate::model::{prefix, suppress_thread, unsuppressed};
use crate::redact;

/// The longest text of a check that is kept, in bytes.
const MAX_OUTPUT: usize = 1024;
/// How much of a check's text is looked at, in bytes.
const MAX_READ: usize = 64 * 1024;

/// Makes the future of one run.
pub(super) type CheckFn =
    dyn Fn() -> Pin<Box<dyn Future<Output = CheckResult> + Send>> + Send + Sync;

/// A check that has been added: its settings may be changed, then and later.
///
/// Dropping this value changes nothing; the check goes on for as long as its [`Health`](super::Health)
/// lives.
///
/// # Examples
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

/// A check as its own task, its runs and the pages see it.
pub(super) struct RegisteredCheck {
    pub(super) name: Cow<'static, str>,
    run: Box<CheckFn>,
    /// What the run under way has reported.
    report: ProbeReport,
    state: Mutex<CheckState>,
    component_type: Mutex<Cow<'static, str>>,
    /// A run came back, or the rules were changed.
    moved: Notify,
    ended: AtomicBool,
    /// The run under way is to end too. One permit is enough: there is one run at a time.
    over: Notify,
    clock: Clock,
}

impl Check {
    /// How long a run may take before it is a failure. Default: 5 s.
    #[expect(
        clippy::return_self_not_must_use,
        reason = "the check is added already"
    )]
    pub fn timeout(self, timeout: Duration) -> Self {
        self.set(|rules| rules.timeout = timeout)
    }

    /// From the start of one run to the start of the next, at least 10 ms. Default: 10 s, and 1 s until
    /// the first success.
    #[expect(
        clippy::return_self_not_must_use,
        reason = "the check is added already"
    )]
    pub fn interval(self, interval: Duration) -> Self {
        self.set(|rules| rules.interval = interval)
    }

    /// Whether the service is unready while this check is down. Default: yes.
    #[expect(
        clippy::return_self_not_must_use,
        reason = "the check is added already"
    )]
    pub fn critical(self, critical: bool) -> Self {
        self.set(|rules| rules.critical = critical)
    }

    /// Failures in a row that bring the check down. Default: 3.
    #[expect(
        clippy::return_self_not_must_use,
        reason = "the check is added already"
    )]
    pub fn failures(self, failures: u32) -> Self {
        self.set(|rules| rules.failures = failures)
    }

    /// Successes in a row that bring the check up again. Default: 2; the first of all is enough.
    #[expect(
        clippy::return_self_not_must_use,
        reason = "the check is added already"
    )]
    pub fn successes(self, successes: u32) -> Self {
        self.set(|rules| rules.successes = successes)
    }

    /// What the checked thing is, in the words of the health format: `component` (default), `datastore`,
    /// `system` or a word of your own.
    #[expect(
        clippy::return_self_not_must_use,
        reason = "the check is added already"
    )]
    pub fn component_type(self, kind: impl Into<Cow<'static, str>>) -> Self {
        let mut held = self
            .0
            .component_type
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *held = kind.into();
        drop(held);
        self
    }

    fn set(self, change: impl FnOnce(&mut CheckRules)) -> Self {
        self.0.state().set(change);
        self.0.moved.notify_one();
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
        (run, report): (Box<CheckFn>, ProbeReport),
    ) -> Self {
        let mut state = CheckState::new(rules, clock.now());
        state.report = report.clone();
        Self {
            name,
            run,
            report,
            state: Mutex::new(state),
            component_type: Mutex::new(Cow::Borrowed("component")),
            moved: Notify::new(),
            ended: AtomicBool::new(false),
            over: Notify::new(),
            clock,
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, CheckState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state for a page; `None` in a child made by `fork` whose parent was at it.
    pub(super) fn seen(&self) -> Option<MutexGuard<'_, CheckState>> {
        lock_for_status(&self.state)
    }

    pub(super) fn component(&self) -> Option<Cow<'static, str>> {
        lock_for_status(&self.component_type).map(|held| held.clone())
    }

    /// Ends the check: no run starts any more, and the future of the one under way is dropped.
    pub(super) fn end(&self) {
        self.ended.store(true, Relaxed);
        self.moved.notify_one();
        self.over.notify_one();
    }

    /// One run, until it comes back, is out of time or the check is ended.
    async fn run(&self) -> CheckResult {
        let (mut over, mut run) = (pin!(self.over.notified()), pin!(self.in_time()));
        poll_fn(|context| match over.as_mut().poll(context) {
            // First: the runtime, without which timers panic, may be gone.
            Poll::Ready(()) => Poll::Ready(Err("ended".to_owned())),
            Poll::Pending => run.as_mut().poll(context),
        })
        .await
    }

    /// One run. A future that does not come back in time is dropped.
    async fn in_time(&self) -> CheckResult {
        let since = self.clock.now();
        self.report.begin(self.state().rules.timeout);
        // The timer is ours, what is timed is the host's.
        let mut run = unsuppressed(|| (self.run)());
        loop {
            // Read again each time: the rules may be changed meanwhile.
            let allowed = self.state().rules.timeout;
            let spent = Duration::from_nanos(self.clock.now().saturating_sub(since));
            let Some(left) = allowed.checked_sub(spent).filter(|left| !left.is_zero()) else {
                return Err(timed_out(allowed, &self.report));
            };
            let polled = poll_fn(|context| unsuppressed(|| run.as_mut().poll(context)));
            if let Ok(ran) = timeout(left, polled).await {
                return ran;
            }
        }
    }

    /// Everything that a check says passes here.
    fn finished(&self, run: u64, ran: CheckResult) {
        let ran = ran.map_err(|said| kept(&said)).map(|mut note| {
            note.warning = note.warning.map(|said| kept(&said));
            note
        });
        self.state().finished(run, self.clock.now(), ran);
        self.moved.notify_one();
    }
}

/// Starts the runs of a check when they are due, until it is ended.
pub(super) async fn watch(check: Arc<RegisteredCheck>, handle: Handle) {
    while !check.ended.load(Relaxed) {
        let now = check.clock.now();
        let step = check.state().step(now);
        match step {
            NextStep::Run(run) => start(&check, run, &handle),
            NextStep::Wait(until) => {
                let pause = Duration::from_nanos(until.saturating_sub(now));
                // Whether time has passed or something moved: look again.
                let (Ok(()) | Err(_)) = timeout(pause, check.moved.notified()).await;
            }
        }
    }
}

/// Starts a run on a thread of its own: one that blocks its thread keeps neither the worker nor another
/// check waiting, and takes no place in the pool from which the worker's sinks write.
fn start(check: &Arc<RegisteredCheck>, run: u64, handle: &Handle) {
    let (on, runtime) = (Arc::clone(check), handle.clone());
    let rules = redact::RedactionRules::current();
    let started = thread::Builder::new()
        .name("watchpost-check".to_owned())
        .spawn(move || {
            suppress_thread();
            rules.set_for_thread();
            match catch_unwind(AssertUnwindSafe(|| runtime.block_on(on.run()))) {
                Ok(ran) => on.finished(run, ran),
                Err(payload) => {
                    on.finished(run, Err(panicked(&*payload)));
                    // Last, because a payload's own drop may panic too.
                    drop(payload);
                }
            }
        });
    if let Err(error) = started {
        check.finished(run, Err(format!("no thread could be started: {error}")));
    }
}

fn panicked(payload: &(dyn Any + Send)) -> String {
    let message = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    match message {
        Some(message) => format!("panicked: {message}"),
        None => "panicked".to_owned(),
    }
}

/// A check's text without secrets, bounded. It is scrubbed before it is cut; what could be cut from a
/// secret at the first bound is far behind the second.
fn kept(text: &str) -> String {
    let text = redact::text(prefix(text, MAX_READ));
    prefix(&text, MAX_OUTPUT).to_owned()
}

#[cfg(test)]
mod tests;
