use std::fmt;

use crate::config::InstallConfig;
use crate::redact;

/// Something that a process has once, and that [`Monitor::install`](crate::Monitor::install) sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Global {
    /// The global `tracing` subscriber: `tracing` events become log records, and spans part of traces.
    Subscriber,
    /// The logger of the `log` crate: its records become `tracing` events. Needs the feature `log`.
    LogBridge,
    /// The recorder of the `metrics` facade: its macros count into [`Monitor::metrics`](crate::Monitor::metrics).
    Recorder,
    /// OpenTelemetry's propagator: the headers that carry a trace from service to service.
    Propagator,
    /// OpenTelemetry's tracer provider: spans of `opentelemetry::global::tracer(..)` join the monitor's traces.
    TracerProvider,
    /// The panic hook: panics are captured as errors. The hook that was set before runs after it.
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

    /// The name, in lower case with underscores.
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

    /// Its key in the settings, such as `install.panic_hook`.
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

    /// Whether the settings want it.
    pub(super) fn is_wanted(self, mut config: InstallConfig) -> bool {
        *self.is_wanted_mut(&mut config)
    }

    /// The setting.
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

/// What became of a global when a monitor was installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GlobalState {
    /// The monitor has set it.
    Installed,
    /// It was set by this monitor before, or by this crate for all monitors.
    AlreadyInstalled,
    /// Somebody else had set it, it stays, and the monitor works with it: there is nothing to do.
    InPlace,
    /// Somebody else had set it, it stays, and something is missing for it: the sentence says what to write.
    Missing,
    /// The settings do not want it.
    Off,
}

impl GlobalState {
    /// The name, in lower case with underscores.
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

/// One line of an [`InstallReport`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GlobalReport {
    /// The global.
    pub global: Global,
    /// What became of it.
    pub state: GlobalState,
    /// The same in a sentence, with what to write where something is to be done.
    pub sentence: String,
}

impl GlobalReport {
    /// The sentence is scrubbed: it may quote what a host's part is called.
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

/// What [`Monitor::install`](crate::Monitor::install) did: one entry for each [`Global`], in the order of [`Global::ALL`].
///
/// It prints one sentence a line. It is empty before the first call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct InstallReport {
    /// The entries.
    pub globals: Vec<GlobalReport>,
}

impl InstallReport {
    /// What became of one global; `None` before the first call.
    pub fn state(&self, global: Global) -> Option<GlobalState> {
        let mut all = self.globals.iter();
        all.find(|it| it.global == global).map(|it| it.state)
    }

    /// The entries for which something is missing.
    pub fn missing(&self) -> impl Iterator<Item = &GlobalReport> {
        let all = self.globals.iter();
        all.filter(|it| it.state == GlobalState::Missing)
    }
}

/// The calls of `install` so far.
#[derive(Debug, Clone, Default)]
pub(super) struct InstallHistory {
    /// What the last one did.
    pub(super) last: InstallReport,
    /// What was missing after any of them.
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

    /// Whether one of them gave this notice.
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
