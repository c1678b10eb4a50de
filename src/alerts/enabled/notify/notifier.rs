//! Routes announcements to the outboxes of the channels, and runs these.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, SystemTime};

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::announcement::AlertAnnouncement;
use super::channel::{Channel, DeliveryError};
use super::channel_state::ChannelState;
use super::delivery::{ChannelStatus, Delivery};
use super::group::OutboxSettings;
use super::notification::{Notification, NotificationCause, NotificationStatus, NotifiedAlert};
use super::outbox::ChannelOutbox;
use super::outbox_store::OutboxStore;
use super::route::AlertRoute;
use crate::alerts::enabled::alert::{Alert, AlertState, Severity};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::model::{Diagnostics, lock, read_lock, write_lock};

/// The maximum number of channels. Each may hold two threads of the blocking pool.
const MAX_CHANNELS: usize = 16;
/// The maximum number of characters of a channel's name.
const MAX_NAME: usize = 40;
/// The maximum number of tests that wait.
const MAX_TESTS: usize = 16;

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
            offered: AtomicU64::new(0),
        }
    }

    /// Adds a channel. `is_own`: it is one of this crate.
    pub(in crate::alerts::enabled) fn add(
        &self,
        channel: Arc<dyn Channel>,
        is_own: bool,
    ) -> Result<()> {
        let name = channel.name().to_owned();
        let is_plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
        if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(is_plain) {
            return Err(Error::alert(
                "a channel has an invalid name: use up to 40 characters from a-z, 0-9, `-` and `_`",
            ));
        }
        let setup = &self.setup;
        let resend_every = channel.resend_every();
        let outbox = ChannelOutbox::new(OutboxSettings {
            channel: name.clone(),
            service: setup.service.clone(),
            environment: setup.environment.clone(),
            dashboard_url: setup.dashboard_url.clone(),
            group_wait: setup.group_wait,
            group_interval: setup.group_interval,
            grouping: channel.grouping(),
            sends_acknowledgements: channel.sends_acknowledgements(),
            resend_every,
            valid_for: 4 * setup.interval.max(resend_every.unwrap_or_default()),
        });
        let store = setup
            .directory
            .as_ref()
            .map(|path| OutboxStore::in_directory(path, &name, &setup.diagnostics));
        let state = ChannelState::new(channel, is_own, outbox, store, &setup.clock);
        let mut channels = write_lock(&self.channels);
        if channels.iter().any(|other| other.name == name) {
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
            if !channels.iter().any(|channel| channel.name == *name) {
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

    /// Hands an announcement to the channels that it is for. Does not wait for anything.
    pub(in crate::alerts::enabled) fn offer(&self, new: &AlertAnnouncement, is_recovered: bool) {
        for channel in self.channels() {
            if self.is_for(&*channel.channel, &channel.name, &new.alert.alert) {
                let new = new.clone();
                channel.with_outbox(|outbox, now| outbox.offer(new, is_recovered, now));
            }
        }
        self.offered.fetch_max(new.number, Relaxed);
    }

    fn is_for(&self, channel: &dyn Channel, name: &str, alert: &Alert) -> bool {
        match &*read_lock(&self.routes) {
            None => channel.supports(alert.severity),
            Some(routes) => {
                let mut routes = routes.iter();
                let route = routes.find(|route| route.fits(alert.severity, &alert.labels));
                route.is_some_and(|route| route.channels.iter().any(|it| it == name))
            }
        }
    }

    /// The number up to which all announcements are stored by the channels. `None` if some are not.
    pub(in crate::alerts::enabled) fn stored_through(&self) -> Option<u64> {
        let offered = self.offered.load(Relaxed);
        let channels = self.channels();
        channels
            .iter()
            .all(|channel| channel.is_stored())
            .then_some(offered)
    }

    /// Removes what the receivers were told of and what no longer exists.
    pub(in crate::alerts::enabled) fn forget_unknown(&self, fires: &dyn Fn(u64) -> bool) {
        for channel in self.channels() {
            channel.with_outbox(|outbox, _| outbox.forget_unknown(fires));
        }
    }

    /// Begins what is due. Must be called on a thread of the blocking pool.
    pub(in crate::alerts::enabled) fn tick(&self) {
        for channel in self.channels() {
            channel.begin();
        }
        for test in std::mem::take(&mut *lock(&self.tests)) {
            drop(tokio::task::spawn_blocking(move || {
                let timeout = Duration::from_secs(30);
                let sent = test
                    .channel
                    .send(&test.notification, &Handle::current(), timeout);
                // Nobody may wait for it any more.
                drop(test.done.send(sent));
            }));
        }
    }

    /// Stores what has changed, and delivers what is due, on this thread. Returns the number of attempts.
    #[cfg(any(test, feature = "testing"))]
    pub(in crate::alerts::enabled) fn run_for_test(&self, runtime: &Handle) -> u64 {
        let mut attempts = 0;
        for channel in self.channels() {
            channel.store();
            while channel.deliver(runtime, false) {
                attempts += 1;
                channel.store();
            }
        }
        attempts
    }

    /// Stores everything, or, without a data directory, tries to deliver it once. Returns whether everything is stored.
    pub(in crate::alerts::enabled) fn finish(&self) -> bool {
        let mut is_stored = true;
        for channel in self.channels() {
            if self.setup.directory.is_some() {
                channel.store();
                is_stored &= channel.is_stored();
            } else if let Ok(runtime) = Handle::try_current() {
                channel.deliver_last(&runtime);
            }
        }
        is_stored
    }

    /// Queues a test of a channel. The result arrives through the returned receiver.
    pub(in crate::alerts::enabled) fn test(
        &self,
        name: &str,
        now: SystemTime,
    ) -> Result<oneshot::Receiver<std::result::Result<(), DeliveryError>>> {
        let channels = self.channels();
        let channel = channels.iter().find(|channel| channel.name == name);
        let channel = channel.ok_or_else(|| {
            let names: Vec<_> = channels.iter().map(|it| &*it.name).collect();
            Error::alert(&format!(
                "there is no channel `{name}`; there are: {}",
                names.join(", ")
            ))
        })?;
        let (done, result) = oneshot::channel();
        let mut tests = lock(&self.tests);
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
            id: format!("test-{:x}", super::notification::millis(now)),
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
            letters.map(|letter| (channel.name.clone(), letter))
        });
        letters.collect()
    }

    /// The state of each channel. `None` in a child made by `fork` if a thread of the parent held a lock.
    pub(in crate::alerts::enabled) fn status(&self) -> Option<Vec<ChannelStatus>> {
        self.channels().iter().map(|it| it.status()).collect()
    }
}
