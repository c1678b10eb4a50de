use std::borrow::Cow;

use metrics_exporter_prometheus::formatting::sanitize_label_key;

use crate::model::prefix;

/// The maximum number of labels of one series.
const MAX_LABELS: usize = 16;
/// The maximum length of a label's name, in bytes.
const MAX_KEY: usize = 128;
/// The maximum length of a label's value, in bytes.
const MAX_VALUE: usize = 256;

/// The labels of the overflow series, which counts the label sets beyond the limit.
pub(super) const OVERFLOW: &str = "otel_metric_overflow=\"true\"";

/// A label set in canonical form, as it is exposed: `key="value",..`, sorted by key and escaped.
///
/// Two sets are one series if and only if their texts are equal. Label sets that Prometheus cannot distinguish (`a.b`
/// and `a_b`, an empty value and a missing label) are therefore one series here too.
#[derive(Debug, Default)]
pub(super) struct LabelSet {
    pub(super) text: String,
    /// The number of labels that were cut or left out.
    pub(super) truncated: u64,
}

impl LabelSet {
    /// The labels of `base`, which is canonical, and `more`. If a key occurs twice, the later value wins. `reserved` is
    /// a key that the metric's own samples use.
    pub(super) fn new<'a>(
        base: &str,
        more: impl IntoIterator<Item = (Cow<'a, str>, Cow<'a, str>)>,
        reserved: Option<&str>,
    ) -> Self {
        let mut truncated = 0;
        // The base is canonical, so its values are escaped already and stay as they are.
        let mut all: Vec<(Cow<'_, str>, String)> = pairs(base)
            .map(|(key, value)| (key.into(), value.to_owned()))
            .collect();
        for (key, value) in more {
            let (short_key, short_value) = (prefix(&key, MAX_KEY), prefix(&value, MAX_VALUE));
            if short_key.len() < key.len() || short_value.len() < value.len() {
                truncated += 1;
            }
            let key = label_key(short_key, reserved);
            // The place of an earlier value with this key. An empty value removes the label, because Prometheus treats
            // both alike.
            let same = all.iter().position(|(other, _)| *other == key);
            match (same, short_value.is_empty() || key.is_empty()) {
                (Some(at), true) => {
                    all.remove(at);
                }
                (None, true) => {}
                (Some(at), false) => {
                    if let Some((_, old)) = all.get_mut(at) {
                        *old = escaped(short_value);
                    }
                }
                (None, false) if all.len() == MAX_LABELS => truncated += 1,
                (None, false) => all.push((key.into(), escaped(short_value))),
            }
        }
        // The order makes the text canonical: two calls with the same labels in another order find the same series.
        all.sort_unstable();
        let mut text = String::with_capacity(all.iter().map(|(k, v)| k.len() + v.len() + 4).sum());
        for (key, value) in &all {
            if !text.is_empty() {
                text.push(',');
            }
            text.push_str(key);
            text.push_str("=\"");
            text.push_str(value);
            text.push('"');
        }
        text.shrink_to_fit();
        Self { text, truncated }
    }
}

/// The keys and escaped values of a canonical text.
pub(super) fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (key, after) = rest.split_once("=\"")?;
        let mut escape = false;
        let end = after.bytes().position(|byte| {
            let quote = byte == b'"' && !escape;
            escape = byte == b'\\' && !escape;
            quote
        })?;
        rest = after.get(end + 1..).unwrap_or_default();
        rest = rest.strip_prefix(',').unwrap_or(rest);
        Some((key, after.get(..end)?))
    })
}

fn label_key(raw: &str, reserved: Option<&str>) -> String {
    let mut key = sanitize_label_key(raw);
    // Names with two leading underscores are reserved by Prometheus: `__name__` would rename the metric.
    while key.starts_with("__") {
        key.remove(0);
    }
    if Some(key.as_str()) == reserved {
        key.insert_str(0, "exported_");
    }
    key
}

/// Escapes a label's value. (The exporter's `sanitize_label_value` leaves two backslashes as they are, as if they were
/// escaped already, so that two different values would become equal.)
pub(super) fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
    out
}

