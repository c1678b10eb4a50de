//! Tests of the registry and of the text of its page.

mod service;

use std::sync::Barrier;
use std::time::Duration;

use metrics::{counter, describe_counter, describe_histogram, gauge, histogram};

use super::*;
use crate::model::TraceId;

const WALL: Duration = Duration::from_secs(1_700_000_000);
const HOUR: Duration = Duration::from_secs(3600);

struct MetricsFixture {
    metrics: Metrics,
    clock: Clock,
    diagnostics: Arc<Diagnostics>,
}

fn fixture(config: MetricsConfig) -> MetricsFixture {
    let (clock, diagnostics) = (Clock::driven(WALL), Arc::<Diagnostics>::default());
    let metrics = Metrics::new(config, clock.clone(), Arc::clone(&diagnostics));
    MetricsFixture {
        metrics,
        clock,
        diagnostics,
    }
}

fn registry() -> MetricsFixture {
    fixture(MetricsConfig::default())
}

fn filled() -> MetricsFixture {
    let fixture = registry();
    let metrics = &fixture.metrics;
    let jobs = metrics
        .counter("jobs.done")
        .description("Jobs\ndone \\ \"so far\".");
    let jobs = jobs.build();
    jobs.with([("queue", "a\"b\\c\nd"), ("http.route", "/{id}")])
        .add(3);
    jobs.with([("queue", "ü")]).add(1);
    metrics
        .gauge("room.temperature")
        .unit("Cel")
        .build()
        .set(21.5);
    let active = metrics
        .up_down_counter("http.server.active_requests")
        .unit("{request}")
        .build();
    active.add(5);
    active.add(-7);
    let duration = metrics
        .histogram("wait")
        .unit("s")
        .bounds([1.0, 0.5])
        .build();
    let duration = duration.with([("kind", "x")]);
    duration.record(0.25);
    duration.record_traced(0.75, TraceId::from_u128(0xabc), 1_250_000_000);
    duration.record(9.0);
    metrics.observe(
        "seen.bytes",
        "By",
        "Read now.",
        InstrumentKind::Counter,
        Arc::new(|observe| {
            observe(&[("b", "2")], 2.5);
            observe(&[], 1.0);
        }),
    );
    fixture
}

#[test]
fn the_text_format_is_exact() {
    assert_eq!(
        filled().metrics.render(),
        r#"# TYPE http_server_active_requests gauge
http_server_active_requests -2
# HELP jobs_done_total Jobs\ndone \\ "so far".
# TYPE jobs_done_total counter
jobs_done_total{http_route="/{id}",queue="a\"b\\c\nd"} 3
jobs_done_total{queue="ü"} 1
# TYPE room_temperature_celsius gauge
room_temperature_celsius 21.5
# HELP seen_bytes_total Read now.
# TYPE seen_bytes_total counter
seen_bytes_total 1
seen_bytes_total{b="2"} 2.5
# TYPE wait_seconds histogram
wait_seconds_bucket{kind="x",le="0.5"} 1
wait_seconds_bucket{kind="x",le="1"} 2
wait_seconds_bucket{kind="x",le="+Inf"} 3
wait_seconds_sum{kind="x"} 10
wait_seconds_count{kind="x"} 3
"#
    );
}

#[test]
fn the_openmetrics_format_is_exact() {
    assert_eq!(
        filled().metrics.render_as(ExpositionFormat::OpenMetrics),
        r#"# TYPE http_server_active_requests gauge
http_server_active_requests -2
# TYPE jobs_done counter
# HELP jobs_done Jobs\ndone \\ \"so far\".
jobs_done_total{http_route="/{id}",queue="a\"b\\c\nd"} 3
jobs_done_total{queue="ü"} 1
# TYPE room_temperature_celsius gauge
# UNIT room_temperature_celsius celsius
room_temperature_celsius 21.5
# TYPE seen_bytes counter
# UNIT seen_bytes bytes
# HELP seen_bytes Read now.
seen_bytes_total 1
seen_bytes_total{b="2"} 2.5
# TYPE wait_seconds histogram
# UNIT wait_seconds seconds
wait_seconds_bucket{kind="x",le="0.5"} 1
wait_seconds_bucket{kind="x",le="1.0"} 2 # {trace_id="00000000000000000000000000000abc"} 0.75 1700000001.250
wait_seconds_bucket{kind="x",le="+Inf"} 3
wait_seconds_sum{kind="x"} 10
wait_seconds_count{kind="x"} 3
# EOF
"#
    );
}

