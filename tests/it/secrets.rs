//! That nothing secret of queries and calls is anywhere: forty secrets, each beside something harmless that must be
//! found where the secret would be.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Request};
use axum::routing::get;
use http_body_util::BodyExt;
use tower::{Layer, Service, ServiceExt};
use watchpost::Monitor;
use watchpost::db::DbSystem;
use watchpost::external::UrlTemplate;
use watchpost::testing::Harness;

/// A secret by its number.
fn secret(n: usize) -> String {
    format!("zq{n:02}secret")
}

/// Statements with a secret in them, and a name beside it that stays.
fn statements() -> Vec<(DbSystem, String, &'static str)> {
    use DbSystem::{MicrosoftSqlServer, Mysql, OtherSql, Postgresql, Redis, Sqlite};
    let texts: [(DbSystem, &str, &str); 24] = [
        (Postgresql, "SELECT a01 FROM t WHERE b = '{}'", "a01"),
        (
            Postgresql,
            "SELECT a02 FROM t WHERE b = E'it\\'s {}'",
            "a02",
        ),
        (Postgresql, "SELECT a03 FROM t WHERE b = $$ {} $$", "a03"),
        (Postgresql, "SELECT a04 FROM t WHERE b = $q$ {} $q$", "a04"),
        (Postgresql, "SELECT a05 FROM t /* {} */", "a05"),
        (Postgresql, "SELECT a06 FROM t -- {}", "a06"),
        (
            Postgresql,
            "SELECT a07 FROM t WHERE b IN ('x', '{}')",
            "a07",
        ),
        (
            Postgresql,
            "INSERT INTO a08 VALUES (1, '{}'), (2, '')",
            "a08",
        ),
        (Postgresql, "UPDATE a09 SET b = U&'{}'", "a09"),
        (
            Postgresql,
            "SELECT a10 FROM t WHERE j @> '{\"k\": \"{}\"}'",
            "a10",
        ),
        (Postgresql, "ALTER USER a11 PASSWORD '{}'", "a11"),
        (Postgresql, "SELECT a12 FROM t WHERE b = '{}", "a12"),
        (Mysql, "SELECT a13 FROM t WHERE b = \"{}\"", "a13"),
        (Mysql, "SELECT a14 FROM t WHERE b = 'it\\'s {}'", "a14"),
        (Mysql, "SELECT a15 FROM t # {}", "a15"),
        (Mysql, "SELECT a16 FROM t WHERE b = _utf8'{}'", "a16"),
        (Sqlite, "SELECT a17 FROM t WHERE b = 'it''s {}'", "a17"),
        (Sqlite, "INSERT INTO a18 (b) VALUES ('{}')", "a18"),
        (Sqlite, "SELECT a19 FROM t WHERE b LIKE '%{}%'", "a19"),
        (
            MicrosoftSqlServer,
            "SELECT a20 FROM t WHERE b = N'{}'",
            "a20",
        ),
        (MicrosoftSqlServer, "EXEC a21 @p = '{}'", "a21"),
        (OtherSql, "SELECT a22 FROM t WHERE b = \"{}\"", "a22"),
        (
            OtherSql,
            "SELECT a23 FROM t WHERE b = '{}' AND c = `d`",
            "a23",
        ),
        (Redis, "A24 {} value", "A24"),
    ];
    let with = |(n, (system, text, stays)): (usize, (_, &str, _))| {
        (system, text.replace("{}", &secret(n)), stays)
    };
    texts.into_iter().enumerate().map(with).collect()
}

/// URLs with a secret in them, and what beside it stays.
fn urls() -> Vec<(String, &'static str)> {
    let texts: [(&str, &str); 10] = [
        ("http://user:{}@b24.internal/", "b24.internal"),
        ("http://{}@b25.internal/", "b25.internal"),
        ("http://b26.internal/?key={}", "b26.internal"),
        ("http://b27.internal/p?a=1&b27={}", "b27"),
        ("http://b28.internal/#{}", "b28.internal"),
        ("http://b29.internal/?b29=%7B{}%7D", "b29"),
        ("http://user:a/{}@b30.internal/", "b30.internal"),
        ("http://b31.internal/?a=b;c={}", "b31.internal"),
        ("/b32?token={}", "/b32"),
        ("http://b33.internal/callback?code={}&state=x", "/callback"),
    ];
    let with =
        |(n, (text, stays)): (usize, (&str, _))| (text.replace("{}", &secret(24 + n)), stays);
    texts.into_iter().enumerate().map(with).collect()
}

