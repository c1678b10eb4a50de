//! Invalid configurations by class: each is rejected with the key, the masked value, its origin and the fix.

mod files;
mod machine;
mod values;

use super::*;
use crate::config::table::{SETTINGS, own_variable, position};
use crate::config::value::TomlShape;

/// Texts that must never be shown.
const SECRETS: [&str; 4] = [SECRET, "hunter2", "sk-live-4242", "correct-horse-battery"];

/// A value that is invalid from every source: `(key, value, advice)`.
type Value = (&'static str, &'static str, &'static str);
/// A file that is rejected: `(text, key, line, advice)`.
type File = (&'static str, &'static str, usize, &'static str);

/// Asserts that the error contains only the expected problem.
#[track_caller]
fn assert_problem(resolved: Result<ResolvedConfig>, key: &str, origin: &str, advice: &str) {
    let error = resolved
        .map(drop)
        .expect_err(&format!("{key} by {origin} is bad"));
    assert!(error.is_config());
    assert_silent(&format!("{error} {error:?}"));
    let [problem] = error.problems() else {
        panic!("one problem is expected: {error}");
    };
    assert_form(problem);
    let (_, rest) = problem.split_once(" = ").unwrap();
    assert!(
        rest.starts_with(['"', '[', '{']) || rest.starts_with(|c: char| c.is_ascii_digit()),
        "{problem}"
    );
    assert!(rest.contains(origin), "{problem} names {origin}");
    assert!(rest.contains(advice), "{problem} says {advice}");
}

/// Asserts that every problem is one line of bounded length that contains the fix.
#[track_caller]
fn assert_form(problem: &str) {
    assert!(!problem.contains(char::is_control), "{problem:?}");
    assert!(problem.len() < 700, "{problem}");
    let (_, said) = problem.split_once("): ").unwrap();
    let advised = ["; write ", "; remove ", "; correct ", "; save "]
        .iter()
        .any(|advice| said.contains(advice));
    assert!(advised, "{problem}");
}

#[track_caller]
fn assert_silent(text: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "{text}");
        // No part of the secret is shown either.
        assert!(!text.contains(&secret[..secret.len().min(8)]), "{text}");
    }
}

#[track_caller]
fn assert_values(values: &[Value]) {
    for (key, value, advice) in values {
        let setting = &SETTINGS[position(key).unwrap()];
        if !value.contains('\0') && !value.is_empty() {
            let variable = own_variable(key);
            let origin = format!("(variable {variable})");
            assert_problem(
                from_environment(&[(&variable, value)]),
                key,
                &origin,
                advice,
            );
        }
        assert_problem(from_code(key, value), key, "(call .call(..))", advice);
        if let Some(toml) = toml(value, setting.field.toml_shape()) {
            let file = from_file(format!("\n{key} = {toml}\n"));
            assert_problem(file, key, "watchpost.toml line 2)", advice);
        }
    }
}

/// Returns the value as its type in TOML, if it can be written so.
fn toml(value: &str, shape: TomlShape) -> Option<String> {
    use crate::config::value::TomlType::{Boolean, Float, Integer, String, Table};

    let literal = match shape.types.first()? {
        String => format!("{value:?}")
            .replace("\\u{", "\\U{")
            .replace("\\0", "\\u0000"),
        Integer => value
            .parse::<i64>()
            .ok()
            .filter(|n| n.to_string() == value)?
            .to_string(),
        Float => value
            .parse::<f64>()
            .ok()
            .filter(|n| n.to_string() == value)?
            .to_string(),
        Boolean | Table => return None,
    };
    let plain = !literal.contains("\\U{") && !literal.contains("\\'");
    plain.then(|| match shape.array {
        true => format!("[{literal}]"),
        false => literal,
    })
}

#[track_caller]
fn assert_files(files: &[File]) {
    for (text, key, line, advice) in files {
        let origin = format!("watchpost.toml line {line})");
        assert_problem(from_file(text), key, &origin, advice);
    }
}

#[test]
fn there_are_two_hundred_in_at_least_ten_classes() {
    let values = values::CLASSES.iter().map(|class| class.len());
    let files = files::CLASSES.iter().map(|class| class.len());
    let counts: Vec<_> = values.chain(files).chain(machine::COUNTS).collect();
    assert!(counts.len() >= 10, "{counts:?}");
    assert!(counts.iter().all(|count| *count >= 5), "{counts:?}");
    assert!(counts.iter().sum::<usize>() >= 200, "{counts:?}");
}

#[test]
fn all_problems_of_all_sources_are_told_at_once() {
    let file = written("log.slow = 5\nnonsense = 1\n[access]\ntoken = \"correct-horse-battery\"\n");
    let error = resolve(Sources {
        file: Some(file.path.clone()),
        environment: Environment::of([
            ("WATCHPOST_HTTP_PUBLIC_ENDPOINT", "maybe"),
            ("WATCHPOST_LOG", "[x]"),
        ]),
        code: vec![code("service.name", ""), code("drain.wait", "1y")],
        ..Sources::default()
    })
    .unwrap_err();
    let keys: Vec<_> = error
        .problems()
        .iter()
        .map(|problem| problem.split(' ').next().unwrap())
        .collect();
    assert_eq!(
        keys,
        [
            "nonsense",
            "log.slow",
            "access.token",
            "log.level",
            "http.public_endpoint",
            "service.name",
            "drain.wait"
        ]
    );
    error
        .problems()
        .iter()
        .for_each(|problem| assert_form(problem));
    assert_silent(&error.to_string());
    assert_eq!(error.to_string().lines().count(), 8);
}

#[test]
fn a_bad_value_is_told_though_a_stronger_source_is_good() {
    let file = written("log.slow = \"never\"\n");
    let error = resolve(Sources {
        file: Some(file.path.clone()),
        code: vec![code("log.slow", "2s")],
        ..Sources::default()
    });
    assert_problem(
        error,
        "log.slow",
        "watchpost.toml line 1)",
        "not a duration",
    );
}

#[test]
fn a_file_of_nothing_but_problems_is_told_in_part() {
    let text: String = (0..20_000).map(|n| format!("key_{n} = {n}\n")).collect();
    let error = from_file(text).unwrap_err();
    assert_eq!(error.problems().len(), 101);
    assert!(error.problems()[100].contains("19900 more problems"));
}

#[test]
fn the_problems_of_one_file_come_in_its_order() {
    let error = from_file("z = 1\na = 2\n[log]\nzz = 1\naa = 2\n").unwrap_err();
    let keys: Vec<_> = error
        .problems()
        .iter()
        .map(|problem| problem.split(' ').next().unwrap())
        .collect();
    assert_eq!(keys, ["z", "a", "log.zz", "log.aa"]);
}
