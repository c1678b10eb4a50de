use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;

use super::super::test_support::{Fixture, get, send, until};
use super::*;
use crate::access::Access;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// The output of the check of this name, once it has failed.
fn failing(fixture: &Fixture, name: &str) -> String {
    let page = fixture.health.details(Access::open_to_anyone());
    let output = || -> Option<String> {
        let json: serde_json::Value = serde_json::from_str(&get(&page).1).unwrap();
        let entry = &json["checks"][name][0];
        (entry["status"] == "fail").then(|| entry["output"].as_str().unwrap().to_owned())
    };
    until("the check fails", || output().is_some());
    output().unwrap()
}

#[test]
fn the_first_success_makes_ready_and_an_endpoint_runs_no_check() {
    let fixture = Fixture::new();
    assert_eq!(fixture.ready(), "ok");
    let runs = Arc::new(AtomicUsize::new(0));
    let gate = Arc::new(Notify::new());
    let (counted, held) = (Arc::clone(&runs), Arc::clone(&gate));
    fixture
        .health
        .check("database", move || {
            counted.fetch_add(1, SeqCst);
            let held = Arc::clone(&held);
            async move {
                held.notified().await;
                Ok::<(), String>(())
            }
        })
        .interval(Duration::from_secs(3600));
    until("it runs", || runs.load(SeqCst) == 1);
    for _ in 0..100 {
        assert_eq!(get(&fixture.health.readyz()), (503, "starting".to_owned()));
        assert_eq!(get(&fixture.health.livez()), (200, "ok".to_owned()));
    }
    gate.notify_one();
    fixture.wait_ready("ok");
    for _ in 0..100 {
        assert_eq!(get(&fixture.health.readyz()), (200, "ok".to_owned()));
    }
    assert_eq!(runs.load(SeqCst), 1);
}

#[test]
fn errors_bring_a_check_down_and_successes_up_again() {
    let fixture = Fixture::new();
    let good = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&good);
    fixture.health.check("database", move || {
        let good = asked.load(SeqCst);
        async move {
            // Timers and sockets work here.
            tokio::time::sleep(ms(1)).await;
            if good {
                Ok(())
            } else {
                Err("connection refused")
            }
        }
    });
    for _ in 0..3 {
        fixture.wait_ready("ok");
        good.store(false, SeqCst);
        fixture.wait_ready("not ready");
        assert_eq!(failing(&fixture, "database"), "connection refused");
        good.store(true, SeqCst);
    }
    fixture.wait_ready("ok");
}

#[test]
fn a_check_that_is_not_critical_leaves_the_service_ready() {
    let fixture = Fixture::new();
    fixture
        .health
        .check("mail", || async { Err::<(), _>("no relay") })
        .critical(false);
    assert_eq!(failing(&fixture, "mail"), "no relay");
    assert_eq!(fixture.ready(), "ok");
    let page = fixture.health.details(Access::token("changeme"));
    assert_eq!(get(&page), (200, r#"{"status":"warn"}"#.to_owned()));
}

struct PanicsInDisplay;

impl fmt::Display for PanicsInDisplay {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("in display")
    }
}

#[test]
fn a_panic_anywhere_in_a_check_is_a_failure() {
    let fixture = Fixture::new();
    let refuse = |message: &str| -> std::future::Ready<Result<(), String>> { panic!("{message}") };
    fixture.health.check("at once", move || refuse("before"));
    fixture.health.check("inside", || async {
        tokio::task::yield_now().await;
        assert_eq!(1 + 1, 3, "within");
        Ok::<(), String>(())
    });
    fixture
        .health
        .check("display", || async { Err::<(), _>(PanicsInDisplay) });
    fixture.health.check("other", || async {
        if true {
            std::panic::panic_any(7);
        }
        Ok::<(), String>(())
    });
    for (name, output) in [
        ("at once", "panicked: before"),
        (
            "inside",
            "panicked: assertion `left == right` failed: within\n  left: 2\n right: 3",
        ),
        ("display", "panicked: in display"),
        ("other", "panicked"),
    ] {
        assert_eq!(failing(&fixture, name), output);
    }
    assert_eq!(fixture.ready(), "not ready");
}

#[test]
fn a_future_that_hangs_is_dropped_and_counts_as_a_failure() {
    struct Alive(Arc<AtomicUsize>);
    impl Drop for Alive {
        fn drop(&mut self) {
            self.0.fetch_sub(1, SeqCst);
        }
    }
    let fixture = Fixture::new();
    let alive = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&alive);
    fixture
        .health
        .check("queue", move || {
            assert_eq!(counted.fetch_add(1, SeqCst), 0, "two at once");
            let alive = Alive(Arc::clone(&counted));
            async move {
                let _alive = alive;
                pending::<Result<(), String>>().await
            }
        })
        .timeout(ms(20));
    let output = failing(&fixture, "queue");
    assert!(output.starts_with("no response "), "{output}");
    fixture.health.stop();
    until("the last future is dropped", || alive.load(SeqCst) == 0);
}

