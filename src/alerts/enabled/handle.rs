use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::alert::{Acknowledgement, Alert, AlertEvent, AlertTransition, Severity};
use super::backtest::backtest;
use super::channels::add_configured;
use super::default_rules::default_rules;
use super::engine::{AlertEngine, Round};
use super::enrich::enrich;
use super::evaluate::evaluate;
use super::export::{PrometheusRules, export};
use super::heartbeat::Heartbeat;
use super::job::{Job, JobFigures, JobList};
use super::lag::EvaluationLag;
use super::log::log_transition;
use super::notify::{
    AlertAnnouncement, AlertRoute, AnnouncementKind, Channel, ChannelStatus, Delivery,
    NotifiedAlert, Notifier, NotifierSetup, millis,
};
use super::outgoing::OutgoingQueue;
use super::rule::Rule;
use super::rule_list::{InhibitionList, RuleList};
use super::silence::{Inhibition, LabelMatcher, Silence, match_all};
use super::slo::{Objective, SloStatus};
use super::store::AlertStore;
use super::watched_file::WatchedFile;
use crate::alerts::AlertsConfig;
use crate::clock::{Clock, Nanos, seconds};
use crate::error::{Error, Result};
use crate::history::History;
use crate::logs::OwnLog;
use crate::model::{
    Diagnostics, HookCounts, HookList, Subscription, lock, lock_for_status, read_lock, write_lock,
};
use crate::worker::PeriodicTask;

/// The maximum number of rules.
const MAX_RULES: usize = 1000;
/// The maximum number of silences.
const MAX_SILENCES: usize = 1000;
/// The longest silence: a hundred years.
const MAX_SILENCE: Duration = Duration::from_secs(36_525 * 86_400);
/// How often it is checked whether something has to be written.
const STORE_EVERY: Duration = Duration::from_millis(200);
/// The time between two deliveries to hooks.
const DELIVER_EVERY: Duration = Duration::from_secs(1);

/// The rules of a monitor and their alerts. [`Monitor::alerts`](crate::Monitor::alerts) returns it. Cheap to clone.
#[derive(Clone)]
pub struct Alerts {
    inner: Arc<AlertsState>,
}

struct AlertsState {
    history: History,
    clock: Clock,
    interval: Duration,
    rules: RwLock<RuleList>,
    file: Option<WatchedFile>,
    objectives: RwLock<Vec<Objective>>,
    jobs: Arc<JobList>,
    inhibitions: RwLock<InhibitionList>,
    engine: Mutex<AlertEngine>,
    hooks: Arc<HookList<AlertEvent>>,
    notifier: Notifier,
    heartbeat: Option<Heartbeat>,
    outgoing: OutgoingQueue,
    store: Option<AlertStore>,
    log: OwnLog,
    diagnostics: Arc<Diagnostics>,
    /// Held during a round: rounds do not overlap.
    round: Mutex<()>,
    /// How long the last round took.
    duration: AtomicU64,
    lag: EvaluationLag,
    rounds: AtomicU64,
}

/// Ends the deliveries of a worker that ends, before its runtime does.
struct CloseChannels(Arc<AlertsState>);

impl Drop for CloseChannels {
    fn drop(&mut self) {
        self.0.notifier.close();
    }
}

/// The parts of [`Alerts`].
pub(crate) struct AlertsSetup<'a> {
    pub(crate) config: &'a AlertsConfig,
    /// The name of the service, and where it runs.
    pub(crate) service: (&'a str, Option<&'a str>),
    pub(crate) history: &'a History,
    /// Where the alerts are stored. Without it, they are in memory alone.
    pub(crate) directory: Option<&'a std::path::Path>,
    pub(crate) clock: &'a Clock,
    pub(crate) diagnostics: &'a Arc<Diagnostics>,
    pub(crate) log: OwnLog,
}

