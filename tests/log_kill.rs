//! `kill -9` at any time while lines are written to files that are closed and compressed all the time. Every line for which
//! a flush had returned is there exactly once, no line is there twice or torn, and the next process writes on.
//!
//! Without arguments, the program starts and kills children of itself. `WATCHPOST_KILLS` is their number, and
//! `WATCHPOST_KILLS_FROM` the number of the first one, which determines how long it lives.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use tracing_subscriber::prelude::*;
use watchpost::logs::LogsConfig;
use watchpost::{Monitor, MonitorGuard};

/// The default number of children.
const KILLS: u32 = 40;
/// All children of a directory, one after the other, before it is looked at.
const CHILDREN: u32 = 4;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() == Some("child") {
        let first = args
            .next()
            .and_then(|it| it.parse().ok())
            .expect("a number");
        child(first, Path::new(&args.next().expect("a directory")));
    }
    let number = |name| std::env::var(name).ok().and_then(|it| it.parse().ok());
    let kills = number("WATCHPOST_KILLS").unwrap_or(KILLS);
    let from: u32 = number("WATCHPOST_KILLS_FROM").unwrap_or_default();
    let (mut acknowledged, mut found, mut lost, mut twice, mut files) = (0, 0, 0, 0, 0);
    for group in (from..from + kills).step_by(CHILDREN as usize) {
        let directory = tempfile::tempdir().expect("a directory");
        let mut ranges = Vec::new();
        for n in group..group + CHILDREN {
            let first = u64::from(n - group) * 1_000_000_000;
            // Times that begin early and do not repeat.
            let life = Duration::from_micros(40_000 + u64::from(n) * 7919 % 190_000);
            ranges.push((first, run(directory.path(), first, life)));
        }
        // What the last one has left in part is repaired by the next process, which writes on.
        let last = monitor(directory.path());
        log(&last, 77_000_000_000..77_000_000_001);
        assert!(
            last.shutdown_blocking(Duration::from_secs(20))
                .expect("no error")
                .is_complete()
        );
        let (lines, names) = lines(&directory.path().join("logs"));
        files += names;
        found += lines.len();
        twice += lines.values().filter(|times| **times != 1).count();
        let fresh = lines.get(&77_000_000_000) == Some(&1);
        assert!(fresh, "the line after the kills is not there");
        for (first, end) in ranges {
            acknowledged += end - first;
            lost += (first..end).filter(|n| !lines.contains_key(n)).count();
        }
    }
    println!(
        "log kill: {kills} kills, {acknowledged} lines acknowledged, {lost} of them lost, {found} found in {files} files, {twice} of them not once"
    );
    println!(
        "result: {{\"kills\":{kills},\"acknowledged\":{acknowledged},\"lost\":{lost},\"found\":{found},\"not_once\":{twice}}}"
    );
    if lost > 0 || twice > 0 || acknowledged == 0 {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn monitor(directory: &Path) -> MonitorGuard {
    let logs = LogsConfig::default()
        .console(false)
        .max_file_bytes(64 << 10)
        .max_files(10_000);
    let builder = Monitor::builder("kill").env(false).data_dir(directory);
    builder.logs(logs).build().expect("a monitor")
}

fn log(monitor: &Monitor, numbers: std::ops::Range<u64>) {
    let subscriber = tracing_subscriber::registry().with(monitor.tracing_layer());
    tracing::subscriber::with_default(subscriber, || {
        for n in numbers {
            tracing::info!(n, "a line");
        }
    });
}

/// Starts a child, kills it after `life`, and returns the end of the numbers that it had synced.
fn run(directory: &Path, first: u64, life: Duration) -> u64 {
    let program = std::env::current_exe().expect("the program");
    let mut child = Command::new(program)
        .arg("child")
        .arg(first.to_string())
        .arg(directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a child");
    let mut out = child.stdout.take().expect("its output");
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        drop(out.read_to_string(&mut text));
        text
    });
    std::thread::sleep(life);
    child.kill().expect("killed");
    child.wait().expect("ended");
    let text = reader.join().expect("its words");
    let ends = text
        .lines()
        .filter_map(|line| line.strip_suffix(';')?.parse().ok());
    ends.max().unwrap_or(first)
}

/// How often each number is in the files, and the number of the files. Every line is complete.
fn lines(logs: &Path) -> (BTreeMap<u64, u32>, usize) {
    let (mut found, mut files) = (BTreeMap::new(), 0);
    for entry in std::fs::read_dir(logs).expect("the files") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|it| it.to_str()).expect("a name");
        if !name.starts_with("combined") || name.contains(".files") {
            continue;
        }
        files += 1;
        let bytes = std::fs::read(&path).expect("a file");
        let text = if name.contains(".gz") {
            let mut text = String::new();
            let mut decoder = flate2::read::GzDecoder::new(&*bytes);
            decoder.read_to_string(&mut text).expect("a complete file");
            text
        } else {
            String::from_utf8(bytes).expect("a text")
        };
        assert!(text.is_empty() || text.ends_with('\n'), "{name} is torn");
        for line in text.lines() {
            let line: serde_json::Value = serde_json::from_str(line).expect(line);
            if let Some(n) = line["n"].as_u64() {
                *found.entry(n).or_default() += 1;
            }
        }
    }
    (found, files)
}

/// Logs until it is killed, and says up to which number the lines are synced.
fn child(first: u64, directory: &Path) -> ! {
    let monitor = monitor(directory);
    for start in (first..).step_by(100) {
        log(&monitor, start..start + 100);
        assert!(
            monitor
                .flush_blocking(Duration::from_secs(20))
                .expect("no error")
        );
        let line = format!("{};\n", start + 100);
        // A single write: a pipe accepts a short line as a whole.
        drop(std::io::stdout().lock().write_all(line.as_bytes()));
    }
    unreachable!()
}