/// Sums every sample of a name.
fn sum(exposition: &str, name: &str) -> f64 {
    let samples = exposition.lines().filter(|line| {
        let rest = line.strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
    });
    let values = samples.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap());
    values.sum()
}

#[test]
fn label_sets_beyond_the_limit_share_one_series_and_the_total_stays_exact() {
    let config = MetricsConfig::default()
        .max_series_per_metric(10)
        .max_series(15);
    let MetricsFixture {
        metrics,
        diagnostics,
        ..
    } = fixture(config);
    let a = metrics.counter("a").build();
    for n in 0..1000_u32 {
        a.with([("user", n.to_string())]).add(u64::from(n));
    }
    let b = metrics.histogram("b").build();
    for n in 0..1000_u32 {
        b.with([("user", n.to_string())]).record(1.0);
    }
    let exposition = metrics.render();
    assert_eq!(sum(&exposition, "a_total").to_string(), "499500");
    assert_eq!(sum(&exposition, "b_count").to_string(), "1000");
    assert!(
        exposition.contains("a_total{otel_metric_overflow=\"true\"} 499464\n"),
        "{exposition}"
    );
    assert_eq!(
        exposition
            .lines()
            .filter(|line| line.starts_with("a_total"))
            .count(),
        10
    );
    let capped = metrics.capped();
    assert_eq!(
        (
            capped[0].metric.as_str(),
            capped[0].series,
            capped[0].overflowed
        ),
        ("a", 10, 991)
    );
    assert_eq!(
        (
            capped[1].metric.as_str(),
            capped[1].series,
            capped[1].overflowed
        ),
        ("b", 5, 996)
    );
    assert_eq!(diagnostics.notices().len(), 2);
    // A handle of the overflow series stays one if labels are added.
    a.with([("user", "x")]).with([("more", "y")]).add(1);
    assert_eq!(sum(&metrics.render(), "a_total").to_string(), "499501");
}

#[test]
fn the_first_kind_of_a_name_wins() {
    let MetricsFixture {
        metrics,
        diagnostics,
        ..
    } = registry();
    metrics.counter("x").build().add(1);
    metrics.gauge("x").build().set(7.0);
    metrics.gauge("x").build().with([("a", "b")]).set(7.0);
    metrics.counter("x").build().add(1);
    metrics.histogram("y").build().record(1.0);
    metrics.gauge("y.count").build().set(1.0);
    metrics.observe(
        "x",
        "",
        "",
        InstrumentKind::Gauge,
        Arc::new(|observe| observe(&[], 9.0)),
    );
    let exposition = metrics.render();
    assert_eq!(exposition.matches("# TYPE").count(), 2, "{exposition}");
    assert!(
        exposition.starts_with("# TYPE x_total counter\nx_total 2\n"),
        "{exposition}"
    );
    let said = diagnostics.notices();
    assert_eq!(said.len(), 3, "{said:?}");
    assert!(
        said[0].contains("`x` is a counter already: the gauge"),
        "{said:?}"
    );
}

#[test]
fn two_spellings_of_a_name_are_one_metric() {
    let MetricsFixture {
        metrics,
        diagnostics,
        ..
    } = registry();
    metrics.counter("http.calls").build().add(1);
    metrics.counter("http_calls").build().add(2);
    metrics.counter("http_calls_total").build().add(4);
    assert_eq!(
        metrics.render(),
        "# TYPE http_calls_total counter\nhttp_calls_total 7\n"
    );
    assert_eq!(diagnostics.notices(), Vec::<String>::new());
}

/// Only counters keep their names, so a gauge and a histogram of the facade are those of the typed handles.
#[test]
fn two_spellings_are_one_metric_also_where_counters_keep_their_names() {
    let MetricsFixture {
        metrics,
        diagnostics,
        ..
    } = fixture(MetricsConfig::default().keep_counter_names(true));
    metrics.gauge("room.size").build().add(1.0);
    metrics
        .histogram("room.wait")
        .bounds([1.0])
        .build()
        .record(0.5);
    metrics::with_local_recorder(&metrics.recorder(), || {
        gauge!("room_size").increment(2.0);
        histogram!("room_wait").record(0.5);
        counter!("calls").increment(1);
    });
    assert_eq!(diagnostics.notices(), Vec::<String>::new());
    let exposition = metrics.render();
    assert!(exposition.contains("room_size 3\n"), "{exposition}");
    assert!(exposition.contains("room_wait_count 2\n"), "{exposition}");
    assert!(exposition.contains("\ncalls 1\n"), "{exposition}");
}

