//! The labels of alerts, and the texts that are made of them.

use std::borrow::Cow;
use std::hash::Hasher;

use siphasher::sip::SipHasher13;

use super::evaluate::AlertLabels;
use super::rule::Rule;

/// The label with the name of the rule, as in Prometheus.
const ALERTNAME: &str = "alertname";
const SEVERITY: &str = "severity";

/// The labels of an alert: those of the series, of the rule, its name and its severity.
pub(super) fn labels_of(rule: &Rule, series: &AlertLabels) -> AlertLabels {
    let own = rule.labels.iter().cloned();
    let own = own.chain([
        (SEVERITY.to_owned(), rule.severity.to_string()),
        (ALERTNAME.to_owned(), rule.name.clone()),
    ]);
    let mut labels = series.clone();
    for (name, value) in own {
        labels.retain(|(other, _)| *other != name);
        labels.push((name, value));
    }
    labels.sort();
    labels
}

/// A number for a rule and the labels of a series, which never changes.
pub(super) fn fingerprint(rule: &str, series: &AlertLabels) -> u64 {
    let parts = series
        .iter()
        .flat_map(|(name, value)| [name.as_str(), value]);
    hash_of(std::iter::once(rule).chain(parts))
}

/// A number for a list of texts, which never changes.
pub(super) fn hash_of<'a>(parts: impl Iterator<Item = &'a str>) -> u64 {
    let mut hasher = SipHasher13::new();
    for part in parts {
        hasher.write(part.as_bytes());
        // A byte that is in no text separates the parts.
        hasher.write_u8(0xff);
    }
    hasher.finish()
}

pub(super) fn label<'a>(labels: &'a [(String, String)], name: &str) -> &'a str {
    let found = labels.iter().find(|(label, _)| label == name);
    found.map_or("", |(_, value)| value)
}

/// Replaces the templates in a text. What is none stays as it is.
pub(super) fn render(text: &str, labels: &[(String, String)], value: Option<f64>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let Some((template, after)) = after.split_once("}}") else {
            out.push_str("{{");
            rest = after;
            continue;
        };
        if let Some(text) = expand(template.trim(), labels, value) {
            out.push_str(&text);
        } else {
            out.push_str("{{");
            out.push_str(template);
            out.push_str("}}");
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

fn expand<'a>(
    template: &str,
    labels: &'a [(String, String)],
    value: Option<f64>,
) -> Option<Cow<'a, str>> {
    if let Some(name) = template.strip_prefix("$labels.") {
        return Some(label(labels, name).into());
    }
    let format = template.strip_prefix("$value")?.trim();
    let Some(value) = value else {
        return Some("no value".into());
    };
    let text = match format {
        "" => value.to_string(),
        "| humanizePercentage" => format!("{}%", significant(value * 100.0)),
        "| humanizeDuration" => duration(value),
        "| humanize" => humanize(value),
        _ => return None,
    };
    Some(text.into())
}

/// A number with four significant digits.
pub(super) fn significant(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let digits = 3.0 - value.abs().log10().floor();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is between 0 and 12"
    )]
    let decimals = digits.clamp(0.0, 12.0) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// A number of seconds, as Prometheus writes it: `1h 2m 3s`.
pub(super) fn duration(seconds: f64) -> String {
    if !seconds.is_finite() {
        return seconds.to_string();
    }
    if seconds.abs() < 1.0 {
        return format!("{}ms", significant(seconds * 1000.0));
    }
    let sign = if seconds < 0.0 { "-" } else { "" };
    if seconds.abs() < 60.0 {
        return format!("{}s", significant(seconds));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates, and the number is positive"
    )]
    let whole = seconds.abs() as u64;
    let (days, hours, minutes) = (whole / 86_400, whole / 3600 % 24, whole / 60 % 60);
    let seconds = whole % 60;
    if days > 0 {
        format!("{sign}{days}d {hours}h {minutes}m {seconds}s")
    } else if hours > 0 {
        format!("{sign}{hours}h {minutes}m {seconds}s")
    } else {
        format!("{sign}{minutes}m {seconds}s")
    }
}

/// A number with an SI prefix: `1.5M`.
fn humanize(value: f64) -> String {
    let mut value = value;
    for prefix in ["", "k", "M", "G", "T"] {
        if value.abs() < 1000.0 || prefix == "T" || !value.is_finite() {
            return format!("{}{prefix}", significant(value));
        }
        value /= 1000.0;
    }
    significant(value)
}

#[cfg(test)]
mod tests {
    use super::super::alert::Severity;
    use super::super::bound::Bound;
    use super::*;
    use crate::history::MetricQuery;

    fn set(labels: &[(&str, &str)]) -> AlertLabels {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        labels.iter().map(owned).collect()
    }

    #[test]
    fn templates_are_replaced_and_other_texts_stay() {
        let labels = set(&[("route", "/a")]);
        for (text, expected) in [
            ("{{ $labels.route }}: {{$value}}", "/a: 0.0512345"),
            ("{{ $value | humanizePercentage }}", "5.123%"),
            ("{{ $value | humanizeDuration }}", "51.23ms"),
            (
                "{{ $labels.none }}|{{ $other }}|{{ open",
                "|{{ $other }}|{{ open",
            ),
        ] {
            assert_eq!(render(text, &labels, Some(0.051_234_5)), expected);
        }
        assert_eq!(render("{{ $value }}", &labels, None), "no value");
        assert_eq!(
            render("{{ $value | humanizeDuration }}", &labels, Some(3723.0)),
            "1h 2m 3s"
        );
        assert_eq!(
            render("{{ $value | humanize }}", &labels, Some(1_500_000.0)),
            "1.5M"
        );
        assert_eq!(
            render("{{ $value | humanize }}", &labels, Some(1234.0)),
            "1.234k"
        );
    }

    #[test]
    fn the_labels_of_a_rule_win_and_the_fingerprint_is_of_the_series() {
        let rule = Rule::threshold("high", MetricQuery::last("x"), Bound::above(1.0))
            .severity(Severity::Critical)
            .label("route", "all");
        let series = set(&[("route", "/a"), ("zone", "1")]);
        let expected = set(&[
            ("alertname", "high"),
            ("route", "all"),
            ("severity", "critical"),
            ("zone", "1"),
        ]);
        assert_eq!(labels_of(&rule, &series), expected);
        // These numbers are in files and at receivers, so they never change.
        assert_eq!(
            fingerprint("high", &series),
            fingerprint("high", &series.clone())
        );
        assert_ne!(
            fingerprint("high", &set(&[("ab", "c")])),
            fingerprint("high", &set(&[("a", "bc")]))
        );
    }
}
