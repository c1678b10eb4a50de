//! The translation of a query to `PromQL`.

use std::fmt::Write as _;
use std::time::Duration;

use super::metric_query::{Aggregation, Function, Grouping, Matcher, MetricQuery};

/// The form in which the server has a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MetricForm {
    Counter,
    Gauge,
    #[cfg_attr(
        not(feature = "prometheus-reader"),
        expect(dead_code, reason = "only a server says that it has such a metric")
    )]
    NativeHistogram,
    /// Series with the suffixes `_bucket`, `_sum` and `_count`.
    ClassicHistogram,
}

#[cfg(feature = "alerts")]
impl MetricQuery {
    /// The expression, if the name says what the metric is. A histogram is taken for one with the suffixes `_bucket`, `_sum`
    /// and `_count`.
    pub(crate) fn promql(&self) -> Option<String> {
        let form = match self.function {
            Function::Last | Function::Min | Function::Max => MetricForm::Gauge,
            Function::Increase | Function::Rate if self.metric.ends_with("_total") => {
                MetricForm::Counter
            }
            Function::Increase | Function::Rate | Function::SumIncrease | Function::Quantile(_) => {
                MetricForm::ClassicHistogram
            }
            Function::Mean => return None,
        };
        promql(self, form).filter(|_| !selects_nothing(self))
    }
}

/// Whether the matchers of a query select no series, whatever there is.
pub(super) fn selects_nothing(query: &MetricQuery) -> bool {
    let needs_none = |matcher: &Matcher| matcher.values.is_empty() && !matcher.is_negated;
    query.metric.is_empty() || query.matchers.iter().any(needs_none)
}

/// The expression of a query. `None` if its function does not apply to the metric.
pub(super) fn promql(query: &MetricQuery, form: MetricForm) -> Option<String> {
    use Function::{Increase, Last, Max, Mean, Min, Quantile, Rate, SumIncrease};
    use MetricForm::{ClassicHistogram, Counter, Gauge, NativeHistogram};

    let of = |function: &str, suffix: &str| {
        let (selector, window) = (selector(query, suffix), duration(query.window));
        format!("{function}({selector}[{window}])")
    };
    let sum = |expression: String| grouped(query, "sum", None, &expression);
    let gauge = |function| {
        let aggregation = match query.aggregation {
            Aggregation::Sum => "sum",
            Aggregation::Mean => "avg",
            Aggregation::Min => "min",
            Aggregation::Max => "max",
        };
        grouped(query, aggregation, None, &of(function, ""))
    };
    Some(match (form, query.function) {
        (Counter, Increase) => sum(of("increase", "")),
        (Counter, Rate) => sum(of("rate", "")),
        (Gauge, Last) => gauge("last_over_time"),
        (Gauge, Mean) => gauge("avg_over_time"),
        (Gauge, Min) => gauge("min_over_time"),
        (Gauge, Max) => gauge("max_over_time"),
        (NativeHistogram, Increase) => format!("histogram_count({})", sum(of("increase", ""))),
        (NativeHistogram, Rate) => format!("histogram_count({})", sum(of("rate", ""))),
        (NativeHistogram, SumIncrease) => format!("histogram_sum({})", sum(of("increase", ""))),
        (NativeHistogram, Mean) => {
            let rates = sum(of("rate", ""));
            format!("histogram_sum({rates}) / histogram_count({rates})")
        }
        (NativeHistogram, Quantile(rank)) => {
            format!("histogram_quantile({rank:?}, {})", sum(of("rate", "")))
        }
        (ClassicHistogram, Increase) => sum(of("increase", "_count")),
        (ClassicHistogram, Rate) => sum(of("rate", "_count")),
        (ClassicHistogram, SumIncrease) => sum(of("increase", "_sum")),
        (ClassicHistogram, Mean) => {
            let (sums, counts) = (sum(of("rate", "_sum")), sum(of("rate", "_count")));
            format!("{sums} / {counts}")
        }
        (ClassicHistogram, Quantile(rank)) => {
            let buckets = grouped(query, "sum", Some("le"), &of("rate", "_bucket"));
            format!("histogram_quantile({rank:?}, {buckets})")
        }
        (Counter, Last | Mean | Min | Max | SumIncrease | Quantile(_))
        | (Gauge, Increase | Rate | SumIncrease | Quantile(_))
        | (NativeHistogram | ClassicHistogram, Last | Min | Max) => return None,
    })
}

