//! A service as a process: its output at the start, and how it ends after a signal.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use watchpost::{Access, Monitor};

#[path = "support/http.rs"]
mod http_client;
#[path = "support/skip.rs"]
mod skip;

use http_client::http_get;

const RUNTIME: &str = "START_AND_STOP_RUNTIME";
/// What the service prints when a request is in its slow handler.
const IN_SLOW: &str = "in the slow handler";
const TOKEN: &str = "9f86d081884c7d659a2feaa0c55ad015";

/// With the variable, the program is the service; without it, it runs the tests, which start the service.
fn main() {
    if let Some(runtime) = std::env::var_os(RUNTIME) {
        return service(&runtime);
    }
    for (name, test) in TESTS {
        if let Some(reason) = cannot_run(name) {
            skip::skip(name, reason);
            continue;
        }
        test();
        println!("passed: {name}");
    }
}

/// Why a test cannot run on this system, if it cannot.
fn cannot_run(name: &str) -> Option<&'static str> {
    match name {
        "a_captured_error_respects_the_memory_limit" if !cfg!(target_os = "linux") => {
            Some("this system does not report how much memory is left below a limit")
        }
        "standard_output_that_refuses_every_write_is_a_warning_at_once"
            if !std::path::Path::new("/dev/full").exists() =>
        {
            Some("there is no /dev/full")
        }
        _ => None,
    }
}

const TESTS: [(&str, fn()); 7] = [
    (
        "a_captured_error_respects_the_memory_limit",
        a_captured_error_respects_the_memory_limit,
    ),
    (
        "either_signal_ends_an_unprobed_service_at_once",
        either_signal_ends_an_unprobed_service_at_once,
    ),
    (
        "a_probed_service_responds_503_before_it_ends_within_ten_seconds",
        a_probed_service_responds_503_before_it_ends_within_ten_seconds,
    ),
    (
        "a_generated_token_is_printed_on_standard_error_only",
        a_generated_token_is_printed_on_standard_error_only,
    ),
    (
        "a_data_directory_that_cannot_be_used_is_a_warning_at_once",
        a_data_directory_that_cannot_be_used_is_a_warning_at_once,
    ),
    (
        "standard_output_that_refuses_every_write_is_a_warning_at_once",
        standard_output_that_refuses_every_write_is_a_warning_at_once,
    ),
    (
        "a_damaged_file_of_stored_errors_is_a_warning_until_it_is_removed",
        a_damaged_file_of_stored_errors_is_a_warning_until_it_is_removed,
    ),
];

fn service(runtime: &std::ffi::OsStr) {
    if runtime == "capture" {
        return capture();
    }
    let mut builder = if runtime == "current" {
        tokio::runtime::Builder::new_current_thread()
    } else {
        tokio::runtime::Builder::new_multi_thread()
    };
    let code = builder.enable_all().build().unwrap().block_on(serve());
    std::process::exit(code);
}

async fn serve() -> i32 {
    let monitor = Monitor::builder("service").install().unwrap();
    let own = monitor.serve("127.0.0.1:0").unwrap();
    let slow = || async {
        eprintln!("{IN_SLOW}");
        tokio::time::sleep(Duration::from_millis(700)).await;
        "slow"
    };
    let app = Router::new()
        .route("/slow", get(slow))
        .route_service("/readyz", monitor.health().readyz())
        .route_service(
            "/health",
            monitor
                .health()
                .details(Access::token_env("WATCHPOST_TOKEN")),
        )
        .layer(monitor.layer());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stop = monitor.drain(watchpost::shutdown_signal());
    let (host, port) = (listener.local_addr().unwrap(), own.local_addr());
    eprintln!("listens {host} {port}");
    axum::serve(listener, app)
        .with_graceful_shutdown(stop)
        .await
        .unwrap();
    let report = monitor.shutdown(Duration::from_secs(3)).await;
    eprintln!("{report}");
    i32::from(!report.is_complete())
}

