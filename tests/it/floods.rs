//! Ten thousand texts of each kind from outside: the metrics of real routes, services and databases stay as they are, and
//! the metrics page stays bounded.

use std::fmt;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, Version};
use axum::routing::{get, post};
use http_body_util::BodyExt;
use tower::{ServiceExt, service_fn};
use watchpost::Level;
use watchpost::db::DbSystem;
use watchpost::testing::{Harness, Sample};

use crate::support::{get_request, send};

const FLOOD: usize = 10_000;
/// The bytes that a flood may add to the page: all known methods and versions on two routes.
const MAX_GROWTH: usize = 600_000;
const REAL: [&str; 4] = ["/users/1", "/users/2", "/orders", "/static/a.css"];

fn app(harness: &Harness) -> Router {
    let files = service_fn(async |_: Request<Body>| {
        Ok::<_, std::convert::Infallible>(http::Response::new(Body::from("file")))
    });
    Router::new()
        .route("/users/{id}", get(|| async { "user" }))
        .route("/orders", get(|| async { "orders" }))
        .route("/flooded/{id}", post(|| async { "flooded" }))
        .nest_service("/static", files)
        .nest_service("/flooded-files", files)
        .layer(harness.layer().allow_headers([http::header::ACCEPT]))
}

/// The samples of the routes that no flood requests. The clock does not advance.
fn shown(harness: &Harness) -> Vec<String> {
    let page = harness.page();
    let names = [
        "http_server_request_duration_seconds_count",
        "http_server_request_duration_seconds_bucket",
        "http_server_response_body_size_bytes_sum",
        "watchpost_http_time_to_headers_seconds_count",
    ];
    let routes = ["/users/{id}", "/orders", "/static/*"];
    let of = |sample: &&Sample| {
        let route = sample.labels.get("http_route");
        route.is_some_and(|route| routes.contains(&&**route))
    };
    let samples = names.iter().flat_map(|name| page.samples(name, &[]));
    let mut shown: Vec<_> = samples.filter(of).map(|it| format!("{it:?}")).collect();
    shown.sort();
    shown
}

async fn request_known_routes(app: &Router) {
    for path in REAL {
        assert_eq!(send(app, get_request(path)).await.status, 200);
    }
}

fn build(request: http::request::Builder) -> Request<Body> {
    request.body(Body::empty()).unwrap()
}

