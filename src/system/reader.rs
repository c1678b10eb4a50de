//! Reads the system's figures, for the worker and for scrapes.

use std::borrow::Cow;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use super::cgroup::Cgroups;
use super::figures::{DiskSpace, SystemFigures};
use super::proc_text::{HostCpuTicks, host_cpu, host_cpus};
use super::process::{self, ProcessReading};
use super::rates::{self, CpuRates, CpuTimes};
use super::reading::SystemReading;
use super::{disk_space, proc_files};
use crate::clock::{Clock, Nanos};
use crate::model::{lock, lock_for_status, try_lock};

/// The minimum time between two readings, however often the process is scraped.
const MIN_AGE: Nanos = 1_000_000_000;
/// Rates that were measured longer ago are unknown: the worker has stopped.
const MAX_AGE_OF_RATES: Nanos = 60_000_000_000;
/// The same for the disk, whose check runs once a minute and can hang.
const MAX_AGE_OF_DISK: Nanos = 150_000_000_000;

/// The reader of one monitor.
///
/// The worker calls [`tick`](Self::tick), which measures the rates. A scrape only reads again what changes by itself, at
/// most once a second. So each rate covers one interval of the worker, however many scrapers there are. The disk is read
/// by its health check, which has its own thread, since a disk can block.
///
/// One thread at a time reads the system. All others get the last figures meanwhile: reading may take long, and no thread
/// waits for another one's reading.
#[derive(Debug)]
pub(crate) struct SystemReader {
    clock: Clock,
    /// The system's clock, for what the system counts. `clock` is driven in tests.
    monotonic: Clock,
    restarts: Option<u64>,
    /// Held while the system is read. Locked before `last`.
    measured: Mutex<MeasuredState>,
    /// Held only to copy a pointer.
    last: Mutex<Arc<LastReading>>,
    /// The last reading of the disk and its time.
    disk: Mutex<Option<(Nanos, DiskSpace)>>,
}

/// What the next reading needs of those before.
#[derive(Debug)]
struct MeasuredState {
    /// The groups of the process, found at the last tick.
    cgroups: Cgroups,
    /// The CPU times from which the next tick measures the rates.
    times: CpuTimes,
    rates: Option<CpuRates>,
    host_cpus: Option<u64>,
    /// The uptime of the process at a reading of the monotonic clock.
    uptime: Option<(Nanos, Duration)>,
}

#[derive(Debug)]
struct LastReading {
    at: Nanos,
    reading: SystemReading,
    /// When the rates in the reading were measured.
    rates_at: Option<Nanos>,
}

impl SystemReader {
    /// Reads all figures but the rates. `restarts` is the count of the data directory.
    pub(crate) fn new(clock: Clock, restarts: Option<u64>) -> Self {
        let monotonic = Clock::system();
        let process = process::read();
        let now = monotonic.now();
        let wall = Duration::from_nanos(monotonic.wall(now));
        let uptime = process::uptime(&proc_files::read, &process, wall);
        let host = HostReading::take();
        let measured = MeasuredState {
            times: host.times(now, process.cpu_seconds_total),
            host_cpus: host.cpus,
            cgroups: Cgroups::find(&proc_files::read),
            rates: None,
            uptime: uptime.map(|uptime| (now, uptime)),
        };
        let reading = SystemReading::take(&proc_files::read, process, &measured.cgroups);
        let last = completed(&clock, &monotonic, restarts, reading, &measured);
        Self {
            clock,
            monotonic,
            restarts,
            measured: Mutex::new(measured),
            last: Mutex::new(Arc::new(last)),
            disk: Mutex::default(),
        }
    }

    /// Reads all figures but the disk, and measures the rates since the last call. A call within 100 ms of the last one
    /// measures none. If another thread is reading, nothing is read, and the next call measures the whole time.
    pub(crate) fn tick(&self) {
        let Some(mut measured) = try_lock(&self.measured) else {
            return;
        };
        measured.cgroups = Cgroups::find(&proc_files::read);
        let host = HostReading::take();
        measured.host_cpus = host.cpus;
        let process = process::read();
        let now = self.monotonic.now();
        let times = host.times(now, process.cpu_seconds_total);
        let reading = SystemReading::take(&proc_files::read, process, &measured.cgroups);
        let available = reading.figures.available_cpus;
        if let Some(rates) = rates::between(&measured.times, &times, available) {
            measured.rates = Some(rates);
            measured.times = times;
        }
        self.publish(reading, &measured);
    }

    /// Returns the last figures. Reads nothing from the system.
    pub(crate) fn figures(&self) -> SystemFigures {
        let last = self.last();
        let figures = last.map(|last| self.current(&last).into_owned());
        SystemFigures {
            disk: self.disk(),
            ..figures.unwrap_or_else(SystemFigures::none)
        }
    }

