//! `kill -9` at any time while groups of errors count and change their states: no change that was reported as stored is
//! lost, no awaited event is lost, and none is counted twice.
//!
//! Without arguments, the program starts and kills children of itself, one after another in one directory.
//! `WATCHPOST_KILLS` is the number of kills, and `WATCHPOST_KILLS_FROM` the number of the first one, which determines when it
//! is killed.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use watchpost::Monitor;
use watchpost::errors::{ErrorGroup, ErrorState, Mute};

/// The default number of kills.
const KILLS: u32 = 20;
/// How long to wait for the worker and the disk. Only a hang takes longer.
const PATIENCE: Duration = Duration::from_secs(60);
/// A period that does not end during the test.
const DAYS: Duration = Duration::from_secs(7 * 86_400);
/// A number of events that is never reached. The number of a change is added to it.
const MANY: u64 = 1 << 40;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() == Some("child") {
        let events = args
            .next()
            .and_then(|it| it.parse().ok())
            .expect("a number");
        child(Path::new(&args.next().expect("a directory")), events);
    }
    let number = |name| std::env::var(name).ok().and_then(|it| it.parse().ok());
    let kills: u32 = number("WATCHPOST_KILLS").unwrap_or(KILLS);
    let from: u32 = number("WATCHPOST_KILLS_FROM").unwrap_or_default();
    let directory = tempfile::tempdir().expect("a directory");
    let mut known = Report::default();
    let (mut lost, mut twice) = (0_u64, 0_u64);
    for n in from..from + kills {
        let lines = 2 + u64::from(n) * 7 % 23;
        let then = Duration::from_micros(u64::from(n) * 7919 % 20_000);
        let (found, last) = run(directory.path(), known.events, lines, then);
        // What was under way when the process before was killed may be there or not.
        lost += known.change.saturating_sub(found.change);
        lost += known.events.saturating_sub(found.events);
        twice += found.change.saturating_sub(known.change + 1);
        twice += found.events.saturating_sub(known.events + 1);
        known = last;
    }
    let Report { change, events } = known;
    println!(
        "kill: {kills} kills of groups, {change} changes of states and {events} events stored, {lost} lost, {twice} there twice"
    );
    println!(
        "result: {{\"kills\":{kills},\"changes\":{change},\"events\":{events},\"lost\":{lost},\"twice\":{twice}}}"
    );
    if lost > 0 || twice > 0 || change < u64::from(kills) || events < u64::from(kills) {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// The number of the last change of the state, and the number of events.
#[derive(Debug, Clone, Copy, Default)]
struct Report {
    change: u64,
    events: u64,
}

/// Starts a child, kills it after a number of reports, and returns the first and the last one.
fn run(directory: &Path, events: u64, lines: u64, then: Duration) -> (Report, Report) {
    let program = std::env::current_exe().expect("the program");
    let mut child = Command::new(program)
        .arg("child")
        .arg(events.to_string())
        .arg(directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a child");
    let mut out = BufReader::new(child.stdout.take().expect("its output")).lines();
    let mut reports = Vec::new();
    let mut read = |reports: &mut Vec<Report>| {
        let Some(Ok(line)) = out.next() else {
            return false;
        };
        let mut numbers = line.split(' ').filter_map(|it| it.parse().ok());
        if let (Some(change), Some(events)) = (numbers.next(), numbers.next()) {
            reports.push(Report { change, events });
        }
        true
    };
    while (reports.len() as u64) < lines && read(&mut reports) {}
    std::thread::sleep(then);
    child.kill().expect("killed");
    child.wait().expect("ended");
    while read(&mut reports) {}
    let first = reports.first().expect("a report");
    (*first, *reports.last().expect("a report"))
}

/// Captures events and changes the state of their group until it is killed. Reports what is stored, at first what it finds:
/// `stored` events, unless some are lost.
fn child(directory: &Path, stored: u64) -> ! {
    let monitor = Monitor::builder("kill")
        .env(false)
        .console(false)
        .data_dir(directory)
        .build()
        .expect("a monitor");
    let errors = monitor.errors();
    wait_for(|| errors.is_stored());
    let group = || -> Option<ErrorGroup> { monitor.error_groups().into_iter().next() };
    // The stored events that the file of the groups does not contain are read after it. Some may follow that should not.
    let begun = Instant::now();
    let count = || group().map_or(0, |it| it.count);
    while count() < stored && begun.elapsed() < PATIENCE / 4 {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_millis(200));
    let mut events = count();
    let mut change = match group().map(|it| it.state) {
        Some(ErrorState::Muted {
            until: Mute::UntilMoreThan { events, .. },
            ..
        }) => events - MANY,
        _ => 0,
    };
    let report = |change: u64, events: u64| {
        // A single write: a pipe accepts a short line as a whole.
        let line = format!("{change} {events}\n");
        drop(std::io::stdout().lock().write_all(line.as_bytes()));
    };
    report(change, events);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    loop {
        let error = std::io::Error::other("awaited");
        let capture = monitor.error_capture(&error).fingerprint("one");
        let receipt = runtime.block_on(capture.capture_durable());
        assert!(receipt.is_stored());
        events += 1;
        report(change, events);
        let number = group().expect("the group").number;
        let mute = Mute::until_more_than(MANY + change + 1, DAYS);
        errors.mute(number, mute).expect("muted");
        wait_for(|| errors.is_stored());
        change += 1;
        report(change, events);
    }
}

fn wait_for(mut is_done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_done() {
        assert!(begun.elapsed() < PATIENCE, "it hangs");
        std::thread::sleep(Duration::from_millis(1));
    }
}
