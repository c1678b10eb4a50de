//! The rules as a file for Prometheus.

use std::time::Duration;

use super::bound::Bound;
use super::phase::MissingData;
use super::rule::{Rule, RuleMeasure};
use crate::history::MetricQuery;
use crate::model::json;

/// Rules as a file for Prometheus. [`Alerts::prometheus_rules`](super::Alerts::prometheus_rules) returns it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PrometheusRules {
    /// The file, in YAML. A comment lists the rules that are left out.
    pub yaml: String,
    /// The names of the rules that are left out, since Prometheus cannot express them, and why.
    pub left_out: Vec<(String, String)>,
}

/// Writes the rules as one group, which is evaluated at this interval.
pub(super) fn export(rules: &[Rule], interval: Duration) -> PrometheusRules {
    let mut entries = String::new();
    let mut left_out = Vec::new();
    for rule in rules {
        match expression(rule) {
            Ok(expression) => put_rule(&mut entries, rule, &expression),
            Err(reason) => left_out.push((rule.name.clone(), reason.to_owned())),
        }
    }
    let mut yaml = String::new();
    if !left_out.is_empty() {
        yaml.push_str("# Left out, since Prometheus cannot express them:\n");
        for (name, reason) in &left_out {
            yaml.push_str(&format!("# - {}: {reason}\n", quoted(name)));
        }
    }
    if entries.is_empty() {
        yaml.push_str("groups: []\n");
    } else {
        let interval = duration(interval);
        yaml.push_str(&format!(
            "groups:\n  - name: watchpost\n    interval: {interval}\n    rules:\n{entries}"
        ));
    }
    PrometheusRules { yaml, left_out }
}

fn put_rule(out: &mut String, rule: &Rule, expression: &str) {
    out.push_str(&format!("      - alert: {}\n", quoted(&rule.name)));
    out.push_str(&format!("        expr: {}\n", quoted(expression)));
    for (key, value) in [("for", rule.hold), ("keep_firing_for", rule.keep_firing)] {
        if value > Duration::ZERO {
            out.push_str(&format!("        {key}: {}\n", duration(value)));
        }
    }
    // A later label of one name replaces an earlier one, and the severity none of them.
    let mut labels: Vec<(&str, &str)> = Vec::new();
    let own = rule
        .labels
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in own.chain([("severity", rule.severity.as_str())]) {
        labels.retain(|(other, _)| *other != name);
        labels.push((name, value));
    }
    put_map(out, "labels", labels);
    let annotations = rule.annotations.iter();
    let annotations = annotations.map(|(name, text)| (name.as_str(), text.as_str()));
    let runbook = rule.runbook.as_deref().map(|url| ("runbook_url", url));
    put_map(out, "annotations", annotations.chain(runbook).collect());
}

fn put_map(out: &mut String, key: &str, entries: Vec<(&str, &str)>) {
    if entries.is_empty() {
        return;
    }
    out.push_str(&format!("        {key}:\n"));
    for (name, value) in entries {
        out.push_str(&format!("          {}: {}\n", quoted(name), quoted(value)));
    }
}

/// The condition of a rule in `PromQL`.
///
/// # Errors
///
/// Returns the reason why Prometheus cannot express the rule.
fn expression(rule: &Rule) -> Result<String, &'static str> {
    if rule.clear_bound() != rule.bound {
        return Err("the limit at which it clears is another one");
    }
    if rule.missing != MissingData::Resolve {
        return Err("it does not resolve if there are no data");
    }
    let mut expression = condition(&rule.measure, rule.bound)?;
    for (measure, bound) in &rule.also {
        let is_alone = measure.is_total() && !rule.is_total();
        let on = if is_alone { " on ()" } else { "" };
        let also = condition(measure, *bound)?;
        expression.push_str(&format!(" and{on} ({also})"));
    }
    if let Some(samples) = rule.samples().filter(|_| rule.min_samples > 0) {
        let samples = promql(&samples)?;
        expression.push_str(&format!(" and (({samples}) >= {})", rule.min_samples));
    }
    Ok(expression)
}