#[test]
fn a_name_of_handles_and_facade_is_exposed_as_its_first_user_registers_it() {
    let MetricsFixture { metrics, .. } = fixture(MetricsConfig::default().keep_counter_names(true));
    let recorder = metrics.recorder();
    metrics.counter("typed.first").build().add(1);
    metrics::with_local_recorder(&recorder, || {
        counter!("typed.first").increment(2);
        counter!("facade.first").increment(1);
    });
    metrics.counter("facade.first").build().add(2);
    assert_eq!(
        metrics.render(),
        "# TYPE facade_first counter\nfacade_first 3\n\
         # TYPE typed_first_total counter\ntyped_first_total 3\n"
    );
}

#[test]
fn the_number_of_names_is_bounded() {
    let MetricsFixture {
        metrics,
        diagnostics,
        ..
    } = registry();
    for n in 0..5000 {
        metrics.counter(&format!("n{n}")).build().add(1);
    }
    assert_eq!(metrics.render().matches("# TYPE").count(), 2000);
    assert!(diagnostics.notices()[0].contains("more than 2000 names"));
}

#[test]
fn the_series_without_labels_is_hidden_if_it_is_only_a_base() {
    let MetricsFixture { metrics, .. } = registry();
    let base = metrics.counter("x").build();
    assert!(metrics.render().contains("x_total 0\n"));
    let labelled = base.with([("a", "b")]);
    assert!(!metrics.render().contains("x_total 0\n"));
    assert!(metrics.render().contains("x_total{a=\"b\"} 0\n"));
    base.add(1);
    labelled.add(1);
    assert_eq!(sum(&metrics.render(), "x_total").to_string(), "2");
}

#[test]
fn an_idle_series_is_removed_and_returns_with_its_total_if_a_handle_is_held() {
    let MetricsFixture { metrics, clock, .. } = registry();
    let jobs = metrics.counter("jobs").build();
    let held = jobs.with([("q", "held")]);
    held.add(5);
    jobs.with([("q", "let go")]).add(5);
    let level = metrics.up_down_counter("level").build();
    level.with([("q", "up")]).add(1);
    level.with([("q", "even")]).add(1);
    level.with([("q", "even")]).add(-1);
    let size = || metrics.registry.context.series.load(Relaxed);
    assert_eq!(size(), 6);
    metrics.expire();
    clock.advance(Duration::from_secs(3599));
    metrics.expire();
    let epoch = metrics.epoch();
    assert_eq!(sum(&metrics.render(), "jobs_total").to_string(), "10");
    clock.advance(Duration::from_secs(1));
    metrics.expire();
    assert_eq!(metrics.render(), "# TYPE level gauge\nlevel{q=\"up\"} 1\n");
    assert_ne!(metrics.epoch(), epoch, "cached handles are looked up again");
    // Left are the two bases, the held series, and the level that is not 0.
    assert_eq!(size(), 4);
    held.add(2);
    let exposition = metrics.render();
    assert!(
        exposition.starts_with("# TYPE jobs_total counter\njobs_total{q=\"held\"} 7\n"),
        "{exposition}"
    );
    metrics.expire();
    clock.advance(Duration::from_secs(3599));
    metrics.expire();
    assert!(metrics.render().contains("held"));
}

#[test]
fn an_idle_series_makes_room_for_another() {
    let MetricsFixture { metrics, clock, .. } =
        fixture(MetricsConfig::default().max_series_per_metric(3));
    let jobs = metrics.counter("jobs").build();
    jobs.with([("n", "1")]).add(1);
    jobs.with([("n", "2")]).add(1);
    jobs.with([("n", "3")]).add(1);
    assert!(
        metrics
            .render()
            .contains("otel_metric_overflow=\"true\"} 1\n")
    );
    metrics.expire();
    clock.advance(HOUR);
    metrics.expire();
    jobs.with([("n", "3")]).add(1);
    let exposition = metrics.render();
    assert!(
        exposition.contains("jobs_total{n=\"3\"} 1\n"),
        "{exposition}"
    );
    assert!(
        exposition.contains("otel_metric_overflow=\"true\"} 1\n"),
        "{exposition}"
    );
}

