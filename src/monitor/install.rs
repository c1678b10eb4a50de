//! Installs the process globals, each only if it is not set yet.

use std::sync::PoisonError;
use std::sync::atomic::Ordering::Relaxed;

use tracing::subscriber::NoSubscriber;
use tracing::{Dispatch, dispatcher};
use tracing_subscriber::layer::SubscriberExt;

use super::globals::{Global, GlobalReport, GlobalState, InstallReport};
use super::handle::Monitor;
use super::propagator;
use super::state::MonitorState;
use crate::config::program;
use crate::errors::set_panic_hook;
use crate::logs::{BridgeState, InstalledLayer, has_layer_of, install_log_bridge};
use crate::model::ClaimResult;
use crate::trace::install_provider;

use GlobalState::{AlreadyInstalled, InPlace, Installed, Missing, Off};

impl Monitor {
    /// Sets each process [`Global`](crate::Global) that the settings enable and that is not set yet. Use it in a host
    /// that has its own subscriber or other parts: build the monitor, compose the parts, then install the remaining
    /// globals. [`MonitorBuilder::install`](crate::MonitorBuilder::install) builds and installs in one step, for a host
    /// without such parts.
    ///
    /// Globals that other code has set stay unchanged. The exception is the panic hook: the monitor sets its hook in
    /// front of the existing one and calls it. The report has a sentence for each global.
    /// [`MonitorGuard::report`](crate::MonitorGuard::report) repeats the sentences for which something is missing, and
    /// they are written to the console once. Disable a global with
    /// [`MonitorBuilder::install_global`](crate::MonitorBuilder::install_global).
    ///
    /// If the service has called [`tracing_layer`](Self::tracing_layer) but has not yet set a subscriber with that
    /// layer, the subscriber and the `log` logger are left unset. Setting them would make the service's `init()` fail.
    ///
    /// A second call sets globals that have become free, and sets the panic hook again if another one was set over it.
    /// It reports the others as installed before.
    ///
    /// # Several monitors
    ///
    /// Each global serves one monitor until that monitor is shut down or its last handle is dropped. The next monitor
    /// that is installed then takes it over. Handles that the host holds from the first monitor's recorder, such as a
    /// `metrics::Counter` in a static, continue to count there. A host subscriber with the first monitor's layer also
    /// stays with that monitor, and so does the subscriber with
    /// [`SpanBackend::TracingOpentelemetry`](crate::trace::SpanBackend).
    ///
    /// # Examples
    ///
    /// ```
    /// use tracing_subscriber::prelude::*;
    ///
    /// # fn main() -> watchpost::Result<()> {
    /// # let builder = watchpost::Monitor::builder("shop").env(false).console(false);
    /// let monitor = builder.build()?;
    /// tracing_subscriber::registry()
    ///     .with(monitor.tracing_layer())
    ///     // .with(tracing_subscriber::fmt::layer()) and further layers of the host
    ///     .init();
    /// println!("{}", monitor.install());
    /// # use watchpost::{Global, GlobalState};
    /// # let again = monitor.install();
    /// # assert_eq!(again.state(Global::Subscriber), Some(GlobalState::InPlace));
    /// # assert_eq!(again.state(Global::PanicHook), Some(GlobalState::AlreadyInstalled));
    /// # Ok(())
    /// # }
    /// ```
    pub fn install(&self) -> InstallReport {
        // In the order of `Global::ALL`: the logger is set only if there is a subscriber to receive its records.
        let report = InstallReport {
            globals: Global::ALL.map(|global| one(self, global)).into(),
        };
        // The diagnostics write each sentence once, however often this is called.
        for missing in report.missing() {
            self.inner.diagnostics.report(missing.sentence.as_str());
        }
        let installs = &self.inner.installs;
        let mut installs = installs.lock().unwrap_or_else(PoisonError::into_inner);
        installs.note(&report);
        report
    }
}

/// Sets a global, if the settings enable it.
fn one(monitor: &Monitor, global: Global) -> GlobalReport {
    let (state, sentence) = if global.is_wanted(monitor.inner.install) {
        take(global, monitor)
    } else {
        (Off, format!("`{}` is off", global.setting()))
    };
    GlobalReport::new(global, state, &sentence)
}

fn take(global: Global, monitor: &Monitor) -> (GlobalState, String) {
    match global {
        Global::Subscriber => subscriber(monitor),
        Global::LogBridge => log_bridge(),
        Global::Recorder => recorder(monitor),
        Global::Propagator => propagator(monitor),
        Global::TracerProvider => provider(monitor),
        Global::PanicHook => panic_hook(),
        Global::CaptureError => capture_error(monitor),
    }
}

