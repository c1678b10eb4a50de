use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::cgroup::Cgroups;
use super::proc_text::{
    HostCpuTicks, HostMemory, allowed_cpus, host_cpu, host_cpus, host_memory, host_uptime,
    interfaces, kilobytes, start_ticks,
};
use super::process::ProcessReading;
use super::reading::SystemReading;
use super::*;
use crate::clock::Clock;
use crate::metrics::{Metrics, MetricsConfig};

const STAT: &str = "\
cpu  100 5 50 800 40 3 2 10 60 1
cpu0 50 2 25 400 20 1 1 5 30 0
cpu1 50 3 25 400 20 2 1 5 30 1
intr 12345 6 7
ctxt 99
btime 1700000000
";

const MEMINFO: &str = "MemTotal:       16000000 kB\nMemFree: 1 kB\nMemAvailable:   12000000 kB\n";

const DEV: &str = "\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:    3193      29    0    0    0     0          0         0     3193      29    0    0    0     0       0          0
  ifb0:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
eth0:92614180    3067    0    0    0     0          0         0   215900    1952    0    0    0     0       0          0
  br:1:      12       1    0    0    0     0          0         0       34       1    0    0    0     0       0          0
broken: 1 2 3
";

#[test]
fn the_cpu_line_is_busy_and_idle_time() {
    // Guests are part of the user time.
    let ticks = HostCpuTicks {
        busy: 170,
        idle: 840,
    };
    assert_eq!(host_cpu(STAT), Some(ticks));
    assert_eq!(host_cpus(STAT), Some(2));
    // An old kernel has four columns.
    let old = host_cpu("cpu  1 2 3 4\n").unwrap();
    assert_eq!((old.busy, old.idle), (6, 4));
    for text in [
        "",
        "cpu",
        "cpu  1 2 3",
        "cpu  1 2 x 4",
        "cpu0 1 2 3 4",
        "cpu  -1 2 3 4",
    ] {
        assert_eq!(host_cpu(text), None, "{text}");
    }
    let huge = format!("cpu  {0} {0} {0} {0} {0}", u64::MAX);
    assert_eq!(host_cpu(&huge).unwrap().busy, u64::MAX);
    assert_eq!(host_cpus("cpux 1\ncpu 2\n"), None);
}

#[test]
fn the_memory_is_in_bytes() {
    let memory = host_memory(MEMINFO);
    assert_eq!(memory.total, Some(16_000_000 * 1024));
    assert_eq!(memory.available, Some(12_000_000 * 1024));
    // Kernels before 3.14 do not estimate what is available.
    assert_eq!(host_memory("MemTotal: 1 kB\n").available, None);
    assert_eq!(host_memory("MemTotal: 1 MB\n"), HostMemory::default());
    assert_eq!(
        kilobytes("VmRSS:\t 18446744073709551615 kB", "VmRSS:"),
        None
    );
}

#[test]
fn lists_of_cpus_are_counted() {
    let cpus = |list: &str| allowed_cpus(&format!("Cpus_allowed_list:\t{list}\n"));
    assert_eq!(cpus("0"), Some(1));
    assert_eq!(cpus("0-63"), Some(64));
    assert_eq!(cpus("0-1,4,8-11"), Some(7));
    for list in ["", "x", "3-1", "0-", "-1", "1,,2", "0-18446744073709551615"] {
        assert_eq!(cpus(list), None, "{list}");
    }
    assert_eq!(allowed_cpus("Name: x\n"), None);
}

#[test]
fn the_start_follows_the_programs_name() {
    let stat = "7 (a) (b 1) c) S 1 7 7 0 -1 4194560 1 0 0 0 5 2 0 0 20 0 3 0 12300 1 2";
    assert_eq!(start_ticks(stat), Some(12300));
    assert_eq!(start_ticks("7 (a) S 1 7"), None);
    assert_eq!(start_ticks("7 a"), None);
    assert_eq!(host_uptime("3.25 9.0\n"), Some(3.25));
    for text in ["", "x", "-1", "inf", "nan"] {
        assert_eq!(host_uptime(text), None, "{text}");
    }
}

