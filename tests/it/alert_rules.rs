//! Alert rules in a whole monitor, and the same rules in Prometheus.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use watchpost::alerts::{
    AlertState, Alerts, AlertsConfig, Bound, Inhibition, LabelMatcher, MissingData,
    NotificationReason, Rule, Severity,
};
use watchpost::history::{Aggregation, MetricQuery};
use watchpost::testing::Harness;

const STEP: Duration = Duration::from_secs(30);

fn without_defaults() -> Harness {
    Harness::with(|builder| builder.alerts(AlertsConfig::default().default_rules(false)))
}

fn step(harness: &Harness) {
    harness.advance(STEP);
    harness.snapshot();
    harness.evaluate_alerts();
}

#[test]
fn a_change_is_one_log_record_and_one_call_of_a_hook() {
    let harness = without_defaults();
    let rule = Rule::threshold(
        "hot",
        MetricQuery::last("heat").by(["room"]),
        Bound::above(30.0),
    )
    .hold_for(STEP)
    .severity(Severity::Critical)
    .missing_data(MissingData::Resolve);
    harness.alerts().add_rule(rule).unwrap();
    let events = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&events);
    harness
        .on_alert(move |event| seen.lock().unwrap().push(event.clone()))
        .detach();
    harness.on_alert(|_| panic!("a hook that panics")).detach();

    let heat = harness
        .metrics()
        .gauge("heat")
        .build()
        .with([("room", "7")]);
    for value in [35.0, 36.0, 37.0, 20.0] {
        heat.set(value);
        step(&harness);
    }
    let events = events.lock().unwrap().clone();
    let states: Vec<_> = events
        .iter()
        .map(|event| {
            (
                event.alert.state,
                event.notification.map(NotificationReason::as_str),
            )
        })
        .collect();
    let expected = [
        (AlertState::Pending, None),
        (AlertState::Firing, Some("first")),
        (AlertState::Resolved, Some("resolved")),
    ];
    assert_eq!(states, expected);
    let lines: Vec<_> = harness
        .lines()
        .into_iter()
        .filter(|line| line.contains("\"target\":\"alerts\""))
        .collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    for part in [
        "\"level\":\"ERROR\"",
        "\"message\":\"alert hot is firing: 36, its limit is > 30\"",
        "\"alert\":\"hot\"",
        "\"from\":\"pending\"",
        "\"reason\":\"held_for\"",
        "\"value\":36",
        "\"labels\":\"room=7\"",
    ] {
        assert!(lines[1].contains(part), "{part} in {}", lines[1]);
    }
    assert!(lines[2].contains("\"level\":\"INFO\"") && lines[2].contains("\"to\":\"resolved\""));
    assert_eq!(harness.alerts().transitions().len(), 3);
    let page = harness.page();
    assert_eq!(page.sum("watchpost_alerts_hook_panics_total", &[]), 3.0);
    let delivered = [("result", "delivered")];
    assert_eq!(
        page.sum("watchpost_alerts_hook_events_total", &delivered),
        3.0
    );
    assert!(page.sum("watchpost_alerts_evaluations_total", &[]) >= 4.0);
}

#[test]
fn the_lag_of_the_evaluation_is_a_metric() {
    // The worker evaluates no rule during the test.
    let hour = Duration::from_secs(3600);
    let harness = Harness::with(|builder| builder.alerts(AlertsConfig::default().interval(hour)));
    let lag = || {
        let page = harness.page();
        page.sum("watchpost_alerts_evaluation_lag_seconds", &[])
    };
    harness.advance(hour);
    harness.evaluate_alerts();
    assert_eq!(lag(), 0.0);
    // An evaluation that is due and does not take place, because one before hangs for example.
    harness.advance(hour + Duration::from_secs(7));
    assert_eq!(lag(), 7.0);
    harness.evaluate_alerts();
    harness.advance(hour);
    assert_eq!(lag(), 7.0);
    harness.evaluate_alerts();
    assert_eq!(lag(), 0.0);
}

