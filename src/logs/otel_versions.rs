//! Detects the versions of OpenTelemetry in this process by the source files of their `tracing` callsites.

use crate::model::lock;
use crate::model::lock_for_status;
use std::collections::BTreeSet;
use std::sync::Mutex;

/// The version that this crate is built with, up to the part that must match.
const OURS: &str = "0.33";
/// The crates that are released together, with the same version.
const CRATES: [&str; 5] = [
    "opentelemetry",
    "opentelemetry_sdk",
    "opentelemetry-otlp",
    "opentelemetry-http",
    "opentelemetry-proto",
];

static OTHERS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Notes a callsite in that source file.
#[cold]
pub(crate) fn note(file: Option<&str>) {
    let Some(other) = file.and_then(other) else {
        return;
    };
    let mut all = lock(&OTHERS);
    all.insert(other);
}

/// The crates of other versions found so far, as `crate version`.
pub(crate) fn others() -> Vec<String> {
    lock_for_status(&OTHERS).map_or_else(Vec::new, |all| all.iter().cloned().collect())
}

/// The crate and version of a file, if it belongs to OpenTelemetry and to another version.
fn other(file: &str) -> Option<String> {
    file.split(['/', '\\']).find_map(|part| {
        let (name, version) = part.rsplit_once('-').filter(|(_, version)| {
            let mut numbers = version.split('.');
            numbers.next().is_some_and(|it| it.parse::<u32>().is_ok()) && numbers.next().is_some()
        })?;
        let same = version
            .strip_prefix(OURS)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        (CRATES.contains(&name) && !same).then(|| format!("{name} {version}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_another_version_are_told_apart() {
        let home = "/home/me/.cargo/registry/src/index-1/";
        for (file, found) in [
            (
                "opentelemetry_sdk-0.32.1/src/trace/span.rs",
                Some("opentelemetry_sdk 0.32.1"),
            ),
            (
                "opentelemetry-0.330.0/src/lib.rs",
                Some("opentelemetry 0.330.0"),
            ),
            (
                "opentelemetry-otlp-0.34.0/src/lib.rs",
                Some("opentelemetry-otlp 0.34.0"),
            ),
            ("opentelemetry-0.33.1/src/lib.rs", None),
            ("opentelemetry_sdk-0.33.0/src/lib.rs", None),
            (
                "opentelemetry-instrumentation-tower-0.19.0/src/lib.rs",
                None,
            ),
            ("opentelemetry-work/src/lib.rs", None),
            ("hyper-1.8.0/src/lib.rs", None),
        ] {
            assert_eq!(other(&format!("{home}{file}")).as_deref(), found, "{file}");
        }
        assert_eq!(
            other(r"C:\cargo\opentelemetry-0.32.0\src\lib.rs").as_deref(),
            Some("opentelemetry 0.32.0")
        );
    }

    #[test]
    fn ours_is_the_version_that_we_are_built_with() {
        let manifest = include_str!("../../Cargo.toml");
        let line = manifest
            .lines()
            .find(|line| line.starts_with("opentelemetry ="));
        assert!(line.unwrap().contains(&format!("\"{OURS}.")));
    }
}
