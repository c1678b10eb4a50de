//! The document of `/health`, in the format of draft-inadarei-api-health-check.

use std::collections::BTreeMap;
use std::time::Duration;

use super::check::RegisteredCheck;
use super::checks::{Health, HealthSetup};
use super::component::ComponentStatus;
use super::readiness::Readiness;
use super::state::{CheckVerdict, LastResult};
use super::status::{HealthStatus, format_span};
use super::verdict::HealthVerdict;
use crate::clock::{Clock, Nanos, nanos, rfc3339};
use crate::model::{json, lock_for_status};

/// One entry of the document: a check or a component of the monitor.
struct DocumentEntry {
    component_type: String,
    status: HealthStatus,
    output: String,
    observed: Option<(f64, &'static str)>,
    at: Option<Nanos>,
}

/// The overall status and the document, which has only the status for a client without access.
pub(super) fn write(health: &Health, has_access: bool) -> (HealthStatus, Vec<u8>) {
    let readiness = health.readiness();
    let entries = entries(health);
    let overall = overall(readiness, &entries);
    let HealthSetup {
        clock,
        service,
        release,
        ..
    } = &health.0.setup;
    let mut object = JsonObject::new(Vec::with_capacity(256));
    object.text("status", overall.as_str());
    if has_access {
        if let Some(release) = release {
            object.text("version", major(release));
            object.text("releaseId", release);
        }
        object.text("serviceId", service);
        if readiness != Readiness::Yes {
            object.text("output", readiness.word());
        }
        object.key("checks");
        let mut checks = JsonObject::new(object.out);
        for (name, entries) in &entries {
            checks.key(name);
            checks.out.push(b'[');
            for (n, entry) in entries.iter().enumerate() {
                if n > 0 {
                    checks.out.push(b',');
                }
                checks.out = entry.write(clock, checks.out);
            }
            checks.out.push(b']');
        }
        object.out = checks.end();
    }
    (overall, object.end())
}

fn overall(readiness: Readiness, entries: &BTreeMap<String, Vec<DocumentEntry>>) -> HealthStatus {
    let worst = entries.values().flatten().map(|entry| entry.status);
    match readiness {
        // A check that is down and not critical is a warning for the service.
        Readiness::Yes => worst.max().unwrap_or_default().min(HealthStatus::Warn),
        Readiness::Starting | Readiness::Draining | Readiness::No => HealthStatus::Fail,
    }
}

impl Health {
    /// Returns the overall status, as in the document of `/health`, and a sentence for each check and part of the monitor
    /// that does not pass.
    ///
    /// The parts are the worker, each sink, the data directory and its disk. A sink is a warning while records wait and
    /// none was delivered for five minutes.
    ///
    /// ```
    /// # fn main() -> watchpost::Result<()> {
    /// let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
    /// let verdict = monitor.health().verdict();
    /// assert_eq!(verdict.status, watchpost::health::HealthStatus::Pass);
    /// assert!(verdict.reasons.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    pub fn verdict(&self) -> HealthVerdict {
        let readiness = self.readiness();
        let entries = entries(self);
        let status = overall(readiness, &entries);
        let mut reasons = Vec::new();
        if readiness != Readiness::Yes {
            reasons.push(format!("readiness: {}", readiness.word()));
        }
        for (name, entries) in &entries {
            let failing = entries
                .iter()
                .filter(|entry| entry.status != HealthStatus::Pass);
            reasons.extend(failing.map(|entry| format!("{name}: {}", entry.output)));
        }
        HealthVerdict { status, reasons }
    }
}

/// A check of the host or a part of the monitor, as the dashboard shows it.
#[cfg(feature = "dashboard")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HealthEntry {
    pub(crate) name: String,
    /// Whether it is a check, and not a part of the monitor.
    pub(crate) is_check: bool,
    /// `None`: the check has not run yet.
    pub(crate) status: Option<HealthStatus>,
    /// Why it does not pass.
    pub(crate) output: String,
}

#[cfg(feature = "dashboard")]
impl Health {
    /// Returns whether the service is ready for traffic, and if not the word for it.
    pub(crate) fn readiness_word(&self) -> (bool, &'static str) {
        let readiness = self.readiness();
        (readiness == Readiness::Yes, readiness.word())
    }

    /// Returns all checks and parts of the monitor.
    pub(crate) fn entries(&self) -> Vec<HealthEntry> {
        let now = self.0.setup.clock.now();
        let entry = |name: &str, is_check, entry: DocumentEntry| HealthEntry {
            name: name.to_owned(),
            is_check,
            status: entry.at.is_some().then_some(entry.status),
            output: if entry.status == HealthStatus::Pass {
                String::new()
            } else {
                entry.output
            },
        };
        let mut entries = Vec::new();
        if let Some(checks) = lock_for_status(&self.0.checks) {
            for check in checks.iter() {
                let read = DocumentEntry::of_check(check, now);
                entries.extend(read.map(|read| entry(&check.name, true, read)));
            }
        }
        self.components(|name, status| {
            entries.push(entry(name, false, DocumentEntry::of_component(status, now)));
        });
        entries
    }
}

