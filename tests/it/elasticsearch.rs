//! Log records for an Elasticsearch that follows a script: every answer, and the books.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tower::Service as _;
use tracing_subscriber::prelude::*;
use watchpost::logs::{ElasticsearchConfig, LogsConfig};
use watchpost::{Access, Monitor, MonitorBuilder, MonitorGuard};

use crate::peer::{Peer, Reply, Seen};

const PATIENCE: Duration = Duration::from_secs(30);

/// The documents of a server, with the behaviour of `create`.
#[derive(Clone, Default)]
struct Documents(Arc<Mutex<BTreeMap<String, Value>>>);

/// The status of a document; 201 stores it, unless its ID is there.
type Judge<'a> = dyn FnMut(&Value) -> u16 + 'a;

impl Documents {
    /// Answers a bulk request.
    fn bulk(&self, seen: &Seen, judge: &mut Judge<'_>) -> Reply {
        let mut all = self.0.lock().unwrap();
        let items = documents_of(seen).into_iter().map(|(id, index, document)| {
            assert!(index.starts_with("watchpost-logs-20"), "{index}");
            let status = match judge(&document) {
                201 if all.contains_key(&id) => 409,
                201 => {
                    all.insert(id, document);
                    201
                }
                other => other,
            };
            let error = json!({"type": format!("kind_{status}"), "reason": "for the test"});
            let mut result = json!({"status": status});
            if status > 299 {
                result["error"] = error;
            }
            json!({"create": result})
        });
        let items: Vec<_> = items.collect();
        let body = json!({"errors": true, "items": items}).to_string();
        Reply::Answer(200, Vec::new(), body.into_bytes())
    }

    /// How often each number is there.
    fn numbers(&self) -> BTreeMap<u64, u32> {
        let mut numbers = BTreeMap::new();
        for document in self.0.lock().unwrap().values() {
            if let Some(n) = document["n"].as_u64() {
                *numbers.entry(n).or_default() += 1;
            }
        }
        numbers
    }

    fn has_each_once(&self, numbers: std::ops::Range<u64>) -> bool {
        self.numbers() == numbers.map(|n| (n, 1)).collect()
    }
}

/// The IDs, indices and documents of a bulk request.
fn documents_of(seen: &Seen) -> Vec<(String, String, Value)> {
    assert_eq!(seen.header("content-encoding"), Some("gzip"));
    let mut text = String::new();
    let mut decoder = flate2::read::GzDecoder::new(&*seen.body);
    decoder.read_to_string(&mut text).unwrap();
    assert!(text.ends_with('\n'), "the last line of a bulk request ends");
    let lines: Vec<Value> = text
        .lines()
        .map(|it| serde_json::from_str(it).unwrap())
        .collect();
    let pairs = lines.chunks(2).map(|pair| {
        let text = |name: &str| pair[0]["create"][name].as_str().unwrap().to_owned();
        (text("_id"), text("_index"), pair[1].clone())
    });
    pairs.collect()
}

fn builder(config: ElasticsearchConfig) -> MonitorBuilder {
    Monitor::builder("ships")
        .env(false)
        .logs(LogsConfig::default().console(false))
        .elasticsearch(config)
}

fn config(peer: &Peer) -> ElasticsearchConfig {
    ElasticsearchConfig::default().urls([peer.url("")])
}

fn monitor(directory: &Path, config: ElasticsearchConfig) -> MonitorGuard {
    builder(config).data_dir(directory).build().unwrap()
}

fn log(monitor: &Monitor, numbers: std::ops::Range<u64>) {
    let subscriber = tracing_subscriber::registry().with(monitor.tracing_layer());
    tracing::subscriber::with_default(subscriber, || {
        for n in numbers {
            tracing::info!(n, "a line");
        }
    });
    assert!(monitor.flush_blocking(PATIENCE).unwrap());
}

fn await_that(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A figure of the metrics page.
#[expect(clippy::cast_sign_loss, reason = "counts are not negative")]
fn figure(monitor: &Monitor, name: &str) -> u64 {
    let page = monitor.metrics().render();
    let line = page
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name}"))
        .parse::<f64>()
        .unwrap() as u64
}

