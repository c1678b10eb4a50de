//! The house's order: which module may know which, held against the source.
//!
//! A module imports lower ranks alone; modules of one rank do not know each other. What stands under
//! `cfg(test)` is free. `ARCHITECTURE.md` says why the ranks are as they are.

mod paths;
mod tokens;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::paths::{File, Named, read};

/// Every module of the crate's root and its rank.
const RANKS: [(&str, u8); 25] = [
    ("guide", 12),
    ("testing", 12),
    ("monitor", 11),
    ("config", 10),
    ("dashboard", 9),
    ("alerts", 8),
    ("health", 8),
    ("anomaly", 7),
    ("history", 7),
    ("db", 6),
    ("errors", 6),
    ("external", 6),
    ("http", 6),
    ("logs", 6),
    ("otel", 6),
    ("trace", 5),
    ("request", 4),
    ("worker", 4),
    ("metrics", 3),
    ("access", 2),
    ("model", 1),
    ("clock", 0),
    ("error", 0),
    ("redact", 0),
    ("semconv", 0),
];

/// Paths that are named in one place alone: the path's beginning, and the files or directories below
/// `src/` that may name it.
const HOMES: [(&[&str], &[&str]); 31] = [
    (&["axum"], &["http/axum.rs", "monitor/", "dashboard/"]),
    (
        &["hyper"],
        &[
            "external/known/",
            "http/upload.rs",
            "monitor/serve/",
            "worker/client/",
        ],
    ),
    (
        &["hyper_util"],
        &["external/known/", "monitor/serve/", "worker/client/"],
    ),
    (&["rustls"], &["worker/client/"]),
    (&["tokio_rustls"], &["worker/client/"]),
    (&["webpki_roots"], &["worker/client/"]),
    (&["reqwest"], &["external/known/", "external/reqwest/"]),
    (&["rcgen"], &[]),
    (&["httpdate"], &["external/limits/", "worker/remote/"]),
    (&["opentelemetry_http"], &["trace/otlp/"]),
    (&["opentelemetry_otlp"], &["trace/otlp/"]),
    (&["opentelemetry_proto"], &["trace/otlp/"]),
    (&["prost"], &["trace/otlp/"]),
    (&["deadpool"], &["db/deadpool_postgres/"]),
    (&["deadpool_postgres"], &["db/deadpool_postgres/"]),
    (&["futures_sink"], &["db/tokio_postgres/copy.rs"]),
    (
        &["futures_core"],
        &[
            "db/generated.rs",
            "db/rows.rs",
            "db/sqlx/",
            "db/tokio_postgres/copy.rs",
            "db/tokio_postgres/rows.rs",
        ],
    ),
    (
        &["tokio_postgres"],
        &["db/deadpool_postgres/", "db/tokio_postgres/"],
    ),
    (&["sqlx"], &["db/sqlx/"]),
    (&["sqlx_core"], &["db/sqlx/"]),
    (&["toml"], &["config/"]),
    (&["crc32fast"], &["worker/spool/"]),
    (&["flate2"], &["metrics/", "trace/otlp/"]),
    (&["metrics_exporter_prometheus"], &["metrics/"]),
    (&["metrics_process"], &["metrics/"]),
    (&["tokio_metrics"], &["metrics/"]),
    (&["subtle"], &["access/"]),
    (&["getrandom"], &["access/"]),
    (&["rustix"], &["clock/", "health/"]),
    (&["std", "env"], &["config/env.rs"]),
    (&["crate", "otel"], &["otel/", "monitor/", "lib.rs"]),
];

/// The most lines of code that a file may hold, tests, comments and empty lines apart.
const MAX_LINES: usize = 800;

/// Everything in the tree `src` that breaks a rule, one line each.
fn broken_rules(src: &Path) -> Vec<String> {
    let mut sources = BTreeMap::new();
    collect(src, src, &mut sources);
    check(&sources)
}

