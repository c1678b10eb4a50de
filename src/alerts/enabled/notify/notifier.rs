//! Routes announcements to the outboxes of the channels, and runs these.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, RwLock, mpsc};
use std::time::{Duration, SystemTime};

use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};

use super::announcement::AlertAnnouncement;
use super::channel::{Channel, ChannelFacts, DeliveryError};
use super::channel_state::ChannelState;
use super::delivery::{ChannelStatus, Delivery};
use super::group::OutboxSettings;
use super::notification::{
    Notification, NotificationCause, NotificationStatus, NotifiedAlert, millis,
};
use super::outbox::{AnnouncementOrigin, ChannelOutbox};
use super::outbox_store::OutboxStore;
use super::route::AlertRoute;
use crate::alerts::enabled::alert::{Alert, AlertState, Severity};
use crate::alerts::enabled::labels::hash_of;
use crate::clock::{Clock, nanos};
use crate::error::{Error, Result};
use crate::model::{Diagnostics, catch_panic, lock, read_lock, write_lock};

/// The maximum number of channels. Each may hold two threads of the blocking pool.
const MAX_CHANNELS: usize = 16;
/// The maximum number of characters of a channel's name.
const MAX_NAME: usize = 40;
/// The maximum number of tests that wait.
const MAX_TESTS: usize = 16;
/// For how long the end of the process waits for deliveries that are under way.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// The parts of a [`Notifier`].
#[derive(Debug)]
pub(in crate::alerts::enabled) struct NotifierSetup {
    pub(in crate::alerts::enabled) service: String,
    pub(in crate::alerts::enabled) environment: Option<String>,
    pub(in crate::alerts::enabled) dashboard_url: Option<String>,
    pub(in crate::alerts::enabled) group_wait: Duration,
    pub(in crate::alerts::enabled) group_interval: Duration,
    /// The time between two evaluations of the rules.
    pub(in crate::alerts::enabled) interval: Duration,
    pub(in crate::alerts::enabled) directory: Option<PathBuf>,
    pub(in crate::alerts::enabled) clock: Clock,
    pub(in crate::alerts::enabled) diagnostics: Arc<Diagnostics>,
}

#[derive(Debug)]
pub(in crate::alerts::enabled) struct Notifier {
    setup: NotifierSetup,
    channels: RwLock<Vec<Arc<ChannelState>>>,
    routes: RwLock<Option<Vec<AlertRoute>>>,
    tests: Mutex<Vec<ChannelTest>>,
    /// Whether the monitor is shut down: nothing is delivered any more.
    is_closed: watch::Sender<bool>,
    /// The number of the last announcement that the outboxes have in memory.
    offered: AtomicU64,
}

/// A test of a channel that somebody waits for.
#[derive(Debug)]
struct ChannelTest {
    channel: Arc<ChannelState>,
    notification: Notification,
    done: oneshot::Sender<std::result::Result<(), DeliveryError>>,
}

impl Notifier {
    pub(in crate::alerts::enabled) fn new(setup: NotifierSetup) -> Self {
        Self {
            setup,
            channels: RwLock::default(),
            routes: RwLock::default(),
            tests: Mutex::default(),
            is_closed: watch::Sender::new(false),
            offered: AtomicU64::new(0),
        }
    }

    /// Adds a channel. `is_own`: it is one of this crate.
    pub(in crate::alerts::enabled) fn add(
        &self,
        channel: Arc<dyn Channel>,
        is_own: bool,
    ) -> Result<()> {
        let facts = ChannelFacts::of(&*channel);
        let facts = facts.ok_or_else(|| Error::alert("a channel panicked when it was added"))?;
        let name = facts.name.clone();
        let is_plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
        if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(is_plain) {
            return Err(Error::alert(
                "a channel has an invalid name: use up to 40 characters from a-z, 0-9, `-` and `_`",
            ));
        }
        let setup = &self.setup;
        let outbox = ChannelOutbox::new(OutboxSettings {
            channel: name.clone(),
            service: setup.service.clone(),
            environment: setup.environment.clone(),
            dashboard_url: setup.dashboard_url.clone(),
            group_wait: setup.group_wait,
            group_interval: setup.group_interval,
            grouping: facts.grouping,
            sends_acknowledgements: facts.sends_acknowledgements,
            resend_every: facts.resend_every,
            valid_for: 4 * setup.interval.max(facts.resend_every.unwrap_or_default()),
        });
        let store = setup
            .directory
            .as_ref()
            .map(|path| OutboxStore::in_directory(path, &name, &setup.diagnostics));
        let channel = (channel, facts, is_own);
        let begin = (self.is_closed.subscribe(), self.offered.load(Relaxed));
        let state = ChannelState::new(channel, outbox, store, &setup.clock, begin);
        let mut channels = write_lock(&self.channels);
        if channels.iter().any(|other| other.facts.name == name) {
            return Err(Error::alert(&format!(
                "there is a channel `{name}` already: give it another name"
            )));
        }
        if channels.len() >= MAX_CHANNELS {
            return Err(Error::alert("there are 16 channels: add no more"));
        }
        channels.push(Arc::new(state));
        Ok(())
    }