/// Figures of the evaluation, for the metrics.
#[derive(Debug, Clone)]
pub(crate) struct AlertFigures {
    pub(crate) rounds: u64,
    pub(crate) last_round_seconds: f64,
    pub(crate) lag_seconds: f64,
    pub(crate) failed_rules: usize,
    pub(crate) firing: [(Severity, usize); 3],
    pub(crate) left_out: u64,
    pub(crate) hooks: HookCounts,
    pub(crate) jobs: Vec<JobFigures>,
    pub(crate) channels: Vec<ChannelStatus>,
    /// The seconds since when each channel fails. 0 if it does not.
    pub(crate) failing: Vec<(String, f64)>,
    /// Heartbeats that were accepted, and that failed.
    pub(crate) heartbeats: Option<(u64, u64)>,
}

impl Alerts {
    /// Creates the alerts with the default rules, and the tasks that evaluate them. The stored alerts are read by the first
    /// evaluation.
    pub(crate) fn new(setup: &AlertsSetup<'_>) -> (Self, Vec<PeriodicTask>) {
        let AlertsSetup {
            config,
            service: (service, environment),
            history,
            directory,
            clock,
            diagnostics,
            log,
        } = setup;
        let rules = if config.default_rules {
            default_rules()
        } else {
            Vec::new()
        };
        let rules: Vec<_> = rules.into_iter().map(Arc::new).collect();
        let mut engine = AlertEngine::new(config.interval, clock.now());
        engine.set_rules(&rules);
        let notifier = Notifier::new(NotifierSetup {
            service: (*service).to_owned(),
            environment: environment.map(str::to_owned),
            dashboard_url: config.dashboard_url.as_ref().map(ToString::to_string),
            group_wait: config.group_wait,
            group_interval: config.group_interval,
            interval: config.interval,
            directory: directory.map(std::path::Path::to_owned),
            clock: Clock::clone(clock),
            diagnostics: Arc::clone(diagnostics),
        });
        add_configured(&notifier, config, diagnostics);
        let store = directory.map(|path| AlertStore::in_directory(path, diagnostics));
        let inner = AlertsState {
            history: History::clone(history),
            clock: Clock::clone(clock),
            interval: config.interval,
            rules: RwLock::new(RuleList {
                own: rules,
                file: Vec::new(),
            }),
            file: config.file.as_deref().map(WatchedFile::new),
            objectives: RwLock::default(),
            jobs: Arc::default(),
            inhibitions: RwLock::default(),
            engine: Mutex::new(engine),
            hooks: Arc::default(),
            notifier,
            heartbeat: Heartbeat::of_settings(config, diagnostics),
            outgoing: OutgoingQueue::default(),
            store,
            log: log.clone(),
            diagnostics: Arc::clone(diagnostics),
            round: Mutex::default(),
            duration: AtomicU64::new(0),
            lag: EvaluationLag::new(config.interval, clock.now()),
            rounds: AtomicU64::new(0),
        };
        let alerts = Self {
            inner: Arc::new(inner),
        };
        let (evaluating, delivering, last) = (alerts.clone(), alerts.clone(), alerts.clone());
        let (storing, notifying) = (alerts.clone(), alerts.clone());
        let tasks = vec![
            PeriodicTask::on_pool(config.interval, move || evaluating.evaluate()),
            PeriodicTask::on_pool(STORE_EVERY, move || storing.store_changes()),
            PeriodicTask::on_pool(DELIVER_EVERY, move || notifying.notify()),
            PeriodicTask::on_pool(DELIVER_EVERY, move || delivering.inner.hooks.deliver()),
            PeriodicTask::at_end("the alerts", move || last.finish()),
            PeriodicTask::while_running(CloseChannels(Arc::clone(&alerts.inner))),
        ];
        (alerts, tasks)
    }

    /// Adds a rule, or replaces the one of the same name, whose alerts go on. A rule of the file replaces it in turn.
    ///
    /// # Errors
    ///
    /// Returns an error if the rule is invalid, as [`Rule::check`] says, or if there are a thousand rules.
    pub fn add_rule(&self, rule: Rule) -> Result<()> {
        self.add_rules(vec![rule])
    }