fn collect(root: &Path, directory: &Path, sources: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(directory).expect("the directory can be read") {
        let path = entry.expect("the entry can be read").path();
        if path.is_dir() {
            collect(root, &path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).expect("it is below the root");
            let name = name.to_str().expect("names are UTF-8").replace('\\', "/");
            let source = fs::read_to_string(&path).expect("the file can be read");
            sources.insert(name, source);
        }
    }
}

/// As [`broken_rules`], over file names below `src/` and their sources.
fn check(sources: &BTreeMap<String, String>) -> Vec<String> {
    let files: BTreeMap<&str, File> = sources
        .iter()
        .map(|(name, source)| (name.as_str(), read(source, &module_of(name))))
        .collect();
    let for_tests: BTreeSet<Vec<String>> = files
        .iter()
        .flat_map(|(name, file)| {
            let module = module_of(name);
            file.test_modules.iter().map(move |test| {
                let mut path = module.clone();
                path.push(test.clone());
                path
            })
        })
        .collect();
    let root = files.get("lib.rs");
    let exports = root.map(exports).unwrap_or_default();

    let mut broken = Vec::new();
    for (name, file) in &files {
        let module = module_of(name);
        if for_tests.iter().any(|test| module.starts_with(test)) {
            continue;
        }
        for named in &file.named {
            let wrongs = [
                rank_wrong(&module, named, &exports),
                home_wrong(name, file, named),
            ];
            for wrong in wrongs.into_iter().flatten() {
                broken.push(format!("{name}:{}: {wrong}", named.line));
            }
        }
        for line in &file.extern_crates {
            broken.push(format!(
                "{name}:{line}: `extern crate` hides what is imported"
            ));
        }
        if file.lines_of_code > MAX_LINES {
            let lines = file.lines_of_code;
            broken.push(format!(
                "{name}: {lines} lines of code, {MAX_LINES} at most"
            ));
        }
    }
    if let Some(root) = root {
        for function in &root.functions {
            broken.push(format!("lib.rs: `{function}` is logic in the crate's root"));
        }
        for module in &root.modules {
            if rank(module).is_none() {
                broken.push(format!("lib.rs: `{module}` has no rank in the table"));
            }
        }
    }
    broken
}

/// The module that a file is: `http/axum.rs` is `http::axum`, `http/mod.rs` is `http`.
fn module_of(name: &str) -> Vec<String> {
    let name = name.strip_suffix(".rs").unwrap_or(name);
    let mut module: Vec<String> = name.split('/').map(str::to_owned).collect();
    if module.last().is_some_and(|last| last == "mod") || module == ["lib"] {
        module.pop();
    }
    module
}

/// Which module of the root a name comes from that the root gives out.
fn exports(root: &File) -> BTreeMap<String, String> {
    let given = |named: &Named| match named.path.as_slice() {
        [first, module, .., name] if first == "crate" => {
            let name = named.alias.as_ref().unwrap_or(name);
            Some((name.clone(), module.clone()))
        }
        _ => None,
    };
    root.named.iter().filter_map(given).collect()
}

fn rank(module: &str) -> Option<u8> {
    let entry = RANKS.iter().find(|(name, _)| *name == module)?;
    Some(entry.1)
}

/// Why the module `from` may not name this path, if it may not.
fn rank_wrong(
    from: &[String],
    named: &Named,
    exports: &BTreeMap<String, String>,
) -> Option<String> {
    let from = from.first()?;
    let to = match named.path.as_slice() {
        [first] if first == "crate" => {
            return Some("the crate's root under a name of its own hides what is imported".into());
        }
        [first, second, ..] if first == "crate" => second,
        [first, ..] if first == "watchpost" => {
            return Some("the crate names itself as its users do: say `crate`".into());
        }
        _ => return None,
    };
    if to == "*" {
        return Some("all of the crate's root is imported: name what is needed".into());
    }
    let to = exports.get(to).unwrap_or(to);
    if to == from {
        return None;
    }
    let path = named.path.join("::");
    let (Some(own), Some(other)) = (rank(from), rank(to)) else {
        return Some(format!(
            "`{path}`: `{from}` or `{to}` has no rank in the table"
        ));
    };
    (other >= own).then(|| format!("`{from}` (rank {own}) may not know `{path}` (rank {other})"))
}

