//! Names of types that are defined more than once.
//!
//! The rule: a name of a struct, enum, union, trait or type alias has one definition in `src`. Left out are tests,
//! associated types, twins (the same thing built with and without a feature, or for several systems) and the
//! adapters' own versions of a driver's types ([`MIRRORS`]).

use std::collections::BTreeMap;

use crate::paths::File;

/// Directories and files that exist for one feature or system each; what lies beside each other in such places is
/// compiled one at a time.
const TWINS: [&str; 10] = [
    "axum",
    "disabled",
    "enabled",
    "monotonic",
    "no_axum",
    "no_space",
    "other",
    "space",
    "std_monotonic",
    "unix",
];

/// Types that carry the names of the drivers' types that they stand in for, since a host writes one in place of the
/// other: the name, and the adapters that have it.
const MIRRORS: [(&str, [&str; 2]); 2] = [
    ("Pool", ["db/deadpool_postgres/", "db/sqlx/"]),
    ("Transaction", ["db/sqlx/", "db/tokio_postgres/"]),
];

/// The files that define each name with several definitions.
pub(crate) fn duplicates<'a>(
    files: &'a BTreeMap<&'a str, File>,
) -> BTreeMap<&'a str, Vec<&'a str>> {
    let mut definitions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (file_name, file) in files {
        for name in &file.types {
            definitions.entry(name).or_default().push(file_name);
        }
    }
    definitions.retain(|name, files| {
        let pairs = files.iter().enumerate().flat_map(|(at, file)| {
            let others = &files[at + 1..];
            others.iter().map(move |other| (*file, *other))
        });
        pairs
            .into_iter()
            .any(|(a, b)| !are_twins(a, b) && !are_mirrors(name, a, b))
    });
    definitions
}

/// Whether at most one of the two files is compiled, since they are the same thing for different builds.
fn are_twins(a: &str, b: &str) -> bool {
    match (twin(a), twin(b)) {
        (Some((above_a, twin_a)), Some((above_b, twin_b))) => {
            above_a == above_b && twin_a != twin_b
        }
        _ => false,
    }
}

/// The last part of a file's path that names the build it is for, and what is before it.
fn twin(file: &str) -> Option<(Vec<&str>, &str)> {
    let parts: Vec<_> = file.trim_end_matches(".rs").split('/').collect();
    let at = parts.iter().rposition(|part| TWINS.contains(part))?;
    Some((parts[..at].to_vec(), parts[at]))
}

/// Whether both are versions of a driver's type of this name.
fn are_mirrors(name: &str, a: &str, b: &str) -> bool {
    let adapters = MIRRORS.iter().filter(|(mirrored, _)| *mirrored == name);
    adapters
        .flat_map(|(_, adapters)| adapters)
        .filter(|adapter| a.starts_with(*adapter) || b.starts_with(*adapter))
        .count()
        == 2
}