#[test]
fn interfaces_have_their_bytes() {
    let found = interfaces(DEV);
    let all: Vec<_> = found
        .iter()
        .map(|it| (it.interface.as_str(), it.received, it.transmitted))
        .collect();
    assert_eq!(
        all,
        [
            ("eth0", 92_614_180, 215_900),
            ("br:1", 12, 34),
            ("ifb0", 0, 0)
        ]
    );
    assert_eq!(interfaces("").len(), 0);
    // A machine with many containers.
    let many: String = (0..500)
        .map(|n| {
            let bytes = if n == 400 { 7 } else { 0 };
            format!("veth{n}: {bytes} 1 0 0 0 0 0 0 9 1 0 0 0 0 0 0\n")
                .replace(" 9 ", &format!(" {bytes} "))
        })
        .collect();
    let found = interfaces(&many);
    assert_eq!(found.len(), 16);
    assert_eq!(found[0].interface, "veth400");
    assert_eq!(found[1].interface, "veth0");
}

proptest! {
    #[test]
    fn no_text_of_proc_makes_it_panic(text in "(cpu|cpu0|MemTotal|Cpus_allowed_list|eth0|[0-9]|[ :,)(\n-]|kB|\\PC){0,60}") {
        host_cpu(&text);
        host_cpus(&text);
        host_memory(&text);
        allowed_cpus(&text);
        start_ticks(&text);
        host_uptime(&text);
        prop_assert!(interfaces(&text).len() <= 16);
    }
}

/// A process with known figures.
fn process() -> ProcessReading {
    ProcessReading {
        cpu_seconds_total: Some(1.5),
        open_fds: Some(9),
        max_fds: Some(0),
        resident_memory_bytes: Some(1 << 20),
        threads: Some(3),
        ..ProcessReading::default()
    }
}

fn reading(files: &[(&str, &str)]) -> SystemReading {
    let read = |path: &Path| {
        let found = files.iter().find(|(name, _)| Path::new(name) == path);
        found.map(|(_, text)| (*text).to_owned())
    };
    SystemReading::take(&read, process(), &Cgroups::find(&read))
}

const MOUNTS: (&str, &str) = (
    "/proc/self/mountinfo",
    "30 25 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
);
const STATUS: (&str, &str) = ("/proc/self/status", "Cpus_allowed_list:\t0-3\n");

#[test]
fn without_a_limit_the_shares_are_of_the_machine() {
    let figures = reading(&[
        ("/proc/meminfo", MEMINFO),
        ("/proc/self/net/dev", DEV),
        STATUS,
        MOUNTS,
        ("/proc/self/cgroup", "0::/\n"),
    ])
    .figures;
    assert_eq!(figures.available_cpus, Some(4.0));
    assert_eq!(figures.memory_usage, Some(4_000_000 * 1024));
    assert_eq!(figures.memory_limit, Some(16_000_000 * 1024));
    assert_eq!(figures.memory_utilization, Some(0.25));
    assert_eq!(figures.open_files, Some(9));
    assert_eq!(figures.max_files, None);
    assert_eq!(figures.network.len(), 3);
    assert_eq!(figures.cgroup, CgroupFigures::default());
}

#[test]
fn inside_a_limit_the_shares_are_of_the_limit() {
    let figures = reading(&[
        ("/proc/meminfo", MEMINFO),
        STATUS,
        MOUNTS,
        ("/proc/self/cgroup", "0::/\n"),
        ("/sys/fs/cgroup/memory.max", "1000000\n"),
        ("/sys/fs/cgroup/memory.current", "800000\n"),
        ("/sys/fs/cgroup/memory.stat", "inactive_file 300000\n"),
        ("/sys/fs/cgroup/cpu.max", "150000 100000\n"),
    ])
    .figures;
    assert_eq!(figures.available_cpus, Some(1.5));
    assert_eq!(figures.memory_usage, Some(500_000));
    assert_eq!(figures.memory_limit, Some(1_000_000));
    assert_eq!(figures.memory_utilization, Some(0.5));
    assert_eq!(figures.cgroup.memory_usage, Some(800_000));
}

