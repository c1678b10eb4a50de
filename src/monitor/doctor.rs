//! What can be seen, in a service that runs, of the mistakes that are made around a monitor.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use http::StatusCode;
use tracing::Dispatch;
use tracing::level_filters::LevelFilter;
use tracing::metadata::Kind as TracingKind;
use tracing::subscriber::NoSubscriber;

use super::handle::Inner;
use crate::clock::{Clock, Nanos, nanos};
use crate::config::{InstallConfig, program, suggest};
use crate::db::Queries;
use crate::errors::{ErrorTracker, has_installed, unrouted};
use crate::http::LayerContext;
use crate::logs::{has_layer_of, monitor_of};
use crate::logs::{otel_versions, subscriber_probe};
use crate::metrics::{Metrics, is_in_own_namespace};
use crate::model::{Diagnostics, catch_panic, has_panic_hook, missed_panics};
use crate::trace::{Propagators, SpanLayer};
use crate::worker::{PeriodicTask, SinkObserver, SinkStatus};

/// What is said in a child made by `fork`.
pub(super) const FORKED: &str = "this process is a child made by `fork` after the monitor was built: it has no worker and delivers nothing, and what the parent was writing at that moment cannot be read; build the monitor after the fork";
/// How often it is looked for what is to be said.
const EVERY: Duration = Duration::from_secs(10);
/// So long work waits for a sink that delivers nothing until it is told.
const PATIENCE: Duration = Duration::from_secs(30);
/// So long a histogram of the host's may take to be made, until its name in the settings is reported.
const PATIENCE_FOR_NAMES: Duration = Duration::from_secs(300);
/// Names that one sentence lists.
const MOST_NAMES: usize = 8;
/// Seconds by which clocks may differ.
const SKEW: u64 = 60;

/// Something that [`Monitor::doctor`](crate::Monitor::doctor) found: what is wrong, and what to write.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What it is about: `propagator`, `subscriber`, `filter`, `sqlx`, `route`, `histogram`, `opentelemetry`, `panic hook`, `capture_error`, `data directory`,
    /// `process` (a child made by `fork`), or a sink: `console`, `otlp`, `sentry`.
    pub about: &'static str,
    /// What is wrong and what to do about it.
    pub sentence: String,
    kind: Kind,
}

/// What is told once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
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

/// What it looks at. It holds nothing that its end would wait for.
pub(super) struct Doctor {
    monitor: u32,
    propagators: Propagators,
    install: InstallConfig,
    layer: Arc<SpanLayer>,
    inbound: LayerContext,
    metrics: Metrics,
    clock: Clock,
    began: Nanos,
    errors: ErrorTracker,
    queries: Weak<Queries>,
    /// The data directory that is wanted, and whether it could be used.
    data_dir: Option<(PathBuf, bool)>,
    worker: SinkObserver,
}

impl Doctor {
    /// `wanted` is the data directory that the settings name.
    pub(super) fn of(inner: &Inner, wanted: Option<PathBuf>) -> Self {
        Self {
            monitor: inner.requests.number(),
            propagators: inner.propagators,
            install: inner.install,
            layer: Arc::clone(&inner.tracing.layer),
            inbound: inner.inbound.clone(),
            metrics: inner.metrics.clone(),
            clock: inner.requests.clock().clone(),
            began: inner.requests.clock().now(),
            errors: inner.errors.clone(),
            queries: Arc::downgrade(&inner.queries),
            data_dir: wanted.map(|path| (path, inner.data_dir.is_some())),
            worker: inner.worker.sink_observer(),
        }
    }

