//! Detects mistakes in the set-up of a monitor while the service runs.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use http::StatusCode;
use tracing::Dispatch;
use tracing::level_filters::LevelFilter;
use tracing::metadata::Kind as TracingKind;
use tracing::subscriber::NoSubscriber;

use crate::clock::{Clock, Nanos, nanos};
use crate::config::{InstallConfig, program, suggest};
use crate::db::Queries;
use crate::errors::{ErrorTracker, has_installed, unrouted};
use crate::http::LayerContext;
use crate::logs::{has_layer_of, monitor_of};
use crate::logs::{otel_versions, subscriber_probe};
use crate::metrics::{Metrics, is_in_own_namespace};
use crate::model::{Diagnostics, catch_panic, has_panic_hook, missed_panics};
use crate::trace::{OtelConflicts, Propagators, SpanLayer};
use crate::worker::{PeriodicTask, SinkObserver, SinkStatus};

/// The finding reported in a child process made by `fork`.
pub(super) const FORKED: &str = "this process is a child made by `fork` after the monitor was built: it has no worker and delivers nothing, and what the parent was writing at that moment cannot be read; build the monitor after the fork";
/// The interval between checks.
const EVERY: Duration = Duration::from_secs(10);
/// How long a sink may stall before it is reported.
const PATIENCE: Duration = Duration::from_secs(30);
/// The time after the start at which the periodic check reports an unknown histogram name, because the host may create
/// its histograms late.
const PATIENCE_FOR_NAMES: Duration = Duration::from_secs(300);
/// The maximum number of names in one sentence.
const MAX_NAMES: usize = 8;
/// The tolerated clock difference, in seconds.
const SKEW: u64 = 60;

/// A problem found by [`Monitor::doctor`](crate::Monitor::doctor), with its fix.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The subject of the finding: a word of the first column of the table of
    /// [`Monitor::doctor`](crate::Monitor::doctor), or the name of a sink (`console`, `otlp`, `sentry`).
    pub about: &'static str,
    /// The problem and its fix, as a sentence.
    pub sentence: String,
    kind: FindingKind,
}

/// The kind of a finding. Each kind is reported once per subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FindingKind {
    Surroundings,
    Provider,
    SpanLayer,
    Route,
    MissedPanics,
    OwnHistogram,
    Histogram,
    Address,
    Delivery,
    Clock,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.about, self.sentence)
    }
}

/// The parts that the doctor examines. The worker holds the doctor, so the doctor must not hold anything whose `Drop`
/// waits for the worker.
pub(super) struct Doctor {
    pub(super) monitor: u32,
    pub(super) propagators: Propagators,
    pub(super) install: InstallConfig,
    pub(super) layer: Arc<SpanLayer>,
    pub(super) inbound: LayerContext,
    pub(super) metrics: Metrics,
    pub(super) clock: Clock,
    pub(super) began: Nanos,
    pub(super) errors: ErrorTracker,
    pub(super) queries: Weak<Queries>,
    /// The data directory of the settings, and whether it can be used.
    pub(super) data_dir: Option<(PathBuf, bool)>,
    pub(super) worker: SinkObserver,
}

