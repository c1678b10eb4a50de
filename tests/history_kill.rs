//! `kill -9` at any time while the history writes its files: nothing that was stored before is lost, and nothing is there
//! twice.
//!
//! Without arguments, the program starts and kills children of itself, several in one directory. `WATCHPOST_KILLS` is the
//! number of kills, and `WATCHPOST_KILLS_FROM` the number of the first one, which determines when it is killed.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use watchpost::history::MetricQuery;
use watchpost::testing::Harness;

/// The default number of kills.
const KILLS: u32 = 24;
/// The children that use one directory, one after another.
const LIVES: u32 = 4;
/// What a child lets pass between two snapshots: hours end often.
const STEP: Duration = Duration::from_secs(300);
/// The series that count with the first one.
const SERIES: u64 = 40;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() == Some("child") {
        child(Path::new(&args.next().expect("a directory")));
    }
    let number = |name| std::env::var(name).ok().and_then(|it| it.parse().ok());
    let kills: u32 = number("WATCHPOST_KILLS").unwrap_or(KILLS);
    let from: u32 = number("WATCHPOST_KILLS_FROM").unwrap_or_default();
    let (mut stored, mut lost, mut twice, mut set_aside) = (0_u64, 0_u64, 0_u64, 0_u64);
    let (mut unfinished, mut segments) = (0_u64, 0_u64);
    for n in (from..from + kills).step_by(LIVES as usize) {
        let directory = tempfile::tempdir().expect("a directory");
        let (mut least, mut most) = (0, 0);
        for n in n..(n + LIVES).min(from + kills) {
            // Moments that do not repeat, after a number of snapshots: a slow machine takes longer.
            let snapshots = 1 + u64::from(n) * 29 % 60;
            let then = Duration::from_micros(u64::from(n) * 7919 % 15_000);
            let reported = run(directory.path(), snapshots, then);
            least += reported;
            most += reported + 1;
        }
        stored += least;
        let found = Found::read(directory.path());
        lost += least.saturating_sub(found.least);
        twice += found.most.saturating_sub(most);
        set_aside += found.set_aside;
        unfinished += found.unfinished;
        segments += found.segments;
    }
    println!(
        "kill: {kills} kills of a history, {stored} snapshots stored, {lost} of them lost, {twice} there twice; \
         {set_aside} files set aside, {unfinished} ends of journals cut, {segments} segments"
    );
    println!(
        "result: {{\"kills\":{kills},\"stored\":{stored},\"lost\":{lost},\"twice\":{twice},\"set_aside\":{set_aside},\"cut\":{unfinished},\"segments\":{segments}}}"
    );
    if lost > 0 || twice > 0 || set_aside > 0 || stored == 0 || segments == 0 {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// What a later process finds in a directory.
struct Found {
    /// The lowest and the highest number of snapshots that a series has.
    least: u64,
    most: u64,
    /// Files that were damaged.
    set_aside: u64,
    /// Records that were not complete.
    unfinished: u64,
    segments: u64,
}

impl Found {
    fn read(directory: &Path) -> Self {
        let harness = harness(directory);
        // The files are opened by the first snapshot.
        harness.advance(STEP);
        harness.snapshot();
        let window = Duration::from_secs(30 * 24 * 3600);
        let query = MetricQuery::increase("steps_total").window(window);
        harness.advance(window / 2);
        let found = harness
            .history()
            .at(&query, harness.now())
            .expect("a result");
        let values = found.iter().map(|series| whole(series.points[0].value));
        let (least, most) = (values.clone().min(), values.max());
        let page = harness.page();
        let sum = |name| whole(page.sum(name, &[]));
        Self {
            least: if found.len() as u64 == SERIES {
                least.unwrap_or(0)
            } else {
                0
            },
            most: most.unwrap_or(0),
            set_aside: sum("watchpost_history_damaged_files_total"),
            unfinished: whole(
                page.sum("watchpost_history_dropped_total", &[("reason", "damaged")]),
            ),
            segments: sum("watchpost_history_segments"),
        }
    }
}

#[expect(clippy::cast_sign_loss, reason = "no count is negative")]
fn whole(count: f64) -> u64 {
    count.round() as u64
}

fn harness(directory: &Path) -> Harness {
    Harness::with(|builder| builder.data_dir(directory))
}

/// Starts a child, kills it some time after it has reported this number of snapshots as stored, and returns how many it has
/// reported.
fn run(directory: &Path, snapshots: u64, then: Duration) -> u64 {
    let program = std::env::current_exe().expect("the program");
    let mut child = Command::new(program)
        .arg("child")
        .arg(directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a child");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let mut is_stored = || {
        lines
            .next()
            .is_some_and(|line| line.is_ok_and(|line| line == "stored;"))
    };
    let mut reported = 0;
    while reported < snapshots && is_stored() {
        reported += 1;
    }
    std::thread::sleep(then);
    child.kill().expect("killed");
    child.wait().expect("ended");
    while is_stored() {
        reported += 1;
    }
    reported
}

/// Takes snapshots until it is killed.
fn child(directory: &Path) -> ! {
    let harness = harness(directory);
    let steps = harness.metrics().counter("steps").build();
    let took = harness.metrics().histogram("took").unit("s").build();
    loop {
        for series in 0..SERIES {
            steps.with([("series", series.to_string())]).add(1);
        }
        took.record(0.2);
        harness.advance(STEP);
        harness.snapshot();
        // A single write: a pipe accepts a short line as a whole.
        drop(std::io::stdout().lock().write_all(b"stored;\n"));
    }
}