/// Returns the state and the sentence for the result of a claim.
fn describe(taken: ClaimResult, [now, before, other, foreign]: [&str; 4]) -> (GlobalState, String) {
    let (state, sentence) = match taken {
        ClaimResult::Claimed => (Installed, now),
        ClaimResult::AlreadyClaimed => (AlreadyInstalled, before),
        ClaimResult::HeldByOther => (Missing, other),
        ClaimResult::Foreign => (Missing, foreign),
    };
    (state, sentence.to_owned())
}

fn subscriber(monitor: &Monitor) -> (GlobalState, String) {
    let life = &monitor.inner.life;
    let theirs = monitor.otel().tracing_layer();
    let is_bound = theirs.is_some();
    let taken = match InstalledLayer::of_process() {
        // The layer of tracing-opentelemetry belongs to one provider and cannot be exchanged in the subscriber. So the
        // subscriber stays with its monitor if either of the two has such a layer.
        Some(installed) if installed.is_bound() || is_bound => {
            if installed.serves(life) {
                ClaimResult::AlreadyClaimed
            } else {
                return (
                    Missing,
                    "the `tracing` subscriber of an earlier monitor stays, since one of the two makes spans with tracing-opentelemetry: events go to the earlier one".to_owned(),
                );
            }
        }
        Some(installed) => installed.claim(monitor.own_layer(), life),
        None if has_global_subscriber() => ClaimResult::Foreign,
        // `init()` of the host would fail if a subscriber were set here first.
        None if is_to_come(monitor) => {
            return (
                Missing,
                "the `tracing` subscriber was left to the service, which has taken `monitor.tracing_layer()` and set no subscriber with it yet: call its `.init()` first, then `monitor.install()`".to_owned(),
            );
        }
        None => {
            let installed = InstalledLayer::new(monitor.own_layer(), life, is_bound);
            let subscriber = tracing_subscriber::registry().with(installed.clone());
            let set = match theirs {
                Some(theirs) => tracing::subscriber::set_global_default(subscriber.with(theirs)),
                None => tracing::subscriber::set_global_default(subscriber),
            };
            // Another thread may have set a subscriber since the check above; then that one stays.
            if set.is_ok() {
                installed.note_set();
                ClaimResult::Claimed
            } else {
                ClaimResult::Foreign
            }
        }
    };
    // The host may have put the monitor's layer into its own subscriber, as it should.
    if taken == ClaimResult::Foreign && is_in_subscriber(monitor) {
        let sentence =
            "the `tracing` subscriber that was set before stays and has the monitor's layer";
        return (InPlace, sentence.to_owned());
    }
    describe(
        taken,
        [
            "the `tracing` subscriber is the monitor's: a later `init()` of another one fails; to have layers of your own, build first, add `.with(monitor.tracing_layer())` to them, call `.init()`, then `monitor.install()`",
            "the `tracing` subscriber is the monitor's since an earlier call",
            "the `tracing` subscriber is another monitor's, which is at work: events go to that one",
            "a `tracing` subscriber was set before without the monitor's layer and stays: its events become log records once the layer is in it: build first, add `.with(monitor.tracing_layer())` to the subscriber, call `.init()`, then `monitor.install()`",
        ],
    )
}

/// Returns whether the host has taken the layer but has not set its subscriber yet. Setting ours would make its call
/// fail.
fn is_to_come(monitor: &Monitor) -> bool {
    let MonitorState {
        gave_layer,
        tracing,
        ..
    } = &*monitor.inner;
    gave_layer.load(Relaxed) && !tracing.layer.is_in_use() && !is_in_subscriber(monitor)
}

/// Returns whether the process's subscriber has the monitor's layer: either the layer has already received an event or
/// span, or a probe of the subscriber finds it.
fn is_in_subscriber(monitor: &Monitor) -> bool {
    let layer = &monitor.inner.tracing.layer;
    if layer.is_in_use() {
        return true;
    }
    let program = program().unwrap_or_default();
    let targets = [&*program, env!("CARGO_PKG_NAME")];
    let subscriber = dispatcher::get_default(Dispatch::clone);
    let found = has_layer_of(&subscriber, monitor.inner.requests.number(), &targets);
    if found {
        layer.record_in_use();
    }
    found
}

