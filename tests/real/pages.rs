//! A host for the pages of the dashboard, with 200 routes, statements, calls, a pool, errors and log records. The browser of
//! `tests/real/browser` starts it.
//!
//! With `past`, it first lives through 24 hours under a driven clock: requests pass through the layer, and snapshots and
//! alert rules run as they do in any host. It was deployed anew 45 minutes before the end, and had an incident after that.

use std::io::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Method, Request, StatusCode, Uri};
use axum::response::IntoResponse;
use axum::routing::get;
use serde::Deserialize;
use serde_json::Value;
use tokio::net::TcpListener;
use tower::ServiceExt;
use tracing_subscriber::layer::SubscriberExt;
use watchpost::alerts::AlertsConfig;
use watchpost::anomaly::AnomalyConfig;
use watchpost::dashboard::DashboardConfig;
use watchpost::db::{ConnectionPool, Database, DbSystem, PoolState};
use watchpost::external::External;
use watchpost::history::HistoryConfig;
use watchpost::testing::Harness;
use watchpost::{Access, MonitorBuilder};

use crate::AnyError;

/// The resources. Each has four routes.
const NOUNS: [&str; 50] = [
    "orders", "items", "users", "carts", "payments", "invoices", "refunds", "coupons", "reviews",
    "ratings", "brands", "shelves", "stores", "stocks", "parcels", "labels", "drivers", "routes",
    "depots", "returns", "gifts", "wishes", "notes", "photos", "videos", "tags", "groups", "roles",
    "teams", "events", "tickets", "seats", "halls", "plans", "tariffs", "meters", "bills",
    "letters", "drafts", "articles", "authors", "topics", "polls", "votes", "badges", "levels",
    "quests", "prizes", "banners", "pages",
];
/// The route of the incident.
const STRICKEN: &str = "/api/orders/";

/// The time between two snapshots of the first version: a tenth of the work.
const SELDOM: Duration = Duration::from_secs(120);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// How long before the end the second version was deployed.
const DEPLOYED: Duration = Duration::from_secs(45 * 60);
/// When the incident began and ended, before the end.
const INCIDENT: (Duration, Duration) = (Duration::from_secs(38 * 60), Duration::from_secs(18 * 60));

/// What the browser's script sets.
struct Settings {
    has_past: bool,
    dir: PathBuf,
    listen: String,
    token: String,
    viewer: String,
}

impl Settings {
    fn from_environment() -> Option<Self> {
        let value = |name: &str| std::env::var(format!("WATCHPOST_REAL_PAGES_{name}")).ok();
        Some(Self {
            has_past: value("MODE")? == "past",
            dir: value("DIR")?.into(),
            listen: value("LISTEN").unwrap_or_else(|| "127.0.0.1:0".to_owned()),
            token: value("TOKEN").unwrap_or_default(),
            viewer: value("VIEWER").unwrap_or_default(),
        })
    }

    fn harness(&self, begin: Option<SystemTime>, version: &str, interval: Duration) -> Harness {
        let configure = |builder: MonitorBuilder| {
            let builder = builder
                .service_name("shop")
                .service_version(version)
                .service_environment("production")
                .data_dir(self.dir.join("watchpost"))
                .history(HistoryConfig::default().interval(interval))
                .dashboard(DashboardConfig::default().max_clients_per_address(64))
                .alerts(AlertsConfig::default())
                .anomaly(AnomalyConfig::default())
                .console(false);
            match (self.token.as_str(), self.viewer.as_str()) {
                ("", _) => builder,
                (token, "") => builder.access_token(token),
                (token, viewer) => builder.access_token(token).access_viewer_token(viewer),
            }
        };
        match begin {
            Some(begin) => Harness::starting_at(begin, configure),
            None => Harness::in_real_time(configure),
        }
    }
}

