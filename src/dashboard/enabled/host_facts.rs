//! What only code of the host knows: the state of its pools, and what the filters of its subscriber let through.
//!
//! That code may block for as long as it likes. It runs apart from everything else, one call at a time, and the pages show
//! what it reported last.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use super::figures::PoolReport;
use super::setup::DashboardSetup;
use crate::metrics::{Metrics, SeriesValue, Snapshot, Snapshotter, label_pairs};
use crate::model::{catch_panic, lock, suppressed};

const COUNT: &str = "db_client_connection_count";
const MAX: &str = "db_client_connection_max";
const PENDING: &str = "db_client_connection_pending_requests";
/// The time between two runs of the doctor.
const EXAMINE_EVERY: Duration = Duration::from_secs(30);
/// Older reports are not shown as the present.
const MAX_AGE: Duration = Duration::from_secs(15);
/// An answer is waited for in steps of this time,
const POLL_EVERY: Duration = Duration::from_millis(2);
/// and for at most so many of them.
const MAX_POLLS: u32 = 50;

/// The latest reports of the host's code.
pub(super) struct HostFacts(Arc<HostReports>);

struct HostReports {
    snapshotter: Mutex<Snapshotter>,
    reported: Mutex<Reported>,
    is_asking: AtomicBool,
}

#[derive(Default)]
struct Reported {
    pools: Vec<PoolReport>,
    pools_at: Option<Instant>,
    findings: Vec<String>,
    findings_at: Option<Instant>,
}

impl HostFacts {
    pub(super) fn new(metrics: &Metrics) -> Self {
        Self(Arc::new(HostReports {
            snapshotter: Mutex::new(metrics.snapshotter()),
            reported: Mutex::default(),
            is_asking: AtomicBool::new(false),
        }))
    }

    /// Asks the host's code again, on the blocking pool. Returns `false` if it still has to answer the time
    /// before, or if no thread can be started.
    pub(super) fn ask(&self, setup: &Arc<DashboardSetup>) -> bool {
        if self.0.is_asking.swap(true, Relaxed) {
            return false;
        }
        let (reports, asked) = (Arc::clone(&self.0), Arc::clone(setup));
        let ask = move || {
            let _answered = suppressed(|| catch_panic(|| reports.read(&asked)));
            reports.is_asking.store(false, Relaxed);
        };
        // Tokio panics if no thread can be started.
        let is_asked = catch_panic(|| drop(setup.handle.spawn_blocking(ask))).is_some();
        if !is_asked {
            self.0.is_asking.store(false, Relaxed);
        }
        is_asked
    }

    /// Waits for the answer of the host's code, for a moment: most answer at once, and what they report should be in the
    /// next state already.
    pub(super) fn wait_for_answer(&self) {
        for _ in 0..MAX_POLLS {
            if !self.0.is_asking.load(Relaxed) {
                return;
            }
            std::thread::sleep(POLL_EVERY);
        }
    }

    /// The pools by name; `None` if the host's code has not reported for a while.
    pub(super) fn pools(&self) -> Option<Vec<PoolReport>> {
        let reported = lock(&self.0.reported);
        let is_recent = reported.pools_at.is_some_and(|at| at.elapsed() < MAX_AGE);
        is_recent.then(|| reported.pools.clone())
    }

    /// What the doctor found last.
    pub(super) fn findings(&self) -> Vec<String> {
        lock(&self.0.reported).findings.clone()
    }
}

impl HostReports {
    fn read(&self, setup: &DashboardSetup) {
        let is_wanted = |name: &str| [COUNT, MAX, PENDING].contains(&name);
        let snapshot = lock(&self.snapshotter).snapshot_of(is_wanted);
        let pools = pools(snapshot);
        let mut reported = lock(&self.reported);
        reported.pools = pools;
        reported.pools_at = Some(Instant::now());
        let is_due = reported
            .findings_at
            .is_none_or(|at| at.elapsed() >= EXAMINE_EVERY);
        drop(reported);
        if is_due {
            let findings = (setup.findings)();
            let mut reported = lock(&self.reported);
            reported.findings = findings;
            reported.findings_at = Some(Instant::now());
        }
    }
}

fn pools(snapshot: Snapshot) -> Vec<PoolReport> {
    let mut pools = BTreeMap::<String, PoolReport>::new();
    for metric in snapshot.metrics {
        for series in metric.series {
            let SeriesValue::Number(value) = series.value else {
                continue;
            };
            let (mut name, mut state) = (String::new(), String::new());
            for (label, text) in label_pairs(&series.labels) {
                match label {
                    "db_client_connection_pool_name" => name = text,
                    "db_client_connection_state" => state = text,
                    _ => {}
                }
            }
            let pool = pools.entry(name).or_default();
            match &*metric.name {
                COUNT if state == "used" => pool.used = value,
                MAX => pool.max = Some(value),
                PENDING => pool.waiting = value,
                _ => {}
            }
        }
    }
    let named = pools.into_iter().map(|(name, pool)| PoolReport {
        name: name.into(),
        ..pool
    });
    named.collect()
}
