//! Each default alert rule fires and is resolved once in a whole monitor: the test causes what the rule watches for.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Response;
use watchpost::alerts::{
    AlertState, Bound, Channel, DeliveryError, DeliveryFuture, MissingData, Notification, Rule,
};
use watchpost::db::{ConnectionPool, PoolState};
use watchpost::errors::ErrorResolution;
use watchpost::history::MetricQuery;
use watchpost::testing::Harness;

use crate::support::{get_request, respond, with_mounts};

/// The interval of the evaluations.
const STEP: Duration = Duration::from_secs(30);
/// The most evaluations until a rule has fired, or its alert has ended.
const MAX_STEPS: u32 = 200;
/// The most real time that a test waits for a thread.
const PATIENCE: Duration = Duration::from_secs(60);

/// Makes a test of each rule, which calls the function in this file with the name of the rule.
macro_rules! rules {
    ($($name:literal => $test:ident),* $(,)?) => {
        /// The rules that have a test.
        const TESTED: &[&str] = &[$($name),*];

        mod fires_and_resolves {
            $(#[test]
            fn $test() {
                super::$test($name);
            })*
        }
    };
}

rules! {
    "high-error-rate" => high_error_rate,
    "slow-response" => slow_response,
    "no-traffic" => no_traffic,
    "memory-leak" => memory_leak,
    "database-connection-pool" => database_connection_pool,
    "slow-connections" => slow_connections,
    "api-rate-limit" => api_rate_limit,
    "disk-full" => disk_full,
    "blocked-runtime" => blocked_runtime,
    "error-spike" => error_spike,
    "new-error" => new_error,
    "regressed-error" => regressed_error,
    "missed-job" => missed_job,
    "failing-channel" => failing_channel,
    "dropped-records" => dropped_records,
}

#[test]
fn each_default_rule_has_a_test() {
    let rules = Harness::new().alerts().rules();
    let names: BTreeSet<_> = rules.iter().map(Rule::name).collect();
    let tested: BTreeSet<_> = TESTED.iter().copied().collect();
    assert_eq!(names, tested);
}

/// A monitor, and what its hook hears of the alerts of one rule.
struct WatchedRule {
    name: &'static str,
    harness: Harness,
    heard: Arc<Mutex<Vec<(AlertState, Option<&'static str>)>>>,
}

impl WatchedRule {
    fn new(name: &'static str, harness: Harness) -> Self {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let to = Arc::clone(&heard);
        let hook = move |event: &watchpost::alerts::AlertEvent| {
            let state = event.alert.state;
            let is_pending = matches!(state, AlertState::Pending | AlertState::Inactive);
            if event.alert.rule == name && !is_pending {
                let reason = event
                    .notification
                    .map(watchpost::alerts::NotificationReason::as_str);
                to.lock().unwrap().push((state, reason));
            }
        };
        harness.on_alert(hook).detach();
        Self {
            name,
            harness,
            heard,
        }
    }

    /// Evaluates the rules after the next interval.
    fn step(&self) {
        self.harness.advance(STEP);
        self.harness.snapshot();
        self.harness.evaluate_alerts();
    }

    /// The states and the summaries of the rule's alerts.
    fn alerts(&self) -> Vec<(AlertState, String)> {
        let alerts = self.harness.alerts().list().into_iter();
        let of_rule = alerts.filter(|alert| alert.rule == self.name);
        let shown = of_rule.map(|alert| {
            let mut annotations = alert.annotations.into_iter();
            let summary = annotations.find(|(name, _)| name == "summary");
            (alert.state, summary.unwrap().1)
        });
        shown.collect()
    }

    /// Evaluates the rules some times while nothing is wrong. `each` runs before each evaluation.
    fn stays_silent(&self, mut each: impl FnMut(&Harness)) {
        for _ in 0..4 {
            each(&self.harness);
            self.step();
        }
        assert_eq!(self.alerts(), []);
    }

    /// Evaluates the rules until an alert fires. Its summary has to contain `summary`.
    fn fires(&self, summary: &str, mut each: impl FnMut(&Harness)) {
        let text = self.reaches(AlertState::Firing, &mut each);
        assert!(text.contains(summary), "{text}");
    }

    /// Evaluates the rules until the alert has ended, and some times more. It has fired once, and both was announced.
    fn is_resolved(&self, mut each: impl FnMut(&Harness)) {
        self.reaches(AlertState::Resolved, &mut each);
        for _ in 0..20 {
            each(&self.harness);
            self.step();
        }
        let mut heard = self.heard.lock().unwrap().clone();
        heard.retain(|event| *event != (AlertState::Recovering, None));
        let expected = [
            (AlertState::Firing, Some("first")),
            (AlertState::Resolved, Some("resolved")),
        ];
        assert_eq!(heard, expected);
        assert!(self.harness.alerts().failures().is_empty());
    }

