//! Each panic is captured once, also if a layer catches it. This is a process of its own, since it has one panic hook.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::routing::get;
use tower::ServiceExt;
use watchpost::errors::EventKind;
use watchpost::{Level, Monitor, RecordKind, ResultExt};

static BEFORE: AtomicUsize = AtomicUsize::new(0);

#[derive(Debug)]
struct PanicsWhenShown;

impl std::fmt::Display for PanicsWhenShown {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("while it was shown")
    }
}

impl std::error::Error for PanicsWhenShown {}

#[tokio::test]
async fn each_panic_is_captured_once() {
    // The host's own hook is still called.
    std::panic::set_hook(Box::new(|_| {
        BEFORE.fetch_add(1, Relaxed);
    }));
    let monitor = Monitor::builder("panics")
        .env(false)
        .console_to(std::io::sink())
        .install()
        .unwrap();
    let second = Monitor::builder("second")
        .env(false)
        .console(false)
        .install()
        .unwrap();
    assert!(
        second
            .report()
            .not_installed
            .iter()
            .any(|it| it.contains("capture_error"))
    );

    let handler = async || -> &'static str { panic!("row {} is broken", 4) };
    let routes = || Router::new().route("/panic", get(handler));
    let catching = tower_http::catch_panic::CatchPanicLayer::new;
    let apps = [
        routes().layer(monitor.layer()),
        routes().layer(catching()).layer(monitor.layer()),
        routes().layer(monitor.layer()).layer(catching()),
        routes()
            .layer(catching())
            .layer(monitor.layer())
            .layer(catching()),
    ];
    for app in apps {
        let request = Request::get("/panic").body(Body::empty()).unwrap();
        let call = tokio::spawn(app.oneshot(request));
        drop(call.await);
    }
    assert!(monitor.flush(Duration::from_secs(10)).await);
    let groups = monitor.error_groups();
    assert_eq!(groups.len(), 1, "{groups:?}");
    let group = &groups[0];
    assert_eq!((group.count, group.route.as_str()), (4, "/panic"));
    assert_eq!(group.message, "row 4 is broken");
    assert!(group.location.starts_with(file!()), "{}", group.location);
    let sample = group.sample.as_ref().unwrap();
    assert_eq!(
        (sample.kind, sample.level),
        (EventKind::Panic, Level::Fatal)
    );
    assert_eq!(sample.path, "/panic");
    assert_eq!(monitor.totals(RecordKind::Error).delivered(), 4);
    assert_eq!(second.totals(RecordKind::Error).emitted(), 0);

    // Outside of a request, with a payload that is no text, and during `Display` of an error.
    let thrown = std::thread::spawn(|| std::panic::panic_any(7_u8)).join();
    assert!(thrown.is_err());
    drop(catch_unwind(AssertUnwindSafe(|| {
        drop(Err::<(), _>(PanicsWhenShown).capture());
    })));
    assert!(monitor.flush(Duration::from_secs(10)).await);
    let messages: Vec<_> = monitor
        .error_groups()
        .into_iter()
        .map(|group| group.message)
        .collect();
    assert_eq!(messages.len(), 3, "{messages:?}");
    assert!(messages.contains(&"a panic whose payload is not a string".to_owned()));
    assert!(messages.contains(&"<panicked while it was formatted>".to_owned()));
    assert_eq!(BEFORE.load(Relaxed), 6);
    let report = monitor.shutdown(Duration::from_secs(5)).await;
    assert_eq!(report.totals(RecordKind::Error).delivered(), 6);
    // Later panics are counted.
    assert!(watchpost::capture_error(&std::fmt::Error).to_string().len() == 32);
}