    fn add_rules(&self, new: Vec<Rule>) -> Result<()> {
        new.iter().try_for_each(Rule::check)?;
        let mut rules = write_lock(&self.inner.rules);
        let mut own = rules.own.clone();
        own.retain(|rule| new.iter().all(|new| new.name != rule.name));
        own.extend(new.into_iter().map(Arc::new));
        if own.len() > MAX_RULES {
            return Err(Error::alert("there are a thousand rules: add no more"));
        }
        rules.own = own;
        let all = rules.all();
        lock(&self.inner.engine).set_rules(&all);
        Ok(())
    }

    /// Removes a rule that is not of the file. Its alerts end at the next evaluation. Returns whether there was one.
    pub fn remove_rule(&self, name: &str) -> bool {
        let mut rules = write_lock(&self.inner.rules);
        let before = rules.own.len();
        rules.own.retain(|rule| rule.name != name);
        rules.own.len() < before
    }

    /// Returns the rules: those of the program, and those of the file.
    pub fn rules(&self) -> Vec<Rule> {
        let rules = read_lock(&self.inner.rules).all();
        rules.iter().map(|rule| Rule::clone(rule)).collect()
    }

    /// The rules, which stay the same as long as nobody replaces them.
    #[cfg(feature = "dashboard")]
    pub(crate) fn shared_rules(&self) -> Vec<Arc<Rule>> {
        read_lock(&self.inner.rules).all()
    }

    /// Returns what a rule would have done from `start` to `end`: all changes of its alerts, with values. It need not be
    /// added for that.
    ///
    /// It reads the history on the calling thread, which may take seconds for a long time.
    ///
    /// # Errors
    ///
    /// Returns an error if the rule is invalid, if `end` is before `start`, or if there would be more than 11,000 evaluations:
    /// almost four days of one each 30 seconds.
    pub fn backtest(
        &self,
        rule: &Rule,
        start: SystemTime,
        end: SystemTime,
    ) -> Result<Vec<AlertTransition>> {
        rule.check()?;
        backtest(rule, &self.inner.history, (start, end), self.inner.interval)
    }

    /// Sets an objective: `percent` of the HTTP requests of 30 days succeed. It adds four rules, `{name}-burn-1h`, `-6h`, `-1d`
    /// and `-3d`, which fire if the error budget is spent too fast. See [objectives](crate::alerts#objectives).
    ///
    /// # Errors
    ///
    /// Returns an error unless `percent` is at least 50 and less than 100, and as [`add_rule`](Self::add_rule) does.
    pub fn add_slo(&self, name: &str, percent: f64) -> Result<()> {
        let objective = Objective::new(name, percent)?;
        self.add_rules(objective.rules())?;
        let mut objectives = write_lock(&self.inner.objectives);
        objectives.retain(|other| other.name() != name);
        objectives.push(objective);
        Ok(())
    }

    /// Returns how the objectives are met. It reads the history on the calling thread.
    ///
    /// # Errors
    ///
    /// Returns an error if the history cannot be read.
    pub fn slos(&self) -> Result<Vec<SloStatus>> {
        let now = self.now();
        let objectives = read_lock(&self.inner.objectives).clone();
        let status = |objective: &Objective| objective.status(&self.inner.history, now);
        objectives.iter().map(status).collect()
    }

    /// Adds a background job.
    pub(crate) fn job(&self, name: &str, every: Duration) -> Result<Job> {
        self.inner.jobs.add(name, every, &self.inner.clock)
    }

    /// Returns the rules as a file for Prometheus, with the same names, durations, labels and annotations. What Prometheus
    /// cannot express is left out, and listed with the reason.
    ///
    /// The expressions read the metrics as this crate exposes them. Prometheus extrapolates increases, and calculates
    /// quantiles from the exposed buckets, so values near a limit may differ. Cooldown and repetition are settings of an
    /// Alertmanager.
    pub fn prometheus_rules(&self) -> PrometheusRules {
        export(&self.rules(), self.inner.interval)
    }

    /// Returns the alerts that are not inactive, firing ones first, and among these the critical ones. Resolved alerts are
    /// in the list for an hour or longer, as [`alerts`](crate::alerts#what-is-kept) says.
    pub fn list(&self) -> Vec<Alert> {
        let inhibitions = read_lock(&self.inner.inhibitions).all();
        lock(&self.inner.engine).list(self.now(), &inhibitions)
    }

