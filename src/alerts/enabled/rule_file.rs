//! Rules in a TOML file.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::alert::Severity;
use super::bound::Bound;
use super::phase::MissingData;
use super::rule::Rule;
use super::silence::{Inhibition, LabelMatcher};
use crate::history::{Aggregation, MetricQuery};

/// The maximum number of problems that are listed.
const MAX_PROBLEMS: usize = 20;

/// The keys of a query.
const QUERY: [&str; 8] = [
    "metric",
    "function",
    "rank",
    "window",
    "where",
    "where_not",
    "by",
    "aggregation",
];
/// The keys of a limit.
const BOUNDS: [(&str, &str); 4] = [
    ("above", ">"),
    ("at_least", ">="),
    ("below", "<"),
    ("at_most", "<="),
];
/// The other keys of a rule.
const RULE: [&str; 17] = [
    "name",
    "divided_by",
    "trend",
    "absent",
    "and",
    "clear_at",
    "for",
    "keep_firing_for",
    "missing_data",
    "stale_after",
    "min_samples",
    "severity",
    "labels",
    "annotations",
    "runbook",
    "cooldown",
    "repeat",
];

/// What a file contains.
#[derive(Debug, Default)]
pub(super) struct RuleFile {
    pub(super) rules: Vec<Rule>,
    pub(super) inhibitions: Vec<Inhibition>,
}

/// Reads a file.
///
/// # Errors
///
/// Returns the problems, each with its line.
pub(super) fn parse(text: &str) -> Result<RuleFile, Vec<String>> {
    let mut reader = FileReader {
        text,
        problems: Vec::new(),
    };
    let table = match DeTable::parse(text) {
        Ok(table) => table,
        Err(error) => {
            let at = error.span().map_or(text.len(), |span| span.start);
            reader.problem(&(at..at), &format!("not TOML ({})", error.message()));
            return Err(reader.problems);
        }
    };
    let file = reader.file(&table);
    if reader.problems.is_empty() {
        Ok(file)
    } else {
        Err(reader.problems)
    }
}

struct FileReader<'a> {
    text: &'a str,
    problems: Vec<String>,
}

type TomlValue<'a> = Spanned<DeValue<'a>>;

