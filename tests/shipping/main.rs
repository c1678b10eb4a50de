//! Log records in a real Elasticsearch and a real OpenSearch: outages, kills of the host, and what these servers refuse. The
//! set of all lines is asked of the server. `tests/real/run search` starts it; otherwise it does nothing.
//!
//! `WATCHPOST_SEARCH_LINES` is the number of lines of the outage.

mod host;
mod server;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tracing_subscriber::prelude::*;

use self::host::{Host, HostSetup, await_that, config, figure, log, monitor, result, settled};
use self::server::Server;

/// All indices of this crate.
const ALL: &str = "watchpost-logs-*";
/// The default number of lines of the outage.
const LINES: u64 = 20_000;

/// A check; returns what it has found.
type Check = fn(&Family) -> String;

/// A family of servers.
struct Family {
    name: &'static str,
    /// The script that starts one.
    start: PathBuf,
    /// The authority of its certificates, if it has security.
    authority: Option<PathBuf>,
    directory: PathBuf,
    lines: u64,
}

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() == Some("child") {
        host::run_child(args);
    }
    let path = |name: &str| {
        std::env::var(name)
            .ok()
            .filter(|it| !it.is_empty())
            .map(PathBuf::from)
    };
    let Some(directory) = path("WATCHPOST_REAL_DIR") else {
        return ExitCode::SUCCESS;
    };
    let lines = std::env::var("WATCHPOST_SEARCH_LINES")
        .ok()
        .and_then(|it| it.parse().ok());
    let family = |name, start: PathBuf, has_security: bool| Family {
        name,
        authority: has_security.then(|| start.with_file_name("ca.pem")),
        start,
        directory: directory.join(name),
        lines: lines.unwrap_or(LINES),
    };
    let families = [
        path("WATCHPOST_REAL_ELASTICSEARCH").map(|it| family("elasticsearch", it, true)),
        path("WATCHPOST_REAL_OPENSEARCH").map(|it| family("opensearch", it, false)),
    ];
    let (mut passed, mut failed) = (0, 0);
    for family in families.into_iter().flatten() {
        std::fs::create_dir_all(&family.directory).expect("a folder");
        let checks: [(&str, Check); 5] = [
            ("outage", outage),
            ("refusals", refusals),
            ("limits", limits),
            ("streams", streams),
            ("keys", keys),
        ];
        for (name, check) in checks {
            let begun = Instant::now();
            if let Ok(told) = catch_unwind(AssertUnwindSafe(|| check(&family))) {
                passed += 1;
                let seconds = begun.elapsed().as_secs();
                println!("passed: {} {name}, {told} ({seconds} s)", family.name);
            } else {
                failed += 1;
                println!("failed: {} {name}", family.name);
            }
        }
    }
    println!("{passed} passed, {failed} failed, 0 skipped");
    ExitCode::from(u8::from(failed > 0))
}

impl Family {
    fn server(&self, check: &str, settings: &[&str]) -> Server {
        let directory = self.directory.join(check);
        let off: &[&str] = if self.authority.is_some() {
            &[
                "xpack.security.enabled=false",
                "xpack.security.http.ssl.enabled=false",
            ]
        } else {
            &[]
        };
        Server::start(&self.start, &directory, &[off, settings].concat(), None)
    }

    fn data(&self, check: &str) -> PathBuf {
        let directory = self.directory.join(format!("{check}-host"));
        std::fs::create_dir_all(&directory).expect("a folder");
        directory
    }
}

/// Every number once.
fn assert_each_once(server: &Server, expected: impl Iterator<Item = u64>) -> usize {
    let mut times = BTreeMap::new();
    for n in server.numbers(ALL) {
        *times.entry(n).or_insert(0_u32) += 1;
    }
    let twice: Vec<_> = times
        .iter()
        .filter(|it| *it.1 != 1)
        .map(|it| *it.0)
        .take(10)
        .collect();
    assert!(twice.is_empty(), "not once: {twice:?}");
    let lost: Vec<_> = expected
        .filter(|n| !times.contains_key(n))
        .take(10)
        .collect();
    assert!(lost.is_empty(), "not there: {lost:?}");
    times.len()
}

fn assert_books(monitor: &watchpost::Monitor) {
    let reasons = [
        "send_error",
        "too_large",
        "truncated",
        "queue_overflow",
        "shutdown",
    ];
    let dropped: u64 = reasons.into_iter().map(|it| result(monitor, it)).sum();
    let waiting = figure(monitor, "watchpost_elasticsearch_waiting");
    assert_eq!(
        result(monitor, "emitted"),
        result(monitor, "delivered") + waiting + dropped
    );
}

