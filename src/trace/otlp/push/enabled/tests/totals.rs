//! Names, attributes, times and values of counters and gauges.

use std::sync::{Arc, Mutex};

use super::*;
use crate::metrics::{InstrumentKind, Observer};
use crate::semconv;
use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality;

/// Expires all series that are not used for two hours.
fn expire_idle(fixture: &Fixture) {
    for _ in 0..2 {
        fixture.metrics.expire();
        fixture.clock.advance(Duration::from_secs(2 * 3600));
        fixture.metrics.expire();
    }
}

fn observe(fixture: &Fixture, name: &str, kind: InstrumentKind) -> Arc<Mutex<Option<f64>>> {
    let value = Arc::new(Mutex::new(Some(0.0)));
    let read = Arc::clone(&value);
    let observer: Observer = Arc::new(move |observe| {
        if let Some(value) = *read.lock().unwrap() {
            observe(&[("state", "user")], value);
        }
    });
    fixture.metrics.observe(name, "s", "", kind, observer);
    value
}

#[test]
fn names_units_and_attributes_are_those_of_opentelemetry() {
    let mut fixture = Fixture::with(MetricsTemporality::Cumulative);
    let requests = fixture
        .metrics
        .counter("http.server.requests")
        .unit("{request}")
        .description("Requests.")
        .build();
    let labels = [
        (semconv::HTTP_ROUTE, "/a/{id}"),
        (semconv::HTTP_RESPONSE_STATUS_CODE, "200"),
        (semconv::ERROR_TYPE, "a \"quoted\" \\ text"),
        ("tenant.id", "7"),
    ];
    requests.with(labels).add(3);
    requests
        .with([(semconv::HTTP_RESPONSE_STATUS_CODE, "none")])
        .add(1);
    fixture.metrics.up_down_counter("open").build().add(-2);
    let room = fixture.metrics.gauge("room.temperature").unit("Cel");
    room.build().set(21.5);
    let recorder = fixture.metrics.recorder();
    metrics::with_local_recorder(&recorder, || {
        metrics::describe_counter!("mails_total", metrics::Unit::Bytes, "Mails.");
        metrics::counter!("mails_total").increment(9);
    });
    let pushed = fixture.push();
    let shown: Vec<_> = pushed
        .0
        .values()
        .map(|it| [&*it.name, &*it.unit, &*it.description])
        .collect();
    let expected = [
        ["http.server.requests", "{request}", "Requests."],
        ["mails_total", "By", "Mails."],
        ["open", "", ""],
        ["room.temperature", "Cel", ""],
    ];
    assert_eq!(shown, expected);
    assert_eq!(
        pushed.lines("http.server.requests"),
        [
            r#"error.type="a \"quoted\" \\ text" http.response.status_code=200 http.route="/a/{id}" tenant_id="7" 3 0..10"#,
            r#"http.response.status_code="none" 1 0..10"#,
        ]
    );
    assert_eq!(pushed.lines("open"), ["-2 0..10"]);
    assert_eq!(pushed.lines("room.temperature"), ["21.5 0..10"]);
    let sum = |name: &str| match &pushed.0[name].data {
        Some(Data::Sum(sum)) => (sum.is_monotonic, sum.aggregation_temporality()),
        other => panic!("{other:?}"),
    };
    let cumulative = AggregationTemporality::Cumulative;
    assert_eq!(sum("http.server.requests"), (true, cumulative));
    assert_eq!(sum("open"), (false, cumulative));
    assert!(matches!(
        pushed.0["room.temperature"].data,
        Some(Data::Gauge(_))
    ));
}

#[test]
fn every_label_of_the_conventions_gets_its_name_back() {
    let names = crate::trace::otlp::push::enabled::attributes::AttributeNames::new();
    for name in semconv::LABEL_ATTRIBUTES {
        let label = format!("{}=\"1\"", name.replace('.', "_"));
        assert_eq!(names.attributes(&label)[0].key, name);
    }
}

#[test]
fn the_overflow_series_is_marked() {
    let config = MetricsConfig::default().max_series_per_metric(2);
    let mut fixture = Fixture::new(&config);
    let jobs = fixture.metrics.counter("jobs").build();
    for n in 0..5 {
        jobs.with([("n", n.to_string())]).add(1);
    }
    let lines = fixture.push().lines("jobs");
    assert!(
        lines.contains(&"otel.metric.overflow=true 4 0..10".to_owned()),
        "{lines:?}"
    );
}

