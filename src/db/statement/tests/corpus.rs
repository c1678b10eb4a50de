use std::collections::BTreeMap;

use super::super::{Dialect, Statement};
use super::{named, text};

struct Case {
    class: String,
    dialect: Dialect,
    sql: String,
    text: String,
    summary: String,
    operation: String,
    collection: String,
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
        let (text, summary, operation) = (field("="), field("~"), field("!"));
        let (operation, collection) = operation.split_once('|').unwrap();
        cases.push(Case {
            class: class.clone(),
            dialect: named(dialect),
            sql: sql.replace('⏎', "\n").replace('⇥', "\t"),
            text,
            summary,
            operation: operation.trim().to_owned(),
            collection: collection.trim().to_owned(),
        });
    }
    cases
}

#[test]
fn every_case_of_the_corpus() {
    for case in cases() {
        let read = Statement::read(&case.sql, case.dialect);
        assert_eq!(*read.text, *case.text, "text of {}", case.sql);
        assert_eq!(*read.summary, *case.summary, "summary of {}", case.sql);
        assert_eq!(
            *read.operation, *case.operation,
            "operation of {}",
            case.sql
        );
        assert_eq!(
            read.collection.as_deref().unwrap_or_default(),
            case.collection,
            "collection of {}",
            case.sql
        );
    }
}

#[test]
fn each_class_has_its_cases() {
    let mut classes = BTreeMap::<_, usize>::new();
    for case in cases() {
        *classes.entry(case.class).or_default() += 1;
    }
    assert!(classes.len() >= 14, "{classes:?}");
    assert!(classes.values().all(|count| *count >= 5), "{classes:?}");
}

#[test]
fn reading_a_text_again_changes_nothing() {
    for case in cases() {
        assert_eq!(*text(&case.text, case.dialect), *case.text, "{}", case.sql);
        if !matches!(&*case.class, "[hostile]" | "[unterminated]") {
            let (first, again) = (
                Statement::read(&case.sql, case.dialect),
                Statement::read(&case.text, case.dialect),
            );
            assert_eq!(first.shape, again.shape, "shape of {}", case.sql);
            assert_eq!(first.summary, again.summary, "summary of {}", case.sql);
        }
    }
}

#[test]
fn no_secret_of_the_corpus_is_put_out() {
    for case in cases()
        .iter()
        .filter(|case| matches!(&*case.class, "[hostile]" | "[unterminated]"))
    {
        let read = Statement::read(&case.sql, case.dialect);
        assert!(!read.text.contains("secret"), "{}", read.text);
    }
}
