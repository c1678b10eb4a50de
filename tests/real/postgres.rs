//! A real `PostgreSQL`, queried with `psql`.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::{Instant, sleep, timeout};

use crate::process::{Process, Server};
use crate::{AnyError, Place};

#[derive(Debug)]
pub(crate) struct Postgres {
    /// The folder of its programs.
    programs: PathBuf,
    /// The folder of its database and socket.
    dir: PathBuf,
    pub(crate) server: Server,
}

impl Postgres {
    /// Starts it with the database that `tests/real/run` has created, and waits until it responds.
    pub(crate) async fn start(place: &Place, programs: PathBuf) -> Result<Self, AnyError> {
        let mut postgres = Self {
            programs,
            dir: place.dir.join("postgres"),
            server: Server::default(),
        };
        let log = place.dir.join("postgres.log");
        let owner = std::fs::metadata(&postgres.dir)?;
        let mut command = Command::new(postgres.programs.join("postgres"));
        command
            .arg("-D")
            .arg(&postgres.dir)
            .uid(owner.uid())
            .gid(owner.gid());
        let files = (log.as_path(), log.as_path());
        postgres.server.runs(Process::start(
            "postgres",
            &mut command,
            &place.pids,
            files,
        )?);
        let deadline = Instant::now() + Duration::from_secs(30);
        while let Err(error) = postgres.run(&["SELECT 1".to_owned()]).await {
            if Instant::now() > deadline {
                let log = std::fs::read_to_string(&log).unwrap_or_default();
                let last = log.lines().last().unwrap_or_default();
                return Err(format!("it did not start: {error}, {last}").into());
            }
            sleep(Duration::from_millis(50)).await;
        }
        Ok(postgres)
    }

    /// The URL of a database for a user.
    pub(crate) fn url(&self, user: &str, database: &str) -> String {
        let dir = self.dir.display().to_string().replace('/', "%2F");
        format!("postgres://{user}@localhost/{database}?host={dir}")
    }

    /// The settings of tokio-postgres for a user's database of the same name.
    pub(crate) fn options(&self, user: &str) -> tokio_postgres::Config {
        let mut options = tokio_postgres::Config::new();
        options.host_path(&self.dir).user(user).dbname(user);
        options
    }

    /// The number of statements of a user that the server has executed.
    pub(crate) async fn calls(&self, user: &str) -> Result<u64, AnyError> {
        let sum = format!(
            "SELECT coalesce(sum(calls), 0) FROM pg_stat_statements JOIN pg_roles ON pg_roles.oid = userid
             WHERE rolname = '{user}'"
        );
        Ok(self.run(&[sum]).await?.trim().parse()?)
    }

    /// Runs these statements in one session of `psql`, unchanged, and returns the output; continues after failures.
    pub(crate) async fn run(&self, commands: &[String]) -> Result<String, AnyError> {
        self.run_in("postgres", commands).await
    }

    /// The same in another database.
    pub(crate) async fn run_in(
        &self,
        database: &str,
        commands: &[String],
    ) -> Result<String, AnyError> {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["-X", "-q", "-A", "-t", "-U", "watchpost", "-d", database])
            .arg("-h")
            .arg(&self.dir)
            .args(commands.iter().flat_map(|command| ["-c", command]))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        for (key, _) in std::env::vars_os() {
            if key.to_string_lossy().starts_with("PG") {
                psql.env_remove(key);
            }
        }
        let within = Duration::from_secs(120);
        let output = timeout(within, psql.output()).await;
        let output = output.map_err(|_| format!("psql has not ended within {within:?}"))?;
        let Output {
            status,
            stdout,
            stderr,
        } = output.map_err(|error| format!("psql cannot be started: {error}"))?;
        // 2: there is no server, or the connection was lost.
        if status.code().is_none_or(|code| code > 1) {
            let message = String::from_utf8_lossy(&stderr);
            let last = message.lines().last().unwrap_or_default();
            return Err(format!("psql ended with {status}: {last}").into());
        }
        Ok(String::from_utf8(stdout)?)
    }
}