/// Why the file may not name this path, if it is one that has a home elsewhere.
fn home_wrong(file_name: &str, file: &File, named: &Named) -> Option<String> {
    let of_its_own = |name: &str| file.modules.iter().any(|module| module == name);
    for (path, homes) in &HOMES {
        let at_home = || {
            homes.iter().any(|home| match home.strip_suffix('/') {
                Some(_) => file_name.starts_with(home),
                None => file_name == *home,
            })
        };
        let same =
            named.path.len() >= path.len() && named.path.iter().zip(*path).all(|(a, b)| a == b);
        if same && !of_its_own(path[0]) && !at_home() {
            let path = named.path.join("::");
            return Some(format!("`{path}` is for {} alone", homes.join(", ")));
        }
    }
    None
}

fn shown(broken: &[String]) -> String {
    broken.iter().fold(String::new(), |mut text, line| {
        writeln!(text, "  src/{line}").expect("a String takes it");
        text
    })
}

fn src() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

#[test]
fn the_house_is_in_order() {
    let broken = broken_rules(&src());
    assert!(
        broken.is_empty(),
        "{} broken rules:\n{}",
        broken.len(),
        shown(&broken)
    );
}

#[test]
fn every_module_of_the_root_was_read() {
    let mut sources = BTreeMap::new();
    collect(&src(), &src(), &mut sources);
    let root = read(&sources["lib.rs"], &[]);
    assert!(root.modules.len() >= 10, "{:?}", root.modules);
    for module in &root.modules {
        let there = |name: &String| module_of(name).first() == Some(module);
        assert!(sources.keys().any(there), "no file of `{module}` was read");
    }
    let paths: usize = sources
        .iter()
        .map(|(name, source)| read(source, &module_of(name)).named.len())
        .sum();
    assert!(
        paths > 500,
        "only {paths} paths were seen in the whole crate"
    );
}