fn result(monitor: &Monitor, result: &str) -> u64 {
    let name = format!("watchpost_elasticsearch_records_total{{result=\"{result}\"}}");
    figure(monitor, &name)
}

/// The books are exact, and nothing waits.
fn assert_books(monitor: &Monitor, delivered: u64, dropped: &[(&str, u64)]) {
    let all = [
        "send_error",
        "too_large",
        "truncated",
        "queue_overflow",
        "shutdown",
    ];
    for reason in all {
        let expected = dropped
            .iter()
            .find(|it| it.0 == reason)
            .map_or(0, |it| it.1);
        assert_eq!(result(monitor, reason), expected, "{reason}");
    }
    let lost: u64 = dropped.iter().map(|it| it.1).sum();
    assert_eq!(result(monitor, "delivered"), delivered);
    assert_eq!(figure(monitor, "watchpost_elasticsearch_waiting"), 0);
    assert_eq!(result(monitor, "emitted"), delivered + lost);
}

/// Waits until nothing waits, and stays so: notices of what was refused are lines too, and come a moment later.
fn settled(monitor: &Monitor) {
    let emitted = || {
        let waiting = figure(monitor, "watchpost_elasticsearch_waiting");
        (waiting == 0).then(|| result(monitor, "emitted"))
    };
    await_that("all lines are settled", || {
        let before = emitted();
        std::thread::sleep(Duration::from_millis(600));
        before.is_some_and(|it| it > 0) && before == emitted()
    });
}

/// The component of the health page, and the page.
fn health(monitor: &Monitor) -> (Value, String) {
    let mut page = monitor.health().details(Access::open_to_anyone());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let body = runtime.block_on(async {
        let request = http::Request::get("/health").body(String::new()).unwrap();
        let response = page.call(request).await.unwrap();
        http_body_util::BodyExt::collect(response.into_body())
            .await
            .unwrap()
            .to_bytes()
    });
    let text = String::from_utf8(body.to_vec()).unwrap();
    let page: Value = serde_json::from_str(&text).unwrap();
    (page["checks"]["elasticsearch"][0].clone(), text)
}

fn dead_letters(directory: &Path) -> Vec<Value> {
    let path = directory.join("logs/elasticsearch.dead.log");
    let text = fs::read_to_string(path).unwrap_or_default();
    // The last line may be in the middle of being written.
    text.lines()
        .filter_map(|it| serde_json::from_str(it).ok())
        .collect()
}

#[test]
fn every_line_is_there_once_after_an_outage_and_a_restart() {
    let (documents, directory) = (Documents::default(), tempfile::tempdir().unwrap());
    let of_peer = documents.clone();
    let peer = Peer::start(move |seen| of_peer.bulk(seen, &mut |_| 201));
    peer.refuse();
    let first = monitor(directory.path(), config(&peer));
    log(&first, 0..500);
    await_that("a request fails", || {
        figure(&first, "watchpost_elasticsearch_failed_requests_total") > 0
    });
    assert_eq!(result(&first, "delivered"), 0);
    await_that("all wait", || {
        figure(&first, "watchpost_elasticsearch_waiting") == result(&first, "emitted")
    });
    drop(first);
    peer.listen();
    let second = monitor(directory.path(), config(&peer));
    log(&second, 500..600);
    await_that("each line is there once", || {
        documents.has_each_once(0..600)
    });
    // The lines are those of both processes, with notices about the outage.
    settled(&second);
    let delivered = result(&second, "delivered");
    assert!(delivered >= 600, "{delivered}");
    assert_books(&second, delivered, &[]);
    let document = documents.0.lock().unwrap().values().next().unwrap().clone();
    assert_eq!(document["service.name"], "ships");
    assert!(document["@timestamp"].is_string() && document["log.level"].is_string());
    // The next process has nothing to send again.
    assert!(second.shutdown_blocking(PATIENCE).unwrap().is_complete());
    let requests = peer.seen().len();
    let third = monitor(directory.path(), config(&peer));
    log(&third, 600..601);
    await_that("the last line is there", || documents.has_each_once(0..601));
    settled(&third);
    assert_books(&third, result(&third, "emitted"), &[]);
    let sent = peer.seen();
    let sent = sent.get(requests..).unwrap_or_default().iter();
    let sent: Vec<_> = sent
        .flat_map(documents_of)
        .filter_map(|it| it.2["n"].as_u64())
        .collect();
    assert_eq!(sent, [600]);
}

