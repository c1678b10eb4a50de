//! Request bodies: their size, their points and their parts.

use super::*;
use crate::trace::otlp::push::enabled::body::{FULL, halve, rejected};
use crate::trace::otlp::{compressed, decompressed};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceResponse,
};

/// The number of series in a test with many.
const MANY: u64 = 6000;

/// The series `n` of `jobs` in a request.
fn numbers(body: &[u8]) -> Vec<i64> {
    let metrics = metrics_of(request(body)).filter(|metric| metric.name == "jobs");
    let points = metrics.flat_map(|metric| match metric.data {
        Some(Data::Sum(sum)) => sum.data_points,
        other => panic!("{other:?}"),
    });
    let values = points.map(|point| match point.value {
        Some(number_data_point::Value::AsInt(value)) => value,
        other => panic!("{other:?}"),
    });
    values.collect()
}

fn many() -> Fixture {
    let fixture = Fixture::new(&MetricsConfig::default().max_series_per_metric(10_000));
    let jobs = fixture.metrics.counter("jobs").build();
    for n in 0..MANY {
        let labels = [("n", n.to_string()), ("text", "x".repeat(250))];
        jobs.with(labels).add(n + 1);
    }
    fixture.metrics.gauge("room").build().set(1.0);
    fixture
}

#[test]
fn a_push_is_divided_into_bodies_with_all_points() {
    let batches = many().batches();
    assert!(batches.len() > 1, "{}", batches.len());
    let points: u64 = batches.iter().map(|batch| batch.items).sum();
    assert_eq!(points, MANY + 1);
    let mut all = Vec::new();
    for batch in &batches {
        assert!(batch.body.len() < FULL + 1000, "{}", batch.body.len());
        let [resource] = &request(&batch.body).resource_metrics[..] else {
            panic!("one resource");
        };
        assert_eq!(
            attributes(&resource.resource.as_ref().unwrap().attributes),
            "service.name=\"shop\" "
        );
        let scope = resource.scope_metrics[0].scope.as_ref().unwrap();
        assert_eq!(
            [&*scope.name, &*scope.version],
            ["watchpost", env!("CARGO_PKG_VERSION")]
        );
        all.extend(numbers(&batch.body));
    }
    all.sort_unstable();
    assert_eq!(all, (1..=MANY.cast_signed()).collect::<Vec<_>>());
}

#[test]
fn a_body_that_is_too_large_is_halved_down_to_single_points() {
    let mut fixture = Fixture::with(MetricsTemporality::Cumulative);
    let jobs = fixture.metrics.counter("jobs").build();
    for n in 1..=5 {
        jobs.with([("n", n.to_string())]).add(n);
    }
    fixture.metrics.histogram("took").build().record(1.0);
    let [batch] = &fixture.batches()[..] else {
        panic!("one batch");
    };
    let [(three, first), (others, second)] = halve(&batch.body, false).unwrap();
    assert_eq!((three, numbers(&first)), (3, vec![1, 2, 3]));
    assert_eq!((others, numbers(&second)), (3, vec![4, 5]));
    let names = metrics_of(request(&second)).map(|metric| metric.name);
    assert_eq!(names.collect::<Vec<_>>(), ["jobs", "took"]);
    let [(1, _), (2, rest)] = halve(&second, false).unwrap() else {
        panic!("1 and 2");
    };
    let [(1, one), (1, _)] = halve(&rest, false).unwrap() else {
        panic!("1 and 1");
    };
    assert_eq!(halve(&one, false), None);
    // A compressed body has compressed parts.
    let gzip = compressed(batch.body.clone(), true);
    let [(3, half), _] = halve(&gzip, true).unwrap() else {
        panic!("3");
    };
    let plain = decompressed(&half, 1 << 20).unwrap();
    assert_eq!(numbers(&plain), [1, 2, 3]);
    assert_eq!(halve(b"\xff", false), None);
}

#[test]
fn rejected_points_are_read_from_the_response() {
    let response = |rejected_data_points| {
        let partial_success = Some(ExportMetricsPartialSuccess {
            rejected_data_points,
            error_message: "too old".to_owned(),
        });
        ExportMetricsServiceResponse { partial_success }.encode_to_vec()
    };
    assert_eq!(rejected(&response(3)), Some((3, "too old".to_owned())));
    assert_eq!(rejected(&response(0)), None);
    assert_eq!(rejected(&response(-1)), None);
    assert_eq!(rejected(b""), None);
}
