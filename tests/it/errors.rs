//! Captured errors: the contents of an event, its records, and what is left out.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use axum::routing::get;
use tracing_subscriber::layer::SubscriberExt;
use watchpost::errors::{Backtraces, ErrorResolution, EventKind};
use watchpost::testing::Harness;
use watchpost::{EventId, Level, RecordKind, ResultExt};

use crate::support::{TRACE, json_lines, send};

/// How long to wait for the worker and the disk. Only a hang takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug)]
struct StoreError {
    row: u32,
    source: std::io::Error,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "row {} cannot be read", self.row)
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

fn store_error(row: u32) -> StoreError {
    StoreError {
        row,
        source: std::io::Error::other("the disk is gone"),
    }
}

#[tokio::test(flavor = "current_thread")]
async fn an_error_in_a_request_has_the_attributes_of_the_request() {
    let harness = Harness::in_real_time(|builder| builder);
    let subscriber = tracing_subscriber::registry().with(harness.tracing_layer());
    let _default = tracing::subscriber::set_default(subscriber);
    let monitor = (*harness).clone();
    let app = Router::new()
        .route(
            "/rows/{id}",
            get(async move || {
                for n in 0..30 {
                    tracing::info!(n, password = "hunter2hunter2", "looking");
                }
                let error = store_error(17);
                monitor
                    .error_capture(&error)
                    .tag("shard", "s1")
                    .extra("attempt", 2)
                    .user("u-17")
                    .capture()
                    .to_string()
            }),
        )
        .layer(harness.layer());
    let request = Request::get("/rows/17?key=AKIAIOSFODNN7EXAMPLE")
        .header("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01"))
        .header("user-agent", "probe")
        .body(axum::body::Body::empty())
        .unwrap();
    let id = send(&app, request).await.body;
    let lines = json_lines(&harness);
    let line = lines
        .iter()
        .find(|line| line["event_id"] == id.as_str())
        .unwrap();
    for (key, value) in [
        ("level", "ERROR"),
        ("message", "row 17 cannot be read"),
        ("trace_id", TRACE),
        ("http.route", "/rows/{id}"),
        ("exception.message", "row 17 cannot be read"),
        ("exception.causes", "the disk is gone"),
        ("user.id", "u-17"),
        ("shard", "s1"),
        ("code.file.path", file!()),
    ] {
        assert_eq!(line[key], value, "{key} of {line}");
    }
    assert!(
        line["exception.type"]
            .as_str()
            .unwrap()
            .ends_with("::StoreError")
    );
    assert_eq!(line["attempt"], 2);

    let groups = harness.error_groups();
    let [group] = groups.as_slice() else {
        panic!("{groups:?}")
    };
    let sample = group.sample.as_ref().unwrap();
    assert_eq!(group.last_event.to_string(), id);
    assert_eq!(sample.causes.len(), 2);
    assert_eq!(sample.causes[1].message, "the disk is gone");
    assert_eq!(
        (
            sample.method.as_str(),
            sample.path.as_str(),
            sample.route.as_str()
        ),
        ("GET", "/rows/17", "/rows/{id}")
    );
    assert_eq!(sample.query, "key=REDACTED");
    assert_eq!(sample.user_agent, "probe");
    assert_eq!(sample.trace_id.to_string(), TRACE);
    assert!(sample.resident_bytes.is_none_or(|bytes| bytes > 1 << 20));
    assert_eq!(sample.breadcrumbs.len(), 20);
    let last = sample.breadcrumbs.last().unwrap();
    assert_eq!(
        (last.message.as_str(), last.level),
        ("looking", Level::Info)
    );
    assert!(last.fields.contains(&("n".to_owned(), "29".to_owned())));
    assert!(!format!("{groups:?}{lines:?}").contains("hunter2"));
}

