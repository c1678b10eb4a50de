//! The limits of the process's control group, of version 1 or 2.
//!
//! `/proc/self/cgroup` names the group of each controller, and `/proc/self/mountinfo` the directories at which groups
//! can be read. Inside a container both usually begin at the container's own group. A limit of a group applies to all
//! groups below it, so every group from the process's own up to the mount point is read.

mod limits;
mod paths;

use std::path::Path;

use self::limits::{CpuGroup, MemoryGroup};
use self::paths::ControllerPath;
use super::figures::CgroupFigures;
use super::read_file::ReadFile;

/// The control groups of the process.
#[derive(Debug, Clone, Default)]
pub(super) struct Cgroups {
    memory: Option<ControllerPath>,
    cpu: Option<ControllerPath>,
}

/// What applies to the process.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct CgroupReading {
    pub(super) figures: CgroupFigures,
    /// The memory usage without the cache that the kernel gives back when memory is short.
    pub(super) memory_in_use: Option<u64>,
}

impl Cgroups {
    /// Finds the groups of the process.
    pub(super) fn find(read: ReadFile<'_>) -> Self {
        let groups = read(Path::new("/proc/self/cgroup"));
        let mounts = read(Path::new("/proc/self/mountinfo"));
        let (Some(groups), Some(mounts)) = (groups, mounts) else {
            return Self::default();
        };
        Self {
            memory: ControllerPath::find(&groups, &mounts, "memory"),
            cpu: ControllerPath::find(&groups, &mounts, "cpu"),
        }
    }

    /// Reads the lowest limits. A limit of at least `host_memory` bytes or `cpus` CPUs is none.
    pub(super) fn read(
        &self,
        read: ReadFile<'_>,
        host_memory: Option<u64>,
        cpus: Option<f64>,
    ) -> CgroupReading {
        let memory = self.memory_groups(read);
        let memory = memory.filter(|group| group.limit < host_memory.unwrap_or(u64::MAX));
        // Of two groups with one limit, the outer one has the usage of both.
        let memory = memory.reduce(|inner, outer| {
            if outer.limit <= inner.limit {
                outer
            } else {
                inner
            }
        });
        let cpu = self.cpu_groups(read);
        let cpu = cpu.filter(|group| group.limit < cpus.unwrap_or(f64::INFINITY));
        let cpu = cpu.min_by(|a, b| a.limit.total_cmp(&b.limit));
        CgroupReading {
            figures: CgroupFigures {
                memory_limit: memory.map(|group| group.limit),
                memory_usage: memory.and_then(|group| group.usage),
                cpu_limit: cpu.map(|group| group.limit),
                cpu_periods: cpu.and_then(|group| group.periods),
                cpu_throttled_periods: cpu.and_then(|group| group.throttled_periods),
                cpu_throttled: cpu.and_then(|group| group.throttled),
            },
            memory_in_use: memory.and_then(|group| group.in_use()),
        }
    }

    /// The least memory that is available in a group with a limit; `None` without one.
    pub(super) fn available_memory(&self, read: ReadFile<'_>) -> Option<u64> {
        let groups = self.memory_groups(read);
        let available =
            groups.filter_map(|group| Some(group.limit.saturating_sub(group.in_use()?)));
        available.min()
    }

    /// The groups with a memory limit, innermost first.
    fn memory_groups(&self, read: ReadFile<'_>) -> impl Iterator<Item = MemoryGroup> {
        let path = self.memory.iter();
        path.flat_map(move |path| {
            let groups = path.groups();
            groups.filter_map(move |group| MemoryGroup::read(read, path.version, group))
        })
    }

    /// The groups with a CPU limit, innermost first.
    fn cpu_groups(&self, read: ReadFile<'_>) -> impl Iterator<Item = CpuGroup> {
        let path = self.cpu.iter();
        path.flat_map(move |path| {
            let groups = path.groups();
            groups.filter_map(move |group| CpuGroup::read(read, path.version, group))
        })
    }
}

#[cfg(test)]
mod tests;
