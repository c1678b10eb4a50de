//! Reads the system's figures, for the worker and for scrapes.

use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, UNIX_EPOCH};

use super::cgroup::Cgroups;
use super::figures::{DiskSpace, SystemFigures};
use super::proc_text::{HostCpuTicks, host_cpu, host_cpus};
use super::process;
use super::rates::{self, CpuRates, CpuTimes};
use super::reading::SystemReading;
use super::{disk_space, proc_files};
use crate::clock::{Clock, Nanos};
use crate::model::{lock, lock_for_status};

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
#[derive(Debug)]
pub(crate) struct SystemReader {
    clock: Clock,
    /// The system's clock, for what the system counts. `clock` is driven in tests.
    monotonic: Clock,
    restarts: Option<u64>,
    last: Mutex<LastReading>,
    /// The last reading of the disk and its time.
    disk: Mutex<Option<(Nanos, DiskSpace)>>,
}

#[derive(Debug)]
struct LastReading {
    at: Nanos,
    reading: SystemReading,
    /// The groups of the process, found at the last tick.
    cgroups: Cgroups,
    /// The CPU times from which the next tick measures the rates.
    times: CpuTimes,
    rates: Option<CpuRates>,
    host_cpus: Option<u64>,
    /// The uptime of the process at a reading of the monotonic clock.
    uptime: Option<(Nanos, Duration)>,
}

impl SystemReader {
    /// Reads all figures but the rates. `restarts` is the count of the data directory.
    pub(crate) fn new(clock: Clock, restarts: Option<u64>) -> Self {
        let monotonic = Clock::system();
        let process = process::read();
        let now = monotonic.now();
        let wall = Duration::from_nanos(monotonic.wall(now));
        let uptime = process::uptime(&proc_files::read, &process, wall);
        let cgroups = Cgroups::find(&proc_files::read);
        let host = HostReading::take();
        let last = LastReading {
            at: 0,
            times: host.times(now, process.cpu_seconds_total),
            host_cpus: host.cpus,
            reading: SystemReading::take(&proc_files::read, process, &cgroups),
            cgroups,
            rates: None,
            uptime: uptime.map(|uptime| (now, uptime)),
        };
        let reader = Self {
            clock,
            monotonic,
            restarts,
            last: Mutex::new(last),
            disk: Mutex::default(),
        };
        reader.complete(&mut lock(&reader.last));
        reader
    }

    /// Reads all figures but the disk, and measures the rates since the last call. A call within 100 ms of the last one
    /// measures none.
    pub(crate) fn tick(&self) {
        let mut last = lock(&self.last);
        last.cgroups = Cgroups::find(&proc_files::read);
        let host = HostReading::take();
        last.host_cpus = host.cpus;
        let process = process::read();
        let now = self.monotonic.now();
        let times = host.times(now, process.cpu_seconds_total);
        last.reading = SystemReading::take(&proc_files::read, process, &last.cgroups);
        let available = last.reading.figures.available_cpus;
        if let Some(rates) = rates::between(&last.times, &times, available) {
            last.rates = Some(rates);
            last.times = times;
        }
        self.complete(&mut last);
    }

    /// Returns the last figures. Reads nothing from the system.
    pub(crate) fn figures(&self) -> SystemFigures {
        let last = lock_for_status(&self.last);
        let figures = last.map(|mut last| {
            self.show_rates(&mut last);
            last.reading.figures.clone()
        });
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

    /// Passes the figures to `show`. Reads them again if the last reading is a second old.
    pub(super) fn with_reading(&self, show: impl FnOnce(&SystemReading)) {
        let Some(mut last) = lock_for_status(&self.last) else {
            return;
        };
        // All metrics of one scrape come from one reading: the lock is held while it is taken, and it serves the
        // others.
        if self.clock.now().saturating_sub(last.at) >= MIN_AGE {
            let process = process::read();
            last.reading = SystemReading::take(&proc_files::read, process, &last.cgroups);
            self.complete(&mut last);
        }
        show(&last.reading);
    }

    /// Adds to a new reading what it does not have itself.
    fn complete(&self, last: &mut LastReading) {
        last.at = self.clock.now();
        let now = self.monotonic.now();
        let since = |(at, uptime): (Nanos, Duration)| {
            uptime.saturating_add(Duration::from_nanos(now.saturating_sub(at)))
        };
        let uptime = last.uptime.map(since);
        let host_cpus = last.host_cpus;
        let figures = &mut last.reading.figures;
        figures.at = UNIX_EPOCH + Duration::from_nanos(self.clock.wall(last.at));
        figures.host_cpus = host_cpus;
        figures.uptime = uptime;
        figures.restarts = self.restarts;
        self.show_rates(last);
    }

    /// Sets the rates in the figures, unless they are too old.
    fn show_rates(&self, last: &mut LastReading) {
        let rates = last
            .rates
            .filter(|rates| self.age(rates.at) < MAX_AGE_OF_RATES);
        let figures = &mut last.reading.figures;
        figures.rate_interval = rates.map(|rates| rates.interval);
        figures.cpu_utilization = rates.and_then(|rates| rates.process);
        figures.host_cpu_utilization = rates.and_then(|rates| rates.host);
    }

    /// Runs code while the locks are held, as a thread of a parent may hold them at a `fork`.
    #[cfg(test)]
    pub(crate) fn while_locked<R>(&self, run: impl FnOnce() -> R) -> R {
        let (_last, _disk) = (lock(&self.last), lock(&self.disk));
        run()
    }

    fn age(&self, at: Nanos) -> Nanos {
        self.monotonic.now().saturating_sub(at)
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
