//! Processes of the host example.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use tokio::process::Command;

use crate::process::Process;
use crate::{AnyError, Place};

#[derive(Debug)]
pub(crate) struct Host {
    process: Process,
    pub(crate) address: SocketAddr,
    /// The file of its standard output.
    lines: PathBuf,
    /// The file of its standard error.
    stderr: PathBuf,
}

/// The totals of one signal in a host's report.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Account {
    pub(crate) emitted: u64,
    pub(crate) delivered: u64,
    pub(crate) spooled: u64,
    pub(crate) dropped: BTreeMap<String, u64>,
}

impl Host {
    /// Starts a host with `service.instance.id` set to `instance`.
    pub(crate) async fn start(
        place: &Place,
        instance: &str,
        settings: &[(&str, &str)],
    ) -> Result<Self, AnyError> {
        let lines = place.dir.join(format!("{instance}.lines"));
        let stderr = place.dir.join(format!("{instance}.stderr"));
        // Standard error of an earlier process is removed; its log lines stay.
        let _gone = std::fs::remove_file(&stderr);
        let mut command = Command::new(&place.contentmax);
        command
            .args(["--listen", "127.0.0.1:0", "--traffic", "0"])
            .args(["--for", "1800", "--data-dir"])
            .arg(place.dir.join(format!("{instance}.data")))
            .env("WATCHPOST_SERVICE_INSTANCE", instance)
            .envs(settings.iter().copied());
        let mut process = Process::start(instance, &mut command, &place.pids, (&lines, &stderr))?;
        let address = process
            .wait_for(&stderr, |stderr| {
                let line = |line: &str| {
                    line.strip_prefix("contentmax listens on http://")?
                        .parse()
                        .ok()
                };
                stderr.lines().find_map(line)
            })
            .await?;
        Ok(Self {
            process,
            address,
            lines,
            stderr,
        })
    }

    /// Its log lines so far. Each must be one JSON object.
    pub(crate) fn lines(&self) -> Result<Vec<Value>, AnyError> {
        read_lines(&self.lines)
    }

    /// The log lines of requests.
    pub(crate) fn request_lines(&self) -> Result<Vec<Value>, AnyError> {
        let mut lines = self.lines()?;
        lines.retain(|line| line.get("watchpost.outcome").is_some());
        Ok(lines)
    }

    /// Ends it as a service manager would; returns the reported totals by signal.
    pub(crate) async fn end(self) -> Result<BTreeMap<String, Account>, AnyError> {
        let status = self
            .process
            .end(Signal::TERM, Duration::from_secs(40))
            .await?;
        let stderr = std::fs::read_to_string(&self.stderr)?;
        if !status.success() {
            let last = stderr.lines().last().unwrap_or_default();
            return Err(format!("the host ended with {status}: {last}").into());
        }
        let report = stderr
            .lines()
            .skip_while(|line| !line.contains("records of the monitor"));
        let report: BTreeMap<_, _> = report.skip(1).filter_map(account).collect();
        if report.is_empty() {
            return Err("the host printed no totals".into());
        }
        Ok(report)
    }
}

/// The event IDs in the log lines of all processes of one instance.
pub(crate) fn events_of(place: &Place, instance: &str) -> Result<BTreeSet<String>, AnyError> {
    let lines = place.dir.join(format!("{instance}.lines"));
    let id = |line: Value| Some(line.get("event_id")?.as_str()?.to_owned());
    Ok(read_lines(&lines)?.into_iter().filter_map(id).collect())
}

/// The event IDs in the log files of all processes of one instance, which are too small to be rolled.
pub(crate) fn filed_events_of(place: &Place, instance: &str) -> Result<BTreeSet<String>, AnyError> {
    let directory = place.dir.join(format!("{instance}.data"));
    let file = directory.join("watchpost/logs/combined.log");
    let id = |line: Value| Some(line.get("event_id")?.as_str()?.to_owned());
    Ok(read_lines(&file)?.into_iter().filter_map(id).collect())
}

fn read_lines(file: &Path) -> Result<Vec<Value>, AnyError> {
    let text = std::fs::read_to_string(file)?;
    // The last line may be incomplete.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let read = |line| {
        serde_json::from_str(line).map_err(|error| format!("{error} in the line {line}").into())
    };
    whole.lines().map(read).collect()
}

/// `span: 5 emitted, 3 delivered, 0 spooled, 2 dropped (shutdown)`
fn account(line: &str) -> Option<(String, Account)> {
    let (signal, terms) = line.split_once(": ")?;
    let mut account = Account::default();
    for term in terms.split(", ") {
        let (number, name) = term.split_once(' ')?;
        let number = number.parse().ok()?;
        match name {
            "emitted" => account.emitted = number,
            "delivered" => account.delivered = number,
            "spooled" => account.spooled = number,
            _ => {
                let reason = name.strip_prefix("dropped (")?.strip_suffix(')')?;
                account.dropped.insert(reason.to_owned(), number);
            }
        }
    }
    Some((signal.to_owned(), account))
}