    /// Reads the disk of `directory`. Blocks for as long as the disk does.
    pub(crate) fn read_disk(&self, directory: &Path) -> Option<DiskSpace> {
        let space = disk_space::of(directory);
        *lock(&self.disk) = space.map(|space| (self.monotonic.now(), space));
        space
    }

    /// The last reading of the disk.
    pub(super) fn disk(&self) -> Option<DiskSpace> {
        let (at, space) = (*lock_for_status(&self.disk)?)?;
        (self.age(at) < MAX_AGE_OF_DISK).then_some(space)
    }

    /// Passes the figures to `show`. Reads them again if the last reading is a second old and no other thread is reading.
    pub(super) fn with_reading(&self, show: impl FnOnce(&ProcessReading, &SystemFigures)) {
        let is_old = |last: &LastReading| self.clock.now().saturating_sub(last.at) >= MIN_AGE;
        // All metrics of one scrape come from one reading: the first of them takes it, and it serves the others.
        if self.last().is_some_and(|last| is_old(&last))
            && let Some(measured) = try_lock(&self.measured)
        {
            self.read_again(&measured);
        }
        if let Some(last) = self.last() {
            show(&last.reading.process, &self.current(&last));
        }
    }

    /// `None` in a child made by `fork` if a thread of the parent held the lock.
    fn last(&self) -> Option<Arc<LastReading>> {
        lock_for_status(&self.last).map(|last| Arc::clone(&last))
    }

    /// The figures of a reading, without rates that are too old.
    fn current<'a>(&self, last: &'a LastReading) -> Cow<'a, SystemFigures> {
        let figures = &last.reading.figures;
        if last
            .rates_at
            .is_none_or(|at| self.age(at) < MAX_AGE_OF_RATES)
        {
            return Cow::Borrowed(figures);
        }
        Cow::Owned(SystemFigures {
            rate_interval: None,
            cpu_utilization: None,
            host_cpu_utilization: None,
            ..figures.clone()
        })
    }

    /// Reads what changes by itself.
    fn read_again(&self, measured: &MeasuredState) {
        let process = process::read();
        let reading = SystemReading::take(&proc_files::read, process, &measured.cgroups);
        self.publish(reading, measured);
    }

    /// Makes a reading the last one.
    fn publish(&self, reading: SystemReading, measured: &MeasuredState) {
        let last = completed(
            &self.clock,
            &self.monotonic,
            self.restarts,
            reading,
            measured,
        );
        *lock(&self.last) = Arc::new(last);
    }

    /// Runs code while the locks are held, as a thread of a parent may hold them at a `fork`.
    #[cfg(test)]
    pub(crate) fn while_locked<R>(&self, run: impl FnOnce() -> R) -> R {
        let (_last, _disk) = (lock(&self.last), lock(&self.disk));
        self.while_reading(run)
    }

    /// Runs code as if another thread were reading the system.
    #[cfg(test)]
    pub(super) fn while_reading<R>(&self, run: impl FnOnce() -> R) -> R {
        let _measured = lock(&self.measured);
        run()
    }

    fn age(&self, at: Nanos) -> Nanos {
        self.monotonic.now().saturating_sub(at)
    }
}

/// Adds to a new reading what it does not have itself.
fn completed(
    clock: &Clock,
    monotonic: &Clock,
    restarts: Option<u64>,
    mut reading: SystemReading,
    measured: &MeasuredState,
) -> LastReading {
    let (at, now) = (clock.now(), monotonic.now());
    let since = |(at, uptime): (Nanos, Duration)| {
        uptime.saturating_add(Duration::from_nanos(now.saturating_sub(at)))
    };
    let rates = measured.rates;
    let figures = &mut reading.figures;
    figures.at = UNIX_EPOCH + Duration::from_nanos(clock.wall(at));
    figures.host_cpus = measured.host_cpus;
    figures.uptime = measured.uptime.map(since);
    figures.restarts = restarts;
    figures.rate_interval = rates.map(|rates| rates.interval);
    figures.cpu_utilization = rates.and_then(|rates| rates.process);
    figures.host_cpu_utilization = rates.and_then(|rates| rates.host);
    LastReading {
        at,
        reading,
        rates_at: rates.map(|rates| rates.at),
    }
}

/// What only a tick reads: on a machine with many CPUs, `/proc/stat` is long.
#[derive(Debug, Clone, Copy)]
struct HostReading {
    cpus: Option<u64>,
    ticks: Option<HostCpuTicks>,
}

impl HostReading {
    fn take() -> Self {
        let stat = proc_files::read(Path::new("/proc/stat")).unwrap_or_default();
        Self {
            cpus: host_cpus(&stat),
            ticks: host_cpu(&stat),
        }
    }

    fn times(self, at: Nanos, process: Option<f64>) -> CpuTimes {
        CpuTimes {
            at,
            process,
            host: self.ticks,
        }
    }
}