/// What the handlers use.
#[derive(Clone)]
struct Shop {
    harness: Arc<Harness>,
    orders: Database,
    stripe: External,
    pool: Arc<Pool>,
    /// Whether the clock is driven: a handler that takes long moves it.
    is_past: Arc<AtomicBool>,
}

#[derive(Default)]
struct Pool {
    used: AtomicU64,
}

impl ConnectionPool for Pool {
    fn state(&self) -> Option<PoolState> {
        let used = self.used.load(Relaxed).min(20);
        Some(PoolState::new(used, 20 - used).max(20))
    }
}

/// What a request asks for.
#[derive(Deserialize, Default)]
struct Wish {
    /// How long it takes.
    ms: Option<u64>,
    /// The text of the error with which it fails.
    fail: Option<String>,
}

impl Shop {
    fn new(harness: Harness) -> Self {
        let pool = Arc::new(Pool::default());
        // Recorded for as long as the pool exists.
        let _watch = harness.watch_pool("orders", &pool);
        harness
            .health()
            .check("catalogue", || async { Ok::<_, Error>(()) });
        Self {
            orders: harness.db(DbSystem::Postgresql).namespace("shop"),
            stripe: harness.external("stripe"),
            harness: Arc::new(harness),
            pool,
            is_past: Arc::default(),
        }
    }

    fn router(&self) -> Router {
        let mut router = Router::new();
        for noun in NOUNS {
            router = router
                .route(&format!("/api/{noun}"), get(handle).post(handle))
                .route(&format!("/api/{noun}/{{id}}"), get(handle).delete(handle));
        }
        let layer = self.harness.layer().user(|parts| {
            let user = parts.headers.get("x-user-id")?;
            Some(decoded(user.to_str().ok()?))
        });
        let layer = layer.route(|parts| {
            let route = parts.headers.get("x-route")?.to_str().ok()?;
            Some(decoded(route).into())
        });
        router
            .route("/ready", get(|| async { "ready" }))
            .fallback(axum::routing::post(hostile))
            .with_state(self.clone())
            .merge(self.harness.dashboard(Access::from_settings()))
            .layer(layer)
    }

    /// Lets some time pass.
    async fn spend(&self, ms: u64) {
        if self.is_past.load(Relaxed) {
            self.harness.advance(Duration::from_millis(ms));
        } else {
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
    }
}

/// Replaces `%41` by `A`: any text fits into a header that way.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, more @ ..] = rest {
        let hex = more.get(..2).filter(|_| *first == b'%');
        let byte = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &more[2..] } else { more };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Each resource: a query, for payments a call too.
async fn handle(
    State(shop): State<Shop>,
    method: Method,
    uri: Uri,
    id: Option<Path<u64>>,
    Query(wish): Query<Wish>,
) -> impl IntoResponse {
    let noun = uri.path().split('/').nth(2).unwrap_or_default().to_owned();
    let statement = match (&method, &id) {
        (&Method::POST, _) => format!("INSERT INTO {noun} (title) VALUES ($1)"),
        (&Method::DELETE, _) => format!("DELETE FROM {noun} WHERE id = $1"),
        (_, Some(_)) => format!("SELECT id, title FROM {noun} WHERE id = $1"),
        (_, None) => format!("SELECT id, title FROM {noun} ORDER BY id LIMIT 20"),
    };
    let ms = wish.ms.unwrap_or(4);
    shop.pool.used.fetch_add(1, Relaxed);
    let query = shop.orders.query(&statement);
    shop.spend(ms).await;
    let failure = wish.fail.map(Error::other);
    match &failure {
        None => query.rows(1).finish(),
        Some(error) => query.fail(error),
    }
    shop.pool.used.fetch_sub(1, Relaxed);
    if noun == "payments" {
        let call = shop
            .stripe
            .call("POST", "https://api.stripe.com/v1/charges");
        shop.spend(ms / 2).await;
        call.status(200).finish();
    }
    match failure {
        None => (StatusCode::OK, "{}"),
        Some(error) => {
            tracing::error!(table = %noun, "the query failed: {error}");
            shop.harness.capture_error(&error);
            (StatusCode::INTERNAL_SERVER_ERROR, "{}")
        }
    }
}

