//! Test cases and their runner: the parent starts itself once for each case, and checks the exit status and the host's
//! output.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

/// The time limit of a process.
const PATIENCE: Duration = Duration::from_secs(60);
/// The name of the case, in a child.
const CASE: &str = "BESIDE_CASE";
/// Set if this crate is added, in a child.
const ADDED: &str = "BESIDE_ADDED";
/// The file for the host's own output, in a child.
const OUTPUT: &str = "BESIDE_OUTPUT";

/// A test of one combination.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    name: &'static str,
    test: Test,
}

#[derive(Clone, Copy, Debug)]
enum Test {
    Once(fn()),
    Unchanged(fn(bool)),
}

impl Case {
    /// A test that asserts in a process of its own.
    pub(crate) const fn new(name: &'static str, test: fn()) -> Self {
        let test = Test::Once(test);
        Self { name, test }
    }

    /// A test that runs twice: without this crate (`false`), then with it (`true`). Both must pass the same bytes to
    /// [`host_output`], and not none.
    pub(crate) const fn unchanged(name: &'static str, test: fn(bool)) -> Self {
        let test = Test::Unchanged(test);
        Self { name, test }
    }

    fn run(&self) -> Result<(), String> {
        match self.test {
            Test::Once(_) => child(self.name, true).map(drop),
            Test::Unchanged(_) => {
                let without = child(self.name, false)?;
                let with = child(self.name, true)?;
                if without.is_empty() {
                    return Err("the host wrote nothing to compare".to_owned());
                }
                if with == without {
                    return Ok(());
                }
                Err(format!(
                    "the host's output changed.\nwithout:\n{without}\nwith:\n{with}"
                ))
            }
        }
    }
}

/// Stores the output of the host for the comparison of [`Case::unchanged`]. Called once, at the end.
pub(crate) fn host_output(bytes: &[u8]) {
    let path = env::var_os(OUTPUT).expect("host output is for cases of `unchanged`");
    fs::write(path, bytes).unwrap();
}

/// Runs the cases that the arguments select; in a child, its own case.
pub(crate) fn run(all: &[Case]) -> ExitCode {
    if let Ok(name) = env::var(CASE) {
        let case = all.iter().find(|case| case.name == name).unwrap();
        match case.test {
            Test::Once(test) => test(),
            Test::Unchanged(test) => test(env::var_os(ADDED).is_some()),
        }
        return ExitCode::SUCCESS;
    }
    for (at, case) in all.iter().enumerate() {
        assert!(
            all[..at].iter().all(|other| other.name != case.name),
            "two cases are named {}",
            case.name
        );
    }
    let filters: Vec<String> = env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with('-'))
        .collect();
    let wanted =
        |case: &&Case| filters.is_empty() || filters.iter().any(|it| case.name.contains(it));
    let queue: Mutex<Vec<&Case>> = Mutex::new(all.iter().rev().filter(wanted).collect());
    let results = Mutex::new((0, 0));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some(case) = queue.lock().unwrap().pop() else {
                        return;
                    };
                    let result = case.run();
                    let mut results = results.lock().unwrap();
                    match result {
                        Ok(()) => {
                            results.0 += 1;
                            println!("passed: {}", case.name);
                        }
                        Err(error) => {
                            results.1 += 1;
                            println!("FAILED: {}\n{error}", case.name);
                        }
                    }
                }
            });
        }
    });
    let (passed, failed) = results.into_inner().unwrap();
    println!("{passed} passed, {failed} failed");
    if failed > 0 || passed == 0 {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Runs one case in a child, and returns the host's output.
fn child(name: &str, added: bool) -> Result<String, String> {
    let stem = format!("beside-{}-{name}-{added}", process::id());
    let file = |end: &str| -> PathBuf { env::temp_dir().join(format!("{stem}.{end}")) };
    let (output, stdout, stderr) = (file("host"), file("out"), file("err"));
    let to = |path: &Path| Stdio::from(fs::File::create(path).unwrap());
    let mut command = Command::new(env::current_exe().unwrap());
    for (key, _) in env::vars_os() {
        let key = key.to_string_lossy().into_owned();
        if [
            "OTEL_",
            "WATCHPOST_",
            "SENTRY_",
            "RUST_LOG",
            "RUST_BACKTRACE",
            "LOG_LEVEL",
        ]
        .iter()
        .any(|it| key.starts_with(it))
        {
            command.env_remove(key);
        }
    }
    command.env(CASE, name).env(OUTPUT, &output);
    if added {
        command.env(ADDED, "1");
    }
    let mut child = command
        .stdin(Stdio::null())
        .stdout(to(&stdout))
        .stderr(to(&stderr))
        .spawn()
        .unwrap();
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break Some(status);
        }
        if begun.elapsed() > PATIENCE {
            child.kill().unwrap();
            child.wait().unwrap();
            break None;
        }
        thread::sleep(Duration::from_millis(5));
    };
    let read =
        |path: &Path| String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned();
    let result = match status {
        Some(status) if status.success() => Ok(read(&output)),
        Some(status) => Err(format!("{status}\n{}{}", read(&stdout), read(&stderr))),
        None => Err(format!(
            "not finished after {PATIENCE:?}\n{}{}",
            read(&stdout),
            read(&stderr)
        )),
    };
    for path in [output, stdout, stderr] {
        let _ = fs::remove_file(path);
    }
    std::io::stdout().flush().unwrap();
    result
}
