use metrics_exporter_prometheus::formatting::{write_help_line, write_type_line};

use super::negotiate::ExpositionFormat;
use crate::metrics::exemplar::Exemplar;
use crate::metrics::histogram::HistogramCell;
use crate::metrics::labels::escaped;
use crate::metrics::metric::Metric;
use crate::metrics::name::{InstrumentKind, MetricName};
use crate::metrics::number::{push_f64, push_int};
use crate::metrics::observable::ObservableMetric;
use crate::metrics::series::{Series, SeriesCell};

/// Writes the `# TYPE`, `# UNIT` and `# HELP` lines of a family.
pub(super) fn header(
    out: &mut String,
    format: ExpositionFormat,
    name: &MetricName,
    kind: InstrumentKind,
    description: &str,
) {
    match format {
        ExpositionFormat::Text => {
            // In the text format, a counter's header has the name of its samples.
            let total = (kind == InstrumentKind::Counter && name.has_total).then_some("total");
            if !description.is_empty() {
                write_help_line(out, &name.family, None, total, description);
            }
            write_type_line(out, &name.family, None, total, kind.type_word());
        }
        ExpositionFormat::OpenMetrics => {
            // In OpenMetrics, the samples of a counter end in `_total`. A counter that keeps its name is `unknown`.
            let type_word = if kind == InstrumentKind::Counter && !name.has_total {
                "unknown"
            } else {
                kind.type_word()
            };
            write_type_line(out, &name.family, None, None, type_word);
            if !name.unit.is_empty() {
                metadata(out, "# UNIT ", &name.family, &name.unit);
            }
            if !description.is_empty() {
                metadata(out, "# HELP ", &name.family, &escaped(description));
            }
        }
    }
}

fn metadata(out: &mut String, word: &str, family: &str, text: &str) {
    for part in [word, family, " ", text, "\n"] {
        out.push_str(part);
    }
}

/// Writes the samples of one series.
pub(super) fn series(out: &mut String, format: ExpositionFormat, metric: &Metric, series: &Series) {
    let family = &metric.name.family;
    let labels = &series.labels;
    match &series.cell {
        SeriesCell::Counter(cell) => {
            sample(out, family, metric.name.counter_suffix(), labels);
            push_int(out, cell.total());
        }
        SeriesCell::UpDown(cell) => {
            sample(out, family, "", labels);
            push_int(out, cell.value());
        }
        SeriesCell::Gauge(cell) => {
            sample(out, family, "", labels);
            push_f64(out, cell.value());
        }
        SeriesCell::Histogram(cell) => {
            histogram(out, format, family, labels, cell);
            return;
        }
        SeriesCell::Off => return,
    }
    out.push('\n');
}

fn histogram(
    out: &mut String,
    format: ExpositionFormat,
    family: &str,
    labels: &str,
    cell: &HistogramCell,
) {
    let bounds = cell.bounds();
    let les = match format {
        ExpositionFormat::Text => &bounds.plain,
        ExpositionFormat::OpenMetrics => &bounds.canonical,
    };
    // Each cell is read once, so that `_count` equals the last cumulated bucket.
    let values = cell.values();
    let mut count = 0_u64;
    for (bucket, (le, in_bucket)) in les.iter().zip(values.buckets()).enumerate() {
        count = count.wrapping_add(in_bucket);
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
        if format == ExpositionFormat::OpenMetrics
            && let Some(exemplar) = cell.exemplar(bucket)
        {
            push_exemplar(out, &exemplar);
        }
        out.push('\n');
    }
    // In OpenMetrics, a sum may not decrease. A sum that can decrease is omitted together with the count.
    if format == ExpositionFormat::OpenMetrics && !cell.is_sum_monotonic() {
        return;
    }
    sample(out, family, "_sum", labels);
    push_f64(out, values.sum());
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

/// Reads the values of an observable metric and writes them.
pub(super) fn observable(out: &mut String, format: ExpositionFormat, metric: &ObservableMetric) {
    let values = metric.values();
    if values.is_empty() {
        return;
    }
    header(out, format, &metric.name, metric.kind, &metric.description);
    let suffix = if metric.kind == InstrumentKind::Counter {
        "_total"
    } else {
        ""
    };
    for (labels, value) in values {
        sample(out, &metric.name.family, suffix, &labels);
        push_f64(out, value);
        out.push('\n');
    }
}

/// Writes a sample up to its value.
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
