//! The cost of the search of log lines: `cargo bench --all-features --bench log_search`, and over five million lines, which are
//! a gigabyte, `cargo bench --all-features --bench log_search -- 5000000`.
//!
//! The lines are generated once for each number of them, in the folder for temporary files. A monitor gets links to these files,
//! compresses and indexes them, and searches them. `rg` searches the same lines without compression, if it is installed. The
//! last line is JSON, for a file of results.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::future::Future;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use watchpost::Monitor;
use watchpost::logs::{LevelCounts, LogQuery, LogsConfig, SearchEnd};

const DEFAULT_LINES: u64 = 500_000;
/// The bytes of a generated file.
const FILE: u64 = 64 << 20;
/// One line in so many has the rare word.
const RARE: u64 = 250_000;
const RUNS: usize = 5;
/// The time of the first line, and between two lines.
const START: Duration = Duration::from_secs(1_700_000_000);
const STEP: Duration = Duration::from_millis(20);
const MIB: f64 = (1 << 20) as f64;

type Done<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Done<()> {
    let mut numbers = std::env::args().filter_map(|it| it.parse().ok());
    let lines: u64 = numbers.next().unwrap_or(DEFAULT_LINES);
    let plain = generated(lines)?;
    let runtime = tokio::runtime::Runtime::new()?;
    let report = runtime.block_on(run(&plain, lines))?;
    println!("{report}");
    Ok(())
}

async fn run(plain: &Path, lines: u64) -> Done<String> {
    let data = plain.with_extension("data");
    let _none = fs::remove_dir_all(&data);
    fs::create_dir_all(data.join("logs"))?;
    for entry in fs::read_dir(plain)? {
        let entry = entry?;
        fs::hard_link(entry.path(), data.join("logs").join(entry.file_name()))?;
    }
    let mut report = Report(format!("{{\"lines\":{lines}"));
    report.put("mib", bytes(plain)? as f64 / MIB);

    let before = resident("VmRSS:");
    let (begun, cpu) = (Instant::now(), cpu());
    let logs = LogsConfig::default()
        .console(false)
        .max_bytes(64 << 30)
        .max_files(10_000);
    let monitor = Monitor::builder("bench")
        .env(false)
        .data_dir(&data)
        .logs(logs)
        .build()?;
    wait_until_indexed(&data.join("logs"))?;
    report.put("prepared_s", begun.elapsed().as_secs_f64());
    if let (Some(before), Some(after)) = (cpu, self::cpu()) {
        report.put("cpu_us_per_line", (after - before) * 1e6 / lines as f64);
    }
    report.put("index_mib", bytes(&data.join("logs/index"))? as f64 / MIB);
    if let (Some(before), Some(after)) = (before, resident("VmRSS:")) {
        report.put("indexed_rss_mib", after - before);
    }

    let query = |text: &str| {
        let query = LogQuery::default().text(text);
        query.map(|it| it.time_limit(LogQuery::MAX_TIME_LIMIT))
    };
    let rare = query("unicorn")?.limit(1000);
    let found = report
        .best("rare_ms", || monitor.search_logs(&rare))
        .await?;
    assert_eq!(found.end, SearchEnd::Complete);
    assert_eq!(found.lines.len() as u64, lines.div_ceil(RARE));
    report.put("rare_read_mib", found.read_bytes as f64 / MIB);

    let common = query("payment")?.limit(100);
    let found = report
        .best("newest_100_ms", || monitor.search_logs(&common))
        .await?;
    assert_eq!(found.lines.len(), 100);

    let all = query("")?.since(time_of(0)).until(time_of(lines));
    let found = report
        .best("histogram_ms", || monitor.log_histogram(&all, 60))
        .await?;
    assert_eq!(found.end, SearchEnd::Complete);
    let counted: u64 = found.counts.iter().map(LevelCounts::total).sum();
    assert_eq!(counted, lines);
    if let (Some(before), Some(peak)) = (before, resident("VmHWM:")) {
        report.put("peak_mib", peak - before);
    }

    ripgrep(&mut report, plain)?;
    drop(monitor);
    fs::remove_dir_all(&data)?;
    report.0.push('}');
    Ok(report.0)
}

/// Waits until the files are compressed, and each block that is complete is indexed.
fn wait_until_indexed(logs: &Path) -> io::Result<()> {
    let (mut last, mut quiet) = (0, 0);
    while quiet < 30 {
        std::thread::sleep(Duration::from_millis(100));
        let mut waiting = 0;
        for entry in fs::read_dir(logs)? {
            let path = entry?.path();
            let is_plain = path.extension() == Some("log".as_ref());
            let is_closed = path
                .file_stem()
                .is_some_and(|it| it.len() > "combined".len());
            waiting += u32::from(is_plain && is_closed);
        }
        let indexed = bytes(&logs.join("index")).unwrap_or_default();
        quiet = if waiting == 0 && indexed == last {
            quiet + 1
        } else {
            0
        };
        last = indexed;
    }
    Ok(())
}

/// The figures of a run, as the beginning of a JSON object. They are shown as well.
struct Report(String);

impl Report {
    fn put(&mut self, name: &str, value: f64) {
        println!("{name:<20} {value:>12.2}");
        let _infallible = write!(self.0, ",\"{name}\":{value:.2}");
    }

    fn put_text(&mut self, name: &str, value: &str) {
        println!("{name:<20} {value:>12}");
        let _infallible = write!(self.0, ",\"{name}\":\"{value}\"");
    }

