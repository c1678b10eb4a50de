//! Messages with placeholders in place of what differs from one event to the next.

use super::dates::date;
use super::patterns::{
    duration, email, float, git_sha, hex, hostname, identifier, int, ip, md5, quoted, sha1,
    traceparent, transaction, url, uuid, value_bool, value_quoted,
};
use super::position::At;
use crate::model::prefix;

/// The bytes of a message that count for its group.
const MAX_BYTES: usize = 1024;

/// Returns the length of what a rule replaces, if it applies at this position.
type PatternRule = fn(At<'_>) -> Option<usize>;

/// The rules. At each position, the first one that applies replaces the text. The order up to `bool` is that of Sentry, so
/// that messages fall into the same groups there. The last two are for Rust: what `Debug` prints of a text, and long IDs.
const RULES: [(&str, PatternRule); 19] = [
    ("<email>", email),
    ("<url>", url),
    ("<hostname>", hostname),
    ("<ip>", ip),
    ("<traceparent>", traceparent),
    ("<uuid>", uuid),
    ("<sha1>", sha1),
    ("<md5>", md5),
    ("<date>", date),
    ("<duration>", duration),
    ("<txn_id>", transaction),
    ("<hex>", hex),
    ("<git_sha>", git_sha),
    ("<float>", float),
    ("<int>", int),
    ("<quoted_str>", value_quoted),
    ("<bool>", value_bool),
    ("<text>", quoted),
    ("<id>", identifier),
];

/// The message with placeholders. Only its first KiB counts.
pub(super) fn parameterize(message: &str) -> String {
    let mut rest = prefix(message, MAX_BYTES);
    let mut out = String::with_capacity(rest.len());
    let mut before = None;
    while let Some(first) = rest.chars().next() {
        let at = At { rest, before };
        let mut rules = RULES.iter();
        let found = rules.find_map(|(placeholder, rule)| {
            let len = rule(at).filter(|len| *len > 0)?;
            Some((*placeholder, rest.split_at_checked(len)?))
        });
        if let Some((placeholder, (replaced, after))) = found {
            out.push_str(placeholder);
            before = replaced.chars().next_back();
            rest = after;
        } else {
            out.push(first);
            before = Some(first);
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_class_of_the_corpus_has_its_expected_form() {
        let mut class = "";
        let mut cases: BTreeMap<&str, usize> = BTreeMap::new();
        let mut wrong = Vec::new();
        let corpus = include_str!("../../../tests/corpus/messages.txt").lines();
        for line in corpus.filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Some((message, expected)) = line.split_once(" => ") {
                let expected = if expected == "same" {
                    message
                } else {
                    expected
                };
                let found = [parameterize(message), parameterize(expected)];
                if found != [expected; 2] {
                    wrong.push(format!("[{class}] {message}: {found:?}"));
                }
                *cases.entry(class).or_default() += 1;
            } else {
                let name = line.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
                class = name.unwrap_or_else(|| panic!("neither a class nor a case: {line}"));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
        for (placeholder, _) in RULES {
            let class = placeholder.trim_matches(['<', '>']);
            let count = cases.get(class).copied().unwrap_or_default();
            assert!(count >= 5, "[{class}] has {count} cases");
        }
        assert!(cases.values().all(|count| *count >= 5), "{cases:?}");
    }

    #[test]
    fn only_the_first_kibibyte_counts() {
        let long = "x ".repeat(600);
        assert_eq!(parameterize(&long).len(), MAX_BYTES);
        assert_eq!(parameterize(""), "");
    }

    proptest! {
        #[test]
        fn any_text_is_read_in_bounded_steps(text in "\\PC{0,300}") {
            let _any = parameterize(&text);
        }

        #[test]
        fn numbers_make_no_difference(one in 1_u32..9_999_999, other in 1_u32..9_999_999) {
            let text = |n: u32| parameterize(&format!("row {n} of ({n}) failed: {n}"));
            prop_assert_eq!(text(one), text(other));
        }
    }
}
