//! The metrics of the system. A figure that the system does not have is omitted.

use std::sync::Arc;

use super::figures::{DiskSpace, SystemFigures};
use super::process::ProcessReading;
use super::reader::SystemReader;
use super::reading::float;
use crate::metrics::{InstrumentKind, Metrics, ObserveFn};
use crate::semconv::{
    NETWORK_INTERFACE_NAME, NETWORK_IO_DIRECTION, PROCESS_CPU_UTILIZATION, PROCESS_UPTIME,
    SYSTEM_CPU_LOGICAL_COUNT, SYSTEM_CPU_UTILIZATION, SYSTEM_FILESYSTEM_LIMIT,
    SYSTEM_FILESYSTEM_USAGE, SYSTEM_FILESYSTEM_UTILIZATION, SYSTEM_MEMORY_LIMIT,
    SYSTEM_MEMORY_USAGE, SYSTEM_MEMORY_UTILIZATION, SYSTEM_NETWORK_IO,
};

/// Returns the value of a metric, if the system has it.
type SystemValue = fn(&ProcessReading, &SystemFigures) -> Option<f64>;

/// A metric with one series.
struct SystemMetric {
    name: &'static str,
    unit: &'static str,
    description: &'static str,
    kind: InstrumentKind,
    value: SystemValue,
}

const fn gauge(
    name: &'static str,
    unit: &'static str,
    description: &'static str,
    value: SystemValue,
) -> SystemMetric {
    SystemMetric {
        name,
        unit,
        description,
        kind: InstrumentKind::Gauge,
        value,
    }
}

const fn counter(
    name: &'static str,
    unit: &'static str,
    description: &'static str,
    value: SystemValue,
) -> SystemMetric {
    SystemMetric {
        kind: InstrumentKind::Counter,
        ..gauge(name, unit, description, value)
    }
}

/// The metrics of the process under Prometheus' customary names. The readings of `metrics-process` are used, not its
/// gauges: those round the CPU time to whole seconds.
const PROCESS: [SystemMetric; 8] = [
    counter(
        "process_cpu_seconds",
        "s",
        "Total user and system CPU time spent in seconds.",
        |process, _| process.cpu_seconds_total,
    ),
    gauge(
        "process_open_fds",
        "",
        "Number of open file descriptors.",
        |process, _| process.open_fds.map(float),
    ),
    gauge(
        "process_max_fds",
        "",
        "Maximum number of open file descriptors; 0 is no limit.",
        |process, _| process.max_fds.map(float),
    ),
    gauge(
        "process_virtual_memory_bytes",
        "By",
        "Virtual memory size in bytes.",
        |process, _| process.virtual_memory_bytes.map(float),
    ),
    gauge(
        "process_virtual_memory_max_bytes",
        "By",
        "Maximum amount of virtual memory available in bytes; 0 is no limit.",
        |process, _| process.virtual_memory_max_bytes.map(float),
    ),
    gauge(
        "process_resident_memory_bytes",
        "By",
        "Resident memory size in bytes.",
        |process, _| process.resident_memory_bytes.map(float),
    ),
    gauge(
        "process_start_time_seconds",
        "s",
        "Start time of the process since the Unix epoch in seconds.",
        |process, _| process.start_time_seconds.map(float),
    ),
    gauge(
        "process_threads",
        "",
        "Number of OS threads in the process.",
        |process, _| process.threads.map(float),
    ),
];

