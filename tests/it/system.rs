//! The figures of the system, beside those that `/proc` has at the same time.

use std::fs::{self, File};
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use watchpost::system::SystemFigures;
use watchpost::testing::{Harness, Page};

use crate::support::{output_of_one_test, skip, test_command};

/// The tolerated difference from `/proc`.
const TOLERANCE: f64 = 0.05;
/// The time under load between two readings.
const LOAD: Duration = Duration::from_secs(2);
/// A worker that reads in between makes an attempt invalid. It reads every ten seconds.
const ATTEMPTS: usize = 5;

/// Set for the child processes of these tests.
const CHILD: &str = "WATCHPOST_TEST_SYSTEM_CHILD";

fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// Runs the test named `name` in a child process that `script` starts, with `arguments`; `$0` and what follows them is
/// the test's command. Returns false if the script exits with 99.
fn run_in_child(name: &str, script: &str, arguments: &[&Path]) -> bool {
    let test = test_command(name);
    let child = Command::new("sh")
        .args(["-c", script, "sh"])
        .args(arguments)
        .arg(test.get_program())
        .args(test.get_args())
        .env(CHILD, "")
        .output()
        .unwrap();
    if child.status.code() == Some(99) {
        return false;
    }
    for line in output_of_one_test(&child).lines() {
        if let Some(at) = line.find("system: ") {
            println!("{}", &line[at..]);
        }
    }
    true
}

fn text(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap()
}

/// The number in the line that begins with `name`, in the column of its name plus `column`.
fn column(text: &str, name: &str, column: usize) -> Option<u64> {
    let line = text.lines().find(|line| line.trim().starts_with(name))?;
    let rest = line.trim().strip_prefix(name)?;
    rest.split_whitespace().nth(column)?.parse().ok()
}

/// The CPU times at one moment: seconds of the process, and ticks of the machine.
#[derive(Debug, Clone, Copy)]
struct Times {
    at: Instant,
    process: f64,
    busy: f64,
    idle: f64,
}

impl Times {
    fn now() -> Self {
        let stat = text("/proc/self/stat");
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let ticks = |field: usize| fields[field].parse::<f64>().unwrap();
        let stat = text("/proc/stat");
        let host = |n| column(&stat, "cpu ", n).unwrap() as f64;
        Self {
            at: Instant::now(),
            process: (ticks(11) + ticks(12)) / 100.0,
            busy: host(0) + host(1) + host(2) + host(5) + host(6) + host(7),
            idle: host(3) + host(4),
        }
    }
}

/// The range in which a rate between two readings must be. Each reading is between two of `/proc`, so however long a
/// thread has to wait for a CPU, the range holds.
struct Expected {
    /// The CPUs that the process used.
    process: (f64, f64),
    /// The share of the machine that was used.
    host: (f64, f64),
    /// The seconds between the readings.
    interval: (f64, f64),
}

impl Expected {
    fn between(first: (Times, Times), second: (Times, Times)) -> Self {
        let seconds = |from: Times, to: Times| (to.at - from.at).as_secs_f64();
        let interval = (seconds(first.1, second.0), seconds(first.0, second.1));
        let least = |of: fn(Times) -> f64| of(second.0) - of(first.1);
        let most = |of: fn(Times) -> f64| of(second.1) - of(first.0);
        let (busy, idle) = (|times: Times| times.busy, |times: Times| times.idle);
        Self {
            process: (
                least(|times| times.process) / interval.1,
                most(|times| times.process) / interval.0,
            ),
            host: (
                least(busy) / (least(busy) + most(idle)),
                most(busy) / (most(busy) + least(idle)),
            ),
            interval,
        }
    }
}

fn assert_within(what: &str, found: f64, (least, most): (f64, f64)) {
    println!("system: {what}: {found:.4}, /proc: {least:.4} to {most:.4}");
    assert!(
        found >= least * (1.0 - TOLERANCE) && found <= most * (1.0 + TOLERANCE),
        "{what}: {found} is not within 5 % of {least} to {most}"
    );
}

/// Keeps as many threads busy as `threads` while `run` runs.
fn under_load<R>(threads: usize, run: impl FnOnce() -> R) -> R {
    /// Stops the threads, also if `run` panics.
    struct Stop(Arc<AtomicBool>);
    impl Drop for Stop {
        fn drop(&mut self) {
            self.0.store(true, Relaxed);
        }
    }
    let stop = Stop(Arc::default());
    for _ in 0..threads {
        let stop = Arc::clone(&stop.0);
        thread::spawn(move || {
            let mut number = 0_u64;
            while !stop.load(Relaxed) {
                number = black_box(number.wrapping_mul(31).wrapping_add(7));
            }
        });
    }
    run()
}

