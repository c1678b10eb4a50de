//! Checks an exposition against every MUST of the `OpenMetrics` specification.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use metrics::{gauge, histogram};

use super::ExpositionFormat;
use crate::clock::Clock;
use crate::metrics::labels::pairs;
use crate::metrics::{InstrumentKind, Metrics, MetricsConfig, Observer};
use crate::model::TraceId;

#[derive(Debug, Default)]
struct HistogramSamples {
    buckets: Vec<(f64, f64)>,
    sum: Option<f64>,
    count: Option<f64>,
}

/// Panics at the first violation.
fn check(exposition: &str) {
    let body = exposition.strip_suffix("# EOF\n").expect("an end");
    let (mut family, mut kind) = ("", "unknown");
    let mut families = HashSet::new();
    let mut groups = BTreeMap::<(String, String), HistogramSamples>::new();
    for line in body.lines() {
        assert!(!line.is_empty(), "a blank line");
        if let Some(meta) = line.strip_prefix("# ") {
            let mut words = meta.splitn(3, ' ');
            let (word, name) = (words.next().unwrap(), words.next().unwrap());
            if name != family {
                assert!(families.insert(name), "{name} stands twice");
                (family, kind) = (name, "unknown");
            }
            match word {
                "TYPE" => kind = words.next().unwrap(),
                "UNIT" => assert!(name.ends_with(&format!("_{}", words.next().unwrap()))),
                other => assert_eq!(other, "HELP"),
            }
            continue;
        }
        let sample = line.split(" # ").next().unwrap();
        let (series, value) = sample.rsplit_once(' ').unwrap();
        let value: f64 = value.parse().unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let labels = labels.strip_suffix('}').unwrap();
        let suffix = name.strip_prefix(family).unwrap_or_else(|| {
            panic!("`{line}` stands under {family}");
        });
        let counts = matches!(suffix, "_total" | "_bucket" | "_sum" | "_count");
        assert!(!counts || value >= 0.0, "a counter's value: {line}");
        match kind {
            "counter" => assert_eq!(suffix, "_total", "{line}"),
            "gauge" | "unknown" => assert_eq!(suffix, "", "{line}"),
            "summary" => {
                let of_summary = matches!(suffix, "" | "_sum" | "_count");
                let is_negative = suffix.is_empty() && value < 0.0;
                assert!(of_summary && !is_negative, "{line}");
            }
            "histogram" => {
                let (le, rest): (Vec<_>, Vec<_>) = pairs(labels).partition(|(key, _)| *key == "le");
                let group = groups
                    .entry((name_of(name), format!("{rest:?}")))
                    .or_default();
                match (suffix, le.first()) {
                    ("_bucket", Some((_, le))) => group.buckets.push((le.parse().unwrap(), value)),
                    ("_sum", None) => group.sum = Some(value),
                    ("_count", None) => group.count = Some(value),
                    _ => panic!("{line}"),
                }
            }
            other => panic!("{other} is not a type"),
        }
        assert!(
            !line.contains(" # ") || suffix == "_bucket" || suffix == "_total",
            "an exemplar: {line}"
        );
    }
    for (at, group) in groups {
        assert!(
            group.buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1),
            "{at:?}"
        );
        let (last, all) = *group.buckets.last().unwrap();
        assert!(
            last.is_infinite() && last > 0.0,
            "{at:?} has no last bucket"
        );
        assert_eq!(group.sum.is_some(), group.count.is_some(), "{at:?}");
        assert!(group.count.is_none_or(|count| count == all), "{at:?}");
        assert!(group.buckets[0].0 >= 0.0 || group.sum.is_none(), "{at:?}");
    }
}

fn name_of(sample: &str) -> String {
    let end = sample.rfind('_').unwrap();
    sample[..end].to_owned()
}

