use crate::metrics::Buckets;

use super::list::items;
use super::{Form, Raw, Takes, Type, quoted};

/// The most histograms.
const MOST: usize = 256;
/// The most bounds of one.
const MOST_BOUNDS: usize = 128;
/// The most bytes of a name.
const MOST_NAME: usize = 256;

/// Histograms by name: `name=0.001 0.01 0.1`, `name=off` or `name=default`. In a file, a table of arrays and words.
pub(in crate::config) struct Histograms;

impl Form for Histograms {
    type Value = Vec<(String, Buckets)>;

    fn takes(&self) -> Takes {
        Takes {
            types: &[Type::String, Type::Table],
            array: true,
            example: "{ \"http.server.request.duration\" = [0.01, 0.1, 1.0] }",
        }
    }

    fn read(&self, raw: &Raw) -> Result<Self::Value, String> {
        let mut histograms = Self::Value::new();
        for (number, item) in (1..).zip(items(raw)) {
            let (name, buckets) = histogram(item)
                .map_err(|what| format!("item {number} {what}; write {}", self.describe()))?;
            put(&mut histograms, name, buckets);
        }
        if histograms.len() > MOST {
            return Err(format!("more than {MOST} histograms; write fewer"));
        }
        Ok(histograms)
    }

    /// Each name by itself: a later source changes those that it names. The entries stay in the order in which they were
    /// set: which of them name the same histogram is known when the metric is made, and then the last one holds.
    fn merge(&self, into: &mut Self::Value, read: Self::Value) {
        for (name, buckets) in read {
            put(into, &name, buckets);
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

    fn describe(&self) -> String {
        "names with `off`, `default` or bounds, such as `http.server.request.duration=0.01 0.1 1`"
            .to_owned()
    }
}

fn put(into: &mut Vec<(String, Buckets)>, name: &str, buckets: Buckets) {
    into.retain(|(other, _)| *other != name);
    into.push((name.to_owned(), buckets));
}

fn histogram(item: &str) -> Result<(&str, Buckets), &'static str> {
    let (name, text) = item.split_once('=').ok_or("has no `=`")?;
    let (name, text) = (name.trim(), text.trim());
    let of_name = |c: char| c.is_ascii_alphanumeric() || "_.:-/".contains(c);
    if name.is_empty() || name.len() > MOST_NAME || !name.chars().all(of_name) {
        return Err("has no histogram's name before its `=`");
    }
    let buckets = match text.to_ascii_lowercase().as_str() {
        "off" => Buckets::Off,
        "default" => Buckets::Default,
        _ => Buckets::Bounds(bounds(text)?),
    };
    Ok((name, buckets))
}

fn bounds(text: &str) -> Result<Vec<f64>, &'static str> {
    let bounds = text.split_ascii_whitespace().map(number);
    let mut bounds: Vec<f64> = bounds
        .collect::<Option<_>>()
        .ok_or("has a bound that is no number")?;
    bounds.sort_by(f64::total_cmp);
    bounds.dedup();
    // Every histogram has this one.
    if bounds.len() > 1 && bounds.last() == Some(&f64::INFINITY) {
        bounds.pop();
    }
    match bounds.len() {
        0 => Err("has no bounds"),
        1..=MOST_BOUNDS => Ok(bounds),
        _ => Err("has more than 128 bounds"),
    }
}

fn number(text: &str) -> Option<f64> {
    // Adding zero makes `-0.0` one with `0.0`.
    let number = text.parse::<f64>().ok()? + 0.0;
    // A number that overflows to infinity is no bound; the word `inf` is one.
    let is_word = !text.contains(|c: char| c.is_ascii_digit());
    (number.is_finite() || number > 0.0 && is_word).then_some(number)
}
