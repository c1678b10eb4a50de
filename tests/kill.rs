//! `kill -9` at any time during at least 1000 captures per second: no awaited event is lost, and of the others only those
//! captured in the last moments.
//!
//! Without arguments, the program starts and kills children of itself. `WATCHPOST_KILLS` is their number, and
//! `WATCHPOST_KILLS_FROM` the number of the first one, which determines how long it lives.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use watchpost::Monitor;

/// The default number of children.
const KILLS: u32 = 100;
/// Captures per second that a child must reach.
const RATE: u64 = 1000;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() == Some("child") {
        let waiters = args.next().and_then(|it| it.parse().ok()).unwrap_or(0);
        child(waiters, Path::new(&args.next().expect("a directory")));
    }
    let number = |name| std::env::var(name).ok().and_then(|it| it.parse().ok());
    let kills = number("WATCHPOST_KILLS").unwrap_or(KILLS);
    let from: u32 = number("WATCHPOST_KILLS_FROM").unwrap_or_default();
    let (mut awaited, mut others, mut lost_awaited) = (0, 0, 0);
    let (mut ages, mut slow) = (Vec::new(), 0_u32);
    for n in from..from + kills {
        let directory = tempfile::tempdir().expect("a directory");
        // Times that begin early and do not repeat.
        let life = Duration::from_micros(60_000 + u64::from(n) * 7919 % 190_000);
        // Awaited captures wake the worker, so that the others are stored sooner.
        let captures = run(directory.path(), n % 2 * 8, life);
        let stored = stored(&directory.path().join("errors"));
        let end = captures.iter().map(|it| it.at).max().unwrap_or_default();
        let begin = captures.iter().map(|it| it.at).min().unwrap_or_default();
        for event in captures.iter().filter(|event| event.awaited) {
            awaited += 1;
            lost_awaited += u64::from(!stored.contains(&event.id));
        }
        let captured: Vec<_> = captures.iter().filter(|event| !event.awaited).collect();
        others += captured.len();
        let lost = captured.iter().filter(|event| !stored.contains(&event.id));
        ages.extend(lost.map(|event| end - event.at));
        let lived = (end - begin).max(1);
        slow += u32::from(captures.len() as u64 * 1_000_000 / lived < RATE);
    }
    ages.sort_unstable();
    println!(
        "kill: {kills} kills, {awaited} captures awaited, {lost_awaited} of them lost; {others} others, {} lost",
        ages.len()
    );
    let mut bounds = vec![5, 10, 20, 30, 50, 100, 200];
    bounds.push(u64::MAX / 1000);
    let (mut below, mut histogram) = (0, Vec::new());
    for bound in bounds {
        let upto = ages.partition_point(|age| *age <= bound * 1000);
        if upto > below {
            println!(
                "kill: lost {} captured at most {bound} ms before the end",
                upto - below
            );
            histogram.push(format!("\"{bound}\":{}", upto - below));
        }
        below = upto;
    }
    let p99 = ages.get(ages.len().saturating_sub(1) * 99 / 100).copied();
    println!(
        "kill: of the lost, 99 % were younger than {} us; {slow} children were slower than {RATE} captures a second",
        p99.unwrap_or_default()
    );
    println!(
        "result: {{\"kills\":{kills},\"awaited\":{awaited},\"awaited_lost\":{lost_awaited},\"others\":{others},\"others_lost\":{},\"lost_at_most_ms\":{{{}}},\"slow\":{slow}}}",
        ages.len(),
        histogram.join(",")
    );
    if lost_awaited > 0 || awaited == 0 || slow > kills / 10 {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

struct CapturedEvent {
    id: u128,
    awaited: bool,
    /// Microseconds since the child's start.
    at: u64,
}

/// Starts a child, kills it after `life`, and returns the captures that it reported.
fn run(directory: &Path, waiters: u32, life: Duration) -> Vec<CapturedEvent> {
    let program = std::env::current_exe().expect("the program");
    let mut child = Command::new(program)
        .arg("child")
        .arg(waiters.to_string())
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
    let captures = text.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let awaited = words.next()? == "a";
        let id = u128::from_str_radix(words.next()?, 16).ok()?;
        let at = words.next()?.strip_suffix(';')?.parse().ok()?;
        Some(CapturedEvent { id, awaited, at })
    });
    captures.collect()
}

/// The IDs of the complete records in the files of a store.
fn stored(directory: &Path) -> HashSet<u128> {
    const MARK: &[u8] = &[0xa5, b'W', b'P', 0x5a];
    let mut ids = HashSet::new();
    let Ok(entries) = std::fs::read_dir(directory) else {
        return ids;
    };
    for entry in entries {
        let file = std::fs::read(entry.expect("an entry").path()).expect("a file");
        let marks = (0..file.len()).filter(|at| file[*at..].starts_with(MARK));
        for at in marks {
            let Some(head) = file.get(at + 4..at + 20) else {
                continue;
            };
            let len = u32::from_le_bytes(head[..4].try_into().unwrap()) as usize;
            let check = u32::from_le_bytes(head[4..8].try_into().unwrap());
            let Some(checked) = file.get(at + 12..at + 20 + len) else {
                continue;
            };
            if crc32fast::hash(checked) == check && checked.get(8) == Some(&1) {
                ids.insert(u128::from_le_bytes(checked[9..25].try_into().unwrap()));
            }
        }
    }
    ids
}

/// Captures errors until it is killed.
fn child(waiters: u32, directory: &Path) -> ! {
    let monitor = Monitor::builder("kill")
        .env(false)
        .console(false)
        .data_dir(directory)
        .build()
        .expect("a monitor");
    let begun = Instant::now();
    let report = Arc::new(move |kind: &str, id: watchpost::EventId| {
        let line = format!("{kind} {id} {};\n", begun.elapsed().as_micros());
        // A single write: a pipe accepts a short line as a whole.
        drop(std::io::stdout().lock().write_all(line.as_bytes()));
    });
    let (other, report_other) = ((*monitor).clone(), Arc::clone(&report));
    std::thread::spawn(move || {
        for n in 0_u64.. {
            let id = other.capture_error(&std::io::Error::other(format!("event {n}")));
            report_other("c", id);
            std::thread::sleep(Duration::from_micros(100));
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        for _ in 0..waiters {
            let (monitor, report) = ((*monitor).clone(), Arc::clone(&report));
            tokio::spawn(async move {
                loop {
                    let error = std::io::Error::other("awaited");
                    let stored = monitor.capture_error_durable(&error).await;
                    if stored.is_stored() {
                        report("a", stored.id());
                    }
                }
            });
        }
        std::future::pending::<()>().await;
    });
    unreachable!()
}
