//! Tests of the protobuf exposition, decoded by `prost`.

mod messages;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread::ScopedJoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE};
use http::{Method, Request, Response};
use http_body::Body as _;
use proptest::prelude::*;
use tower::ServiceExt as _;

use self::messages::{Bucket, Histogram, LabelPair, MetricFamily, MetricType, decode};
use super::write;
use crate::clock::Clock;
use crate::metrics::bounds::Bounds;
use crate::metrics::histogram_values::{self, HistogramValues, ZERO};
use crate::metrics::{ExpositionBody, InstrumentKind, Metrics, MetricsConfig, Observer};
use crate::model::TraceId;

const PROTOBUF: &str =
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

fn registry(config: MetricsConfig) -> Metrics {
    let clock = Clock::driven(Duration::from_secs(1_700_000_000));
    Metrics::new(config, clock, Arc::default())
}

fn scrape_by(
    metrics: &Metrics,
    method: Method,
    encoding: &'static str,
) -> Response<ExpositionBody> {
    let request = Request::builder()
        .method(method)
        .header(ACCEPT, PROTOBUF)
        .header(ACCEPT_ENCODING, encoding)
        .body(())
        .unwrap();
    let response = metrics.prometheus().oneshot(request);
    let mut response = std::pin::pin!(response);
    match response
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(response) => response.unwrap(),
        Poll::Pending => panic!("the service responds at once"),
    }
}

/// The frames of a response, and how often none was ready.
fn frames(response: Response<ExpositionBody>) -> (Vec<Bytes>, usize) {
    let mut body = std::pin::pin!(response.into_body());
    let (mut frames, mut waits) = (Vec::new(), 0);
    loop {
        match body
            .as_mut()
            .poll_frame(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(Some(frame)) => frames.push(frame.unwrap().into_data().unwrap()),
            Poll::Ready(None) => break,
            Poll::Pending => waits += 1,
        }
    }
    assert!(body.is_end_stream());
    (frames, waits)
}

fn bytes(metrics: &Metrics) -> Vec<u8> {
    frames(scrape_by(metrics, Method::GET, "identity"))
        .0
        .concat()
}

fn scrape(metrics: &Metrics) -> BTreeMap<String, MetricFamily> {
    let families = decode(&bytes(metrics));
    let count = families.len();
    let by_name: BTreeMap<_, _> = families
        .into_iter()
        .map(|family| (family.name().to_owned(), family))
        .collect();
    assert_eq!(by_name.len(), count, "a family stands twice");
    by_name
}

fn histogram(metrics: &Metrics, name: &str) -> Histogram {
    let families = scrape(metrics);
    let [metric] = &families[name].metric[..] else {
        panic!("one series");
    };
    let histogram = metric.histogram.clone().unwrap();
    histogram.check();
    histogram
}

#[test]
fn a_family_is_written_byte_by_byte_as_specified() {
    let metrics = registry(MetricsConfig::default());
    let jobs = metrics.counter("jobs").description("All.").build();
    jobs.with([("q", "é\n")]).add(2);
    let took = metrics.histogram("t").bounds([1.0]).build();
    took.record(2.0);
    let mut expected: Vec<u8> = Vec::new();
    // A family of 43 bytes: name, help and type; a metric with a label and a counter.
    expected.extend(b"\x2b\x0a\x0ajobs_total\x12\x04All.\x18\x00");
    expected.extend(b"\x22\x15\x0a\x08\x0a\x01q\x12\x03\xc3\xa9\n\x1a\x09\x09\0\0\0\0\0\0\0\x40");
    // A family of 55 bytes with a histogram: count, sum, one bucket, the schema 5, the zero threshold 2^-24 and the zero count; one
    // native bucket with the index 32.
    expected.extend(b"\x37\x0a\x01t\x18\x04\x22\x30\x3a\x2e\x08\x01\x11\0\0\0\0\0\0\0\x40");
    expected.extend(b"\x1a\x0b\x08\x00\x11\0\0\0\0\0\0\xf0\x3f");
    expected
        .extend(b"\x28\x0a\x31\0\0\0\0\0\0\x70\x3e\x38\x00\x62\x04\x08\x40\x10\x01\x6a\x01\x02");
    assert_eq!(bytes(&metrics), expected, "{:x?}", bytes(&metrics));
}