    /// Sets the routes.
    pub(in crate::alerts::enabled) fn set_routes(&self, routes: Vec<AlertRoute>) -> Result<()> {
        let channels = self.channels();
        for name in routes.iter().flat_map(|route| &route.channels) {
            if !channels.iter().any(|channel| channel.facts.name == *name) {
                return Err(Error::alert(&format!(
                    "a route names the channel `{name}`, which does not exist: add it first"
                )));
            }
        }
        *write_lock(&self.routes) = Some(routes);
        Ok(())
    }

    fn channels(&self) -> Vec<Arc<ChannelState>> {
        read_lock(&self.channels).clone()
    }

    pub(in crate::alerts::enabled) fn is_empty(&self) -> bool {
        read_lock(&self.channels).is_empty()
    }

    /// Hands an announcement to the channels that it is for, or that have what it follows on. Does not wait for anything.
    pub(in crate::alerts::enabled) fn offer(&self, new: &AlertAnnouncement, is_recovered: bool) {
        for channel in self.channels() {
            let origin = AnnouncementOrigin {
                is_recovered,
                is_routed: self.is_for(&channel.facts, &new.alert.alert),
            };
            channel.offer(new.clone(), origin);
        }
        self.offered.fetch_max(new.number, Relaxed);
    }

    fn is_for(&self, channel: &ChannelFacts, alert: &Alert) -> bool {
        match &*read_lock(&self.routes) {
            None => channel.supports(alert.severity),
            Some(routes) => {
                let mut routes = routes.iter();
                let route = routes.find(|route| route.fits(alert.severity, &alert.labels));
                route.is_some_and(|route| route.channels.contains(&channel.name))
            }
        }
    }

    /// The number up to which all channels have stored the announcements. It rises while there are new ones all the time:
    /// what it does not cover stays with the stored alerts, which have room for a limited number.
    pub(in crate::alerts::enabled) fn stored_through(&self) -> u64 {
        let offered = self.offered.load(Relaxed);
        let channels = self.channels();
        let stored = channels.iter().map(|channel| channel.stored_through());
        stored.fold(offered, u64::min)
    }

    /// Removes what the receivers were told of and what no longer exists.
    pub(in crate::alerts::enabled) fn forget_unknown(&self, fires: &dyn Fn(u64) -> bool) {
        for channel in self.channels() {
            channel.with_outbox(|outbox, _| outbox.forget_unknown(fires));
        }
    }

    /// Begins what is due. Must be called on a thread of the blocking pool.
    pub(in crate::alerts::enabled) fn tick(&self) {
        if *self.is_closed.borrow() {
            return;
        }
        for channel in self.channels() {
            channel.begin();
        }
        let tests = std::mem::take(&mut *lock(&self.tests));
        for test in tests {
            let run = move || {
                let sent = test.channel.send(&test.notification, &Handle::current());
                // Nobody may wait for it any more.
                drop(test.done.send(sent));
            };
            // Tokio panics if it cannot start a thread.
            catch_panic(|| drop(tokio::task::spawn_blocking(run)));
        }
    }

    /// Stores what has changed, and delivers what is due, on this thread. Returns the number of attempts.
    #[cfg(any(test, feature = "testing"))]
    pub(in crate::alerts::enabled) fn run_for_test(&self, runtime: &Handle) -> u64 {
        let mut attempts = 0;
        for channel in self.channels() {
            while channel.run_for_test(runtime) {
                attempts += 1;
            }
        }
        attempts
    }

    /// Stores everything, or, without a data directory, tries to deliver it once. Returns whether everything is stored.
    pub(in crate::alerts::enabled) fn finish(&self) -> bool {
        let channels = self.channels();
        if self.setup.directory.is_none() {
            deliver_last(&channels);
            self.close();
            return true;
        }
        for channel in &channels {
            channel.store();
        }
        // What ends in time need not be delivered again by the next process.
        wait_for_deliveries(&channels);
        self.close();
        let mut is_stored = true;
        for channel in &channels {
            channel.store();
            is_stored &= channel.is_stored();
        }
        is_stored
    }

    /// Ends what is being delivered, and delivers nothing any more. Waits for about a second at most.
    pub(in crate::alerts::enabled) fn close(&self) {
        self.is_closed.send_replace(true);
        // Whoever waits for them learns that they will not run.
        let tests = std::mem::take(&mut *lock(&self.tests));
        drop(tests);
        wait_for_deliveries(&self.channels());
    }