#[test]
fn errors_without_frames_are_grouped_by_type_and_message() {
    let harness = Harness::with(|builder| builder.backtraces(Backtraces::Off));
    let one = |row| harness.capture_error(&store_error(row));
    let ids: Vec<EventId> = (0..10).map(one).collect();
    harness.advance(Duration::from_secs(5));
    let last = harness.capture_error(&store_error(1));
    harness.capture_message(Level::Warning, "queue 5 is long");
    harness.capture_message(Level::Warning, "queue 6 is long");
    let failed: Result<u8, _> = "x".parse::<u8>();
    let other = harness.error_capture(failed.as_ref().unwrap_err());
    other.fingerprint("mine").level(Level::Fatal).capture();
    harness.lines();
    let counts: Vec<_> = harness
        .error_groups()
        .iter()
        .map(|it| (it.count, it.message.clone()))
        .collect();
    assert_eq!(counts.len(), 3, "{counts:?}");
    let groups = harness.error_groups();
    let rows = groups.iter().find(|group| group.count == 11).unwrap();
    assert_eq!(rows.last_event, last);
    assert!(
        rows.samples
            .iter()
            .all(|sample| ids.contains(&sample.id) || sample.id == last)
    );
    assert_eq!(rows.message, "row 0 cannot be read");
    assert!(
        groups
            .iter()
            .all(|group| group.first_seen <= group.last_seen)
    );
    let kinds: Vec<_> = groups
        .iter()
        .filter_map(|group| group.sample.as_ref())
        .map(|it| it.kind)
        .collect();
    assert_eq!(
        kinds
            .iter()
            .filter(|kind| **kind == EventKind::Message)
            .count(),
        1
    );
    let page = harness.page();
    let labels = [("level", "error"), ("error_type", "it::errors::StoreError")];
    assert_eq!(page.sum("watchpost_errors_total", &labels), 11.0);
    assert_eq!(
        page.sum("watchpost_errors_total", &[("error_type", "message")]),
        2.0
    );
    assert_eq!(
        page.sum("watchpost_errors_total", &[("level", "fatal")]),
        1.0
    );
}

#[test]
fn the_thousand_most_recent_groups_are_kept() {
    let harness = Harness::with(|builder| builder.backtraces(Backtraces::Off));
    for n in 0..1500_u32 {
        let text = format!(
            "{:?}",
            n.to_string()
                .chars()
                .map(|c| (c as u8 + 49) as char)
                .collect::<String>()
        );
        harness
            .error_capture(&std::io::Error::other(text.replace('"', "")))
            .capture();
        harness.advance(Duration::from_millis(1));
    }
    harness.lines();
    let groups = harness.error_groups();
    assert_eq!(groups.len(), 1000);
    assert!(
        groups
            .windows(2)
            .all(|pair| pair[0].last_seen >= pair[1].last_seen)
    );
}

#[test]
fn counters_are_exact_with_and_without_a_console() {
    for console in [true, false] {
        let harness = Harness::with(|builder| builder.console(console));
        for n in 0..100 {
            harness.capture_error(&store_error(n));
        }
        let lines = harness.lines();
        let totals = harness.totals(RecordKind::Error);
        assert_eq!((totals.emitted(), totals.delivered()), (100, 100));
        assert_eq!(totals.dropped_total(), 0);
        assert_eq!(lines.len(), if console { 100 } else { 0 });
        let count: u64 = harness.error_groups().iter().map(|group| group.count).sum();
        assert_eq!(count, 100);
    }
}

#[test]
fn without_a_monitor_a_capture_is_counted_and_returns_a_nil_id() {
    let harness = Harness::new();
    let unrouted = || harness.page().sum("watchpost_errors_unrouted_total", &[]);
    let before = unrouted();
    assert!(watchpost::capture_error(&store_error(1)).is_nil());
    assert!(watchpost::capture_message(Level::Info, "hello").is_nil());
    assert!("x".parse::<u8>().capture().is_err());
    assert!(unrouted() >= before + 3.0);
    assert!(harness.lines().is_empty());
}

#[tokio::test]
async fn errors_in_a_request_are_captured_by_its_own_monitor() {
    let (one, two) = (Harness::new(), Harness::new());
    let handler = async || {
        drop("x".parse::<u8>().capture());
        "done"
    };
    for (harness, calls) in [(&one, 1), (&two, 2)] {
        let app = Router::new()
            .route("/", get(handler))
            .layer(harness.layer());
        for _ in 0..calls {
            send(&app, crate::support::get_request("/")).await;
        }
    }
    one.lines();
    two.lines();
    assert_eq!(one.totals(RecordKind::Error).delivered(), 1);
    assert_eq!(two.totals(RecordKind::Error).delivered(), 2);
    assert_eq!(two.error_groups()[0].route, "/");
}