    /// Returns the last changes of states, oldest first: at most a thousand.
    pub fn transitions(&self) -> Vec<AlertTransition> {
        let engine = lock(&self.inner.engine);
        engine.transitions.iter().cloned().collect()
    }

    /// Returns the rules whose last evaluation failed, and why. If the file with rules is not used, it is in the list too.
    ///
    /// If the file with rules is being read, it waits for that, and blocks as long as the disk does. In asynchronous code, call
    /// it from `spawn_blocking`.
    pub fn failures(&self) -> Vec<(String, String)> {
        let file = self.inner.file.as_ref().and_then(WatchedFile::problem);
        let engine = lock(&self.inner.engine);
        let pair = |(rule, error): (&String, &String)| (rule.clone(), error.clone());
        file.into_iter()
            .chain(engine.failures.iter().map(pair))
            .collect()
    }

    /// Notes that someone takes care of a firing alert: it is not announced again until it ends, or until `lasting` has
    /// passed. Its end is announced. Returns whether there is such an alert.
    ///
    /// `fingerprint` is that of [`Alert`].
    ///
    /// With a data directory, it blocks as long as the disk does: it writes a file, and waits for one that is being written. In
    /// asynchronous code, call it from `spawn_blocking`.
    pub fn acknowledge(
        &self,
        fingerprint: u64,
        by: impl Into<String>,
        comment: impl Into<String>,
        lasting: Option<Duration>,
    ) -> bool {
        let at = self.now();
        let by = Acknowledgement {
            by: by.into(),
            comment: comment.into(),
            at,
            until: lasting.and_then(|lasting| at.checked_add(lasting)),
        };
        let (change, announced) = {
            let mut engine = lock(&self.inner.engine);
            let found = engine.acknowledge(fingerprint, &by);
            if found.is_empty() {
                return false;
            }
            let heard = found.iter().filter(|_| !self.inner.notifier.is_empty());
            let announced = heard
                .map(|alert| engine.announce(AnnouncementKind::Acknowledged, alert, millis(at)));
            let announced: Vec<_> = announced.collect();
            (self.queue(Vec::new(), &announced), announced)
        };
        self.complete(change, announced, at);
        self.save();
        true
    }

    /// Hides the alerts that match all of `matchers` for a time that begins now, of a hundred years at most. Returns the number
    /// of the silence.
    ///
    /// With a data directory, it blocks as long as the disk does: it writes a file, and waits for one that is being written. In
    /// asynchronous code, call it from `spawn_blocking`.
    ///
    /// # Errors
    ///
    /// Returns an error without matchers, and if there are a thousand silences.
    pub fn silence(
        &self,
        matchers: impl IntoIterator<Item = LabelMatcher>,
        lasting: Duration,
        author: impl Into<String>,
        comment: impl Into<String>,
    ) -> Result<u64> {
        let starts = self.now();
        let mut silence = Silence {
            number: 0,
            matchers: matchers.into_iter().collect(),
            starts,
            ends: starts
                .checked_add(lasting.min(MAX_SILENCE))
                .unwrap_or(starts),
            author: author.into(),
            comment: comment.into(),
        };
        if silence.matchers.is_empty() {
            return Err(Error::alert(
                "a silence without matchers would hide all alerts",
            ));
        }
        let number = {
            let mut engine = lock(&self.inner.engine);
            if engine.silences.len() >= MAX_SILENCES {
                return Err(Error::alert("there are a thousand silences: end some"));
            }
            // By the time, so that it is not one of an earlier process.
            let millis = starts
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default()
                .as_millis();
            let last = engine.silences.iter().map(|silence| silence.number).max();
            let next = last.map_or(0, |last| last.saturating_add(1));
            silence.number = next.max(u64::try_from(millis).unwrap_or(u64::MAX));
            let number = silence.number;
            engine.silences.push(silence);
            number
        };
        self.save();
        Ok(number)
    }