impl FileReader<'_> {
    fn problem(&mut self, at: &Range<usize>, text: &str) {
        if self.problems.len() < MAX_PROBLEMS {
            let before = self.text.get(..at.start).unwrap_or_default();
            let line = 1 + before.matches('\n').count();
            self.problems.push(format!("line {line}: {text}"));
        }
    }

    fn file(&mut self, table: &Spanned<DeTable<'_>>) -> RuleFile {
        self.known(table.get_ref(), &["rule", "inhibit"]);
        let mut file = RuleFile::default();
        let mut names = BTreeSet::new();
        for (value, rule) in self.tables(table.get_ref(), "rule") {
            let Some(rule) = self.rule(&value, rule) else {
                continue;
            };
            if let Err(error) = rule.check() {
                self.problem(&value, &error.to_string());
            }
            if !names.insert(rule.name.clone()) {
                self.problem(&value, &format!("there are two rules `{}`", rule.name));
            }
            file.rules.push(rule);
        }
        for (_, inhibition) in self.tables(table.get_ref(), "inhibit") {
            self.known(inhibition, &["source", "target", "equal"]);
            let source = self.matchers(inhibition, "source");
            let target = self.matchers(inhibition, "target");
            let equal = self.texts(inhibition, "equal").unwrap_or_default();
            let new = Inhibition::new(source, target, equal);
            file.inhibitions.push(new);
        }
        file
    }

    fn rule(&mut self, at: &Range<usize>, table: &DeTable<'_>) -> Option<Rule> {
        let mut known = QUERY.to_vec();
        known.extend(RULE);
        known.extend(BOUNDS.map(|(key, _)| key));
        self.known(table, &known);
        let name = self.text(table, "name");
        let Some(name) = name else {
            self.problem(at, "a rule needs a `name`");
            return None;
        };
        let query = self.query(at, table)?;
        let is_absent = self.flag(table, "absent").unwrap_or(false);
        let mut rule = if is_absent {
            Rule::absent(name, query)
        } else {
            let bound = self.bound(at, table)?;
            let whole = self.table(table, "divided_by");
            let whole = whole.map(|(at, whole)| {
                self.known(whole, &QUERY);
                self.query(&at, whole)
            });
            match (whole, self.duration(table, "trend")) {
                (None, None) => Rule::threshold(name, query, bound),
                (Some(whole), None) => Rule::ratio(name, query, whole?, bound),
                (None, Some(over)) => Rule::trend(name, query, over, bound),
                (Some(_), Some(_)) => {
                    self.problem(at, "a rule has `divided_by` or `trend`, not both");
                    return None;
                }
            }
        };
        for (at, also) in self.tables(table, "and") {
            let mut known = QUERY.to_vec();
            known.extend(BOUNDS.map(|(key, _)| key));
            self.known(also, &known);
            rule = rule.and(self.query(&at, also)?, self.bound(&at, also)?);
        }
        Some(self.options(table, rule))
    }

    fn options(&mut self, table: &DeTable<'_>, mut rule: Rule) -> Rule {
        if let Some(limit) = self.number(table, "clear_at") {
            rule = rule.clear_at(limit);
        }
        if let Some(hold) = self.duration(table, "for") {
            rule = rule.hold_for(hold);
        }
        if let Some(keep) = self.duration(table, "keep_firing_for") {
            rule = rule.keep_firing_for(keep);
        }
        if let Some(cooldown) = self.duration(table, "cooldown") {
            rule = rule.cooldown(cooldown);
        }
        if let Some(repeat) = self.duration(table, "repeat") {
            rule = rule.repeat(repeat);
        }
        let missing = [
            ("keep", MissingData::Keep),
            ("resolve", MissingData::Resolve),
            ("fire", MissingData::Fire),
        ];
        if let Some(missing) = self.one_of(table, "missing_data", &missing) {
            rule = rule.missing_data(missing);
        }
        let severities = [
            ("critical", Severity::Critical),
            ("warning", Severity::Warning),
            ("info", Severity::Info),
        ];
        if let Some(severity) = self.one_of(table, "severity", &severities) {
            rule = rule.severity(severity);
        }
        if let Some(evaluations) = self.whole(table, "stale_after") {
            rule = rule.stale_after(u32::try_from(evaluations).unwrap_or(u32::MAX));
        }
        if let Some(samples) = self.whole(table, "min_samples") {
            rule = rule.min_samples(samples);
        }
        if let Some(url) = self.text(table, "runbook") {
            rule = rule.runbook(url);
        }
        for (name, value) in self.map(table, "labels") {
            rule = rule.label(name, value);
        }
        for (name, value) in self.map(table, "annotations") {
            rule = rule.annotation(name, value);
        }
        rule
    }

    fn query(&mut self, at: &Range<usize>, table: &DeTable<'_>) -> Option<MetricQuery> {
        let Some(metric) = self.text(table, "metric") else {
            self.problem(at, "a query needs the `metric` that it reads");
            return None;
        };
        let rank = self.number(table, "rank");
        let functions = [
            "last",
            "mean",
            "min",
            "max",
            "increase",
            "rate",
            "sum_increase",
            "quantile",
        ];
        let functions = functions.map(|name| (name, name));
        let function = self.one_of(table, "function", &functions).unwrap_or("last");
        let mut query = match (function, rank) {
            ("mean", _) => MetricQuery::mean(metric),
            ("min", _) => MetricQuery::min(metric),
            ("max", _) => MetricQuery::max(metric),
            ("increase", _) => MetricQuery::increase(metric),
            ("rate", _) => MetricQuery::rate(metric),
            ("sum_increase", _) => MetricQuery::sum_increase(metric),
            ("quantile", Some(rank)) => MetricQuery::quantile(rank, metric),
            ("quantile", None) => {
                self.problem(at, "a quantile needs its `rank`, such as 0.95");
                return None;
            }
            _ => MetricQuery::last(metric),
        };
        if let Some(window) = self.duration(table, "window") {
            query = query.window(window);
        }
        for (label, values) in self.value_lists(table, "where") {
            query = query.label_in(label, values);
        }
        for (label, values) in self.value_lists(table, "where_not") {
            query = query.label_not_in(label, values);
        }
        if let Some(labels) = self.texts(table, "by") {
            query = query.by(labels);
        }
        let aggregations = [
            ("sum", Aggregation::Sum),
            ("mean", Aggregation::Mean),
            ("min", Aggregation::Min),
            ("max", Aggregation::Max),
        ];
        if let Some(aggregation) = self.one_of(table, "aggregation", &aggregations) {
            query = query.aggregation(aggregation);
        }
        Some(query)
    }

    fn bound(&mut self, at: &Range<usize>, table: &DeTable<'_>) -> Option<Bound> {
        let mut found = Vec::new();
        for (key, operator) in BOUNDS {
            if let Some(limit) = self.number(table, key) {
                found.extend(Bound::of_operator(operator, limit));
            }
        }
        if let [bound] = found[..] {
            return Some(bound);
        }
        self.problem(
            at,
            "exactly one of `above`, `at_least`, `below` and `at_most` is needed",
        );
        None
    }

    /// Reports the keys that are not known.
    fn known(&mut self, table: &DeTable<'_>, keys: &[&str]) {
        for key in table.keys() {
            if !keys.contains(&key.get_ref().as_ref()) {
                self.problem(&key.span(), &format!("there is no key `{}`", key.get_ref()));
            }
        }
    }

    /// The value of a key, if it has the right type.
    fn typed<'v, 'd, T>(
        &mut self,
        table: &'v DeTable<'d>,
        key: &str,
        wanted: &str,
        read: impl Fn(&'v DeValue<'d>) -> Option<T>,
    ) -> Option<T> {
        let value: &'v TomlValue<'d> = table.get(key)?;
        let found = read(value.get_ref());
        if found.is_none() {
            self.problem(&value.span(), &format!("`{key}` has to be {wanted}"));
        }
        found
    }

    fn text(&mut self, table: &DeTable<'_>, key: &str) -> Option<String> {
        self.typed(table, key, "a text", text_of)
    }

    fn number(&mut self, table: &DeTable<'_>, key: &str) -> Option<f64> {
        self.typed(table, key, "a number", |value| match value {
            DeValue::Integer(number) => number.to_string().parse().ok(),
            DeValue::Float(number) => number.as_str().replace('_', "").parse().ok(),
            _ => None,
        })
    }

    fn whole(&mut self, table: &DeTable<'_>, key: &str) -> Option<u64> {
        self.typed(table, key, "a whole number", |value| match value {
            DeValue::Integer(number) => number.to_string().parse().ok(),
            _ => None,
        })
    }

    fn flag(&mut self, table: &DeTable<'_>, key: &str) -> Option<bool> {
        self.typed(table, key, "`true` or `false`", |value| match value {
            DeValue::Boolean(flag) => Some(*flag),
            _ => None,
        })
    }

    fn duration(&mut self, table: &DeTable<'_>, key: &str) -> Option<Duration> {
        self.typed(
            table,
            key,
            "a duration such as \"30s\", \"5m\" or \"2h\"",
            |value| duration_of(&text_of(value)?),
        )
    }

    fn one_of<T: Copy>(&mut self, table: &DeTable<'_>, key: &str, all: &[(&str, T)]) -> Option<T> {
        let names: Vec<_> = all.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        let wanted = format!("one of {}", names.join(", "));
        self.typed(table, key, &wanted, |value| {
            let text = text_of(value)?;
            let found = all.iter().find(|(name, _)| *name == text);
            found.map(|(_, value)| *value)
        })
    }

    fn texts(&mut self, table: &DeTable<'_>, key: &str) -> Option<Vec<String>> {
        self.typed(table, key, "a list of texts", texts_of)
    }

    fn map(&mut self, table: &DeTable<'_>, key: &str) -> Vec<(String, String)> {
        let entries = self.typed(table, key, "a table of texts", |value| {
            let DeValue::Table(table) = value else {
                return None;
            };
            let entry = |(key, value): (&Spanned<_>, &TomlValue<'_>)| {
                Some((
                    String::from(AsRef::<str>::as_ref(key.get_ref())),
                    text_of(value.get_ref())?,
                ))
            };
            table.iter().map(entry).collect::<Option<Vec<_>>>()
        });
        entries.unwrap_or_default()
    }

    /// Labels, each with a value or a list of values.
    fn value_lists(&mut self, table: &DeTable<'_>, key: &str) -> Vec<(String, Vec<String>)> {
        let entries = self.typed(
            table,
            key,
            "a table of labels, each with a text or a list of texts",
            |value| {
                let DeValue::Table(table) = value else {
                    return None;
                };
                let mut all = Vec::new();
                for (key, value) in table {
                    let one = text_of(value.get_ref()).map(|text| vec![text]);
                    all.push((
                        key.get_ref().to_string(),
                        one.or_else(|| texts_of(value.get_ref()))?,
                    ));
                }
                Some(all)
            },
        );
        entries.unwrap_or_default()
    }

    fn matchers(&mut self, table: &DeTable<'_>, key: &str) -> Vec<LabelMatcher> {
        let all = self.typed(
            table,
            key,
            "a list such as [\"severity=critical\"]",
            |value| {
                let texts = texts_of(value)?;
                texts
                    .iter()
                    .map(|text| text.parse().ok())
                    .collect::<Option<Vec<_>>>()
            },
        );
        all.unwrap_or_default()
    }

    fn table<'v, 'd>(
        &mut self,
        table: &'v DeTable<'d>,
        key: &str,
    ) -> Option<(Range<usize>, &'v DeTable<'d>)> {
        let span = table.get(key)?.span();
        let inner = self.typed(table, key, "a table", |value| match value {
            DeValue::Table(inner) => Some(inner),
            _ => None,
        });
        Some((span, inner?))
    }

    fn tables<'v, 'd>(
        &mut self,
        table: &'v DeTable<'d>,
        key: &str,
    ) -> Vec<(Range<usize>, &'v DeTable<'d>)> {
        let all = self.typed(table, key, "a list of tables", |value| {
            let DeValue::Array(all) = value else {
                return None;
            };
            let table = |value: &'v TomlValue<'d>| match value.get_ref() {
                DeValue::Table(table) => Some((value.span(), table)),
                _ => None,
            };
            all.iter().map(table).collect::<Option<Vec<_>>>()
        });
        all.unwrap_or_default()
    }
}

