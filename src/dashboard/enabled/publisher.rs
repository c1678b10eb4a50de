//! Computes the state of all live clients, once a second while there is a client.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::clients::LiveClients;
use super::documents::{self, Composer, OverviewRange};
use super::live_state::LiveState;
use super::sessions::random_epoch;
use super::setup::DashboardSetup;
use crate::model::{catch_panic, lock, suppressed};

/// The time between two states.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long states are computed after the last request for one.
const PATIENCE: Duration = Duration::from_secs(15);
/// A state that is older is computed again before it is shown.
const MAX_AGE_MS: u64 = 3000;
/// How many requests read the history at a time.
const MAX_READERS: usize = 2;
/// How long a client waits for a state.
const MAX_WAIT: Duration = Duration::from_secs(3);

/// The dashboard of a monitor, which its pages share.
pub(crate) struct Dashboard {
    pub(super) setup: Arc<DashboardSetup>,
    pub(super) clients: Arc<LiveClients>,
    pub(super) composer: Mutex<Composer>,
    /// Where the pages are mounted, as the server sees it.
    pub(super) mount: Mutex<String>,
    state: watch::Sender<Arc<LiveState>>,
    began: Instant,
    /// The time of the last request for a state, in milliseconds since `began`.
    last_look: AtomicU64,
    is_publishing: Mutex<bool>,
    has_ended: AtomicBool,
    /// The latest curves of the ranges that end now.
    series: Mutex<Vec<CachedSeries>>,
    /// Limits how many requests read the history at a time.
    readers: Arc<Semaphore>,
}

/// The curves of a range up to a snapshot of the history.
type CachedSeries = ((OverviewRange, Option<i64>), Arc<str>);

impl Dashboard {
    pub(crate) fn new(setup: DashboardSetup) -> Arc<Self> {
        let epoch = random_epoch(setup.clock.wall(setup.clock.now()));
        Arc::new(Self {
            composer: Mutex::new(Composer::new(&setup)),
            clients: Arc::default(),
            mount: Mutex::new("/monitoring".to_owned()),
            state: watch::Sender::new(Arc::new(LiveState::empty(epoch))),
            began: Instant::now(),
            last_look: AtomicU64::new(0),
            is_publishing: Mutex::new(false),
            has_ended: AtomicBool::new(false),
            series: Mutex::default(),
            readers: Arc::new(Semaphore::new(MAX_READERS)),
            setup: Arc::new(setup),
        })
    }

    /// Closes all live connections. Nothing is computed any more.
    pub(crate) fn end(&self) {
        if !self.has_ended.swap(true, Relaxed) {
            self.state.send_modify(|state| {
                *state = Arc::new(LiveState::ended(state.epoch.clone()));
            });
        }
    }

    /// Returns the states from now on. Starts to compute them if nobody has looked lately.
    pub(super) fn look(self: &Arc<Self>) -> watch::Receiver<Arc<LiveState>> {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_look.store(now, Relaxed);
        let mut is_publishing = lock(&self.is_publishing);
        if !*is_publishing && !self.has_ended.load(Relaxed) {
            *is_publishing = true;
            drop(self.setup.handle.spawn(publish(Arc::clone(self))));
        }
        drop(is_publishing);
        self.state.subscribe()
    }

    /// Returns a state that is not older than a few seconds; a later one if the computation hangs for longer.
    pub(super) async fn recent_state(self: &Arc<Self>) -> Arc<LiveState> {
        let mut states = self.look();
        self.wait_for_recent(&mut states).await
    }

    /// Waits until the latest state is not older than a few seconds, for a short time.
    pub(super) async fn wait_for_recent(
        &self,
        states: &mut watch::Receiver<Arc<LiveState>>,
    ) -> Arc<LiveState> {
        let oldest = self.setup.now().saturating_sub(MAX_AGE_MS);
        let is_recent = |state: &Arc<LiveState>| state.at >= oldest || state.has_ended;
        // After the time limit, what there is has to do.
        drop(timeout(MAX_WAIT, states.wait_for(is_recent)).await);
        Arc::clone(&states.borrow_and_update())
    }

