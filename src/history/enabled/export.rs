//! The results of queries as CSV and JSON.

use std::collections::BTreeSet;
use std::time::UNIX_EPOCH;

use super::metric_query::{Point, ResultSeries};
use crate::clock::rfc3339;
use crate::model::json;

/// Formats results as CSV (RFC 4180): a header, and a line for each point.
///
/// The first column is the time of the point, in UTC with milliseconds, and the last is its value. Between them is a column
/// for each label that any of the series has; it is empty where a series does not have the label. Lines end in CR LF.
///
/// A label that a spreadsheet would evaluate as a formula (it begins with `=`, `+`, `-`, `@`, their full-width forms, a tab,
/// or a line break) gets a `'` in front of it. Values are the shortest text that reads back as the same number; `NaN`, `Inf`
/// and `-Inf` are written so.
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
/// use watchpost::history::{Point, ResultSeries, to_csv};
///
/// let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
/// let labels = vec![("http_route".to_owned(), "/orders/{id}".to_owned())];
/// let points = vec![Point::new(at(1_796_083_200), 12.5), Point::new(at(1_796_083_260), 0.1)];
/// let csv = to_csv(&[ResultSeries::new(labels, points)]);
/// # assert_eq!(
/// #     csv,
/// #     "time,http_route,value\r\n2026-12-01T00:00:00.000Z,/orders/{id},12.5\r\n2026-12-01T00:01:00.000Z,/orders/{id},0.1\r\n"
/// # );
/// ```
///
/// The text is:
///
/// ```csv
/// time,http_route,value
/// 2026-12-01T00:00:00.000Z,/orders/{id},12.5
/// 2026-12-01T00:01:00.000Z,/orders/{id},0.1
/// ```
pub fn to_csv(results: &[ResultSeries]) -> String {
    let labels = results.iter().flat_map(|series| &series.labels);
    let columns: BTreeSet<&str> = labels.map(|(label, _)| label.as_str()).collect();
    let mut out = String::from("time");
    for column in &columns {
        out.push(',');
        push_cell(&mut out, column);
    }
    out.push_str(",value\r\n");
    for series in results {
        let mut cells = String::new();
        for column in &columns {
            cells.push(',');
            if let Some((_, value)) = series.labels.iter().find(|(label, _)| label == column) {
                push_cell(&mut cells, value);
            }
        }
        for point in &series.points {
            out.push_str(&time(point));
            out.push_str(&cells);
            out.push(',');
            out.push_str(&number(point.value));
            out.push_str("\r\n");
        }
    }
    out
}

/// Formats results as JSON: an array with an object for each series.
///
/// The keys are those of `Serialize` (feature `serde`). Times are in UTC with milliseconds. A number reads back as the same one. Values that JSON does not have are the texts
/// `"NaN"`, `"Inf"` and `"-Inf"`. `is_anomaly` and `has_gap` are there where they are true. The text is one line.
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
/// use watchpost::history::{Point, ResultSeries, to_json};
///
/// let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
/// let labels = vec![("http_route".to_owned(), "/orders/{id}".to_owned())];
/// let points = vec![Point::new(at(1_796_083_200), 12.5), Point::new(at(1_796_083_260), 0.1)];
/// let json = to_json(&[ResultSeries::new(labels, points)]);
/// # assert_eq!(json, concat!(
/// #     r#"[{"labels":{"http_route":"/orders/{id}"},"points":[{"at":"2026-12-01T00:00:00.000Z","value":12.5},"#,
/// #     r#"{"at":"2026-12-01T00:01:00.000Z","value":0.1}]}]"#,
/// # ));
/// ```
///
/// The text is:
///
/// ```json
/// [{"labels":{"http_route":"/orders/{id}"},"points":[{"at":"2026-12-01T00:00:00.000Z","value":12.5},{"at":"2026-12-01T00:01:00.000Z","value":0.1}]}]
/// ```
pub fn to_json(results: &[ResultSeries]) -> String {
    let mut out = b"[".to_vec();
    for (n, series) in results.iter().enumerate() {
        let begin: &[u8] = if n == 0 {
            b"{\"labels\":{"
        } else {
            b",{\"labels\":{"
        };
        out.extend_from_slice(begin);
        for (n, (label, value)) in series.labels.iter().enumerate() {
            if n > 0 {
                out.push(b',');
            }
            json::push_str(&mut out, label);
            out.push(b':');
            json::push_str(&mut out, value);
        }
        out.extend_from_slice(b"},\"points\":[");
        for (n, point) in series.points.iter().enumerate() {
            if n > 0 {
                out.push(b',');
            }
            let quote = if point.value.is_finite() { "" } else { "\"" };
            let (time, value) = (time(point), number(point.value));
            let object = format!("{{\"at\":\"{time}\",\"value\":{quote}{value}{quote}");
            out.extend_from_slice(object.as_bytes());
            for (key, is_set) in [("is_anomaly", point.is_anomaly), ("has_gap", point.has_gap)] {
                if is_set {
                    out.extend_from_slice(format!(",\"{key}\":true").as_bytes());
                }
            }
            out.push(b'}');
        }
        out.extend_from_slice(b"]}");
    }
    out.push(b']');
    String::from_utf8(out).unwrap_or_default()
}