    /// Queues a test of a channel. The result arrives through the returned receiver.
    pub(in crate::alerts::enabled) fn test(
        &self,
        name: &str,
        now: SystemTime,
    ) -> Result<oneshot::Receiver<std::result::Result<(), DeliveryError>>> {
        let channels = self.channels();
        let channel = channels.iter().find(|channel| channel.facts.name == name);
        let channel = channel.ok_or_else(|| {
            let names: Vec<_> = channels.iter().map(|it| &*it.facts.name).collect();
            Error::alert(&format!(
                "there is no channel `{name}`; there are: {}",
                names.join(", ")
            ))
        })?;
        let (done, result) = oneshot::channel();
        let mut tests = lock(&self.tests);
        if *self.is_closed.borrow() {
            return Err(Error::alert("the monitor is shut down"));
        }
        if tests.len() >= MAX_TESTS {
            return Err(Error::alert("16 tests of channels wait: try again later"));
        }
        tests.push(ChannelTest {
            channel: Arc::clone(channel),
            notification: self.test_notification(now),
            done,
        });
        Ok(result)
    }

    fn test_notification(&self, now: SystemTime) -> Notification {
        let setup = &self.setup;
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let alert = Alert {
            rule: "channel-test".to_owned(),
            labels: vec![pair("alertname", "channel-test"), pair("severity", "info")],
            annotations: vec![pair(
                "summary",
                "This is a test of the channel. Nothing is wrong",
            )],
            severity: Severity::Info,
            state: AlertState::Resolved,
            fingerprint: 0,
            value: Some(1.0),
            bound: "> 0".to_owned(),
            since: now,
            fired_at: Some(now),
            resolved_at: Some(now),
            has_no_data: false,
            has_failed: false,
            acknowledged: None,
            silenced_by: Vec::new(),
            inhibited_by: None,
            runbook: None,
        };
        let alert = NotifiedAlert {
            alert,
            status: NotificationStatus::Resolved,
            is_new: true,
            top_routes: Vec::new(),
            values: Vec::new(),
        };
        Notification {
            id: self.test_id(now),
            group_key: format!("{}/channel-test", setup.service),
            group_labels: vec![pair("alertname", "channel-test")],
            status: NotificationStatus::Resolved,
            cause: NotificationCause::Test,
            severity: Severity::Info,
            alerts: vec![alert],
            truncated: 0,
            service: setup.service.clone(),
            environment: setup.environment.clone(),
            at: now,
            valid_for: 4 * setup.interval,
            dashboard_url: setup.dashboard_url.clone(),
        }
    }

    /// The key of a test. Receivers remember keys, and services may be tested in the same millisecond.
    fn test_id(&self, now: SystemTime) -> String {
        let environment = self.setup.environment.as_deref().unwrap_or_default();
        let sender = hash_of([&*self.setup.service, environment].into_iter());
        format!("test-{sender:016x}-{:x}", millis(now))
    }

    /// The latest attempts of all channels, oldest first.
    pub(in crate::alerts::enabled) fn deliveries(&self) -> Vec<Delivery> {
        let channels = self.channels();
        let mut all: Vec<_> = channels.iter().flat_map(|it| it.deliveries()).collect();
        all.sort_by_key(|delivery| delivery.at);
        all
    }

    /// The alerts that were given up, each with the name of the channel.
    pub(in crate::alerts::enabled) fn dead_letters(&self) -> Vec<(String, NotifiedAlert)> {
        let channels = self.channels();
        let letters = channels.iter().flat_map(|channel| {
            let letters = channel.dead_letters().into_iter();
            letters.map(|letter| (channel.facts.name.clone(), letter))
        });
        letters.collect()
    }

    /// The state of each channel. `None` in a child made by `fork` if a thread of the parent held a lock.
    pub(in crate::alerts::enabled) fn status(&self) -> Option<Vec<ChannelStatus>> {
        self.channels().iter().map(|it| it.status()).collect()
    }
}

/// Waits for about a second until nothing is being delivered.
fn wait_for_deliveries(channels: &[Arc<ChannelState>]) {
    let clock = Clock::system();
    let until = clock.now().saturating_add(nanos(LAST_WAIT));
    for channel in channels {
        let left = Duration::from_nanos(until.saturating_sub(clock.now()));
        channel.wait_for_delivery(left);
    }
}

/// Lets all channels at the same time deliver what waits. Returns when the last one has ended.
fn deliver_last(channels: &[Arc<ChannelState>]) {
    let Ok(runtime) = Handle::try_current() else {
        return;
    };
    let (running, ended) = mpsc::channel::<()>();
    for channel in channels {
        let (channel, handle, running) = (Arc::clone(channel), runtime.clone(), running.clone());
        let run = move || {
            channel.deliver_last(&handle);
            drop(running);
        };
        // Tokio panics if it cannot start a thread.
        catch_panic(|| drop(runtime.spawn_blocking(run)));
    }
    drop(running);
    // Fails once all have ended, also by a panic.
    while ended.recv().is_ok() {}
}
