//! Notifications of a monitor to real receivers: mail servers, and an Alertmanager. What they have is compared with what the
//! monitor has counted. `tests/real/run` starts it; otherwise it does nothing.

mod aiosmtpd;
mod alertmanager;
mod certificates;
mod exim;
mod host;
#[path = "../../it/peer.rs"]
mod peer;
#[path = "../process.rs"]
#[expect(dead_code, reason = "other checks need more of it")]
mod process;
#[path = "../../it/smtp_peer.rs"]
mod smtp_peer;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use tokio::time::timeout;

/// The time limit of all checks.
const DEADLINE: Duration = Duration::from_secs(400);

pub(crate) type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// The settings from `tests/real/run`.
pub(crate) struct Place {
    /// The folder of files.
    pub(crate) dir: PathBuf,
    /// The file with the IDs of started processes.
    pub(crate) pids: PathBuf,
}

/// The names and results of the checks.
#[derive(Default)]
pub(crate) struct Checks {
    passed: u32,
    failed: u32,
}

impl Checks {
    pub(crate) fn note(&mut self, name: &str, result: Result<String, AnyError>) {
        match result {
            Ok(seen) => {
                self.passed += 1;
                println!("passed: {name}: {seen}");
            }
            Err(error) => {
                self.failed += 1;
                println!("failed: {name}: {error}");
            }
        }
    }
}

fn setting(name: &str) -> Option<PathBuf> {
    let value = std::env::var(format!("WATCHPOST_REAL_{name}")).ok();
    value.filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Fails unless both are equal.
#[expect(
    clippy::needless_pass_by_value,
    reason = "callers pass values that they make for this"
)]
pub(crate) fn same<T: PartialEq + std::fmt::Debug>(
    what: &str,
    seen: T,
    expected: T,
) -> Result<(), AnyError> {
    if seen == expected {
        return Ok(());
    }
    Err(format!("{what}: {seen:?} and not {expected:?}").into())
}

async fn check(place: &Place, checks: &mut Checks) {
    if let Some(exim) = setting("EXIM") {
        exim::check(place, &exim, checks).await;
    }
    if let Some(python) = setting("AIOSMTPD") {
        aiosmtpd::check(place, &python, checks).await;
    }
    if let Some(binary) = setting("ALERTMANAGER") {
        alertmanager::check(place, &binary, checks).await;
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let Some(dir) = setting("DIR") else {
        println!("nothing done: `tests/real/run` starts this, with the servers that it needs");
        return ExitCode::SUCCESS;
    };
    let place = Place {
        pids: dir.join("pids"),
        dir,
    };
    let mut checks = Checks::default();
    if timeout(DEADLINE, check(&place, &mut checks)).await.is_err() {
        checks.note(
            "the deadline",
            Err(format!("not done after {DEADLINE:?}").into()),
        );
    }
    println!(
        "{} passed, {} failed, 0 skipped",
        checks.passed, checks.failed
    );
    if checks.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