impl Doctor {
    /// Returns all current findings. The subscriber's filters are evaluated only if `probe` is set, because they are
    /// the host's code. An unknown histogram name of the host is a finding once the monitor is as old as
    /// `patience_for_names`.
    fn examine(&self, probe: bool, patience_for_names: Duration) -> Vec<Finding> {
        if self.worker.is_forked() {
            // All other state belongs to the parent, and its locks may never be released in the child.
            return vec![Finding {
                about: "process",
                sentence: FORKED.to_owned(),
                kind: FindingKind::Surroundings,
            }];
        }
        let sinks = self.worker.sinks();
        let about = |about, kind, sentence: Option<String>| {
            sentence.map(|sentence| Finding {
                about,
                sentence,
                kind,
            })
        };
        let filter = probe.then(|| self.filter()).flatten();
        let sqlx = probe.then(|| self.sqlx()).flatten();
        let route = self.inbound.no_route_advice().map(str::to_owned);
        let OtelConflicts { provider, layer } = self.layer.otel_conflicts();
        let data_directory = self.data_directory();
        let panic_kind = if has_panic_hook() {
            FindingKind::MissedPanics
        } else {
            FindingKind::Surroundings
        };
        let [own_histograms, histograms] = self.histograms(patience_for_names);
        let own = [
            about("propagator", FindingKind::Surroundings, self.propagator()),
            about(
                "subscriber",
                FindingKind::Surroundings,
                self.subscriber(probe),
            ),
            about("filter", FindingKind::Surroundings, filter),
            about("sqlx", FindingKind::Surroundings, sqlx),
            about("route", FindingKind::Route, route),
            about("histogram", FindingKind::OwnHistogram, own_histograms),
            about("histogram", FindingKind::Histogram, histograms),
            about("opentelemetry", FindingKind::Surroundings, opentelemetry()),
            about(
                "opentelemetry",
                FindingKind::Provider,
                provider.map(str::to_owned),
            ),
            about(
                "opentelemetry",
                FindingKind::SpanLayer,
                layer.map(str::to_owned),
            ),
            about("panic hook", panic_kind, self.panic_hook()),
            about("capture_error", FindingKind::Surroundings, self.unrouted()),
            about("data directory", FindingKind::Surroundings, data_directory),
        ];
        let sinks = sinks.iter().flat_map(|sink| {
            [
                about(sink.name, FindingKind::Address, address(sink)),
                about(sink.name, FindingKind::Delivery, delivery(sink)),
                about(sink.name, FindingKind::Clock, clocks(sink)),
            ]
        });
        own.into_iter().chain(sinks).flatten().collect()
    }

    fn propagator(&self) -> Option<String> {
        let Propagators {
            trace_context,
            baggage,
        } = self.propagators;
        let set = opentelemetry::global::get_text_map_propagator(|it| it.fields().next().is_some());
        ((trace_context || baggage) && !set).then(|| {
            "OpenTelemetry has no propagator, so outgoing calls carry no trace: call `monitor.install()`, or write `opentelemetry::global::set_text_map_propagator(opentelemetry_sdk::propagation::TraceContextPropagator::new())`; `trace.propagators = [\"none\"]` says that none is wanted".to_owned()
        })
    }

    /// Reports errors outside requests that no monitor captured, although this one was to be installed for them.
    fn unrouted(&self) -> Option<String> {
        let lost = unrouted();
        (self.install.capture_error && lost > 0 && !has_installed()).then(|| format!(
            "{lost} errors and panics outside requests were captured by no monitor: call `monitor.install()`, or `monitor.capture_error(..)`; `install.capture_error = false` says that nothing is to be captured there"
        ))
    }

    fn panic_hook(&self) -> Option<String> {
        if !self.install.panic_hook {
            return None;
        }
        let missed = missed_panics();
        if !has_panic_hook() {
            return Some(format!(
                "no panic hook was set, so panics are not captured as errors ({missed} reached a layer so far): call `monitor.install()`, after the subscriber is set; `install.panic_hook = false` says that none is wanted"
            ));
        }
        (missed > 0).then(|| format!(
            "panics reached a layer and not the panic hook, so they were not captured as errors ({missed} so far): a hook that does not call the one before it, such as color-eyre's, was set after ours; set it first and call `monitor.install()` after it (a panic that `resume_unwind` raises calls no hook at all)"
        ))
    }

    /// Reports that no event and no span reaches the layer. The host's layers and filters are evaluated only if `probe`
    /// is set.
    fn subscriber(&self, probe: bool) -> Option<String> {
        if self.layer.is_in_use() {
            return None;
        }
        let subscriber = tracing::dispatcher::get_default(Dispatch::clone);
        if !probe && !subscriber.is::<NoSubscriber>() {
            return None;
        }
        let program = program().unwrap_or_default();
        let targets = [&*program, env!("CARGO_PKG_NAME")];
        if has_layer_of(&subscriber, self.monitor, &targets) {
            self.layer.record_in_use();
            return None;
        }
        Some("no `tracing` subscriber in use has this monitor's layer, or a filter hides even errors from it: no event or span has come, so events are no log records and spans no part of traces; add `.with(monitor.tracing_layer())` to the subscriber that is in use (one whose `init()` failed is not), or call `monitor.install()` where there is none".to_owned())
    }

