//! Forty secrets, each in queries and calls with every possible end, looked for during and after the work. A harmless
//! text next to each secret must appear in all expected places.

use std::convert::Infallible;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::http::{Request, Response};
use axum::routing::get;
use futures_util::{FutureExt, stream};
use http_body_util::BodyExt;
use tower::{Layer, ServiceExt};
use tracing_subscriber::layer::SubscriberExt;
use watchpost::db::{Database, DbSystem};
use watchpost::external::{CallGuard, External};
use watchpost::testing::Harness;

use crate::support::{get_request, send};

/// Statements with a secret: `{s}` as text, `{x}` in hexadecimal, `{d}` as a number. `{n}` is the harmless text.
const QUERIES: [(DbSystem, &str); 28] = {
    use DbSystem::{
        Clickhouse, Cockroachdb, Elasticsearch, Mariadb, Memcached, MicrosoftSqlServer, Mongodb,
        Mysql, OracleDb, Other, OtherSql, Postgresql, Redis, Sqlite,
    };
    [
        (
            Postgresql,
            "SELECT * FROM {n} WHERE mail = '{s}' AND a = 'it''s {s}'",
        ),
        (
            Postgresql,
            r"INSERT INTO {n} (a, b) VALUES (1, E'x\'{s}\\'), (2, B'01')",
        ),
        (
            Postgresql,
            "UPDATE {n} SET a = $q$it's {s} $$$q$ WHERE b = $$ {s} $$",
        ),
        (
            Postgresql,
            "SELECT a /* {s} /* {s} */ {s} */ FROM {n} -- {s}",
        ),
        (
            Postgresql,
            "DELETE FROM {n} WHERE card = {d} OR card = -{d}.5e3",
        ),
        (
            Postgresql,
            "SELECT * FROM {n} WHERE a IN ('{s}', {d}) AND b = ARRAY['{s}']",
        ),
        (Postgresql, "SELECT * FROM {n} WHERE a = 'never closed {s}"),
        (
            Postgresql,
            "SELECT * FROM {n} WHERE a = 'a'\n'{s}' AND b ~ '{s}'",
        ),
        (
            Cockroachdb,
            r"SELECT * FROM {n} WHERE a = U&'\0041{s}' AND b = N'{s}'",
        ),
        (
            Mysql,
            r#"SELECT * FROM {n} WHERE a = "{s}" AND b = "it\"s {s}""#,
        ),
        (Mysql, r"SELECT * FROM {n} WHERE a = 'it\'s {s}' LIMIT {d}"),
        (Mysql, "SELECT * FROM {n} # {s}\nWHERE a = 1"),
        (Mysql, "SELECT * FROM {n} WHERE a = 0x{x} OR b = x'{x}'"),
        (Mariadb, "REPLACE INTO {n} VALUES (_utf8mb4'{s}', N'{s}')"),
        (
            Mariadb,
            "SELECT /*! STRAIGHT_JOIN */ a FROM {n} WHERE /* {s} */ b = '{s}'",
        ),
        (
            Sqlite,
            "SELECT * FROM {n} WHERE a = x'{x}' -- {s}\n AND b = '{s}'",
        ),
        (Sqlite, "INSERT INTO {n} VALUES ('{s}', '''{s}''')"),
        (
            MicrosoftSqlServer,
            "SELECT * FROM [{n}] WHERE a = N'{s}' AND b = 0x{x}",
        ),
        (
            MicrosoftSqlServer,
            "UPDATE {n} SET a = '{s}' /* {s} /* */ {s} */ WHERE b = {d}",
        ),
        (
            OracleDb,
            "SELECT * FROM {n} WHERE a = q'[it's {s}]' OR b = nq'!{s}'s!'",
        ),
        (Clickhouse, r"SELECT * FROM {n} WHERE a = 'x\'{s}' -- {s}"),
        (OtherSql, "INSERT INTO {n} VALUES ('{s}\\', {d}, '{s}')"),
        (
            OtherSql,
            r#"SELECT a FROM {n} WHERE b = "{s}" OR b = $a${s}$a$"#,
        ),
        (Redis, "{n} session:{s} {s}"),
        (Memcached, "{n} {s} 0 0 {d}"),
        (Mongodb, r#"{n} {"mail": "{s}", "card": {d}}"#),
        (Elasticsearch, "{n}/{s}/_search?q={s}"),
        (Other("neo4j"), "{n} (a {mail: '{s}'})"),
    ]
};

/// URLs with a secret.
const CALLS: [&str; 12] = [
    "https://{s}@{n}.example/",
    "https://user:{s}@{n}.example:8443/a",
    "https://user:{s}/x@{n}.example/a",
    "https://user%3A{s}%40{n}.example/",
    "https://user:{s}%2540{n}.example/",
    "https://{n}.example/a?key={s}&page={s}",
    "https://{n}.example/a?{s}",
    "https://{n}.example/a?a={s};{s}&b=",
    "https://{n}.example/a?url=https://user:{s}@b.example/&{s}=",
    "https://{n}.example/a#access_token={s}",
    "https://proxy.example/https://user:{s}@{n}.example/",
    "//user:{s}@{n}.example/?{s}",
];

/// A secret and the harmless text next to it.
#[derive(Clone)]
struct Planted {
    secret: String,
    number: String,
    near: String,
}

impl Planted {
    fn new(n: usize) -> Self {
        Self {
            secret: format!("hush{n:02}zq"),
            number: format!("9270364581{n:02}"),
            near: format!("near{n:02}"),
        }
    }

    fn hex(&self) -> String {
        let bytes = self.secret.bytes();
        bytes.map(|byte| format!("{byte:02x}")).collect()
    }

    fn fill(&self, template: &str) -> String {
        let template = template.replace("{s}", &self.secret);
        let template = template.replace("{d}", &self.number);
        template
            .replace("{x}", &self.hex())
            .replace("{n}", &self.near)
    }

    /// An error whose message quotes the secret, as those of databases and clients do.
    fn error(&self) -> io::Error {
        io::Error::other(self.fill("duplicate key ({s}, {d}) of https://user:{s}@a.example/?{s}"))
    }

    /// A response with secrets and a rate limit in its headers.
    fn response<B>(&self, body: B) -> Response<B> {
        Response::builder()
            .header("set-cookie", self.fill("sid={s}"))
            .header("x-ratelimit-limit", &self.secret)
            .header("retry-after", &self.secret)
            .header("x-ratelimit-remaining-requests", "70")
            .body(body)
            .unwrap()
    }
}

/// Runs a statement with each end, and returns what is visible meanwhile.
async fn run_query_in_each_way(
    harness: &Harness,
    db: &Database,
    planted: &Planted,
    sql: &str,
) -> String {
    let seen = Mutex::new(String::new());
    let guard = db.query(sql);
    *seen.lock().unwrap() += &format!("{guard:?}");
    let meanwhile = async { *seen.lock().unwrap() += &format!("{:?}", harness.in_flight()) };
    guard.rows(1).run(meanwhile).await;
    let refused = || async { Err::<(), _>(planted.error()) };
    db.query(sql).try_run(refused()).await.unwrap_err();
    // A text is not accepted as code.
    let code = |error: &io::Error| Some(error.to_string());
    let coded = db.query(sql).try_run_with(refused(), code);
    coded.await.unwrap_err();
    db.query(sql)
        .code(planted.fill("{s} is no code"))
        .fail(&planted.error());
    let panics = db.query(sql).run(async {
        std::panic::resume_unwind(Box::new(planted.secret.clone()));
    });
    assert!(AssertUnwindSafe(panics).catch_unwind().await.is_err());
    drop(db.query(sql));
    seen.into_inner().unwrap()
}

/// Makes calls with each end, and returns what is visible meanwhile.
async fn call(harness: &Harness, service: &External, planted: &Planted, url: &str) -> String {
    let begin = || {
        let call = service.call("POST", url).gen_ai("chat", &planted.near);
        call.tokens(3, 4).cost(0.5)
    };
    let guard = begin();
    let seen = format!("{guard:?}{:?}", harness.in_flight());
    let responds = async { Ok::<_, Infallible>(planted.response(())) };
    let note =
        |call: CallGuard, response: &Response<()>| call.status(200).headers(response.headers());
    guard.try_run_with(responds, note).await.unwrap();
    // Often enough for the state "down" with its reason.
    for _ in 0..8 {
        let failed = begin().try_run(async { Err::<(), _>(planted.error()) });
        failed.await.unwrap_err();
    }
    let panics = begin().run(async {
        std::panic::resume_unwind(Box::new(planted.secret.clone()));
    });
    assert!(AssertUnwindSafe(panics).catch_unwind().await.is_err());
    drop(begin());

    // With the client layer: a prompt and its response, an error, and an error in the body.
    for way in 0..3 {
        let of = planted.clone();
        let client = tower::service_fn(move |request: Request<String>| {
            let of = of.clone();
            async move {
                assert!(
                    request.headers()["authorization"]
                        .to_str()
                        .unwrap()
                        .contains(&of.secret)
                );
                assert!(request.body().contains(&of.secret));
                let (reply, error) = (of.fill("It is {s}."), of.error());
                match way {
                    0 => Ok(of.response(Body::from(reply))),
                    1 => Err(error),
                    _ => {
                        let body = stream::iter([Ok(reply), Err(error)]);
                        Ok(of.response(Body::from_stream(body)))
                    }
                }
            }
        });
        let request = Request::post(url)
            .header("authorization", planted.fill("Bearer {s}"))
            .header("x-api-key", &planted.secret)
            .header("cookie", planted.fill("sid={s}"))
            .body(planted.fill("What is {s}?"));
        // This client does not accept all of the URLs.
        let Ok(request) = request else { continue };
        let response = service.client_layer().layer(client).oneshot(request).await;
        if let Ok(response) = response {
            let body = response.into_body().collect().await;
            assert_eq!(body.is_ok(), way == 0);
        }
    }
    seen
}

#[tokio::test]
async fn no_end_of_a_query_or_call_exposes_a_secret() {
    let harness = Arc::new(Harness::with(|builder| {
        builder.trace_ratio(1.0).max_traces_per_second(100_000)
    }));
    let subscriber = tracing_subscriber::registry().with(harness.tracing_layer());
    let _listening = tracing::subscriber::set_default(subscriber);
    let all: Arc<[Planted]> = (0..QUERIES.len() + CALLS.len()).map(Planted::new).collect();
    assert_eq!(all.len(), 40);
    let seen = Arc::new(Mutex::new(String::new()));
    let (of, secrets, visible) = (Arc::clone(&harness), Arc::clone(&all), Arc::clone(&seen));
    let handler = move |Path((n, _)): Path<(usize, String)>| async move {
        let planted = &secrets[n];
        let meanwhile = if let Some((system, sql)) = QUERIES.get(n) {
            run_query_in_each_way(&of, &of.db(*system), planted, &planted.fill(sql)).await
        } else {
            let url = planted.fill(CALLS[n - QUERIES.len()]);
            call(&of, &of.external(&planted.near), planted, &url).await
        };
        *visible.lock().unwrap() += &meanwhile;
        tracing::warn!("{} is done", planted.near);
    };
    let app = Router::new()
        .route("/run/{n}/{near}", get(handler))
        .layer(harness.layer());
    for (n, planted) in all.iter().enumerate() {
        let request = Request::get(format!("/run/{n}/{}?page={}", planted.near, planted.secret))
            .header("authorization", planted.fill("Bearer {s}"))
            .header("baggage", planted.fill("sid={s}"))
            .body(Body::empty())
            .unwrap();
        assert_eq!(send(&app, request).await.status, 200, "{n}");
    }
    assert!(harness.flush(Duration::from_secs(10)).await);

    let places = [
        ("the page", harness.metrics().render()),
        ("the lines", harness.written()),
        ("the traces", format!("{:?}", harness.recent_traces())),
        ("queries", format!("{:?}", harness.queries())),
        ("dependencies", format!("{:?}", harness.dependencies())),
        ("model usage", format!("{:?}", harness.model_usage())),
        ("errors", format!("{:?}", harness.error_groups())),
        ("what was under way", seen.lock().unwrap().clone()),
    ];
    let mut wrong = Vec::new();
    for (place, text) in &places {
        let text = text.to_lowercase();
        for (n, planted) in all.iter().enumerate() {
            let what = match QUERIES.get(n) {
                Some((system, sql)) => format!("{}: {sql}", system.as_str()),
                None => CALLS[n - QUERIES.len()].to_owned(),
            };
            for secret in [&planted.secret, &planted.number, &planted.hex()] {
                if let Some(at) = text.find(secret.as_str()) {
                    let from = text.floor_char_boundary(at.saturating_sub(80));
                    let to = text.floor_char_boundary(at + 40);
                    wrong.push(format!("{place} expose {what}: {}", &text[from..to]));
                }
            }
            let is_query = n < QUERIES.len();
            let should_be = match *place {
                "queries" => is_query,
                "dependencies" | "model usage" => !is_query,
                "errors" => false,
                _ => true,
            };
            if should_be != text.contains(&planted.near) && *place != "errors" {
                wrong.push(format!("{} in {place}: {what}", planted.near));
            }
        }
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));

    // All ends of all queries and calls were recorded, so the search covered them.
    let queries = harness.queries();
    assert_eq!(queries.len(), QUERIES.len());
    for row in &queries {
        assert_eq!((row.calls, row.errors, row.cancelled), (6, 4, 1), "{row:?}");
    }
    let traces = harness.recent_traces();
    assert_eq!(traces.len(), all.len());
    let urls = traces.iter().flat_map(|trace| &trace.spans);
    let urls = urls.filter(|span| span.attributes.iter().any(|(key, _)| key == "url.full"));
    assert!(urls.count() >= CALLS.len() * 11);
    for service in harness.dependencies() {
        assert!(!service.reason.is_empty() && service.last_error.is_some());
        assert_eq!(service.limits.len(), 1, "{service:?}");
    }
}