/// A host is killed while it ships, while the server is down and while it hangs; then an index is blocked. Every line that
/// was synced is in the server exactly once.
fn outage(family: &Family) -> String {
    let mut server = family.server("outage", &[]);
    let directory = family.data("outage");
    let setup = HostSetup {
        directory: directory.clone(),
        url: server.url(),
    };
    let quarter = family.lines / 4;
    let mut acknowledged = Vec::new();
    // Killed while it ships.
    let mut host = Host::start(&setup, 0, quarter);
    let synced = host.await_synced(quarter / 2);
    await_that("something arrives", || {
        server
            .ask("GET", &format!("/{ALL}/_count"), "")
            .is_some_and(|it| it["count"].as_u64() > Some(0))
    });
    acknowledged.push(0..host.kill(synced));
    // Killed while the server is down.
    server.stop();
    let mut host = Host::start(&setup, quarter, 2 * quarter);
    let synced = host.await_synced(2 * quarter);
    acknowledged.push(quarter..host.kill(synced));
    // Killed while the server hangs.
    server.run(&[]);
    server.signal("STOP");
    let mut host = Host::start(&setup, 2 * quarter, 3 * quarter);
    let synced = host.await_synced(3 * quarter);
    acknowledged.push(2 * quarter..host.kill(synced));
    server.signal("CONT");
    // A blocked index, as a full disk of the server causes it.
    let last = monitor(&directory, config(&server.url()));
    log(&last, 3 * quarter..3 * quarter + 1);
    settled(&last);
    server.must(
        "PUT",
        &format!("/{ALL}/_settings"),
        r#"{"index.blocks.read_only_allow_delete":true}"#,
    );
    log(&last, 3 * quarter + 1..4 * quarter);
    await_that("documents wait", || {
        figure(&last, "watchpost_elasticsearch_failed_requests_total") > 0
    });
    assert!(figure(&last, "watchpost_elasticsearch_waiting") > 0);
    server.must(
        "PUT",
        &format!("/{ALL}/_settings"),
        r#"{"index.blocks.read_only_allow_delete":null}"#,
    );
    settled(&last);
    assert_books(&last);
    for reason in ["send_error", "too_large", "truncated"] {
        assert_eq!(result(&last, reason), 0, "{reason}");
    }
    acknowledged.push(3 * quarter..4 * quarter);
    let expected: u64 = acknowledged.iter().map(|it| it.end - it.start).sum();
    let found = assert_each_once(&server, acknowledged.into_iter().flatten());
    let repeated = figure(&last, "watchpost_elasticsearch_repeated_total");
    format!(
        "{expected} synced lines, {found} found, each once; {repeated} of the last host repeated"
    )
}

/// Logs a field with two types.
fn log_clash(monitor: &watchpost::Monitor) {
    let subscriber = tracing_subscriber::registry().with(monitor.tracing_layer());
    tracing::subscriber::with_default(subscriber, || {
        tracing::info!(clash = 7, "a number");
        tracing::info!(clash = "no number", "a text");
        tracing::info!(clash = 8, "a number again");
    });
    assert!(monitor.flush_blocking(host::PATIENCE).expect("no error"));
}

fn dead_letters(directory: &Path) -> Vec<Value> {
    let text =
        std::fs::read_to_string(directory.join("logs/elasticsearch.dead.log")).unwrap_or_default();
    text.lines()
        .map(|it| serde_json::from_str(it).expect(it))
        .collect()
}

/// A mapping conflict and an index that may not be created are dead letters with the server's reason. What can be created is.
fn refusals(family: &Family) -> String {
    let mut server = family.server("refusals", &[]);
    let directory = family.data("refusals");
    let first = monitor(&directory, config(&server.url()));
    log(&first, 0..1);
    settled(&first);
    log_clash(&first);
    await_that("it counts as dropped", || result(&first, "send_error") == 1);
    settled(&first);
    assert_books(&first);
    let letters = dead_letters(&directory);
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0]["status"], 400);
    let kind = letters[0]["error.type"]
        .as_str()
        .expect("a type")
        .to_owned();
    assert!(kind.ends_with("parsing_exception"), "{kind}");
    // The names of the schema arrive as fields.
    server.must("POST", &format!("/{ALL}/_refresh"), "");
    let found = server.must(
        "POST",
        &format!("/{ALL}/_search"),
        r#"{"query":{"term":{"log.level":"info"}},"size":1}"#,
    );
    assert_eq!(
        found["hits"]["hits"][0]["_source"]["service.name"], "ships",
        "{found}"
    );
    drop(first);
    // An index that the server does not create by itself.
    // By its name: a pattern is not allowed.
    let indices = server.must("GET", &format!("/{ALL}/_settings"), "");
    for index in indices.as_object().expect("indices").keys() {
        server.must("DELETE", &format!("/{index}"), "");
    }
    server.stop();
    server.run(&["action.auto_create_index=-watchpost*,+*"]);
    let second = monitor(&directory, config(&server.url()));
    log(&second, 10..20);
    settled(&second);
    assert_books(&second);
    assert_eq!(result(&second, "send_error"), 0);
    assert_eq!(assert_each_once(&server, 10..20), 10);
    format!("{kind} is a dead letter, an index is created once")
}

