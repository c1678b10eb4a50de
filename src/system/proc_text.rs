//! Parsers of the files of `/proc`. A figure that a file does not have, or has in another form, is `None`.

use super::figures::InterfaceFigures;

/// The maximum number of network interfaces. A machine with containers can have one for each of them.
const MAX_INTERFACES: usize = 16;

/// The ticks of all CPUs together since the machine started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HostCpuTicks {
    pub(super) busy: u64,
    /// Idle, or idle while a disk is awaited.
    pub(super) idle: u64,
}

/// The memory of the machine, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct HostMemory {
    pub(super) total: Option<u64>,
    /// What programs can still allocate without swapping.
    pub(super) available: Option<u64>,
}

/// The ticks in the line `cpu` of `/proc/stat`.
pub(super) fn host_cpu(stat: &str) -> Option<HostCpuTicks> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let mut ticks = [0_u64; 8];
    let mut found = 0;
    // The columns after the eighth are guests, whose time is part of the first two.
    for (tick, text) in ticks.iter_mut().zip(line.split_ascii_whitespace()) {
        *tick = text.parse().ok()?;
        found += 1;
    }
    let [user, nice, system, idle, io_wait, irq, soft_irq, steal] = ticks;
    let sum = |ticks: &[u64]| ticks.iter().fold(0_u64, |sum, it| sum.saturating_add(*it));
    (found >= 4).then(|| HostCpuTicks {
        busy: sum(&[user, nice, system, irq, soft_irq, steal]),
        idle: sum(&[idle, io_wait]),
    })
}

/// The number of lines `cpu0`, `cpu1`, .. of `/proc/stat`: the CPUs that are online.
pub(super) fn host_cpus(stat: &str) -> Option<u64> {
    let is_cpu = |line: &&str| {
        let number = line.strip_prefix("cpu").unwrap_or_default();
        number.starts_with(|first: char| first.is_ascii_digit())
    };
    let count = stat.lines().filter(is_cpu).count();
    (count > 0).then_some(count as u64)
}

/// The memory in `/proc/meminfo`.
pub(super) fn host_memory(meminfo: &str) -> HostMemory {
    HostMemory {
        total: kilobytes(meminfo, "MemTotal:"),
        available: kilobytes(meminfo, "MemAvailable:"),
    }
}

/// The value of a line such as `VmSize:   123 kB`, in bytes.
pub(crate) fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

/// The number of CPUs that `/proc/self/status` allows the process to run on, such as 3 for `0-1,4`.
pub(super) fn allowed_cpus(status: &str) -> Option<u64> {
    let list = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    let mut count = 0_u64;
    for range in list.trim().split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
        count = count.checked_add(last.checked_sub(first)?.checked_add(1)?)?;
    }
    (count > 0).then_some(count)
}

/// The start time of the process in clock ticks since the machine started, the 22nd field of `/proc/self/stat`.
pub(super) fn start_ticks(stat: &str) -> Option<u64> {
    // The second field is the program's name in parentheses. The name may contain spaces and parentheses.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(19)?.parse().ok()
}

/// The seconds since the machine started, from `/proc/uptime`.
pub(super) fn host_uptime(uptime: &str) -> Option<f64> {
    let seconds: f64 = uptime.split_ascii_whitespace().next()?.parse().ok()?;
    (seconds.is_finite() && seconds >= 0.0).then_some(seconds)
}

/// The network interfaces in `/proc/net/dev`, without the loopback: at most 16, first those that have carried data.
pub(super) fn interfaces(dev: &str) -> Vec<InterfaceFigures> {
    let interface = |line: &str| {
        // The name may contain a colon.
        let (name, counters) = line.rsplit_once(':')?;
        let counters: Vec<&str> = counters.split_ascii_whitespace().collect();
        let name = name.trim();
        (!name.is_empty() && name != "lo").then_some(())?;
        Some(InterfaceFigures {
            interface: name.to_owned(),
            received: counters.first()?.parse().ok()?,
            transmitted: counters.get(8)?.parse().ok()?,
        })
    };
    let mut all: Vec<_> = dev.lines().filter_map(interface).collect();
    all.sort_by_key(|it| it.received == 0 && it.transmitted == 0);
    all.truncate(MAX_INTERFACES);
    all
}
