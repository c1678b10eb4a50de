//! The series that a host names: `jobs_total{queue="mail"}`.

use crate::error::{Error, Result};

/// A metric, and labels that its series must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Selector {
    pub(super) metric: String,
    pub(super) labels: Vec<(String, String)>,
}

impl Selector {
    /// Reads `metric`, or `metric{label="value",other=value}`.
    ///
    /// # Errors
    ///
    /// Returns an error that says what is wrong with the text.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let (metric, rest) = text.split_at(text.find('{').unwrap_or(text.len()));
        let metric = metric.trim_end();
        if !is_name(metric) {
            return Err(invalid(
                text,
                "it begins with no metric's name: write it as `/metrics` shows it, such as `jobs_total`",
            ));
        }
        let mut selector = Self {
            metric: metric.to_owned(),
            labels: Vec::new(),
        };
        if rest.is_empty() {
            return Ok(selector);
        }
        let Some(mut rest) = rest.strip_prefix('{').map(str::trim_start) else {
            return Err(invalid(text, "there is text after the metric's name"));
        };
        while !rest.starts_with('}') {
            let Some((label, after)) = rest.split_once('=') else {
                return Err(invalid(text, "a label has no `=`, or `}` is missing"));
            };
            let label = label.trim();
            if !is_name(label) {
                return Err(invalid(
                    text,
                    "a label has an invalid name: only `label=\"value\"` is possible",
                ));
            }
            let Some((value, after)) = value(after.trim_start()) else {
                return Err(invalid(text, "a label's value has no end"));
            };
            selector.labels.push((label.to_owned(), value));
            rest = after.trim_start();
            rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
        }
        if rest == "}" {
            Ok(selector)
        } else {
            Err(invalid(text, "there is text after `}`"))
        }
    }

    /// Whether a series with these labels is selected. A label that it does not have is empty.
    pub(super) fn matches(&self, labels: &[(&str, String)]) -> bool {
        self.labels.iter().all(|(wanted, value)| {
            let label = labels.iter().find(|(label, _)| label == wanted);
            label.map_or("", |(_, value)| value) == value
        })
    }
}

fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || matches!(c, '_' | ':'))
        && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':'))
}

/// A value with quotes, whose escapes are those of Prometheus, or without. Returns it and the text after it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', '}'])?;
        let (value, rest) = text.split_at_checked(end)?;
        return Some((value.trim_end().to_owned(), rest));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, quoted.get(at + 1..)?)),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            other => value.push(other),
        }
    }
    None
}

fn invalid(text: &str, problem: &str) -> Error {
    Error::query(&format!("`{text}` names no series: {problem}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_and_its_labels_are_read() {
        let labels = |text: &str| {
            let selector = Selector::parse(text).unwrap();
            assert_eq!(selector.metric, "jobs_total", "{text}");
            selector.labels
        };
        let pair = |label: &str, value: &str| (label.to_owned(), value.to_owned());
        assert_eq!(labels("jobs_total"), []);
        assert_eq!(labels(" jobs_total {} "), []);
        assert_eq!(
            labels("jobs_total{queue=mail, kind=\"a \\\"b\\\", }\\n\",}"),
            [pair("queue", "mail"), pair("kind", "a \"b\", }\n")]
        );
    }

    #[test]
    fn what_cannot_be_read_is_an_error_that_says_why() {
        for (text, part) in [
            ("", "no metric's name"),
            ("9jobs", "no metric's name"),
            ("jobs total", "no metric's name"),
            ("jobs{queue}", "no `=`"),
            ("jobs{queue=\"a\"", "no `=`"),
            ("jobs{queue=\"a", "no end"),
            ("jobs{queue=a", "no end"),
            ("jobs{queue!=\"a\"}", "invalid name"),
            ("jobs{} by", "after `}`"),
        ] {
            let error = Selector::parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn a_label_that_is_missing_is_empty() {
        let selector = Selector::parse("jobs{a=1,b=\"\"}").unwrap();
        assert!(selector.matches(&[("a", "1".to_owned())]));
        assert!(!selector.matches(&[("a", "1".to_owned()), ("b", "2".to_owned())]));
        assert!(!selector.matches(&[("b", String::new())]));
    }
}