#[test]
fn what_cannot_be_read_is_unknown_and_never_zero() {
    let reading = reading(&[]);
    let expected = SystemFigures {
        // The standard library knows these without `/proc`.
        available_cpus: reading.figures.available_cpus,
        resident_memory: Some(1 << 20),
        open_files: Some(9),
        threads: Some(3),
        ..SystemFigures::none()
    };
    assert_eq!(reading.figures, expected);
    assert!(
        reading
            .figures
            .available_cpus
            .is_some_and(|cpus| cpus >= 1.0)
    );
    // Neither does a usage without a limit, or a limit without a usage, make a share.
    let half = self::reading(&[("/proc/meminfo", "MemTotal: 8 kB\n")]).figures;
    assert_eq!((half.memory_usage, half.memory_utilization), (None, None));
    assert_eq!(half.memory_limit, Some(8192));
}

#[test]
fn the_reader_measures_rates_between_ticks_only() {
    let clock = Clock::driven(Duration::from_secs(1_700_000_000));
    let reader = Arc::new(SystemReader::new(clock.clone(), Some(4)));
    let metrics = Metrics::new(MetricsConfig::default(), clock.clone(), Arc::default());
    register(&metrics, &reader);

    let first = reader.figures();
    assert_eq!(first.restarts, Some(4));
    assert_eq!((first.rate_interval, first.cpu_utilization), (None, None));
    // Scrapes read again, but measure no rate.
    for _ in 0..3 {
        clock.advance(Duration::from_secs(1));
        let page = metrics.render();
        assert!(
            page.contains("watchpost_process_restarts_total 4\n"),
            "{page}"
        );
        assert!(!page.contains("process_cpu_utilization_ratio "), "{page}");
    }
    assert!(reader.figures().at > first.at);
    // A tick right after the first reading measures none either.
    while reader.figures().rate_interval.is_none() {
        std::thread::sleep(Duration::from_millis(20));
        reader.tick();
    }
    let rates = reader.figures();
    assert!(rates.rate_interval >= Some(Duration::from_millis(100)));
    clock.advance(Duration::from_secs(5));
    drop(metrics.render());
    let later = reader.figures();
    assert_eq!(later.rate_interval, rates.rate_interval);
    assert_eq!(later.cpu_utilization, rates.cpu_utilization);
}

#[test]
fn nobody_waits_for_the_reading_of_another_thread() {
    let clock = Clock::driven(Duration::from_secs(1_700_000_000));
    let reader = Arc::new(SystemReader::new(clock.clone(), Some(4)));
    let metrics = Metrics::new(MetricsConfig::default(), clock.clone(), Arc::default());
    register(&metrics, &reader);
    let first = reader.figures();
    clock.advance(Duration::from_secs(5));
    reader.while_reading(|| {
        assert_eq!(reader.figures(), first);
        let page = metrics.render();
        assert!(page.contains("watchpost_process_restarts_total 4\n"));
        reader.tick();
        assert_eq!(reader.figures().at, first.at);
    });
    drop(metrics.render());
    let later = reader.figures().at.duration_since(first.at).unwrap();
    assert_eq!(later, Duration::from_secs(5));
}

#[cfg(target_os = "linux")]
#[test]
fn the_figures_of_this_process_are_on_the_page() {
    let reader = Arc::new(SystemReader::new(Clock::system(), None));
    let metrics = Metrics::new(MetricsConfig::default(), Clock::system(), Arc::default());
    register(&metrics, &reader);
    let page = metrics.render();
    for line in [
        "# TYPE process_cpu_seconds_total counter\n",
        "# TYPE process_resident_memory_bytes gauge\n",
        "# TYPE process_start_time_seconds gauge\n",
        "# TYPE process_uptime_seconds gauge\n",
        "# TYPE system_cpu_logical_count gauge\n",
        "# TYPE system_memory_usage_bytes gauge\n",
        "# TYPE system_memory_limit_bytes gauge\n",
        "# TYPE system_memory_utilization_ratio gauge\n",
        "# TYPE watchpost_cpu_available gauge\n",
    ] {
        assert!(page.contains(line), "{line} in\n{page}");
    }
    for absent in ["watchpost_process_restarts", "system_filesystem", "\"lo\""] {
        assert!(!page.contains(absent), "{absent} in\n{page}");
    }
    drop(metrics);
    assert_eq!(Arc::strong_count(&reader), 1, "no reference cycle");
}
