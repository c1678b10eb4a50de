//! The host: a child of this program that logs and says up to which number its lines are synced.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use tracing_subscriber::prelude::*;
use watchpost::logs::{ElasticsearchConfig, LogsConfig};
use watchpost::{Monitor, MonitorGuard};

/// How long anything of a host may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);
/// The lines between two syncs.
const STEP: u64 = 500;

/// The settings of a host.
#[derive(Debug, Clone)]
pub(crate) struct HostSetup {
    pub(crate) directory: PathBuf,
    pub(crate) url: String,
}

/// A running host.
pub(crate) struct Host {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Host {
    /// Starts a host that logs the lines `first..end`, as fast as it can, and then waits.
    pub(crate) fn start(setup: &HostSetup, first: u64, end: u64) -> Self {
        let program = std::env::current_exe().expect("the program");
        let mut child = Command::new(program)
            .args(["child", &first.to_string(), &end.to_string()])
            .arg(&setup.directory)
            .arg(&setup.url)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a host");
        let out = BufReader::new(child.stdout.take().expect("its output"));
        Self { child, out }
    }

    /// Waits until it has synced the lines up to a number. Returns the number that it had synced last.
    pub(crate) fn await_synced(&mut self, up_to: u64) -> u64 {
        let mut line = String::new();
        loop {
            line.clear();
            assert!(
                self.out.read_line(&mut line).expect("its words") > 0,
                "the host has ended"
            );
            let synced: u64 = line.trim().parse().expect("a number");
            if synced >= up_to {
                return synced;
            }
        }
    }

    /// `kill -9`. Returns the number up to which its lines were synced.
    pub(crate) fn kill(mut self, synced: u64) -> u64 {
        self.child.kill().expect("killed");
        self.child.wait().expect("ended");
        let rest = self.out.lines().map_while(Result::ok);
        rest.filter_map(|it| it.parse().ok())
            .max()
            .unwrap_or(synced)
    }
}

/// A monitor that ships from a directory.
pub(crate) fn monitor(directory: &Path, config: ElasticsearchConfig) -> MonitorGuard {
    let logs = LogsConfig::default().console(false).max_file_bytes(1 << 20);
    let builder = Monitor::builder("ships")
        .env(false)
        .data_dir(directory)
        .logs(logs);
    builder.elasticsearch(config).build().expect("a monitor")
}

/// The settings with which all hosts ship.
pub(crate) fn config(url: &str) -> ElasticsearchConfig {
    ElasticsearchConfig::default()
        .urls([url])
        .timeout(Duration::from_secs(3))
}

pub(crate) fn log(monitor: &Monitor, numbers: std::ops::Range<u64>) {
    let subscriber = tracing_subscriber::registry().with(monitor.tracing_layer());
    tracing::subscriber::with_default(subscriber, || {
        for n in numbers {
            tracing::info!(n, "a line of a host that ships what it logs");
        }
    });
    assert!(
        monitor.flush_blocking(PATIENCE).expect("no error"),
        "lines are not synced"
    );
}

/// What the program does as a host.
pub(crate) fn run_child(mut args: impl Iterator<Item = String>) -> ! {
    let mut next = || args.next().expect("an argument");
    let (first, end): (u64, u64) = (
        next().parse().expect("a number"),
        next().parse().expect("a number"),
    );
    let directory = PathBuf::from(next());
    let monitor = monitor(&directory, config(&next()));
    let mut at = first;
    while at < end {
        let step = (at + STEP).min(end);
        log(&monitor, at..step);
        at = step;
        println!("{at}");
        std::io::stdout().flush().expect("the pipe is open");
    }
    // Until it is killed.
    loop {
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// A figure of the metrics page.
#[expect(clippy::cast_sign_loss, reason = "counts are not negative")]
pub(crate) fn figure(monitor: &Monitor, name: &str) -> u64 {
    let page = monitor.metrics().render();
    let line = page
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name}"))
        .parse::<f64>()
        .expect("a number") as u64
}

pub(crate) fn result(monitor: &Monitor, result: &str) -> u64 {
    figure(
        monitor,
        &format!("watchpost_elasticsearch_records_total{{result=\"{result}\"}}"),
    )
}

/// Waits until nothing waits.
pub(crate) fn settled(monitor: &Monitor) {
    await_that("nothing waits", || {
        result(monitor, "emitted") > 0 && figure(monitor, "watchpost_elasticsearch_waiting") == 0
    });
}

pub(crate) fn await_that(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