/// A kind of flood: its name, and the request with a number.
type Kind = (&'static str, fn(usize) -> Request<Body>);

const KINDS: [Kind; 18] = [
    ("paths", |n| get_request(&format!("/wp-{n}.php"))),
    ("parameters", |n| get_request(&format!("/flooded/{n}"))),
    ("files", |n| get_request(&format!("/flooded-files/{n}.css"))),
    ("queries", |n| {
        get_request(&format!("/flooded/1?key{n}={n}"))
    }),
    ("methods", |n| {
        let method = Method::from_bytes(format!("M{n}").as_bytes()).unwrap();
        build(Request::builder().method(method).uri("/flooded/1"))
    }),
    ("versions and known methods", |n| {
        let versions = [
            Version::HTTP_09,
            Version::HTTP_10,
            Version::HTTP_11,
            Version::HTTP_2,
            Version::HTTP_3,
        ];
        let methods = ["GET", "POST", "PUT", "DELETE", "HEAD", "TRACE", "get"];
        let request = Request::builder().version(versions[n % 5]);
        build(request.method(methods[n % 7]).uri("/flooded/1"))
    }),
    ("hosts", |n| {
        build(Request::get("/flooded/1").header("host", format!("h{n}.test")))
    }),
    ("authorities", |n| {
        build(Request::get(format!(
            "http://h{n}.test:{}/flooded/1",
            n + 1
        )))
    }),
    ("content types", |n| {
        build(Request::post("/flooded/1").header("content-type", format!("text/x-{n}")))
    }),
    ("gRPC paths", |n| {
        let request = Request::post(format!("/flood.S{n}/M"));
        build(request.header("content-type", "application/grpc"))
    }),
    ("gRPC statuses in requests", |n| {
        let request = Request::post("/flooded/1").header("content-type", "application/grpc");
        build(request.header("grpc-status", n.to_string()))
    }),
    ("user agents", |n| {
        build(Request::get("/flooded/1").header("user-agent", format!("agent/{n}")))
    }),
    ("allowed headers", |n| {
        build(Request::get("/flooded/1").header("accept", format!("text/x-{n}")))
    }),
    ("trace ids", |n| {
        let parent = format!("00-{:032x}-{:016x}-01", n + 1, n + 1);
        build(Request::get("/flooded/1").header("traceparent", parent))
    }),
    ("one trace id", |n| {
        let parent = format!("00-{:032x}-{:016x}-01", 7, n + 1);
        build(Request::get("/flooded/1").header("traceparent", parent))
    }),
    ("trace states and baggage", |n| {
        let parent = format!("00-{:032x}-{:016x}-01", n + 1, n + 1);
        let request = Request::get("/flooded/1").header("traceparent", parent);
        let request = request.header("tracestate", format!("v{n}=1"));
        build(request.header("baggage", format!("k{n}=v{n}")))
    }),
    ("forwarded addresses", |n| {
        let request = Request::get("/flooded/1").header("x-forwarded-for", format!("10.0.0.{n}"));
        build(request.header("x-forwarded-host", format!("h{n}.test")))
    }),
    ("body sizes", |n| {
        build(Request::post("/flooded/1").header("content-length", (n * 7919).to_string()))
    }),
];

#[tokio::test]
async fn client_texts_do_not_change_the_metrics_of_routes() {
    let quiet = Harness::new();
    request_known_routes(&app(&quiet)).await;
    let (expected, size) = (shown(&quiet), quiet.metrics().render().len());
    assert!(expected.len() > 20, "{expected:#?}");
    for (kind, request) in KINDS {
        let harness = Harness::new();
        let app = app(&harness);
        for n in 0..FLOOD {
            let response = app.clone().oneshot(request(n)).await.unwrap();
            drop(response.into_body().collect().await);
            if n % 1_000 == 0 {
                // Gives the worker time to write.
                assert!(harness.flush(Duration::from_secs(10)).await);
            }
        }
        request_known_routes(&app).await;
        assert_eq!(shown(&harness), expected, "{kind}");
        let grown = harness.metrics().render().len();
        assert!(grown < size + MAX_GROWTH, "{kind}: {size} -> {grown}");
        let active = harness.page();
        let active = active.samples("http_server_active_requests", &[]);
        assert!(active.into_iter().all(|it| it.value == 0.0), "{kind}");
    }
}

#[tokio::test]
async fn names_from_outside_leave_room_for_routes() {
    let quiet = Harness::new();
    request_known_routes(&app(&quiet)).await;
    let expected = shown(&quiet);
    // A hook that returns the path, connections named after users, and spans named after requests.
    let harness = Harness::new();
    let hooked = Router::new()
        .layer(harness.layer())
        .fallback_service(tower::Layer::layer(
            &harness
                .layer()
                .route(|parts| Some(parts.uri.path().to_owned().into())),
            service_fn(async |_: Request<Body>| {
                Ok::<_, std::convert::Infallible>(http::Response::new(Body::empty()))
            }),
        ));
    for n in 0..FLOOD {
        send(&hooked, get_request(&format!("/hooked/{n}"))).await;
        harness.connection(format!("user {n}")).run(async {}).await;
        harness.span(format!("span {n}")).run(async {}).await;
    }
    request_known_routes(&app(&harness)).await;
    assert_eq!(shown(&harness), expected);
}

/// An error of one type with a text of its own.
#[derive(Debug)]
struct Refused(usize);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "order {} of user{}@shop.test is refused", self.0, self.0)
    }
}

impl std::error::Error for Refused {}