#[test]
fn a_restart_continues_and_announces_nothing_twice() {
    let (directory, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let announced = Arc::new(Mutex::new(Vec::new()));
    let start = |path: &std::path::Path, minutes: u32| {
        let harness = Harness::with(|builder| {
            builder
                .data_dir(path)
                .alerts(AlertsConfig::default().default_rules(false))
        });
        harness.advance(minutes * Duration::from_secs(60));
        let rule = Rule::threshold("hot", MetricQuery::last("heat").total(), Bound::above(30.0));
        harness.alerts().add_rule(rule.hold_for(2 * STEP)).unwrap();
        let to = Arc::clone(&announced);
        let hook = move |event: &watchpost::alerts::AlertEvent| {
            if let Some(reason) = event.notification {
                to.lock()
                    .unwrap()
                    .push((event.alert.incident(), reason.as_str()));
            }
        };
        harness.on_alert(hook).detach();
        let heat = harness.metrics().gauge("heat").build();
        (harness, heat)
    };
    let (first, heat) = start(directory.path(), 0);
    heat.set(40.0);
    for _ in 0..4 {
        step(&first);
    }
    let incident = first.alerts().list()[0].incident();
    assert_eq!(first.alerts().list()[0].state, AlertState::Firing);
    assert!(
        first
            .alerts()
            .acknowledge(first.alerts().list()[0].fingerprint, "ada", "on it", None)
    );
    let silence = ["room=7".parse().unwrap()];
    first
        .alerts()
        .silence(silence, Duration::from_secs(86_400), "bob", "night")
        .unwrap();
    // What a process leaves that is killed now.
    std::fs::copy(directory.path().join("alerts"), copy.path().join("alerts")).unwrap();
    drop(first);

    let (second, heat) = start(copy.path(), 10);
    heat.set(41.0);
    step(&second);
    let alert = second.alerts().list().remove(0);
    assert_eq!(
        (alert.state, alert.incident()),
        (AlertState::Firing, incident.clone())
    );
    assert_eq!(alert.acknowledged.map(|by| by.by).as_deref(), Some("ada"));
    assert_eq!(second.alerts().silences().len(), 1);
    assert_eq!(second.alerts().transitions().len(), 2);
    heat.set(1.0);
    step(&second);
    let announced = announced.lock().unwrap().clone();
    assert_eq!(
        announced,
        [(incident.clone(), "first"), (incident, "resolved")]
    );
}

#[test]
fn the_rules_of_a_file_follow_its_changes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rules.toml");
    let rule = |limit: u32| {
        format!("[[rule]]\nname = \"hot\"\nmetric = \"heat\"\nby = []\nabove = {limit}\n")
    };
    std::fs::write(&path, rule(30)).unwrap();
    let harness = Harness::with(|builder| {
        let config = AlertsConfig::default().default_rules(false);
        builder.alerts(config.file(path.to_str().unwrap()))
    });
    harness.metrics().gauge("heat").build().set(35.0);
    let states = || -> Vec<_> {
        harness
            .alerts()
            .list()
            .iter()
            .map(|alert| alert.state)
            .collect()
    };
    step(&harness);
    assert_eq!(states(), [AlertState::Firing]);
    // A bad file changes nothing, and is told.
    std::fs::write(&path, rule(40) + "[[rule]]\n").unwrap();
    step(&harness);
    assert_eq!(states(), [AlertState::Firing]);
    let failures = harness.alerts().failures();
    assert!(
        failures[0].1.contains("line 6: a rule needs a `name`"),
        "{failures:?}"
    );
    assert_eq!(
        harness
            .notices()
            .iter()
            .filter(|notice| notice.contains("line 6"))
            .count(),
        1
    );
    // A good one does.
    std::fs::write(&path, rule(50) + "\n\n").unwrap();
    step(&harness);
    assert_eq!(states(), [AlertState::Resolved]);
    assert!(harness.alerts().failures().is_empty());
    std::fs::write(&path, "").unwrap();
    step(&harness);
    assert!(harness.alerts().rules().is_empty());
}