/// Combines the series of an expression as the query wants, and keeps the label `also` as well.
fn grouped(query: &MetricQuery, aggregation: &str, also: Option<&str>, expression: &str) -> String {
    let Grouping::By(labels) = &query.grouping else {
        return expression.to_owned();
    };
    let also = also.filter(|also| !labels.iter().any(|label| label == also));
    let labels = labels.iter().map(String::as_str).chain(also);
    let labels: Vec<_> = labels.map(label_name).collect();
    if labels.is_empty() {
        format!("{aggregation}({expression})")
    } else {
        format!("{aggregation} by ({}) ({expression})", labels.join(", "))
    }
}

/// The selector of a metric's series. The name is a matcher, since any text may stand there.
fn selector(query: &MetricQuery, suffix: &str) -> String {
    let name = quoted(&format!("{}{suffix}", query.metric));
    let mut text = format!("{{__name__={name}");
    for matcher in &query.matchers {
        let mut values = matcher.values.iter();
        let (Some(first), second) = (values.next(), values.next()) else {
            continue;
        };
        let label = label_name(&matcher.label);
        let negation = if matcher.is_negated { '!' } else { '=' };
        let (operator, value) = match second {
            None if matcher.is_negated => ("!=", quoted(first)),
            None => ("=", quoted(first)),
            Some(_) => {
                let values: Vec<_> = matcher.values.iter().map(|it| literal(it)).collect();
                let operator = if negation == '!' { "!~" } else { "=~" };
                (operator, quoted(&values.join("|")))
            }
        };
        // Writing to a `String` does not fail.
        let _infallible = write!(text, ",{label}{operator}{value}");
    }
    text.push('}');
    text
}

/// A label's name, quoted if it has other characters than the classic ones. Servers before version 3 refuse such a name.
fn label_name(label: &str) -> String {
    let is_classic = label.bytes().enumerate().all(|(n, byte)| {
        byte == b'_' || byte.is_ascii_alphabetic() || (n > 0 && byte.is_ascii_digit())
    });
    if is_classic && !label.is_empty() {
        label.to_owned()
    } else {
        quoted(label)
    }
}

/// A string literal.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\0'..='\x1f' | '\x7f' => {
                let _infallible = write!(out, "\\x{:02x}", u32::from(char));
            }
            char => out.push(char),
        }
    }
    out.push('"');
    out
}

/// A regular expression that matches only this text.
pub(super) fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        if "\\.+*?()|[]{}^$".contains(char) {
            out.push('\\');
        }
        out.push(char);
    }
    out
}

/// A duration as `PromQL` writes it, at most a hundred years: the server's are 64 bits of nanoseconds.
fn duration(window: Duration) -> String {
    let most = Duration::from_secs(100 * 365 * 86_400);
    let millis = window.min(most).as_millis();
    if millis.is_multiple_of(1000) {
        format!("{}s", millis / 1000)
    } else {
        format!("{millis}ms")
    }
}

#[cfg(test)]
mod tests {
    use super::MetricForm::*;
    use super::*;

    fn text(query: &MetricQuery, form: MetricForm) -> String {
        promql(query, form).unwrap()
    }