fn entries(health: &Health) -> BTreeMap<String, Vec<DocumentEntry>> {
    let clock = &health.0.setup.clock;
    let now = clock.now();
    let mut entries: BTreeMap<String, Vec<DocumentEntry>> = BTreeMap::new();
    let checks = lock_for_status(&health.0.checks);
    for check in checks.iter().flat_map(|checks| checks.iter()) {
        let Some(entry) = DocumentEntry::of_check(check, now) else {
            continue;
        };
        entries
            .entry(check.name.to_string())
            .or_default()
            .push(entry);
    }
    health.components(|name, status| {
        let entry = DocumentEntry::of_component(status, now);
        entries.entry(name.to_owned()).or_default().push(entry);
    });
    entries
}

impl DocumentEntry {
    /// `None` in a child process made by `fork` while the check was locked.
    fn of_check(check: &RegisteredCheck, now: Nanos) -> Option<Self> {
        let state = check.peek_state()?;
        let mut entry = Self {
            component_type: check.peek_component_type()?.into_owned(),
            status: HealthStatus::Warn,
            output: "no result yet".to_owned(),
            observed: None,
            at: None,
        };
        if let Some(LastResult {
            at,
            duration,
            result,
        }) = &state.last
        {
            entry.at = Some(*at);
            entry.observed = Some((Duration::from_nanos(*duration).as_secs_f64() * 1e3, "ms"));
            entry.status = match result {
                _ if state.verdict == CheckVerdict::Down => HealthStatus::Fail,
                Ok(note) if note.warning.is_none() => HealthStatus::Pass,
                Ok(_) | Err(_) => HealthStatus::Warn,
            };
            entry.output = match result {
                Ok(note) => {
                    entry.observed = note.observed.or(entry.observed);
                    note.warning.clone().unwrap_or_default()
                }
                Err(error) => error.clone(),
            };
        }
        if state.verdict == CheckVerdict::Down && entry.output.is_empty() {
            let output = "succeeded; the check is up again after more consecutive successes";
            output.clone_into(&mut entry.output);
        }
        if let Some(age) = state.stale(now) {
            entry.status = entry.status.max(HealthStatus::Warn);
            let age = format_span(nanos(age));
            entry.output = match entry.output.as_str() {
                "" => format!("no newer result for {age}; the last one passed"),
                last => format!("no newer result for {age}; the last: {last}"),
            };
        }
        Some(entry)
    }

    fn of_component(component: ComponentStatus, now: Nanos) -> Self {
        Self {
            component_type: "system".to_owned(),
            status: component.status,
            output: component.output,
            observed: component.observed,
            at: Some(now),
        }
    }

    fn write(&self, clock: &Clock, out: Vec<u8>) -> Vec<u8> {
        let mut object = JsonObject::new(out);
        object.text("componentType", &self.component_type);
        object.text("status", self.status.as_str());
        if let Some(at) = self.at {
            object.text("time", &rfc3339(clock.wall(at) / 1_000_000));
        }
        if let Some((value, unit)) = self.observed.filter(|(value, _)| value.is_finite()) {
            object.key("observedValue");
            object.out.extend_from_slice(format!("{value}").as_bytes());
            object.text("observedUnit", unit);
        }
        // The format omits it from an entry that passes.
        if self.status != HealthStatus::Pass {
            object.text("output", &self.output);
        }
        object.end()
    }
}

/// The first number of a version, which is the version of the API; or the complete text if it does not begin with a
/// number.
fn major(release: &str) -> &str {
    match release.trim_start_matches('v').split_once('.') {
        Some((major, _)) if major.bytes().all(|digit| digit.is_ascii_digit()) => major,
        _ => release,
    }
}

/// A JSON object that is being written.
struct JsonObject {
    out: Vec<u8>,
    first: bool,
}

impl JsonObject {
    fn new(mut out: Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, first: true }
    }

    fn key(&mut self, key: &str) {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        json::push_str(&mut self.out, key);
        self.out.push(b':');
    }

    fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        json::push_str(&mut self.out, value);
    }

    fn end(mut self) -> Vec<u8> {
        self.out.push(b'}');
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_releases_first_number() {
        for (release, version) in [
            ("1.4.2", "1"),
            ("v12.0", "12"),
            ("2026-11-24", "2026-11-24"),
            ("9f86d08", "9f86d08"),
            ("", ""),
        ] {
            assert_eq!(major(release), version);
        }
    }
}