#[test]
fn the_inhibitions_of_a_file_go_with_it_and_those_of_the_program_stay() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rules.toml");
    let rules: String = ["hot", "warm", "mild"]
        .map(|name| format!("[[rule]]\nname = \"{name}\"\nmetric = \"heat\"\nby = []\nabove = 1\n"))
        .concat();
    let inhibit = "[[inhibit]]\nsource = [\"alertname=hot\"]\ntarget = [\"alertname=warm\"]\n";
    std::fs::write(&path, rules.clone() + inhibit).unwrap();
    let harness = Harness::with(|builder| {
        let config = AlertsConfig::default().default_rules(false);
        builder.alerts(config.file(path.to_str().unwrap()))
    });
    let matcher = |name| [LabelMatcher::is("alertname", name)];
    let own = Inhibition::new(matcher("hot"), matcher("mild"), [""; 0]);
    harness.alerts().set_inhibitions([own]);
    harness.metrics().gauge("heat").build().set(35.0);
    let hidden = || -> Vec<_> {
        let alerts = harness.alerts().list().into_iter();
        let hidden = alerts.filter(|alert| alert.inhibited_by.is_some());
        hidden.map(|alert| alert.rule).collect()
    };
    step(&harness);
    assert_eq!(hidden(), ["mild", "warm"]);
    std::fs::write(&path, rules).unwrap();
    step(&harness);
    assert_eq!(hidden(), ["mild"]);
}

#[test]
fn a_silence_can_last_as_long_as_a_duration() {
    let harness = without_defaults();
    let silence = ["room=7".parse().unwrap()];
    let number = harness
        .alerts()
        .silence(silence, Duration::MAX, "bob", "for ever")
        .unwrap();
    let silences = harness.alerts().silences();
    assert_eq!(silences.len(), 1);
    let lasting = silences[0].ends.duration_since(silences[0].starts).unwrap();
    assert_eq!(lasting, Duration::from_secs(36_525 * 86_400));
    assert!(harness.alerts().end_silence(number));
}

#[test]
fn a_backtest_of_a_function_has_the_limits_of_others() {
    let harness = without_defaults();
    let rule = Rule::custom("mine", |_, _| Ok(Vec::new()), Bound::above(1.0));
    let now = harness.now();
    let error = |start, end| {
        let result = harness.alerts().backtest(&rule, start, end);
        result.unwrap_err().to_string()
    };
    assert!(error(now + STEP, now).contains("before its start"));
    assert!(error(now, now + 11_000 * STEP).contains("11001 points"));
    let result = harness.alerts().backtest(&rule, now, now + 10_999 * STEP);
    assert_eq!(result.unwrap(), []);
}

#[test]
fn a_backtest_finds_what_the_rule_did() {
    let harness = without_defaults();
    let heat = || MetricQuery::last("heat").by(["room"]).window(WINDOW);
    let rule = Rule::threshold("hot", heat(), Bound::above(30.0))
        .and(heat().total(), Bound::above(0.0))
        .hold_for(STEP)
        .keep_firing_for(STEP)
        .missing_data(MissingData::Resolve);
    harness.alerts().add_rule(rule.clone()).unwrap();
    let gauge = harness
        .metrics()
        .gauge("heat")
        .build()
        .with([("room", "7")]);
    let start = harness.now() + STEP;
    for value in [35.0, 36.0, 20.0, 20.0, 20.0, 35.0, 20.0, 50.0, 51.0] {
        gauge.set(value);
        step(&harness);
    }
    let tested = harness
        .alerts()
        .backtest(&rule, start, harness.now())
        .unwrap();
    assert_eq!(tested, harness.alerts().transitions());
    let states: Vec<_> = tested.iter().map(|it| it.to.as_str()).collect();
    let expected = [
        "pending",
        "firing",
        "recovering",
        "resolved",
        "pending",
        "inactive",
        "pending",
        "firing",
    ];
    assert_eq!(states, expected);
    assert!(
        harness
            .alerts()
            .backtest(&rule, harness.now(), start)
            .is_err()
    );
}

#[test]
fn a_job_that_does_not_succeed_in_time_is_an_alert() {
    let harness = Harness::new();
    let job = harness.job("nightly", 3 * STEP).unwrap();
    let firing = || {
        let alerts = harness.alerts().list().into_iter();
        let jobs =
            alerts.filter(|alert| alert.rule == "missed-job" && alert.state == AlertState::Firing);
        jobs.map(|alert| alert.annotations[0].1.clone())
            .collect::<Vec<_>>()
    };
    (0..3).for_each(|_| step(&harness));
    assert!(firing().is_empty());
    step(&harness);
    assert_eq!(firing(), ["The job nightly should have succeeded 30s ago"]);
    let run = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    run.block_on(job.run(async { Err::<(), _>("no") }))
        .unwrap_err();
    step(&harness);
    assert_eq!(firing().len(), 1);
    run.block_on(job.run(async { Ok::<_, ()>(()) })).unwrap();
    step(&harness);
    assert!(firing().is_empty());
    let page = harness.page();
    for (result, count) in [("succeeded", 1.0), ("failed", 1.0)] {
        assert_eq!(
            page.sum("watchpost_job_runs_total", &[("result", result)]),
            count
        );
    }
}

