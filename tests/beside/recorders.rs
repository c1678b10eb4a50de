//! Hosts with a recorder of the `metrics` facade.

use std::time::Duration;

use metrics_exporter_prometheus::PrometheusBuilder;

use crate::cases::{Case, host_output};
use crate::support::builder;

pub(crate) const CASES: [Case; 3] = [
    Case::unchanged("recorder_prometheus_keeps_its_page", keeps_its_page),
    Case::new(
        "recorder_join_exposition_names_what_it_drops",
        names_what_it_drops,
    ),
    Case::new(
        "recorder_counters_keep_their_names",
        counters_keep_their_names,
    ),
];

fn keeps_its_page(added: bool) {
    let theirs = PrometheusBuilder::new().install_recorder().unwrap();
    let guard = added.then(|| builder().0.install().unwrap());
    metrics::counter!("jobs").increment(2);
    if let Some(guard) = &guard {
        let (render, upkeep) = (theirs.clone(), theirs.clone());
        guard
            .metrics()
            .join_exposition(move || render.render(), move || upkeep.run_upkeep());
        let page = guard.metrics().render();
        assert_eq!(page.matches("\njobs 2\n").count(), 1, "{page}");
    }
    host_output(theirs.render().as_bytes());
}

fn names_what_it_drops() {
    let theirs = PrometheusBuilder::new().install_recorder().unwrap();
    let guard = builder().0.install().unwrap();
    guard.metrics().counter("jobs").build().add(1);
    metrics::counter!("jobs_total").increment(2);
    metrics::gauge!("depth").set(3.0);
    let (render, upkeep) = (theirs.clone(), theirs.clone());
    guard
        .metrics()
        .join_exposition(move || render.render(), move || upkeep.run_upkeep());
    for _ in 0..3 {
        let page = guard.metrics().render();
        assert!(page.contains("\njobs_total 1\n") && page.contains("\ndepth 3\n"));
        assert!(!page.contains("jobs_total 2"));
    }
    assert!(guard.flush_blocking(Duration::from_secs(10)).unwrap());
    let report = guard.report().notices;
    let named = report.iter().filter(|it| it.contains("`jobs_total`"));
    assert_eq!(named.count(), 1, "{report:?}");
    assert!(!report.iter().any(|it| it.contains("`depth`")));
}

fn counters_keep_their_names() {
    let theirs = PrometheusBuilder::new().build_recorder();
    let guard = builder().0.keep_counter_names(true).install().unwrap();
    let count = || {
        metrics::counter!("jobs", "queue" => "a").increment(2);
        metrics::counter!("sent_total").increment(3);
        metrics::counter!("mail.total").increment(4);
    };
    metrics::with_local_recorder(&theirs, count);
    count();
    let (theirs, ours) = (theirs.handle().render(), guard.metrics().render());
    for line in theirs.lines().filter(|line| !line.is_empty()) {
        assert!(ours.lines().any(|it| it == line), "{line}\n{ours}");
    }
    // A counter of the same family with other labels is not added to this one.
    metrics::counter!("jobs_total", "queue" => "a").increment(50);
    let ours = guard.metrics().render();
    assert!(ours.lines().any(|it| it == "jobs{queue=\"a\"} 2"), "{ours}");
    let notices = guard.report().notices;
    let refused = |it: &&String| it.contains("jobs_total");
    assert_eq!(notices.iter().filter(refused).count(), 1, "{notices:?}");
}
