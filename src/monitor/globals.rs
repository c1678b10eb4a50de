use std::fmt;

use crate::config::InstallConfig;
use crate::redact;

/// A process-wide global that [`Monitor::install`](crate::Monitor::install) sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Global {
    /// The global `tracing` subscriber, which turns `tracing` events into log records and `tracing` spans into spans of
    /// traces.
    Subscriber,
    /// The logger of the `log` crate, which turns its records into `tracing` events. Requires the feature `log`.
    LogBridge,
    /// The recorder of the `metrics` facade, which records its macros in [`Monitor::metrics`](crate::Monitor::metrics).
    Recorder,
    /// OpenTelemetry's propagator, which reads and writes the headers that carry a trace between services.
    Propagator,
    /// OpenTelemetry's tracer provider, which adds spans of `opentelemetry::global::tracer(..)` to the monitor's
    /// traces.
    TracerProvider,
    /// The panic hook, which captures panics as errors and then calls the hook that was set before it.
    PanicHook,
    /// The monitor that [`Monitor::current`](crate::Monitor::current), [`capture_error`](crate::capture_error) and the
    /// panic hook use outside requests.
    CaptureError,
}

impl Global {
    /// Every global, in the order in which they are set.
    pub const ALL: [Self; 7] = [
        Self::Subscriber,
        Self::LogBridge,
        Self::Recorder,
        Self::Propagator,
        Self::TracerProvider,
        Self::PanicHook,
        Self::CaptureError,
    ];

    /// Returns the name, in lower case with underscores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Subscriber => "subscriber",
            Self::LogBridge => "log_bridge",
            Self::Recorder => "recorder",
            Self::Propagator => "propagator",
            Self::TracerProvider => "tracer_provider",
            Self::PanicHook => "panic_hook",
            Self::CaptureError => "capture_error",
        }
    }

    /// Returns the key of its setting, such as `install.panic_hook`.
    pub fn setting(self) -> &'static str {
        match self {
            Self::Subscriber => "install.subscriber",
            Self::LogBridge => "install.log",
            Self::Recorder => "install.recorder",
            Self::Propagator => "install.propagator",
            Self::TracerProvider => "install.tracer_provider",
            Self::PanicHook => "install.panic_hook",
            Self::CaptureError => "install.capture_error",
        }
    }

    /// Returns whether the settings enable it.
    pub(super) fn is_wanted(self, mut config: InstallConfig) -> bool {
        *self.is_wanted_mut(&mut config)
    }

    /// Returns the setting that enables it.
    pub(super) fn is_wanted_mut(self, config: &mut InstallConfig) -> &mut bool {
        match self {
            Self::Subscriber => &mut config.subscriber,
            Self::LogBridge => &mut config.log,
            Self::Recorder => &mut config.recorder,
            Self::Propagator => &mut config.propagator,
            Self::TracerProvider => &mut config.tracer_provider,
            Self::PanicHook => &mut config.panic_hook,
            Self::CaptureError => &mut config.capture_error,
        }
    }
}

/// The state of a global after a monitor was installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GlobalState {
    /// This call set the global.
    Installed,
    /// The global was already set, by an earlier call of this monitor or by this crate for all monitors.
    AlreadyInstalled,
    /// Other code set the global. It stays and works with the monitor; no action is needed.
    InPlace,
    /// Other code set the global. It stays, and something is missing; the sentence gives the fix.
    Missing,
    /// The settings disable the global.
    Off,
}

impl GlobalState {
    /// Returns the name, in lower case with underscores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Installed => "installed",
            Self::AlreadyInstalled => "already_installed",
            Self::InPlace => "in_place",
            Self::Missing => "missing",
            Self::Off => "off",
        }
    }
}

/// An entry of an [`InstallReport`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GlobalReport {
    /// The global.
    pub global: Global,
    /// The state of the global after the call.
    pub state: GlobalState,
    /// The state as a sentence, with the fix if action is needed.
    pub sentence: String,
}

impl GlobalReport {
    /// Redacts the sentence, because it may quote names from the host's code.
    pub(super) fn new(global: Global, state: GlobalState, sentence: &str) -> Self {
        Self {
            global,
            state,
            sentence: redact::text(sentence).into_owned(),
        }
    }
}

impl fmt::Display for GlobalReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

/// The result of [`Monitor::install`](crate::Monitor::install): one entry for each [`Global`], in the order of
/// [`Global::ALL`].
///
/// `Display` prints one sentence per line. The report is empty before the first call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct InstallReport {
    /// The entries, one for each global.
    pub globals: Vec<GlobalReport>,
}

impl InstallReport {
    /// Returns the state of a global; `None` before the first call of `install`.
    pub fn state(&self, global: Global) -> Option<GlobalState> {
        let mut all = self.globals.iter();
        all.find(|it| it.global == global).map(|it| it.state)
    }

    /// Returns the entries whose state is [`GlobalState::Missing`].
    pub fn missing(&self) -> impl Iterator<Item = &GlobalReport> {
        let all = self.globals.iter();
        all.filter(|it| it.state == GlobalState::Missing)
    }
}

/// The results of all `install` calls so far.
#[derive(Debug, Clone, Default)]
pub(super) struct InstallHistory {
    /// The report of the last call.
    pub(super) last: InstallReport,
    /// The sentences of all entries that were missing after any call.
    said: Vec<String>,
}

impl InstallHistory {
    pub(super) fn note(&mut self, report: &InstallReport) {
        for missing in report.missing() {
            if !self.said.contains(&missing.sentence) {
                self.said.push(missing.sentence.clone());
            }
        }
        self.last = report.clone();
    }

    /// Returns whether any call reported this notice.
    pub(super) fn said(&self, notice: &String) -> bool {
        self.said.contains(notice)
    }
}

impl fmt::Display for InstallReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, global) in self.globals.iter().enumerate() {
            let end = if at == 0 { "" } else { "\n" };
            write!(f, "{end}{global}")?;
        }
        Ok(())
    }
}
