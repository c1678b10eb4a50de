//! The operating system's figures: the process, its limits and its machine.
//!
//! Every monitor reads them, without a setting. [`Monitor::system`](crate::Monitor::system) returns the last figures, and
//! the [metrics page](crate::metrics) has them as series.
//!
//! ```
//! # fn main() -> watchpost::Result<()> {
//! let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
//! let system = monitor.system();
//! if let (Some(open), Some(max)) = (system.open_files, system.max_files) {
//!     println!("{open} of {max} files are open");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A part of the page of a process with two busy threads and a limit of half a CPU, on a machine with two CPUs:
//!
//! ```text
//! process_cpu_seconds_total 1.1
//! process_cpu_utilization_ratio 0.9968189160879088
//! process_open_fds 12
//! process_resident_memory_bytes 25763840
//! process_threads 3
//! process_uptime_seconds 2.202173193
//! system_cpu_logical_count 2
//! system_cpu_utilization_ratio 0.8193384223918575
//! system_memory_limit_bytes 25276514304
//! system_memory_usage_bytes 1108865024
//! system_memory_utilization_ratio 0.043869380511240924
//! system_network_io_bytes_total{network_interface_name="eth0",network_io_direction="receive"} 269185849
//! system_network_io_bytes_total{network_interface_name="eth0",network_io_direction="transmit"} 894714
//! watchpost_cgroup_cpu_limit 0.5
//! watchpost_cgroup_cpu_periods_total 22
//! watchpost_cgroup_cpu_throttled_periods_total 22
//! watchpost_cgroup_cpu_throttled_seconds_total 2.345902726
//! watchpost_cpu_available 0.5
//! ```
//!
//! # Which figure means what
//!
//! | field of [`SystemFigures`] | series | definition | source on Linux |
//! |---|---|---|---|
//! | `cpu_utilization` | `process_cpu_utilization_ratio` | CPU time of the process / (elapsed time × `available_cpus`) | `/proc/self/stat` |
//! | `available_cpus` | `watchpost_cpu_available` | CPUs on which the process may run, or its quota if that is lower | `/proc/self/status`, control group |
//! | `host_cpu_utilization` | `system_cpu_utilization_ratio` | CPU time of the machine that was not idle / its CPU time | `/proc/stat` |
//! | `host_cpus` | `system_cpu_logical_count` | CPUs that are online | `/proc/stat` |
//! | `resident_memory` | `process_resident_memory_bytes` | memory of the process that is in RAM | `/proc/self/stat` |
//! | `memory_limit` | `system_memory_limit_bytes` | limit of the control group, or memory of the machine | control group, `/proc/meminfo` |
//! | `memory_usage` | `system_memory_usage_bytes` | with a limit: usage of that group − inactive pages of files; otherwise `MemTotal` − `MemAvailable` | the same |
//! | `memory_utilization` | `system_memory_utilization_ratio` | `memory_usage` / `memory_limit` | the same |
//! | `open_files` | `process_open_fds` | open file descriptors | `/proc/self/fd` |
//! | `max_files` | `process_max_fds` | their limit; without one, `None` and 0 | `/proc/self/limits` |
//! | `threads` | `process_threads` | threads of the process | `/proc/self/stat` |
//! | `disk` | `system_filesystem_limit_bytes`, `system_filesystem_usage_bytes`, `system_filesystem_utilization_ratio` | disk of the data directory; the usage includes what is reserved for root | `statvfs` |
//! | `network` | `system_network_io_bytes_total` | bytes of each interface in the process's network namespace, without the loopback | `/proc/self/net/dev` |
//! | `cgroup` | `watchpost_cgroup_*` | see [below](#inside-a-container) | control group |
//! | `uptime` | `process_uptime_seconds` | time since the process started | `/proc/self/stat`, monotonic clock |
//! | `restarts` | `watchpost_process_restarts_total` | earlier starts of a monitor with this data directory | file `starts` in it |
//!
//! The page also has `process_cpu_seconds_total`, `process_virtual_memory_bytes`, `process_virtual_memory_max_bytes` and
//! `process_start_time_seconds`. Where Prometheus has a customary name, the page has that name alone:
//!
//! | name of the semantic conventions | name on the page |
//! |---|---|
//! | `process.cpu.time` | `process_cpu_seconds_total` |
//! | `process.memory.usage` | `process_resident_memory_bytes` |
//! | `process.memory.virtual` | `process_virtual_memory_bytes` |
//! | `process.thread.count` | `process_threads` |
//! | `process.unix.file_descriptor.count` | `process_open_fds` |
//!
//! # When the figures are read
//!
//! The monitor's thread reads everything every ten seconds. Rates compare two of these readings, so there is none before
//! the second reading, and two Prometheus servers do not shorten each other's interval. A rate is within a clock tick
//! (10 ms of CPU time) of the system's own numbers. It uses the monotonic clock: a step of the wall clock does not change
//! it. With CPU bursts, a share of a limit can exceed 1.
//!
//! A scrape reads counters and gauges again, at most once a second, so that a counter is never ten seconds behind. While
//! another thread is reading, it shows the last figures instead of waiting.
//! [`Monitor::system`](crate::Monitor::system) reads nothing and waits for no reading. The disk is read once a minute by its
//! [health check](crate::health), on a thread of its own, because a disk can hang.
//!
//! A rate that is older than a minute, and a disk that was read more than two and a half minutes ago, is left out.
//!
//! # Inside a container
//!
//! `/proc` shows the machine, but the process may use only what its control group allows. So shares are of the limit: a
//! process that uses its whole quota of half a CPU has a `process_cpu_utilization_ratio` of 1. `system_cpu_*` stays that
//! of the machine.
//!
//! Control groups of version 1 and 2 are read, wherever they are mounted. The lowest limit of all groups from the
//! process's own upward counts, as far as they are visible. A limit that is not lower than what the machine has is none.
//! Without a limit, these series are absent:
//!
//! | series | definition |
//! |---|---|
//! | `watchpost_cgroup_memory_limit_bytes` | `memory.max` or `memory.limit_in_bytes` |
//! | `watchpost_cgroup_memory_usage_bytes` | `memory.current` or `memory.usage_in_bytes`, with the cache of files |
//! | `watchpost_cgroup_cpu_limit` | quota / period: a number of CPUs |
//! | `watchpost_cgroup_cpu_periods_total` | periods (mostly of 100 ms) in which the group was able to run |
//! | `watchpost_cgroup_cpu_throttled_periods_total` | periods in which it used up its quota and was stopped |
//! | `watchpost_cgroup_cpu_throttled_seconds_total` | for how long it was stopped, summed over CPUs |
//!
//! The group that sets the limit can have other processes and groups in it; usage and throttling are those of the whole
//! group. A container with a limit of 1 GiB that has used its whole memory for the cache of files has a
//! `watchpost_cgroup_memory_usage_bytes` of 1 GiB. `system_memory_usage_bytes` leaves out the inactive part of the cache,
//! which the kernel frees before it kills a process.
//!
//! # What is absent
//!
//! A figure that cannot be read is `None`, and its series is absent. It is never 0.
//!
//! | where | what is known |
//! |---|---|
//! | Linux | everything, as far as `/proc` and the control groups are mounted and readable |
//! | macOS, Windows, FreeBSD | what the crate `metrics-process` reads of the process, `cpu_utilization`, `available_cpus`, `uptime`, `restarts` |
//! | without a data directory | no `disk`, no `restarts` |
//!
//! At most 16 network interfaces have a series: first those that have carried data, in the order of the system. A machine
//! with containers can have one interface for each of them.
//!
//! # Restarts
//!
//! The file `starts` in the data directory has the number of starts. Each start of a monitor replaces the file by a new
//! one that is synced before it takes the name, so a crash or a power failure leaves a number. If that fails, or if the
//! file is damaged, a notice is reported, the file stays as it is, and `restarts` is `None`. A second process that shares
//! the configured directory has its own directory below it, and its own count.

mod available_memory;
mod cgroup;
#[cfg_attr(not(target_os = "linux"), path = "no_disk_space.rs")]
mod disk_space;
mod figures;
mod instruments;
#[cfg_attr(not(target_os = "linux"), path = "no_proc_files.rs")]
mod proc_files;
mod proc_text;
mod process;
mod rates;
mod read_file;
mod reader;
mod reading;

use std::time::Duration;

pub use self::figures::{CgroupFigures, DiskSpace, InterfaceFigures, SystemFigures};

pub(crate) use self::available_memory::available_memory;
pub(crate) use self::instruments::register;
pub(crate) use self::proc_text::kilobytes;
pub(crate) use self::reader::SystemReader;

/// The interval between readings by the worker.
pub(crate) const READ_EVERY: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