/// Requests that end at once, of which some fail.
fn requests(harness: &Harness, ok: usize, failed: usize) {
    use tower::{Layer, Service};
    let run = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    for status in std::iter::repeat_n(200, ok).chain(std::iter::repeat_n(500, failed)) {
        let service = tower::service_fn(move |_: http::Request<String>| async move {
            let response = http::Response::builder().status(status);
            Ok::<_, std::convert::Infallible>(response.body(String::new()).unwrap())
        });
        let mut service = harness.layer().layer(service);
        let response = run
            .block_on(service.call(http::Request::new(String::new())))
            .unwrap();
        let body = http_body_util::BodyExt::collect(response.into_body());
        run.block_on(body).unwrap();
    }
}

/// The names of the rules with an alert that fires.
fn firing_rules(harness: &Harness) -> Vec<String> {
    let alerts = harness.alerts().list().into_iter();
    let firing = alerts.filter(|alert| alert.state == AlertState::Firing);
    firing.map(|alert| alert.rule).collect()
}

#[test]
fn the_error_rate_fires_with_enough_requests_and_ends() {
    let harness = Harness::new();
    // One error of two requests is no error rate.
    requests(&harness, 1, 1);
    (0..4).for_each(|_| step(&harness));
    assert!(firing_rules(&harness).is_empty());
    requests(&harness, 90, 10);
    (0..3).for_each(|_| step(&harness));
    assert_eq!(firing_rules(&harness), ["high-error-rate"]);
    let summary = &harness.alerts().list()[0].annotations[0].1;
    assert!(summary.starts_with("10.78%"), "{summary}");
    // After the window there are no requests, and no error rate.
    (0..11).for_each(|_| step(&harness));
    assert!(firing_rules(&harness).is_empty());
}

#[test]
fn an_objective_burns_its_budget() {
    let harness = without_defaults();
    harness.alerts().add_slo("availability", 99.0).unwrap();
    assert!(harness.alerts().add_slo("nothing", 100.0).is_err());
    requests(&harness, 150, 50);
    step(&harness);
    // A quarter of the requests is 25 times what is allowed.
    let expected = [
        "availability-burn-1h",
        "availability-burn-6h",
        "availability-burn-1d",
        "availability-burn-3d",
    ];
    let firing = firing_rules(&harness);
    assert!(
        expected
            .iter()
            .all(|name| firing.iter().any(|it| it == name)),
        "{firing:?}"
    );
    let status = harness.alerts().slos().unwrap().remove(0);
    assert_eq!(status.failed, Some(0.25));
    assert!((status.budget_left.unwrap() + 24.0).abs() < 1e-6);
    assert!((status.burn_rates[0].1.unwrap() - 25.0).abs() < 1e-6);
    // The short windows end the first alerts.
    (0..11).for_each(|_| step(&harness));
    let firing = firing_rules(&harness);
    assert!(
        !firing.iter().any(|name| name == "availability-burn-1h"),
        "{firing:?}"
    );
}

/// A small generator, so that each run has the same cases.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn bound(&mut self) -> Bound {
        let limit = self.below(5) as f64;
        match self.below(4) {
            0 => Bound::above(limit),
            1 => Bound::at_least(limit),
            2 => Bound::below(limit),
            _ => Bound::at_most(limit),
        }
    }
}

/// The number of evaluations of each case.
const STEPS: usize = 24;
/// The window of the queries. It contains two values, and no value at its begin.
const WINDOW: Duration = Duration::from_secs(45);

/// A gauge: its labels, and its values. `None` before it exists.
struct Gauge {
    metric: String,
    labels: BTreeMap<&'static str, String>,
    values: Vec<Option<f64>>,
}

/// The kinds of cases.
const CLASSES: [&str; 11] = [
    "threshold",
    "label sets",
    "sum",
    "mean, min and max of series",
    "min and max of a window",
    "ratio",
    "ratio without a part",
    "second condition",
    "second condition without labels",
    "absent",
    "late series",
];