    /// Reports that the thread's subscriber hides spans that would be recorded.
    fn filter(&self) -> Option<String> {
        let target = program()?;
        let level = self.layer.level_without_spans(&target)?;
        let subscriber = tracing::dispatcher::get_default(Dispatch::clone);
        let asked = self.is_in(&subscriber) && level != LevelFilter::OFF;
        if !asked
            || subscriber_probe::reaches(
                &subscriber,
                self.monitor,
                &target,
                level,
                TracingKind::SPAN,
            )
        {
            return None;
        }
        Some(format!(
            "no `tracing` span has come yet, and a filter of the subscriber hides those of `{target}` (the program's name; your crate's may be another) at `{level}`: let it pass `{target}={level}`, or give the filter to the layer that it is meant for with `.with_filter(..)`"
        ))
    }

    /// Returns whether the thread's subscriber has a layer of this monitor, as far as known without evaluating its
    /// filters.
    fn is_in(&self, subscriber: &Dispatch) -> bool {
        self.layer.is_in_use() || monitor_of(subscriber) == Some(self.monitor)
    }

    /// Reports that the thread's subscriber hides SQLx's events, if no such event has come.
    fn sqlx(&self) -> Option<String> {
        let (target, level) = self.queries.upgrade()?.missing_events()?;
        let subscriber = tracing::dispatcher::get_default(Dispatch::clone);
        let hidden = self.is_in(&subscriber)
            && !subscriber_probe::reaches(
                &subscriber,
                self.monitor,
                target,
                level,
                TracingKind::EVENT,
            );
        hidden.then(|| format!(
            "a filter of the subscriber hides what SQLx says of its queries at `{level}`, so those of pools that are not wrapped are not recorded: add `{target}={level}` to the filter, and give a layer that shall not write them a filter of its own with `.with_filter(..)`; or wrap the pool with `monitor.db_pool(..)`"
        ))
    }

    /// Reports names in `metrics.histograms` that no histogram has. Names in the namespaces of this crate are reported
    /// at once, since those names are all known; others once the monitor is as old as `patience`.
    fn histograms(&self, patience: Duration) -> [Option<String>; 2] {
        let unknown = self.metrics.unknown_histograms();
        if unknown.is_empty() {
            return [None, None];
        }
        let (own, mut others): (Vec<_>, Vec<_>) = unknown
            .into_iter()
            .partition(|name| is_in_own_namespace(name));
        if self.clock.now().saturating_sub(self.began) < nanos(patience) {
            others.clear();
        }
        let names = self.metrics.histogram_names();
        [
            no_such_histogram(&own, &names),
            no_such_histogram(&others, &names),
        ]
    }

    fn data_directory(&self) -> Option<String> {
        match &self.data_dir {
            None => Some("there is none, so captured errors are in memory alone and lost at the end of the process: set `data_dir(..)` or WATCHPOST_DATA_DIR".to_owned()),
            Some((path, false)) => Some(format!(
                "`{}` cannot be used, so nothing is kept on disk: make it a directory that this process may write, or set `data_dir` to another, and start again",
                path.display()
            )),
            Some((path, true)) => {
                let failing = self.errors.store_status().is_some_and(|store| store.failing);
                failing.then(|| format!(
                    "`{}` refuses what is written, so it is in memory alone: look for a full disk, a quota, or lost rights",
                    path.display()
                ))
            }
        }
    }
}

/// Reports the unknown names, if there are any. `names` are the names of all histograms.
fn no_such_histogram(unknown: &[String], names: &[String]) -> Option<String> {
    let listed: Vec<_> = unknown
        .iter()
        .take(MAX_NAMES)
        .map(
            |name| match suggest(name, names.iter().map(String::as_str)) {
                Some(near) => format!("`{name}` (the nearest is `{near}`)"),
                None => format!("`{name}`"),
            },
        )
        .collect();
    let more = match unknown.len().saturating_sub(MAX_NAMES) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!listed.is_empty()).then(|| {
        format!(
            "`metrics.histograms` names {}{more}, and no histogram has that name so far: write a name as the program does, such as `http.server.request.duration`, or as the page does, such as `http_server_request_duration_seconds`",
            listed.join(", ")
        )
    })
}

fn opentelemetry() -> Option<String> {
    let others = otel_versions::others();
    (!others.is_empty()).then(|| {
        format!(
            "{} speaks in this process beside the version that watchpost is built with: spans, contexts and propagators of the two never meet; `cargo tree -d -e normal` names who brings it",
            others.join(", ")
        )
    })
}