    /// Whether there is a client.
    fn is_watched(&self) -> bool {
        let idle = self.began.elapsed();
        let idle = idle.saturating_sub(Duration::from_millis(self.last_look.load(Relaxed)));
        self.clients.count() > 0 || idle < PATIENCE
    }

    /// Computes the next state. Calls no code of the host.
    fn compute(&self) {
        let before = Arc::clone(&self.state.borrow());
        let mount = lock(&self.mount).clone();
        let mut composer = lock(&self.composer);
        let next = composer.next_state(&self.setup, &before, &mount, self.clients.count());
        drop(composer);
        self.state.send_modify(|state| {
            // The end is the last state.
            if !state.has_ended {
                *state = Arc::new(next);
            }
        });
    }

    /// Returns the document of the overview of a range. `None` if the monitor has ended.
    ///
    /// The curves of a range are read once for each snapshot of the history, for any number of clients.
    pub(super) async fn overview(
        self: &Arc<Self>,
        state: &Arc<LiveState>,
        range: OverviewRange,
    ) -> Option<String> {
        let reading = self.begin_reading().await?;
        let (dashboard, state) = (Arc::clone(self), Arc::clone(state));
        self.on_pool(move || {
            let _reading = reading;
            let tick = dashboard.setup.history.latest();
            let series = dashboard.series(range, tick);
            documents::overview(&dashboard.setup, &state, range, &series)
        })
        .await
    }

    /// Writes a document, or reads what one needs. `None` if the monitor has ended.
    pub(super) async fn document<R: Send + 'static>(
        self: &Arc<Self>,
        write: impl FnOnce(&DashboardSetup) -> R + Send + 'static,
    ) -> Option<R> {
        let reading = self.begin_reading().await?;
        let dashboard = Arc::clone(self);
        self.on_pool(move || {
            let _reading = reading;
            write(&dashboard.setup)
        })
        .await
    }

    /// Waits until the history may be read. The work owns the permit, since it goes on if the client leaves.
    async fn begin_reading(&self) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed.
        Arc::clone(&self.readers).acquire_owned().await.ok()
    }

    /// The curves of a range up to a snapshot of the history.
    fn series(&self, range: OverviewRange, tick: Option<i64>) -> Arc<str> {
        let key = (range, tick);
        let found = |cache: &[CachedSeries]| {
            let known = cache.iter().find(|(known, _)| *known == key);
            known.map(|(_, series)| Arc::clone(series))
        };
        if let Some(series) = found(&lock(&self.series)) {
            return series;
        }
        let series: Arc<str> = documents::series(&self.setup, range).into();
        if matches!(range, OverviewRange::Last(_)) {
            let mut cache = lock(&self.series);
            // Those of earlier snapshots are not needed again.
            cache.retain(|((_, known), _)| *known == tick);
            cache.push((key, Arc::clone(&series)));
        }
        series
    }

    /// The ID of this process.
    pub(super) fn epoch(&self) -> String {
        self.state.borrow().epoch.clone()
    }

    /// Runs work on the blocking pool of the monitor's worker, where nothing is recorded. `None` if it panics, if no thread
    /// can be started, or if the worker has ended.
    pub(super) async fn on_pool<R: Send + 'static>(
        &self,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Option<R> {
        let run = move || suppressed(|| catch_panic(work));
        // Tokio panics if no thread can be started.
        let job = catch_panic(|| self.setup.handle.spawn_blocking(run))?;
        job.await.ok().flatten()
    }
}

/// Computes states while somebody looks.
async fn publish(dashboard: Arc<Dashboard>) {
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        {
            let mut is_publishing = lock(&dashboard.is_publishing);
            if dashboard.has_ended.load(Relaxed) || !dashboard.is_watched() {
                *is_publishing = false;
                return;
            }
        }
        let computing = Arc::clone(&dashboard);
        // A computation that hangs delays the next one. Clients receive heartbeats meanwhile.
        dashboard.on_pool(move || computing.compute()).await;
    }
}
