//! Alerts on the dashboard, over real connections.

use std::time::{Duration, Instant};

use http::StatusCode;
use serde_json::{Value, json};
use watchpost::alerts::{AlertsConfig, Bound, Rule, Severity};
use watchpost::history::MetricQuery;

use crate::dashboard_host::{Host, TOKEN, shop};

fn host() -> Host {
    Host::serve(
        |builder| {
            builder
                .access_token(TOKEN)
                // Evaluated by the tests alone.
                .alerts(AlertsConfig::default().interval(Duration::from_secs(3600)))
        },
        shop,
    )
}

/// The rule `high-error-rate` with this limit, which fires at once.
fn error_rate(limit: f64) -> Rule {
    let all = MetricQuery::increase("http_server_request_duration_seconds").total();
    let failed = all.clone().label_not_in("error_type", [""]);
    Rule::ratio("high-error-rate", failed, all, Bound::above(limit))
        .min_samples(10)
        .severity(Severity::Critical)
        .runbook("https://wiki.example/errors")
        .annotation(
            "summary",
            "{{ $value | humanizePercentage }} of the requests failed",
        )
}

fn evaluate(host: &Host) {
    host.harness.snapshot();
    host.harness.evaluate_alerts();
}

fn read(host: &Host, path: &str) -> Value {
    let token = format!("Bearer {TOKEN}");
    let answer = host.get(path, &[("authorization", &token)]);
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.json()
}

/// Reads the overview until it shows what is expected.
fn overview_until(host: &Host, is_there: impl Fn(&Value) -> bool) -> Value {
    let patience = Instant::now() + Duration::from_secs(10);
    loop {
        let overview = read(host, "data/v1/overview?range=15m");
        if is_there(&overview["sections"]) {
            return overview;
        }
        assert!(Instant::now() < patience, "{overview:#}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Ten requests of which four fail, and then an alert on them.
fn fire(host: &Host) {
    host.harness.alerts().add_rule(error_rate(0.3)).unwrap();
    host.harness.snapshot();
    for n in 0..10 {
        let path = if n < 4 { "/broken" } else { "/orders/1" };
        host.send("GET", path, &[], "");
    }
    evaluate(host);
}

#[test]
fn a_firing_alert_turns_the_card_and_the_verdict() {
    let host = host();
    let quiet = overview_until(&host, |all| all["alerts"]["rules"].as_u64() > Some(5));
    let card = &quiet["sections"]["cards"]["error_rate"];
    assert_eq!(
        (&card["state"], &card["alert"]),
        (&json!("ok"), &json!(null))
    );
    let lines = card["lines"].as_array().unwrap();
    let line = |n: usize| {
        (
            &lines[n]["value"],
            &lines[n]["state"],
            &lines[n]["rule"],
            &lines[n]["for"],
        )
    };
    assert_eq!(
        line(0),
        (&json!(0.01), &json!("warning"), &json!(null), &json!(null))
    );
    let rule = (
        &json!(0.05),
        &json!("critical"),
        &json!("high-error-rate"),
        &json!(60),
    );
    assert_eq!(line(1), rule);
    assert_eq!(
        quiet["sections"]["cards"]["users"]["state"],
        json!(null),
        "it has no rule"
    );

    fire(&host);
    let shown = overview_until(&host, |all| all["alerts"]["open"] == 1);
    let sections = &shown["sections"];
    let alert = &sections["alerts"]["alerts"][0];
    let expected = json!({"rule": "high-error-rate", "state": "firing", "severity": "critical", "card": "error_rate",
        "summary": "40% of the requests failed", "bound": "> 0.3", "value": 0.4, "acknowledged": null});
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&alert[key], value, "{key}");
    }
    let card = &sections["cards"]["error_rate"];
    assert_eq!(
        (&card["state"], &card["alert"]["id"]),
        (&json!("critical"), &alert["id"])
    );
    let verdict = &sections["verdict"];
    assert_eq!(verdict["state"], "critical");
    assert_eq!(
        verdict["since"], alert["fired_at"],
        "it held from the first evaluation on"
    );
    let reason = &verdict["reasons"][0];
    assert_eq!(
        (&reason["kind"], &reason["name"], &reason["card"]),
        (
            &json!("alert"),
            &json!("high-error-rate"),
            &json!("error_rate")
        )
    );
    assert_eq!(verdict["where"]["route"], "/broken");
    assert_eq!(sections["cards"]["health"]["state"], "critical");
    assert_eq!(sections["cards"]["health"]["checks"][0]["kind"], "alerts");
    let span = &sections["alerts"]["spans"][0];
    assert_eq!(
        (&span["state"], &span["to"], &span["card"]),
        (&json!("firing"), &json!(null), &json!("error_rate"))
    );
    assert_eq!(sections["day"]["states"][0]["state"], "critical");
    let changes = sections["changes"].as_array().unwrap();
    assert!(
        changes
            .iter()
            .any(|it| it["kind"] == "alert" && it["subject"] == "high-error-rate")
    );
    let token = format!("Bearer {TOKEN}");
    let status = host.get("status", &[("authorization", &token)]).body;
    assert!(
        status.contains("critical       high-error-rate: 40% of the requests failed"),
        "{status}"
    );
    // A range that has passed is not coloured by the alerts of now.
    let past = read(
        &host,
        "data/v1/overview?from=1000000000000&to=1000003600000",
    );
    assert_eq!(
        past["sections"]["cards"]["error_rate"]["state"],
        json!(null)
    );

    is_over_with_another_limit(&host);
}

/// The limit is raised, so the alert ends.
fn is_over_with_another_limit(host: &Host) {
    host.harness.alerts().add_rule(error_rate(0.9)).unwrap();
    evaluate(host);
    let over = overview_until(host, |all| all["alerts"]["open"] == 0);
    let sections = &over["sections"];
    assert_eq!(sections["verdict"]["state"], "healthy");
    assert_eq!(sections["cards"]["error_rate"]["state"], "ok");
    assert_eq!(sections["alerts"]["alerts"][0]["state"], "resolved");
    assert_eq!(
        sections["alerts"]["spans"][0]["to"],
        sections["alerts"]["alerts"][0]["resolved_at"]
    );
}
