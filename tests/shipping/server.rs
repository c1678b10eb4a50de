use std::fs::File;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long a server may take until it answers.
const START: Duration = Duration::from_secs(300);

/// A real server. Dropping it ends it.
pub(crate) struct Server {
    start: PathBuf,
    directory: PathBuf,
    pub(crate) port: u16,
    /// The settings of each start.
    settings: Vec<String>,
    /// The authority of its certificate, with TLS.
    authority: Option<PathBuf>,
    child: Option<Child>,
}

impl Server {
    /// Starts a server that has its documents in a folder. With an authority it has TLS, and the user `admin`.
    pub(crate) fn start(
        start: &Path,
        directory: &Path,
        settings: &[&str],
        authority: Option<&Path>,
    ) -> Self {
        let port = TcpListener::bind(("127.0.0.1", 0))
            .expect("a port")
            .local_addr()
            .expect("one")
            .port();
        let mut server = Self {
            start: start.to_owned(),
            directory: directory.to_owned(),
            port,
            settings: settings.iter().map(|it| (*it).to_owned()).collect(),
            authority: authority.map(Path::to_owned),
            child: None,
        };
        server.run(&[]);
        server
    }

    pub(crate) fn url(&self) -> String {
        let scheme = if self.authority.is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// Starts it, with further settings, and waits until it answers.
    pub(crate) fn run(&mut self, settings: &[&str]) {
        let log = self.directory.with_extension("log");
        let log = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .expect("its log");
        let child = Command::new(&self.start)
            .arg(self.port.to_string())
            .arg(&self.directory)
            .args(&self.settings)
            .args(settings)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("its log"))
            .stderr(log)
            .process_group(0)
            .spawn()
            .expect("the server");
        // For the script that ends what is left.
        if let Some(directory) = std::env::var_os("WATCHPOST_REAL_DIR") {
            let pids = PathBuf::from(directory).join("pids");
            let mut pids = File::options()
                .create(true)
                .append(true)
                .open(pids)
                .expect("the list of processes");
            writeln!(pids, "{}", child.id()).expect("written");
        }
        self.child = Some(child);
        let begun = Instant::now();
        loop {
            let health = self.ask(
                "GET",
                "/_cluster/health?wait_for_status=yellow&timeout=1s",
                "",
            );
            if health.is_some_and(|it| it["timed_out"] == false) {
                return;
            }
            assert!(
                begun.elapsed() < START,
                "the server does not answer: see {}",
                self.directory.with_extension("log").display()
            );
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    /// Ends it as an operator does.
    pub(crate) fn stop(&mut self) {
        self.signal("TERM");
        if let Some(mut child) = self.child.take() {
            child.wait().expect("its end");
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        if let Some(child) = &self.child {
            let sent = Command::new("kill")
                .arg(format!("-{name}"))
                .arg(child.id().to_string())
                .status();
            assert!(sent.expect("kill").success());
        }
    }

    /// The answer to a request, as JSON; `None` if there is none.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> Option<Value> {
        self.ask_as("admin:s3cret", method, path, body)
    }

    fn ask_as(&self, user: &str, method: &str, path: &str, body: &str) -> Option<Value> {
        let mut curl = Command::new("curl");
        curl.args([
            "-s",
            "--max-time",
            "30",
            "-X",
            method,
            "-H",
            "content-type: application/json",
        ]);
        if let Some(authority) = &self.authority {
            curl.arg("--cacert").arg(authority).args(["-u", user]);
        }
        if !body.is_empty() {
            curl.args(["-d", body]);
        }
        let output = curl
            .arg(format!("{}{path}", self.url()))
            .output()
            .expect("curl");
        serde_json::from_slice(&output.stdout).ok()
    }

    /// As [`ask`](Self::ask); the request must succeed.
    pub(crate) fn must(&self, method: &str, path: &str, body: &str) -> Value {
        let answer = self.ask(method, path, body);
        let answer = answer.unwrap_or_else(|| panic!("no answer to {method} {path}"));
        assert!(answer.get("error").is_none(), "{method} {path}: {answer}");
        answer
    }

    /// The numbers `n` of all documents of these indices, in their order. A number that is there twice comes twice.
    pub(crate) fn numbers(&self, indices: &str) -> Vec<u64> {
        self.must("POST", &format!("/{indices}/_refresh"), "");
        let mut numbers = Vec::new();
        let mut after = String::new();
        loop {
            let body = format!(
                r#"{{"size":10000,"_source":false,"query":{{"exists":{{"field":"n"}}}},"sort":[{{"n":"asc"}},{{"_seq_no":"asc"}}]{after}}}"#
            );
            let page = self.must("POST", &format!("/{indices}/_search"), &body);
            let hits = page["hits"]["hits"].as_array().expect("hits").clone();
            let Some(last) = hits.last() else {
                let query = r#"{"query":{"exists":{"field":"n"}}}"#;
                let count =
                    self.must("POST", &format!("/{indices}/_count"), query)["count"].clone();
                assert_eq!(
                    count.as_u64(),
                    Some(numbers.len() as u64),
                    "pages leave documents out"
                );
                return numbers;
            };
            numbers.extend(hits.iter().filter_map(|it| it["sort"][0].as_u64()));
            after = format!(r#","search_after":{}"#, last["sort"]);
        }
    }

    /// The number of all documents of these indices.
    pub(crate) fn count(&self, indices: &str) -> u64 {
        self.must("POST", &format!("/{indices}/_refresh"), "");
        self.must("GET", &format!("/{indices}/_count"), "")["count"]
            .as_u64()
            .expect("a count")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended already.
            drop(child.kill());
            drop(child.wait());
        }
    }
}
