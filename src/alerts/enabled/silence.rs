use std::fmt;
use std::time::SystemTime;

use super::labels::label;
use crate::error::{Error, Result};

/// A condition on a label of alerts: that it has a value, or that it has another. A label that is missing is empty.
///
/// ```
/// use watchpost::alerts::LabelMatcher;
///
/// let matcher: LabelMatcher = "severity!=critical".parse().unwrap();
/// assert_eq!(matcher, LabelMatcher::is_not("severity", "critical"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LabelMatcher {
    pub(super) label: String,
    pub(super) value: String,
    pub(super) is_negated: bool,
}

impl LabelMatcher {
    /// The label has this value.
    pub fn is(label: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            value: value.into(),
            is_negated: false,
        }
    }

    /// The label has another value.
    pub fn is_not(label: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            is_negated: true,
            ..Self::is(label, value)
        }
    }

    pub(super) fn matches(&self, labels: &[(String, String)]) -> bool {
        (label(labels, &self.label) == self.value) != self.is_negated
    }
}

/// Whether labels match all of these. Without any, they do not.
pub(super) fn match_all(matchers: &[LabelMatcher], labels: &[(String, String)]) -> bool {
    !matchers.is_empty() && matchers.iter().all(|matcher| matcher.matches(labels))
}

/// Reads `label=value` or `label!=value`.
impl std::str::FromStr for LabelMatcher {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let split =
            |(label, value): (&str, &str)| (label.trim().to_owned(), value.trim().to_owned());
        let found = text.split_once("!=").map(|parts| (split(parts), true));
        let found = found.or_else(|| Some((split(text.split_once('=')?), false)));
        match found {
            Some(((label, value), is_negated)) if !label.is_empty() => Ok(Self {
                label,
                value,
                is_negated,
            }),
            _ => Err(Error::alert(&format!(
                "`{text}` is no matcher: write `label=value` or `label!=value`"
            ))),
        }
    }
}

/// Writes `label=value`.
impl fmt::Display for LabelMatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operator = if self.is_negated { "!=" } else { "=" };
        write!(f, "{}{operator}{}", self.label, self.value)
    }
}

/// Hides alerts for a time: they keep their state, and are not announced. The end of what was announced is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Silence {
    /// Identifies the silence.
    pub number: u64,
    /// The alerts that are hidden: those that match all of these.
    pub matchers: Vec<LabelMatcher>,
    /// The begin.
    pub starts: SystemTime,
    /// The end.
    pub ends: SystemTime,
    /// Who wanted it.
    pub author: String,
    /// Why.
    pub comment: String,
}

impl Silence {
    pub(super) fn hides(&self, labels: &[(String, String)], now: SystemTime) -> bool {
        self.starts <= now && now < self.ends && match_all(&self.matchers, labels)
    }
}

/// An alert that hides others: while an alert that matches `source` fires, those that match `target` and have the same
/// values of the labels `equal` are not announced.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inhibition {
    /// The alerts that hide others.
    pub source: Vec<LabelMatcher>,
    /// The alerts that are hidden.
    pub target: Vec<LabelMatcher>,
    /// The labels that both have in common. A label that is missing is empty.
    pub equal: Vec<String>,
}

impl Inhibition {
    /// Creates an inhibition.
    pub fn new(
        source: impl IntoIterator<Item = LabelMatcher>,
        target: impl IntoIterator<Item = LabelMatcher>,
        equal: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        Self {
            source: source.into_iter().collect(),
            target: target.into_iter().collect(),
            equal: equal.into_iter().map(Into::into).collect(),
        }
    }

    /// Whether a firing alert with the labels `source` hides one with the labels `target`. An alert that matches both sides
    /// hides none of its kind, and not itself.
    pub(super) fn hides(&self, source: &[(String, String)], target: &[(String, String)]) -> bool {
        let is_both = match_all(&self.source, target) && match_all(&self.target, source);
        match_all(&self.source, source)
            && match_all(&self.target, target)
            && !is_both
            && self
                .equal
                .iter()
                .all(|name| label(source, name) == label(target, name))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn set(labels: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        labels.iter().map(owned).collect()
    }

    #[test]
    fn matchers_are_read_and_written() {
        for text in ["a=b", "a!=b", "a=", "a=b=c"] {
            assert_eq!(text.parse::<LabelMatcher>().unwrap().to_string(), text);
        }
        for text in ["", "a", "=b", "!=b"] {
            let error = text.parse::<LabelMatcher>().unwrap_err().to_string();
            assert!(error.contains("label=value"), "{error}");
        }
        assert!(!match_all(&[], &set(&[("a", "b")])));
        assert!(match_all(
            &[LabelMatcher::is("none", "")],
            &set(&[("a", "b")])
        ));
    }

    #[test]
    fn a_silence_hides_in_its_time() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let silence = Silence {
            number: 1,
            matchers: vec![
                LabelMatcher::is("route", "/a"),
                LabelMatcher::is_not("zone", "1"),
            ],
            starts: at(10),
            ends: at(20),
            author: "ada".to_owned(),
            comment: String::new(),
        };
        let labels = set(&[("route", "/a"), ("zone", "2")]);
        let hides = [9, 10, 19, 20].map(|second| silence.hides(&labels, at(second)));
        assert_eq!(hides, [false, true, true, false]);
        assert!(!silence.hides(&set(&[("route", "/a"), ("zone", "1")]), at(15)));
    }

    #[test]
    fn an_alert_hides_those_with_equal_labels_and_not_itself() {
        let inhibition = Inhibition::new(
            [LabelMatcher::is("severity", "critical")],
            [LabelMatcher::is_not("severity", "info")],
            ["route", "zone"],
        );
        let critical = set(&[("route", "/a"), ("severity", "critical")]);
        let warning = |route| set(&[("route", route), ("severity", "warning")]);
        assert!(inhibition.hides(&critical, &warning("/a")));
        assert!(!inhibition.hides(&critical, &warning("/b")));
        assert!(!inhibition.hides(&critical, &critical));
        assert!(!inhibition.hides(&warning("/a"), &critical));
        // A missing label is empty.
        let zoned = set(&[("route", "/a"), ("severity", "warning"), ("zone", "1")]);
        assert!(!inhibition.hides(&critical, &zoned));
    }
}
