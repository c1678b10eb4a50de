use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};

use super::Form;
use crate::metrics::labels::escaped;
use crate::metrics::name::Kind;
use crate::metrics::registry::{Family, Registry};
use crate::model::catch_panic;

/// Families that notices name at most.
const MAX_NAMED: usize = 64;

/// A page of the host's own that is written after ours.
#[derive(Clone)]
pub(in crate::metrics) struct Joined {
    pub(in crate::metrics) render: Arc<dyn Fn() -> String + Send + Sync>,
    pub(in crate::metrics) upkeep: Arc<dyn Fn() + Send + Sync>,
}

impl Joined {
    /// Runs the host's upkeep.
    pub(in crate::metrics) fn upkeep(&self, registry: &Registry) {
        if catch_panic(|| (self.upkeep)()).is_none() {
            panicked(registry, "upkeep");
        }
    }

    /// Writes what the page has and ours has not.
    pub(super) fn write(&self, registry: &Registry, form: Form, seen: &mut Seen, out: &mut String) {
        match catch_panic(|| (self.render)()) {
            Some(text) => {
                let left_out = join(&text, form, seen, out);
                if !left_out.is_empty() {
                    name(registry, &left_out);
                }
            }
            None => panicked(registry, "render"),
        }
    }
}

#[cold]
fn panicked(registry: &Registry, what: &str) {
    registry.join_panics.fetch_add(1, Relaxed);
    registry.common.diagnostics.report(format!(
        "The `{what}` of a page given to `join_page` panicked: its series may be missing on the page."
    ));
}

/// Names families that were left out, each once.
#[cold]
fn name(registry: &Registry, left_out: &[&str]) {
    let mut named = registry
        .left_out
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
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
        "A page given to `join_page` has {}, and this monitor's page has metrics of the same name, so theirs are left out: rename one of the two.",
        new.iter()
            .map(|name| format!("`{name}`"))
            .collect::<Vec<_>>()
            .join(", ")
    );
    named.extend(new);
    drop(named);
    registry.common.diagnostics.report(sentence);
}

impl fmt::Debug for Joined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Joined").finish_non_exhaustive()
    }
}

/// Names of samples that are on the page.
#[derive(Debug, Default)]
pub(super) struct Seen(HashSet<String>);

impl Seen {
    pub(super) fn new(families: &[Family]) -> Self {
        let mut seen = HashSet::new();
        for family in families {
            let (name, kind) = match family {
                Family::Metric(metric) => (&metric.name, metric.kind),
                Family::Observed(observed) => (&observed.name, observed.kind),
            };
            seen.extend(
                kind.suffixes()
                    .iter()
                    .map(|suffix| format!("{}{suffix}", name.family)),
            );
        }
        Self(seen)
    }
}

/// Writes a page in the text form, its families that are here already left out. Returns the names of those.
fn join<'a>(text: &'a str, form: Form, seen: &mut Seen, out: &mut String) -> Vec<&'a str> {
    let (mut skip, mut help) = (false, None);
    let mut left_out = Vec::new();
    let mut new = HashSet::new();
    let mut counters = Counters::default();
    for line in text.lines() {
        if let Some((name, text)) = comment(line, "# HELP ") {
            skip = seen.0.contains(name);
            help = Some((name, text));
        } else if let Some((name, kind)) = comment(line, "# TYPE ") {
            skip = seen.0.contains(name);
            let help = help
                .take()
                .filter(|(of, _)| *of == name)
                .map(|(_, text)| text);
            if skip {
                left_out.push(name);
            } else {
                counters = Counters::of(name, kind);
                declare(out, form, seen, (name, kind), help);
                new.insert(name.to_owned());
            }
        } else if !line.is_empty() && !line.starts_with('#') {
            let name = line.split(['{', ' ']).next().unwrap_or_default();
            let refused = form == Form::OpenMetrics && counters.refuse(name, line);
            let known = seen.0.contains(name);
            if known && !skip {
                left_out.push(name);
            }
            if !skip && !known && !refused {
                out.push_str(match form {
                    Form::Text => line,
                    Form::OpenMetrics => without_time(line),
                });
                out.push('\n');
            }
        }
    }
    seen.0.extend(new);
    left_out
}

fn comment<'a>(line: &'a str, word: &str) -> Option<(&'a str, &'a str)> {
    line.strip_prefix(word)?.split_once(' ')
}