#[test]
fn a_gauge_changed_by_add_is_kept_and_one_that_is_set_expires() {
    let MetricsFixture { metrics, clock, .. } = registry();
    metrics.gauge("set").build().set(4.0);
    metrics.gauge("moved").build().add(4.0);
    metrics.expire();
    clock.advance(HOUR);
    metrics.expire();
    assert_eq!(metrics.render(), "# TYPE moved gauge\nmoved 4\n");
    metrics.gauge("moved").build().add(-3.0);
    assert!(metrics.render().contains("moved 1\n"));
}

#[test]
fn the_facade_records_into_the_same_registry() {
    let MetricsFixture { metrics, clock, .. } = registry();
    let recorder = metrics.recorder();
    let count = || {
        metrics::with_local_recorder(&recorder, || {
            counter!("jobs", "queue" => "mail", "to" => "x").increment(1);
            counter!("jobs", "to" => "x", "queue" => "mail").increment(1);
            counter!("jobs", "queue" => format!("{}", 5), "to" => "x").increment(1);
            counter!("total_elsewhere").absolute(50);
            counter!("total_elsewhere").absolute(40);
            gauge!("g").set(3.0);
            gauge!("g").decrement(1.0);
            histogram!("took").record(0.3);
            histogram!("took").record_many(0.3, 2);
            histogram!("body.size").record(100.0);
        });
    };
    metrics::with_local_recorder(&recorder, || {
        describe_counter!("jobs", metrics::Unit::Bytes, "Jobs done.");
        describe_histogram!(
            "late",
            metrics::Unit::Bytes,
            "Description before it is used."
        );
        histogram!("late").record(1.0);
    });
    count();
    count();
    metrics
        .counter("jobs")
        .build()
        .with([("queue", "mail"), ("to", "x")])
        .add(10);
    let exposition = metrics.render();
    assert!(
        exposition.contains("# HELP jobs_total Jobs done.\n# TYPE jobs_total counter\n"),
        "{exposition}"
    );
    assert!(
        exposition.contains("jobs_total{queue=\"mail\",to=\"x\"} 14\n"),
        "{exposition}"
    );
    assert!(
        exposition.contains("jobs_total{queue=\"5\",to=\"x\"} 2\n"),
        "{exposition}"
    );
    assert!(
        exposition.contains("total_elsewhere_total 50\n"),
        "{exposition}"
    );
    assert!(exposition.contains("g 2\n"), "{exposition}");
    assert!(
        exposition.contains("took_bucket{le=\"0.5\"} 6\n"),
        "{exposition}"
    );
    assert!(
        exposition.contains("body_size_bucket{le=\"256\"} 2\n"),
        "{exposition}"
    );
    assert!(
        exposition.contains("late_bucket{le=\"64\"} 1\n"),
        "{exposition}"
    );
    // A thread's cache drops handles of removed series.
    metrics.expire();
    clock.advance(HOUR);
    metrics.expire();
    metrics::with_local_recorder(&recorder, || counter!("other").increment(1));
    metrics.expire();
    assert!(!metrics.render().contains("mail"));
    count();
    let exposition = metrics.render();
    assert!(
        exposition.contains("jobs_total{queue=\"mail\",to=\"x\"} 2\n"),
        "freed, so it starts again\n{exposition}"
    );
}

#[test]
fn a_thread_that_ends_still_records_and_registries_are_separate() {
    struct CountsAtExit(Metrics);
    impl Drop for CountsAtExit {
        fn drop(&mut self) {
            let recorder = self.0.recorder();
            metrics::with_local_recorder(&recorder, || counter!("exits").increment(1));
        }
    }
    thread_local! {
        static LAST: std::cell::RefCell<Option<CountsAtExit>> = const { std::cell::RefCell::new(None) };
    }
    let all: Vec<Metrics> = (0..6).map(|_| registry().metrics).collect();
    for one in &all {
        let one = one.clone();
        let work = move || {
            LAST.with(|last| last.replace(Some(CountsAtExit(one.clone()))));
            metrics::with_local_recorder(&one.recorder(), || counter!("work").increment(1));
        };
        std::thread::spawn(work).join().unwrap();
    }
    for _ in 0..3 {
        for one in &all {
            metrics::with_local_recorder(&one.recorder(), || counter!("work").increment(1));
        }
    }
    for one in &all {
        let exposition = one.render();
        assert!(
            exposition.contains("exits_total 1\n") && exposition.contains("work_total 4\n"),
            "{exposition}"
        );
    }
}