    /// Returns the alerts that a silence with these matchers would hide now.
    pub fn preview_silence(&self, matchers: &[LabelMatcher]) -> Vec<Alert> {
        let mut alerts = self.list();
        alerts.retain(|alert| match_all(matchers, &alert.labels));
        alerts
    }

    /// Returns the silences that are not over.
    pub fn silences(&self) -> Vec<Silence> {
        let now = self.now();
        let engine = lock(&self.inner.engine);
        let is_current = |silence: &&Silence| silence.ends > now;
        engine.silences.iter().filter(is_current).cloned().collect()
    }

    /// Ends a silence. Returns whether there was one.
    ///
    /// With a data directory, it blocks as long as the disk does: it writes a file, and waits for one that is being written. In
    /// asynchronous code, call it from `spawn_blocking`.
    pub fn end_silence(&self, number: u64) -> bool {
        let ended = {
            let mut engine = lock(&self.inner.engine);
            let before = engine.silences.len();
            engine.silences.retain(|silence| silence.number != number);
            engine.silences.len() < before
        };
        if ended {
            self.save();
        }
        ended
    }

    /// Sets which alerts hide others. Replaces those set before; those of the file apply too. Default: none.
    pub fn set_inhibitions(&self, inhibitions: impl IntoIterator<Item = Inhibition>) {
        // The host's iterator runs without the lock.
        let own = inhibitions.into_iter().collect();
        write_lock(&self.inner.inhibitions).own = own;
    }

    /// Adds a channel. It gets the alerts that begin from then on. What an earlier process has not delivered to a channel of this
    /// name is delivered too: add it before the first evaluation.
    ///
    /// # Errors
    ///
    /// Returns an error if the name is invalid or taken, if there are 16 channels, or if a method of the channel panics.
    pub fn add_channel(&self, channel: impl Channel) -> Result<()> {
        self.inner.notifier.add(Arc::new(channel), false)
    }

    /// Sets which alerts go to which channels. Replaces those set before. See [`AlertRoute`].
    ///
    /// # Errors
    ///
    /// Returns an error if a route names a channel that does not exist.
    pub fn set_routes(&self, routes: impl IntoIterator<Item = AlertRoute>) -> Result<()> {
        // The host's iterator runs without the lock.
        self.inner.notifier.set_routes(routes.into_iter().collect())
    }

    /// Returns the state of each channel, with the figures of what it has delivered.
    pub fn channels(&self) -> Vec<ChannelStatus> {
        self.inner.notifier.status().unwrap_or_default()
    }