#[tokio::test]
async fn errors_behind_pointers_are_captured_with_their_sources() {
    type BoxError = Box<dyn Error + Send + Sync>;

    fn with_anyhow() -> anyhow::Result<()> {
        anyhow::Context::context(Err(store_error(1)), "anyhow's context").capture()?;
        Ok(())
    }
    fn with_eyre() -> eyre::Result<()> {
        eyre::WrapErr::wrap_err(Err(store_error(2)), "eyre's context").capture()?;
        Ok(())
    }
    fn boxed() -> Result<(), BoxError> {
        Err(BoxError::from(store_error(3))).capture()?;
        Ok(())
    }
    fn generic<E: Error>(error: E) -> Result<(), E> {
        Err(error).capture()
    }

    let harness = Harness::in_real_time(|builder| builder.backtraces(Backtraces::Off));
    let line = line!() + 8;
    let handler = async move || {
        assert!(with_anyhow().unwrap_err().is::<StoreError>());
        assert!(with_eyre().unwrap_err().is::<StoreError>());
        assert!(boxed().unwrap_err().is::<StoreError>());
        let plain: Result<(), Box<dyn Error>> = Err(store_error(4).into());
        assert!(plain.capture().is_err());
        let sent: Result<(), Box<dyn Error + Send>> = Err(Box::new(store_error(5)));
        assert!(sent.capture().is_err());
        // Pointers that implement `Error` themselves.
        assert!(generic(Box::new(store_error(6))).is_err());
        let shared: std::sync::Arc<dyn Error + Send + Sync> = std::sync::Arc::new(store_error(7));
        assert!(Err::<(), _>(shared).capture().is_err());
        watchpost::capture_error(&*anyhow::anyhow!("a message"));
        assert!(Ok::<_, anyhow::Error>(8).capture().is_ok());
        "done"
    };
    let app = Router::new()
        .route("/", get(handler))
        .layer(harness.layer());
    send(&app, crate::support::get_request("/")).await;
    harness.lines();
    let groups = harness.error_groups();
    assert_eq!(harness.totals(RecordKind::Error).delivered(), 8);
    let causes: Vec<Vec<&str>> = groups
        .iter()
        .flat_map(|group| &group.samples)
        .map(|sample| {
            let causes = sample.causes.iter();
            causes.map(|cause| cause.message.as_str()).collect()
        })
        .collect();
    for expected in [
        &[
            "anyhow's context",
            "row 1 cannot be read",
            "the disk is gone",
        ][..],
        &["eyre's context", "row 2 cannot be read", "the disk is gone"],
        &["row 3 cannot be read", "the disk is gone"],
        &["row 4 cannot be read", "the disk is gone"],
        &["row 5 cannot be read", "the disk is gone"],
        &["row 6 cannot be read", "the disk is gone"],
        &["row 7 cannot be read", "the disk is gone"],
        &["a message"],
    ] {
        assert!(causes.iter().any(|causes| causes == expected), "{causes:?}");
    }
    // The location is that of the call of `capture`.
    let sent = groups
        .iter()
        .flat_map(|group| &group.samples)
        .find(|it| it.causes[0].message == "row 5 cannot be read");
    let place = format!("{}:{line}:", file!());
    assert!(sent.unwrap().location.starts_with(&place), "{groups:?}");
}

#[test]
fn the_first_five_errors_of_a_group_have_a_backtrace() {
    let harness = Harness::in_real_time(|builder| builder);
    for n in 0..10 {
        harness.capture_error(&store_error(n));
    }
    harness.lines();
    let frames = || {
        let groups = harness.error_groups();
        groups[0]
            .sample
            .as_ref()
            .map_or(0, |sample| sample.frames.len())
    };
    let patience = std::time::Instant::now();
    while frames() == 0 && patience.elapsed() < PATIENCE {
        // The errors above have none if another test resolved a backtrace meanwhile.
        harness.capture_error(&store_error(10));
        std::thread::sleep(Duration::from_millis(5));
    }
    let groups = harness.error_groups();
    let frames = &groups[0].sample.as_ref().unwrap().frames;
    assert!(
        frames[0]
            .function
            .contains("the_first_five_errors_of_a_group"),
        "{frames:#?}"
    );
    assert!(frames[0].in_app);
}

/// The log line in the example's documentation has the line of its own capture.
#[test]
fn the_example_shows_the_line_of_its_capture() {
    let example = include_str!("../../examples/capture_errors.rs");
    let capture = example
        .lines()
        .position(|line| line.trim() == ".error_capture(&error)");
    let shown = format!("\"code.line.number\":{},", capture.unwrap() + 1);
    assert!(example.contains(&shown), "{shown}");
}

/// An error whose `Display` captures it again.
#[derive(Debug)]
struct Hostile(Harness);

impl fmt::Display for Hostile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.0.capture_error(&store_error(1));
        write!(f, "within: {}", id.is_nil())
    }
}

impl Error for Hostile {}