#[test]
fn totals_of_many_threads_are_exact() {
    let MetricsFixture { metrics, .. } = registry();
    let start = Barrier::new(8);
    std::thread::scope(|scope| {
        for thread in 0..8_u32 {
            let (metrics, start) = (&metrics, &start);
            scope.spawn(move || {
                let recorder = metrics.recorder();
                let typed = metrics.counter("typed").build().with([("k", "v")]);
                let hist = metrics.histogram("h").build();
                start.wait();
                for n in 0..5_000_u32 {
                    typed.add(1);
                    hist.record(f64::from(n % 20));
                    metrics::with_local_recorder(&recorder, || {
                        counter!("facade", "n" => (n % 3000).to_string()).increment(1);
                    });
                    if n % 1000 == thread {
                        metrics.expire();
                        let _ = metrics.render();
                    }
                }
            });
        }
    });
    let exposition = metrics.render();
    for name in ["typed_total", "facade_total", "h_count"] {
        assert_eq!(sum(&exposition, name).to_string(), "40000", "{name}");
    }
    assert_eq!(sum(&exposition, "h_sum").to_string(), "380000");
}

#[test]
fn an_exemplar_has_the_calling_threads_trace() {
    let MetricsFixture { metrics, clock, .. } = registry();
    let trace = TraceId::from_u128(7);
    metrics.set_trace_source(Arc::new(move || Some(trace)));
    let recorder = metrics.recorder();
    metrics::with_local_recorder(&recorder, || histogram!("took").record(0.3));
    metrics.histogram("typed").build().record(0.3);
    clock.advance(HOUR);
    let exposition = metrics.render_as(ExpositionFormat::OpenMetrics);
    let exemplar = format!(" # {{trace_id=\"{trace}\"}} 0.3 1700000000.000\n");
    assert_eq!(exposition.matches(&exemplar).count(), 2, "{exposition}");
    assert!(!metrics.render().contains("trace_id"));
}

#[test]
fn an_observer_that_panics_affects_no_other_metric() {
    let MetricsFixture {
        metrics,
        diagnostics,
        ..
    } = registry();
    metrics.counter("x").build().add(1);
    metrics.observe(
        "bad",
        "",
        "",
        InstrumentKind::Gauge,
        Arc::new(|observe| {
            observe(&[], 1.0);
            std::panic::resume_unwind(Box::new("no"));
        }),
    );
    metrics.join_exposition(
        || std::panic::resume_unwind(Box::new("no")),
        || std::panic::resume_unwind(Box::new("no")),
    );
    metrics.join_exposition(
        || "# TYPE x_total counter\nx_total 9\n# TYPE z gauge\nz 1\n".to_owned(),
        || {},
    );
    metrics.upkeep();
    let exposition = metrics.render();
    assert_eq!(
        exposition,
        "# TYPE bad gauge\nbad 1\n# TYPE x_total counter\nx_total 1\n# TYPE z gauge\nz 1\n"
    );
    metrics.render();
    let said = diagnostics.notices();
    assert_eq!(said.len(), 4, "{said:?}");
    assert!(said[3].contains("`x_total`"), "{said:?}");
}

