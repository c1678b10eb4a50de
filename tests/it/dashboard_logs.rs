//! The data of the page of logs.

use http::StatusCode;
use serde_json::{Value, json};
use tracing_subscriber::prelude::*;

use crate::dashboard_host::{Host, TOKEN, VIEWER, shop};
use crate::dashboard_routes::read;

/// A host with log files, and some lines of the target `shop`.
fn host(directory: &std::path::Path) -> Host {
    let host = Host::serve(
        |builder| builder.access_token(TOKEN).data_dir(directory),
        shop,
    );
    let subscriber = tracing_subscriber::registry().with(host.harness.tracing_layer());
    tracing::subscriber::with_default(subscriber, || {
        for n in 0..40 {
            if n % 4 == 0 {
                tracing::error!(target: "shop", n, note = "</script>\u{202e}\"", "payment {n} refused");
            } else {
                tracing::info!(target: "shop", n, "payment {n} accepted");
            }
        }
    });
    let patience = std::time::Duration::from_secs(20);
    assert!(host.harness.flush_blocking(patience).unwrap());
    host
}

fn numbers(document: &Value) -> Vec<u64> {
    let lines = document["lines"].as_array().unwrap();
    lines
        .iter()
        .map(|line| line["fields"]["n"].as_u64().unwrap())
        .collect()
}

#[test]
fn lines_are_searched_counted_and_exported() {
    let directory = tempfile::tempdir().unwrap();
    let host = host(directory.path());
    let get = |path: &str| {
        let (status, document) = read(&host, &format!("data/v1/{path}"));
        assert_eq!(status, StatusCode::OK, "{document}");
        document
    };
    let found = get("logs?range=24h&text=target%3Ashop+refused&limit=4");
    assert_eq!(numbers(&found), [36, 32, 28, 24]);
    assert_eq!(
        (&found["source"], &found["end"]),
        (&json!("files"), &json!("rows"))
    );
    let line = &found["lines"][0];
    assert_eq!(
        (&line["level"], &line["message"]),
        (&json!("ERROR"), &json!("payment 36 refused"))
    );
    assert_eq!(line["fields"]["note"], "</script>\u{202e}\"");
    let next = found["next"].as_str().unwrap();
    let older = get(&format!(
        "logs?range=24h&text=target%3Ashop+refused&cursor={next}"
    ));
    assert_eq!(numbers(&older), [20, 16, 12, 8, 4, 0]);
    assert_eq!(
        (&older["end"], &older["next"]),
        (&json!("complete"), &Value::Null)
    );

    let exact = get("logs?range=24h&text=target%3Ashop&exact_level=info&limit=2");
    assert_eq!(numbers(&exact), [39, 38]);
    let least = get("logs?range=24h&text=target%3Ashop&level=warn&limit=2");
    assert_eq!(numbers(&least), [36, 32]);

    let around = get(&format!("logs/context?cursor={next}&before=2&after=1"));
    assert_eq!(numbers(&around), [22, 23, 24, 25]);
    let histogram = get("logs/histogram?range=24h&text=target%3Ashop&intervals=24&level=info");
    let counts = histogram["counts"].as_array().unwrap();
    let sum = |level: &str| {
        counts
            .iter()
            .map(|it| it[level].as_u64().unwrap())
            .sum::<u64>()
    };
    assert_eq!((counts.len(), sum("error"), sum("info")), (24, 10, 30));
    let facets = get("logs/facets?range=24h&text=target%3Ashop&field=level");
    assert_eq!(
        facets["values"],
        json!([{"value": "INFO", "count": 30}, {"value": "ERROR", "count": 10}])
    );
    let patterns = get("logs/patterns?range=24h&text=target%3Ashop");
    assert_eq!(patterns["patterns"][0]["template"], "payment <*> accepted");
    assert_eq!(patterns["patterns"][1]["count"], 10);
    let tail = get("logs/tail?text=target%3Ashop&limit=3");
    assert_eq!(numbers(&tail), [37, 38, 39]);
    let next = tail["next"].as_str().unwrap();
    let none = get(&format!("logs/tail?text=target%3Ashop&cursor={next}"));
    assert_eq!(
        (numbers(&none).len(), &none["has_more"]),
        (0, &json!(false))
    );

    let token = format!("Bearer {TOKEN}");
    let file = host.get(
        "data/v1/logs/export?range=24h&text=refused",
        &[("authorization", &token)],
    );
    assert_eq!(file.headers["content-type"], "application/x-ndjson");
    assert!(
        file.headers["content-disposition"]
            .to_str()
            .unwrap()
            .starts_with("attachment")
    );
    let lines: Vec<Value> = file
        .body
        .lines()
        .map(|it| serde_json::from_str(it).unwrap())
        .collect();
    assert_eq!((lines.len(), &lines[0]["n"]), (10, &json!(36)));
    assert_eq!(file.headers["watchpost-end"], "complete");
    assert!(!file.headers.contains_key("watchpost-next"));
    // A file that does not have all says so.
    let path = "data/v1/logs/export?range=24h&text=refused&limit=4";
    let part = host.get(path, &[("authorization", &token)]);
    assert_eq!(part.headers["watchpost-end"], "rows");
    let next = part.headers["watchpost-next"].to_str().unwrap();
    let rest = host.get(
        &format!("data/v1/logs/export?range=24h&text=refused&cursor={next}"),
        &[("authorization", &token)],
    );
    assert_eq!(
        (part.body.lines().count(), rest.body.lines().count()),
        (4, 6)
    );
    assert_eq!(rest.headers["watchpost-end"], "complete");
}

