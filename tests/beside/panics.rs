//! Hosts with panic hooks of their own.

use std::panic::{
    AssertUnwindSafe, PanicHookInfo, catch_unwind, resume_unwind, set_hook, take_hook,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::Request;
use tower::ServiceExt as _;
use tower_http::catch_panic::CatchPanicLayer;
use watchpost::{EndpointLayer, Global, GlobalState, Monitor, MonitorGuard};

use crate::cases::Case;
use crate::support::{block_on, builder};

pub(crate) const CASES: [Case; 13] = [
    Case::new("panics_color_eyre_before_ours", color_eyre_before_ours),
    Case::new("panics_color_eyre_after_ours", color_eyre_after_ours),
    Case::new("panics_a_hook_that_chains_after_ours", chains_after_ours),
    Case::new("panics_a_hook_that_never_chains", never_chains),
    Case::new("panics_a_hook_between_two_of_ours", between_two_of_ours),
    Case::new("panics_that_other_threads_raise_again", raised_again),
    Case::new("panics_seen_by_layers_of_two_monitors", two_monitors),
    Case::new("panics_caught_inside_the_layer", caught_inside),
    Case::new("panics_through_two_requests", through_two_requests),
    Case::new("panics_a_hook_in_place_of_ours", in_place_of_ours),
    Case::new("panics_sentry_before_ours", sentry_before_ours),
    Case::new("panics_sentry_after_ours", sentry_after_ours),
    Case::new("panics_install_while_panicking", install_while_panicking),
];

/// Calls of the host's hook.
static HOST: AtomicUsize = AtomicUsize::new(0);

fn count(_: &PanicHookInfo<'_>) {
    HOST.fetch_add(1, Relaxed);
}

async fn panics() -> &'static str {
    panic!("a row is broken")
}

/// Panics on another thread, and again on this one.
async fn again() -> &'static str {
    let task = tokio::task::spawn_blocking(|| panic!("blocked"));
    match task.await {
        Ok(()) => "done",
        Err(error) => resume_unwind(error.into_panic()),
    }
}

fn request_path(layers: &[EndpointLayer], path: &str) {
    let mut app = Router::new()
        .route("/panics", get(panics))
        .route("/again", get(again));
    for layer in layers {
        app = app.layer(layer.clone());
    }
    let request = Request::get(path).body(Body::empty()).unwrap();
    let panicked = block_on(async { tokio::spawn(app.oneshot(request)).await });
    assert!(panicked.unwrap_err().is_panic());
}

fn captured(monitor: &Monitor) -> u64 {
    assert!(monitor.flush_blocking(Duration::from_secs(10)).unwrap());
    let errors = monitor.error_groups();
    errors.iter().map(|group| group.count).sum()
}

fn finding(monitor: &Monitor) -> Option<String> {
    let mut all = monitor.doctor().into_iter();
    all.find(|it| it.about == "panic hook")
        .map(|it| it.sentence)
}

fn color_eyre_before_ours() {
    color_eyre::install().unwrap();
    let monitor = builder().0.install().unwrap();
    for n in 1..4 {
        request_path(&[monitor.layer()], "/panics");
        assert_eq!((captured(&monitor), finding(&monitor)), (n, None));
    }
}

fn color_eyre_after_ours() {
    let monitor = builder().0.install().unwrap();
    request_path(&[monitor.layer()], "/panics");
    assert_eq!((captured(&monitor), finding(&monitor)), (1, None));
    color_eyre::install().unwrap();
    // There is no finding yet.
    assert_eq!(finding(&monitor), None);
    for n in 1..4 {
        request_path(&[monitor.layer()], "/panics");
        assert_eq!(captured(&monitor), 1);
        let sentence = finding(&monitor).unwrap();
        assert!(sentence.contains(&format!("({n} so far)")), "{sentence}");
        assert!(sentence.contains("color-eyre"), "{sentence}");
    }
    // As the finding recommends.
    let report = monitor.install();
    assert_eq!(
        report.state(Global::PanicHook),
        Some(GlobalState::Installed)
    );
    assert_eq!(finding(&monitor), None);
    request_path(&[monitor.layer()], "/panics");
    assert_eq!((captured(&monitor), finding(&monitor)), (2, None));
}

/// Like human-panic and most other crates.
fn chains_after_ours() {
    let monitor = builder().0.install().unwrap();
    let before = take_hook();
    set_hook(Box::new(move |info| {
        count(info);
        before(info);
    }));
    for n in 1..4 {
        request_path(&[monitor.layer()], "/panics");
        assert_eq!((captured(&monitor), finding(&monitor)), (n, None));
    }
    assert_eq!(HOST.load(Relaxed), 3);
    // The monitor's hook is set again in front of it, and captures once.
    let report = monitor.install();
    assert_eq!(
        report.state(Global::PanicHook),
        Some(GlobalState::Installed)
    );
    request_path(&[monitor.layer()], "/panics");
    assert_eq!((captured(&monitor), finding(&monitor)), (4, None));
    assert_eq!(HOST.load(Relaxed), 4);
    let report = monitor.install();
    let state = report.state(Global::PanicHook);
    assert_eq!(state, Some(GlobalState::AlreadyInstalled));
}

fn never_chains() {
    let monitor = builder().0.install().unwrap();
    set_hook(Box::new(count));
    request_path(&[monitor.layer()], "/panics");
    assert_eq!((captured(&monitor), HOST.load(Relaxed)), (0, 1));
    assert!(finding(&monitor).unwrap().contains("(1 so far)"));
    // The next monitor sets the hook again.
    monitor.shutdown_blocking(Duration::from_secs(5)).unwrap();
    drop(monitor);
    let next = builder().0.install().unwrap();
    assert_eq!(finding(&next), None);
    request_path(&[next.layer()], "/panics");
    assert_eq!((captured(&next), HOST.load(Relaxed)), (1, 2));
    assert_eq!(finding(&next), None);
}