/// Appends a cell. It is quoted where that is needed, and is no formula.
fn push_cell(out: &mut String, text: &str) {
    let is_formula = text.starts_with([
        '=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
    ]);
    let is_quoted = text.contains(['"', ',', '\r', '\n']);
    if is_quoted {
        out.push('"');
    }
    if is_formula {
        out.push('\'');
    }
    if is_quoted {
        out.push_str(&text.replace('"', "\"\""));
        out.push('"');
    } else {
        out.push_str(text);
    }
}

fn time(point: &Point) -> String {
    let since = point.at.duration_since(UNIX_EPOCH).unwrap_or_default();
    rfc3339(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// The shortest text that reads back as the same number.
fn number(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Inf" } else { "-Inf" }.to_owned();
    }
    // Very large and small numbers have an exponent.
    let text = format!("{value:?}");
    // Not of `-0.0`: some readers would take `-0` as a whole number.
    match text.strip_suffix(".0") {
        Some(whole) if whole != "-0" => whole.to_owned(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn series(labels: &[(&str, &str)], values: &[f64]) -> ResultSeries {
        let labels = labels
            .iter()
            .map(|(label, value)| ((*label).to_owned(), (*value).to_owned()));
        let at = |n: usize| UNIX_EPOCH + Duration::from_millis(1_796_083_200_007 + 1000 * n as u64);
        let points = values
            .iter()
            .enumerate()
            .map(|(n, value)| Point::new(at(n), *value));
        ResultSeries::new(labels.collect(), points.collect())
    }

    #[test]
    fn an_anomaly_and_a_gap_are_in_json_where_they_are() {
        let mut one = series(&[], &[1.0, 2.0]);
        (one.points[0].is_anomaly, one.points[1].has_gap) = (true, true);
        let json = to_json(&[one]);
        assert!(json.contains(r#""value":1,"is_anomaly":true},{"#), "{json}");
        assert!(json.contains(r#""value":2,"has_gap":true}"#), "{json}");
    }

    /// Reads CSV as RFC 4180 defines it.
    fn read_csv(text: &str) -> Vec<Vec<String>> {
        let (mut lines, mut line, mut cell) = (Vec::new(), Vec::new(), String::new());
        let mut chars = text.chars().peekable();
        while let Some(char) = chars.next() {
            match char {
                '"' => loop {
                    match chars.next().expect("a closing quote") {
                        '"' if chars.peek() == Some(&'"') => cell.push(chars.next().unwrap()),
                        '"' => break,
                        other => cell.push(other),
                    }
                },
                ',' => line.push(std::mem::take(&mut cell)),
                '\r' => {
                    assert_eq!(chars.next(), Some('\n'));
                    line.push(std::mem::take(&mut cell));
                    lines.push(std::mem::take(&mut line));
                }
                other => cell.push(other),
            }
        }
        assert!(line.is_empty() && cell.is_empty(), "the last line ends");
        lines
    }

    #[test]
    fn labels_of_all_series_are_columns() {
        let results = [
            series(&[("b", "1")], &[1.0, f64::NAN]),
            series(
                &[("b", "x,\"y\""), ("a", "=1+1")],
                &[-0.0, f64::NEG_INFINITY],
            ),
            series(&[("c", "d")], &[]),
        ];
        assert_eq!(
            to_csv(&results),
            "time,a,b,c,value\r\n\
             2026-12-01T00:00:00.007Z,,1,,1\r\n\
             2026-12-01T00:00:01.007Z,,1,,NaN\r\n\
             2026-12-01T00:00:00.007Z,'=1+1,\"x,\"\"y\"\"\",,-0.0\r\n\
             2026-12-01T00:00:01.007Z,'=1+1,\"x,\"\"y\"\"\",,-Inf\r\n"
        );
        assert_eq!(to_csv(&[]), "time,value\r\n");
        assert_eq!(to_json(&[]), "[]");
    }

    #[test]
    fn no_label_is_a_formula() {
        for text in [
            "=1",
            "+1",
            "-1",
            "@a",
            "\t=1",
            "\r=1",
            "\n=1",
            "\u{ff1d}1",
            "\u{ff20}a",
            "=\"a\",b",
        ] {
            let csv = to_csv(&[series(&[("a", text), (text, "b")], &[1.0])]);
            let lines = read_csv(&csv);
            let safe = format!("'{text}");
            assert!(
                lines[0].contains(&safe) && lines[1].contains(&safe),
                "{csv}"
            );
        }
    }

    #[test]
    fn what_json_does_not_have_is_text() {
        let results = [series(
            &[("a", "\"\n")],
            &[f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, 3.0],
        )];
        let json = to_json(&results);
        assert_eq!(json.lines().count(), 1);
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json[0]["labels"]["a"], "\"\n");
        let values = json[0]["points"]
            .as_array()
            .unwrap()
            .iter()
            .map(|point| point["value"].clone());
        let expected = serde_json::json!(["NaN", "Inf", "-Inf", 1e300, 3]);
        assert_eq!(values.collect::<serde_json::Value>(), expected);
    }

    proptest! {
        #[test]
        fn any_result_reads_back(labels in proptest::collection::btree_map(any::<String>(), any::<String>(), 0..5),
            values in proptest::collection::vec(any::<f64>(), 1..20)) {
            let labels: Vec<_> = labels.iter().map(|(label, value)| (label.as_str(), value.as_str())).collect();
            let results = [series(&labels, &values)];
            let lines = read_csv(&to_csv(&results));
            prop_assert_eq!(lines.len(), values.len() + 1);
            let json: serde_json::Value = serde_json::from_str(&to_json(&results)).unwrap();
            for (n, value) in values.iter().enumerate() {
                prop_assert_eq!(lines[n + 1].len(), labels.len() + 2);
                let read: f64 = lines[n + 1].last().unwrap().parse().unwrap();
                let of_json = &json[0]["points"][n]["value"];
                if value.is_nan() {
                    prop_assert!(read.is_nan() && of_json == "NaN");
                } else {
                    prop_assert_eq!(read.to_bits(), value.to_bits());
                    // `serde_json` may be wrong in the last digit. The smallest numbers have few digits.
                    let of_json = of_json.as_f64().unwrap_or(*value);
                    let tolerance = value.abs() * 1e-15 + f64::MIN_POSITIVE;
                    prop_assert!(value.is_infinite() || (of_json - value).abs() <= tolerance);
                }
            }
            for (n, (label, value)) in labels.iter().enumerate() {
                let cell = &lines[1][n + 1];
                prop_assert!(cell == value || cell.strip_prefix('\'') == Some(value));
                prop_assert_eq!(&json[0]["labels"][label], value);
            }
        }
    }
}
