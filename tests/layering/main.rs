//! Rules for the structure of `src`, checked against its source.
//!
//! - A module of the crate's root imports only modules of lower rank. `ARCHITECTURE.md` contains the table of ranks.
//! - Files do not import each other in a circle ([`circles`]).
//! - A type's name has one definition ([`types`]).
//! - Some crates and modules are used in a few places only ([`HOMES`]).
//! - A file has at most [`MAX_LINES`] lines of code, and the crate's root has no logic.
//!
//! Code under `cfg(test)` is free.

mod circles;
mod homes;
mod paths;
mod ranks;
mod tokens;
mod types;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::homes::HOMES;
use crate::paths::{File, Named, read};
use crate::ranks::{RANKS, Ranks};

/// The most lines of code of a file; tests, comments and empty lines are not counted.
const MAX_LINES: usize = 800;

/// The sources of the files in the directory `src`, by their path below it.
fn read_sources(src: &Path) -> BTreeMap<String, String> {
    let mut sources = BTreeMap::new();
    collect(src, src, &mut sources);
    sources
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

/// The files of `sources`; those for tests alone are left out.
fn parse(sources: &BTreeMap<String, String>) -> BTreeMap<&str, File> {
    let mut files: BTreeMap<&str, File> = sources
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
    files.retain(|name, _| {
        let module = module_of(name);
        !for_tests.iter().any(|test| module.starts_with(test))
    });
    files
}

/// Every violation of the rules for modules and their imports, one line each.
fn check(sources: &BTreeMap<String, String>, ranks: &Ranks) -> Vec<String> {
    let files = parse(sources);
    let root = files.get("lib.rs");
    let exports = root.map(exports).unwrap_or_default();

    let mut broken = Vec::new();
    for (name, file) in &files {
        let module = module_of(name);
        for named in &file.named {
            let violations = [
                rank_violation(&module, named, &exports, ranks),
                home_violation(name, file, named),
            ];
            for violation in violations.into_iter().flatten() {
                broken.push(format!("{name}:{}: {violation}", named.line));
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
            if ranks.get(module).is_none_or(|entry| entry.planned) {
                broken.push(format!("lib.rs: `{module}` has no rank in ARCHITECTURE.md"));
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

/// The names that the root re-exports, and the modules that they come from.
fn exports(root: &File) -> BTreeMap<String, String> {
    let exported = |named: &Named| match named.path.as_slice() {
        [first, module, .., name] if first == "crate" => {
            let name = named.alias.as_ref().unwrap_or(name);
            Some((name.clone(), module.clone()))
        }
        _ => None,
    };
    root.named.iter().filter_map(exported).collect()
}

/// Why the module `from` may not use this path, if it may not.
fn rank_violation(
    from: &[String],
    named: &Named,
    exports: &BTreeMap<String, String>,
    ranks: &Ranks,
) -> Option<String> {
    let from = from.first()?;
    let to = match named.path.as_slice() {
        [first] if first == "crate" => {
            return Some(
                "the crate's root is imported under another name: import what is needed".into(),
            );
        }
        [first, second, ..] if first == "crate" => second,
        [first, ..] if first == "watchpost" => {
            return Some("the crate's own name leads to its public API: write `crate`".into());
        }
        _ => return None,
    };
    if to == "*" {
        return Some("all of the crate's root is imported: import what is needed".into());
    }
    let to = exports.get(to).unwrap_or(to);
    if to == from {
        return None;
    }
    let path = named.path.join("::");
    let rank = |module: &str| ranks.get(module).map(|entry| entry.rank);
    let (Some(own), Some(other)) = (rank(from), rank(to)) else {
        return Some(format!(
            "`{path}`: `{from}` or `{to}` has no rank in ARCHITECTURE.md"
        ));
    };
    (other >= own).then(|| format!("`{from}` (rank {own}) may not use `{path}` (rank {other})"))
}

/// Why the file may not use this path, if [`HOMES`] has it for other files.
fn home_violation(file_name: &str, file: &File, named: &Named) -> Option<String> {
    let is_own_module = |name: &str| file.modules.iter().any(|module| module == name);
    for (path, homes) in &HOMES {
        let at_home = || {
            homes.iter().any(|home| match home.strip_suffix('/') {
                Some(_) => file_name.starts_with(home),
                None => file_name == *home,
            })
        };
        let same =
            named.path.len() >= path.len() && named.path.iter().zip(*path).all(|(a, b)| a == b);
        if same && !is_own_module(path[0]) && !at_home() {
            let path = named.path.join("::");
            return Some(format!("only {} may use `{path}`", homes.join(", ")));
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

/// The table that the tests of the rules use.
fn sample_ranks() -> Ranks {
    let table = "\
| rank | module | what is in it |
|---|---|---|
| 0 | `clock` `semconv` | |
| 1 | `model` | |
| 2 | `access` | |
| 3 | `metrics` | |
| 4 | `context` `worker` | |
| 6 | `http` `logs` | |
| 7 | `history` | planned: figures of the last days |
| 8 | `health` | |
| 10 | `config` | |
| 11 | `monitor` | |
| 12 | `testing` | |
";
    ranks::table(table).expect("the table can be read")
}

#[test]
fn imports_lead_to_lower_ranks() {
    let broken = check(&read_sources(&src()), &RANKS);
    assert!(
        broken.is_empty(),
        "{} broken rules:\n{}",
        broken.len(),
        shown(&broken)
    );
}

#[test]
fn the_table_of_ranks_lists_the_modules_of_the_crate() {
    let root = read(&read_sources(&src())["lib.rs"], &[]);
    let modules: BTreeSet<_> = root.modules.iter().collect();
    let listed = RANKS.iter().filter(|(_, entry)| !entry.planned);
    let listed: BTreeSet<_> = listed.map(|(name, _)| name).collect();
    assert_eq!(listed, modules);
}

#[test]
fn a_bad_table_of_ranks_is_rejected() {
    let head = "| rank | module | what is in it |\n|---|---|---|\n";
    let rejected = |rows: &str| ranks::table(&format!("{head}{rows}")).is_err();
    assert!(!rejected(
        "| 1 | `a` `b` | text |\n| 2 | `c` | planned: text |\n\nText."
    ));
    assert!(rejected("| 1 | `a` | text |\n| 2 | `a` | text |\n"));
    assert!(rejected("| one | `a` | text |\n"));
    assert!(rejected("| 1 | `a` |\n"));
    assert!(sample_ranks()["history"].planned);
    assert!(!sample_ranks()["health"].planned);
}

#[test]
fn files_do_not_import_each_other_in_circles() {
    let sources = read_sources(&src());
    let files = parse(&sources);
    let imports = circles::imports(&files);
    let circles: String = circles::circles(&imports)
        .iter()
        .map(|circle| circles::shown(circle, &imports))
        .collect();
    assert!(circles.is_empty(), "{circles}");
}

#[test]
fn a_planted_circle_is_found() {
    let planted: [&[(&str, &str)]; 9] = [
        // By imports, through `super` and `crate`.
        &[
            ("http/a.rs", "use super::b::B; pub struct A;"),
            ("http/b.rs", "use crate::http::a::A; pub struct B;"),
        ],
        // Of three files.
        &[
            ("http/a.rs", "use super::b::B; pub struct A;"),
            ("http/b.rs", "use super::c::C; pub struct B;"),
            ("http/c.rs", "use super::a::A; pub struct C;"),
        ],
        // By paths in code.
        &[
            ("http/a.rs", "pub fn a() { super::b::b() }"),
            ("http/b.rs", "use crate::http; pub fn b() { http::a::a() }"),
        ],
        // Through re-exports, one of them with another name.
        &[
            (
                "http/mod.rs",
                "mod a; mod b; pub use self::a::A as First; pub(crate) use b::B;",
            ),
            ("http/a.rs", "use super::B; pub struct A;"),
            ("http/b.rs", "use crate::http::First; pub struct B;"),
        ],
        // Through a re-export of the crate's root.
        &[
            ("lib.rs", "mod http; pub use self::http::A;"),
            ("http/mod.rs", "mod a; mod b; pub use self::a::A;"),
            ("http/a.rs", "use super::b::B; pub struct A;"),
            ("http/b.rs", "use crate::A; pub struct B;"),
        ],
        // A module's own file uses its child, and the child uses what that file defines.
        &[
            ("http/mod.rs", "mod a; pub struct M; fn f() { a::f() }"),
            ("http/a.rs", "use super::M; pub fn f() {}"),
        ],
        &[
            ("http/mod.rs", "mod a; pub use self::a::A; pub struct M(A);"),
            ("http/a.rs", "use super::M; pub struct A;"),
        ],
        // Inside an inline module.
        &[
            (
                "http/a.rs",
                "mod inner { use super::super::b::B; } pub struct A;",
            ),
            ("http/b.rs", "fn f(_: &super::a::A) {} pub struct B;"),
        ],
        // Between modules, which also breaks the ranks.
        &[
            ("http/a.rs", "use crate::logs::b::B; pub struct A;"),
            ("logs/b.rs", "use crate::http::a::A; pub struct B;"),
        ],
    ];
    for files in planted {
        let found = circles_of(files);
        let last = files.last().map(|(name, _)| *name);
        assert_eq!(found.len(), 1, "{files:?}: {found:?}");
        assert!(
            found[0].iter().any(|file| Some(file.as_str()) == last),
            "{found:?}"
        );
    }
}

#[test]
fn what_is_no_circle_is_not_found() {
    let allowed: [&[(&str, &str)]; 6] = [
        // `mod` and re-exports alone.
        &[
            (
                "http/mod.rs",
                "mod a; pub mod b; pub use self::a::A; pub(crate) use self::b::B; pub struct M;",
            ),
            ("http/a.rs", "use super::M; pub struct A;"),
            ("http/b.rs", "use super::{A, M}; pub struct B;"),
        ],
        // Both use a third file.
        &[
            (
                "http/a.rs",
                "use super::c::C; use super::b::B; pub struct A;",
            ),
            ("http/b.rs", "use super::c::C; pub struct B;"),
            ("http/c.rs", "pub struct C;"),
        ],
        // Tests.
        &[
            ("http/a.rs", "use super::b::B; pub struct A;"),
            (
                "http/b.rs",
                "#[cfg(test)] mod tests { use super::super::a::A; } pub struct B;",
            ),
        ],
        // Comments and texts.
        &[
            ("http/a.rs", "use super::b::B; pub struct A;"),
            (
                "http/b.rs",
                "//! See [`super::a::A`].\nconst T: &str = \"super::a::A\"; pub struct B;",
            ),
        ],
        // Another crate's name, and a name of another crate's that a module imports.
        &[
            ("http/mod.rs", "mod a; mod b; use std::fmt;"),
            (
                "http/a.rs",
                "use super::fmt; use super::b::B; pub struct A;",
            ),
            ("http/b.rs", "use a::A; pub struct B;"),
        ],
        // A method or a field that has the name of a re-exported function.
        &[
            (
                "http/mod.rs",
                "mod a; pub use self::a::span; pub struct M; fn f(x: X) { x.span(); }",
            ),
            ("http/a.rs", "use super::M; pub fn span() {}"),
        ],
    ];
    for files in allowed {
        let found = circles_of(files);
        assert!(found.is_empty(), "{files:?}: {found:?}");
    }
}

/// The circles among files with these names and sources.
fn circles_of(files: &[(&str, &str)]) -> Vec<Vec<String>> {
    let sources = owned(files);
    let files = parse(&sources);
    let circles = circles::circles(&circles::imports(&files));
    let names = |circle: &BTreeSet<&str>| circle.iter().map(ToString::to_string).collect();
    circles.iter().map(names).collect()
}

fn owned(files: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = |(name, source): &(&str, &str)| ((*name).to_owned(), (*source).to_owned());
    files.iter().map(owned).collect()
}

#[test]
fn a_name_of_a_type_has_one_definition() {
    let sources = read_sources(&src());
    let files = parse(&sources);
    let duplicates = types::duplicates(&files);
    assert!(
        duplicates.is_empty(),
        "several definitions: {duplicates:#?}"
    );
}

#[test]
fn planted_definitions_are_found() {
    let duplicate = |a: (&str, &str), b: (&str, &str)| {
        let sources = owned(&[a, b]);
        let files = parse(&sources);
        types::duplicates(&files).contains_key("A")
    };
    for definition in [
        "struct A;",
        "pub(crate) enum A { B }",
        "trait A {}",
        "type A = B;",
        "fn f() { struct A; }",
    ] {
        assert!(
            duplicate(
                ("http/a.rs", "pub struct A<T>(T);"),
                ("logs/b.rs", definition)
            ),
            "{definition}"
        );
    }
    let one = "struct A;";
    assert!(duplicate(
        ("http/mod.rs", "mod inner { struct A; } enum A { B }"),
        ("logs/b.rs", "")
    ));
    assert!(duplicate(
        ("http/enabled/a.rs", one),
        ("logs/disabled.rs", one)
    ));
    assert!(duplicate(
        ("http/enabled/a.rs", one),
        ("http/enabled/b.rs", one)
    ));

    assert!(!duplicate(
        ("http/enabled/a.rs", one),
        ("http/disabled.rs", one)
    ));
    assert!(!duplicate(("http/unix.rs", one), ("http/other.rs", one)));
    let associated = "impl Service for S { type A = B; } trait T { type A; }";
    assert!(!duplicate(("http/a.rs", one), ("logs/b.rs", associated)));
    let in_tests = "#[cfg(test)] mod tests { struct A; }";
    assert!(!duplicate(("http/a.rs", one), ("logs/b.rs", in_tests)));
    assert!(!duplicate(
        ("http/a.rs", one),
        ("logs/b.rs", "struct B { A: u8 }")
    ));
}

#[test]
fn every_module_of_the_root_is_read() {
    let sources = read_sources(&src());
    let root = read(&sources["lib.rs"], &[]);
    assert!(root.modules.len() >= 10, "{:?}", root.modules);
    for module in &root.modules {
        let belongs = |name: &String| module_of(name).first() == Some(module);
        assert!(sources.keys().any(belongs), "no file of `{module}` is read");
    }
    let paths: usize = sources
        .iter()
        .map(|(name, source)| read(source, &module_of(name)).named.len())
        .sum();
    assert!(paths > 500, "only {paths} paths in the whole crate");
}

/// Each of these breaks one rule, however it is written.
#[test]
fn a_planted_violation_is_found() {
    const ROOT: &str = "mod http; mod metrics; mod monitor; mod logs; pub use self::monitor::{Monitor, Guard as G};";
    let planted = [
        ("http/a.rs", "use crate::monitor::Monitor;"),
        ("http/a.rs", "pub use crate::monitor::Monitor as M;"),
        (
            "http/a.rs",
            "pub(crate) use crate::{metrics::X, monitor::{self as other}};",
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
        ("http/a.rs", "use crate::unknown::X;"),
        ("http/a.rs", "use watchpost::Monitor;"),
        ("http/a.rs", "extern crate self as other;"),
        ("http/a.rs", "use crate::r#logs::Lines;"),
        ("metrics/a.rs", "use crate::worker::RecordQueue;"),
        ("worker/a.rs", "use crate::context::Slot;"),
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
        ("lib.rs", "mod unknown;"),
    ];
    for (name, source) in planted {
        let mut sources = BTreeMap::from([("lib.rs".to_owned(), ROOT.to_owned())]);
        sources.insert(name.to_owned(), source.to_owned());
        let broken = check(&sources, &sample_ranks());
        assert_eq!(broken.len(), 1, "{name}: {source}\n{}", shown(&broken));
        assert!(broken[0].starts_with(name), "{broken:?}");
    }
}

/// None of these breaks a rule.
#[test]
fn what_is_allowed_is_not_found() {
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
        let broken = check(&sources, &sample_ranks());
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
    let broken = check(&sources, &sample_ranks());
    assert_eq!(broken.len(), 1, "{}", shown(&broken));
    assert!(broken[0].starts_with("http/kept.rs:1"), "{broken:?}");
}

/// From the files on: a copy of the source with one bad line added.
#[test]
fn a_violation_in_a_copy_of_the_source_is_found() {
    let copy = tempfile::tempdir().expect("there is room for a copy");
    copy_tree(&src(), copy.path());
    let broken_rules = |src: &Path| check(&read_sources(src), &RANKS);
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

/// Only lines of code count.
#[test]
fn a_long_file_is_found() {
    let code = "fn f() {}\n".repeat(MAX_LINES + 1);
    let comments = "// said\n\n".repeat(MAX_LINES) + "#[cfg(test)] mod tests {\n" + &code + "}\n";
    let check_one = |source: &str| check(&owned(&[("http/a.rs", source)]), &sample_ranks());
    assert!(check_one(&comments).is_empty());
    let broken = check_one(&code);
    assert_eq!(
        broken,
        [format!(
            "http/a.rs: {} lines of code, {MAX_LINES} at most",
            MAX_LINES + 1
        )]
    );
}
