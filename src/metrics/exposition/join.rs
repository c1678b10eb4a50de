//! Joins the exposition of a recorder of the host's to this registry's.

use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::Ordering::Relaxed;

use super::negotiate::ExpositionFormat;
use crate::metrics::joined::JoinedExposition;
use crate::metrics::labels::escaped;
use crate::metrics::name::InstrumentKind;
use crate::metrics::registry::{Family, Registry};
use crate::model::{catch_panic, lock, read_lock};

/// The maximum number of left-out families that notices name.
const MAX_NAMED: usize = 64;

/// Runs the upkeep function of each joined exposition.
pub(in crate::metrics) fn upkeep(registry: &Registry) {
    // Cloned, so that the lock is not held while the host's code runs.
    let all = read_lock(&registry.joined).clone();
    for joined in all {
        if catch_panic(|| (joined.upkeep)()).is_none() {
            report_panic(registry, "upkeep");
        }
    }
}

/// Writes the families of a joined exposition that have not been exposed yet.
pub(super) fn write(
    joined: &JoinedExposition,
    registry: &Registry,
    format: ExpositionFormat,
    names: &mut SampleNames,
    out: &mut String,
) {
    match catch_panic(|| (joined.render)()) {
        Some(text) => {
            let left_out = append(&text, format, names, out);
            if !left_out.is_empty() {
                report_left_out(registry, &left_out);
            }
        }
        None => report_panic(registry, "render"),
    }
}

#[cold]
fn report_panic(registry: &Registry, what: &str) {
    registry.join_panics.fetch_add(1, Relaxed);
    registry.context.diagnostics.report(format!(
        "The `{what}` function given to `join_exposition` panicked, so its series may not be exposed."
    ));
}

/// Reports the families that were left out, each once.
#[cold]
fn report_left_out(registry: &Registry, left_out: &[&str]) {
    let mut named = lock(&registry.left_out);
    let room = MAX_NAMED.saturating_sub(named.len());
    let new: BTreeSet<_> = left_out
        .iter()
        .filter(|name| !named.contains(**name))
        .take(room)
        .map(|name| (*name).to_owned())
        .collect();
    if new.is_empty() {
        return;
    }
    let sentence = format!(
        "The exposition given to `join_exposition` has {}, which this monitor exposes too, so those are left out of it. Rename one of the two.",
        new.iter()
            .map(|name| format!("`{name}`"))
            .collect::<Vec<_>>()
            .join(", ")
    );
    named.extend(new);
    drop(named);
    registry.context.diagnostics.report(sentence);
}

/// The sample names that are exposed already.
#[derive(Debug, Default)]
pub(super) struct SampleNames(HashSet<String>);

impl SampleNames {
    pub(super) fn new(families: &[Family]) -> Self {
        let mut names = HashSet::new();
        for family in families {
            let (name, kind) = match family {
                Family::Metric(metric) => (&metric.name, metric.kind),
                Family::Observable(metric) => (&metric.name, metric.kind),
            };
            names.extend(
                kind.suffixes()
                    .iter()
                    .map(|suffix| format!("{}{suffix}", name.family)),
            );
        }
        Self(names)
    }
}

/// The lines above a family's samples.
#[derive(Debug, Clone, Copy)]
struct FamilyHeader<'a> {
    name: &'a str,
    /// The type as the host's recorder writes it: `counter`, `untyped` and so on.
    type_word: &'a str,
    help: Option<&'a str>,
}

/// Appends the families of an exposition in the text format that have not been exposed yet. Returns the names of the
/// others.
fn append<'a>(
    text: &'a str,
    format: ExpositionFormat,
    names: &mut SampleNames,
    out: &mut String,
) -> Vec<&'a str> {
    // Whether the family of the current line is left out.
    let mut skip = false;
    // A `# HELP` line waits for its `# TYPE` line, since `OpenMetrics` may name the family otherwise.
    let mut help = None;
    let mut left_out = Vec::new();
    // Names of this text are added at the end, so that samples of a family do not collide with the family itself.
    let mut new = HashSet::new();
    let mut filter = SampleFilter::default();
    for line in text.lines() {
        if let Some((name, text)) = comment(line, "# HELP ") {
            skip = names.0.contains(name);
            help = Some((name, text));
        } else if let Some((name, type_word)) = comment(line, "# TYPE ") {
            skip = names.0.contains(name);
            let help = help
                .take()
                .filter(|(of, _)| *of == name)
                .map(|(_, text)| text);
            if skip {
                left_out.push(name);
            } else {
                filter = SampleFilter::new(name, type_word);
                let header = FamilyHeader {
                    name,
                    type_word,
                    help,
                };
                write_header(out, format, names, header);
                new.insert(name.to_owned());
            }
        } else if !line.is_empty() && !line.starts_with('#') {
            let name = line.split(['{', ' ']).next().unwrap_or_default();
            let is_invalid =
                format == ExpositionFormat::OpenMetrics && filter.is_invalid(name, line);
            let is_exposed = names.0.contains(name);
            if is_exposed && !skip {
                left_out.push(name);
            }
            if !skip && !is_exposed && !is_invalid {
                out.push_str(match format {
                    ExpositionFormat::Text => line,
                    ExpositionFormat::OpenMetrics => without_timestamp(line),
                });
                out.push('\n');
            }
        }
    }
    names.0.extend(new);
    left_out
}

