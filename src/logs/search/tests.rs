//! The language of searches, over the cases of `tests/corpus/log_query.txt`.

use std::collections::BTreeMap;

use super::grammar::parse;
use super::line_filter::LineFilter;
use super::line_head::LineHead;
use super::sieve::Sieve;
use crate::logs::LogQuery;

const CORPUS: &str = include_str!("../../../tests/corpus/log_query.txt");

/// The lines that a query selects by their numbers, or its error, in the form of the corpus.
fn answer(query: &str, lines: &[&str]) -> String {
    let expression = match parse(query) {
        Ok(expression) => expression,
        Err(error) => {
            assert!(query.is_char_boundary(error.position()), "{query}");
            return format!("error at {}: {}", error.position(), error.expected());
        }
    };
    let filter = LineFilter::new(&LogQuery::default().text(query).unwrap());
    let sieve = Sieve::of(&expression);
    let mut found = Vec::new();
    for (number, line) in (1..).zip(lines) {
        let matches =
            filter.may_match(LineHead::read(line).unwrap()) && filter.matches_fields(line);
        let passes = sieve.passes(&line.to_ascii_lowercase());
        assert!(passes || !matches, "`{query}` is not found in {line}");
        if matches {
            found.push(number.to_string());
        }
    }
    match found.len() {
        0 => "none".to_owned(),
        count if count == lines.len() => "all".to_owned(),
        _ => found.join(" "),
    }
}

#[test]
fn every_query_of_the_corpus_selects_its_lines() {
    let (mut class, mut lines) = ("", Vec::new());
    let mut counts = BTreeMap::new();
    let mut wrong = Vec::new();
    for row in CORPUS
        .lines()
        .filter(|row| !row.is_empty() && !row.starts_with('#'))
    {
        if let Some(name) = row.strip_prefix('[').and_then(|row| row.strip_suffix(']'))
            && !row.contains(" => ")
        {
            class = name;
        } else if class == "lines" {
            lines.push(row);
        } else {
            let (query, expected) = row.rsplit_once(" => ").expect(row);
            *counts.entry(class).or_insert(0) += 1;
            let answer = answer(query, &lines);
            if answer != expected {
                wrong.push(format!(
                    "[{class}] {query} => {answer}, expected {expected}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(
        counts.len() >= 10 && counts.values().all(|cases| *cases >= 5),
        "{counts:?}"
    );
}

#[test]
fn length_depth_and_number_of_conditions_are_bounded() {
    let expected = |text: &str| {
        let error = parse(text).unwrap_err();
        format!("{}: {}", error.position(), error.expected())
    };
    assert_eq!(
        expected(&"a".repeat(2049)),
        "2048: the end of the text: it may have 2048 bytes"
    );
    assert!(parse(&"(".repeat(2048)).is_err());
    let nested = |depth: usize| "(".repeat(depth) + "a" + &")".repeat(depth);
    assert!(parse(&nested(32)).is_ok());
    assert_eq!(
        expected(&nested(33)),
        "33: no more than 32 levels of parentheses and `NOT`"
    );
    assert_eq!(
        expected(&("NOT ".repeat(33) + "a")),
        "131: no more than 32 levels of parentheses and `NOT`"
    );
    assert!(parse(&"a ".repeat(64)).is_ok());
    assert_eq!(
        expected(&"a ".repeat(65)),
        "128: no more than 64 words and fields"
    );
    let phrase = |words: usize| format!("\"{}\"", "a ".repeat(words));
    assert!(parse(&phrase(32)).is_ok());
    assert_eq!(expected(&phrase(33)), "0: a phrase of at most 32 words");
}