/// Reads twice, with load between the readings, and returns the second reading with what it must be.
fn rates_under_load(harness: &Harness, threads: usize) -> (SystemFigures, Expected) {
    under_load(threads, || {
        for _ in 0..ATTEMPTS {
            // A reading within 100 ms of another one measures no rate.
            thread::sleep(Duration::from_millis(150));
            let before = Times::now();
            harness.read_system();
            let first = (before, Times::now());
            // Neither the monitor's clock nor a scraper that reads in between changes a rate.
            harness.advance(Duration::from_secs(3600));
            harness.page();
            thread::sleep(LOAD);
            let before = Times::now();
            let figures = harness.read_system();
            let expected = Expected::between(first, (before, Times::now()));
            let interval = figures.rate_interval.unwrap().as_secs_f64();
            if (expected.interval.0..=expected.interval.1).contains(&interval) {
                return (figures, expected);
            }
        }
        panic!("the worker read between the readings of the test each time");
    })
}

#[test]
fn cpu_rates_are_those_of_proc() {
    let harness = Harness::new();
    let (figures, expected) = rates_under_load(&harness, 1);
    let cpus = figures.available_cpus.unwrap();
    let used = figures.cpu_utilization.unwrap() * cpus;
    assert_within("CPUs used by the process", used, expected.process);
    let host = figures.host_cpu_utilization.unwrap();
    assert_within("share of the machine", host, expected.host);
    // The page has the same numbers.
    let page = harness.page();
    let shown = |name| page.sum(name, &[]);
    assert_eq!(shown("process_cpu_utilization_ratio") * cpus, used);
    assert_eq!(shown("system_cpu_utilization_ratio"), host);
    let counted = text("/proc/stat");
    let counted = counted.lines().filter(|line| line.starts_with("cpu"));
    assert_eq!(figures.host_cpus, Some(counted.count() as u64 - 1));
    assert_eq!(
        shown("system_cpu_logical_count"),
        figures.host_cpus.unwrap() as f64
    );
}