    #[test]
    fn each_function_has_its_expression() {
        let by = |query: MetricQuery| query.by(["route"]).window(Duration::from_secs(60));
        let x = r#"{__name__="x"}[60s]"#;
        let suffixed = |suffix: &str| format!(r#"{{__name__="x{suffix}"}}[60s]"#);
        let (count, sum, bucket) = (suffixed("_count"), suffixed("_sum"), suffixed("_bucket"));
        for (query, form, expected) in [
            (
                MetricQuery::increase("x"),
                Counter,
                format!("sum by (route) (increase({x}))"),
            ),
            (
                MetricQuery::rate("x"),
                Counter,
                format!("sum by (route) (rate({x}))"),
            ),
            (
                MetricQuery::last("x"),
                Gauge,
                format!("sum by (route) (last_over_time({x}))"),
            ),
            (
                MetricQuery::mean("x").aggregation(Aggregation::Mean),
                Gauge,
                format!("avg by (route) (avg_over_time({x}))"),
            ),
            (
                MetricQuery::min("x").aggregation(Aggregation::Min),
                Gauge,
                format!("min by (route) (min_over_time({x}))"),
            ),
            (
                MetricQuery::max("x").aggregation(Aggregation::Max),
                Gauge,
                format!("max by (route) (max_over_time({x}))"),
            ),
            (
                MetricQuery::increase("x"),
                NativeHistogram,
                format!("histogram_count(sum by (route) (increase({x})))"),
            ),
            (
                MetricQuery::rate("x"),
                NativeHistogram,
                format!("histogram_count(sum by (route) (rate({x})))"),
            ),
            (
                MetricQuery::sum_increase("x"),
                NativeHistogram,
                format!("histogram_sum(sum by (route) (increase({x})))"),
            ),
            (
                MetricQuery::mean("x"),
                NativeHistogram,
                format!(
                    "histogram_sum(sum by (route) (rate({x}))) / histogram_count(sum by (route) (rate({x})))"
                ),
            ),
            (
                MetricQuery::quantile(0.95, "x"),
                NativeHistogram,
                format!("histogram_quantile(0.95, sum by (route) (rate({x})))"),
            ),
            (
                MetricQuery::increase("x"),
                ClassicHistogram,
                format!("sum by (route) (increase({count}))"),
            ),
            (
                MetricQuery::rate("x"),
                ClassicHistogram,
                format!("sum by (route) (rate({count}))"),
            ),
            (
                MetricQuery::sum_increase("x"),
                ClassicHistogram,
                format!("sum by (route) (increase({sum}))"),
            ),
            (
                MetricQuery::mean("x"),
                ClassicHistogram,
                format!("sum by (route) (rate({sum})) / sum by (route) (rate({count}))"),
            ),
            (
                MetricQuery::quantile(1.0, "x"),
                ClassicHistogram,
                format!("histogram_quantile(1.0, sum by (route, le) (rate({bucket})))"),
            ),
        ] {
            assert_eq!(text(&by(query), form), expected);
        }
    }

    #[test]
    fn series_are_kept_apart_or_all_combined() {
        let query = MetricQuery::quantile(0.5, "x").window(Duration::from_millis(1500));
        let rate = r#"rate({__name__="x_bucket"}[1500ms])"#;
        assert_eq!(
            text(&query, ClassicHistogram),
            format!("histogram_quantile(0.5, {rate})")
        );
        let total = query.clone().total();
        assert_eq!(
            text(&total, ClassicHistogram),
            format!("histogram_quantile(0.5, sum by (le) ({rate}))")
        );
        let by = query.by(["le", "a.b", "1", "_x9"]);
        assert_eq!(
            text(&by, ClassicHistogram),
            format!(r#"histogram_quantile(0.5, sum by ("1", _x9, "a.b", le) ({rate}))"#)
        );
        let total = MetricQuery::rate("x").total().window(Duration::MAX);
        assert_eq!(
            text(&total, Counter),
            r#"sum(rate({__name__="x"}[3153600000s]))"#
        );
    }

    #[test]
    fn a_function_that_does_not_apply_has_no_expression() {
        let functions = [
            MetricQuery::increase("x"),
            MetricQuery::rate("x"),
            MetricQuery::sum_increase("x"),
            MetricQuery::mean("x"),
            MetricQuery::quantile(0.5, "x"),
            MetricQuery::last("x"),
            MetricQuery::min("x"),
            MetricQuery::max("x"),
        ];
        let apply = |form| {
            functions
                .each_ref()
                .map(|query| promql(query, form).is_some())
        };
        let histogram = [true, true, true, true, true, false, false, false];
        assert_eq!(
            apply(Counter),
            [true, true, false, false, false, false, false, false]
        );
        assert_eq!(
            apply(Gauge),
            [false, false, false, true, false, true, true, true]
        );
        assert_eq!(
            (apply(NativeHistogram), apply(ClassicHistogram)),
            (histogram, histogram)
        );
    }

    #[test]
    fn texts_are_matched_as_they_are() {
        let selected = |query: &MetricQuery| selector(query, "");
        let query = MetricQuery::last("x")
            .label("a", "1")
            .label("b", "")
            .label_in("c", ["x.y", "", "a|b"])
            .label_not_in("d", ["\"}\n\\"])
            .label_not_in("e", ["(", "\\d"])
            .label_not_in("f", [""; 0]);
        assert_eq!(
            selected(&query),
            r#"{__name__="x",a="1",b="",c=~"|a\\|b|x\\.y",d!="\"}\x0a\\",e!~"\\(|\\\\d"}"#
        );
        assert!(!selects_nothing(&query));
        assert!(selects_nothing(&query.label_in("g", [""; 0])));
        assert!(selects_nothing(&MetricQuery::last("")));
        let query = MetricQuery::last("x\"} or vector(1) #").label("a\"=\"", "1");
        assert_eq!(
            selected(&query),
            r#"{__name__="x\"} or vector(1) #","a\"=\""="1"}"#
        );
    }
}
