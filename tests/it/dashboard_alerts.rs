//! Alerts on the dashboard, over real connections.

use std::time::{Duration, Instant};

use http::StatusCode;
use serde_json::{Value, json};
use watchpost::MonitorBuilder;
use watchpost::alerts::{AlertsConfig, Bound, Rule, Severity};
use watchpost::history::MetricQuery;

use crate::dashboard_host::{Host, TOKEN, VIEWER, shop};

fn host() -> Host {
    host_with(|builder| builder)
}

fn host_with(configure: impl FnOnce(MonitorBuilder) -> MonitorBuilder) -> Host {
    let host = Host::serve(
        |builder| {
            configure(builder)
                .access_token(TOKEN)
                .access_viewer_token(VIEWER)
                // Evaluated by the tests alone.
                .alerts(AlertsConfig::default().interval(Duration::from_secs(3600)))
        },
        shop,
    );
    // The failing requests of the tests capture an error.
    assert!(host.harness.alerts().remove_rule("new-error"));
    host
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

/// Ten requests, four failures, and then an alert on them.
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

/// Sends a change as a page of an operator does, or of a viewer.
fn change(host: &Host, token: &str, path: &str, body: &Value) -> crate::dashboard_host::Answer {
    let cookie = host.log_in(token).cookie();
    host.post(path, &[("cookie", &cookie)], &body.to_string())
}

/// The records of changes.
fn audited(host: &Host) -> Vec<Value> {
    let lines = host.harness.lines();
    let lines = lines
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["target"] == "audit").collect()
}

fn id_of_alert(host: &Host) -> String {
    let page = read(host, "data/v1/alerts");
    page["alerts"][0]["id"].as_str().unwrap().to_owned()
}

#[test]
fn an_operator_acknowledges_and_a_viewer_may_not() {
    let host = host();
    fire(&host);
    let id = id_of_alert(&host);
    let body = json!({"alert": id, "seconds": 3600, "by": "dana", "comment": "rolling back\u{1b}"});
    let path = "data/v1/alerts/acknowledge";
    let answer = change(&host, VIEWER, path, &body);
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (StatusCode::FORBIDDEN, "forbidden")
    );
    assert!(audited(&host).is_empty());
    assert_eq!(
        read(&host, "data/v1/alerts")["alerts"][0]["acknowledged"],
        json!(null)
    );
    // Neither may a page of another site with the operator's cookie.
    let cookie = host.log_in(TOKEN).cookie();
    let foreign = [
        ("cookie", cookie.as_str()),
        ("sec-fetch-site", "cross-site"),
    ];
    let answer = host.post(path, &foreign, &body.to_string());
    assert_eq!(answer.status, StatusCode::FORBIDDEN);

    let answer = change(&host, TOKEN, path, &body);
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (StatusCode::OK, r#"{"acknowledged":true}"#)
    );
    let records = audited(&host);
    assert_eq!(records.len(), 1);
    let record = &records[0];
    for (field, value) in [
        ("message", "dana: acknowledge high-error-rate"),
        ("action", "acknowledge"),
        ("subject", "high-error-rate"),
        ("by", "dana"),
        ("role", "operator"),
        ("access", "session"),
        ("client", "127.0.0.1"),
        ("comment", "rolling back"),
    ] {
        assert_eq!(
            record["fields"][field].as_str().or(record[field].as_str()),
            Some(value),
            "{field}: {record}"
        );
    }
    let overview = overview_until(&host, |all| all["alerts"]["open"] == 0);
    let sections = &overview["sections"];
    assert_eq!(
        sections["alerts"]["alerts"][0]["acknowledged"]["by"],
        "dana"
    );
    // It is critical still, and so is the service.
    assert_eq!(sections["verdict"]["state"], "critical");
}