async fn queries(monitor: &Monitor) {
    for (system, text, _) in statements() {
        let db = monitor.db(system).namespace("shop");
        db.query(&text).finish();
        let fails = async { Err::<(), _>(io::Error::other(text.clone())) };
        db.query(&text).try_run(fails).await.unwrap_err();
        drop(db.query(&text));
    }
    // An error's text, and the statement with its trace.
    let db = monitor.db(DbSystem::Postgresql);
    let error = io::Error::other(format!("duplicate key: {}", secret(34)));
    let query = db.query("SELECT a34").code("23505");
    assert!(query.commented("SELECT a34").contains("traceparent"));
    query.fail(&error);
}

async fn calls(monitor: &Monitor) {
    for (url, _) in urls() {
        let error = io::Error::other(url.clone());
        monitor
            .external("b34")
            .call("GET", &url)
            .status(500)
            .finish();
        monitor.external("b34").call("GET", &url).fail(&error);
        drop(monitor.external("b34").call("GET", &url));
    }
    let mut headers = HeaderMap::new();
    for (name, n) in [
        ("authorization", 35),
        ("set-cookie", 36),
        ("x-ratelimit-limit", 37),
    ] {
        headers.insert(name, HeaderValue::from_str(&secret(n)).unwrap());
    }
    headers.insert("x-ratelimit-remaining", HeaderValue::from_static("77"));
    let model = monitor
        .external("b34")
        .call("POST", "http://b38.internal/v1/responses");
    let model = model
        .gen_ai("chat", "m38")
        .headers(&headers)
        .tokens(12, 300)
        .cost(0.25);
    model.finish();

    let answers = tower::service_fn(async |request: Request<String>| {
        assert_eq!(request.headers()["authorization"], secret(38));
        assert!(request.body().contains(&secret(39)));
        Ok::<_, io::Error>(http::Response::new(secret(39)))
    });
    let mut client = monitor.external("b39").client_layer().layer(answers);
    let request = Request::post("http://b39.internal/v1/responses")
        .header("authorization", secret(38))
        .extension(UrlTemplate("/v1/{b39}".into()));
    let request = request
        .body(format!("a prompt with {}", secret(39)))
        .unwrap();
    let answer = client.call(request).await.unwrap();
    answer.into_body().collect().await.unwrap();
}

#[tokio::test]
async fn no_secret_of_queries_and_calls_is_anywhere() {
    let harness = Harness::with(|builder| builder.trace_ratio(1.0).max_traces_per_second(100_000));
    let monitor = Monitor::clone(&harness);
    let work = get(move || async move {
        queries(&monitor).await;
        calls(&monitor).await;
        "done"
    });
    let app = Router::new().route("/work", work).layer(harness.layer());
    let request = Request::get("/work").body(Body::empty()).unwrap();
    let answer = app.oneshot(request).await.unwrap();
    answer.into_body().collect().await.unwrap();
    assert!(harness.flush(Duration::from_secs(10)).await);

    let places: BTreeMap<_, _> = [
        ("page", harness.metrics().render()),
        ("lines", harness.written()),
        ("traces", format!("{:?}", harness.recent_traces())),
        ("queries", format!("{:?}", harness.queries())),
        ("dependencies", format!("{:?}", harness.dependencies())),
        ("models", format!("{:?}", harness.model_usage())),
    ]
    .into();
    for (place, text) in &places {
        for n in 0..40 {
            assert!(
                !text.contains(&secret(n)),
                "secret {n} is in the {place}: {text}"
            );
        }
    }
    let found = |place: &str, what: &str| {
        assert!(
            places[place].contains(what),
            "{what} is not in the {place}: {}",
            places[place]
        );
    };
    for (system, _, stays) in statements() {
        found("traces", stays);
        found("queries", stays);
        found("page", system.as_str());
    }
    for (_, stays) in urls() {
        found("traces", stays);
    }
    found("traces", "23505");
    found("page", r#"db_response_status_code="23505""#);
    found("page", r#"peer_service="b34""#);
    found(
        "page",
        r#"watchpost_external_rate_limit_remaining{peer_service="b34",watchpost_rate_limit_window="default"} 77"#,
    );
    found("page", "m38");
    found("traces", "/v1/{b39}");
    found("dependencies", "b39");
    found("dependencies", "std::io::error::Error");
    found("models", "m38");
    found("lines", "watchpost.db.queries");
}