#[tokio::test]
async fn error_messages_do_not_create_groups() {
    let harness = Harness::new();
    for n in 0..FLOOD {
        harness.capture_error(&Refused(n));
        harness.capture_message(Level::Error, format!("no user {n}"));
        if n % 100 == 0 {
            assert!(harness.flush(Duration::from_secs(10)).await);
        }
    }
    assert!(harness.flush(Duration::from_secs(10)).await);
    let groups = harness.error_groups();
    assert_eq!(groups.len(), 2, "{groups:#?}");
    assert!(!harness.metrics().render().contains("shop.test"));
}

#[tokio::test]
async fn call_targets_leave_room_for_other_services() {
    let harness = Harness::new();
    let count = "http_client_request_duration_seconds_count";
    let hooks = harness.external("webhooks");
    for n in 0..FLOOD {
        let url = format!("http://h{n}.test/{n}?key{n}=1");
        let method = format!("M{n}");
        hooks.call(&method, &url).status(200).finish();
        hooks
            .call("POST", &url)
            .template(format!("/{n}"))
            .status((200 + n % 400) as u16)
            .finish();
    }
    harness
        .external("payments")
        .call("GET", "https://pay.test/balance")
        .status(200)
        .finish();
    let page = harness.page();
    let labels = [
        ("service_peer_name", "payments"),
        ("server_address", "pay.test"),
    ];
    assert_eq!(page.sum(count, &labels), 1.0);
    let webhooks = [("service_peer_name", "webhooks")];
    assert_eq!(page.sum(count, &webhooks), 2.0 * FLOOD as f64);
    let mut servers: Vec<_> = page
        .samples(count, &webhooks)
        .map(|sample| sample.labels["server_address"].clone())
        .collect();
    servers.sort();
    servers.dedup();
    assert_eq!(servers.len(), 16 + 1, "sixteen and `_other`");
}

#[tokio::test]
async fn windows_of_rate_limits_and_models_are_bounded() {
    let harness = Harness::new();
    let openai = harness.external("openai");
    for n in 0..FLOOD {
        let mut headers = http::HeaderMap::new();
        let policy = format!("\"p{n}\";q=100;w=60");
        headers.insert("ratelimit-policy", policy.parse().unwrap());
        let limit = format!("\"p{n}\";r=50;t=30");
        headers.insert("ratelimit", limit.parse().unwrap());
        openai
            .call("POST", "https://models.test/v1")
            .status(200)
            .headers(&headers)
            .finish();
    }
    let page = harness.page();
    let windows = page.samples("watchpost_external_rate_limit_remaining", &[]);
    assert!((1..=16).contains(&windows.count()));
    let count = "http_client_request_duration_seconds_count";
    assert_eq!(page.sum(count, &[]), FLOOD as f64);
}

#[tokio::test]
async fn namespaces_statements_and_pools_leave_known_queries_alone() {
    let count = "db_client_operation_duration_seconds_count";
    let harness = Harness::new();
    let shop = harness.db(DbSystem::Postgresql).namespace("shop");
    let known = || shop.query("SELECT id FROM orders WHERE id = 1").finish();
    known();
    let labels = [
        ("db_namespace", "shop"),
        ("db_query_summary", "SELECT orders"),
    ];
    assert_eq!(harness.page().sum(count, &labels), 1.0);
    for n in 0..FLOOD {
        let tenant = harness
            .db(DbSystem::Postgresql)
            .namespace(format!("tenant{n}"))
            .server(format!("db{n}.test"), 5432)
            .pool(format!("pool{n}"));
        tenant
            .query(format!("SELECT c{n} FROM t{n} WHERE x = {n}"))
            .finish();
    }
    known();
    let page = harness.page();
    assert_eq!(page.sum(count, &labels), 2.0);
    assert_eq!(page.sum(count, &[]), FLOOD as f64 + 2.0);
    let bytes = harness.metrics().render().len();
    assert!(bytes < 3_000_000, "{bytes}");
}

/// Runs a statement to its end.
fn run_statement(harness: &Harness, statement: impl AsRef<str>) {
    let db = harness.db(DbSystem::Postgresql).namespace("shop");
    db.query(statement).finish();
}