fn log_bridge() -> (GlobalState, String) {
    // Our logger would make a later `init()` of tracing-subscriber fail, and there is no subscriber to receive its
    // records.
    if !has_global_subscriber() {
        return (
            Missing,
            "no `tracing` subscriber is set, so the logger of the `log` crate was left alone: set the subscriber, then call `monitor.install()`".to_owned(),
        );
    }
    let (state, sentence) = match install_log_bridge() {
        BridgeState::Installed => (
            Installed,
            "records of the `log` crate become `tracing` events: a later `init()` of another logger fails",
        ),
        BridgeState::Before => (
            AlreadyInstalled,
            "records of the `log` crate become `tracing` events since an earlier call",
        ),
        BridgeState::AsksTracing => (
            InPlace,
            "the `log` logger that was set before stays: it turns records into `tracing` events",
        ),
        BridgeState::Foreign => (
            Missing,
            "a `log` logger was set before and stays: records of the `log` crate become log records here only if that logger turns them into `tracing` events, as the one of tracing-subscriber's `init()` does",
        ),
        BridgeState::Unavailable => (
            Off,
            "the feature `log` of this crate is off, so the `log` crate is left alone",
        ),
    };
    (state, sentence.to_owned())
}

fn has_global_subscriber() -> bool {
    let ask = || !dispatcher::get_default(Dispatch::is::<NoSubscriber>);
    // `has_been_set` is also true after a subscriber was set for one thread only, so only its `false` is conclusive.
    if !dispatcher::has_been_set() || InstalledLayer::of_process().is_some() {
        return InstalledLayer::of_process().is_some();
    }
    // Checked on a new thread, because this thread may have a thread-local subscriber.
    let thread = std::thread::Builder::new().name("watchpost-probe".to_owned());
    thread
        .spawn(ask)
        .ok()
        .and_then(|asked| asked.join().ok())
        // Without a thread the answer is not known. A subscriber is assumed, because one of the host must stay.
        .unwrap_or(true)
}

fn recorder(monitor: &Monitor) -> (GlobalState, String) {
    describe(
        monitor.metrics().install_recorder(&monitor.inner.life),
        [
            "the `metrics` recorder is the monitor's: a later one of another exporter fails",
            "the `metrics` recorder is the monitor's since an earlier call",
            "the `metrics` recorder is another monitor's, which is at work: use `monitor.metrics()` for this one's",
            "a `metrics` recorder was set before and stays: join its exposition to ours with `monitor.metrics().join_exposition(..)`",
        ],
    )
}

fn propagator(monitor: &Monitor) -> (GlobalState, String) {
    let wanted = monitor.inner.propagators;
    if !wanted.trace_context && !wanted.baggage {
        return (Off, "`trace.propagators` names none".to_owned());
    }
    let (state, fields) = propagator::install(wanted, &monitor.inner.life);
    let sentence = match state {
        Installed => "the OpenTelemetry propagator is this crate's".to_owned(),
        InPlace => {
            format!("the OpenTelemetry propagator that was set before stays: it writes {fields}")
        }
        Missing => format!(
            "an OpenTelemetry propagator was set before and stays: outgoing calls carry what it writes, which is {fields}"
        ),
        _ => "the OpenTelemetry propagator is this crate's since an earlier call".to_owned(),
    };
    (state, sentence)
}

fn provider(monitor: &Monitor) -> (GlobalState, String) {
    let provider = monitor.otel().own_provider();
    describe(
        install_provider(provider, &monitor.inner.life),
        [
            "the OpenTelemetry tracer provider is the monitor's",
            "the OpenTelemetry tracer provider is the monitor's since an earlier call",
            "the OpenTelemetry tracer provider is another monitor's, which is at work: take tracers from `monitor.otel().tracer_provider()`",
            "an OpenTelemetry tracer provider was set before and stays: its spans join no trace of ours; take tracers from `monitor.otel().tracer_provider()`",
        ],
    )
}

fn panic_hook() -> (GlobalState, String) {
    let (state, sentence) = match set_panic_hook() {
        None => (
            Missing,
            "the panic hook cannot be set by a thread that is panicking: install from another",
        ),
        Some(ClaimResult::Claimed) => (
            Installed,
            "the panic hook is set, and calls the one that was there before: set hooks that do not call the one before them, such as color-eyre's, before this call",
        ),
        Some(_) => (
            AlreadyInstalled,
            "the panic hook is set since an earlier call, for all monitors",
        ),
    };
    (state, sentence.to_owned())
}

fn capture_error(monitor: &Monitor) -> (GlobalState, String) {
    describe(
        monitor.inner.errors.install(&monitor.inner.life),
        [
            "`watchpost::capture_error`, panics outside requests and `Monitor::current()` use this monitor",
            "`watchpost::capture_error`, panics outside requests and `Monitor::current()` use this monitor since an earlier call",
            "another monitor captures panics and errors outside requests: use `monitor.capture_error(..)` for this one's",
            "",
        ],
    )
}