/// Captures errors at three locations of one function and prints the number of groups and frames.
fn capture() {
    let monitor = Monitor::builder("service").install().unwrap();
    let error = std::io::Error::other("one");
    for _ in 0..20 {
        monitor.capture_error(&error);
        monitor.capture_error(&error);
        watchpost::capture_error(&error);
    }
    // Backtraces are resolved independently of the records.
    let deadline = Instant::now() + Duration::from_secs(20);
    let first = || monitor.error_groups()[0].sample.clone();
    assert!(monitor.flush_blocking(Duration::from_secs(10)).unwrap());
    while first().is_none_or(|event| event.frames.is_empty())
        && !monitor
            .report()
            .notices
            .iter()
            .any(|it| it.contains("have no frames"))
        && Instant::now() < deadline
    {
        thread::sleep(Duration::from_millis(10));
    }
    let groups = monitor.error_groups();
    let named: Vec<_> = groups
        .iter()
        .filter_map(|it| it.sample.as_ref())
        .flat_map(|it| &it.frames)
        .collect();
    if let Some(frame) = named
        .iter()
        .find(|frame| frame.function.contains("capture"))
    {
        assert!(frame.in_app, "{frame:?}");
    }
    println!("groups {} frames {}", groups.len(), named.len());
}

struct Service {
    child: Child,
    host: SocketAddr,
    own: SocketAddr,
    errors: mpsc::Receiver<String>,
    /// The lines on standard error before the service listens.
    before: String,
}

