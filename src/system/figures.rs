//! The figures that the host program sees.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The operating system's figures of the process, its limits and its machine: the last reading.
///
/// [`Monitor::system`](crate::Monitor::system) returns it. A figure that the system does not have, or does not show to
/// this process, is `None`. The [module's page](crate::system) defines each figure.
///
/// # Examples
///
/// ```
/// # fn main() -> watchpost::Result<()> {
/// let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
/// let system = monitor.system();
/// if let Some(share) = system.memory_utilization {
///     println!("{:.0} % of the memory is in use", share * 100.0);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SystemFigures {
    /// The time of the reading.
    pub at: SystemTime,
    /// The time between the two readings that `cpu_utilization` and `host_cpu_utilization` compare; `None` until the
    /// second reading.
    pub rate_interval: Option<Duration>,
    /// The CPU time of the process, divided by the elapsed time and by `available_cpus`.
    pub cpu_utilization: Option<f64>,
    /// The number of CPUs that the process can use: those that it is allowed to run on, or the quota of its control
    /// group if that is lower.
    pub available_cpus: Option<f64>,
    /// The share of the machine's CPU time that was used, by all processes.
    pub host_cpu_utilization: Option<f64>,
    /// The number of CPUs of the machine that are online.
    pub host_cpus: Option<u64>,
    /// The resident memory of the process in bytes.
    pub resident_memory: Option<u64>,
    /// The memory in use in bytes, of the control group that sets `memory_limit`, or of the machine.
    pub memory_usage: Option<u64>,
    /// The limit of the control group in bytes, or the memory of the machine.
    pub memory_limit: Option<u64>,
    /// `memory_usage` divided by `memory_limit`.
    pub memory_utilization: Option<f64>,
    /// The number of open file descriptors.
    pub open_files: Option<u64>,
    /// The maximum number of open file descriptors; `None` also where there is no limit.
    pub max_files: Option<u64>,
    /// The number of threads.
    pub threads: Option<u64>,
    /// The disk of the data directory.
    pub disk: Option<DiskSpace>,
    /// The network interfaces, without the loopback: at most 16, first those that have carried data.
    pub network: Vec<InterfaceFigures>,
    /// The limits of the control group.
    pub cgroup: CgroupFigures,
    /// The time since the process started.
    pub uptime: Option<Duration>,
    /// How often a monitor had been started with this data directory before.
    pub restarts: Option<u64>,
}

impl SystemFigures {
    /// Without any figure.
    pub(super) fn none() -> Self {
        Self {
            at: UNIX_EPOCH,
            rate_interval: None,
            cpu_utilization: None,
            available_cpus: None,
            host_cpu_utilization: None,
            host_cpus: None,
            resident_memory: None,
            memory_usage: None,
            memory_limit: None,
            memory_utilization: None,
            open_files: None,
            max_files: None,
            threads: None,
            disk: None,
            network: Vec::new(),
            cgroup: CgroupFigures::default(),
            uptime: None,
            restarts: None,
        }
    }
}

/// The space of a disk in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct DiskSpace {
    /// The whole disk.
    pub total: u64,
    /// What this process can still use.
    pub available: u64,
}

impl DiskSpace {
    /// What is taken, or reserved for the system.
    pub(super) fn used(self) -> u64 {
        self.total.saturating_sub(self.available)
    }
}

/// The bytes that a network interface has carried since the machine started, or since the interface was added.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct InterfaceFigures {
    /// The name, such as `eth0`.
    pub interface: String,
    /// Received bytes.
    pub received: u64,
    /// Transmitted bytes.
    pub transmitted: u64,
}

/// The limits of the control group (version 1 or 2) of the process. Of nested groups, the lowest limit counts. All
/// figures are `None` without a limit; a limit beyond what the machine has is none.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub struct CgroupFigures {
    /// The memory limit in bytes.
    pub memory_limit: Option<u64>,
    /// The memory that counts towards the limit in bytes, with the cache of files.
    pub memory_usage: Option<u64>,
    /// The CPU limit as a number of CPUs, such as 1.5.
    pub cpu_limit: Option<f64>,
    /// The periods (mostly of 100 ms) in which the group was able to run.
    pub cpu_periods: Option<u64>,
    /// The periods in which the group used up its quota and was stopped.
    pub cpu_throttled_periods: Option<u64>,
    /// For how long the group was stopped, summed over CPUs.
    pub cpu_throttled: Option<Duration>,
}
