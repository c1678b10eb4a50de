use metrics_exporter_prometheus::formatting::{write_help_line, write_type_line};

use super::Form;
use super::number::{push_f64, push_int};
use crate::metrics::exemplar::Exemplar;
use crate::metrics::histogram::HistogramCell;
use crate::metrics::labels::escaped;
use crate::metrics::metric::Metric;
use crate::metrics::name::{Kind, Name};
use crate::metrics::observed::Observed;
use crate::metrics::series::{Cell, Series};

/// The lines above a family's samples.
pub(super) fn header(out: &mut String, form: Form, name: &Name, kind: Kind, description: &str) {
    match form {
        Form::Text => {
            // The text form speaks of a counter by the name of its samples.
            let total = (kind == Kind::Counter && name.total).then_some("total");
            if !description.is_empty() {
                write_help_line(out, &name.family, None, total, description);
            }
            write_type_line(out, &name.family, None, total, kind.type_word());
        }
        Form::OpenMetrics => {
            // A counter of OpenMetrics has `_total`.
            let word = if kind == Kind::Counter && !name.total {
                "unknown"
            } else {
                kind.type_word()
            };
            write_type_line(out, &name.family, None, None, word);
            if !name.unit.is_empty() {
                meta(out, "# UNIT ", &name.family, &name.unit);
            }
            if !description.is_empty() {
                meta(out, "# HELP ", &name.family, &escaped(description));
            }
        }
    }
}

fn meta(out: &mut String, word: &str, family: &str, text: &str) {
    for part in [word, family, " ", text, "\n"] {
        out.push_str(part);
    }
}

/// The lines of one series.
pub(super) fn series(out: &mut String, form: Form, metric: &Metric, series: &Series) {
    let family = &metric.name.family;
    let labels = &series.labels;
    match &series.cell {
        Cell::Counter(cell) => {
            sample(out, family, metric.name.counter_suffix(), labels);
            push_int(out, cell.total());
        }
        Cell::UpDown(cell) => {
            sample(out, family, "", labels);
            push_int(out, cell.value());
        }
        Cell::Gauge(cell) => {
            sample(out, family, "", labels);
            push_f64(out, cell.value());
        }
        Cell::Histogram(cell) => {
            histogram(out, form, family, labels, cell);
            return;
        }
        Cell::Off => return,
    }
    out.push('\n');
}

fn histogram(out: &mut String, form: Form, family: &str, labels: &str, cell: &HistogramCell) {
    let bounds = cell.bounds();
    let les = match form {
        Form::Text => &bounds.plain,
        Form::OpenMetrics => &bounds.canonical,
    };
    // One reading of each bucket: the count of the last line is the sum of those above it.
    let mut count = 0_u64;
    for (bucket, le) in les.iter().enumerate() {
        count = count.wrapping_add(cell.count_of(bucket));
        out.push_str(family);
        out.push_str("_bucket{");
        if !labels.is_empty() {
            out.push_str(labels);
            out.push(',');
        }
        out.push_str("le=\"");
        out.push_str(le);
        out.push_str("\"} ");
        push_int(out, count);
        if form == Form::OpenMetrics
            && let Some(exemplar) = cell.exemplar(bucket)
        {
            push_exemplar(out, &exemplar);
        }
        out.push('\n');
    }
    // OpenMetrics: a sum is a counter, so one that may fall is left out, and the count with it.
    if form == Form::OpenMetrics && !cell.sum_only_grows() {
        return;
    }
    sample(out, family, "_sum", labels);
    push_f64(out, cell.sum());
    out.push('\n');
    sample(out, family, "_count", labels);
    push_int(out, count);
    out.push('\n');
}

fn push_exemplar(out: &mut String, exemplar: &Exemplar) {
    out.push_str(" # {trace_id=\"");
    out.push_str(std::str::from_utf8(&exemplar.trace.hex()).unwrap_or_default());
    out.push_str("\"} ");
    push_f64(out, exemplar.value);
    out.push(' ');
    let millis = exemplar.wall / 1_000_000;
    push_int(out, millis / 1000);
    out.push('.');
    for digit in [millis / 100 % 10, millis / 10 % 10, millis % 10] {
        push_int(out, digit);
    }
}

/// A family that is read now.
pub(super) fn observed(out: &mut String, form: Form, observed: &Observed) {
    let values = observed.values();
    if values.is_empty() {
        return;
    }
    header(
        out,
        form,
        &observed.name,
        observed.kind,
        &observed.description,
    );
    let suffix = if observed.kind == Kind::Counter {
        "_total"
    } else {
        ""
    };
    for (labels, value) in values {
        sample(out, &observed.name.family, suffix, &labels);
        push_f64(out, value);
        out.push('\n');
    }
}

/// A sample's line up to its value.
#[inline]
fn sample(out: &mut String, family: &str, suffix: &str, labels: &str) {
    out.push_str(family);
    out.push_str(suffix);
    if !labels.is_empty() {
        out.push('{');
        out.push_str(labels);
        out.push('}');
    }
    out.push(' ');
}
