//! Converts the text format of a joined exposition.

use std::collections::BTreeMap;

use super::wire::insert_length;
use super::write::{self, FamilyType};
use crate::metrics::labels::unescaped;

/// A family of the text format.
#[derive(Debug, Default)]
struct TextFamily<'a> {
    name: &'a str,
    type_word: &'a str,
    help: &'a str,
    /// The samples by name.
    samples: BTreeMap<&'a str, Vec<TextSample<'a>>>,
}

#[derive(Debug, PartialEq)]
struct TextSample<'a> {
    labels: Vec<(&'a str, String)>,
    value: f64,
    timestamp_ms: Option<i64>,
}

/// Writes an exposition in the text format as families. Lines that cannot be parsed are left out.
///
/// The samples of a histogram or a summary become one untyped family for each of their names (`_bucket`, `_sum`,
/// `_count`): Prometheus stores the same series for them.
pub(super) fn write(text: &str, out: &mut Vec<u8>) {
    let mut family = TextFamily::default();
    let mut help = None;
    for line in text.lines() {
        if let Some((name, text)) = comment(line, "# HELP ") {
            help = Some((name, text));
        } else if let Some((name, type_word)) = comment(line, "# TYPE ") {
            family.write(out);
            let help = help.take().filter(|(of, _)| *of == name);
            family = TextFamily {
                name,
                type_word,
                help: help.map_or("", |(_, text)| text),
                samples: BTreeMap::new(),
            };
        } else if let Some((name, sample)) = sample(line) {
            family.samples.entry(name).or_default().push(sample);
        }
    }
    family.write(out);
}

impl TextFamily<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        for (name, samples) in &self.samples {
            let family_type = match self.type_word {
                "counter" if *name == self.name => FamilyType::Counter,
                "gauge" if *name == self.name => FamilyType::Gauge,
                _ => FamilyType::Untyped,
            };
            let begin = out.len();
            write::header(out, name, &unescaped(self.help), family_type);
            for sample in samples {
                let TextSample {
                    labels,
                    value,
                    timestamp_ms,
                } = sample;
                write::foreign_number(out, family_type, labels, *value, *timestamp_ms);
            }
            insert_length(out, begin);
        }
    }
}

/// The name and the text of a comment line that begins with `word`.
fn comment<'a>(line: &'a str, word: &str) -> Option<(&'a str, &'a str)> {
    line.strip_prefix(word)?.split_once(' ')
}

/// The name and the sample of a line.
fn sample(line: &str) -> Option<(&str, TextSample<'_>)> {
    if line.starts_with('#') {
        return None;
    }
    let (series, rest) = match line.rsplit_once('}') {
        Some((series, rest)) => (series, rest),
        None => line.split_once([' ', '\t'])?,
    };
    let (name, text) = series.split_once('{').unwrap_or((series, ""));
    let mut words = rest.split_ascii_whitespace();
    let value = words.next()?.parse().ok()?;
    let timestamp_ms = words.next().map(str::parse).transpose().ok()?;
    let labels = labels(text)?;
    let sample = TextSample {
        labels,
        value,
        timestamp_ms,
    };
    let name = name.trim();
    is_name(name).then_some((name, sample))
}

/// Whether a receiver accepts the name of a metric or a label. It refuses the whole exposition otherwise.
fn is_name(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':');
    !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(is_allowed)
}

/// The labels between the braces; `None` if they cannot be parsed.
fn labels(text: &str) -> Option<Vec<(&str, String)>> {
    let mut labels = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=')?;
        let value = after.trim_start().strip_prefix('"')?;
        let mut is_escaped = false;
        let end = value.bytes().position(|byte| {
            let is_end = byte == b'"' && !is_escaped;
            is_escaped = byte == b'\\' && !is_escaped;
            is_end
        })?;
        let name = Some(name.trim()).filter(|name| is_name(name))?;
        labels.push((name, unescaped(value.get(..end)?)));
        rest = value.get(end + 1..)?.trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
    Some(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_a_name_labels_a_value_and_a_time() {
        let line = r#"took{ q = "a\"}\n, b" ,le="+Inf",} 2e3 1700000000000"#;
        let expected = TextSample {
            labels: vec![("q", "a\"}\n, b".into()), ("le", "+Inf".into())],
            value: 2000.0,
            timestamp_ms: Some(1_700_000_000_000),
        };
        assert_eq!(sample(line), Some(("took", expected)));
        let (name, plain) = sample("level +Inf").unwrap();
        assert_eq!(
            (name, plain.value, plain.labels.len()),
            ("level", f64::INFINITY, 0)
        );
        assert!(sample("level NaN").unwrap().1.value.is_nan());
        for odd in [
            "",
            "x",
            "# a 1",
            "x{a=b} 1",
            "x{a=\"b} 1",
            "x y",
            "{} 1",
            "1x 1",
            "x{1=\"b\"} 1",
            "{\"x.y\"} 1",
            "x 1 soon",
            "x{a=\"b\"}",
        ] {
            assert_eq!(sample(odd), None, "{odd}");
        }
    }
}