#[test]
fn other_figures_are_those_of_proc() {
    // A process of its own, whose memory does not change meanwhile.
    if !is_child() {
        let name = "system::other_figures_are_those_of_proc";
        assert!(run_in_child(name, r#"exec "$@""#, &[]));
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let harness = Harness::with(|builder| builder.data_dir(directory.path()));
    let memory = vec![1_u8; 64 << 20];
    let resident = || column(&text("/proc/self/status"), "VmRSS:", 0).unwrap() as f64 * 1024.0;
    let available = || column(&text("/proc/meminfo"), "MemAvailable:", 0).unwrap() * 1024;
    let total = column(&text("/proc/meminfo"), "MemTotal:", 0).unwrap() * 1024;
    let network = || text("/proc/self/net/dev");
    let range = |a: f64, b: f64| (a.min(b), a.max(b));

    let before = (resident(), available(), network());
    let figures = harness.read_system();
    let after = (resident(), available(), network());
    black_box(memory);
    let found = figures.resident_memory.unwrap() as f64;
    assert_within("resident memory", found, range(before.0, after.0));
    if figures.cgroup.memory_limit.is_none() {
        let used = |available: u64| (total - available) as f64;
        let found = figures.memory_usage.unwrap() as f64;
        assert_within("memory in use", found, range(used(before.1), used(after.1)));
        assert_eq!(figures.memory_limit, Some(total));
        let share = figures.memory_utilization.unwrap();
        assert_eq!(share, found / total as f64);
    }
    for it in &figures.network {
        let name = format!("{}:", it.interface);
        for (found, at) in [(it.received, 0), (it.transmitted, 8)] {
            let (least, most) = (column(&before.2, &name, at), column(&after.2, &name, at));
            assert!(Some(found) >= least && Some(found) <= most, "{name}");
        }
    }
    assert!(figures.network.iter().all(|it| it.interface != "lo"));
    let started = text("/proc/self/stat");
    let started = started.rsplit_once(')').unwrap().1.split_whitespace();
    let started = started.into_iter().nth(19).unwrap().parse::<f64>().unwrap() / 100.0;
    let up = text("/proc/uptime");
    let up = up
        .split_whitespace()
        .next()
        .unwrap()
        .parse::<f64>()
        .unwrap();
    let uptime = figures.uptime.unwrap().as_secs_f64();
    assert!(uptime <= up - started + 0.05, "{uptime} {up} {started}");
    assert!(uptime > 0.0);
}

#[test]
fn the_disk_is_that_of_the_data_directory() {
    let directory = tempfile::tempdir().unwrap();
    let harness = Harness::in_real_time(|builder| builder.data_dir(directory.path()));
    // Its check reads it, on a thread of its own.
    let deadline = Instant::now() + Duration::from_secs(30);
    let disk = loop {
        match harness.system().disk {
            Some(disk) => break disk,
            None => assert!(Instant::now() < deadline, "the disk was never read"),
        }
        thread::sleep(Duration::from_millis(10));
    };
    let stat = Command::new("stat")
        .args(["-f", "-c", "%b %S"])
        .arg(directory.path())
        .output()
        .unwrap();
    let stat = String::from_utf8(stat.stdout).unwrap();
    let numbers: Vec<u64> = stat
        .split_whitespace()
        .map(|it| it.parse().unwrap())
        .collect();
    assert_eq!(disk.total, numbers[0] * numbers[1]);
    assert!(disk.available > 0 && disk.available <= disk.total);
    let page = harness.page();
    assert_eq!(
        page.sum("system_filesystem_limit_bytes", &[]),
        disk.total as f64
    );
    let share = page.sum("system_filesystem_utilization_ratio", &[]);
    assert!(share > 0.0 && share < 1.0, "{share}");
    // Without a data directory there is none.
    assert_eq!(Harness::new().read_system().disk, None);
}

#[test]
fn open_files_and_threads_are_exact() {
    const NAME: &str = "system::open_files_and_threads_are_exact";
    const MORE: u64 = 40;
    if !is_child() {
        assert!(run_in_child(NAME, r#"exec "$@""#, &[]));
        return;
    }
    let harness = Harness::new();
    let counts = |harness: &Harness| {
        // One of the entries is the directory that is being read.
        let files = fs::read_dir("/proc/self/fd").unwrap().count() as u64 - 1;
        let threads = column(&text("/proc/self/status"), "Threads:", 0).unwrap();
        let figures = harness.read_system();
        assert_eq!(figures.open_files, Some(files));
        assert_eq!(figures.threads, Some(threads));
        let limit = column(&text("/proc/self/limits"), "Max open files", 0);
        assert_eq!(figures.max_files, limit);
        (files, threads)
    };
    let before = counts(&harness);
    let files: Vec<File> = (0..MORE)
        .map(|_| File::open("/dev/null").unwrap())
        .collect();
    let barrier = Arc::new(std::sync::Barrier::new(MORE as usize + 1));
    let threads: Vec<_> = (0..MORE)
        .map(|_| {
            let barrier = Arc::clone(&barrier);
            thread::spawn(move || barrier.wait())
        })
        .collect();
    let during = counts(&harness);
    assert_eq!(during, (before.0 + MORE, before.1 + MORE));
    // A scrape reads again when the last reading is a second old.
    harness.advance(Duration::from_secs(1));
    let page = harness.page();
    assert_eq!(page.sum("process_open_fds", &[]), during.0 as f64);
    assert_eq!(page.sum("process_threads", &[]), during.1 as f64);
    drop(files);
    barrier.wait();
    for thread in threads {
        thread.join().unwrap();
    }
    harness.advance(Duration::from_secs(1));
    let files = harness.page().sum("process_open_fds", &[]);
    assert_eq!(files, before.0 as f64);
}

#[test]
fn without_proc_no_figure_is_zero() {
    const NAME: &str = "system::without_proc_no_figure_is_zero";
    const SCRIPT: &str =
        r#"exec unshare -m sh -c 'mount -t tmpfs tmpfs /proc || exit 99; exec "$@"' sh "$@""#;
    if !is_child() {
        let can_unshare = Command::new("unshare").args(["-m", "true"]).status();
        let ran =
            can_unshare.is_ok_and(|status| status.success()) && run_in_child(NAME, SCRIPT, &[]);
        if !ran {
            skip(NAME, "`/proc` cannot be covered here");
        }
        return;
    }
    let harness = Harness::new();
    harness.read_system();
    thread::sleep(Duration::from_millis(150));
    let figures = harness.read_system();
    assert_eq!(figures.cpu_utilization, None);
    assert_eq!(figures.host_cpu_utilization, None);
    assert_eq!((figures.open_files, figures.threads), (None, None));
    assert_eq!((figures.memory_limit, figures.uptime), (None, None));
    let text = harness.metrics().render();
    let page = Page::read(&text);
    for name in [
        "process_cpu_seconds_total",
        "process_open_fds",
        "system_cpu_logical_count",
    ] {
        assert_eq!(page.samples(name, &[]).count(), 0, "{text}");
    }
}

/// The directory of the CPU controller's root group, and the file and text of a limit of half a CPU. `None` if this
/// process is not in the root group: another program then manages its group.
fn cpu_controller() -> Option<(PathBuf, [(&'static str, &'static str); 2])> {
    let groups = text("/proc/self/cgroup");
    let group = |controller: &str| {
        let mut lines = groups
            .lines()
            .map(|line| line.splitn(3, ':').collect::<Vec<_>>());
        let line = lines.find(|line| line[1].split(',').any(|it| it == controller))?;
        Some(line[2].to_owned())
    };
    let mounts = text("/proc/self/mountinfo");
    let mounted = |is: &dyn Fn(&str, &str) -> bool| {
        mounts.lines().find_map(|line| {
            let (place, file_system) = line.split_once(" - ")?;
            let place: Vec<_> = place.split(' ').collect();
            let file_system: Vec<_> = file_system.split(' ').collect();
            (place[3] == "/" && is(file_system[0], file_system[2])).then(|| PathBuf::from(place[4]))
        })
    };
    if let Some(group) = group("cpu") {
        let is_cpu = |kind: &str, options: &str| {
            kind == "cgroup" && options.split(',').any(|it| it == "cpu")
        };
        let root = mounted(&is_cpu)?;
        let limit = [
            ("cpu.cfs_period_us", "100000"),
            ("cpu.cfs_quota_us", "50000"),
        ];
        return (group == "/").then_some((root, limit));
    }
    let root = mounted(&|kind, _| kind == "cgroup2")?;
    (group("")? == "/").then_some((
        root,
        [("cpu.max", "50000 100000"), ("cpu.max", "50000 100000")],
    ))
}

/// A new group with a limit of half a CPU; removed when dropped, with the group `inner` below it.
struct LimitedGroup(PathBuf);

impl LimitedGroup {
    fn new(name: &str) -> Result<Self, String> {
        let (root, limit) = cpu_controller().ok_or("the process is not in the root group")?;
        let group = root.join(format!("watchpost-test-{name}-{}", std::process::id()));
        fs::create_dir(&group).map_err(|error| format!("no group can be created: {error}"))?;
        let group = Self(group);
        for (file, text) in limit {
            let written = fs::write(group.0.join(file), text);
            written.map_err(|error| format!("{file} cannot be written: {error}"))?;
        }
        Ok(group)
    }
}

impl Drop for LimitedGroup {
    fn drop(&mut self) {
        // The kernel needs a moment to see that the last process has left.
        for _ in 0..100 {
            let inner = fs::remove_dir(self.0.join("inner"));
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            drop(inner);
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Checks the figures inside a limit of half a CPU, beside those in the group's directory.
fn assert_half_a_cpu(group: &Path) {
    let harness = Harness::new();
    let stat = |name: &str| column(&text(group.join("cpu.stat")), name, 0);
    let (figures, expected) = rates_under_load(&harness, 2);
    assert_eq!(figures.available_cpus, Some(0.5));
    assert_eq!(figures.cgroup.cpu_limit, Some(0.5));
    let used = figures.cpu_utilization.unwrap() * 0.5;
    assert_within("CPUs used inside the limit", used, expected.process);
    println!(
        "system: share of the limit: {:.3}",
        figures.cpu_utilization.unwrap()
    );

    let before = (stat("nr_periods"), stat("nr_throttled"));
    let figures = harness.read_system();
    let after = (stat("nr_periods"), stat("nr_throttled"));
    let (periods, throttled) = (
        figures.cgroup.cpu_periods,
        figures.cgroup.cpu_throttled_periods,
    );
    assert!(
        before.0 <= periods && periods <= after.0,
        "{before:?} {figures:?}"
    );
    assert!(
        before.1 <= throttled && throttled <= after.1,
        "{before:?} {figures:?}"
    );
    // Whether the group was throttled depends on what else the machine runs.
    let stopped = figures.cgroup.cpu_throttled.unwrap().as_secs_f64();
    harness.advance(Duration::from_secs(1));
    let page = harness.page();
    assert_eq!(page.sum("watchpost_cgroup_cpu_limit", &[]), 0.5);
    let total = |name: &str| {
        let values: Vec<_> = page.samples(name, &[]).collect();
        assert_eq!(values.len(), 1, "{name}");
        page.sum(name, &[])
    };
    assert!(total("watchpost_cgroup_cpu_throttled_seconds_total") >= stopped);
    assert!(total("watchpost_cgroup_cpu_throttled_periods_total") >= throttled.unwrap() as f64);
    assert!(total("watchpost_cgroup_cpu_periods_total") > 0.0);
}

#[test]
fn inside_a_cpu_limit_the_share_is_of_the_limit() {
    const NAME: &str = "system::inside_a_cpu_limit_the_share_is_of_the_limit";
    const GROUP: &str = "WATCHPOST_TEST_SYSTEM_GROUP";
    // The child enters the group, below which it has another one without a limit of its own.
    const SCRIPT: &str = r#"mkdir "$1/inner" && echo $$ > "$1/inner/cgroup.procs" || exit 99
export WATCHPOST_TEST_SYSTEM_GROUP="$1"
shift
exec "$@""#;
    if is_child() {
        return assert_half_a_cpu(Path::new(&std::env::var_os(GROUP).unwrap()));
    }
    match LimitedGroup::new("nested") {
        Ok(group) => {
            let ran = run_in_child(NAME, SCRIPT, &[&group.0]);
            if !ran {
                skip(NAME, "the group cannot be entered");
            }
        }
        Err(reason) => skip(NAME, &reason),
    }
}

#[test]
fn inside_a_namespace_the_limit_is_that_of_its_root() {
    const NAME: &str = "system::inside_a_namespace_the_limit_is_that_of_its_root";
    const GROUP: &str = "WATCHPOST_TEST_SYSTEM_ROOT";
    // As a container: the group is the root of the namespace and of its mount.
    const SCRIPT: &str = r#"echo $$ > "$1/cgroup.procs" || exit 99
root="$2"
export WATCHPOST_TEST_SYSTEM_ROOT="$root"
shift 2
exec unshare -m -C sh -c 'umount "$1" && { mount -t cgroup -o cpu cgroup "$1" || mount -t cgroup2 cgroup2 "$1"; } || exit 99
shift
grep -q "cpu:/$" /proc/self/cgroup || grep -q "^0::/$" /proc/self/cgroup || exit 99
exec "$@"' sh "$root" "$@""#;
    if is_child() {
        return assert_half_a_cpu(Path::new(&std::env::var_os(GROUP).unwrap()));
    }
    match LimitedGroup::new("root") {
        Ok(group) => {
            let root = group.0.parent().unwrap().to_owned();
            if !run_in_child(NAME, SCRIPT, &[&group.0, &root]) {
                skip(NAME, "no namespace can be created");
            }
        }
        Err(reason) => skip(NAME, &reason),
    }
}

#[test]
fn restarts_are_counted_in_the_data_directory() {
    let directory = tempfile::tempdir().unwrap();
    let start = || Harness::with(|builder| builder.data_dir(directory.path()));
    for before in 0..3 {
        let harness = start();
        assert_eq!(harness.system().restarts, Some(before));
        let shown = harness.page().sum("watchpost_process_restarts_total", &[]);
        assert_eq!(shown, before as f64);
    }
    assert_eq!(Harness::new().system().restarts, None);
    // A file that is damaged is reported and left as it is.
    let file = directory.path().join("starts");
    fs::write(&file, "damaged").unwrap();
    let harness = start();
    assert_eq!(harness.system().restarts, None);
    let notices = harness.notices().join("\n");
    assert!(notices.contains("restarts are not counted"), "{notices}");
    assert!(
        notices.contains("starts has no number; remove it"),
        "{notices}"
    );
    assert_eq!(fs::read(&file).unwrap(), b"damaged");
    assert!(
        !harness
            .metrics()
            .render()
            .contains("watchpost_process_restarts")
    );
}