/// What Prometheus has no customary name for.
const SYSTEM: [SystemMetric; 15] = [
    gauge(
        PROCESS_CPU_UTILIZATION,
        "1",
        "CPU time of the process by elapsed time and CPUs that it can use, over the last 10 s.",
        |_, figures| figures.cpu_utilization,
    ),
    gauge(
        PROCESS_UPTIME,
        "s",
        "Time since the process started.",
        |_, figures| figures.uptime.map(|uptime| uptime.as_secs_f64()),
    ),
    counter(
        "watchpost.process.restarts",
        "",
        "Earlier starts with this data directory.",
        |_, figures| figures.restarts.map(float),
    ),
    gauge(
        SYSTEM_CPU_UTILIZATION,
        "1",
        "Share of the machine's CPU time that was used, over the last 10 s.",
        |_, figures| figures.host_cpu_utilization,
    ),
    gauge(
        SYSTEM_CPU_LOGICAL_COUNT,
        "{cpu}",
        "CPUs of the machine.",
        |_, figures| figures.host_cpus.map(float),
    ),
    gauge(
        SYSTEM_MEMORY_USAGE,
        "By",
        "Memory in use, of the control group with a limit or of the machine.",
        |_, figures| figures.memory_usage.map(float),
    ),
    gauge(
        SYSTEM_MEMORY_LIMIT,
        "By",
        "Memory limit of the control group, or memory of the machine.",
        |_, figures| figures.memory_limit.map(float),
    ),
    gauge(
        SYSTEM_MEMORY_UTILIZATION,
        "1",
        "Share of the memory limit in use.",
        |_, figures| figures.memory_utilization,
    ),
    gauge(
        "watchpost.cgroup.memory.limit",
        "By",
        "Lowest memory limit of the control groups of the process.",
        |_, figures| figures.cgroup.memory_limit.map(float),
    ),
    gauge(
        "watchpost.cgroup.memory.usage",
        "By",
        "Memory that counts towards the limit, with the cache of files.",
        |_, figures| figures.cgroup.memory_usage.map(float),
    ),
    gauge(
        "watchpost.cgroup.cpu.limit",
        "{cpu}",
        "Lowest CPU limit of the control groups of the process, as a number of CPUs.",
        |_, figures| figures.cgroup.cpu_limit,
    ),
    counter(
        "watchpost.cgroup.cpu.periods",
        "",
        "Periods of the CPU limit in which the group was able to run.",
        |_, figures| figures.cgroup.cpu_periods.map(float),
    ),
    counter(
        "watchpost.cgroup.cpu.throttled.periods",
        "",
        "Periods in which the group used up its CPU limit and was stopped.",
        |_, figures| figures.cgroup.cpu_throttled_periods.map(float),
    ),
    counter(
        "watchpost.cgroup.cpu.throttled",
        "s",
        "Time for which the group was stopped by its CPU limit, summed over CPUs.",
        |_, figures| Some(figures.cgroup.cpu_throttled?.as_secs_f64()),
    ),
    gauge(
        "watchpost.cpu.available",
        "{cpu}",
        "CPUs that the process can use: those it may run on, or its CPU limit if that is lower.",
        |_, figures| figures.available_cpus,
    ),
];

/// A metric of the disk with the data directory.
type DiskMetric = (
    &'static str,
    &'static str,
    &'static str,
    fn(DiskSpace) -> Option<f64>,
);

const DISK: [DiskMetric; 3] = [
    (
        SYSTEM_FILESYSTEM_USAGE,
        "By",
        "Space of the data directory's disk that this process cannot use any more.",
        |disk| Some(float(disk.used())),
    ),
    (
        SYSTEM_FILESYSTEM_LIMIT,
        "By",
        "Space of the data directory's disk.",
        |disk| Some(float(disk.total)),
    ),
    (
        SYSTEM_FILESYSTEM_UTILIZATION,
        "1",
        "Share of the data directory's disk that this process cannot use any more.",
        |disk| (disk.total > 0).then(|| float(disk.used()) / float(disk.total)),
    ),
];

/// Adds the metrics of the system to the registry. They hold the reader, which holds no registry.
pub(crate) fn register(metrics: &Metrics, reader: &Arc<SystemReader>) {
    for metric in PROCESS.into_iter().chain(SYSTEM) {
        let reader = Arc::clone(reader);
        let observe = move |observe: ObserveFn<'_>| {
            reader.with_reading(|process, figures| {
                if let Some(value) = (metric.value)(process, figures) {
                    observe(&[], value);
                }
            });
        };
        metrics.observe(
            metric.name,
            metric.unit,
            metric.description,
            metric.kind,
            Arc::new(observe),
        );
    }
    for (name, unit, description, value) in DISK {
        let reader = Arc::clone(reader);
        let observe = move |observe: ObserveFn<'_>| {
            if let Some(value) = reader.disk().and_then(value) {
                observe(&[], value);
            }
        };
        let kind = InstrumentKind::Gauge;
        metrics.observe(name, unit, description, kind, Arc::new(observe));
    }
    let reader = Arc::clone(reader);
    metrics.observe(
        SYSTEM_NETWORK_IO,
        "By",
        "Bytes that the network interfaces carried.",
        InstrumentKind::Counter,
        Arc::new(move |observe| reader.with_reading(|_, figures| network(figures, observe))),
    );
}

fn network(figures: &SystemFigures, observe: ObserveFn<'_>) {
    for it in &figures.network {
        for (direction, bytes) in [("receive", it.received), ("transmit", it.transmitted)] {
            let labels = [
                (NETWORK_IO_DIRECTION, direction),
                (NETWORK_INTERFACE_NAME, it.interface.as_str()),
            ];
            observe(&labels, float(bytes));
        }
    }
}