/// A rule, and the gauges that it reads.
fn case(class: &str, number: usize, random: &mut Random) -> (Rule, Vec<Gauge>) {
    let metric = |suffix: &str| format!("case_{number}_{suffix}");
    let mut gauges = Vec::new();
    let mut add = |random: &mut Random, metric: &str, host: &str, late: usize| {
        // Values stay for some steps, so that alerts reach all states.
        let mut value = 0.0;
        let values = (0..STEPS).map(|step| {
            if step == 0 || random.below(3) == 0 {
                value = random.below(6) as f64;
            }
            (step >= late).then_some(value)
        });
        let values = values.collect();
        gauges.push(Gauge {
            metric: metric.to_owned(),
            labels: BTreeMap::from([
                ("host", host.to_owned()),
                ("zone", (random.below(2)).to_string()),
            ]),
            values,
        });
    };
    let (x, y) = (metric("x"), metric("y"));
    let last = |name: &str| MetricQuery::last(name).window(WINDOW);
    let name = format!("{class} {number}");
    let bound = random.bound();
    let hosts = ["a", "b", "c"];
    match class {
        "absent" | "late series" => add(random, &x, "a", 1 + (number % 17)),
        _ => hosts.iter().for_each(|host| add(random, &x, host, 0)),
    }
    let rule = match class {
        "threshold" => Rule::threshold(name, last(&x).label("host", "b"), bound),
        "label sets" => Rule::threshold(name, last(&x).by(["host"]), bound),
        "mean, min and max of series" => {
            let how = [Aggregation::Mean, Aggregation::Min, Aggregation::Max];
            let how = how[random.below(3) as usize];
            Rule::threshold(name, last(&x).total().aggregation(how), bound)
        }
        "min and max of a window" => {
            let query = match random.below(2) {
                0 => MetricQuery::min(&x),
                _ => MetricQuery::max(&x),
            };
            Rule::threshold(name, query.window(WINDOW).by(["host"]), bound)
        }
        "ratio" | "ratio without a part" => {
            let parts = if class == "ratio" { 3 } else { 1 };
            hosts
                .iter()
                .take(parts)
                .for_each(|host| add(random, &y, host, 0));
            Rule::ratio(name, last(&y).by(["host"]), last(&x).by(["host"]), bound)
        }
        "second condition" => {
            hosts
                .iter()
                .take(2)
                .for_each(|host| add(random, &y, host, 0));
            let other = random.bound();
            Rule::threshold(name, last(&x).by(["host"]), bound).and(last(&y).by(["host"]), other)
        }
        "second condition without labels" => {
            for host in hosts {
                add(random, &y, host, 0);
            }
            let other = random.bound();
            Rule::threshold(name, last(&x).by(["host"]), bound).and(last(&y).total(), other)
        }
        "absent" => Rule::absent(name, last(&x).total()),
        _ => Rule::threshold(name, last(&x).by(["zone"]), bound),
    };
    let rule = rule
        .hold_for(STEP * random.below(4) as u32)
        .keep_firing_for(STEP * random.below(4) as u32)
        .missing_data(MissingData::Resolve)
        .label("class", class)
        .annotation("summary", "{{ $labels.host }} in {{ $labels.class }}");
    (rule, gauges)
}

/// The firing alerts of each rule: their labels and annotations.
type FiringSets = BTreeMap<String, BTreeSet<(Vec<(String, String)>, Vec<(String, String)>)>>;

fn firing(alerts: &Alerts) -> FiringSets {
    let mut all = FiringSets::new();
    for alert in alerts.list() {
        // In Prometheus, an alert that goes on for a time after its condition fires too.
        if matches!(alert.state, AlertState::Firing | AlertState::Recovering) {
            let of_rule = all.entry(alert.rule).or_default();
            of_rule.insert((alert.labels, alert.annotations));
        }
    }
    all
}

/// A series in the notation of promtool.
fn series(gauge: &Gauge) -> String {
    let labels: Vec<_> = gauge
        .labels
        .iter()
        .map(|(name, value)| format!("{name}=\"{value}\""))
        .collect();
    let value = |value: &Option<f64>| value.map_or("_".to_owned(), |value| value.to_string());
    let values: Vec<_> = gauge.values.iter().map(value).collect();
    format!(
        "      - series: '{}{{{}}}'\n        values: '{}'\n",
        gauge.metric,
        labels.join(","),
        values.join(" ")
    )
}