    /// The best of several runs, in milliseconds, and the first one.
    async fn best<T, E, F>(&mut self, name: &str, mut call: impl FnMut() -> F) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        let (mut best, mut first) = (f64::MAX, None);
        loop {
            let begun = Instant::now();
            let found = call().await?;
            let took = begun.elapsed().as_secs_f64() * 1e3;
            best = best.min(took);
            let runs = first.get_or_insert((took, 0));
            runs.1 += 1;
            if runs.1 == RUNS {
                let took = runs.0;
                self.put(name, best);
                self.put(&format!("{name}_first"), took);
                return Ok(found);
            }
        }
    }
}

/// The same questions to `rg`, which reads the lines without compression.
fn ripgrep(report: &mut Report, plain: &Path) -> io::Result<()> {
    let run = |arguments: &[&str]| {
        let mut command = Command::new("rg");
        let command = command.args(arguments).arg(plain).stdout(Stdio::null());
        let begun = Instant::now();
        command
            .status()
            .map(|_| begun.elapsed().as_secs_f64() * 1e3)
    };
    for (name, arguments) in [
        ("rg_rare_ms", &["unicorn"][..]),
        ("rg_common_ms", &["--count", "payment"][..]),
    ] {
        let mut best = f64::MAX;
        for _ in 0..RUNS {
            match run(arguments) {
                Ok(took) => best = best.min(took),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    report.put_text("rg", "skipped: rg is not installed");
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        report.put(name, best);
    }
    Ok(())
}

/// The folder with so many lines, which is made if it is missing.
fn generated(lines: u64) -> io::Result<PathBuf> {
    let folder = std::env::temp_dir().join(format!("watchpost-log-search-{lines}"));
    if folder.exists() {
        return Ok(folder);
    }
    let half = folder.with_extension("new");
    let _none = fs::remove_dir_all(&half);
    fs::create_dir_all(&half)?;
    let (mut number, mut written, mut line) = (0, FILE, String::new());
    let mut file = None;
    for n in 0..lines {
        if written >= FILE {
            number += 1;
            written = 0;
            let name = format!("combined-2023-11-14-{number:06}.log");
            file = Some(BufWriter::new(File::create(half.join(name))?));
        }
        line.clear();
        put_line(&mut line, n);
        if let Some(file) = &mut file {
            file.write_all(line.as_bytes())?;
        }
        written += line.len() as u64;
    }
    if let Some(mut file) = file {
        file.flush()?;
    }
    fs::rename(half, &folder)?;
    Ok(folder)
}

fn time_of(n: u64) -> SystemTime {
    UNIX_EPOCH + START + STEP * u32::try_from(n).unwrap_or(u32::MAX)
}

/// The line with this number: of a request, of a payment, or of a cache.
fn put_line(line: &mut String, n: u64) {
    let micros = (START + STEP * u32::try_from(n).unwrap_or(u32::MAX)).as_micros();
    let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
    // START is in the evening of 2023-11-14; the days of the lines that follow are counted from there.
    let of_day = seconds % 86_400;
    let day = 14 + (seconds / 86_400 - u128::from(START.as_secs()) / 86_400);
    let (month, day) = if day > 30 { (12, day - 30) } else { (11, day) };
    let mixed = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let id = format!("{mixed:016x}{:016x}", mixed.rotate_left(17));
    let level = match mixed >> 60 {
        0 => "ERROR",
        1 | 2 => "WARN",
        _ => "INFO",
    };
    let _infallible = write!(
        line,
        "{{\"timestamp\":\"2023-{month:02}-{day:02}T{:02}:{:02}:{:02}.{micros:06}Z\",\"level\":\"{level}\",\"message\":\"",
        of_day / 3600,
        of_day / 60 % 60,
        of_day % 60,
    );
    let word = if n.is_multiple_of(RARE) {
        "unicorn"
    } else {
        "order"
    };
    let user = mixed >> 44;
    let _infallible = match mixed >> 40 & 3 {
        0 | 1 => writeln!(
            line,
            "GET /api/{word}/{{id}} 200\",\"service.name\":\"shop\",\"trace_id\":\"{id}\",\"http.request.method\":\"GET\",\"http.route\":\"/api/{word}/{{id}}\",\"http.response.status_code\":200,\"duration_ms\":{}.{:03},\"user.id\":\"{user}\"}}",
            mixed >> 58,
            mixed >> 20 & 511
        ),
        2 => writeln!(
            line,
            "payment of {word} {user} took {} attempts\",\"service.name\":\"shop\",\"target\":\"shop::pay\",\"trace_id\":\"{id}\",\"amount\":{}}}",
            mixed >> 30 & 7,
            mixed >> 12 & 65_535
        ),
        _ => writeln!(
            line,
            "cache miss for {word}\",\"service.name\":\"shop\",\"target\":\"shop::cache\",\"trace_id\":\"{id}\",\"key\":\"user:{user}\",\"size\":{}}}",
            mixed >> 16 & 8191
        ),
    };
}

/// The bytes of the files in a folder.
fn bytes(folder: &Path) -> io::Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(folder)? {
        sum += entry?.metadata()?.len();
    }
    Ok(sum)
}

/// The seconds of CPU time of this process so far. `None` where there is no `/proc`.
fn cpu() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut ticks = after_name.split_whitespace().skip(11);
    let mut next = || ticks.next()?.parse::<f64>().ok();
    // A tick of the kernel's interface is 10 ms.
    Some((next()? + next()?) / 100.0)
}

/// A size of this process in MiB. `None` where there is no `/proc`.
fn resident(name: &str) -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib / 1024.0)
}