#[test]
fn cumulative_totals_begin_when_their_series_was_made() {
    let mut fixture = Fixture::with(MetricsTemporality::Cumulative);
    let jobs = fixture.metrics.counter("jobs").build();
    let count = |n| jobs.with([("queue", "mail")]).add(n);
    count(5);
    assert_eq!(fixture.push().lines("jobs"), [r#"queue="mail" 5 0..10"#]);
    assert_eq!(fixture.push().lines("jobs"), [r#"queue="mail" 5 0..20"#]);
    // The series is freed. One with the same labels is made later.
    expire_idle(&fixture);
    assert!(
        fixture
            .push()
            .lines("jobs")
            .iter()
            .all(|it| !it.contains("mail"))
    );
    let made = fixture.clock.now() / SECOND;
    count(2);
    let expected = format!(r#"queue="mail" 2 {made}..{}"#, made + 10);
    assert_eq!(fixture.push().lines("jobs").pop(), Some(expected));
}

#[test]
fn a_series_that_returns_from_idleness_keeps_its_start() {
    let mut fixture = Fixture::with(MetricsTemporality::Cumulative);
    let jobs = fixture.metrics.counter("jobs").build();
    let mail = jobs.with([("queue", "mail")]);
    mail.add(5);
    fixture.push();
    expire_idle(&fixture);
    assert!(
        fixture
            .push()
            .lines("jobs")
            .iter()
            .all(|it| !it.contains("mail"))
    );
    mail.add(2);
    let line = fixture.push().lines("jobs").pop().unwrap();
    assert!(line.starts_with(r#"queue="mail" 7 0.."#), "{line}");
}

#[test]
fn increases_add_up_to_the_total() {
    let mut fixture = Fixture::with(MetricsTemporality::Delta);
    let jobs = fixture.metrics.counter("jobs").build();
    let mail = jobs.with([("queue", "mail")]);
    let open = fixture.metrics.up_down_counter("open").build();
    mail.add(5);
    open.add(3);
    let pushed = fixture.push();
    assert_eq!(pushed.lines("jobs"), [r#"queue="mail" 5 0..10"#]);
    match &pushed.0["jobs"].data {
        Some(Data::Sum(sum)) => {
            assert_eq!(sum.aggregation_temporality(), AggregationTemporality::Delta);
        }
        other => panic!("{other:?}"),
    }
    mail.add(2);
    open.add(-1);
    let pushed = fixture.push();
    assert_eq!(pushed.lines("jobs"), [r#"queue="mail" 2 10..20"#]);
    // The total of an up-down counter is no sum of increases for a receiver.
    assert_eq!(pushed.lines("open"), ["2 0..20"]);
    assert_eq!(fixture.push().lines("jobs"), [""; 0]);
    // A series that was idle returns with its total. Only the difference to the last push is new.
    expire_idle(&fixture);
    assert_eq!(fixture.push().lines("jobs"), [""; 0]);
    mail.add(4);
    let line = fixture.push().lines("jobs").pop().unwrap();
    assert!(line.starts_with(r#"queue="mail" 4 "#), "{line}");
}

#[test]
fn an_observed_counter_that_decreases_was_reset() {
    for (temporality, expected) in [
        (
            MetricsTemporality::Cumulative,
            [
                "100.0 0..10",
                "130.0 0..20",
                "20.0 20..30",
                "",
                "25.0 20..50",
            ],
        ),
        (
            MetricsTemporality::LowMemory,
            [
                "100.0 0..10",
                "130.0 0..20",
                "20.0 20..30",
                "",
                "25.0 20..50",
            ],
        ),
        (
            MetricsTemporality::Delta,
            [
                "100.0 0..10",
                "30.0 10..20",
                "20.0 20..30",
                "",
                "5.0 40..50",
            ],
        ),
    ] {
        let mut fixture = Fixture::with(temporality);
        let value = observe(&fixture, "cpu.time", InstrumentKind::Counter);
        let totals = [Some(100.0), Some(130.0), Some(20.0), None, Some(25.0)];
        let lines = totals.map(|total| {
            *value.lock().unwrap() = total;
            let line = fixture.push().lines("cpu.time").pop();
            line.unwrap_or_default().replace(r#"state="user" "#, "")
        });
        assert_eq!(lines, expected, "{temporality:?}");
    }
}

#[test]
fn low_memory_pushes_increases_of_recorded_counters() {
    let mut fixture = Fixture::with(MetricsTemporality::LowMemory);
    let jobs = fixture.metrics.counter("jobs").build();
    let open = observe(&fixture, "open", InstrumentKind::UpDownCounter);
    *open.lock().unwrap() = Some(4.0);
    for _ in 0..2 {
        jobs.add(1);
        fixture.push();
    }
    jobs.add(3);
    let pushed = fixture.push();
    assert_eq!(pushed.lines("jobs"), ["3 20..30"]);
    assert_eq!(pushed.lines("open"), [r#"state="user" 4.0 0..30"#]);
}

#[test]
fn a_push_is_due_at_each_interval_and_once_for_a_flush() {
    let mut fixture = Fixture::with(MetricsTemporality::Cumulative);
    fixture.metrics.counter("jobs").build().add(1);
    let mut pushes = |now: u64, flush: bool| {
        if flush {
            fixture.pusher.request_flush();
        }
        let job = fixture.pusher.take_job(now * SECOND);
        let batches = job.map_or(0, |job| job().len());
        (batches, fixture.pusher.due().unwrap() / SECOND)
    };
    assert_eq!(pushes(5, false), (0, 65));
    assert_eq!(pushes(64, false), (0, 65));
    assert_eq!(pushes(65, false), (1, 125));
    assert_eq!(pushes(70, true), (1, 130));
    assert_eq!(pushes(71, false), (0, 130));
    // Missed pushes are not made up for.
    assert_eq!(pushes(1000, false), (1, 1060));
}