#[test]
fn a_check_that_blocks_its_thread_delays_no_other_and_runs_once() {
    let fixture = Fixture::new();
    let (release, blocked) = mpsc::channel::<()>();
    let (blocked, runs) = (Arc::new(Mutex::new(blocked)), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&runs);
    fixture
        .health
        .check("disk", move || {
            counted.fetch_add(1, SeqCst);
            let blocked = Arc::clone(&blocked);
            async move {
                let _ended = blocked.lock().unwrap().recv();
                Ok::<(), String>(())
            }
        })
        .timeout(ms(20));
    let beside = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&beside);
    fixture.health.check("beside", move || {
        counted.fetch_add(1, SeqCst);
        async { Ok::<(), String>(()) }
    });
    let output = failing(&fixture, "disk");
    assert!(
        output.ends_with("still running, so not started again"),
        "{output}"
    );
    assert_eq!(runs.load(SeqCst), 1);
    let before = beside.load(SeqCst);
    until("the other goes on", || beside.load(SeqCst) > before + 3);
    assert_eq!(
        (runs.load(SeqCst), fixture.ready()),
        (1, "not ready".to_owned())
    );
    drop(release);
    fixture.wait_ready("ok");
}

#[test]
fn many_blocked_checks_delay_no_other() {
    let fixture = Fixture::new();
    let (release, blocked) = mpsc::channel::<()>();
    let blocked = Arc::new(Mutex::new(blocked));
    for _ in 0..50 {
        let blocked = Arc::clone(&blocked);
        fixture
            .health
            .check("stuck", move || {
                let blocked = Arc::clone(&blocked);
                async move {
                    let _ended = blocked.lock().unwrap().recv();
                    Ok::<(), String>(())
                }
            })
            .critical(false);
    }
    fixture
        .health
        .check("beside", || async { Ok::<(), String>(()) });
    fixture.wait_ready("ok");
    drop(release);
}

#[test]
fn the_text_of_a_check_is_bounded() {
    let fixture = Fixture::new();
    fixture
        .health
        .check("long", || async { Err::<(), _>("ü".repeat(100_000)) });
    assert_eq!(failing(&fixture, "long"), "ü".repeat(MAX_OUTPUT / 2));
}

#[test]
fn the_text_of_a_check_is_scrubbed() {
    let fixture = Fixture::new();
    fixture.health.check("database", || async {
        Err::<(), _>("no route to postgres://shop:hunter2hunter2@db.internal/shop")
    });
    let output = failing(&fixture, "database");
    assert!(!output.contains("hunter2"), "{output}");
    assert!(
        output.contains("no route to") && output.contains("db.internal"),
        "{output}"
    );
}

#[test]
fn the_number_of_checks_is_bounded() {
    let fixture = Fixture::new();
    for _ in 0..300 {
        fixture
            .health
            .check("again", || async { Ok::<(), String>(()) })
            .interval(Duration::from_secs(3600));
    }
    assert_eq!(fixture.diagnostics.notices().len(), 1);
    fixture.wait_ready("ok");
    let page = fixture.health.details(Access::open_to_anyone());
    let json: serde_json::Value = serde_json::from_str(&get(&page).1).unwrap();
    assert_eq!(json["checks"]["again"].as_array().unwrap().len(), 256);
}

#[test]
fn checks_end_when_the_health_is_dropped() {
    let mut fixture = Fixture::new();
    let held = Arc::new(());
    let token = Arc::clone(&held);
    fixture
        .health
        .check("database", move || {
            let token = Arc::clone(&token);
            async move {
                drop(token);
                Ok::<(), String>(())
            }
        })
        .interval(Duration::from_secs(3600));
    fixture.wait_ready("ok");
    fixture.health = Fixture::new().health.clone();
    until("the check is dropped", || Arc::strong_count(&held) == 1);
}

#[test]
fn endpoints_respond_after_the_runtime_has_ended() {
    let mut fixture = Fixture::new();
    fixture
        .health
        .check("database", || async { Ok::<(), String>(()) });
    fixture.wait_ready("ok");
    fixture.end_runtime();
    fixture
        .health
        .check("too late", || async { Ok::<(), String>(()) });
    assert_eq!(get(&fixture.health.livez()), (200, "ok".to_owned()));
    assert_eq!(fixture.ready(), "starting");
    let page = fixture.health.details(Access::open_to_anyone());
    assert_eq!(
        send(&page, &http::Method::HEAD, &http::HeaderMap::new()).1,
        ""
    );
}