/// The calls with a summary: in the table of queries, and in the series.
fn query_counts(harness: &Harness, summary: &str) -> (u64, f64) {
    let rows = harness.queries();
    let rows = rows.iter().filter(|row| &*row.summary == summary);
    let series = harness.page().sum(
        "db_client_operation_duration_seconds_count",
        &[("db_query_summary", summary)],
    );
    (rows.map(|row| row.calls).sum(), series)
}

/// All calls and errors in the table, and all calls in the series.
fn total_query_counts(harness: &Harness) -> (u64, u64, f64) {
    let rows = harness.queries();
    let page = harness.page();
    (
        rows.iter().map(|row| row.calls).sum(),
        rows.iter().map(|row| row.errors).sum(),
        page.sum("db_client_operation_duration_seconds_count", &[]),
    )
}

fn summaries_on_page(harness: &Harness) -> usize {
    let page = harness.page();
    page.samples("db_client_operation_duration_seconds_count", &[])
        .count()
}

#[tokio::test]
async fn statements_after_a_flood_have_their_own_rows() {
    let word = |n: usize| format!("SELECT a FROM t ORDER BY w{n}");
    let table = |n: usize| format!("SELECT a FROM flooded{n}");
    let twice = |n: usize| format!("SELECT a FROM flooded{} WHERE b = {n}", n / 2);
    let floods: [(&str, &dyn Fn(usize) -> String); 3] =
        [("words", &word), ("tables", &table), ("each twice", &twice)];
    for (name, flood) in floods {
        for pause in [Duration::ZERO, Duration::from_secs(7200)] {
            let harness = Harness::new();
            let mut all = 0;
            for n in 0..FLOOD {
                run_statement(&harness, flood(n));
                all += 1;
                // Twenty statements run during the whole flood.
                if n % 20 == 0 {
                    run_statement(&harness, format!("SELECT a FROM steady{}", n / 20 % 20));
                    all += 1;
                }
            }
            harness.advance(pause);
            for _ in 0..10 {
                for late in 0..20 {
                    run_statement(&harness, format!("SELECT a FROM late{late}"));
                    all += 1;
                }
            }
            for n in 0..20 {
                let (calls, series) = query_counts(&harness, &format!("SELECT steady{n}"));
                assert_eq!((calls, series), (25, 25.0), "{name} {pause:?} {n}");
                let (calls, series) = query_counts(&harness, &format!("SELECT late{n}"));
                assert!(calls >= 7, "{name} {pause:?} {n}: {calls}");
                assert!(series >= 5.0, "{name} {pause:?} {n}: {series}");
            }
            assert_eq!(total_query_counts(&harness), (all, 0, all as f64), "{name}");
            assert!(harness.queries().len() <= 1001);
        }
    }
}

#[tokio::test]
async fn statements_that_run_once_do_not_fill_the_series() {
    let harness = Harness::new();
    for hour in 0..4 {
        for n in 0..2000 {
            run_statement(&harness, format!("SELECT a FROM once{hour}_{n}"));
        }
        let series = summaries_on_page(&harness);
        // With the driven clock, idle series stay on the page. Their summaries make room for others anyway.
        assert!(series <= 502 + 500 * (hour / 2), "{hour}: {series}");
        harness.advance(Duration::from_secs(3600));
    }
    // Each of them twice.
    for n in 0..4000 {
        run_statement(&harness, format!("SELECT a FROM twice{}", n / 2));
    }
    assert!(summaries_on_page(&harness) <= 1702);
    assert!(harness.metrics().capped().is_empty());
    let (calls, ..) = total_query_counts(&harness);
    assert_eq!(calls, 4 * 2000 + 4000);
}