/// Puts texts of the request into every field that takes text.
async fn hostile(State(shop): State<Shop>, headers: HeaderMap, body: String) -> StatusCode {
    let Ok(texts) = serde_json::from_str::<Value>(&body) else {
        return StatusCode::NOT_FOUND;
    };
    let texts = &texts;
    let text = |name: &str| texts[name].as_str().unwrap_or_default().to_owned();
    let span = shop
        .harness
        .span(text("span"))
        .attr("text", text("attribute"))
        .attr(text("key"), "value");
    let guard_shop = shop.clone();
    span.run(async move {
        guard_shop.orders.query(text("sql")).rows(1).finish();
        guard_shop
            .stripe
            .call("GET", text("url"))
            .status(200)
            .finish();
        let agent = headers.get("user-agent").and_then(|it| it.to_str().ok());
        if let Some(log) = texts["log"].as_str() {
            tracing::warn!(agent, attribute = text("attribute"), "{log}");
        }
        if let Some(error) = texts["error"].as_str() {
            guard_shop.harness.capture_error(&Error::other(error));
        }
    })
    .await;
    if let Some(mark) = texts["mark"].as_str() {
        shop.harness.mark(mark);
    }
    StatusCode::INTERNAL_SERVER_ERROR
}

/// The visitors of the past. Their requests look random and are the same in each run.
struct Visitors {
    dice: u64,
    /// When the incident began and ended.
    incident: (SystemTime, SystemTime),
    tally: Tally,
}

/// What the visitors have counted.
#[derive(Default)]
struct Tally {
    requests: u64,
    failed: u64,
    /// Of `GET /api/orders/{id}`.
    stricken: u64,
    stricken_failed: u64,
}

impl Visitors {
    fn below(&mut self, limit: u64) -> u64 {
        self.dice = self
            .dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.dice >> 33) % limit
    }

    /// One request: some routes have more than others, and in the incident one has most.
    fn request(&mut self, at: SystemTime) -> (String, Method) {
        let is_incident = at >= self.incident.0 && at < self.incident.1;
        let rank = self.below(50).min(self.below(50)).min(self.below(50));
        let rank = if is_incident && self.below(2) == 0 {
            0
        } else {
            rank
        };
        let noun = NOUNS[usize::try_from(rank).unwrap_or_default()];
        let id = self.below(900);
        let (path, method) = match self.below(20) {
            0 => (format!("/api/{noun}"), Method::POST),
            1 => (format!("/api/{noun}/{id}"), Method::DELETE),
            2..=6 => (format!("/api/{noun}"), Method::GET),
            _ => (format!("/api/{noun}/{id}"), Method::GET),
        };
        let ms = 3 + self.below(30) + self.below(4) * self.below(20);
        self.tally.requests += 1;
        if !path.starts_with(STRICKEN) || method != Method::GET {
            return (format!("{path}?ms={ms}"), method);
        }
        self.tally.stricken += 1;
        if !is_incident {
            return (format!("{path}?ms={ms}"), method);
        }
        let ms = 500 + ms * 9;
        if self.below(3) > 0 {
            return (format!("{path}?ms={ms}"), method);
        }
        self.tally.failed += 1;
        self.tally.stricken_failed += 1;
        (
            format!("{path}?ms={ms}&fail=the%20connection%20was%20closed"),
            method,
        )
    }

    /// Lives through the time until `end` in steps. Takes a snapshot after each, and evaluates the alert rules after
    /// `every` so many.
    async fn live_until(
        &mut self,
        shop: &Shop,
        end: SystemTime,
        (step, every): (Duration, u64),
    ) -> Result<(), AnyError> {
        let service = shop.router();
        let mut steps = 0_u64;
        shop.is_past.store(true, Relaxed);
        while shop.harness.now() + step < end {
            let begin = shop.harness.now();
            // More by day than by night.
            let hour = begin.duration_since(SystemTime::UNIX_EPOCH)?.as_secs() % 86_400 / 3600;
            let busy = 3 + hour.min(24 - hour) / 4;
            for _ in 0..(busy + self.below(2)) * step.as_secs() / 10 {
                let (uri, method) = self.request(begin);
                let user = self.below(40).to_string();
                let request = Request::builder().method(method).uri(uri);
                let request = request.header("x-user-id", user).body(Body::empty())?;
                let response = service.clone().oneshot(request).await?;
                axum::body::to_bytes(response.into_body(), usize::MAX).await?;
            }
            if self.below(60) == 0 {
                tracing::info!("the cache of prices was renewed");
            }
            let passed = shop.harness.now().duration_since(begin)?;
            shop.harness.advance(step.saturating_sub(passed));
            shop.harness.read_system();
            shop.harness.snapshot();
            steps += 1;
            if steps.is_multiple_of(every) {
                shop.harness.evaluate_alerts();
            }
        }
        shop.is_past.store(false, Relaxed);
        Ok(())
    }
}

