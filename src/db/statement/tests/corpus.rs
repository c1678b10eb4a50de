use std::collections::BTreeMap;

use super::super::{Dialect, NormalizedStatement};
use super::{named, text};

struct Case {
    class: String,
    dialect: Dialect,
    sql: String,
    text: String,
    summary: String,
}

fn cases() -> Vec<Case> {
    let mut class = String::new();
    let mut cases = Vec::new();
    let mut lines = include_str!("../corpus.txt")
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    while let Some(line) = lines.next() {
        if line.starts_with('[') {
            line.clone_into(&mut class);
            continue;
        }
        let (dialect, sql) = line.split_once('|').unwrap();
        let mut field = |mark: &str| {
            let line = lines.next().unwrap();
            let value = line.strip_prefix(mark);
            value
                .unwrap_or_else(|| panic!("no {mark} after {sql}: {line}"))
                .trim_start()
                .to_owned()
        };
        let (text, summary) = (field("="), field("~"));
        cases.push(Case {
            class: class.clone(),
            dialect: named(dialect),
            sql: sql.replace('⏎', "\n").replace('⇥', "\t"),
            text,
            summary,
        });
    }
    cases
}

#[test]
fn each_case_of_the_corpus_has_its_text_and_summary() {
    for case in cases() {
        let read = NormalizedStatement::read(&case.sql, case.dialect);
        assert_eq!(*read.text, *case.text, "text of {}", case.sql);
        assert_eq!(*read.summary, *case.summary, "summary of {}", case.sql);
        // SQL runs several operations on several tables: neither is taken from its text.
        assert_eq!((&*read.operation, read.collection), ("", None));
    }
}

#[test]
fn each_class_has_its_cases() {
    let mut classes = BTreeMap::<_, usize>::new();
    for case in cases() {
        *classes.entry(case.class).or_default() += 1;
    }
    assert!(classes.len() >= 28, "{classes:?}");
    assert!(classes.values().all(|count| *count >= 5), "{classes:?}");
}

#[test]
fn normalizing_a_normalized_text_changes_nothing() {
    for case in cases() {
        assert_eq!(*text(&case.text, case.dialect), *case.text, "{}", case.sql);
        if !matches!(&*case.class, "[hostile]" | "[unterminated]") {
            let (first, again) = (
                NormalizedStatement::read(&case.sql, case.dialect),
                NormalizedStatement::read(&case.text, case.dialect),
            );
            assert_eq!(first.digest, again.digest, "digest of {}", case.sql);
            assert_eq!(first.summary, again.summary, "summary of {}", case.sql);
        }
    }
}

#[test]
fn no_secret_of_the_corpus_is_in_the_output() {
    let (mut planted, mut users) = (0, 0);
    for case in cases() {
        let read = NormalizedStatement::read(&case.sql, case.dialect);
        let shown = format!("{} {}", read.text, read.summary);
        if matches!(
            &*case.class,
            "[hostile]" | "[unterminated]" | "[quotes in summaries]"
        ) {
            assert!(!shown.contains("secret"), "{shown}");
        }
        planted += usize::from(case.sql.to_lowercase().contains("hidden"));
        assert!(!shown.to_lowercase().contains("hidden"), "{shown}");
        // Users have these names, and tables do not.
        users += usize::from(case.sql.contains("ada"));
        assert!(
            !read.summary.contains("ada") && !read.summary.contains("bob"),
            "{shown}"
        );
    }
    assert!(planted >= 120 && users >= 60, "{planted} {users}");
}