/// A value that is compared with a limit.
fn condition(measure: &RuleMeasure, bound: Bound) -> Result<String, &'static str> {
    let value = match measure {
        RuleMeasure::Value(query) => promql(query)?,
        RuleMeasure::Ratio { part, whole } => {
            let (part, whole) = (promql(part)?, promql(whole)?);
            // Where there is no part, it is zero; where the whole is zero, there is no value.
            format!("(({part}) or ({whole}) * 0) / (({whole}) != 0)")
        }
        // The bound of such a rule is part of it.
        RuleMeasure::Absent(query) => return Ok(format!("absent({})", promql(query)?)),
        RuleMeasure::Trend { .. } => return Err("its trend is the median of slopes"),
        RuleMeasure::Custom(_) => return Err("its values come from a function of the program"),
    };
    Ok(format!(
        "({value}) {} {:?}",
        bound.operator(),
        bound.limit()
    ))
}

fn promql(query: &MetricQuery) -> Result<String, &'static str> {
    query
        .promql()
        .ok_or("the name of a metric does not say what it is")
}

/// A duration as Prometheus reads it.
fn duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    if millis.is_multiple_of(1000) {
        format!("{}s", millis / 1000)
    } else {
        format!("{millis}ms")
    }
}

/// A string of YAML. Those of JSON are.
fn quoted(text: &str) -> String {
    let mut out = Vec::new();
    json::push_str(&mut out, text);
    String::from_utf8(out).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::default_rules::default_rules;
    use super::*;

    fn rule(query: MetricQuery) -> Rule {
        Rule::threshold("r", query, Bound::above(0.5)).missing_data(MissingData::Resolve)
    }

    #[test]
    fn a_rule_is_written_with_all_its_parts() {
        let errors = MetricQuery::increase("errors_total").by(["route"]);
        let all = MetricQuery::increase("requests_total").by(["route"]);
        let rule = Rule::ratio("high \"rate\"", errors, all.clone(), Bound::above(0.05))
            .and(MetricQuery::last("load").total(), Bound::at_least(2.0))
            .missing_data(MissingData::Resolve)
            .min_samples(20)
            .hold_for(Duration::from_secs(60))
            .keep_firing_for(Duration::from_millis(1500))
            .label("team", "web")
            .annotation("summary", "{{ $value }}")
            .runbook("https://runbook");
        let all = r#"sum by (route) (increase({__name__=\"requests_total\"}[300s]))"#;
        let errors = r#"sum by (route) (increase({__name__=\"errors_total\"}[300s]))"#;
        let load = r#"sum(last_over_time({__name__=\"load\"}[300s]))"#;
        let expected = format!(
            r#"groups:
  - name: watchpost
    interval: 30s
    rules:
      - alert: "high \"rate\""
        expr: "((({errors}) or ({all}) * 0) / (({all}) != 0)) > 0.05 and on () (({load}) >= 2.0) and (({all}) >= 20)"
        for: 60s
        keep_firing_for: 1500ms
        labels:
          "team": "web"
          "severity": "warning"
        annotations:
          "summary": "{{{{ $value }}}}"
          "runbook_url": "https://runbook"
"#
        );
        let exported = export(&[rule], Duration::from_secs(30));
        assert_eq!(exported.yaml, expected);
        assert!(exported.left_out.is_empty());
    }

    #[test]
    fn what_prometheus_cannot_express_is_listed() {
        let last = || MetricQuery::last("x").total();
        let rules = [
            rule(last()).clear_at(0.4),
            rule(last()).missing_data(MissingData::Keep),
            rule(last()).missing_data(MissingData::Fire),
            rule(MetricQuery::mean("x")),
            Rule::trend("r", last(), Duration::from_secs(60), Bound::above(0.0))
                .missing_data(MissingData::Resolve),
            Rule::custom("r", |_, _| Ok(Vec::new()), Bound::above(0.0))
                .missing_data(MissingData::Resolve),
        ];
        let exported = export(&rules, Duration::from_secs(30));
        assert_eq!(exported.left_out.len(), rules.len());
        assert!(exported.yaml.ends_with("groups: []\n"), "{}", exported.yaml);
        assert!(
            exported
                .yaml
                .contains("# - \"r\": its trend is the median of slopes\n")
        );
    }

    #[test]
    fn of_the_default_rules_only_the_trend_is_left_out() {
        let exported = export(&default_rules(), Duration::from_secs(30));
        let names: Vec<_> = exported
            .left_out
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(names, ["memory-leak"]);
    }
}