impl Service {
    #[expect(
        clippy::zombie_processes,
        reason = "a test that panics here ends the whole program"
    )]
    fn start(runtime: &str, variables: &[(&str, &str)], stdout: Stdio) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        for (name, _) in std::env::vars() {
            if name.starts_with("WATCHPOST_") || name.starts_with("OTEL_") {
                command.env_remove(name);
            }
        }
        let mut child = command
            .env(RUNTIME, runtime)
            .envs(variables.iter().copied())
            .stdout(stdout)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (send, errors) = mpsc::channel();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                drop(send.send(line));
            }
        });
        let mut before = String::new();
        loop {
            let line = errors.recv_timeout(Duration::from_secs(30));
            let line = line.unwrap_or_else(|_| panic!("it did not start: {before}"));
            if let Some((host, own)) = line
                .strip_prefix("listens ")
                .and_then(|it| it.split_once(' '))
            {
                let (host, own) = (host.parse().unwrap(), own.parse().unwrap());
                return Self {
                    child,
                    host,
                    own,
                    errors,
                    before,
                };
            }
            before.push_str(&line);
            before.push('\n');
        }
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().cast_signed()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Waits until the service prints a line on standard error.
    fn await_line(&self, wanted: &str) {
        let patience = Duration::from_secs(10);
        while self.errors.recv_timeout(patience).unwrap() != wanted {}
    }

    /// Waits for the end. Returns the time that it took, whether the status is a success, standard output and standard error.
    fn end(mut self) -> (Duration, bool, String, String) {
        let start = Instant::now();
        let mut stdout = String::new();
        if let Some(mut pipe) = self.child.stdout.take() {
            pipe.read_to_string(&mut stdout).unwrap();
        }
        let status = self.child.wait().unwrap();
        let took = start.elapsed();
        let rest: Vec<String> = self.errors.iter().collect();
        (
            took,
            status.success(),
            stdout,
            self.before + &rest.join("\n"),
        )
    }

    /// The detailed health page, once `good` returns true for it.
    fn health_until(&self, token: &str, good: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let headers = format!("authorization: Bearer {token}\r\n");
            let page = http_get(self.own, "/health", &headers);
            let json: Value = serde_json::from_str(page.split_once("\r\n\r\n").unwrap().1).unwrap();
            if good(&json) {
                return json;
            }
            assert!(Instant::now() < deadline, "{json}");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

fn a_captured_error_respects_the_memory_limit() {
    // Limits in kilobytes, from one in which the program's symbols may not fit to none. Each further arena of the allocator
    // takes 64 MiB of the address space.
    for (limit, arenas, named) in [
        ("200000", "1", Some(false)),
        ("400000", "", None),
        ("unlimited", "", Some(true)),
    ] {
        let program = std::env::current_exe().unwrap();
        let output = Command::new("sh")
            .args(["-c", "ulimit -v $1; exec \"$0\""])
            .arg(program)
            .arg(limit)
            .env(RUNTIME, "capture")
            .env("MALLOC_ARENA_MAX", arenas)
            .output()
            .unwrap();
        let stdout = String::from_utf8_lossy(&output.stdout);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{limit}: {stderr}\n{stdout}");
        assert!(stdout.contains("groups 1 "), "{stdout}");
        let frames = !stdout.contains("frames 0\n");
        assert!(
            named.is_none_or(|named| named == frames),
            "{limit}: {stdout}"
        );
        // Either there are frames, or a notice gives the reason.
        assert_eq!(
            stdout.contains("backtraces have no frames"),
            !frames,
            "{limit}: {stdout}"
        );
    }
}

fn either_signal_ends_an_unprobed_service_at_once() {
    for (signal, runtime) in [
        (Signal::TERM, "multi"),
        (Signal::INT, "multi"),
        (Signal::TERM, "current"),
        (Signal::INT, "current"),
    ] {
        let service = Service::start(runtime, &[], Stdio::piped());
        // A request in progress is completed.
        let host = service.host;
        let slow = thread::spawn(move || http_get(host, "/slow", ""));
        service.await_line(IN_SLOW);
        service.signal(signal);
        let (took, well, stdout, stderr) = service.end();
        assert!(well, "{signal:?} {runtime}: {stderr}");
        // `drain.wait` is 3 s.
        assert!(
            took < Duration::from_millis(2900),
            "{signal:?} {runtime}: {took:?}"
        );
        assert!(slow.join().unwrap().ends_with("slow"));
        assert!(stdout.contains("\"url.path\":\"/slow\""), "{stdout}");
    }
}

fn a_probed_service_responds_503_before_it_ends_within_ten_seconds() {
    let service = Service::start("multi", &[], Stdio::piped());
    assert!(http_get(service.host, "/readyz", "").ends_with("ok"));
    service.signal(Signal::TERM);
    let deadline = Instant::now() + Duration::from_secs(2);
    while !http_get(service.host, "/readyz", "").ends_with("draining") {
        assert!(Instant::now() < deadline);
    }
    // It still serves requests meanwhile.
    assert!(http_get(service.host, "/slow", "").ends_with("slow"));
    let (took, well, _, stderr) = service.end();
    assert!(well, "{stderr}");
    assert!(
        took > Duration::from_secs(1) && took < Duration::from_secs(9),
        "{took:?}"
    );
}

fn a_generated_token_is_printed_on_standard_error_only() {
    for (name, value) in [
        ("WATCHPOST_TOKEN", "your-token-goes-here-8fj3k2l1m5n6b"),
        ("WATCHPOST_TOKEN", "changeme-changeme-changeme-changeme"),
        (
            "WATCHPOST_ACCESS_TOKEN",
            "changeme-changeme-changeme-changeme",
        ),
        ("UNRELATED", ""),
    ] {
        let service = Service::start("multi", &[(name, value)], Stdio::piped());
        let own_name = if name == "WATCHPOST_ACCESS_TOKEN" {
            name
        } else {
            "WATCHPOST_TOKEN"
        };
        let (token, json) = own_token(&service, own_name);
        assert_eq!(json["serviceId"], "service", "{json}");
        let weak = format!("authorization: Bearer {value}\r\n");
        assert!(http_get(service.own, "/health", &weak).ends_with("{\"status\":\"pass\"}"));
        service.signal(Signal::TERM);
        let (_, well, stdout, stderr) = service.end();
        assert!(well, "{stderr}");
        assert!(!stdout.contains(&token), "{stdout}");
        assert!(
            stdout.contains(own_name) && stdout.contains("standard error"),
            "{stdout}"
        );
        assert!(value.is_empty() || !stdout.contains(value) && !stderr.contains(value));
    }
}

/// The token on standard error that opens the page of the own port, and that page. The host's page may have another token.
fn own_token(service: &Service, name: &str) -> (String, Value) {
    let mut line = service.before.clone();
    loop {
        let tokens = line.lines().filter(|line| line.contains(name));
        let tokens = tokens.filter_map(|line| line.split_once("the token is "));
        for (_, token) in tokens {
            let token = token.trim().to_owned();
            let headers = format!("authorization: Bearer {token}\r\n");
            let page = http_get(service.own, "/health", &headers);
            let json: Value = serde_json::from_str(page.split_once("\r\n\r\n").unwrap().1).unwrap();
            if !json["checks"].is_null() {
                return (token, json);
            }
        }
        line = service
            .errors
            .recv_timeout(Duration::from_secs(10))
            .unwrap();
    }
}

fn a_data_directory_that_cannot_be_used_is_a_warning_at_once() {
    let temporary = tempfile::tempdir().unwrap();
    let file = temporary.path().join("file");
    fs::write(&file, "no directory").unwrap();
    let (dangling, below) = (temporary.path().join("dangling"), file.join("below"));
    symlink(temporary.path().join("nowhere/at/all"), &dangling).unwrap();
    for path in [file, dangling, below] {
        let variables = [
            ("WATCHPOST_DATA_DIR", path.to_str().unwrap()),
            ("WATCHPOST_TOKEN", TOKEN),
        ];
        let service = Service::start("multi", &variables, Stdio::piped());
        let json = service.health_until(TOKEN, |json| json["status"] == "warn");
        let entry = &json["checks"]["data directory"][0];
        assert_eq!(entry["status"], "warn", "{json}");
        let output = entry["output"].as_str().unwrap();
        assert!(
            output.contains(path.to_str().unwrap()) && output.contains("nothing is kept on disk"),
            "{output}"
        );
        service.signal(Signal::TERM);
        assert!(service.end().1);
    }
}

fn standard_output_that_refuses_every_write_is_a_warning_at_once() {
    // Every write to this file fails as on a full disk.
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let service = Service::start("multi", &[("WATCHPOST_TOKEN", TOKEN)], full.into());
    assert!(http_get(service.host, "/slow", "").ends_with("slow"));
    let json = service.health_until(TOKEN, |json| {
        json["checks"]["console"][0]["status"] == "warn"
    });
    let output = json["checks"]["console"][0]["output"].as_str().unwrap();
    assert!(output.contains("refused"), "{output}");
    assert_eq!(json["status"], "warn", "{json}");
    service.signal(Signal::TERM);
    // Its records are dropped and counted, so the shutdown report is not complete.
    let (_, _, _, stderr) = service.end();
    assert!(stderr.contains("io"), "{stderr}");
}

fn a_damaged_file_of_stored_errors_is_a_warning_until_it_is_removed() {
    let temporary = tempfile::tempdir().unwrap();
    let errors = temporary.path().join("errors");
    {
        let monitor = Monitor::builder("before")
            .env(false)
            .console(false)
            .data_dir(temporary.path());
        let monitor = monitor.build().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let stored = runtime.block_on(monitor.capture_error_durable(&std::io::Error::other("one")));
        assert!(stored.is_stored());
        assert!(
            monitor
                .shutdown_blocking(Duration::from_secs(5))
                .unwrap()
                .is_complete()
        );
    }
    let files = || {
        fs::read_dir(&errors)
            .unwrap()
            .map(|entry| entry.unwrap().path())
    };
    let is = |path: &std::path::Path, part| path.to_string_lossy().contains(part);
    for path in files().filter(|path| is(path, ".seg")) {
        fs::write(path, [0x5a; 100]).unwrap();
    }
    let data_dir = temporary.path().to_str().unwrap();
    let variables = [("WATCHPOST_DATA_DIR", data_dir), ("WATCHPOST_TOKEN", TOKEN)];
    for round in 0..2 {
        let service = Service::start("multi", &variables, Stdio::piped());
        let json = service.health_until(TOKEN, |json| {
            json["checks"]["errors.store"][0]["status"] == "warn"
        });
        let output = json["checks"]["errors.store"][0]["output"]
            .as_str()
            .unwrap();
        assert!(output.contains("damaged"), "{output}");
        service.signal(Signal::TERM);
        let (_, well, stdout, _) = service.end();
        assert!(well);
        // The notice is written once, the warning stays.
        assert_eq!(
            stdout.contains("is damaged and was set aside"),
            round == 0,
            "{stdout}"
        );
    }
    for path in files().filter(|path| is(path, ".corrupt-")) {
        fs::remove_file(path).unwrap();
    }
    let service = Service::start("multi", &variables, Stdio::piped());
    service.health_until(TOKEN, |json| {
        json["checks"]["errors.store"][0]["status"] == "pass"
    });
    service.signal(Signal::TERM);
    assert!(service.end().1);
}