/// What promtool has to find at each step.
fn expectations(rules: &[Rule], found: &[FiringSets]) -> String {
    let map = |pairs: &[(String, String)]| {
        let entries = pairs.iter().filter(|(name, _)| name != "alertname");
        let entries: Vec<_> = entries
            .map(|(name, value)| format!("{name}: \"{value}\""))
            .collect();
        format!("{{{}}}", entries.join(", "))
    };
    let mut out = String::new();
    for (step, sets) in found.iter().enumerate() {
        for rule in rules {
            let seconds = step as u64 * STEP.as_secs();
            write!(
                out,
                "      - eval_time: {seconds}s\n        alertname: \"{}\"\n        exp_alerts:\n",
                rule.name()
            )
            .unwrap();
            for (labels, annotations) in sets.get(rule.name()).into_iter().flatten() {
                writeln!(out, "          - exp_labels: {}", map(labels)).unwrap();
                writeln!(out, "            exp_annotations: {}", map(annotations)).unwrap();
            }
        }
    }
    out
}

#[test]
fn prometheus_fires_the_same_alerts_at_each_step() {
    const OF_CLASS: usize = 30;
    let harness = without_defaults();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut rules, mut gauges) = (Vec::new(), Vec::new());
    for number in 0..CLASSES.len() * OF_CLASS {
        let (rule, of_rule) = case(CLASSES[number % CLASSES.len()], number, &mut random);
        harness.alerts().add_rule(rule.clone()).unwrap();
        rules.push(rule);
        gauges.extend(of_rule);
    }
    let mut found = Vec::new();
    for now in 0..STEPS {
        harness.advance(STEP);
        for gauge in &gauges {
            if let Some(value) = gauge.values[now] {
                let handle = harness.metrics().gauge(&gauge.metric).build();
                handle
                    .with(
                        gauge
                            .labels
                            .iter()
                            .map(|(name, value)| (*name, value.clone())),
                    )
                    .set(value);
            }
        }
        harness.snapshot();
        harness.evaluate_alerts();
        found.push(firing(harness.alerts()));
    }
    assert!(harness.alerts().failures().is_empty());
    // The cases say something: each class has rules that fire, and rules that fire at some steps only.
    for class in CLASSES {
        let of_class = rules.iter().filter(|rule| rule.name().starts_with(class));
        let changing = of_class.filter(|rule| {
            let steps = found
                .iter()
                .filter(|sets| sets.contains_key(rule.name()))
                .count();
            0 < steps && steps < STEPS
        });
        assert!(changing.count() >= OF_CLASS / 3, "{class}");
    }

    let exported = harness.alerts().prometheus_rules();
    assert!(exported.left_out.is_empty(), "{:?}", exported.left_out);
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    std::fs::write(path("rules.yml"), exported.yaml).unwrap();
    let input: String = gauges.iter().map(series).collect();
    let expected = expectations(&rules, &found);
    let test = format!(
        "rule_files: [rules.yml]\nevaluation_interval: 30s\ntests:\n  - interval: 30s\n    input_series:\n{input}    alert_rule_test:\n{expected}"
    );
    std::fs::write(path("test.yml"), test).unwrap();
    let promtool = |arguments: &[&str]| {
        Command::new("promtool")
            .args(arguments)
            .current_dir(directory.path())
            .output()
    };
    match promtool(&["check", "rules", "rules.yml"]) {
        Err(error) => return eprintln!("skipped: promtool, {error}"),
        Ok(output) => assert!(output.status.success(), "{output:?}"),
    }
    let output = promtool(&["test", "rules", "test.yml"]).unwrap();
    let succeeded = output.status.success();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    let said: String = said
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    assert!(succeeded, "{}", said.chars().take(4000).collect::<String>());
    let compared = rules.len() * STEPS;
    eprintln!(
        "compared: {} rules at {STEPS} steps, {compared} firing sets",
        rules.len()
    );
}

#[test]
fn the_default_rules_are_a_file_that_prometheus_accepts() {
    let harness = Harness::new();
    let exported = harness.alerts().prometheus_rules();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rules.yml");
    std::fs::write(&path, &exported.yaml).unwrap();
    match Command::new("promtool")
        .args(["check", "rules"])
        .arg(&path)
        .output()
    {
        Err(error) => eprintln!("skipped: promtool, {error}"),
        Ok(output) => assert!(output.status.success(), "{output:?}\n{}", exported.yaml),
    }
}