/// Serves the host if the environment asks for it.
pub(crate) async fn serve_if_asked() -> Option<Result<(), AnyError>> {
    Some(serve(Settings::from_environment()?).await)
}

async fn serve(settings: Settings) -> Result<(), AnyError> {
    let (shop, past) = if settings.has_past {
        with_past(&settings).await?
    } else {
        let interval = HistoryConfig::DEFAULT_INTERVAL;
        let shop = Shop::new(settings.harness(None, "2.19.0", interval));
        record_tracing(&shop)?;
        (shop, Tally::default())
    };
    let listener = TcpListener::bind(&settings.listen).await?;
    let Tally {
        requests,
        failed,
        stricken,
        stricken_failed,
    } = past;
    let past = serde_json::json!({
        "requests": requests,
        "failed": failed,
        "stricken": stricken,
        "stricken_failed": stricken_failed,
    });
    println!(
        "pages listen on http://{} after {past}",
        listener.local_addr()?
    );
    let app = shop.router();
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    Ok(axum::serve(listener, app).await?)
}

/// Events of the whole process go to the monitor from now on.
fn record_tracing(shop: &Shop) -> Result<(), AnyError> {
    let layer = shop.harness.tracing_layer();
    let subscriber = tracing_subscriber::registry().with(layer);
    Ok(tracing::subscriber::set_global_default(subscriber)?)
}

/// Lives through a day, its last part with another version, and lets the clock run.
async fn with_past(settings: &Settings) -> Result<(Shop, Tally), AnyError> {
    let end = SystemTime::now();
    let deployed = end - DEPLOYED;
    let mut visitors = Visitors {
        dice: 7,
        incident: (end - INCIDENT.0, end - INCIDENT.1),
        tally: Tally::default(),
    };
    let before = Shop::new(settings.harness(Some(end - DAY), "2.18.3", SELDOM));
    visitors.live_until(&before, deployed, (SELDOM, 5)).await?;
    before.harness.shutdown(Duration::from_secs(10)).await;
    drop(before);
    let interval = HistoryConfig::DEFAULT_INTERVAL;
    let shop = Shop::new(settings.harness(Some(deployed), "2.19.0", interval));
    record_tracing(&shop)?;
    visitors.live_until(&shop, end, (interval, 3)).await?;
    // All of this took a while, in which nobody visited.
    let mut behind = SystemTime::now()
        .duration_since(shop.harness.now())
        .unwrap_or_default();
    while behind > interval {
        shop.harness.advance(interval);
        shop.harness.snapshot();
        behind -= interval;
    }
    shop.harness.advance(behind);
    shop.harness.snapshot();
    shop.harness.run_clock();
    Ok((shop, visitors.tally))
}
