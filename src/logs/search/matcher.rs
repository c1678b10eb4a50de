//! Whether a line fulfils an expression.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::grammar::{
    Condition, Expression, LogSeverity, RangeBound, RangeBounds, Test, Words, fold,
    is_found_by_words, is_whole, micros_of_timestamp,
};
use crate::logs::line_fields::LineValue;

/// The fields of a line.
pub(super) type LineFields<'a> = [(Cow<'a, str>, LineValue<'a>)];

/// Whether a line with these fields fulfils an expression.
pub(super) fn is_fulfilled(expression: &Expression, fields: &LineFields<'_>) -> bool {
    match expression {
        Expression::All => true,
        Expression::And(all) => all.iter().all(|it| is_fulfilled(it, fields)),
        Expression::Or(any) => any.iter().any(|it| is_fulfilled(it, fields)),
        Expression::Not(it) => !is_fulfilled(it, fields),
        Expression::Condition(condition) => has(condition, fields),
    }
}

fn has(condition: &Condition, fields: &LineFields<'_>) -> bool {
    match &condition.field {
        Some(name) => {
            // Each key occurs once.
            let found = fields.iter().find(|(key, _)| *key == **name);
            found.is_some_and(|(_, value)| has_value(name, value, &condition.test))
        }
        None => fields.iter().any(|(key, value)| {
            is_found_by_words(key) && has_words_of(value.as_text(), &condition.test)
        }),
    }
}

/// Whether the value of a field passes a test.
fn has_value(name: &str, value: &LineValue<'_>, test: &Test) -> bool {
    match (test, value) {
        (Test::Exists, _) => true,
        (Test::Exact(wanted), value) => value.as_text() == wanted,
        (Test::Within(bounds), value) => is_within(name, value, bounds),
        (
            Test::Words {
                whole, is_prefix, ..
            },
            LineValue::Bare(text),
        ) => !is_prefix && is_number(text, whole),
        (
            Test::Words {
                whole, is_prefix, ..
            },
            LineValue::Text(text),
        ) if is_whole(name) => starts_with(text, whole, !is_prefix),
        (test, LineValue::Text(text)) => has_words_of(text, test),
    }
}

/// Whether a text has the words of a test, one after the other.
fn has_words_of(text: &str, test: &Test) -> bool {
    let Test::Words {
        words, is_prefix, ..
    } = test
    else {
        return false;
    };
    let Some((first, rest)) = words.split_first() else {
        return false;
    };
    let mut of_text = Words::of(text);
    while let Some(word) = of_text.next() {
        if !is_word(word, first, *is_prefix && rest.is_empty()) {
            continue;
        }
        let mut following = of_text.clone();
        let mut places = (1..).zip(rest);
        if places.all(|(place, wanted)| {
            let is_last = place == rest.len();
            let word = following.next();
            word.is_some_and(|word| is_word(word, wanted, *is_prefix && is_last))
        }) {
            return true;
        }
    }
    false
}

fn is_word(word: &str, wanted: &str, is_prefix: bool) -> bool {
    starts_with(word, wanted, !is_prefix)
}

/// Whether a text begins with one that has no case, and ends with it if `is_whole`.
fn starts_with(text: &str, wanted: &str, is_whole: bool) -> bool {
    let mut chars = text.chars();
    for wanted in wanted.chars() {
        if chars.next().map(fold) != Some(wanted) {
            return false;
        }
    }
    !is_whole || chars.next().is_none()
}

/// Whether the text of a number, or of `true` or `false`, is what a query names.
fn is_number(text: &str, wanted: &str) -> bool {
    if text == wanted {
        return true;
    }
    match (RangeBound::number(text), RangeBound::number(wanted)) {
        (Some(a), Some(b)) => a.order(b) == Some(Ordering::Equal),
        _ => false,
    }
}

fn is_within(name: &str, value: &LineValue<'_>, bounds: &RangeBounds) -> bool {
    let value = match (name, value) {
        ("timestamp", LineValue::Text(text)) => {
            micros_of_timestamp(text.as_bytes()).map(RangeBound::Time)
        }
        ("level", LineValue::Text(text)) => LogSeverity::parse(text).map(RangeBound::Level),
        (_, LineValue::Bare(text)) => RangeBound::number(text),
        (_, LineValue::Text(_)) => None,
    };
    value.is_some_and(|value| bounds.contain(value))
}

#[cfg(test)]
mod tests {
    use super::super::grammar::parse;
    use super::*;
    use crate::logs::line_fields::fields;

    #[test]
    fn integers_that_no_float_has_are_found_exactly() {
        let line = r#"{"id":9007199254740993,"big":18446744073709551615,"ratio":0.5}"#;
        let fields: Vec<_> = fields(line).collect();
        for (query, is_found) in [
            ("id:9007199254740993", true),
            ("id:9007199254740992", false),
            ("id:9007199254740993.0", false),
            ("id:>9007199254740992", true),
            ("id:<=9007199254740992", false),
            ("id:[9007199254740993 TO 9007199254740993]", true),
            ("big:18446744073709551614", false),
            ("big:>18446744073709551614", true),
            ("big:<18446744073709551615", false),
            ("ratio:5e-1", true),
            ("ratio:<1", true),
        ] {
            let expression = parse(query).unwrap();
            assert_eq!(is_fulfilled(&expression, &fields), is_found, "{query}");
        }
    }
}