/// What `OpenMetrics` asks of the samples of a histogram or a summary: sums and quantiles are not negative, and the
/// count of a histogram stands beside its sum or not at all.
#[derive(Debug, Default)]
struct Counters<'a> {
    family: &'a str,
    is_histogram: bool,
    is_summary: bool,
    /// The sum of the series at hand is left out.
    no_sum: bool,
}

impl<'a> Counters<'a> {
    fn of(family: &'a str, kind: &str) -> Self {
        Self {
            family,
            is_histogram: kind == "histogram",
            is_summary: kind == "summary",
            no_sum: false,
        }
    }

    /// Whether a sample is left out.
    fn refuse(&mut self, name: &str, line: &str) -> bool {
        let Some(suffix) = name.strip_prefix(self.family) else {
            return false;
        };
        if !self.is_histogram && !self.is_summary {
            return false;
        }
        let value = value(line);
        let is_bad = value.is_none_or(|value| value < 0.0 || value.is_nan());
        match suffix {
            "_bucket" => {
                self.no_sum |= ["{le=\"-", ",le=\"-"].iter().any(|it| line.contains(it));
                false
            }
            "_sum" => {
                self.no_sum |= is_bad;
                self.no_sum
            }
            "_count" => std::mem::take(&mut self.no_sum) && self.is_histogram,
            // A quantile of nothing is NaN.
            "" => self.is_summary && value.is_none_or(|value| value < 0.0),
            _ => false,
        }
    }
}

fn value(line: &str) -> Option<f64> {
    without_time(line).rsplit(' ').next()?.parse().ok()
}

fn declare(
    out: &mut String,
    form: Form,
    seen: &Seen,
    (name, kind): (&str, &str),
    help: Option<&str>,
) {
    // OpenMetrics names a counter without its `_total`; one that has none, or whose other name is taken, is of unknown
    // type there.
    let (name, kind) = match (form, kind) {
        (Form::OpenMetrics, "counter") => match name.strip_suffix("_total") {
            Some(stem) if !seen.0.contains(stem) => (stem, Kind::Counter.type_word()),
            _ => (name, "unknown"),
        },
        (Form::OpenMetrics, "untyped") => (name, "unknown"),
        (_, kind) => (name, kind),
    };
    if let Some(help) = help {
        let quoted = match form {
            Form::Text => help.to_owned(),
            // Line feeds and backslashes are escaped in both forms.
            Form::OpenMetrics => help.split('"').collect::<Vec<_>>().join(&escaped("\"")),
        };
        for part in ["# HELP ", name, " ", &quoted, "\n"] {
            out.push_str(part);
        }
    }
    for part in ["# TYPE ", name, " ", kind, "\n"] {
        out.push_str(part);
    }
}

/// A sample without its time, which the text form gives in milliseconds and `OpenMetrics` in seconds.
fn without_time(line: &str) -> &str {
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

    const PAGE: &str = "# HELP jobs_total Jobs \"done\".\n# TYPE jobs_total counter\njobs_total{q=\"a } b\"} 3 1700000000000\n\n\
        # TYPE odd counter\nodd 1\n\n# TYPE ours gauge\nours 5\n# TYPE free untyped\nfree 2 5\n";

    fn joined(form: Form) -> String {
        let (mut out, mut seen) = (String::new(), Seen(HashSet::from(["ours".to_owned()])));
        join(PAGE, form, &mut seen, &mut out);
        let once = out.len();
        join(PAGE, form, &mut seen, &mut out);
        assert_eq!(out.len(), once, "a second page adds what is new");
        out
    }

    #[test]
    fn a_joined_page_keeps_what_ours_has_not() {
        assert_eq!(
            joined(Form::Text),
            "# HELP jobs_total Jobs \"done\".\n# TYPE jobs_total counter\njobs_total{q=\"a } b\"} 3 1700000000000\n\
             # TYPE odd counter\nodd 1\n# TYPE free untyped\nfree 2 5\n"
        );
    }

    #[test]
    fn a_joined_page_is_turned_into_openmetrics() {
        assert_eq!(
            joined(Form::OpenMetrics),
            "# HELP jobs Jobs \\\"done\\\".\n# TYPE jobs counter\njobs_total{q=\"a } b\"} 3\n\
             # TYPE odd unknown\nodd 1\n# TYPE free unknown\nfree 2\n"
        );
    }
}
