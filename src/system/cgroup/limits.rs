//! The limits and the usage of one group.

use std::path::Path;
use std::time::Duration;

use super::super::read_file::ReadFile;
use super::paths::CgroupVersion;

/// From here on, a memory limit of version 1 is none: the kernel shows the largest number of whole pages.
const NO_MEMORY_LIMIT: u64 = 1 << 60;

/// A group with a memory limit.
#[derive(Debug, Clone, Copy)]
pub(super) struct MemoryGroup {
    pub(super) limit: u64,
    pub(super) usage: Option<u64>,
    /// The pages of files that the kernel gives back when memory is short. The usage includes them.
    reclaimable: u64,
}

impl MemoryGroup {
    /// Reads the group with this directory; `None` if it has no limit.
    pub(super) fn read(read: ReadFile<'_>, version: CgroupVersion, group: &Path) -> Option<Self> {
        let (limit, usage, reclaimable) = match version {
            CgroupVersion::One => (
                "memory.limit_in_bytes",
                "memory.usage_in_bytes",
                "total_inactive_file",
            ),
            CgroupVersion::Two => ("memory.max", "memory.current", "inactive_file"),
        };
        let read = |file: &str| read(&group.join(file));
        let number = |file: &str| read(file)?.trim().parse::<u64>().ok();
        let own = number(limit);
        let stat = read("memory.stat").unwrap_or_default();
        // Version 1 only: the lowest limit of this group and of those above it, also where these are not visible.
        let inherited = value(&stat, "hierarchical_memory_limit");
        let limit = own.into_iter().chain(inherited).min()?;
        (limit > 0 && limit < NO_MEMORY_LIMIT).then(|| Self {
            limit,
            usage: number(usage),
            reclaimable: value(&stat, reclaimable).unwrap_or(0),
        })
    }

    /// The usage without what the kernel gives back.
    pub(super) fn in_use(&self) -> Option<u64> {
        Some(self.usage?.saturating_sub(self.reclaimable))
    }
}

/// A group with a CPU limit.
#[derive(Debug, Clone, Copy)]
pub(super) struct CpuGroup {
    /// A number of CPUs.
    pub(super) limit: f64,
    pub(super) periods: Option<u64>,
    pub(super) throttled_periods: Option<u64>,
    pub(super) throttled: Option<Duration>,
}

impl CpuGroup {
    /// Reads the group with this directory; `None` if it has no limit.
    pub(super) fn read(read: ReadFile<'_>, version: CgroupVersion, group: &Path) -> Option<Self> {
        let read = |file: &str| read(&group.join(file));
        let limit = match version {
            CgroupVersion::One => cpus(&read("cpu.cfs_quota_us")?, &read("cpu.cfs_period_us")?)?,
            CgroupVersion::Two => {
                let max = read("cpu.max")?;
                let (quota, period) = max.trim().split_once(' ')?;
                cpus(quota, period)?
            }
        };
        let stat = read("cpu.stat").unwrap_or_default();
        let throttled = match version {
            CgroupVersion::One => value(&stat, "throttled_time").map(Duration::from_nanos),
            CgroupVersion::Two => value(&stat, "throttled_usec").map(Duration::from_micros),
        };
        Some(Self {
            limit,
            periods: value(&stat, "nr_periods"),
            throttled_periods: value(&stat, "nr_throttled"),
            throttled,
        })
    }
}

/// The number of CPUs that a quota allows; `None` without one, which is `max` or `-1`.
#[expect(
    clippy::cast_precision_loss,
    reason = "microseconds of a period are few"
)]
fn cpus(quota: &str, period: &str) -> Option<f64> {
    let number = |text: &str| text.trim().parse::<u64>().ok().filter(|it| *it > 0);
    Some(number(quota)? as f64 / number(period)? as f64)
}

/// The value of a line `name value`.
fn value(stat: &str, name: &str) -> Option<u64> {
    let mut values = stat.lines().filter_map(|line| {
        let (found, value) = line.split_once(' ')?;
        (found == name).then(|| value.trim().parse().ok())
    });
    values.next()?
}