/// The name and the text of a comment line that begins with `word`.
fn comment<'a>(line: &'a str, word: &str) -> Option<(&'a str, &'a str)> {
    line.strip_prefix(word)?.split_once(' ')
}

/// Finds samples of histograms and summaries that are invalid in `OpenMetrics`: sums and quantiles must not be
/// negative, and a histogram has both a sum and a count or neither.
#[derive(Debug, Default)]
struct SampleFilter<'a> {
    family: &'a str,
    is_histogram: bool,
    is_summary: bool,
    /// Whether the sum of the current series is left out, and its count with it.
    is_sum_invalid: bool,
}

impl<'a> SampleFilter<'a> {
    fn new(family: &'a str, type_word: &str) -> Self {
        Self {
            family,
            is_histogram: type_word == "histogram",
            is_summary: type_word == "summary",
            is_sum_invalid: false,
        }
    }

    /// Whether a sample must be omitted. Expects the samples of a series in the order buckets, sum, count.
    fn is_invalid(&mut self, name: &str, line: &str) -> bool {
        let Some(suffix) = name.strip_prefix(self.family) else {
            return false;
        };
        if !self.is_histogram && !self.is_summary {
            return false;
        }
        let value = value(line);
        match suffix {
            "_bucket" => {
                let has_negative_bound = ["{le=\"-", ",le=\"-"].iter().any(|it| line.contains(it));
                self.is_sum_invalid |= has_negative_bound;
                false
            }
            "_sum" => {
                self.is_sum_invalid |= value.is_none_or(|value| value < 0.0 || value.is_nan());
                self.is_sum_invalid
            }
            "_count" => std::mem::take(&mut self.is_sum_invalid) && self.is_histogram,
            // NaN is valid: it is the quantile of a summary without values.
            "" => self.is_summary && value.is_none_or(|value| value < 0.0),
            _ => false,
        }
    }
}

fn value(line: &str) -> Option<f64> {
    without_timestamp(line).rsplit(' ').next()?.parse().ok()
}

fn write_header(
    out: &mut String,
    format: ExpositionFormat,
    names: &SampleNames,
    header: FamilyHeader<'_>,
) {
    // OpenMetrics names a counter without its `_total`. A counter that has none, or whose name without it is taken, is
    // of type `unknown` there.
    let (name, type_word) = match (format, header.type_word) {
        (ExpositionFormat::OpenMetrics, "counter") => match header.name.strip_suffix("_total") {
            Some(stem) if !names.0.contains(stem) => (stem, InstrumentKind::Counter.type_word()),
            _ => (header.name, "unknown"),
        },
        (ExpositionFormat::OpenMetrics, "untyped") => (header.name, "unknown"),
        (_, type_word) => (header.name, type_word),
    };
    if let Some(help) = header.help {
        let help = match format {
            ExpositionFormat::Text => help.to_owned(),
            // OpenMetrics escapes quotes too. Line feeds and backslashes are escaped in both formats.
            ExpositionFormat::OpenMetrics => {
                help.split('"').collect::<Vec<_>>().join(&escaped("\""))
            }
        };
        for part in ["# HELP ", name, " ", &help, "\n"] {
            out.push_str(part);
        }
    }
    for part in ["# TYPE ", name, " ", type_word, "\n"] {
        out.push_str(part);
    }
}

/// A sample without its timestamp, which is in milliseconds in the text format and in seconds in `OpenMetrics`.
fn without_timestamp(line: &str) -> &str {
    let labels = line.rfind('}').map_or(0, |at| at + 1);
    let (head, rest) = line.split_at_checked(labels).unwrap_or((line, ""));
    let value = if head.is_empty() {
        rest.find(' ')
    } else {
        Some(0)
    };
    let end = value.and_then(|at| rest.get(at + 1..)?.find(' ').map(|end| at + 1 + end));
    match end {
        Some(end) => line.get(..labels + end).unwrap_or(line),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPOSITION: &str = "# HELP jobs_total Jobs \"done\".\n# TYPE jobs_total counter\njobs_total{q=\"a } b\"} 3 1700000000000\n\n\
        # TYPE odd counter\nodd 1\n\n# TYPE ours gauge\nours 5\n# TYPE free untyped\nfree 2 5\n";

    fn joined(format: ExpositionFormat) -> String {
        let (mut out, mut names) = (
            String::new(),
            SampleNames(HashSet::from(["ours".to_owned()])),
        );
        append(EXPOSITION, format, &mut names, &mut out);
        let once = out.len();
        append(EXPOSITION, format, &mut names, &mut out);
        assert_eq!(out.len(), once, "a second exposition adds what is new");
        out
    }

    #[test]
    fn a_joined_exposition_adds_families_that_are_not_exposed() {
        assert_eq!(
            joined(ExpositionFormat::Text),
            "# HELP jobs_total Jobs \"done\".\n# TYPE jobs_total counter\njobs_total{q=\"a } b\"} 3 1700000000000\n\
             # TYPE odd counter\nodd 1\n# TYPE free untyped\nfree 2 5\n"
        );
    }

    #[test]
    fn a_joined_exposition_is_converted_to_openmetrics() {
        assert_eq!(
            joined(ExpositionFormat::OpenMetrics),
            "# HELP jobs Jobs \\\"done\\\".\n# TYPE jobs counter\njobs_total{q=\"a } b\"} 3\n\
             # TYPE odd unknown\nodd 1\n# TYPE free unknown\nfree 2\n"
        );
    }
}