/// Each of these is one broken rule, however it is written.
#[test]
fn a_planted_violation_is_found() {
    const ROOT: &str = "mod http; mod metrics; mod monitor; mod logs; pub use self::monitor::{Monitor, Guard as G};";
    let planted = [
        ("http/a.rs", "use crate::monitor::Monitor;"),
        ("http/a.rs", "pub use crate::monitor::Monitor as M;"),
        (
            "http/a.rs",
            "pub(crate) use crate::{metrics::X, monitor::{self as boss}};",
        ),
        (
            "http/a.rs",
            "use crate::{clock::{Clock, Nanos}, metrics::{a::{b, c}, d}, logs::Lines};",
        ),
        ("http/a.rs", "use super::super::logs::Lines;"),
        ("http/mod.rs", "use super::logs::{Lines};"),
        (
            "http/mod.rs",
            "mod inner { use super::super::logs::Lines; }",
        ),
        (
            "http/mod.rs",
            "mod inner { mod deeper { } use self::super::super::logs::Lines; }",
        ),
        ("http/a.rs", "fn f() { let x = crate::logs::Lines::new(); }"),
        ("http/a.rs", "fn f(x: &super::super::logs::Lines) {}"),
        (
            "http/a.rs",
            "fn f() -> Vec<crate::health::Health> { g::<u8>() }",
        ),
        (
            "http/a.rs",
            "macro_rules! m { () => { $crate::monitor::Monitor } }",
        ),
        ("http/a.rs", "use crate::Monitor;"),
        ("http/a.rs", "fn f(_: crate::G) {}"),
        ("http/a.rs", "use crate as root;"),
        ("http/a.rs", "use crate::*;"),
        ("http/a.rs", "use crate::{self as root};"),
        ("http/mod.rs", "use super::*;"),
        ("http/a.rs", "use crate::unheard_of::X;"),
        ("http/a.rs", "use watchpost::Monitor;"),
        ("http/a.rs", "extern crate self as other;"),
        ("http/a.rs", "use crate::r#logs::Lines;"),
        ("metrics/a.rs", "use crate::worker::Intake;"),
        ("worker/a.rs", "use crate::request::Slot;"),
        ("clock.rs", "use crate::model::TraceId;"),
        (
            "config/a.rs",
            "/* c */ use /* crate::clock */ crate::monitor /* x */ ::Monitor; // crate::clock",
        ),
        (
            "http/a.rs",
            "const Q: char = '\"'; use crate::logs::A; const R: char = '\"';",
        ),
        (
            "http/a.rs",
            "fn f<'a>(x: &'a str) -> crate::logs::Lines<'a> {}",
        ),
        (
            "http/a.rs",
            "const T: &str = r#\"a\"b\"#; use crate::logs::A;",
        ),
        (
            "http/a.rs",
            "#[cfg(test)] mod tests { use crate::monitor::M; } use crate::logs::A;",
        ),
        (
            "http/a.rs",
            "#[cfg(any(test, feature = \"testing\"))] use crate::logs::A;",
        ),
        ("http/a.rs", "#[cfg(not(test))] use crate::logs::A;"),
        ("http/layer.rs", "use axum::Router;"),
        ("http/layer.rs", "fn f() { ::axum::serve() }"),
        ("logs/a.rs", "use hyper::body::Body;"),
        ("logs/a.rs", "use {std::fmt, hyper_util::rt};"),
        ("config/file.rs", "fn f() { std::env::var(\"X\"); }"),
        ("config/file.rs", "use std::{env, fmt};"),
        ("access/rule.rs", "use std::env::var;"),
        ("lib.rs", "mod http; fn logic() {}"),
        ("lib.rs", "mod unheard_of;"),
    ];
    for (name, source) in planted {
        let mut sources = BTreeMap::from([("lib.rs".to_owned(), ROOT.to_owned())]);
        sources.insert(name.to_owned(), source.to_owned());
        let broken = check(&sources);
        assert_eq!(broken.len(), 1, "{name}: {source}\n{}", shown(&broken));
        assert!(broken[0].starts_with(name), "{broken:?}");
    }
}

/// None of these is one.
#[test]
fn what_is_allowed_is_let_be() {
    const ROOT: &str =
        "mod http; mod monitor; mod model; pub use self::model::{Outcome, Totals as T};";
    let allowed = [
        (
            "http/a.rs",
            "use crate::metrics::Counter; use crate::{clock::Clock, model::{Outcome, *}};",
        ),
        (
            "http/a.rs",
            "use super::b::{self, X}; use self::c::Y; use crate::http::d::Z as W;",
        ),
        ("http/a.rs", "use crate::{Outcome, T};"),
        (
            "http/a.rs",
            "//! See [`Monitor`](crate::monitor::Monitor).\n/// use crate::monitor::M;\nfn f() {}",
        ),
        (
            "http/a.rs",
            "const A: &str = \"use crate::monitor::M; \\\" crate::logs::L\";",
        ),
        (
            "http/a.rs",
            "const A: &str = r##\"\"# crate::monitor::M \"##; const B: &[u8] = b\"crate::logs::L\";",
        ),
        (
            "http/a.rs",
            "/* /* crate::monitor::M */ crate::logs::L */ fn f() {}",
        ),
        ("http/a.rs", "#[doc = \"crate::monitor::M\"] fn f() {}"),
        (
            "http/a.rs",
            "#[cfg(test)] mod tests { use crate::monitor::M; mod more { use crate::logs::L; } }",
        ),
        (
            "http/a.rs",
            "#[cfg(test)] use crate::monitor::{M, N}; #[cfg(test)] fn f(a: [u8; 2]) { crate::logs::x(); }",
        ),
        ("http/a.rs", "#![cfg(test)] use crate::monitor::M;"),
        (
            "http/a.rs",
            "pub(crate) fn f(x: u8) -> impl Sized + use<> { y::crate_of(x) }",
        ),
        (
            "http/mod.rs",
            "mod axum; mod layer { use super::axum::x; } fn f() { axum::x() }",
        ),
        ("http/axum.rs", "use axum::extract::MatchedPath;"),
        (
            "monitor/serve/mod.rs",
            "use hyper::body::Body; use crate::config::Config;",
        ),
        ("config/env.rs", "fn f() { std::env::var_os(\"X\"); }"),
        ("http/a.rs", "const V: &str = env!(\"CARGO_PKG_VERSION\");"),
        (
            "testing/a.rs",
            "use crate::monitor::Monitor; use crate::Outcome;",
        ),
    ];
    for (name, source) in allowed {
        let mut sources = BTreeMap::from([("lib.rs".to_owned(), ROOT.to_owned())]);
        sources.insert(name.to_owned(), source.to_owned());
        let broken = check(&sources);
        assert!(broken.is_empty(), "{name}: {source}\n{}", shown(&broken));
    }
}