#[test]
fn runtimes_are_exposed() {
    let MetricsFixture {
        metrics,
        clock,
        diagnostics,
    } = registry();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    metrics.watch_itself();
    metrics.watch_runtime("main", runtime.handle());
    metrics.watch_runtime("other", runtime.handle());
    metrics.watch_runtime("main", runtime.handle());
    let _ = metrics.render();
    let barrier = Arc::new(Barrier::new(2));
    let other = Arc::clone(&barrier);
    runtime.spawn(async move {
        other.wait();
        std::future::pending::<()>().await;
    });
    barrier.wait();
    clock.advance(Duration::from_secs(2));
    let exposition = metrics.render();
    for line in [
        "tokio_workers{runtime=\"main\"} 2\n",
        "tokio_workers{runtime=\"other\"} 2\n",
        "tokio_alive_tasks{runtime=\"main\"} 1\n",
        "tokio_global_queue_depth{runtime=\"main\"} 0\n",
        "# TYPE tokio_busy_seconds_total counter\n",
        "watchpost_metrics_series 0\n",
    ] {
        assert!(exposition.contains(line), "{line} in\n{exposition}");
    }
    assert!(sum(&exposition, "tokio_parks_total") > 0.0, "{exposition}");
    assert!(!exposition.contains("tokio_busy_ratio{"), "{exposition}");
    assert_eq!(diagnostics.notices(), Vec::<String>::new());
    drop(runtime);
    clock.advance(Duration::from_secs(2));
    assert!(
        metrics
            .render()
            .contains("tokio_alive_tasks{runtime=\"main\"} 0\n")
    );
    let registry = Arc::downgrade(&metrics.registry);
    drop(metrics);
    assert!(
        registry.upgrade().is_none(),
        "no reference cycle keeps the registry alive"
    );
}

#[test]
fn a_scrape_does_not_shorten_the_interval_of_the_busy_ratio() {
    let MetricsFixture { metrics, clock, .. } = registry();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    metrics.watch_runtime("main", runtime.handle());
    metrics.measure_runtimes();
    let busy = || std::thread::sleep(Duration::from_millis(300));
    runtime.block_on(async { tokio::spawn(async move { busy() }).await.unwrap() });
    // Scrapes while the runtime is idle. The last of them has an interval without any work.
    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(50));
        clock.advance(Duration::from_secs(2));
        drop(metrics.render());
    }
    metrics.measure_runtimes();
    let ratio = || sum(&metrics.render(), "tokio_busy_ratio");
    let measured = ratio();
    assert!(measured > 0.01, "{measured}");
    // Later scrapes show the same.
    clock.advance(Duration::from_secs(2));
    assert!((ratio() - measured).abs() < f64::EPSILON);
}

#[test]
fn a_histogram_is_off_or_has_the_bounds_that_are_set_for_its_name() {
    let bounds = Buckets::Bounds(vec![2.0, 1.0]);
    let config = MetricsConfig::default()
        .max_series_per_metric(2)
        .histogram("by.program", bounds.clone())
        .histogram("by_exposed_seconds", bounds.clone())
        .histogram("of.facade", bounds)
        .histogram("none", Buckets::Off)
        .histogram("none.of.facade", Buckets::Off)
        .histogram("as.it.is", Buckets::Default)
        .histogram("counter", Buckets::Off);
    let MetricsFixture {
        metrics,
        diagnostics,
        ..
    } = fixture(config);
    let histogram = |name: &str| metrics.histogram(name).unit("s").bounds([7.0]).build();
    for name in ["by.program", "by.exposed", "none", "as.it.is"] {
        let histogram = histogram(name);
        (0..9).for_each(|n| histogram.with([("n", n.to_string())]).record(1.5));
    }
    metrics.counter("counter").build().add(1);
    metrics::with_local_recorder(&metrics.recorder(), || {
        histogram!("of.facade").record(1.5);
        histogram!("none.of.facade", "a" => "b").record(1.5);
    });
    let exposition = metrics.render();
    for there in [
        "by_program_seconds_bucket{n=\"0\",le=\"2\"} 1\n",
        "by_exposed_seconds_bucket{n=\"0\",le=\"1\"} 0\n",
        "of_facade_bucket{le=\"2\"} 1\n",
        "as_it_is_seconds_bucket{n=\"0\",le=\"7\"} 1\n",
        "counter_total 1\n",
    ] {
        assert!(exposition.contains(there), "{there} in\n{exposition}");
    }
    assert!(!exposition.contains("none"), "{exposition}");
    // A histogram that is off has no series and cannot reach a limit.
    assert!(
        metrics
            .capped()
            .iter()
            .all(|it| !it.metric.starts_with("none"))
    );
    assert_eq!(
        diagnostics
            .notices()
            .iter()
            .filter(|it| it.contains("none"))
            .count(),
        0
    );
}
