//! The pages of errors, over real connections. The client counts its own requests.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Query;
use axum::routing::get;
use http::StatusCode;
use serde_json::{Value, json};
use watchpost::testing::Harness;
use watchpost::{Access, Monitor};

use crate::dashboard_host::{Answer, Host, TOKEN, VIEWER};

/// Texts that a page must show as text.
const HOSTILE: [&str; 4] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "=HYPERLINK(\"https://evil.example\")",
    "\u{202e}gnp.exe\u{0}\u{7}\r\n</title>",
];

/// Two routes that fail in different places, and one that fails with the text of its query. Each answers with the ID of the
/// captured error.
fn shop(harness: &Harness) -> Router {
    let [one, two, three] = [(); 3].map(|()| Monitor::clone(harness));
    let user = |query: &BTreeMap<String, String>| query.get("user").cloned().unwrap_or_default();
    let shelf = move |Query(query): Query<BTreeMap<String, String>>| async move {
        let error = std::io::Error::other("the shelf is empty");
        let id = one.error_capture(&error).user(user(&query)).capture();
        (StatusCode::INTERNAL_SERVER_ERROR, id.to_string())
    };
    let late = move || async move {
        let id = two.capture_error(&std::fmt::Error);
        (StatusCode::INTERNAL_SERVER_ERROR, id.to_string())
    };
    let said = move |Query(query): Query<BTreeMap<String, String>>| async move {
        let text = query.get("text").cloned().unwrap_or_default();
        let error = std::io::Error::other(text.clone());
        let capture = three.error_capture(&error).fingerprint(&text);
        let id = capture
            .tag("said", text.as_str())
            .user(text.clone())
            .capture();
        (StatusCode::INTERNAL_SERVER_ERROR, id.to_string())
    };
    Router::new()
        .route("/shelf/{id}", get(shelf))
        .route("/late", get(late))
        .route("/said", get(said))
        .merge(harness.dashboard(Access::from_settings()))
}

fn host() -> Host {
    Host::serve(
        |builder| {
            builder
                .access_token(TOKEN)
                .access_viewer_token(VIEWER)
                .service_version("1.4.3")
        },
        shop,
    )
}

fn read(host: &Host, path: &str) -> Value {
    let token = format!("Bearer {TOKEN}");
    let answer = host.get(path, &[("authorization", &token)]);
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.json()
}

