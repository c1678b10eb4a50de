//! One reading of everything that a scrape shows.

use std::path::Path;

use super::cgroup::{CgroupReading, Cgroups};
use super::figures::SystemFigures;
use super::proc_text::{HostMemory, host_memory, interfaces};
use super::process::{self, ProcessReading};
use super::read_file::ReadFile;

/// The figures of one moment. The rates, the disk and the counts since the start are the reader's.
#[derive(Debug)]
pub(super) struct SystemReading {
    pub(super) process: ProcessReading,
    pub(super) figures: SystemFigures,
}

impl SystemReading {
    /// Reads the files of `/proc` and of the control groups.
    pub(super) fn take(read: ReadFile<'_>, process: ProcessReading, cgroups: &Cgroups) -> Self {
        let text = |path: &str| read(Path::new(path));
        let host = text("/proc/meminfo").map_or_else(HostMemory::default, |it| host_memory(&it));
        let cpus = process::cpus(read).map(float);
        let cgroup = cgroups.read(read, host.total, cpus);
        let (memory_usage, memory_limit) = memory(host, &cgroup);
        let network = text("/proc/self/net/dev").as_deref().map(interfaces);
        let figures = SystemFigures {
            available_cpus: cgroup.figures.cpu_limit.or(cpus),
            resident_memory: process.resident_memory_bytes,
            memory_usage,
            memory_limit,
            memory_utilization: share(memory_usage, memory_limit),
            open_files: process.open_fds,
            // 0 is no limit.
            max_files: process.max_fds.filter(|max| *max > 0),
            threads: process.threads,
            network: network.unwrap_or_default(),
            cgroup: cgroup.figures,
            ..SystemFigures::none()
        };
        Self { process, figures }
    }
}

/// The usage and the limit of the group with the lowest limit, or of the machine.
fn memory(host: HostMemory, cgroup: &CgroupReading) -> (Option<u64>, Option<u64>) {
    if let Some(limit) = cgroup.figures.memory_limit {
        return (cgroup.memory_in_use, Some(limit));
    }
    let usage = |total: u64| Some(total.saturating_sub(host.available?));
    (host.total.and_then(usage), host.total)
}

fn share(part: Option<u64>, whole: Option<u64>) -> Option<f64> {
    let (part, whole) = (part?, whole?);
    (whole > 0).then(|| float(part) / float(whole))
}

#[expect(clippy::cast_precision_loss, reason = "exposed numbers are floats")]
pub(super) fn float(number: u64) -> f64 {
    number as f64
}