fn exposition() -> Metrics {
    let clock = Clock::driven(std::time::Duration::from_secs(1_700_000_000));
    let config = MetricsConfig::default().max_series_per_metric(3);
    let metrics = Metrics::new(config, clock, Arc::default());
    let counter = metrics
        .counter("jobs.done")
        .description("Jobs \"done\"\\\nso far.")
        .build();
    for queue in ["a\"b\\c\nd", "ü", "", " ", "over", "it"] {
        counter.with([("queue", queue)]).add(2);
    }
    let level = metrics.up_down_counter("level").unit("{request}").build();
    level.add(-7);
    for (name, value) in [
        ("nan", f64::NAN),
        ("above", f64::INFINITY),
        ("below", f64::NEG_INFINITY),
        ("minus_zero", -0.0),
        ("tiny", 5e-324),
        ("huge", -1.7e308),
    ] {
        metrics.gauge(name).unit("Cel").build().set(value);
    }
    // Values of histograms by name. Each histogram exists with default bounds and with negative ones.
    let values: [(&str, &[f64]); 12] = [
        ("never", &[]),
        ("zero", &[0.0, -0.0]),
        ("usual", &[0.003, 0.2, 7.0]),
        ("negative", &[-1.0]),
        ("negative_first", &[-3.0, 10.0]),
        ("negative_last", &[10.0, -3.0]),
        ("tiny_negative", &[-5e-324]),
        ("cancelling", &[-2.0, 2.0]),
        ("nan", &[f64::NAN]),
        ("infinite", &[f64::INFINITY, f64::NEG_INFINITY]),
        ("overflowing", &[f64::MAX, f64::MAX]),
        ("underflowing", &[f64::MIN, f64::MIN, f64::MAX]),
    ];
    for (name, values) in values {
        let own = metrics.histogram(&format!("own.{name}")).unit("s").build();
        let below = metrics.histogram(&format!("below.{name}"));
        let below = below.bounds([-10.0, -1.0, 0.0, 1.0]).build();
        for value in values {
            own.with([("of", name)]).record(*value);
            own.record_traced(*value, TraceId::from_u128(7), 0);
            below.record(*value);
        }
        metrics::with_local_recorder(&metrics.recorder(), || {
            histogram!(format!("facade.{name}"), "le" => "x").record_many(2.0, 3);
            for value in values {
                histogram!(format!("facade.{name}")).record(*value);
            }
        });
    }
    metrics::with_local_recorder(&metrics.recorder(), || gauge!("facade_gauge").set(-1.5));
    let observer: Observer = Arc::new(|observe| {
        observe(&[("b", "2")], 2.5);
        observe(&[], 1.0);
    });
    let again = Arc::clone(&observer);
    metrics.observe("seen", "By", "Read now.", InstrumentKind::Counter, again);
    metrics.observe("held", "", "Read now.", InstrumentKind::Gauge, observer);
    metrics.join_exposition(|| THEIRS.to_owned(), || {});
    metrics
}

/// An exposition of another recorder, in the text format.
const THEIRS: &str = "# TYPE level_total counter\nlevel_total 3\n\
    # TYPE their_jobs_total counter\ntheir_jobs_total{q=\"}\"} 3 1700000000000\n\
    # TYPE their_summary summary\ntheir_summary{quantile=\"0\"} -2\ntheir_summary{quantile=\"1\"} 5\n\
    their_summary_sum -1\ntheir_summary_count 4\n\
    # TYPE their_empty summary\ntheir_empty{quantile=\"0.5\"} NaN\ntheir_empty_sum 0\ntheir_empty_count 0\n\
    # TYPE their_took histogram\ntheir_took_bucket{q=\"a\",le=\"1\"} 1\ntheir_took_bucket{q=\"a\",le=\"+Inf\"} 1\n\
    their_took_sum{q=\"a\"} -4\ntheir_took_count{q=\"a\"} 1\n\
    their_took_bucket{q=\"b\",le=\"1\"} 1\ntheir_took_bucket{q=\"b\",le=\"+Inf\"} 2\n\
    their_took_sum{q=\"b\"} 4\ntheir_took_count{q=\"b\"} 2\n\
    # TYPE their_below histogram\ntheir_below_bucket{le=\"-1\"} 0\ntheir_below_bucket{le=\"+Inf\"} 2\n\
    their_below_sum 4\ntheir_below_count 2\n";

#[test]
fn every_kind_of_instrument_and_value_is_valid_openmetrics() {
    let metrics = exposition();
    let exposition = metrics.render_as(ExpositionFormat::OpenMetrics);
    check(&exposition);
    for there in [
        "own_usual_seconds_sum{of=\"usual\"} 7.203\n",
        "own_nan_seconds_count{of=\"nan\"} 0\n",
        "own_zero_seconds_sum 0\n",
        "own_overflowing_seconds_sum +Inf\n",
        "own_negative_seconds_bucket{le=\"+Inf\"} 1\n",
        "their_took_sum{q=\"b\"} 4\ntheir_took_count{q=\"b\"} 2\n",
        "their_summary_count 4\n",
    ] {
        assert!(exposition.contains(there), "{there} in\n{exposition}");
    }
    let text = metrics.render();
    // The text format has no such rule.
    for there in ["own_negative_seconds_sum -1\n", "below_usual_count 3\n"] {
        assert!(text.contains(there), "{there} in\n{text}");
    }
}