fn address(sink: &SinkStatus) -> Option<String> {
    let advice = match sink.name {
        "otlp" => {
            "`otlp.endpoint` gets `/v1/traces` added to it, `otlp.traces_endpoint` is used as it is"
        }
        "otlp_metrics" => {
            "`otlp.endpoint` gets `/v1/metrics` added to it, `otlp.metrics_endpoint` is used as it is"
        }
        _ => "a Sentry DSN ends with the number of a project that exists",
    };
    (sink.receiver.status == Some(StatusCode::NOT_FOUND))
        .then(|| format!("its receiver responds 404, so the URL is wrong: {advice}"))
}

fn delivery(sink: &SinkStatus) -> Option<String> {
    let waiting = sink.waiting_since?;
    let unserved = sink
        .last_delivery_age
        .map_or(waiting, |age| age.min(waiting));
    (unserved > PATIENCE).then(|| {
        let said = sink.receiver.status.map_or_else(
            || "no response yet".to_owned(),
            |status| format!("last response {}", status.as_u16()),
        );
        let said = if sink.name == "console" { "nobody reads it" } else { &said };
        format!(
            "nothing was delivered for {} s while {} bytes wait ({said}): what does not fit is dropped and counted in `watchpost_records_dropped_total`",
            unserved.as_secs(),
            sink.queued_bytes
        )
    })
}

fn clocks(sink: &SinkStatus) -> Option<String> {
    let ahead = sink.receiver.clock_ahead?;
    (ahead.unsigned_abs() > SKEW).then(|| {
        let word = if ahead > 0 { "ahead of" } else { "behind" };
        format!(
            "the clock of this machine is {} s {word} its receiver's, so times there are wrong: have both set by NTP",
            ahead.unsigned_abs()
        )
    })
}

/// The periodic task that reports each finding once while the service runs.
#[derive(Clone, Default)]
pub(super) struct DoctorTask(Arc<OnceLock<Doctor>>);

impl DoctorTask {
    /// Returns the task for the worker.
    pub(super) fn tick(&self, diagnostics: &Arc<Diagnostics>) -> PeriodicTask {
        let (rounds, diagnostics) = (self.clone(), Arc::clone(diagnostics));
        let mut said: Vec<(&'static str, FindingKind)> = Vec::new();
        let mut probed = false;
        let look = move || {
            let Some(doctor) = rounds.0.get() else { return };
            // Probes at most once per process, because evaluating filters can block. Probes only after the service has
            // handled a request, because it has no spans until then.
            let probe = !probed && doctor.inbound.has_served_requests();
            probed |= probe;
            for finding in doctor.examine(probe, PATIENCE_FOR_NAMES) {
                let once = (finding.about, finding.kind);
                // The layer itself reports a missing route.
                if finding.kind != FindingKind::Route && !said.contains(&once) {
                    said.push(once);
                    diagnostics.report(finding.to_string());
                }
            }
        };
        PeriodicTask::new(EVERY, look)
    }

    pub(super) fn start(&self, doctor: Doctor) {
        let _first = self.0.set(doctor);
    }

    /// Returns all current findings, and evaluates the host's subscriber. The caller asks now, so names of histograms
    /// that the host has not created yet are included.
    pub(super) fn findings(&self) -> Vec<Finding> {
        let examine = || {
            self.0
                .get()
                .map(|doctor| doctor.examine(true, Duration::ZERO))
        };
        catch_panic(examine).flatten().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    /// Every subject of a finding has a row in the table of `Monitor::doctor`.
    #[test]
    fn the_table_has_every_subject() {
        let (source, table) = (include_str!("doctor.rs"), include_str!("snapshots.rs"));
        let (source, _) = source.split_once("#[cfg(test)]").unwrap();
        let calls = source.split("about(").skip(1);
        let calls = calls.filter_map(|rest| rest.trim_start().strip_prefix('"'));
        let fields = source.split("about: \"").skip(1);
        let subjects = calls
            .chain(fields)
            .filter_map(|rest| rest.split('"').next());
        let subjects: Vec<_> = subjects.collect();
        assert!(
            subjects.contains(&"sqlx") && subjects.contains(&"process"),
            "{subjects:?}"
        );
        for subject in subjects {
            assert!(table.contains(&format!("/// | `{subject}` |")), "{subject}");
        }
    }
}