#[test]
fn a_change_is_recorded_whatever_the_level_is() {
    for level in ["warn", "audit=off", "off"] {
        let host = host_with(|builder| builder.log_level(level));
        fire(&host);
        let body = json!({"alert": id_of_alert(&host), "by": "dana"});
        let answer = change(&host, TOKEN, "data/v1/alerts/acknowledge", &body);
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        let messages: Vec<_> = audited(&host)
            .iter()
            .map(|it| it["message"].clone())
            .collect();
        assert_eq!(messages, ["dana: acknowledge high-error-rate"], "{level}");
    }
}

#[test]
fn a_change_is_recorded_if_the_client_leaves_before_the_response() {
    let host = host();
    fire(&host);
    let body = json!({"alert": id_of_alert(&host), "by": "dana"});
    host.post_and_leave("data/v1/alerts/acknowledge", &body);
    let patience = Instant::now() + Duration::from_secs(10);
    while audited(&host).is_empty() {
        assert!(Instant::now() < patience);
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(
        audited(&host)[0]["message"],
        "dana: acknowledge high-error-rate"
    );
}

#[test]
fn what_cannot_be_done_is_refused_with_a_reason() {
    let host = host();
    fire(&host);
    let id = id_of_alert(&host);
    for (path, body, status, reason) in [
        (
            "acknowledge",
            json!({"alert": "x"}),
            400,
            "16 hexadecimal digits",
        ),
        (
            "acknowledge",
            json!({"alert": id, "seconds": 1}),
            400,
            "from 60",
        ),
        (
            "acknowledge",
            json!({"alert": id, "comment": "x".repeat(501)}),
            400,
            "longer than 500",
        ),
        (
            "acknowledge",
            json!({"alert": "00000000000000ff"}),
            404,
            "No such alert",
        ),
        (
            "acknowledge",
            json!({"alert": {"a": 1}}),
            400,
            "JSON object",
        ),
        ("acknowledge", json!([]), 400, "JSON object"),
        (
            "silence",
            json!({"matchers": [], "seconds": 60}),
            400,
            "matchers",
        ),
        (
            "silence",
            json!({"matchers": ["x"], "seconds": 60}),
            400,
            "label=value",
        ),
        (
            "silence",
            json!({"matchers": ["a=b"]}),
            400,
            "a silence has an end",
        ),
        (
            "end-silence",
            json!({"silence": "7"}),
            404,
            "no such silence",
        ),
        (
            "end-silence",
            json!({"silence": "-7"}),
            400,
            "number of a silence",
        ),
    ] {
        let answer = change(&host, TOKEN, &format!("data/v1/alerts/{path}"), &body);
        assert_eq!(answer.status.as_u16(), status, "{body}: {}", answer.body);
        assert!(
            answer.json()["message"].as_str().unwrap().contains(reason),
            "{}",
            answer.body
        );
    }
    assert!(audited(&host).is_empty());
    let token = format!("Bearer {TOKEN}");
    for path in [
        "preview",
        "preview?matcher=x",
        "preview?matcher=%zz",
        "backtest",
        "backtest?rule=high-error-rate&hours=25",
        "backtest?rule=high-error-rate&hours=0",
    ] {
        let answer = host.get(
            &format!("data/v1/alerts/{path}"),
            &[("authorization", &token)],
        );
        assert_eq!(
            answer.status,
            StatusCode::BAD_REQUEST,
            "{path}: {}",
            answer.body
        );
    }
    let answer = host.get(
        "data/v1/alerts/backtest?rule=none",
        &[("authorization", &token)],
    );
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}

#[test]
fn a_silence_is_previewed_made_and_ended() {
    let host = host();
    fire(&host);
    let preview = read(
        &host,
        "data/v1/alerts/preview?matcher=alertname%3Dhigh-error-rate",
    );
    assert_eq!(
        preview,
        json!({"hides": 1, "alerts": ["high-error-rate (firing)"]})
    );
    let none = read(&host, "data/v1/alerts/preview?matcher=alertname%3Dother");
    assert_eq!(none["hides"], 0);
    let body =
        json!({"matchers": ["alertname=high-error-rate"], "seconds": 7200, "comment": "import"});
    let answer = change(&host, VIEWER, "data/v1/alerts/silence", &body);
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let answer = change(&host, TOKEN, "data/v1/alerts/silence", &body);
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let number = answer.json()["silence"].clone();
    let page = read(&host, "data/v1/alerts");
    let silence = &page["silences"][0];
    assert_eq!(
        (&silence["id"], &silence["hides"], &silence["by"]),
        (&number, &json!(1), &json!("operator"))
    );
    assert_eq!(page["alerts"][0]["silenced_by"], json!([number]));
    // What is silenced makes no verdict and no colour.
    let hidden = overview_until(&host, |all| {
        all["alerts"]["alerts"][0]["silenced_by"][0].is_string()
    });
    let sections = &hidden["sections"];
    assert_eq!(sections["verdict"]["state"], "healthy");
    assert_eq!(sections["cards"]["error_rate"]["state"], "ok");
    let answer = change(
        &host,
        TOKEN,
        "data/v1/alerts/end-silence",
        &json!({"silence": number, "by": "lee"}),
    );
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(read(&host, "data/v1/alerts")["silences"], json!([]));
    let actions: Vec<_> = audited(&host)
        .iter()
        .map(|it| it["message"].as_str().unwrap().to_owned())
        .collect();
    let expected = [
        "operator: silence alertname=high-error-rate for 7200 s",
        "lee: end silence alertname=high-error-rate",
    ];
    assert_eq!(actions, expected);
}

#[test]
fn rules_objectives_and_changes_are_on_the_page_of_alerts() {
    let host = host();
    host.harness.alerts().add_slo("availability", 99.0).unwrap();
    let function = |_: &watchpost::history::History, _| Ok(vec![(Vec::new(), 1.0)]);
    let custom = Rule::custom("of-the-host", function, Bound::above(5.0));
    host.harness.alerts().add_rule(custom).unwrap();
    fire(&host);
    let page = read(&host, "data/v1/alerts");
    let rules = page["rules"].as_array().unwrap();
    let rule = |name: &str| rules.iter().find(|rule| rule["name"] == name).unwrap();
    let errors = rule("high-error-rate");
    for (key, value) in [
        ("value", json!(0.4)),
        ("past", json!(true)),
        ("unit", json!("ratio")),
        ("can_run", json!(true)),
        ("bound", json!("> 0.3")),
        ("card", json!("error_rate")),
    ] {
        assert_eq!(errors[key], value, "{key}");
    }
    let custom = rule("of-the-host");
    assert_eq!(
        (&custom["can_run"], &custom["value"]),
        (&json!(false), &json!(null))
    );
    assert_eq!(rule("memory-leak")["unit"], "ratio_per_hour");
    let slo = &page["slos"][0];
    // 4 of 10 failed, and 1 of 100 may.
    assert_eq!(
        (&slo["objective"], &slo["failed"], &slo["budget_left"]),
        (&json!(0.99), &json!(0.4), &json!(-39))
    );
    let change = &page["transitions"][0];
    assert_eq!(
        (
            &change["rule"],
            &change["to"],
            &change["reason"],
            &change["value"]
        ),
        (
            &json!("high-error-rate"),
            &json!("firing"),
            &json!("condition_met"),
            &json!(0.4)
        )
    );
    // Over the last day, it would have fired once: now.
    let run = read(&host, "data/v1/alerts/backtest?rule=high-error-rate");
    assert!(run["from"].as_u64() <= run["to"].as_u64());
    let token = format!("Bearer {TOKEN}");
    let refused = host.get(
        "data/v1/alerts/backtest?rule=of-the-host",
        &[("authorization", &token)],
    );
    assert_eq!(refused.status, StatusCode::CONFLICT);
}