#[test]
fn an_error_that_captures_itself_is_captured_once() {
    let hostile = Hostile(Harness::new());
    hostile.0.capture_error(&hostile);
    hostile.0.lines();
    let groups = hostile.0.error_groups();
    assert_eq!(groups.len(), 1);
    assert_eq!(groups[0].message, "within: true");
}

#[tokio::test]
async fn stored_errors_are_found_by_the_next_process() {
    let dir = tempfile::tempdir().unwrap();
    let open = || Harness::in_real_time(|builder| builder.data_dir(dir.path()));
    let first = open();
    for n in 0..50 {
        first.capture_error(&store_error(n));
    }
    let stored = first.capture_error_durable(&store_error(50)).await;
    assert!(stored.is_stored());
    let frames = || {
        first.error_groups()[0]
            .sample
            .as_ref()
            .map_or(0, |it| it.frames.len())
    };
    let patience = std::time::Instant::now();
    while frames() == 0 && patience.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(first.flush(Duration::from_secs(10)).await);
    drop(first);
    let second = open();
    let patience = std::time::Instant::now();
    let count = || {
        second
            .error_groups()
            .iter()
            .map(|group| group.count)
            .sum::<u64>()
    };
    while count() < 51 && patience.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Samples are read from the store of events, after the groups.
    let has_frames = || {
        let groups = second.error_groups();
        let sample = groups.iter().find_map(|group| group.sample.clone());
        sample.is_some_and(|sample| {
            !sample.frames.is_empty() && sample.causes[1].message == "the disk is gone"
        })
    };
    while !has_frames() && patience.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(has_frames());
    // Both places are in one function, so both have the same frames.
    let groups = second.error_groups();
    assert_eq!((groups.len(), count()), (1, 51), "{groups:?}");
    assert_eq!(groups[0].last_event, stored.id());
    #[cfg(unix)]
    for entry in std::fs::read_dir(dir.path().join("errors")).unwrap() {
        use std::os::unix::fs::PermissionsExt;
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[tokio::test]
async fn a_store_that_cannot_be_written_affects_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    // A file in place of the directory.
    std::fs::write(dir.path().join("errors"), "mine").unwrap();
    let harness = Harness::in_real_time(|builder| builder.data_dir(dir.path()));
    let begun = std::time::Instant::now();
    let stored = harness.capture_error_durable(&store_error(1)).await;
    assert!(!stored.is_stored() && !stored.id().is_nil());
    assert!(begun.elapsed() < PATIENCE);
    assert_eq!(
        harness
            .lines()
            .iter()
            .filter(|it| it.contains("event_id"))
            .count(),
        1
    );
    assert_eq!(harness.error_groups().len(), 1);
    assert!(harness.written().contains("are in memory alone"));
    // The directory can be repaired while the service runs.
    std::fs::remove_file(dir.path().join("errors")).unwrap();
    let patience = begun + PATIENCE;
    while !harness
        .capture_error_durable(&store_error(2))
        .await
        .is_stored()
    {
        assert!(std::time::Instant::now() < patience, "not stored again");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // It can also vanish.
    std::fs::remove_dir_all(dir.path().join("errors")).unwrap();
    let stored = harness.capture_error_durable(&store_error(3)).await;
    assert!(stored.is_stored(), "a new directory is made at once");
    let memory = Harness::new().capture_error_durable(&store_error(1)).await;
    assert!(!memory.is_stored());
}

#[test]
fn a_capture_is_stored_after_fifty_milliseconds() {
    let dir = tempfile::tempdir().unwrap();
    let harness = Harness::in_real_time(|builder| builder.data_dir(dir.path()));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut times: Vec<_> = (0..200)
        .map(|n| {
            let begun = std::time::Instant::now();
            let stored = runtime.block_on(harness.capture_error_durable(&store_error(n)));
            assert!(stored.is_stored());
            begun.elapsed()
        })
        .collect();
    times.sort();
    println!(
        "stored: p50 {:?}, p99 {:?}, longest {:?}",
        times[100], times[197], times[199]
    );
    // The machine may be busy, so the assertion is wider than the printed figure.
    assert!(times[197] < Duration::from_millis(500), "{:?}", times[197]);
}

/// One location that captures many errors at once leaves room in the queue for the others.
#[test]
fn a_burst_from_one_location_leaves_room_for_a_rare_error() {
    let harness =
        Harness::in_real_time(|builder| builder.console(false).backtraces(Backtraces::Off));
    let long = "x".repeat(2000);
    let burst = std::io::Error::other(format!("burst {long}"));
    let rare = std::io::Error::other("rare");
    for n in 1..=30_000 {
        harness.capture_error(&burst);
        if n % 1000 == 0 {
            harness.capture_error(&rare);
        }
    }
    assert!(harness.flush_blocking(PATIENCE).unwrap());
    let groups = harness.error_groups();
    let count = |message: &str| {
        let of = groups.iter().filter(|it| it.message.starts_with(message));
        of.map(|it| it.count).sum::<u64>()
    };
    let totals = harness.totals(RecordKind::Error);
    assert_eq!(count("rare"), 30, "{totals:?}");
    assert_eq!(totals.emitted(), 30_030);
    assert_eq!(count("burst") + 30 + totals.dropped_total(), 30_030);
}

/// Many different errors at once: each is counted in a group, in an evicted one, or as dropped.
#[test]
fn a_flood_of_different_errors_is_bounded_and_counted() {
    const EVENTS: u64 = 30_000;
    let harness =
        Harness::in_real_time(|builder| builder.console(false).backtraces(Backtraces::Off));
    let letters = |n: u64| -> String {
        let digits = n.to_string().into_bytes().into_iter();
        digits.map(|digit| char::from(digit + 49)).collect()
    };
    for n in 0..EVENTS {
        let error = std::io::Error::other(letters(n));
        let capture = harness.error_capture(&error).user(format!("u{n}"));
        capture.capture();
    }
    assert!(harness.flush_blocking(PATIENCE).unwrap());
    let totals = harness.totals(RecordKind::Error);
    assert_eq!(totals.emitted(), EVENTS);
    assert_eq!(totals.delivered() + totals.dropped_total(), EVENTS);
    let groups = harness.error_groups();
    assert_eq!(groups.len(), 1000);
    let page = harness.page();
    let sum = |name| page.sum(name, &[]);
    let kept: u64 = groups.iter().map(|group| group.count).sum();
    assert_eq!(
        sum("watchpost_error_groups_events_total"),
        totals.delivered() as f64
    );
    assert_eq!(
        kept as f64 + sum("watchpost_error_groups_evicted_events_total"),
        totals.delivered() as f64
    );
    let samples = groups.iter().map(|group| group.samples.len());
    assert!(samples.max().unwrap() <= 8);
}

#[tokio::test]
async fn states_survive_a_restart_and_hooks_hear_of_a_regression() {
    let dir = tempfile::tempdir().unwrap();
    let open = || Harness::in_real_time(|builder| builder.data_dir(dir.path()));
    let first = open();
    let capture = |harness: &Harness| {
        let error = std::io::Error::other("the disk is gone");
        harness.error_capture(&error).fingerprint("one").capture()
    };
    capture(&first);
    assert!(first.flush(PATIENCE).await);
    let number = first.error_groups()[0].number;
    first
        .errors()
        .resolve(number, ErrorResolution::Now)
        .unwrap();
    let patience = std::time::Instant::now();
    while !first.errors().is_stored() && patience.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(first.errors().is_stored());
    drop(first);
    let second = open();
    let (sender, heard) = std::sync::mpsc::channel();
    let hook = second.on_regression(move |event| {
        drop(sender.send((
            event.group.number,
            event.group.count,
            event.sentence.clone(),
        )));
    });
    while !second.errors().is_stored() && patience.elapsed() < 2 * PATIENCE {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(
        second.errors().show(number).unwrap().state.as_str(),
        "resolved"
    );
    capture(&second);
    let (regressed, count, sentence) = heard.recv_timeout(PATIENCE).unwrap();
    assert_eq!((regressed, count), (number, 2));
    assert!(
        sentence.starts_with("Resolved error occurs again: "),
        "{sentence}"
    );
    drop(hook);
    let page = second.page();
    let patterns = [("pattern", "regression")];
    assert_eq!(page.sum("watchpost_error_patterns_total", &patterns), 1.0);
}

#[tokio::test]
async fn a_new_error_just_before_the_end_is_announced() {
    let dir = tempfile::tempdir().unwrap();
    for stores in [true, false] {
        let harness = Harness::in_real_time(|builder| {
            if stores {
                builder.data_dir(dir.path())
            } else {
                builder
            }
        });
        let (sender, heard) = std::sync::mpsc::channel();
        let hook = harness.on_new_error(move |new| drop(sender.send(new.sentence.clone())));
        let error = std::io::Error::other("the last words");
        harness.error_capture(&error).fingerprint("last").capture();
        harness.shutdown(PATIENCE).await;
        let sentence = heard.try_recv().unwrap();
        assert!(sentence.contains("the last words"), "{sentence}");
        drop(hook);
    }
}
