//! Findings of the doctor about a host's subscriber. They depend on what reaches the layer, not on the composition.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt as _;
use watchpost::{Global, GlobalState, Monitor, MonitorGuard};

use crate::cases::Case;
use crate::support::{Written, block_on, builder, records_of};

pub(crate) const CASES: [Case; 9] = [
    Case::new("findings_not_after_a_failed_init", failed_init),
    Case::new("findings_in_a_vec", || {
        composed(|layer| tracing_subscriber::registry().with(vec![layer]).init());
    }),
    Case::new("findings_in_a_vec_under_reload", || {
        composed(|layer| {
            let (layer, _handle) = reload::Layer::new(vec![layer.boxed()]);
            tracing_subscriber::registry().with(layer).init();
        });
    }),
    Case::new("findings_under_an_env_filter_and_reload", || {
        composed(|layer| {
            let (layer, _handle) = reload::Layer::new(layer);
            let filter = EnvFilter::new("warn,beside=info");
            tracing_subscriber::registry()
                .with(layer)
                .with(filter)
                .init();
        });
    }),
    Case::new("findings_with_a_filter_of_its_own", || {
        composed(|layer| {
            let layer = layer.with_filter(LevelFilter::INFO);
            tracing_subscriber::registry().with(layer).init();
        });
    }),
    Case::new("findings_filtered", || {
        composed(|layer| tracing_subscriber::registry().with(layer.filtered()).init());
    }),
    Case::new("findings_on_a_thread_alone", on_a_thread),
    Case::new("findings_sqlx_under_a_filter", sqlx_under_a_filter),
    Case::new("findings_sqlx_by_a_wrapped_pool", sqlx_wrapped),
];

fn about(monitor: &Monitor) -> Vec<&'static str> {
    monitor.doctor().iter().map(|it| it.about).collect()
}

fn has(monitor: &Monitor, about_it: &str) -> bool {
    about(monitor).contains(&about_it)
}

fn failed_init() {
    let (builder, written) = builder();
    let monitor = builder.build().unwrap();
    let host = Written::default();
    let fmt = tracing_subscriber::fmt().with_writer(host.clone());
    fmt.init();
    let late = tracing_subscriber::registry().with(monitor.tracing_layer());
    late.try_init().unwrap_err();
    assert!(has(&monitor, "subscriber"));
    tracing::info!("an event");
    assert_eq!(records_of(&monitor, &written, "an event").len(), 0);
    assert!(has(&monitor, "subscriber"));
    let report = monitor.install();
    assert_eq!(report.state(Global::Subscriber), Some(GlobalState::Missing));
    assert!(has(&monitor, "subscriber"));
    // The doctor emits no events.
    assert_eq!(host.text().lines().count(), 1, "{}", host.text());
}

/// Composes the layer with others and sets the subscriber: there is no finding before and after the first event.
fn composed(init: impl FnOnce(watchpost::logs::TracingLayer)) {
    let (builder, written) = builder();
    let monitor: MonitorGuard = builder.build().unwrap();
    assert!(has(&monitor, "subscriber"));
    init(monitor.tracing_layer());
    assert!(!has(&monitor, "subscriber"));
    let report = monitor.install();
    assert_eq!(report.state(Global::Subscriber), Some(GlobalState::InPlace));
    tracing::info!("an event");
    assert_eq!(records_of(&monitor, &written, "an event").len(), 1);
    assert!(!has(&monitor, "subscriber"));
}

fn on_a_thread() {
    let (builder, written) = builder();
    let monitor = builder.build().unwrap();
    let subscriber = tracing_subscriber::registry().with(monitor.tracing_layer());
    tracing::subscriber::with_default(subscriber, || {
        tracing::info!("an event");
    });
    assert_eq!(records_of(&monitor, &written, "an event").len(), 1);
    assert!(!has(&monitor, "subscriber"));
}

async fn run_query(pool: &sqlx::SqlitePool) {
    sqlx::query("SELECT 1").execute(pool).await.unwrap();
}

async fn pool() -> sqlx::SqlitePool {
    let options = sqlx::sqlite::SqlitePoolOptions::new().max_connections(1);
    options.connect("sqlite::memory:").await.unwrap()
}

fn calls(monitor: &Monitor) -> u64 {
    monitor.queries().iter().map(|it| it.calls).sum()
}

fn sqlx_under_a_filter() {
    let monitor = builder().0.build().unwrap();
    let (filter, handle) = reload::Layer::new(EnvFilter::new("info"));
    tracing_subscriber::registry()
        .with(filter)
        .with(monitor.tracing_layer())
        .init();
    block_on(async {
        let pool = pool().await;
        run_query(&pool).await;
        assert_eq!(calls(&monitor), 0);
        let all = monitor.doctor();
        let found: Vec<_> = all.iter().filter(|it| it.about == "sqlx").collect();
        assert_eq!(found.len(), 1, "{all:?}");
        let sentence = &found[0].sentence;
        assert!(sentence.contains("`sqlx::query=debug`"), "{sentence}");
        // As the finding recommends.
        handle
            .reload(EnvFilter::new("info,sqlx::query=debug"))
            .unwrap();
        assert!(!has(&monitor, "sqlx"));
        run_query(&pool).await;
        assert_eq!(calls(&monitor), 1);
        assert!(!has(&monitor, "sqlx"));
    });
}

fn sqlx_wrapped() {
    let monitor = builder().0.build().unwrap();
    tracing_subscriber::registry()
        .with(EnvFilter::new("info"))
        .with(monitor.tracing_layer())
        .init();
    block_on(async {
        let pool = monitor.db_pool(&pool().await);
        sqlx::query("SELECT 1").execute(&pool).await.unwrap();
        assert_eq!(calls(&monitor), 1);
        assert!(!has(&monitor, "sqlx"));
    });
}