#[test]
fn all_kinds_of_metrics_have_the_names_and_values_of_the_text_format() {
    let metrics = registry(MetricsConfig::default().keep_counter_names(true));
    let counter = metrics
        .counter("jobs.done")
        .description("Jobs \"done\"\\\nso far.");
    counter.build().with([("queue", "a\"b\\c\nd")]).add(7);
    metrics.up_down_counter("level").build().add(-3);
    metrics.gauge("temperature").unit("Cel").build().set(-1.5);
    metrics::with_local_recorder(&metrics.recorder(), || {
        metrics::counter!("odd").increment(4);
    });
    let observer: Observer = Arc::new(|observe| {
        observe(&[("b", "2")], 2.5);
        observe(&[], 1.0);
    });
    metrics.observe("seen", "By", "Read now.", InstrumentKind::Counter, observer);
    metrics.observe("none", "", "", InstrumentKind::Gauge, Arc::new(|_| {}));

    let families = scrape(&metrics);
    let names: Vec<_> = families.keys().map(String::as_str).collect();
    let expected = [
        "jobs_done_total",
        "level",
        "odd",
        "seen_bytes_total",
        "temperature_celsius",
    ];
    assert_eq!(names, expected);
    let of = |name: &str| {
        let family = &families[name];
        let value = family.metric.last().unwrap();
        let number = [&value.counter, &value.gauge]
            .into_iter()
            .flatten()
            .next()
            .unwrap();
        (family.r#type(), family.unit(), number.value())
    };
    assert_eq!(of("jobs_done_total"), (MetricType::Counter, "", 7.0));
    assert_eq!(of("level"), (MetricType::Gauge, "", -3.0));
    assert_eq!(of("odd"), (MetricType::Counter, "", 4.0));
    assert_eq!(of("seen_bytes_total"), (MetricType::Counter, "bytes", 2.5));
    assert_eq!(
        of("temperature_celsius"),
        (MetricType::Gauge, "celsius", -1.5)
    );
    let jobs = &families["jobs_done_total"];
    assert_eq!(jobs.help(), "Jobs \"done\"\\\nso far.");
    let [label] = &jobs.metric[0].label[..] else {
        panic!("one label");
    };
    assert_eq!((label.name(), label.value()), ("queue", "a\"b\\c\nd"));
    assert_eq!(families["seen_bytes_total"].metric.len(), 2);
}

#[test]
fn the_buckets_of_a_histogram_are_those_of_its_values() {
    let metrics = registry(MetricsConfig::default());
    let took = metrics
        .histogram("took")
        .bounds([-1.0, 0.0, 0.5, 1.0])
        .build();
    // With Prometheus' indexes: bucket `i` contains the values above 2^((i - 1)/32), up to 2^(i/32).
    let positive = [
        (1.0, 0),
        (1.0001, 1),
        (2.0, 32),
        (0.3, -55),
        (0.3, -55),
        (1e-7, -744),
        (1e13, 1280),
    ];
    let negative = [(-4.0, 64), (-1e-3, -318), (-1e13, 1280)];
    for (value, _) in positive.into_iter().chain(negative) {
        took.record(value);
    }
    for zero in [0.0, -0.0, 1e-12, -1e-12, f64::NAN, f64::INFINITY] {
        took.record(zero);
    }
    let read = histogram(&metrics, "took");
    let counts = |values: &[(f64, i32)]| {
        let mut counts = BTreeMap::new();
        for (_, index) in values {
            *counts.entry(*index).or_default() += 1;
        }
        counts.into_iter().collect::<Vec<(i32, u64)>>()
    };
    assert_eq!(read.native(), [counts(&negative), counts(&positive)]);
    assert_eq!((read.sample_count(), read.zero_count()), (14, 4));
    assert_eq!((read.schema(), read.zero_threshold()), (5, 2_f64.powi(-24)));
    let own: Vec<_> = read
        .bucket
        .iter()
        .map(|it| (it.upper_bound(), it.cumulative_count()))
        .collect();
    assert_eq!(own, [(-1.0, 2), (0.0, 6), (0.5, 10), (1.0, 11)]);
    let sum = 1.0 + 1.0001 + 2.0 + 0.6 + 1e-7 - 4.0 - 1e-3;
    assert!(
        (read.sample_sum() - sum).abs() < 0.01,
        "{}",
        read.sample_sum()
    );
}

#[test]
fn a_histogram_without_values_is_native() {
    let metrics = registry(MetricsConfig::default());
    let _empty = metrics.histogram("took").bounds([1.0]).build();
    let read = histogram(&metrics, "took");
    // By one of these, a receiver knows a native histogram.
    assert!(read.schema.is_some() && read.zero_threshold() > 0.0);
    assert_eq!((read.sample_count, read.sample_sum), (Some(0), Some(0.0)));
    assert_eq!(read.native(), [vec![], vec![]]);
    assert_eq!(read.bucket.len(), 1);
}

#[test]
fn a_bucket_has_its_exemplar() {
    let metrics = registry(MetricsConfig::default());
    let took = metrics.histogram("took").bounds([1.0, 2.0]).build();
    took.record_traced(0.5, TraceId::from_u128(0xabc), 0);
    took.record_traced(9.0, TraceId::from_u128(7), 0);
    let read = histogram(&metrics, "took");
    let bounds: Vec<_> = read.bucket.iter().map(Bucket::upper_bound).collect();
    assert_eq!(
        bounds,
        [1.0, 2.0, f64::INFINITY],
        "the last one is there for its exemplar"
    );
    assert_eq!(read.bucket[1].exemplar, None);
    let exemplar = read.bucket[0].exemplar.clone().unwrap();
    let [label] = &exemplar.label[..] else {
        panic!("one label");
    };
    let trace = "00000000000000000000000000000abc";
    assert_eq!((label.name(), label.value()), ("trace_id", trace));
    assert_eq!(exemplar.value(), 0.5);
    assert_eq!(exemplar.timestamp.unwrap().seconds, 1_700_000_000);
}

#[test]
fn label_sets_beyond_the_limit_are_in_the_overflow_series() {
    let metrics = registry(MetricsConfig::default().max_series_per_metric(3));
    let took = metrics.histogram("took").build();
    for n in 0..10 {
        took.with([("n", n.to_string())]).record(1.0);
    }
    let families = scrape(&metrics);
    let series = &families["took"].metric;
    let counts = series
        .iter()
        .map(|it| it.histogram.as_ref().unwrap().sample_count());
    assert_eq!(counts.sum::<u64>(), 10);
    let overflow = series.iter().find(|it| {
        it.label
            .iter()
            .any(|it| it.name() == "otel_metric_overflow")
    });
    assert_eq!(
        overflow.unwrap().histogram.as_ref().unwrap().sample_count(),
        8
    );
}

#[test]
fn a_joined_exposition_follows_without_the_families_that_are_exposed_already() {
    let metrics = registry(MetricsConfig::default());
    metrics.counter("ours").build().add(1);
    let theirs = "# TYPE ours_total counter\nours_total 5\n\
        # HELP jobs_total Jobs \\\\ \"done\".\n# TYPE jobs_total counter\njobs_total{q=\"a\\n}\"} 3 1700000000000\n\
        # TYPE took histogram\ntook_bucket{q=\"a\",le=\"1\"} 1\ntook_bucket{q=\"a\",le=\"+Inf\"} 2\ntook_sum{q=\"a\"} 4\n\
        took_count{q=\"a\"} 2\ntook_bucket{q=\"b\",le=\"1\"} 1\ntook_bucket{q=\"b\",le=\"+Inf\"} 1\ntook_sum{q=\"b\"} 0.5\n\
        took_count{q=\"b\"} 1\nnot a sample\n# TYPE wait summary\nwait{quantile=\"0.5\"} NaN\nwait_sum 0\nwait_count 0\n\
        # TYPE level gauge\nlevel -1\n";
    metrics.join_exposition(|| theirs.to_owned(), || {});
    let families = scrape(&metrics);
    let types: Vec<_> = families
        .iter()
        .map(|(name, it)| (name.as_str(), it.r#type(), it.metric.len()))
        .collect();
    let expected = [
        ("jobs_total", MetricType::Counter, 1),
        ("level", MetricType::Gauge, 1),
        ("ours_total", MetricType::Counter, 1),
        ("took_bucket", MetricType::Untyped, 4),
        ("took_count", MetricType::Untyped, 2),
        ("took_sum", MetricType::Untyped, 2),
        ("wait", MetricType::Untyped, 1),
        ("wait_count", MetricType::Untyped, 1),
        ("wait_sum", MetricType::Untyped, 1),
    ];
    assert_eq!(types, expected);
    let jobs = &families["jobs_total"];
    assert_eq!(jobs.help(), "Jobs \\ \"done\".");
    assert_eq!(jobs.metric[0].label[0].value(), "a\n}");
    assert_eq!(jobs.metric[0].counter.as_ref().unwrap().value(), 3.0);
    assert_eq!(jobs.metric[0].timestamp_ms, Some(1_700_000_000_000));
    assert_eq!(
        families["ours_total"].metric[0]
            .counter
            .as_ref()
            .unwrap()
            .value(),
        1.0
    );
    let bucket = &families["took_bucket"].metric[1];
    let labels: Vec<_> = bucket
        .label
        .iter()
        .map(|it| (it.name(), it.value()))
        .collect();
    assert_eq!(labels, [("q", "a"), ("le", "+Inf")]);
    assert_eq!(bucket.untyped.as_ref().unwrap().value(), 2.0);
}

#[test]
fn a_large_family_is_written_in_short_steps_and_sent_in_frames() {
    let metrics = registry(MetricsConfig::default().max_series(30_000));
    for name in ["a", "b"] {
        let took = metrics.histogram(name).build();
        for n in 0..2_000 {
            let series = took.with([("user", n.to_string())]);
            for value in 0..20 {
                series.record(f64::from(value) / 10.0);
            }
        }
    }
    let _last = metrics.counter("z").build();
    let (all, waits) = frames(scrape_by(&metrics, Method::GET, "identity"));
    assert!(
        all.len() > 10 && waits > 10,
        "{} frames, {waits} waits",
        all.len()
    );
    assert!(
        all.iter()
            .all(|frame| (1..=64 * 1024).contains(&frame.len()))
    );
    let families = decode(&all.concat());
    let series: Vec<_> = families
        .iter()
        .map(|it| (it.name(), it.metric.len()))
        .collect();
    assert_eq!(series, [("a", 2000), ("b", 2000), ("z_total", 1)]);

    let (compressed, waits) = frames(scrape_by(&metrics, Method::GET, "gzip"));
    assert!(waits > 10 && compressed.iter().all(|frame| !frame.is_empty()));
    let mut unpacked = Vec::new();
    let compressed = compressed.concat();
    let mut decoder = flate2::read::GzDecoder::new(&compressed[..]);
    std::io::Read::read_to_end(&mut decoder, &mut unpacked).unwrap();
    assert_eq!(unpacked, all.concat());
}

#[test]
fn the_response_names_the_format_also_without_a_body() {
    let metrics = registry(MetricsConfig::default());
    metrics.counter("jobs").build().add(1);
    for method in [Method::GET, Method::HEAD] {
        let is_head = method == Method::HEAD;
        let response = scrape_by(&metrics, method, "identity");
        assert_eq!(response.headers()[CONTENT_TYPE], PROTOBUF);
        assert_eq!(frames(response).0.is_empty(), is_head);
    }
    assert!(
        frames(scrape_by(
            &registry(MetricsConfig::default()),
            Method::GET,
            "identity"
        ))
        .0
        .is_empty()
    );
}

proptest! {
    #[test]
    fn no_joined_exposition_is_too_odd(
        lines in proptest::collection::vec("(# (TYPE|HELP) )?[a-z1{},=\"\\\\ .é]{0,30}( 1)?|x\\{a=\"b\"\\} [0-9NaInf+-]{1,4}|.{0,30}", 0..8),
    ) {
        let metrics = registry(MetricsConfig::default());
        metrics.join_exposition(move || lines.join("\n"), || {});
        for family in decode(&bytes(&metrics)) {
            let labels = family.metric.iter().flat_map(|metric| &metric.label);
            for name in labels.map(LabelPair::name).chain([family.name()]) {
                prop_assert!(name.starts_with(|c: char| !c.is_ascii_digit()), "{name}");
                prop_assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || "_:".contains(c)), "{name}");
            }
        }
    }
}

/// A value at zero is counted in its bucket and in the zero bucket, one after the other.
#[test]
fn a_value_that_is_half_recorded_is_not_in_the_count() {
    let bounds = Arc::new(Bounds::new(&[1.0]));
    let fine = (5, 3);
    let half = vec![fine, (histogram_values::outside(0), 2), (ZERO, 1)];
    let values = HistogramValues::new(&bounds, half, 0.0);
    let mut out = Vec::new();
    write::histogram(&mut out, &values, bounds.values(), |_| None);
    let read: Histogram = prost::Message::decode(&out[..]).unwrap();
    read.check();
    assert_eq!(
        (read.sample_count(), read.bucket[0].cumulative_count()),
        (4, 4)
    );
}

#[test]
fn counts_agree_while_values_are_recorded() {
    let metrics = registry(MetricsConfig::default());
    let took = metrics
        .histogram("took")
        .bounds([-1.0, 0.0, 1e-9, 1.0, 1e15])
        .build();
    std::thread::scope(|scope| {
        let recording = [0, 1].map(|thread| {
            let took = &took;
            scope.spawn(move || {
                for n in thread..400_000 {
                    took.record([0.0, -1.0, 1e-10, 1e14, 0.25, -1e20, 3.0][n % 7]);
                }
            })
        });
        let mut before = Vec::new();
        while !recording.iter().all(ScopedJoinHandle::is_finished) {
            let read = histogram(&metrics, "took");
            let counts: Vec<_> = read.bucket.iter().map(Bucket::cumulative_count).collect();
            let grows = |before: &Vec<u64>| before.iter().zip(&counts).all(|(old, new)| old <= new);
            assert!(
                before.is_empty() || grows(&before),
                "{before:?}, {counts:?}"
            );
            before = counts;
        }
    });
    assert_eq!(histogram(&metrics, "took").sample_count(), 799_999);
}