/// Texts with a URL or a command: `{s}` is the secret, `{n}` is harmless and stays.
const TEXTS: [&str; 12] = [
    "error sending request for url (https://{n}.example/v1?user={s}&page=7)",
    "GET /{n}/cb?code={s}&state={s} failed",
    r#"{"u":"https:\/\/{n}.example\/p?a={s}\u0026b={s}"}"#,
    "<a href=\"https://{n}.example/?a={s}&amp;b={s}\">",
    "to https%3A%2F%2F{n}.example%2Fcb%3Fcode%3D{s}",
    "postgres://app:{s}@{n}.example:5432/app?x={s}",
    "https://{n}.example/cb#access_token={s}",
    "tool --password {s} --file {n}",
    "/api/invites/{s}/{n}",
    "ticket={s} {n}",
    "code={s}&state={s} {n}",
    "app:{s}@tcp({n}:3306)/db?x={s}",
];

#[tokio::test]
async fn urls_inside_of_texts_are_redacted_in_every_sink() {
    let harness = Arc::new(Harness::with(|builder| {
        let builder = builder.trace_ratio(1.0).max_traces_per_second(100_000);
        let builder = builder
            .redact_keys(["ticket"])
            .redact_paths(["/invites/{token}"]);
        builder.allow_query(["offset", "page"])
    }));
    let subscriber = tracing_subscriber::registry().with(harness.tracing_layer());
    let _listening = tracing::subscriber::set_default(subscriber);
    let of = Arc::clone(&harness);
    let handler = move |Path(n): Path<usize>| async move {
        let text = TEXTS[n].replace("{s}", &format!("hush{n:02}zq"));
        let text = text.replace("{n}", &format!("near{n:02}"));
        let span = tracing::info_span!("work", note = %text);
        let _entered = span.enter();
        tracing::warn!("{text}");
        tracing::info!(note = %text, "a field");
        let error = io::Error::other(io::Error::other(text.clone()));
        let _event = of.capture_error(&error);
        let call = of.external("there").call(
            "GET",
            format!("https://h.example/a?page=7&x={text}").as_str(),
        );
        call.status(200).run(async {}).await;
        of.health().check(format!("check {n}"), move || {
            let text = text.clone();
            async move { Err::<(), _>(text) }
        });
    };
    let layer = harness.layer().allow_headers([http::header::REFERER]);
    let app = Router::new().route("/run/{n}", get(handler)).layer(layer);
    for n in 0..TEXTS.len() {
        let request = Request::get(format!("/run/{n}?page=7&q=hush{n:02}zq"))
            .header(
                "referer",
                format!("https://near{n:02}.example/?page=7&q=hush{n:02}zq"),
            )
            .body(Body::empty())
            .unwrap();
        assert_eq!(send(&app, request).await.status, 200, "{n}");
    }
    assert!(harness.flush(Duration::from_secs(10)).await);
    let page = Router::new().route_service(
        "/health",
        harness
            .health()
            .details(watchpost::Access::open_to_anyone()),
    );
    // Until every check has run.
    let shows_all = |page: &str| (0..TEXTS.len()).all(|n| page.contains(&format!("near{n:02}")));
    let patience = Instant::now() + Duration::from_secs(20);
    let mut health = send(&page, get_request("/health")).await;
    while !shows_all(&health.body) && Instant::now() < patience {
        tokio::time::sleep(Duration::from_millis(10)).await;
        health = send(&page, get_request("/health")).await;
    }
    let places = [
        ("the log", harness.written()),
        ("the traces", format!("{:?}", harness.recent_traces())),
        ("the errors", format!("{:?}", harness.error_groups())),
        ("health", health.body),
    ];
    for (place, text) in &places {
        for (n, form) in TEXTS.iter().enumerate() {
            let (secret, near) = (format!("hush{n:02}zq"), format!("near{n:02}"));
            assert!(!text.contains(&secret), "{place}: {form}\n{text}");
            let groups = *place == "the errors";
            assert!(groups || text.contains(&near), "{place}: {form}\n{text}");
        }
    }
    let log = &places[0].1;
    assert!(log.contains(r#""url.query":"page=7&q=REDACTED""#), "{log}");
    assert!(log.contains(".example/?page=7&q=REDACTED"), "{log}");
    assert!(
        places[1]
            .1
            .contains("https://h.example/a?page=7&x=REDACTED")
    );
}

#[test]
fn redaction_rules_can_be_set_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("watchpost.toml");
    let text =
        "[redact]\nkeys = [\"ticket\"]\npaths = [\"/invites/{token}\"]\nallow_query = [\"page\"]\n";
    std::fs::write(&file, text).unwrap();
    let harness = Harness::with(|builder| builder.file(&file));
    let subscriber = tracing_subscriber::registry().with(harness.tracing_layer());
    tracing::subscriber::with_default(subscriber, || {
        tracing::info!("ticket=hush at /a/invites/hush?page=7&q=hush");
    });
    let written = harness.written();
    assert!(
        written.contains("ticket=[Filtered] at /a/invites/REDACTED?page=7&q=REDACTED"),
        "{written}"
    );
    let settings = harness.settings();
    assert_eq!(
        settings.value("redact.paths"),
        Some("[\"/invites/{token}\"]")
    );
    // The value of a sensitive key is never shown.
    let refused = watchpost::Monitor::builder("shop")
        .env(false)
        .allow_query(["page", "token"])
        .build();
    let problems = refused.unwrap_err().to_string();
    assert!(problems.contains("remove `token`"), "{problems}");
}

/// A number under a sensitive key is a secret as well, unless the key counts or measures.
#[tokio::test]
async fn numbers_under_sensitive_keys_are_replaced() {
    let harness = Harness::with(|builder| builder.trace_ratio(1.0));
    let subscriber = tracing_subscriber::registry().with(harness.tracing_layer());
    let _default = tracing::subscriber::set_default(subscriber);
    let handler = async || {
        tracing::info!(
            otp = 918_273_u32,
            pin = -918_273_i64,
            cvv = 918_273.5,
            token_count = 4711_u64
        );
        let span = tracing::info_span!("pay", user.pin = 918_273, max_tokens = 4711);
        span.in_scope(|| tracing::info!("inside"));
        harness_error();
        "done"
    };
    let hook = |_: &http::request::Parts, attributes: &mut watchpost::Attributes| {
        attributes.insert("card.cvv", 918_273_i64);
        attributes.insert("cookie_count", 4711_i64);
    };
    let app = Router::new()
        .route("/pay", get(handler))
        .layer(harness.layer().on_request(hook));
    let request = Request::get("/pay").body(Body::empty()).unwrap();
    app.oneshot(request)
        .await
        .unwrap()
        .into_body()
        .collect()
        .await
        .unwrap();
    let written = harness.written();
    let traces = format!("{:?}", harness.recent_traces());
    for text in [&written, &traces] {
        assert!(!text.contains("918273"), "{text}");
        assert!(
            text.contains("[Filtered]") && text.contains("4711"),
            "{text}"
        );
    }
    let fields = written.matches("[Filtered]").count();
    assert_eq!(fields, 5, "{written}");
}

fn harness_error() {
    let error = io::Error::other("declined");
    let monitor = watchpost::Monitor::current().unwrap();
    monitor
        .error_capture(&error)
        .extra("user.pin", 918_273_i64)
        .capture();
    let group = monitor.error_groups();
    assert!(!format!("{group:?}").contains("918273"));
}