fn text_of(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        _ => None,
    }
}

fn texts_of(value: &DeValue<'_>) -> Option<Vec<String>> {
    match value {
        DeValue::Array(all) => all.iter().map(|text| text_of(text.get_ref())).collect(),
        _ => None,
    }
}

/// A whole number of one unit, at most ten years.
fn duration_of(text: &str) -> Option<Duration> {
    let unit = text.find(|char: char| !char.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(unit)?;
    let number: u64 = number.parse().ok()?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    let duration = Duration::from_millis(number.checked_mul(millis)?);
    (duration <= Duration::from_secs(3650 * 86_400)).then_some(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_is_read() {
        let file = parse(
            r#"
[[rule]]
name = "high"
metric = "errors_total"
function = "increase"
window = "10m"
where = { status = ["500", "502"], zone = "a" }
where_not = { route = "/health" }
by = ["route"]
divided_by = { metric = "requests_total", function = "increase", by = ["route"] }
and = [{ metric = "load", above = 2, by = [], aggregation = "max" }]
above = 0.05
clear_at = 0.04
for = "1m"
keep_firing_for = "90s"
missing_data = "resolve"
stale_after = 7
min_samples = 20
severity = "critical"
cooldown = "5m"
repeat = "1d"
runbook = "https://runbook"
labels = { team = "web" }
annotations = { summary = "{{ $value }}" }

[[rule]]
name = "slow"
metric = "duration_seconds"
function = "quantile"
rank = 0.99
at_least = 1

[[rule]]
name = "leak"
metric = "memory"
trend = "30m"
below = -1.5

[[rule]]
name = "gone"
metric = "up"
absent = true

[[inhibit]]
source = ["severity=critical"]
target = ["severity!=critical"]
equal = ["route"]
"#,
        )
        .unwrap();
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        let part = MetricQuery::increase("errors_total")
            .window(minutes(10))
            .label_in("status", ["500", "502"])
            .label("zone", "a")
            .label_not_in("route", ["/health"])
            .by(["route"]);
        let whole = MetricQuery::increase("requests_total").by(["route"]);
        let load = MetricQuery::last("load")
            .total()
            .aggregation(Aggregation::Max);
        let high = Rule::ratio("high", part, whole, Bound::above(0.05))
            .and(load, Bound::above(2.0))
            .clear_at(0.04)
            .hold_for(minutes(1))
            .keep_firing_for(Duration::from_secs(90))
            .missing_data(MissingData::Resolve)
            .stale_after(7)
            .min_samples(20)
            .severity(Severity::Critical)
            .cooldown(minutes(5))
            .repeat(minutes(1440))
            .runbook("https://runbook")
            .label("team", "web")
            .annotation("summary", "{{ $value }}");
        let slow = MetricQuery::quantile(0.99, "duration_seconds");
        let expected = [
            high,
            Rule::threshold("slow", slow, Bound::at_least(1.0)),
            Rule::trend(
                "leak",
                MetricQuery::last("memory"),
                minutes(30),
                Bound::below(-1.5),
            ),
            Rule::absent("gone", MetricQuery::last("up")),
        ];
        let text = |rules: &[Rule]| {
            rules
                .iter()
                .map(|rule| format!("{rule:?}\n"))
                .collect::<String>()
        };
        assert_eq!(text(&file.rules), text(&expected));
        assert_eq!(file.inhibitions.len(), 1);
    }

    #[test]
    fn a_problem_has_its_line() {
        for (text, problem) in [
            ("[[rule]]\nname = ", "line 2: not TOML"),
            ("a = 1", "line 1: there is no key `a`"),
            ("rule = 3", "line 1: `rule` has to be a list of tables"),
            (
                "\n[[rule]]\nmetric = \"x\"\nabove = 1",
                "line 2: a rule needs a `name`",
            ),
            (
                "[[rule]]\nname = \"a\"\nabove = 1",
                "line 1: a query needs the `metric`",
            ),
            (
                "[[rule]]\nname = \"a\"\nmetric = \"x\"",
                "line 1: exactly one of `above`",
            ),
            (
                "[[rule]]\nname = \"a\"\nmetric = \"x\"\nabove = 1\nbelow = 2",
                "line 1: exactly one of `above`",
            ),
            (
                "[[rule]]\nname = \"a\"\nmetric = \"x\"\nabove = \"1\"",
                "line 4: `above` has to be a number",
            ),
            (
                "[[rule]]\nname = \"a\"\nmetric = \"x\"\nabove = 1\nfor = 60",
                "line 5: `for` has to be a duration",
            ),
            (
                "[[rule]]\nname = \"a\"\nmetric = \"x\"\nabove = 1\nfor = \"60 s\"",
                "line 5: `for` has to be a duration",
            ),
            (
                "[[rule]]\nname = \"a\"\nmetric = \"x\"\nabove = 1\nclear_at = 2",
                "line 1: rule `a`: an alert can end only",
            ),
            (
                "[[rule]]\nname = \"a\"\nmetric = \"x\"\nfunction = \"quantile\"\nabove = 1",
                "line 1: a quantile needs its `rank`",
            ),
            (
                "[[rule]]\nname = \"a\"\nmetric = \"x\"\nseverity = \"bad\"\nabove = 1",
                "line 4: `severity` has to be one of \"critical\"",
            ),
            (
                "[[rule]]\nname = \"a\"\nmetric = \"x\"\nabove = 1\n[[rule]]\nname = \"a\"\nmetric = \"x\"\nabove = 1",
                "line 5: there are two rules `a`",
            ),
            (
                "[[inhibit]]\nsource = [\"x\"]",
                "line 2: `source` has to be a list such as",
            ),
        ] {
            let problems = parse(text).unwrap_err();
            assert!(problems[0].starts_with(problem), "{text}: {problems:?}");
        }
        let many: String = (0..50).map(|n| format!("k{n} = 1\n")).collect();
        assert_eq!(parse(&many).unwrap_err().len(), MAX_PROBLEMS);
        assert!(parse("").unwrap().rules.is_empty());
    }
}