#[test]
fn a_request_that_is_not_valid_says_where() {
    let directory = tempfile::tempdir().unwrap();
    let host = host(directory.path());
    let refused = |path: &str| {
        let (status, document) = read(&host, &format!("data/v1/{path}"));
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path}: {document}");
        document
    };
    let error = refused("logs?range=24h&text=a+AND+%28b");
    assert_eq!(
        (&error["code"], &error["position"]),
        (&json!("bad_query"), &json!(8))
    );
    assert_eq!(error["expected"], "`)`");
    for path in [
        "logs?range=1x",
        "logs?range=1h&limit=501",
        "logs?range=1h&level=fatal",
        "logs?range=1h&exact_level=fatal",
        "logs?range=1h&cursor=x",
        "logs?range=1h&cursor=f.0000000000000001.2.3",
        "logs?range=1h&text=%zz",
        "logs/facets?range=1h",
        "logs/context?range=1h",
        "logs/histogram?range=1h&intervals=0",
    ] {
        assert!(refused(path)["message"].is_string());
    }
}

#[test]
fn an_operator_changes_the_level_for_a_while() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::serve(
        |builder| {
            let builder = builder.access_token(TOKEN).access_viewer_token(VIEWER);
            builder.data_dir(directory.path())
        },
        shop,
    );
    let send = |token: &str, body: &Value| {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str())];
        host.post("data/v1/log-level/set", &headers, &body.to_string())
    };
    let level = || read(&host, "data/v1/log-level").1;
    assert_eq!(
        (&level()["level"], &level()["until"]),
        (&json!("info"), &Value::Null)
    );

    let body =
        json!({"level": "info,shop=debug", "seconds": 600, "by": "dana", "comment": "slow orders"});
    assert_eq!(send(VIEWER, &body).status, StatusCode::FORBIDDEN);
    for (wrong, what) in [
        (
            json!({"level": "loud", "seconds": 600}),
            "`level` is wrong: directive 1 has no level",
        ),
        (json!({"level": "debug"}), "`seconds` must be given"),
        (
            json!({"level": "debug", "seconds": 90_000}),
            "`seconds` must be at most 86400",
        ),
        (
            json!({"level": "debug", "seconds": 1}),
            "`seconds` must be a whole number from 60",
        ),
        (
            json!({"level": 5, "seconds": 60}),
            "`level` must be given, as a text",
        ),
    ] {
        let answer = send(TOKEN, &wrong);
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{wrong}");
        assert!(answer.body.contains(what), "{wrong}: {}", answer.body);
    }
    assert_eq!(level()["level"], "info");

    let answer = send(TOKEN, &body);
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let now = level();
    assert_eq!(
        (&now["level"], &now["lasting"]),
        (&json!("info,shop=debug"), &json!("info"))
    );
    let left = now["until"].as_u64().unwrap() - now["at"].as_u64().unwrap();
    assert!((500_000..=600_000).contains(&left), "{left}");
    let answer = send(TOKEN, &json!({"by": "dana"}));
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(
        (&level()["level"], &level()["until"]),
        (&json!("info"), &Value::Null)
    );

    let lines = host.harness.lines();
    let lines = lines
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let audited: Vec<_> = lines.filter(|line| line["target"] == "audit").collect();
    let told: Vec<_> = audited
        .iter()
        .map(|line| {
            (
                line["action"].as_str().unwrap(),
                line["subject"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("set log level", "info,shop=debug for 600 s"),
            ("end log level", "info")
        ]
    );
    assert_eq!(audited[0]["comment"], "slow orders");
}