    /// Returns the latest attempts to deliver notifications, oldest first: up to 100 of each channel.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.inner.notifier.deliveries()
    }

    /// Returns the alerts that a channel could not deliver, each with the name of the channel: up to 100 of each.
    pub fn dead_letters(&self) -> Vec<(String, NotifiedAlert)> {
        self.inner.notifier.dead_letters()
    }

    /// Sends a test through a channel, once, and returns the result. It is sent on a thread of the monitor, within about a
    /// second.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no such channel, if the delivery fails, or if the monitor is shut down.
    pub async fn test_channel(&self, name: &str) -> Result<()> {
        let result = self.inner.notifier.test(name, self.now())?;
        match result.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Error::alert(&format!("the test failed: {error}"))),
            Err(_) => Err(Error::alert("the monitor is shut down")),
        }
    }

    /// Adds a hook for changes of alerts.
    pub(crate) fn on_event(
        &self,
        hook: impl Fn(&AlertEvent) + Send + Sync + 'static,
    ) -> Subscription {
        self.inner.hooks.subscribe(hook)
    }

    /// Evaluates all rules. Blocks as long as the history and the disk do.
    pub(crate) fn evaluate(&self) {
        let inner = &*self.inner;
        let _round = lock(&inner.round);
        inner.lag.begin(inner.clock.now());
        self.restore();
        self.reload();
        let begin = inner.clock.now();
        let wall = inner.clock.wall(begin);
        let time = UNIX_EPOCH + Duration::from_nanos(wall);
        let rules = read_lock(&inner.rules).all();
        // Without the lock of the engine, so that nobody waits for the history.
        let results = rules.into_iter().map(|rule| {
            let signals = evaluate(&rule, &inner.history, time);
            (rule, signals)
        });
        let results = results.collect();
        let round = Round {
            results,
            now: begin,
            wall,
        };
        let inhibitions = read_lock(&inner.inhibitions).all();
        let has_channels = !inner.notifier.is_empty();
        let (change, announced, is_complete, has_room) = {
            let mut engine = lock(&inner.engine);
            let before = (engine.left_out, engine.pushed_out);
            let events = engine.round(round, &inhibitions);
            // In the same step as the states, so that none is stored without the other.
            let mut announced = Vec::new();
            for event in events.iter().filter(|_| has_channels) {
                if let Some(reason) = event.notification {
                    announced.push(engine.announce(reason.into(), &event.alert, wall / 1_000_000));
                }
            }
            for event in &events {
                if let Some(transition) = &event.transition {
                    log_transition(&inner.log, transition, &event.alert);
                }
            }
            let change = (!events.is_empty()).then(|| self.queue(events, &announced));
            let after = (engine.left_out, engine.pushed_out);
            (change, announced, after.0 == before.0, after.1 == before.1)
        };
        if !is_complete {
            inner.diagnostics.report(
                "a rule has a thousand alerts, and no more are kept: combine its series by fewer labels",
            );
        }
        if !has_room {
            inner.diagnostics.report(
                "more than 2,000 announcements of alerts wait for the files of the channels: a crash before these are written loses the oldest",
            );
        }
        if let Some(change) = change {
            self.complete(change, announced, time);
        }
        let duration = inner.clock.now().saturating_sub(begin);
        inner.duration.store(duration, Relaxed);
        let rounds = inner.rounds.fetch_add(1, Relaxed);
        // By then the channels have read their files.
        if rounds == 1 && has_channels {
            let firing = lock(&inner.engine).fingerprints();
            inner.notifier.forget_unknown(&|it| firing.contains(&it));
        }
    }

    /// Queues what has changed, until it is complete and stored. Returns its number. Must be called under the lock of the engine.
    fn queue(&self, events: Vec<AlertEvent>, announcements: &[AlertAnnouncement]) -> u64 {
        let inner = &*self.inner;
        let announcements = announcements.to_vec();
        inner.outgoing.add(events, announcements, inner.clock.now())
    }

    /// Adds what notifications show beside an alert.
    fn complete(&self, change: u64, mut announcements: Vec<AlertAnnouncement>, time: SystemTime) {
        let inner = &*self.inner;
        let rules = read_lock(&inner.rules).all();
        enrich(&mut announcements, &rules, &inner.history, time);
        lock(&inner.engine).replace_unsent(&announcements);
        inner.outgoing.complete(change, announcements);
    }

    /// Stores what has changed. Blocks as long as the disk does.
    fn store_changes(&self) {
        let inner = &*self.inner;
        let is_due = inner
            .store
            .as_ref()
            .is_some_and(|store| store.is_due(inner.clock.now()));
        let is_first = inner.rounds.load(Relaxed) > 0;
        if inner.outgoing.has_unwritten() || (is_due && is_first) {
            self.save();
        }
        self.hand_over();
    }

    /// Hands what is stored to the hooks and the channels.
    fn hand_over(&self) {
        let inner = &*self.inner;
        inner.outgoing.hand_over(
            || inner.clock.now(),
            |next| {
                for announcement in &next.announcements {
                    inner.notifier.offer(announcement, false);
                }
                for event in next.events {
                    inner.hooks.emit(event);
                }
            },
        );
    }

    /// Begins what the channels have to do.
    fn notify(&self) {
        let inner = &*self.inner;
        self.hand_over();
        inner.notifier.tick();
        self.settle();
        if let Some(heartbeat) = &inner.heartbeat {
            heartbeat.tick(inner.clock.now(), inner.rounds.load(Relaxed));
        }
    }

    /// Forgets the announcements that the channels have stored.
    fn settle(&self) {
        let inner = &*self.inner;
        let through = inner.notifier.stored_through();
        lock(&inner.engine).unsent.retain(|it| it.number > through);
    }

    /// Evaluates, stores, and calls the hooks, for the test harness.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn evaluate_for_test(&self) {
        self.evaluate();
        self.store_changes();
        self.inner.hooks.deliver();
    }

    /// Delivers what the channels have due, for the test harness. Returns the number of attempts.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn deliver_for_test(&self, runtime: &tokio::runtime::Handle) -> u64 {
        self.hand_over();
        let attempts = self.inner.notifier.run_for_test(runtime);
        self.settle();
        attempts
    }

    /// Reads the figures of the evaluation. Does not keep the alerts alive.
    pub(crate) fn figures_reader(&self) -> impl Fn() -> Option<AlertFigures> + Send + Sync + use<> {
        let inner = Arc::downgrade(&self.inner);
        move || inner.upgrade()?.figures()
    }

    /// Reads the file with rules, if it has changed.
    fn reload(&self) {
        let inner = &*self.inner;
        match inner.file.as_ref().and_then(WatchedFile::poll) {
            None => {}
            Some(Err(problem)) => inner.diagnostics.report(problem),
            Some(Ok(file)) => {
                let new = file.rules.into_iter().take(MAX_RULES).map(Arc::new);
                write_lock(&inner.rules).file = new.collect();
                write_lock(&inner.inhibitions).file = file.inhibitions;
            }
        }
    }

    /// Continues the stored alerts, once.
    fn restore(&self) {
        let inner = &*self.inner;
        let Some(saved) = inner.store.as_ref().and_then(AlertStore::load) else {
            return;
        };
        let now = inner.clock.now();
        let downtime = Duration::from_nanos(inner.clock.wall(now).saturating_sub(saved.wall));
        for announcement in &saved.unsent {
            inner.notifier.offer(announcement, true);
        }
        lock(&inner.engine).restore(saved, now, downtime);
    }

    /// Stores the alerts. Returns whether they are stored, or have no store.
    fn save(&self) -> bool {
        let inner = &*self.inner;
        let changes = inner.outgoing.changes();
        let is_saved = inner.store.as_ref().is_none_or(|store| {
            let now: Nanos = inner.clock.now();
            store.save(&inner.engine, now, inner.clock.wall(now))
        });
        // Also if it failed: what is to be announced does not wait for a disk that is full.
        inner.outgoing.note_written(changes);
        is_saved
    }

    fn finish(&self) -> bool {
        let _round = lock(&self.inner.round);
        self.restore();
        let is_saved = self.save();
        self.hand_over();
        self.inner.hooks.deliver();
        self.inner.notifier.finish() && is_saved
    }

    fn now(&self) -> SystemTime {
        let clock = &self.inner.clock;
        UNIX_EPOCH + Duration::from_nanos(clock.wall(clock.now()))
    }
}