/// The labels of a canonical text, with their values unescaped.
#[cfg(any(feature = "history", feature = "otlp"))]
pub(crate) fn label_pairs(text: &str) -> impl Iterator<Item = (&str, String)> {
    pairs(text).map(|(label, value)| (label, unescaped(value)))
}

/// The canonical text of those of the labels of a canonical text that are wanted.
#[cfg(feature = "history")]
pub(crate) fn labels_among(text: &str, wanted: &[&str]) -> String {
    let mut among = String::new();
    for (label, value) in pairs(text).filter(|(label, _)| wanted.contains(label)) {
        if !among.is_empty() {
            among.push(',');
        }
        for part in [label, "=\"", value, "\""] {
            among.push_str(part);
        }
    }
    among
}

/// The value of a label in a canonical text, unescaped. Allocates only if it has escapes.
#[cfg(feature = "history")]
pub(crate) fn label_value<'a>(text: &'a str, label: &str) -> Option<Cow<'a, str>> {
    let (_, value) = pairs(text).find(|(name, _)| *name == label)?;
    Some(if value.contains('\\') {
        Cow::Owned(unescaped(value))
    } else {
        Cow::Borrowed(value)
    })
}

/// The value of an escaped label.
#[cfg(any(
    feature = "history",
    feature = "native-histograms",
    feature = "otlp",
    test
))]
pub(super) fn unescaped(value: &str) -> String {
    let mut out = String::new();
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => out.push('\n'),
                other => out.extend(other),
            },
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn canonical(base: &str, more: &[(&str, &str)]) -> String {
        let more = more.iter().map(|(k, v)| ((*k).into(), (*v).into()));
        LabelSet::new(base, more, Some("le")).text
    }

    #[test]
    fn a_set_is_sorted_escaped_and_free_of_what_prometheus_reserves() {
        let base = canonical("", &[("route", "/a"), ("http.method", "GE\"T\n\\")]);
        assert_eq!(base, r#"http_method="GE\"T\n\\",route="/a""#);
        let more = canonical(&base, &[("http.method", "PUT"), ("a", ","), ("b", "")]);
        assert_eq!(more, r#"a=",",http_method="PUT",route="/a""#);
        assert_eq!(
            canonical("", &[("le", "1"), ("__name__", "x")]),
            r#"_name__="x",exported_le="1""#
        );
        assert_eq!(
            canonical(&base, &[("route", "")]),
            canonical("", &[("http_method", "GE\"T\n\\")])
        );
    }

    #[cfg(feature = "history")]
    #[test]
    fn one_value_is_found() {
        let text = canonical("", &[("a", "x,b=\"y\""), ("b", "z"), ("c", "\\\n")]);
        let value = |label| label_value(&text, label);
        assert_eq!(value("a").as_deref(), Some("x,b=\"y\""));
        assert!(matches!(value("b"), Some(Cow::Borrowed("z"))));
        assert_eq!(value("c").as_deref(), Some("\\\n"));
        assert_eq!(value("d"), None);
    }

    #[test]
    fn what_is_over_a_limit_is_cut_and_counted() {
        let long = "ä".repeat(200);
        let labels = LabelSet::new("", [("k".into(), long.as_str().into())], None);
        assert_eq!((labels.text.len(), labels.truncated), (256 + 4, 1));
        let many = (0..20).map(|n| (format!("k{n}").into(), "v".into()));
        let labels = LabelSet::new("", many, None);
        assert_eq!((pairs(&labels.text).count(), labels.truncated), (16, 4));
    }

    proptest! {
        #[test]
        fn any_value_parses_back(values in proptest::collection::vec(".{0,60}|[\\\\\"\n,=]{0,20}", 0..8)) {
            let more = values.iter().enumerate().map(|(n, v)| (format!("k{n}").into(), v.into()));
            let text = LabelSet::new("", more, None).text;
            let back: Vec<String> = pairs(&text).map(|(_, value)| unescaped(value)).collect();
            let kept: Vec<String> = values.into_iter().filter(|v| !v.is_empty()).collect();
            prop_assert_eq!(back, kept);
            prop_assert!(!text.contains('\n'));
        }
    }
}