/// A server that takes 100 kB at once, and one line at a time.
fn limits(family: &Family) -> String {
    let server = family.server(
        "limits",
        &[
            "http.max_content_length=100kb",
            "thread_pool.write.size=1",
            "thread_pool.write.queue_size=1",
        ],
    );
    let directory = family.data("limits");
    let shipping = monitor(&directory, config(&server.url()));
    let lines = 3000;
    log(&shipping, 0..lines);
    // Others fill the queue of the server meanwhile.
    let bulk: String = (0..50)
        .map(|n| format!("{{\"index\":{{\"_index\":\"other\"}}}}\n{{\"m\":{n}}}\n"))
        .collect();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..5).for_each(|_| drop(server.ask("POST", "/_bulk", &bulk))));
        }
        log(&shipping, lines..2 * lines);
    });
    settled(&shipping);
    assert_books(&shipping);
    assert_eq!(
        result(&shipping, "too_large") + result(&shipping, "send_error"),
        0
    );
    let found = assert_each_once(&server, 0..2 * lines);
    let failed = figure(&shipping, "watchpost_elasticsearch_failed_requests_total");
    format!("{found} lines in requests of less than 100 kB, {failed} of them failed")
}

/// A data stream with the index template.
fn streams(family: &Family) -> String {
    let server = family.server("streams", &[]);
    let directory = family.data("streams");
    let config = config(&server.url())
        .index("ships-stream")
        .data_stream(true)
        .template(true);
    let shipping = monitor(&directory, config);
    log(&shipping, 0..1000);
    log_clash(&shipping);
    settled(&shipping);
    assert_books(&shipping);
    // With the template a value of another type is kept.
    assert_eq!(
        result(&shipping, "send_error"),
        0,
        "{:?}",
        dead_letters(&directory)
    );
    let emitted = result(&shipping, "emitted");
    assert_eq!(server.count("ships-stream"), emitted);
    let mapping = server.must("GET", "/ships-stream/_mapping", "");
    let (backing, mapping) = mapping
        .as_object()
        .and_then(|it| it.iter().next())
        .expect("an index");
    assert!(backing.starts_with(".ds-ships-stream-"), "{backing}");
    let properties = &mapping["mappings"]["properties"];
    assert_eq!(properties["log"]["properties"]["level"]["type"], "keyword");
    assert_eq!(
        properties["event"]["properties"]["duration"]["type"],
        "long"
    );
    format!("{emitted} documents in {backing}")
}

/// A wrong key and a user without privileges lose nothing. With the right key everything arrives.
fn keys(family: &Family) -> String {
    let Some(authority) = &family.authority else {
        return "this server has no security, so there is nothing to check".to_owned();
    };
    let on = [
        "xpack.security.enabled=true",
        "xpack.security.http.ssl.enabled=true",
    ];
    let directory = family.directory.join("keys");
    let server = Server::start(&family.start, &directory, &on, Some(authority));
    let role = json!({"name": "ships", "role_descriptors": {"ships": {"cluster": ["monitor"],
        "index": [{"names": [ALL], "privileges": ["create_doc", "auto_configure"]}]}}});
    let key = server.must("POST", "/_security/api_key", &role.to_string());
    let key = key["encoded"].as_str().expect("a key").to_owned();
    let data = family.data("keys");
    let of = |key: &str| config(&server.url()).certificate(authority).api_key(key);
    let wrong = monitor(&data, of("d3Jvbmc6d3Jvbmc="));
    log(&wrong, 0..10);
    await_that("a request fails", || {
        figure(&wrong, "watchpost_elasticsearch_failed_requests_total") > 0
    });
    assert_eq!(
        result(&wrong, "delivered") + result(&wrong, "send_error"),
        0
    );
    drop(wrong);
    let right = monitor(&data, of(&key));
    log(&right, 10..20);
    settled(&right);
    assert_books(&right);
    assert_eq!(assert_each_once(&server, 0..20), 20);
    drop(right);
    let user = config(&server.url())
        .certificate(authority)
        .username("admin")
        .password("s3cret");
    let basic = monitor(&data, user);
    log(&basic, 20..30);
    settled(&basic);
    assert_books(&basic);
    assert_eq!(assert_each_once(&server, 0..30), 30);
    drop(basic);
    // The public authorities did not sign this certificate.
    let untrusted = monitor(&data, config(&server.url()).api_key(key));
    log(&untrusted, 30..31);
    await_that("a request fails", || {
        figure(&untrusted, "watchpost_elasticsearch_failed_requests_total") > 0
    });
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(result(&untrusted, "delivered"), 0);
    "an API key, a user and an own authority; a wrong key loses nothing".to_owned()
}