#[test]
fn the_server_gives_up_before_the_request_does() {
    let (documents, directory) = (Documents::default(), tempfile::tempdir().unwrap());
    let of_peer = documents.clone();
    let peer = Peer::start(move |seen| of_peer.bulk(seen, &mut |_| 201));
    let config = config(&peer).timeout(Duration::from_secs(20));
    let monitor = monitor(directory.path(), config);
    log(&monitor, 0..5);
    await_that("each line is there once", || documents.has_each_once(0..5));
    let target = peer.seen()[0].target.clone();
    assert!(target.ends_with("&timeout=15000ms"), "{target}");
}

#[test]
fn a_lost_answer_repeats_a_batch_and_no_line() {
    let (documents, directory) = (Documents::default(), tempfile::tempdir().unwrap());
    let of_peer = documents.clone();
    let mut losses = 2;
    let peer = Peer::start(move |seen| {
        let answer = of_peer.bulk(seen, &mut |_| 201);
        if losses > 0 {
            losses -= 1;
            return Reply::Reset;
        }
        answer
    });
    let monitor = monitor(directory.path(), config(&peer));
    log(&monitor, 0..100);
    await_that("they count as delivered", || {
        result(&monitor, "delivered") >= 100
    });
    assert!(documents.has_each_once(0..100));
    let repeated = figure(&monitor, "watchpost_elasticsearch_repeated_total");
    assert!(repeated > 0, "{repeated}");
    settled(&monitor);
    assert_books(&monitor, result(&monitor, "emitted"), &[]);
}

#[test]
fn documents_that_a_server_cannot_take_now_are_sent_again_alone() {
    let (documents, directory) = (Documents::default(), tempfile::tempdir().unwrap());
    let of_peer = documents.clone();
    let mut times = BTreeMap::new();
    let peer = Peer::start(move |seen| {
        of_peer.bulk(seen, &mut |document| {
            let n = document["n"].as_u64().unwrap_or(99);
            let times = times.entry(n).or_insert(0);
            *times += 1;
            match (n, *times) {
                (3, 1) | (7, 2) => 429,
                (7, 1) => 503,
                _ => 201,
            }
        })
    });
    let monitor = monitor(directory.path(), config(&peer));
    log(&monitor, 0..10);
    await_that("each line is there once", || documents.has_each_once(0..10));
    let sent: Vec<Vec<u64>> = peer
        .seen()
        .iter()
        .map(|seen| {
            documents_of(seen)
                .iter()
                .filter_map(|it| it.2["n"].as_u64())
                .collect()
        })
        .collect();
    let again: Vec<_> = sent
        .iter()
        .filter(|it| it.contains(&7))
        .skip(1)
        .cloned()
        .collect();
    assert_eq!(again, [vec![3, 7], vec![7]], "{sent:?}");
    settled(&monitor);
    assert_books(&monitor, result(&monitor, "emitted"), &[]);
    assert_eq!(
        figure(&monitor, "watchpost_elasticsearch_repeated_total"),
        0
    );
}