impl AlertsState {
    /// `None` in a child made by `fork` if a thread of the parent held a lock.
    fn figures(&self) -> Option<AlertFigures> {
        let channels = self.notifier.status()?;
        let now = UNIX_EPOCH + Duration::from_nanos(self.clock.wall(self.clock.now()));
        let failing = |it: &ChannelStatus| {
            let since = it.failing_since.map(|at| now.duration_since(at));
            let lasted = since.and_then(std::result::Result::ok).unwrap_or_default();
            (it.name.clone(), lasted.as_secs_f64())
        };
        let engine = lock_for_status(&self.engine)?;
        Some(AlertFigures {
            failing: channels.iter().map(failing).collect(),
            channels,
            heartbeats: self.heartbeat.as_ref().map(Heartbeat::counts),
            rounds: self.rounds.load(Relaxed),
            last_round_seconds: seconds(self.duration.load(Relaxed)),
            lag_seconds: seconds(self.lag.at(self.clock.now())),
            failed_rules: engine.failures.len(),
            firing: engine.firing(),
            left_out: engine.left_out,
            hooks: self.hooks.counts(),
            jobs: self.jobs.figures(self.clock.now())?,
        })
    }
}

impl fmt::Debug for Alerts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alerts")
            .field("interval", &self.inner.interval)
            .finish_non_exhaustive()
    }
}