#[tokio::test]
async fn totals_include_evicted_statements() {
    let harness = Harness::new();
    let db = harness.db(DbSystem::Postgresql).namespace("shop");
    // In progress while its entry is evicted, and cached on another thread.
    let held = db.query("SELECT a FROM held");
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let db = db.clone();
            std::thread::spawn(move || {
                for n in 0..5000 {
                    // Each statement runs on every thread, so that all caches contain entries that others evict.
                    let query = db.query(format!("SELECT a FROM s{}", n / 2));
                    match (n + thread) % 4 {
                        0 => query.fail(&fmt::Error),
                        _ => query.rows(1).finish(),
                    }
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    held.finish();
    assert_eq!(total_query_counts(&harness), (20_001, 5000, 20_001.0));
    let rows: u64 = harness.queries().iter().map(|row| row.rows).sum();
    assert_eq!(rows, 15_000);
    // An evicted statement that runs again gets an entry again, also on a thread that still has it in its cache.
    let before = query_counts(&harness, "SELECT held").0;
    for _ in 0..40 {
        run_statement(&harness, "SELECT a FROM held");
    }
    assert!(query_counts(&harness, "SELECT held").0 >= before + 20);
    assert_eq!(total_query_counts(&harness), (20_041, 5000, 20_041.0));
}

#[tokio::test]
async fn statements_that_run_regularly_outlast_floods_that_repeat() {
    // The clock advances by two hours, after which the worker may remove idle series from the page.
    let day = Duration::from_secs(24 * 60 * 60);
    let harness = Harness::with(|builder| builder.idle_after(day));
    let mut all = 0;
    for minute in 0..120 {
        run_statement(&harness, "SELECT a FROM minutely");
        all += 1;
        if minute % 30 == 0 {
            run_statement(&harness, "SELECT a FROM seldom");
            all += 1;
        }
        for n in 0..2000 {
            run_statement(&harness, format!("SELECT a FROM f{minute}_{}", n % 500));
            all += 1;
        }
        harness.advance(Duration::from_secs(60));
    }
    assert_eq!(query_counts(&harness, "SELECT minutely"), (120, 120.0));
    assert_eq!(total_query_counts(&harness), (all, 0, all as f64));
}

/// Model names from clients: the first ones have their own series, the page stays bounded, and the totals are exact.
#[tokio::test]
async fn names_of_models_are_bounded() {
    let harness = Harness::with(|builder| builder.console(false));
    let (first, second) = (harness.external("first"), harness.external("second"));
    let call = |of: &watchpost::external::External, operation: String, model: String| {
        let call = of.call("POST", "https://llm.example/");
        call.gen_ai(operation, model)
            .tokens(2, 3)
            .cost(0.5)
            .status(200)
            .finish();
    };
    for n in 0..FLOOD {
        call(&first, "chat".into(), format!("model-{n}"));
        call(&first, format!("operation-{n}"), "one".into());
    }
    // A service that comes later has room for its own.
    call(&second, "chat".into(), "real".into());
    let page = harness.page();
    let name = "gen_ai_client_operation_duration_seconds_count";
    let models: std::collections::BTreeSet<_> = page
        .samples(name, &[])
        .filter_map(|it| it.labels.get("gen_ai_request_model").cloned())
        .collect();
    assert_eq!(models.len(), 32 + 2, "{models:?}");
    assert!(models.contains("model-0") && models.contains("_OTHER") && models.contains("real"));
    assert_eq!(page.sum(name, &[]), (2 * FLOOD + 1) as f64);
    let tokens = [("gen_ai_token_type", "input")];
    let tokens = page.sum("gen_ai_client_token_usage_sum", &tokens);
    assert_eq!(tokens, (2 * (2 * FLOOD + 1)) as f64);
    let size = harness.metrics().render().len();
    assert!(size < MAX_GROWTH, "{size}");
    let used = harness.model_usage();
    assert!(used.len() <= 34, "{}", used.len());
    let calls: u64 = used.iter().map(|row| row.calls).sum();
    assert_eq!(calls, 2 * FLOOD as u64 + 1);
    let cost: f64 = used.iter().map(|row| row.cost).sum();
    assert!((cost - calls as f64 * 0.5).abs() < 1e-6, "{cost}");
}