    /// All that is wrong now. The subscriber's filters are asked only if `probe` says so: they are the host's.
    fn examine(&self, probe: bool) -> Vec<Finding> {
        if self.worker.is_forked() {
            // The rest is the parent's, and behind locks that nobody may release here.
            return vec![Finding {
                about: "process",
                sentence: FORKED.to_owned(),
                kind: Kind::Surroundings,
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
        let [provider, layer] = self.layer.besides();
        let data_directory = self.data_directory();
        let panic_kind = if has_panic_hook() {
            Kind::MissedPanics
        } else {
            Kind::Surroundings
        };
        let [own_histograms, histograms] = self.histograms();
        let own = [
            about("propagator", Kind::Surroundings, self.propagator()),
            about("subscriber", Kind::Surroundings, self.subscriber(probe)),
            about("filter", Kind::Surroundings, filter),
            about("sqlx", Kind::Surroundings, sqlx),
            about("route", Kind::Route, route),
            about("histogram", Kind::OwnHistogram, own_histograms),
            about("histogram", Kind::Histogram, histograms),
            about("opentelemetry", Kind::Surroundings, opentelemetry()),
            about("opentelemetry", Kind::Provider, provider.map(str::to_owned)),
            about("opentelemetry", Kind::SpanLayer, layer.map(str::to_owned)),
            about("panic hook", panic_kind, self.panic_hook()),
            about("capture_error", Kind::Surroundings, self.unrouted()),
            about("data directory", Kind::Surroundings, data_directory),
        ];
        let sinks = sinks.iter().flat_map(|sink| {
            [
                about(sink.name, Kind::Address, address(sink)),
                about(sink.name, Kind::Delivery, delivery(sink)),
                about(sink.name, Kind::Clock, clocks(sink)),
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

    /// What nobody captured though this monitor was to be installed for it.
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

    /// Whether nothing reaches the layer. Layers and filters of the host's are asked only if `probe` says so.
    fn subscriber(&self, probe: bool) -> Option<String> {
        if self.layer.is_heard() {
            return None;
        }
        let subscriber = tracing::dispatcher::get_default(Dispatch::clone);
        if !probe && !subscriber.is::<NoSubscriber>() {
            return None;
        }
        let program = program().unwrap_or_default();
        let targets = [&*program, env!("CARGO_PKG_NAME")];
        if has_layer_of(&subscriber, self.monitor, &targets) {
            self.layer.note_heard();
            return None;
        }
        Some("no `tracing` subscriber in use has this monitor's layer, or a filter hides even errors from it: no event or span has come, so events are no log records and spans no part of traces; add `.with(monitor.tracing_layer())` to the subscriber that is in use (one whose `init()` failed is not), or call `monitor.install()` where there is none".to_owned())
    }

    /// Whether the thread's subscriber hides spans that would be recorded.
    fn filter(&self) -> Option<String> {
        let target = program()?;
        let level = self.layer.misses(&target)?;
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

    /// Whether a layer of this monitor is in the thread's subscriber, as far as is known without a question.
    fn is_in(&self, subscriber: &Dispatch) -> bool {
        self.layer.is_heard() || monitor_of(subscriber) == Some(self.monitor)
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

    /// Names of histograms in the settings that no histogram has: at once those in namespaces of this crate, whose
    /// names are all known; the others after some minutes, since the host may make its histograms late.
    fn histograms(&self) -> [Option<String>; 2] {
        let unknown = self.metrics.unknown_histograms();
        if unknown.is_empty() {
            return [None, None];
        }
        let (own, mut others): (Vec<_>, Vec<_>) = unknown
            .into_iter()
            .partition(|name| is_in_own_namespace(name));
        if self.clock.now().saturating_sub(self.began) < nanos(PATIENCE_FOR_NAMES) {
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

/// What is wrong with these names of the settings, where there are any; `names` are those that histograms have.
fn no_such_histogram(unknown: &[String], names: &[String]) -> Option<String> {
    let listed: Vec<_> = unknown
        .iter()
        .take(MOST_NAMES)
        .map(
            |name| match suggest(name, names.iter().map(String::as_str)) {
                Some(near) => format!("`{name}` (the nearest is `{near}`)"),
                None => format!("`{name}`"),
            },
        )
        .collect();
    let more = match unknown.len().saturating_sub(MOST_NAMES) {
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
        _ => "a Sentry DSN ends with the number of a project that exists",
    };
    (sink.receiver.status == Some(StatusCode::NOT_FOUND))
        .then(|| format!("its receiver answers 404, so the URL is wrong: {advice}"))
}

fn delivery(sink: &SinkStatus) -> Option<String> {
    let waiting = sink.waiting_since?;
    let unserved = sink
        .last_delivery_age
        .map_or(waiting, |age| age.min(waiting));
    (unserved > PATIENCE).then(|| {
        let said = sink.receiver.status.map_or_else(
            || "no answer yet".to_owned(),
            |status| format!("last answer {}", status.as_u16()),
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

/// Says what is found while the service runs, each thing once.
#[derive(Clone, Default)]
pub(super) struct Rounds(Arc<OnceLock<Doctor>>);

impl Rounds {
    /// What the worker does for it.
    pub(super) fn tick(&self, diagnostics: &Arc<Diagnostics>) -> PeriodicTask {
        let (rounds, diagnostics) = (self.clone(), Arc::clone(diagnostics));
        let mut said: Vec<(&'static str, Kind)> = Vec::new();
        let mut probed = false;
        let look = move || {
            let Some(doctor) = rounds.0.get() else { return };
            // Once in a life, for filters may hang; and a service that does nothing yet has no spans.
            let probe = !probed && doctor.inbound.has_served_requests();
            probed |= probe;
            for finding in doctor.examine(probe) {
                let once = (finding.about, finding.kind);
                // The layer itself reports a missing route.
                if finding.kind != Kind::Route && !said.contains(&once) {
                    said.push(once);
                    diagnostics.report(finding.to_string());
                }
            }
        };
        PeriodicTask::new(EVERY, look)
    }

    pub(super) fn begin(&self, doctor: Doctor) {
        let _first = self.0.set(doctor);
    }

    /// What is wrong now. Subscribers of the host's are asked.
    pub(super) fn findings(&self) -> Vec<Finding> {
        let examine = || self.0.get().map(|doctor| doctor.examine(true));
        catch_panic(examine).flatten().unwrap_or_default()
    }
}