#[test]
fn documents_that_are_refused_are_kept_in_a_file_with_the_reason() {
    let (documents, directory) = (Documents::default(), tempfile::tempdir().unwrap());
    let of_peer = documents.clone();
    let peer = Peer::start(move |seen| {
        of_peer.bulk(seen, &mut |document| match document["n"].as_u64() {
            Some(2) => 400,
            Some(4) => 403,
            Some(6) => 413,
            _ => 201,
        })
    });
    let monitor = monitor(directory.path(), config(&peer));
    log(&monitor, 0..8);
    await_that("the others are there", || documents.numbers().len() == 5);
    await_that("they count as dropped", || {
        result(&monitor, "too_large") == 1
    });
    let letters = dead_letters(directory.path());
    let told: Vec<_> = letters
        .iter()
        .map(|it| {
            let document: Value = serde_json::from_str(it["document"].as_str().unwrap()).unwrap();
            (
                it["status"].as_u64().unwrap(),
                document["n"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(told, [(400, 2), (403, 4), (413, 6)]);
    assert_eq!(letters[0]["error.type"], "kind_400");
    assert_eq!(letters[0]["error.reason"], "for the test");
    settled(&monitor);
    let delivered = result(&monitor, "delivered");
    assert_books(&monitor, delivered, &[("send_error", 2), ("too_large", 1)]);
}

#[test]
fn a_missing_index_is_created_once() {
    for may_create in [true, false] {
        let (documents, directory) = (Documents::default(), tempfile::tempdir().unwrap());
        let of_peer = documents.clone();
        let mut exists = false;
        let peer = Peer::start(move |seen| {
            if seen.method == "PUT" {
                exists = may_create;
                return Reply::status(if may_create { 200 } else { 403 });
            }
            of_peer.bulk(seen, &mut |_| if exists { 201 } else { 404 })
        });
        let monitor = monitor(directory.path(), config(&peer));
        // Numbers in the server, and in dead letters.
        let ends = || {
            let letters = dead_letters(directory.path());
            let numbers = letters.iter().filter_map(|it| {
                let document: Value = serde_json::from_str(it["document"].as_str()?).ok()?;
                document["n"].as_u64()
            });
            (documents.numbers().len(), numbers.count())
        };
        for (numbers, end) in [(0..5, 5), (5..6, 6)] {
            log(&monitor, numbers);
            let expected = if may_create { (end, 0) } else { (0, end) };
            await_that("they are settled", || ends() == expected);
        }
        let puts = peer.seen().iter().filter(|it| it.method == "PUT").count();
        assert_eq!(puts, 1);
        settled(&monitor);
        let emitted = result(&monitor, "emitted");
        if may_create {
            assert_books(&monitor, emitted, &[]);
        } else {
            assert_books(&monitor, 0, &[("send_error", emitted)]);
        }
    }
}

#[test]
fn an_index_that_cannot_be_created_now_is_a_problem_until_it_can() {
    let (documents, directory) = (Documents::default(), tempfile::tempdir().unwrap());
    let peer = Peer::start({
        let documents = documents.clone();
        move |seen| match &*seen.method {
            "PUT" => Reply::status(503),
            _ => documents.bulk(seen, &mut |_| 404),
        }
    });
    let monitor = monitor(directory.path(), config(&peer));
    log(&monitor, 0..5);
    await_that("health says so", || {
        let (component, _) = health(&monitor);
        let output = component["output"].as_str().unwrap_or_default();
        component["status"] == "warn" && output.contains("cannot be created now")
    });
    // The problem lasts: a bulk request that is answered does not hide it.
    peer.await_seen(6, PATIENCE);
    let (component, page) = health(&monitor);
    assert_eq!(component["status"], "warn", "{page}");
    let failed = figure(&monitor, "watchpost_elasticsearch_failed_requests_total");
    assert!(failed >= 2, "{failed}");
    assert!(dead_letters(directory.path()).is_empty());
    let mut exists = false;
    let of_peer = documents.clone();
    peer.script(move |seen| {
        if seen.method == "PUT" {
            exists = true;
            return Reply::status(200);
        }
        of_peer.bulk(seen, &mut |_| if exists { 201 } else { 404 })
    });
    await_that("each line is there once", || documents.has_each_once(0..5));
    settled(&monitor);
    assert_books(&monitor, result(&monitor, "emitted"), &[]);
    assert_eq!(health(&monitor).0["status"], "pass");
}

#[test]
fn the_reason_why_an_index_may_not_be_created_is_in_the_dead_letters() {
    let directory = tempfile::tempdir().unwrap();
    let documents = Documents::default();
    let peer = Peer::start(move |seen| match &*seen.method {
        "PUT" => {
            let body = br#"{"error":{"type":"security_exception"},"status":403}"#;
            Reply::Answer(403, Vec::new(), body.to_vec())
        }
        _ => documents.bulk(seen, &mut |_| 404),
    });
    let monitor = monitor(directory.path(), config(&peer));
    log(&monitor, 0..5);
    await_that("they are settled", || result(&monitor, "send_error") >= 5);
    settled(&monitor);
    let letters = dead_letters(directory.path());
    let reason = letters[0]["error.reason"].as_str().unwrap();
    assert!(reason.contains("status 403 security_exception"), "{reason}");
    let notices = monitor.report().to_string();
    assert!(notices.contains("refuses to create it"), "{notices}");
    let lost = result(&monitor, "emitted");
    assert_books(&monitor, 0, &[("send_error", lost)]);
}

#[test]
fn a_batch_that_is_too_large_is_halved() {
    let (documents, directory) = (Documents::default(), tempfile::tempdir().unwrap());
    let of_peer = documents.clone();
    let peer = Peer::start(move |seen| {
        let sent = documents_of(seen);
        if sent.len() > 3 || sent.iter().any(|it| it.2["n"] == 13) {
            return Reply::status(413);
        }
        of_peer.bulk(seen, &mut |_| 201)
    });
    let monitor = monitor(directory.path(), config(&peer));
    log(&monitor, 0..40);
    await_that("the others are there", || documents.numbers().len() == 39);
    await_that("it counts as dropped", || {
        result(&monitor, "too_large") == 1
    });
    assert!(!documents.numbers().contains_key(&13));
    settled(&monitor);
    let delivered = result(&monitor, "delivered");
    assert_books(&monitor, delivered, &[("too_large", 1)]);
}

#[test]
fn a_request_that_the_server_finds_bad_is_halved_and_counted() {
    let (documents, directory) = (Documents::default(), tempfile::tempdir().unwrap());
    let of_peer = documents.clone();
    let peer = Peer::start(move |seen| {
        if documents_of(seen).iter().any(|it| it.2["n"] == 5) {
            let body = br#"{"error":{"type":"illegal_argument_exception"},"status":400}"#;
            return Reply::Answer(400, Vec::new(), body.to_vec());
        }
        of_peer.bulk(seen, &mut |_| 201)
    });
    let monitor = monitor(directory.path(), config(&peer));
    log(&monitor, 0..8);
    await_that("the others are there", || documents.numbers().len() == 7);
    await_that("it counts as dropped", || {
        result(&monitor, "send_error") == 1
    });
    settled(&monitor);
    let letters = dead_letters(directory.path());
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0]["error.type"], "illegal_argument_exception");
    let bad = peer.seen();
    let bad = bad
        .iter()
        .filter(|seen| documents_of(seen).iter().any(|it| it.2["n"] == 5));
    assert_eq!(
        figure(&monitor, "watchpost_elasticsearch_failed_requests_total"),
        bad.count() as u64
    );
    let delivered = result(&monitor, "delivered");
    assert_books(&monitor, delivered, &[("send_error", 1)]);
}

#[test]
fn a_wrong_key_loses_nothing_and_is_said_without_the_key() {
    for (config, header) in [
        (
            ElasticsearchConfig::default()
                .username("ann")
                .password("hunter2-hunter2"),
            "Basic YW5uOmh1bnRlcjItaHVudGVyMg==",
        ),
        (
            ElasticsearchConfig::default().api_key("hunter2-hunter2"),
            "ApiKey hunter2-hunter2",
        ),
    ] {
        let (documents, directory) = (Documents::default(), tempfile::tempdir().unwrap());
        let peer = Peer::always(Reply::status(401));
        let monitor = monitor(directory.path(), config.urls([peer.url("/es/")]));
        log(&monitor, 0..5);
        let seen = peer.await_seen(2, PATIENCE);
        assert_eq!(seen[0].header("authorization"), Some(header));
        assert!(
            seen[0].target.starts_with("/es/_bulk?"),
            "{}",
            seen[0].target
        );
        await_that("health says so", || {
            let (component, page) = health(&monitor);
            assert!(!page.contains("hunter2"), "{page}");
            component["status"] == "warn"
                && component["output"]
                    .as_str()
                    .unwrap()
                    .contains("elasticsearch.api_key")
        });
        assert_eq!(result(&monitor, "send_error"), 0);
        let of_peer = documents.clone();
        peer.script(move |seen| of_peer.bulk(seen, &mut |_| 201));
        await_that("each line is there once", || documents.has_each_once(0..5));
        await_that("health is well again", || {
            health(&monitor).0["status"] == "pass"
        });
        let text = format!("{0:?} {0}", monitor.settings());
        assert!(!text.contains("hunter2"), "{text}");
        assert!(!format!("{:?}", documents.0.lock().unwrap()).contains("hunter2"));
        settled(&monitor);
        assert_books(&monitor, result(&monitor, "emitted"), &[]);
    }
}

#[test]
fn answers_that_are_none_are_no_delivery() {
    let (documents, directory) = (Documents::default(), tempfile::tempdir().unwrap());
    let of_peer = documents.clone();
    let mut replies = [
        Reply::Garbage,
        Reply::Short(200),
        Reply::ResetInBody(200),
        Reply::Answer(200, Vec::new(), b"<html>welcome</html>".to_vec()),
        Reply::Answer(200, Vec::new(), br#"{"items":[]}"#.to_vec()),
        Reply::Answer(400, Vec::new(), b"<html>plain HTTP".to_vec()),
        Reply::status(302),
        Reply::status(404),
        Reply::with(503, "retry-after", "0"),
        Reply::with(429, "retry-after", "1"),
    ]
    .into_iter();
    let peer = Peer::start(move |seen| {
        replies
            .next()
            .unwrap_or_else(|| of_peer.bulk(seen, &mut |_| 201))
    });
    // A second node, so that no wait is long.
    let (second, third) = (
        Peer::always(Reply::status(500)),
        Peer::always(Reply::status(502)),
    );
    let config = config(&peer).urls([peer.url(""), second.url(""), peer.url("/"), third.url("")]);
    let monitor = monitor(directory.path(), config);
    log(&monitor, 0..5);
    await_that("each line is there once", || documents.has_each_once(0..5));
    settled(&monitor);
    assert_books(&monitor, result(&monitor, "emitted"), &[]);
    assert!(dead_letters(directory.path()).is_empty());
}

#[test]
fn the_second_node_is_used_until_the_first_one_works_again() {
    let (documents, directory) = (Documents::default(), tempfile::tempdir().unwrap());
    let peers = [documents.clone(), documents.clone()]
        .map(|all| Peer::start(move |seen| all.bulk(seen, &mut |_| 201)));
    peers[0].refuse();
    let config = ElasticsearchConfig::default().urls([peers[0].url(""), peers[1].url("")]);
    let monitor = monitor(directory.path(), config);
    log(&monitor, 0..5);
    await_that("each line is there once", || documents.has_each_once(0..5));
    assert_eq!(peers[0].seen().len(), 0);
    peers[0].listen();
    let mut next = 5;
    let begun = Instant::now();
    while peers[0].seen().is_empty() {
        assert!(
            begun.elapsed() < PATIENCE,
            "the first node is not used again"
        );
        log(&monitor, next..next + 1);
        next += 1;
        std::thread::sleep(Duration::from_millis(50));
    }
    await_that("each line is there once", || {
        documents.has_each_once(0..next)
    });
}

#[test]
fn a_server_that_hangs_holds_up_neither_the_host_nor_its_end() {
    let directory = tempfile::tempdir().unwrap();
    let peer = Peer::always(Reply::Hang);
    let first = monitor(directory.path(), config(&peer));
    log(&first, 0..5);
    peer.await_seen(1, PATIENCE);
    // A flush waits for the files alone.
    log(&first, 5..10);
    let begun = Instant::now();
    let wait = Duration::from_secs(5);
    first.shutdown_blocking(wait).unwrap();
    assert!(
        begun.elapsed() <= wait + Duration::from_millis(500),
        "{:?}",
        begun.elapsed()
    );
    drop(first);
    let documents = Documents::default();
    let of_peer = documents.clone();
    peer.script(move |seen| of_peer.bulk(seen, &mut |_| 201));
    let second = monitor(directory.path(), config(&peer));
    await_that("each line is there once", || documents.has_each_once(0..10));
    settled(&second);
    assert_books(&second, result(&second, "emitted"), &[]);
}

#[test]
fn the_end_of_the_process_leaves_a_long_backlog_to_the_next_one() {
    let (documents, directory) = (Documents::default(), tempfile::tempdir().unwrap());
    let of_peer = documents.clone();
    let peer = Peer::start(move |seen| {
        std::thread::sleep(Duration::from_millis(40));
        of_peer.bulk(seen, &mut |_| 201)
    });
    let slow = config(&peer).max_batch_documents(1);
    let first = monitor(directory.path(), slow);
    // For all of them, the server needs longer than the shutdown may take.
    log(&first, 0..1500);
    let report = first.shutdown_blocking(PATIENCE).unwrap();
    assert_eq!(report.unstored(), [""; 0]);
    let (emitted, delivered) = (result(&first, "emitted"), result(&first, "delivered"));
    let waiting = figure(&first, "watchpost_elasticsearch_waiting");
    assert!(waiting > 0);
    assert_eq!(emitted, delivered + waiting);
    drop(first);
    let second = monitor(directory.path(), config(&peer));
    await_that("each line is there once", || {
        documents.has_each_once(0..1500)
    });
    settled(&second);
    assert_books(&second, result(&second, "emitted"), &[]);
}

#[test]
fn what_another_program_has_truncated_is_counted() {
    let (documents, directory) = (Documents::default(), tempfile::tempdir().unwrap());
    let of_peer = documents.clone();
    let peer = Peer::start(move |seen| of_peer.bulk(seen, &mut |_| 201));
    peer.refuse();
    let monitor = monitor(
        directory.path(),
        config(&peer).timeout(Duration::from_secs(1)),
    );
    // More lines than a batch has, which is in memory.
    log(&monitor, 0..6000);
    await_that("a request fails", || {
        figure(&monitor, "watchpost_elasticsearch_failed_requests_total") > 0
    });
    let path = directory.path().join("logs/combined.log");
    fs::OpenOptions::new()
        .write(true)
        .open(path)
        .unwrap()
        .set_len(0)
        .unwrap();
    log(&monitor, 6000..6010);
    peer.listen();
    await_that("the newest line is there", || {
        documents.numbers().contains_key(&6009)
    });
    settled(&monitor);
    let (delivered, truncated) = (result(&monitor, "delivered"), result(&monitor, "truncated"));
    assert!(truncated > 3000, "{truncated}");
    assert_books(&monitor, delivered, &[("truncated", truncated)]);
    assert_eq!(documents.0.lock().unwrap().len() as u64, delivered);
}

#[test]
fn without_files_the_lines_wait_in_memory_and_health_says_so() {
    let documents = Documents::default();
    let of_peer = documents.clone();
    let peer = Peer::start(move |seen| of_peer.bulk(seen, &mut |_| 201));
    let monitor = builder(config(&peer)).build().unwrap();
    log(&monitor, 0..20);
    await_that("each line is there once", || documents.has_each_once(0..20));
    let (component, _) = health(&monitor);
    assert_eq!(component["status"], "warn");
    assert!(
        component["output"].as_str().unwrap().contains("in memory"),
        "{component}"
    );
    settled(&monitor);
    assert_books(&monitor, result(&monitor, "emitted"), &[]);
    // The end of the process loses what the server does not take, and counts it.
    peer.refuse();
    log(&monitor, 20..25);
    let report = monitor.shutdown_blocking(Duration::from_secs(10)).unwrap();
    assert_eq!(report.unstored(), ["log records for Elasticsearch"]);
    let (delivered, lost) = (result(&monitor, "delivered"), result(&monitor, "shutdown"));
    assert!(lost >= 5, "{lost}");
    assert_books(&monitor, delivered, &[("shutdown", lost)]);
}

#[test]
fn the_template_is_stored_on_request_before_the_first_document() {
    let (documents, directory) = (Documents::default(), tempfile::tempdir().unwrap());
    let of_peer = documents.clone();
    let peer = Peer::start(move |seen| {
        if seen.method == "PUT" {
            return Reply::status(200);
        }
        of_peer.bulk(seen, &mut |_| 201)
    });
    let monitor = monitor(directory.path(), config(&peer).template(true));
    log(&monitor, 0..5);
    await_that("each line is there once", || documents.has_each_once(0..5));
    let seen = peer.seen();
    assert_eq!(
        (&*seen[0].method, &*seen[0].target),
        ("PUT", "/_index_template/watchpost-logs")
    );
    let template: Value = serde_json::from_slice(&seen[0].body).unwrap();
    assert_eq!(template["index_patterns"], json!(["watchpost-logs-*"]));
    assert_eq!(seen.iter().filter(|it| it.method == "PUT").count(), 1);
}