    /// Evaluates the rules until there is an alert in this state, and returns its summary.
    fn reaches(&self, wanted: AlertState, each: &mut impl FnMut(&Harness)) -> String {
        for _ in 0..MAX_STEPS {
            each(&self.harness);
            self.step();
            let mut alerts = self.alerts().into_iter();
            if let Some((_, summary)) = alerts.find(|(state, _)| *state == wanted) {
                return summary;
            }
        }
        let (alerts, page) = (self.alerts(), self.harness.metrics().render());
        panic!("no alert is {wanted} but {alerts:?}\n{page}");
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(future)
}

/// Requests that get this status after a time, one after the other.
fn requests(harness: &Harness, count: usize, status: u16, time: Duration) {
    use tower::{Layer, ServiceExt};
    for _ in 0..count {
        let service = tower::service_fn(|_| async {
            harness.advance(time);
            let response = Response::builder().status(status).body(Body::empty());
            Ok::<_, std::convert::Infallible>(response.unwrap())
        });
        let response = harness.layer().layer(service).oneshot(get_request("/"));
        let body = block_on(response).unwrap().into_body();
        block_on(http_body_util::BodyExt::collect(body)).unwrap();
    }
}

/// Waits until a counter of the page has a value.
fn await_count(harness: &Harness, name: &str, labels: &[(&str, &str)], count: f64) {
    let begun = Instant::now();
    while harness.page().sum(name, labels) < count {
        assert!(begun.elapsed() < PATIENCE, "{name} {labels:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn high_error_rate(name: &'static str) {
    let rule = WatchedRule::new(name, Harness::new());
    let ok = |harness: &Harness| requests(harness, 10, 200, Duration::ZERO);
    rule.stays_silent(ok);
    rule.fires("of the requests of five minutes failed", |harness| {
        ok(harness);
        requests(harness, 5, 500, Duration::ZERO);
    });
    rule.is_resolved(ok);
}

fn slow_response(name: &'static str) {
    let rule = WatchedRule::new(name, Harness::new());
    let fast = |harness: &Harness| requests(harness, 5, 200, Duration::from_millis(10));
    rule.stays_silent(fast);
    rule.fires(
        "The slowest 5 % of the responses take more than 1.9",
        |harness| {
            requests(harness, 5, 200, Duration::from_secs(2));
        },
    );
    rule.is_resolved(fast);
}

fn no_traffic(name: &'static str) {
    let rule = WatchedRule::new(name, Harness::new());
    let some = |harness: &Harness| requests(harness, 30, 200, Duration::ZERO);
    rule.stays_silent(some);
    rule.fires("There was no request for ten minutes", |_| {});
    rule.is_resolved(some);
}

/// A pool of ten connections, with so many in use.
struct Pool(AtomicU64);

impl ConnectionPool for Pool {
    fn state(&self) -> Option<PoolState> {
        let used = self.0.load(Relaxed);
        Some(PoolState::new(used, 10 - used).max(10))
    }
}

fn database_connection_pool(name: &'static str) {
    let rule = WatchedRule::new(name, Harness::new());
    let pool = Arc::new(Pool(AtomicU64::new(2)));
    let _watch = rule.harness.watch_pool("orders", &pool);
    rule.stays_silent(|_| {});
    pool.0.store(9, Relaxed);
    rule.fires("90% of the connections of the pool orders", |_| {});
    pool.0.store(8, Relaxed);
    rule.is_resolved(|_| {});
}

fn slow_connections(name: &'static str) {
    let rule = WatchedRule::new(name, Harness::new());
    let pool = Arc::new(Pool(AtomicU64::new(2)));
    let watch = rule.harness.watch_pool("orders", &pool);
    let wait = |harness: &Harness, time: Duration| {
        for _ in 0..5 {
            let connection = watch.acquire(async {
                harness.advance(time);
                Ok::<_, io::Error>(())
            });
            block_on(connection).unwrap();
        }
    };
    rule.stays_silent(|harness| wait(harness, Duration::from_millis(10)));
    rule.fires("for a connection of the pool orders", |harness| {
        wait(harness, Duration::from_secs(2));
    });
    rule.is_resolved(|harness| wait(harness, Duration::from_millis(10)));
}

fn api_rate_limit(name: &'static str) {
    let rule = WatchedRule::new(name, Harness::new());
    // A call whose response has the headers of a limit of 100 an hour.
    let call = |harness: &Harness, remaining: u32| {
        let mut headers = http::HeaderMap::new();
        let mut set = |name: &'static str, value: u32| headers.insert(name, value.into());
        set("x-ratelimit-limit", 100);
        set("x-ratelimit-remaining", remaining);
        set("x-ratelimit-reset", 3600);
        let payments = harness.external("payments");
        let call = payments.call("GET", "https://payments.test/v1").status(200);
        call.headers(&headers).finish();
    };
    rule.stays_silent(|harness| call(harness, 80));
    rule.fires("of payments is used", |harness| call(harness, 20));
    rule.is_resolved(|harness| call(harness, 90));
}

/// The process sees a file of the test in place of `/proc/meminfo`, and no control groups.
fn memory_leak(name: &'static str) {
    const MOUNTS: &str = r#"echo > "$1/meminfo" && mount --bind "$1/meminfo" /proc/meminfo &&
{ [ ! -d /sys/fs/cgroup ] || mount -t tmpfs tmpfs /sys/fs/cgroup; }"#;
    const TOTAL: f64 = 16e6;
    let test = "default_rules::fires_and_resolves::memory_leak";
    with_mounts(test, MOUNTS, "memory: ", |directory| {
        let use_memory = |share: f64| {
            let available = (TOTAL * (1.0 - share)).round();
            let text = format!("MemTotal: {TOTAL} kB\nMemAvailable: {available} kB\n");
            fs::write(directory.join("meminfo"), text).unwrap();
        };
        use_memory(0.5);
        let rule = WatchedRule::new(name, Harness::new());
        rule.stays_silent(|_| {});
        let shown = rule.harness.page();
        let shown = shown.sum("system_memory_utilization_ratio", &[]);
        assert!((shown - 0.5).abs() < 1e-6, "{shown}");
        let mut share = 0.82;
        rule.fires("More than 80 % of the memory is in use", |_| {
            share += 0.001;
            use_memory(share);
        });
        // Without a rise there is no leak, however much is in use.
        rule.is_resolved(|_| {});
    });
}

/// The data directory is on a disk of its own.
fn disk_full(name: &'static str) {
    const MOUNTS: &str = r#"mount -t tmpfs -o size=64m tmpfs "$1""#;
    let test = "default_rules::fires_and_resolves::disk_full";
    with_mounts(test, MOUNTS, "disk: ", |disk: &Path| {
        let data = disk.join("data");
        let rule = WatchedRule::new(name, Harness::with(|builder| builder.data_dir(&data)));
        let read = |harness: &Harness| drop(harness.read_system());
        rule.stays_silent(read);
        let other = disk.join("other");
        fs::write(&other, vec![0; 60 << 20]).unwrap();
        rule.fires("The disk of the data directory is", read);
        fs::remove_file(&other).unwrap();
        rule.is_resolved(read);
    });
}

fn blocked_runtime(name: &'static str) {
    let rule = WatchedRule::new(name, Harness::new());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .event_interval(8)
        .build()
        .unwrap();
    rule.harness
        .metrics()
        .watch_runtime("main", runtime.handle());
    // Measures until the share of the time in which the runtime works is as expected. The runtime notes its time after eight
    // polls of a millisecond, so what a measurement misses is the time for which another process had the processor.
    let measure = |harness: &Harness, is_busy: bool| {
        let begun = Instant::now();
        loop {
            std::thread::sleep(Duration::from_secs(1));
            harness.read_system();
            let ratio = harness.page().sum("tokio_busy_ratio", &[]);
            if (ratio > 0.95) == is_busy {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{ratio}");
        }
    };
    rule.stays_silent(|harness| measure(harness, false));
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    // Works for a millisecond in each poll. It wakes itself: after `yield_now`, the runtime would park first.
    let busy = runtime.spawn(std::future::poll_fn(move |context| {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(1) {
            std::hint::spin_loop();
        }
        if stopped.load(Relaxed) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }));
    rule.fires("The threads of the runtime main are busy", |harness| {
        measure(harness, true);
    });
    stop.store(true, Relaxed);
    runtime.block_on(busy).unwrap();
    measure(&rule.harness, false);
    rule.is_resolved(|harness| drop(harness.read_system()));
}

fn capture(harness: &Harness, count: usize) {
    let error = io::Error::other("the card was refused");
    for _ in 0..count {
        harness.error_capture(&error).fingerprint("card").capture();
    }
    assert!(harness.flush_blocking(PATIENCE).unwrap());
}

fn error_spike(name: &'static str) {
    let rule = WatchedRule::new(name, Harness::new());
    // Few errors are no spike.
    rule.stays_silent(|harness| capture(harness, 1));
    capture(&rule.harness, 20);
    rule.fires("of an hour occurred within five minutes", |_| {});
    rule.is_resolved(|_| {});
}

fn new_error(name: &'static str) {
    let rule = WatchedRule::new(name, Harness::new());
    rule.stays_silent(|_| {});
    capture(&rule.harness, 1);
    let pattern = [("pattern", "new")];
    await_count(
        &rule.harness,
        "watchpost_error_patterns_total",
        &pattern,
        1.0,
    );
    rule.fires(
        "Errors within five minutes that were never seen before: 1",
        |_| {},
    );
    // It is not new any more.
    capture(&rule.harness, 1);
    rule.is_resolved(|_| {});
}

fn regressed_error(name: &'static str) {
    let rule = WatchedRule::new(name, Harness::new());
    rule.stays_silent(|harness| capture(harness, 1));
    let number = rule.harness.error_groups()[0].number;
    let errors = rule.harness.errors();
    errors.resolve(number, ErrorResolution::Now).unwrap();
    // A resolved error that occurs again at the same instant may have occurred before.
    rule.step();
    capture(&rule.harness, 1);
    let pattern = [("pattern", "regression")];
    await_count(
        &rule.harness,
        "watchpost_error_patterns_total",
        &pattern,
        1.0,
    );
    rule.fires(
        "Resolved errors that occurred again within five minutes: 1",
        |_| {},
    );
    rule.is_resolved(|_| {});
}

fn missed_job(name: &'static str) {
    let rule = WatchedRule::new(name, Harness::new());
    let job = rule.harness.job("nightly", 3 * STEP).unwrap();
    rule.stays_silent(|_| job.succeeded());
    rule.fires("The job nightly should have succeeded 30s ago", |_| {});
    rule.is_resolved(|_| job.succeeded());
}

/// A channel whose receiver is down for a time.
struct Unreliable(Arc<AtomicBool>);

impl Channel for Unreliable {
    fn name(&self) -> &'static str {
        "pager"
    }

    fn deliver<'a>(&'a self, _: &'a Notification) -> DeliveryFuture<'a> {
        let is_down = self.0.load(Relaxed);
        Box::pin(async move {
            if is_down {
                return Err(DeliveryError::retry("no connection"));
            }
            Ok(())
        })
    }
}

fn failing_channel(name: &'static str) {
    let rule = WatchedRule::new(name, Harness::new());
    let is_down = Arc::new(AtomicBool::new(false));
    let channel = Unreliable(Arc::clone(&is_down));
    rule.harness.alerts().add_channel(channel).unwrap();
    // An alert that is announced.
    let hot = Rule::threshold("hot", MetricQuery::last("heat").total(), Bound::above(30.0));
    let hot = hot.missing_data(MissingData::Resolve);
    rule.harness.alerts().add_rule(hot).unwrap();
    let heat = rule.harness.metrics().gauge("heat").build();
    let deliver = |harness: &Harness| {
        harness.deliver_notifications();
    };
    heat.set(20.0);
    rule.stays_silent(deliver);
    is_down.store(true, Relaxed);
    heat.set(40.0);
    rule.fires("No notification has reached the channel pager", deliver);
    is_down.store(false, Relaxed);
    rule.is_resolved(deliver);
}

/// A console that panics once.
struct PanicsOnce(Arc<AtomicBool>);

impl Write for PanicsOnce {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.swap(false, Relaxed) {
            std::panic::resume_unwind(Box::new("a planned panic"));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn dropped_records(name: &'static str) {
    let panics = Arc::new(AtomicBool::new(false));
    let console = PanicsOnce(Arc::clone(&panics));
    let harness = Harness::with(|builder| builder.console_to(console));
    let rule = WatchedRule::new(name, harness);
    let request = |harness: &Harness| {
        let response = Response::new(Body::empty());
        block_on(respond(&harness.layer(), get_request("/"), response));
        assert!(harness.flush_blocking(PATIENCE).unwrap());
    };
    rule.stays_silent(request);
    panics.store(true, Relaxed);
    request(&rule.harness);
    let dropped = "watchpost_records_dropped_total";
    await_count(&rule.harness, dropped, &[("reason", "panic")], 1.0);
    rule.fires("that the monitor dropped in five minutes: 1", |_| {});
    rule.is_resolved(request);
}