/// Reads a document until it is as expected.
fn read_until(host: &Host, path: &str, is_there: impl Fn(&Value) -> bool) -> Value {
    let patience = Instant::now() + Duration::from_secs(20);
    loop {
        let document = read(host, path);
        if is_there(&document) {
            return document;
        }
        assert!(Instant::now() < patience, "{document:#}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The IDs that the response of a failed request names.
struct Failed {
    event: String,
    trace: String,
}

fn fail(host: &Host, path: &str) -> Failed {
    let answer = host.send("GET", path, &[], "");
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    Failed {
        event: answer.body,
        trace: answer.headers["x-trace-id"].to_str().unwrap().to_owned(),
    }
}

fn change(host: &Host, token: &str, action: &str, body: &Value) -> Answer {
    let cookie = host.log_in(token).cookie();
    let path = format!("data/v1/errors/{action}");
    host.post(&path, &[("cookie", &cookie)], &body.to_string())
}

fn changed(host: &Host, action: &str, body: &Value) -> Value {
    let answer = change(host, TOKEN, action, body);
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.json()
}

/// The only group, once it has so many events.
fn group_of(host: &Host, events: u64) -> Value {
    let path = "data/v1/errors?range=1h&state=all";
    let list = read_until(host, path, |list| list["groups"][0]["count"] == events);
    list["groups"][0].clone()
}

fn id_of(group: &Value) -> String {
    group["id"].as_str().unwrap().to_owned()
}

fn sum(list: &Value) -> u64 {
    list.as_array()
        .unwrap()
        .iter()
        .map(|it| it.as_u64().unwrap())
        .sum()
}

#[test]
fn the_figures_are_those_of_the_client() {
    let host = host();
    let empty = read(&host, "data/v1/errors?range=1h");
    assert_eq!((&empty["known"], &empty["groups"]), (&json!(0), &json!([])));
    assert_eq!(empty["storage"], "memory");
    let mut shelf = Vec::new();
    for n in 0..30 {
        shelf.push(fail(&host, &format!("/shelf/{n}?user=u-{}", n % 3)));
    }
    let late: Vec<Failed> = (0..4).map(|_| fail(&host, "/late")).collect();
    // More than ten events within five minutes are a spike, which is noticed within a second.
    let is_counted = |list: &Value| list["events"] == 34 && list["counts"]["spiking"] == 1;
    let list = read_until(&host, "data/v1/errors?range=1h", is_counted);
    assert_eq!(
        list["counts"],
        json!({"open": 2, "new": 2, "spiking": 1, "regressed": 0, "muted": 0, "resolved": 0, "all": 2})
    );
    assert_eq!((&list["count"], &list["known"]), (&json!(2), &json!(2)));
    let [first, second] = [0, 1].map(|n| list["groups"][n].clone());
    for (key, value) in [
        ("type", json!("std::io::error::Error")),
        ("message", json!("the shelf is empty")),
        ("kind", json!("error")),
        ("route", json!("/shelf/{id}")),
        ("count", json!(30)),
        ("in_range", json!(30)),
        ("users", json!(3)),
        ("is_new", json!(true)),
        ("releases", json!(["1.4.3"])),
        ("state", json!({"name": "open"})),
    ] {
        assert_eq!(first[key], value, "{key}");
    }
    assert_eq!((&second["count"], &second["users"]), (&json!(4), &json!(0)));
    assert_eq!(sum(&first["curve"]), 30);
    assert_eq!(list["step_ms"], 60_000);

    orders_and_filters(&host, &id_of(&first), &id_of(&second));
    one_group(&host, &id_of(&first), &shelf);
    // Each event leads to its group, also one that is no sample: by its log record.
    for (events, group) in [(&shelf, &first), (&late, &second)] {
        for Failed { event, .. } in events {
            let found = read(&host, &format!("data/v1/error?range=1h&event={event}"));
            assert_eq!(found["group"]["id"], group["id"]);
        }
    }
    let unknown = read(&host, "data/v1/error?range=1h&id=17");
    assert_eq!(unknown["group"], Value::Null);
    // The overview counts the same.
    let overview = read(&host, "data/v1/overview?range=15m");
    assert_eq!(overview["sections"]["groups"], list["counts"]);
    let lines = overview["sections"]["logs"].as_array().unwrap();
    let last = lines.iter().find(|line| line["event_id"] != Value::Null);
    assert_eq!(last.unwrap()["event_id"], json!(late[3].event));
}

fn orders_and_filters(host: &Host, shelf: &str, late: &str) {
    for (query, expected) in [
        ("sort=last", vec![late, shelf]),
        ("sort=count", vec![shelf, late]),
        ("sort=first", vec![late, shelf]),
        ("sort=users", vec![shelf, late]),
        ("sort=last&limit=1", vec![late]),
        ("route=%2Flate", vec![late]),
        ("route=", vec![]),
        ("release=1.4.3", vec![shelf, late]),
        ("release=1.4.2", vec![]),
        ("kind=error", vec![shelf, late]),
        ("kind=panic", vec![]),
        ("text=SHELF", vec![shelf]),
        ("text=dashboard_errors.rs", vec![shelf, late]),
        ("state=new", vec![shelf, late]),
        ("state=spiking", vec![shelf]),
        ("state=resolved", vec![]),
    ] {
        let list = read(host, &format!("data/v1/errors?range=15m&{query}"));
        let groups = list["groups"].as_array().unwrap();
        let ids: Vec<&str> = groups.iter().map(|it| it["id"].as_str().unwrap()).collect();
        assert_eq!(ids, expected, "{query}");
    }
    for query in ["", "range=2h", "range=1h&state=x", "range=1h&limit=1000"] {
        let token = format!("Bearer {TOKEN}");
        let path = format!("data/v1/errors?{query}");
        let answer = host.get(&path, &[("authorization", &token)]);
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
    }
    // A range that has passed has none of their events.
    let past = "from=1000000000000&to=1000003600000";
    let list = read(host, &format!("data/v1/errors?{past}"));
    assert_eq!(
        (&list["events"], &list["is_cut"]),
        (&json!(0), &json!(true))
    );
}

fn one_group(host: &Host, id: &str, sent: &[Failed]) {
    let page = read(host, &format!("data/v1/error?range=24h&id={id}"));
    assert_eq!(page["step_ms"], 3_600_000);
    assert_eq!(page["release"], "1.4.3");
    let group = &page["group"];
    assert_eq!(sum(&group["curve"]), 30);
    assert_eq!(group["in_five_minutes"], 30);
    let once = |name: &str| json!({"names": [{"name": name, "count": 30}], "other": 0});
    assert_eq!(group["routes"], once("/shelf/{id}"));
    assert_eq!(group["in_releases"], once("1.4.3"));
    assert_eq!(group["changes"], json!([]));
    let samples = group["samples"].as_array().unwrap();
    assert!((1..=8).contains(&samples.len()));
    let known: BTreeSet<(&str, &str)> = sent
        .iter()
        .map(|it| (it.event.as_str(), it.trace.as_str()))
        .collect();
    for sample in samples {
        let of = |key: &str| sample[key].as_str().unwrap();
        assert!(known.contains(&(of("id"), of("trace_id"))), "{sample}");
        assert_eq!((of("method"), of("route")), ("GET", "/shelf/{id}"));
        assert!(of("user").starts_with("u-") && of("path").starts_with("/shelf/"));
    }
    let sample = &group["sample"];
    assert_eq!(sample["causes"][0]["message"], "the shelf is empty");
    let frames = sample["frames"].as_array().unwrap();
    let own = frames.iter().find(|frame| frame["in_app"] == true);
    assert_eq!(own.is_some(), !frames.is_empty(), "{sample:#}");
    assert_eq!(group["trace_id"], samples[0]["trace_id"], "the latest one");
    // The trace of an error leads back to it.
    let traced = samples[0]["trace_id"].as_str().unwrap();
    let trace = read_until(host, &format!("data/v1/trace?id={traced}"), |trace| {
        trace["logs"].as_array().is_some_and(|it| !it.is_empty())
    });
    let fields = trace["logs"][0]["fields"].as_array().unwrap();
    let event = fields
        .iter()
        .find(|field| field["key"] == "event_id")
        .unwrap();
    let event = event["value"].as_str().unwrap();
    assert!(
        sent.iter()
            .any(|it| it.event == event && it.trace == traced)
    );
}

/// The records of changes.
fn audited(host: &Host) -> Vec<Value> {
    let lines = host.harness.lines();
    let lines = lines
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["target"] == "audit").collect()
}

#[test]
fn a_change_is_recorded_if_the_client_leaves_before_the_response() {
    let host = host();
    fail(&host, "/late");
    let id = id_of(&group_of(&host, 1));
    let body = json!({"error": id, "in": "now", "by": "dana"});
    host.post_and_leave("data/v1/errors/resolve", &body);
    let patience = Instant::now() + Duration::from_secs(10);
    while audited(&host).is_empty() {
        assert!(Instant::now() < patience);
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(audited(&host)[0]["action"], "resolve error");
}

#[test]
fn an_operator_decides_and_a_viewer_may_not() {
    let host = host();
    fail(&host, "/late");
    let id = id_of(&group_of(&host, 1));
    let body =
        json!({"error": id, "in": "next_release", "by": "dana\u{1b}", "comment": "fixed by 1.4.4"});
    let refused = change(&host, VIEWER, "resolve", &body);
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (StatusCode::FORBIDDEN, "forbidden")
    );
    // Neither may a page of another site with the operator's cookie.
    let cookie = host.log_in(TOKEN).cookie();
    let foreign = [
        ("cookie", cookie.as_str()),
        ("sec-fetch-site", "cross-site"),
    ];
    let answer = host.post("data/v1/errors/resolve", &foreign, &body.to_string());
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(group_of(&host, 1)["state"]["name"], "open");
    assert!(audited(&host).is_empty());

    assert_eq!(
        changed(&host, "resolve", &body),
        json!({"id": id, "state": "resolved"})
    );
    let records = audited(&host);
    assert_eq!(records.len(), 1);
    let subject = format!(
        "core::fmt::Error: {} ({id}), in the next release",
        std::fmt::Error
    );
    for (field, value) in [
        ("message", format!("dana: resolve error {subject}").as_str()),
        ("action", "resolve error"),
        ("subject", &subject),
        ("by", "dana"),
        ("role", "operator"),
        ("access", "session"),
        ("client", "127.0.0.1"),
        ("comment", "fixed by 1.4.4"),
    ] {
        let found = records[0]["fields"][field].as_str();
        assert_eq!(found.or(records[0][field].as_str()), Some(value), "{field}");
    }
    // An event of the release that runs changes nothing.
    fail(&host, "/late");
    let group = group_of(&host, 2);
    assert_eq!(group["state"]["name"], "resolved");
    assert_eq!(
        group["state"]["resolution"],
        json!({"in": "next_release", "release": "1.4.3"})
    );

    changed(&host, "resolve", &json!({"error": id, "in": "now"}));
    fail(&host, "/late");
    let path = "data/v1/errors?range=1h&state=regressed";
    let regressed = read_until(&host, path, |list| list["count"] == 1);
    assert_eq!(regressed["groups"][0]["last_resolution"]["in"], "now");
    let page = read(&host, &format!("data/v1/error?range=1h&id={id}"));
    let changes = page["group"]["changes"].as_array().unwrap();
    let told: Vec<_> = changes
        .iter()
        .map(|it| {
            (
                it["state"]["name"].as_str().unwrap(),
                it["by"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("regressed", ""),
            ("resolved", "operator"),
            ("resolved", "dana")
        ],
        "the newest first"
    );
    assert_eq!(changes[2]["comment"], "fixed by 1.4.4");
    let overview = read(&host, "data/v1/overview?range=15m");
    assert_eq!(overview["sections"]["errors"][0]["mark"], "back");
}

#[test]
fn a_group_is_muted_reopened_and_merged() {
    let host = host();
    fail(&host, "/late");
    let id = id_of(&group_of(&host, 1));
    let more = json!({"error": id, "events": 2, "period": 3600, "by": "dana"});
    assert_eq!(changed(&host, "mute", &more)["state"], "muted");
    let muted = read(&host, "data/v1/errors?range=1h&state=muted");
    assert_eq!(
        muted["groups"][0]["state"]["mute"],
        json!({"events": 2, "period": 3600})
    );
    fail(&host, "/late");
    fail(&host, "/late");
    assert_eq!(group_of(&host, 3)["state"]["name"], "muted");
    fail(&host, "/late");
    assert_eq!(group_of(&host, 4)["state"]["name"], "open");

    let now = std::time::SystemTime::now();
    let now = now.duration_since(std::time::UNIX_EPOCH).unwrap();
    let until = u64::try_from(now.as_millis()).unwrap() + 3_600_000;
    changed(&host, "mute", &json!({"error": id, "until": until}));
    assert_eq!(group_of(&host, 4)["state"]["mute"]["until"], until);
    assert_eq!(
        changed(&host, "reopen", &json!({"error": id}))["state"],
        "open"
    );

    fail(&host, "/shelf/1");
    let path = "data/v1/errors?range=1h&text=shelf";
    let shelf = read_until(&host, path, |list| list["count"] == 1);
    let other = id_of(&shelf["groups"][0]);
    let merge = json!({"error": id, "others": [other], "by": "lee"});
    assert_eq!(changed(&host, "merge", &merge)["id"], json!(id));
    let one = group_of(&host, 5);
    assert_eq!(id_of(&one), id);
    // The address of the other one leads to it.
    let page = read(&host, &format!("data/v1/error?range=1h&id={other}"));
    assert_eq!(page["group"]["id"], json!(id));
    assert_eq!(sum(&page["group"]["curve"]), 5);
    let actions: Vec<String> = audited(&host)
        .iter()
        .map(|it| {
            it["fields"]["action"]
                .as_str()
                .or(it["action"].as_str())
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(
        actions,
        ["mute error", "mute error", "reopen error", "merge errors"]
    );
}

#[test]
fn what_cannot_be_done_is_refused_with_a_reason() {
    let host = host();
    fail(&host, "/late");
    let id = id_of(&group_of(&host, 1));
    for (action, body, status, reason) in refused_changes(&id) {
        let answer = change(&host, TOKEN, action, &body);
        assert_eq!(
            answer.status.as_u16(),
            status,
            "{action} {body} {}",
            answer.body
        );
        assert!(
            answer.body.contains(reason),
            "{action} {body}: {}",
            answer.body
        );
    }
    changed(&host, "resolve", &json!({"error": id, "in": "now"}));
    let mute = json!({"error": id, "events": 1, "period": 60});
    let answer = change(&host, TOKEN, "mute", &mute);
    assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.body);
    assert_eq!(audited(&host).len(), 1);
}

/// Changes of the group `id`, each with the status and a part of the message of its refusal.
fn refused_changes(id: &str) -> Vec<(&'static str, Value, u16, &'static str)> {
    vec![
        (
            "resolve",
            json!({"error": "x", "in": "now"}),
            400,
            "number of a group",
        ),
        (
            "resolve",
            json!({"error": "-1", "in": "now"}),
            400,
            "number of a group",
        ),
        (
            "resolve",
            json!({"error": 1, "in": "now"}),
            400,
            "as a text",
        ),
        (
            "resolve",
            json!({"error": "17", "in": "now"}),
            404,
            "no such group",
        ),
        (
            "resolve",
            json!({"error": id, "in": "soon"}),
            400,
            "next_release",
        ),
        ("resolve", json!({"error": id}), 400, "`in`"),
        ("resolve", json!([]), 400, "JSON object"),
        ("mute", json!({"error": id}), 400, "`until`, or `events`"),
        (
            "mute",
            json!({"error": id, "until": 1}),
            400,
            "within the next year",
        ),
        (
            "mute",
            json!({"error": id, "until": u64::MAX}),
            400,
            "within the next year",
        ),
        ("mute", json!({"error": id, "events": 1}), 400, "`period`"),
        (
            "mute",
            json!({"error": id, "events": 1, "period": 5}),
            400,
            "from 60",
        ),
        (
            "mute",
            json!({"error": id, "events": 1, "period": 700_000}),
            409,
            "seven days",
        ),
        ("merge", json!({"error": id}), 400, "`others`"),
        (
            "merge",
            json!({"error": id, "others": []}),
            409,
            "from one to 32",
        ),
        (
            "merge",
            json!({"error": id, "others": [id]}),
            409,
            "into itself",
        ),
        (
            "merge",
            json!({"error": id, "others": ["17"]}),
            409,
            "no error group",
        ),
        ("reopen", json!({"error": "17"}), 404, "no such group"),
        (
            "reopen",
            json!({"error": id, "comment": "x".repeat(501)}),
            400,
            "longer than 500",
        ),
    ]
}

#[test]
fn hostile_text_stays_text() {
    let host = host();
    for text in HOSTILE {
        let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
        fail(&host, &format!("/said?text={encoded}"));
    }
    let path = "data/v1/errors?range=1h";
    let list = read_until(&host, path, |list| list["known"] == HOSTILE.len());
    let groups = list["groups"].as_array().unwrap();
    let found: BTreeSet<&str> = groups
        .iter()
        .map(|it| it["message"].as_str().unwrap())
        .collect();
    assert!(
        found.contains(HOSTILE[0]) && found.contains(HOSTILE[1]),
        "{found:?}"
    );
    assert_eq!(found.len(), HOSTILE.len());
    for group in groups {
        let page = read(
            &host,
            &format!("data/v1/error?range=1h&id={}", id_of(group)),
        );
        let sample = &page["group"]["sample"];
        assert_eq!(sample["tags"][0]["key"], "said");
        assert_eq!(sample["causes"][0]["message"], group["message"]);
    }
    // What an operator writes comes back as it was written, without control characters.
    let id = id_of(&groups[0]);
    let body = json!({"error": id, "in": "now", "by": HOSTILE[1], "comment": HOSTILE[3]});
    changed(&host, "resolve", &body);
    let page = read(&host, &format!("data/v1/error?range=1h&id={id}"));
    let change = &page["group"]["changes"][0];
    assert_eq!(change["by"], HOSTILE[1]);
    assert_eq!(change["comment"], "\u{202e}gnp.exe</title>");
    let token = format!("Bearer {TOKEN}");
    let answer = host.get(path, &[("authorization", &token)]);
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(answer.headers["x-content-type-options"], "nosniff");
}
