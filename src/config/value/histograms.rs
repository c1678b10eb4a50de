use crate::metrics::Buckets;

use super::list::items;
use super::{RawValue, TomlShape, TomlType, ValueParser, quoted};

/// The maximum number of histograms.
const MAX_HISTOGRAMS: usize = 256;
/// The maximum number of bounds of one histogram.
const MAX_BOUNDS: usize = 128;
/// The maximum length of a name, in bytes.
const MAX_NAME: usize = 256;

/// Histograms by name: `name=0.001 0.01 0.1`, `name=off` or `name=default`. In a file, a table of arrays and words.
pub(in crate::config) struct HistogramsParser;

impl ValueParser for HistogramsParser {
    type Value = Vec<(String, Buckets)>;

    fn toml_shape(&self) -> TomlShape {
        TomlShape {
            types: &[TomlType::String, TomlType::Table],
            array: true,
            example: "{ \"http.server.request.duration\" = [0.01, 0.1, 1.0] }",
        }
    }

    fn parse(&self, raw: &RawValue) -> Result<Self::Value, String> {
        (1..)
            .zip(items(raw))
            .map(|(number, item)| parse_item(item).map_err(|what| self.bad_item(number, what)))
            .collect()
    }

    fn validate(&self, value: Self::Value) -> Result<Self::Value, String> {
        let mut histograms = Self::Value::new();
        for (number, (name, buckets)) in (1..).zip(value) {
            let bad = |what| self.bad_item(number, what);
            check_name(&name).map_err(bad)?;
            let buckets = match buckets {
                Buckets::Bounds(bounds) => Buckets::Bounds(normalize(bounds).map_err(bad)?),
                other => other,
            };
            put(&mut histograms, name, buckets);
        }
        if histograms.len() > MAX_HISTOGRAMS {
            return Err(format!(
                "more than {MAX_HISTOGRAMS} histograms; write fewer"
            ));
        }
        Ok(histograms)
    }

    /// Merges by name: a later source changes only the histograms that it names. The entries keep the order in which
    /// they were set. Two names can mean the same histogram, which is known only when the metric is created; the last
    /// entry then applies.
    fn merge(&self, into: &mut Self::Value, value: Self::Value) {
        for (name, buckets) in value {
            put(into, name, buckets);
        }
    }

    fn print(&self, value: &Self::Value) -> Option<String> {
        let entries: Vec<_> = value
            .iter()
            .map(|(name, buckets)| {
                let buckets = match buckets {
                    Buckets::Default => quoted("default"),
                    Buckets::Off => quoted("off"),
                    Buckets::Bounds(bounds) => format!("{bounds:?}"),
                };
                format!("{} = {buckets}", quoted(name))
            })
            .collect();
        (!entries.is_empty()).then(|| format!("{{{}}}", entries.join(", ")))
    }

    fn display(&self, value: &Self::Value) -> String {
        let entries = value.iter().map(|(name, buckets)| match buckets {
            Buckets::Default => format!("{name}=default"),
            Buckets::Off => format!("{name}=off"),
            Buckets::Bounds(bounds) => {
                let bounds: Vec<_> = bounds.iter().map(ToString::to_string).collect();
                format!("{name}={}", bounds.join(" "))
            }
        });
        entries.collect::<Vec<_>>().join(",")
    }

    fn describe(&self) -> String {
        "names with `off`, `default` or bounds, such as `http.server.request.duration=0.01 0.1 1`"
            .to_owned()
    }
}

impl HistogramsParser {
    fn bad_item(&self, number: usize, what: &str) -> String {
        format!("item {number} {what}; write {}", self.describe())
    }
}

fn put(into: &mut Vec<(String, Buckets)>, name: String, buckets: Buckets) {
    into.retain(|(other, _)| *other != name);
    into.push((name, buckets));
}

fn parse_item(item: &str) -> Result<(String, Buckets), &'static str> {
    let (name, text) = item.split_once('=').ok_or("has no `=`")?;
    let (name, text) = (name.trim(), text.trim());
    check_name(name)?;
    let buckets = match text.to_ascii_lowercase().as_str() {
        "off" => Buckets::Off,
        "default" => Buckets::Default,
        _ => Buckets::Bounds(normalize(parse_bounds(text)?)?),
    };
    Ok((name.to_owned(), buckets))
}

fn check_name(name: &str) -> Result<(), &'static str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_.:-/".contains(c);
    if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(is_part) {
        return Err("has no histogram's name before its `=`");
    }
    Ok(())
}

fn parse_bounds(text: &str) -> Result<Vec<f64>, &'static str> {
    let bounds = text.split_ascii_whitespace().map(parse_bound);
    bounds
        .collect::<Option<_>>()
        .ok_or("has a bound that is no number")
}

fn parse_bound(text: &str) -> Option<f64> {
    let number = text.parse::<f64>().ok()?;
    // A number that overflows to infinity is not a valid bound; the word `inf` is.
    let is_word = !text.contains(|c: char| c.is_ascii_digit());
    (number.is_finite() || number > 0.0 && is_word).then_some(number)
}

/// Returns the bounds in ascending order, without duplicates and without `+Inf`, which every histogram has.
fn normalize(bounds: Vec<f64>) -> Result<Vec<f64>, &'static str> {
    if bounds
        .iter()
        .any(|it| it.is_nan() || *it == f64::NEG_INFINITY)
    {
        return Err("has a bound that is no number");
    }
    // Adding zero makes `-0.0` equal to `0.0`.
    let mut bounds: Vec<_> = bounds.into_iter().map(|bound| bound + 0.0).collect();
    bounds.sort_by(f64::total_cmp);
    bounds.dedup();
    if bounds.len() > 1 && bounds.last() == Some(&f64::INFINITY) {
        bounds.pop();
    }
    match bounds.len() {
        0 => Err("has no bounds"),
        1..=MAX_BOUNDS => Ok(bounds),
        _ => Err("has more than 128 bounds"),
    }
}