fn between_two_of_ours() {
    let first = builder().0.install().unwrap();
    let before = take_hook();
    set_hook(Box::new(move |info| {
        count(info);
        before(info);
    }));
    let second = builder().0.install().unwrap();
    for monitor in [&first, &second] {
        request_path(&[monitor.layer()], "/panics");
        assert_eq!(captured(monitor), 1);
    }
    assert_eq!(HOST.load(Relaxed), 2);
}

fn raised_again() {
    let monitor = builder().0.install().unwrap();
    for n in 1..30 {
        request_path(&[monitor.layer()], "/again");
        assert_eq!((captured(&monitor), finding(&monitor)), (n, None));
    }
}

fn two_monitors() {
    let first = builder().0.install().unwrap();
    let second = builder().0.install().unwrap();
    for path in ["/panics", "/again"] {
        for _ in 0..20 {
            request_path(&[first.layer(), second.layer()], path);
        }
    }
    assert_eq!(finding(&first), None);
    assert_eq!(finding(&second), None);
    assert_eq!(captured(&first) + captured(&second), 40);
}

/// A handler sends a request to a router with the same monitor, which panics once.
fn through_two_requests() {
    let monitor = builder().0.install().unwrap();
    let inner = Router::new()
        .route("/panics", get(panics))
        .layer(monitor.layer());
    let outer = async move || {
        let request = Request::get("/panics").body(Body::empty()).unwrap();
        inner.oneshot(request).await.unwrap()
    };
    let app = Router::new()
        .route("/outer", get(outer))
        .layer(monitor.layer());
    for n in 1..4 {
        let request = Request::get("/outer").body(Body::empty()).unwrap();
        let app = app.clone();
        let panicked = block_on(async { tokio::spawn(app.oneshot(request)).await });
        assert!(panicked.unwrap_err().is_panic());
        assert_eq!((captured(&monitor), finding(&monitor)), (n, None));
    }
}

/// The monitor's hook is dropped, and one of the host's may have the same address.
fn in_place_of_ours() {
    let monitor = builder().0.install().unwrap();
    for n in 1..50_u64 {
        // As large as the monitor's hook, and allocated right after that is freed.
        let (one, two, three) = (Box::new(n), Box::new(n), Box::new(n));
        drop(take_hook());
        if n % 2 == 0 {
            set_hook(Box::new(move |info| {
                assert_eq!(one, two);
                count(info);
            }));
        } else {
            set_hook(Box::new(move |info| {
                assert_eq!((&one, &two), (&three, &two));
                count(info);
            }));
        }
        let report = monitor.install();
        let state = report.state(Global::PanicHook);
        assert_eq!(state, Some(GlobalState::Installed), "{n}");
        request_path(&[monitor.layer()], "/panics");
        assert_eq!((captured(&monitor), finding(&monitor)), (n, None));
    }
}

/// The layer sees no panic, and there is no finding.
fn caught_inside() {
    let monitor = builder().0.install().unwrap();
    for n in 1..30 {
        let app = Router::new()
            .route("/panics", get(panics))
            .layer(CatchPanicLayer::new())
            .layer(monitor.layer());
        let request = Request::get("/panics").body(Body::empty()).unwrap();
        let response = block_on(app.oneshot(request)).unwrap();
        assert_eq!(response.status(), 500);
        assert_eq!((captured(&monitor), finding(&monitor)), (n, None));
    }
}

/// Runs `work` with the host's Sentry and its panic integration; returns the events that it sends.
fn sentry() -> (sentry::ClientInitGuard, Arc<sentry::test::TestTransport>) {
    let transport = sentry::test::TestTransport::new();
    let options = sentry::ClientOptions::new()
        .dsn("https://key@sentry.invalid/1")
        .transport(Arc::clone(&transport));
    (sentry::init(options), transport)
}

fn sentry_before_ours() {
    let (_sentry, sent) = sentry();
    let monitor = builder().0.install().unwrap();
    request_path(&[monitor.layer()], "/panics");
    assert_eq!((captured(&monitor), finding(&monitor)), (1, None));
    assert_eq!(sent.fetch_and_clear_events().len(), 1);
}

fn sentry_after_ours() {
    let monitor = builder().0.install().unwrap();
    let (_sentry, sent) = sentry();
    for n in 1..3 {
        request_path(&[monitor.layer()], "/panics");
        assert_eq!((captured(&monitor), finding(&monitor)), (n, None));
        assert_eq!(sent.fetch_and_clear_events().len(), 1);
        monitor.install();
    }
}

/// The hook cannot be set during a panic; everything else is installed, and a second call sets it.
fn install_while_panicking() {
    struct Installs(MonitorGuard);

    impl Drop for Installs {
        fn drop(&mut self) {
            let report = self.0.install();
            assert_eq!(report.state(Global::PanicHook), Some(GlobalState::Missing));
            assert_eq!(report.missing().count(), 1);
        }
    }

    let monitor = builder().0.build().unwrap();
    let handle = Monitor::clone(&monitor);
    let panicking = catch_unwind(AssertUnwindSafe(move || {
        let _installs = Installs(monitor);
        panic!("while it is not installed");
    }));
    assert!(panicking.is_err());
    assert_eq!(captured(&handle), 0);
    let report = handle.install();
    let state = report.state(Global::PanicHook);
    assert_eq!(state, Some(GlobalState::Installed));
    request_path(&[handle.layer()], "/panics");
    assert_eq!((captured(&handle), finding(&handle)), (1, None));
}
