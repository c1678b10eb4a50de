//! Judges the snapshots of the history, and tells the hooks.

use std::fmt;
use std::sync::atomic::{
    AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::anomaly::{Anomaly, AnomalyEpisode, AnomalyState, OddSeries, WatchedSeries};
use super::bands::BandHistory;
#[cfg(feature = "dashboard")]
use super::bands::SeriesBands;
use super::groups::{GroupConfig, SeriesEvent, SeriesGroups};
use super::log::AnomalyLog;
use super::odd_series::odd_before;
use super::rules::{WatchRule, default_rules};
use super::selector::Selector;
use super::sentence::{Told, of_begin, of_end, of_gone};
use super::series::{GroupKey, Reading, SeriesChange, SeriesIdentity, StoredState, time_of};
use super::watch::{Watch, WatchList};
use crate::anomaly::{AnomalyConfig, AnomalyKind, Onset};
use crate::error::Result;
use crate::history::{History, OddStep, SnapshotObserver, TakenSnapshot};
use crate::metrics::{Metrics, SeriesWatches};
use crate::model::{
    Diagnostics, HookCounts, HookList, Subscription, TraceId, lock, lock_for_status,
};
use crate::worker::PeriodicTask;

/// The longest time from a snapshot until the hooks are called.
const CALL_EVERY: Duration = Duration::from_secs(1);
/// The maximum number of traces of an anomaly.
const MAX_TRACES: usize = 5;

/// The hooks of the host.
#[derive(Debug, Default)]
struct AnomalyHooks {
    list: Arc<HookList<Arc<Anomaly>>>,
    /// The number of threads that call hooks at this moment.
    callers: AtomicUsize,
}

/// Watches the series of one monitor. Cheap to clone.
#[derive(Clone)]
pub(crate) struct AnomalyWatcher {
    judge: Arc<Mutex<Judge>>,
    /// What readers see. No code of the host runs under these locks.
    seen: Arc<Seen>,
    hooks: Arc<AnomalyHooks>,
    /// The rules for the monitor's own series.
    own: Arc<[Arc<WatchRule>]>,
    watches: Arc<WatchList>,
}

/// A watcher that does not keep what it watches alive.
#[derive(Debug, Clone)]
pub(crate) struct WeakAnomalyWatcher {
    seen: Weak<Seen>,
    hooks: Weak<AnomalyHooks>,
}

/// The state that snapshots change, one after the other. Detectors of the host run under its lock, so only tasks of the
/// monitor take it.
struct Judge {
    groups: SeriesGroups,
    /// The version of the host's rules that were taken.
    version: u64,
    metrics: Metrics,
    diagnostics: Arc<Diagnostics>,
}

#[derive(Debug)]
struct Seen {
    log: Mutex<AnomalyLog>,
    series: Mutex<Vec<Arc<SeriesIdentity>>>,
    bands: Mutex<BandHistory>,
    watched: AtomicUsize,
    left_out: AtomicUsize,
}

/// What is stored.
#[derive(Debug, Default, PartialEq)]
pub(super) struct WatcherState {
    pub(super) series: Vec<(GroupKey, StoredState)>,
    pub(super) anomalies: Vec<Anomaly>,
    /// The number of the next anomaly, and of the last episode.
    pub(super) next: u64,
    pub(super) episode: u64,
}

impl WatcherState {
    pub(super) fn is_empty(&self) -> bool {
        self.series.is_empty() && self.anomalies.is_empty()
    }
}

impl AnomalyWatcher {
    /// Creates a watcher for snapshots every `step`.
    pub(crate) fn new(
        config: &AnomalyConfig,
        step: Duration,
        metrics: &Metrics,
        diagnostics: &Arc<Diagnostics>,
    ) -> Self {
        let rules = if config.default_series {
            default_rules()
        } else {
            Vec::new()
        };
        let groups = SeriesGroups::new(GroupConfig {
            step,
            false_alarms: config.false_alarms,
            max_series: config.max_series,
        });
        let judge = Judge {
            groups,
            // No list has it, so that the first snapshot takes the rules.
            version: u64::MAX,
            metrics: metrics.clone(),
            diagnostics: Arc::clone(diagnostics),
        };
        let seen = Seen {
            log: Mutex::new(AnomalyLog::new(step)),
            series: Mutex::default(),
            bands: Mutex::default(),
            watched: AtomicUsize::new(0),
            left_out: AtomicUsize::new(0),
        };
        let watches = Arc::new(WatchList::default());
        let of_handles: Weak<WatchList> = Arc::downgrade(&watches);
        let of_handles: Weak<SeriesWatches> = of_handles;
        metrics.set_watches(of_handles);
        Self {
            judge: Arc::new(Mutex::new(judge)),
            seen: Arc::new(seen),
            hooks: Arc::default(),
            own: rules.into_iter().map(Arc::new).collect(),
            watches,
        }
    }

    /// Subscribes a hook.
    pub(crate) fn subscribe(
        &self,
        hook: impl Fn(&Anomaly) + Send + Sync + 'static,
    ) -> Subscription {
        self.hooks.list.subscribe(move |anomaly| hook(anomaly))
    }

    /// Watches the series that a selector names.
    ///
    /// # Errors
    ///
    /// Returns an error if the selector is invalid.
    pub(crate) fn watch(&self, selector: &str) -> Result<Watch> {
        Ok(self.watches.watch(Selector::parse(selector)?))
    }

    /// Calls the hooks with the reports that wait, and waits for calls on other threads.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn call_hooks_and_wait(&self) {
        self.hooks.call();
        while self.hooks.callers.load(Acquire) > 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// The anomalies in memory, the newest first.
    pub(crate) fn anomalies(&self) -> Vec<Anomaly> {
        let Some(log) = lock_for_status(&self.seen.log) else {
            return Vec::new();
        };
        log.all().rev().map(|it| Anomaly::clone(it)).collect()
    }

    /// What was odd at any time from `start` to `end`, the oddest first. For what is older than the anomalies in memory, the
    /// history is read.
    pub(crate) fn odd_between(
        &self,
        start: SystemTime,
        end: SystemTime,
        history: &History,
    ) -> Vec<OddSeries> {
        let log = lock_for_status(&self.seen.log);
        let (known, known_from) = log.map_or_else(Default::default, |log| {
            (log.between(start, end), log.begins_at())
        });
        let mut odd: Vec<_> = known.into_iter().map(OddSeries::of_anomaly).collect();
        let before = known_from.and_then(|from| from.checked_sub(Duration::from_millis(1)));
        let older_end = before.map_or(end, |before| before.min(end));
        if start <= older_end {
            let rules = self.own.iter().map(Arc::clone).chain(self.watches.all());
            let flagged = history.flagged(start, older_end);
            odd.extend(odd_before(flagged, &rules.collect::<Vec<_>>(), &odd));
        }
        odd.sort_by(|one, other| {
            let by_score = other.score.total_cmp(&one.score);
            by_score.then(one.since.cmp(&other.since))
        });
        odd
    }

    /// The episodes in memory, the newest first.
    pub(crate) fn episodes(&self) -> Vec<AnomalyEpisode> {
        let log = lock_for_status(&self.seen.log);
        log.map_or_else(Vec::new, |log| log.episodes())
    }

    /// The watched series, by metric and labels.
    pub(crate) fn series(&self) -> Vec<WatchedSeries> {
        let series = lock_for_status(&self.seen.series).map(|series| series.clone());
        let series = series.into_iter().flatten();
        let mut all: Vec<_> = series.filter_map(|it| it.watched()).collect();
        all.sort_by(|one, other| {
            (&one.metric, &one.name, &one.labels).cmp(&(&other.metric, &other.name, &other.labels))
        });
        all
    }

    /// What was normal lately for the series that stand for the whole service.
    #[cfg(feature = "dashboard")]
    pub(crate) fn bands(&self) -> Vec<SeriesBands> {
        let bands = lock_for_status(&self.seen.bands);
        bands.map_or_else(Vec::new, |bands| bands.all())
    }

    /// Returns what reads the counts without keeping the watcher alive.
    pub(crate) fn downgrade(&self) -> WeakAnomalyWatcher {
        WeakAnomalyWatcher {
            seen: Arc::downgrade(&self.seen),
            hooks: Arc::downgrade(&self.hooks),
        }
    }

    /// The tasks that call the hooks: regularly, and a last time at the end.
    pub(crate) fn tasks(&self, step: Duration) -> [PeriodicTask; 2] {
        let (regular, last) = (Arc::clone(&self.hooks), Arc::clone(&self.hooks));
        [
            PeriodicTask::on_pool(step.min(CALL_EVERY), move || regular.call()),
            PeriodicTask::at_end("the reports of anomalies", move || {
                last.call();
                true
            }),
        ]
    }

    /// What is to be stored.
    pub(super) fn state(&self) -> WatcherState {
        // The states of the series are collected first. An anomaly that begins after that is stored as one that goes on.
        let series = lock(&self.judge).groups.states();
        let log = lock(&self.seen.log);
        let (next, episode) = log.counts();
        WatcherState {
            series,
            anomalies: log.all().map(|it| Anomaly::clone(it)).collect(),
            next,
            episode,
        }
    }

    /// Goes on from what an earlier process has stored.
    pub(super) fn restore(&self, state: WatcherState) {
        let WatcherState {
            series,
            anomalies,
            next,
            episode,
        } = state;
        // First, so that no snapshot is judged between the two: it would find anomalies of no series.
        let mut judge = lock(&self.judge);
        lock(&self.seen.log).restore(anomalies, next, episode);
        judge.groups.restore(series);
    }

    fn judge(&self, snapshot: &TakenSnapshot<'_>) -> Vec<OddStep> {
        let mut judge = lock(&self.judge);
        let mut events = judge.take_rules(&self.own, &self.watches);
        let outcome = judge.groups.observe(snapshot);
        let now = time_of(snapshot.wall);
        events.extend(outcome.events);
        for identity in &outcome.panicked {
            judge.diagnostics.report(format!(
                "the detector of {} panicked: the series is not watched any more; fix the detector given to `.detector(..)`",
                identity.name()
            ));
        }
        self.report(&mut judge, events, now);
        if outcome.has_swept {
            self.end_lost(&judge, now);
        }
        let series = judge.groups.identities();
        self.seen.watched.store(judge.groups.watched(), Relaxed);
        self.seen.left_out.store(outcome.left_out, Relaxed);
        if outcome.left_out > 0 {
            judge.diagnostics.report(
                "There are more series to watch for anomalies than `anomaly.max_series` allows: the newest are not watched.",
            );
        }
        drop(judge);
        lock(&self.seen.bands).add(&series);
        let before = std::mem::replace(&mut *lock(&self.seen.series), series);
        drop(before);
        outcome.anomalies
    }

    /// Ends the anomalies that no series refers to: those of an earlier process whose series has not returned, or whose state
    /// was damaged.
    fn end_lost(&self, judge: &Judge, now: SystemTime) {
        let open = judge.groups.open();
        let mut log = lock(&self.seen.log);
        for number in log.open_numbers() {
            if open.contains(&number) {
                continue;
            }
            let lost = log.change(number, |anomaly| {
                anomaly.state = AnomalyState::Gone;
                anomaly.until = Some(now.max(anomaly.since));
                let after = anomaly.duration(now);
                anomaly.sentence = of_gone(&anomaly.name, after);
            });
            if let Some(lost) = lost {
                self.hooks.list.emit(lost);
            }
        }
    }

    /// Adds what has happened to the log, and queues the reports: the oddest begin first.
    fn report(&self, judge: &mut Judge, mut events: Vec<SeriesEvent>, now: SystemTime) {
        events.sort_by(|one, other| other.reading.score.total_cmp(&one.reading.score));
        for event in events {
            let report = match event.change {
                SeriesChange::Began(onset) => {
                    let anomaly = judge.begin(&event, &onset, now);
                    let anomaly = lock(&self.seen.log).begin(anomaly, now);
                    judge.groups.set_number(event.group, anomaly.number);
                    Some(anomaly)
                }
                SeriesChange::Ended(number, state) => {
                    let end = |anomaly: &mut Anomaly| end(anomaly, &event, state, now);
                    lock(&self.seen.log).change(number, end)
                }
                SeriesChange::Rose(number, score) => {
                    let rise = |anomaly: &mut Anomaly| anomaly.score = score;
                    lock(&self.seen.log).change(number, rise);
                    None
                }
            };
            if let Some(anomaly) = report {
                self.hooks.list.emit(anomaly);
            }
        }
    }
}

impl AnomalyHooks {
    /// Calls the hooks with the reports that wait.
    fn call(&self) {
        self.callers.fetch_add(1, Acquire);
        self.list.deliver();
        self.callers.fetch_sub(1, Release);
    }
}

impl Judge {
    /// Takes the rules of the host if they have changed. Returns the anomalies that end by it.
    fn take_rules(&mut self, own: &[Arc<WatchRule>], watches: &WatchList) -> Vec<SeriesEvent> {
        let Some((version, rules)) = watches.since(self.version) else {
            return Vec::new();
        };
        self.version = version;
        let all = own.iter().map(Arc::clone).chain(rules);
        self.groups.set_rules(&all.collect::<Vec<_>>())
    }

    fn begin(&self, event: &SeriesEvent, onset: &Onset, now: SystemTime) -> Anomaly {
        let SeriesEvent {
            identity, reading, ..
        } = event;
        let name = identity.name();
        Anomaly {
            number: 0,
            episode: 0,
            state: AnomalyState::Began,
            metric: identity.metric().to_owned(),
            figure: identity.figure(),
            labels: identity.labels(),
            value: reading.value,
            expected: reading.expected,
            lower: reading.lower,
            upper: reading.upper,
            score: reading.score,
            upward: onset.upward,
            kind: onset.kind,
            since: onset.since.min(now),
            until: None,
            hour_of_week: onset.hour_of_week,
            traces: self.traces(event, onset),
            sentence: of_begin(&told(&name, identity, reading, onset.kind, onset.upward)),
            name,
        }
    }

    /// The traces of the largest values since the deviation began, or of the smallest if the values are lower.
    fn traces(&self, event: &SeriesEvent, onset: &Onset) -> Vec<TraceId> {
        let since = onset.since.duration_since(UNIX_EPOCH).unwrap_or_default();
        // The values of the first odd step were recorded before its time.
        let since = since.saturating_sub(self.groups.step());
        let metric = event.identity.metric();
        let mut exemplars = self.metrics.exemplars(metric, &event.labels);
        exemplars.retain(|exemplar| u128::from(exemplar.wall) >= since.as_nanos());
        exemplars.sort_by(|one, other| other.value.total_cmp(&one.value));
        if !onset.upward {
            exemplars.reverse();
        }
        let mut traces = Vec::new();
        for exemplar in exemplars {
            if traces.len() < MAX_TRACES && !traces.contains(&exemplar.trace) {
                traces.push(exemplar.trace);
            }
        }
        traces
    }
}

/// Ends an anomaly.
fn end(anomaly: &mut Anomaly, event: &SeriesEvent, state: AnomalyState, now: SystemTime) {
    let SeriesEvent {
        identity, reading, ..
    } = event;
    anomaly.state = state;
    anomaly.until = Some(now.max(anomaly.since));
    anomaly.value = reading.value;
    let name = anomaly.name.clone();
    // The band is that of the begin.
    let told = Told {
        lower: anomaly.lower,
        upper: anomaly.upper,
        ..told(&name, identity, reading, anomaly.kind, anomaly.upward)
    };
    anomaly.sentence = of_end(&told, state, anomaly.duration(now));
}

fn told<'a>(
    name: &'a str,
    identity: &SeriesIdentity,
    reading: &Reading,
    kind: AnomalyKind,
    upward: bool,
) -> Told<'a> {
    Told {
        name,
        unit: identity.unit(),
        value: reading.value,
        expected: reading.expected,
        lower: reading.lower,
        upper: reading.upper,
        kind,
        upward,
        knows_hours: reading.knows_hours,
    }
}

impl WeakAnomalyWatcher {
    /// What became of the reports.
    pub(crate) fn reports(&self) -> Option<HookCounts> {
        Some(self.hooks.upgrade()?.list.counts())
    }

    /// The number of series that are watched, and of those for which there is no room.
    pub(crate) fn series_counts(&self) -> Option<(usize, usize)> {
        let seen = self.seen.upgrade()?;
        Some((seen.watched.load(Relaxed), seen.left_out.load(Relaxed)))
    }

    /// The number of anomalies that have begun in this process, and of those that are under way.
    pub(crate) fn counts(&self) -> Option<(u64, usize)> {
        let seen = self.seen.upgrade()?;
        let log = lock_for_status(&seen.log)?;
        Some((log.begun(), log.open()))
    }
}

impl SnapshotObserver for AnomalyWatcher {
    fn observe(&self, snapshot: &TakenSnapshot<'_>) -> Vec<OddStep> {
        self.judge(snapshot)
    }
}

impl fmt::Debug for AnomalyWatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnomalyWatcher")
            .field("series", &self.seen.watched)
            .finish_non_exhaustive()
    }
}
