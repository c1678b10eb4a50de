//! Every function may be called in the destructor of a thread local: a panic there would end the process. This is a
//! process of its own, since it observes the panic hook.

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tower::{Service, ServiceExt};
use watchpost::db::DbSystem;
use watchpost::{Monitor, RecordKind};

static PANICS: AtomicUsize = AtomicUsize::new(0);
static ENDED: AtomicUsize = AtomicUsize::new(0);

type Work = Box<dyn FnOnce()>;

struct OnDrop(Option<Work>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        if let Some(work) = self.0.take() {
            work();
            ENDED.fetch_add(1, Relaxed);
        }
    }
}

thread_local! {
    static HOST: RefCell<Option<OnDrop>> = const { RefCell::new(None) };
}

fn at_the_end(work: Work) {
    HOST.with(|host| *host.borrow_mut() = Some(OnDrop(Some(work))));
}

/// The calls in the destructor.
fn works(monitor: &Monitor) -> Vec<(&'static str, Work)> {
    fn of(monitor: &Monitor, run: impl FnOnce(Monitor) + 'static) -> Work {
        let monitor = monitor.clone();
        Box::new(move || run(monitor))
    }
    // Begun while the thread runs, ended in the destructor.
    let (trace, query) = (
        monitor.span("begun"),
        monitor.db(DbSystem::Sqlite).query("SELECT 1"),
    );
    let call = monitor.external("begun").call("GET", "http://h/");
    let polled = watchpost::in_current_trace(async { 7 });
    vec![
        ("trace", of(monitor, |m| m.span("x").in_scope(|| ()))),
        (
            "run",
            of(monitor, |m| {
                futures_util::FutureExt::now_or_never(m.span("x").run(async {}));
            }),
        ),
        (
            "nested traces and a capture",
            of(monitor, |m| {
                m.span("x")
                    .in_scope(|| m.span("y").in_scope(|| m.capture_error(&std::fmt::Error)));
            }),
        ),
        (
            "capture",
            of(monitor, |m| {
                m.capture_error(&std::fmt::Error);
                watchpost::capture_error(&std::fmt::Error);
            }),
        ),
        (
            "query",
            of(monitor, |m| {
                m.db(DbSystem::Sqlite).query("SELECT 1").finish();
            }),
        ),
        (
            "call and its headers",
            of(monitor, |m| {
                let mut headers = http::HeaderMap::new();
                let call = m.external("pay").call("GET", "http://h/");
                call.inject(&mut headers);
                call.status(200).finish();
            }),
        ),
        (
            "request",
            of(monitor, |m| {
                let response = async |_: http::Request<String>| {
                    Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
                };
                let mut service = tower::ServiceBuilder::new()
                    .layer(m.layer())
                    .service(tower::service_fn(response));
                let called = async { service.ready().await?.call(http::Request::default()).await };
                drop(futures_util::FutureExt::now_or_never(called));
            }),
        ),
        (
            "in_current_trace",
            of(monitor, |_| {
                futures_util::FutureExt::now_or_never(watchpost::in_current_trace(async {}));
            }),
        ),
        (
            "begun before",
            Box::new(move || {
                trace.in_scope(|| ());
                query.finish();
                call.status(200).finish();
                futures_util::FutureExt::now_or_never(polled);
            }),
        ),
        (
            "reads",
            of(monitor, |m| {
                m.metrics().render();
                m.doctor();
                m.error_groups();
                m.recent_traces();
            }),
        ),
    ]
}

#[test]
fn nothing_panics_in_a_destructor_of_a_thread_local() {
    let monitor = Monitor::builder("ends")
        .env(false)
        .console_to(std::io::sink())
        .install()
        .unwrap();
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        PANICS.fetch_add(1, Relaxed);
        before(info);
    }));
    let count = works(&monitor).len();
    let mut ran = 0;
    for n in 0..count {
        for order in ["first", "last", "alone", "in a span"] {
            let monitor = Monitor::clone(&monitor);
            let thread = std::thread::spawn(move || {
                let (name, work) = works(&monitor).remove(n);
                let mut work = Some(work);
                if order == "first" {
                    work.take().into_iter().for_each(at_the_end);
                }
                if order != "alone" {
                    monitor.span("warm").in_scope(|| {
                        monitor.capture_error(&std::fmt::Error);
                        tracing::info_span!("warm").in_scope(|| tracing::info!("warm"));
                    });
                }
                if order == "in a span" {
                    // Never exited: the span is closed at the end of the thread.
                    Box::leak(Box::new(tracing::info_span!("left").entered()));
                }
                work.take().into_iter().for_each(at_the_end);
                name
            });
            let name = thread.join().unwrap();
            ran += 1;
            assert_eq!(ENDED.load(Relaxed), ran, "{name}, {order}");
            assert_eq!(PANICS.load(Relaxed), 0, "{name}, {order}");
        }
    }
    let flushed = monitor.flush_blocking(std::time::Duration::from_secs(10));
    assert!(flushed.unwrap());
    assert!(monitor.totals(RecordKind::Error).emitted() > 0);
}