/// Modules for tests alone may lie in files of their own.
#[test]
fn a_file_for_tests_is_free() {
    let sources = BTreeMap::from([
        ("lib.rs".to_owned(), "mod http;".to_owned()),
        (
            "http/mod.rs".to_owned(),
            "#[cfg(test)] mod tests; mod kept;".to_owned(),
        ),
        (
            "http/tests.rs".to_owned(),
            "use crate::monitor::Monitor;".to_owned(),
        ),
        (
            "http/tests/more.rs".to_owned(),
            "use crate::logs::Lines;".to_owned(),
        ),
        (
            "http/kept.rs".to_owned(),
            "use crate::logs::Lines;".to_owned(),
        ),
    ]);
    let broken = check(&sources);
    assert_eq!(broken.len(), 1, "{}", shown(&broken));
    assert!(broken[0].starts_with("http/kept.rs:1"), "{broken:?}");
}

/// The whole way: a copy of the source with one bad line more.
#[test]
fn a_violation_in_a_copy_of_the_source_is_found() {
    let copy = tempfile::tempdir().expect("there is room for a copy");
    copy_tree(&src(), copy.path());
    assert_eq!(broken_rules(copy.path()), broken_rules(&src()));

    let file = copy.path().join("http/mod.rs");
    let source = fs::read_to_string(&file).expect("the file can be read");
    fs::write(&file, format!("{source}\nuse crate::health::Health;\n")).expect("it can be written");
    let line = source.lines().count() + 2;
    let broken = broken_rules(copy.path());
    let found = broken
        .iter()
        .any(|rule| rule.starts_with(&format!("http/mod.rs:{line}: ")));
    assert!(found, "{}", shown(&broken));
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the directory can be made");
    for entry in fs::read_dir(from).expect("the directory can be read") {
        let path = entry.expect("the entry can be read").path();
        let to = to.join(path.file_name().expect("it has a name"));
        if path.is_dir() {
            copy_tree(&path, &to);
        } else {
            fs::copy(&path, &to).expect("the file can be copied");
        }
    }
}

/// Long files are counted by their code alone.
#[test]
fn a_long_file_is_found() {
    let code = "fn f() {}\n".repeat(MAX_LINES + 1);
    let talk = "// said\n\n".repeat(MAX_LINES) + "#[cfg(test)] mod tests {\n" + &code + "}\n";
    let check_one = |source: String| check(&BTreeMap::from([("http/a.rs".to_owned(), source)]));
    assert!(check_one(talk).is_empty());
    let broken = check_one(code);
    assert_eq!(
        broken,
        [format!(
            "http/a.rs: {} lines of code, {MAX_LINES} at most",
            MAX_LINES + 1
        )]
    );
}
