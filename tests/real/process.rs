//! Processes that the checks start. Their IDs are written to a file, so that `tests/real/run` can end the remaining ones.

use std::fs::OpenOptions;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::AnyError;

/// A process in a group of its own, so that signals reach its children as well.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
}

impl Process {
    /// Starts it; standard output and standard error are appended to two files.
    pub(crate) fn start(
        name: &str,
        command: &mut Command,
        pids: &Path,
        (out, err): (&Path, &Path),
    ) -> Result<Self, AnyError> {
        // Without the settings of the calling shell.
        for (key, _) in std::env::vars_os() {
            let key_text = key.to_string_lossy();
            let is_a_setting = ["OTEL_", "WATCHPOST_", "DATABASE_URL", "GENERATOR_URL"];
            if is_a_setting.iter().any(|begin| key_text.starts_with(begin)) {
                let given = command.as_std().get_envs().any(|(given, _)| given == key);
                if !given {
                    command.env_remove(key);
                }
            }
        }
        command.as_std_mut().process_group(0);
        let file = |path: &Path| OpenOptions::new().create(true).append(true).open(path);
        let child = command
            .stdin(Stdio::null())
            .stdout(file(out)?)
            .stderr(file(err)?)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("{name} cannot be started: {error}"))?;
        let mut pids = file(pids)?;
        writeln!(pids, "{}", child.id().unwrap_or_default())?;
        let name = name.to_owned();
        Ok(Self { name, child })
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<(), AnyError> {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        let id = id.and_then(Pid::from_raw);
        kill_process_group(id.ok_or("it has ended")?, signal)?;
        Ok(())
    }

    /// Sends a signal and waits for the end.
    pub(crate) async fn end(
        mut self,
        signal: Signal,
        within: Duration,
    ) -> Result<ExitStatus, AnyError> {
        self.signal(signal)?;
        let ended = timeout(within, self.child.wait()).await;
        Ok(ended.map_err(|_| format!("{} has not ended within {within:?}", self.name))??)
    }

    /// Waits until `seen` finds something in a file of the process.
    pub(crate) async fn wait_for<T>(
        &mut self,
        file: &PathBuf,
        seen: impl Fn(&str) -> Option<T>,
    ) -> Result<T, AnyError> {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let text = std::fs::read_to_string(file).unwrap_or_default();
            if let Some(seen) = seen(&text) {
                return Ok(seen);
            }
            let ended = self.child.try_wait()?;
            if ended.is_some() || Instant::now() > deadline {
                let last = text.lines().last().unwrap_or_default();
                return Err(format!("{} did not start ({ended:?}): {last}", self.name).into());
            }
            sleep(Duration::from_millis(50)).await;
        }
    }
}

/// A server that can be stopped and restarted.
#[derive(Debug, Default)]
pub(crate) struct Server(Option<Process>);

impl Server {
    pub(crate) fn runs(&mut self, process: Process) {
        self.0 = Some(process);
    }

    /// Ends it as a service manager would.
    pub(crate) async fn stop(&mut self) -> Result<(), AnyError> {
        self.end(Signal::TERM).await
    }

    /// Sends SIGINT: `PostgreSQL` closes its connections and does not wait for them.
    pub(crate) async fn interrupt(&mut self) -> Result<(), AnyError> {
        self.end(Signal::INT).await
    }

    /// Kills it.
    pub(crate) async fn kill(&mut self) -> Result<(), AnyError> {
        self.end(Signal::KILL).await
    }

    async fn end(&mut self, signal: Signal) -> Result<(), AnyError> {
        let process = self.0.take().ok_or("it does not run")?;
        process.end(signal, Duration::from_secs(40)).await?;
        Ok(())
    }

    /// Suspends it: connections stay open and new ones are accepted, but it does nothing.
    pub(crate) fn hang(&self) -> Result<(), AnyError> {
        self.signal(Signal::STOP)
    }

    pub(crate) fn go_on(&self) -> Result<(), AnyError> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<(), AnyError> {
        let process = self.0.as_ref().ok_or("it does not run")?;
        process.signal(signal)
    }
}

/// A free port, below those that the system assigns by itself.
pub(crate) async fn free_port() -> Result<SocketAddr, AnyError> {
    for port in (20_000..30_000).step_by(7) {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if TcpListener::bind(address).await.is_ok() {
            return Ok(address);
        }
    }
    Err("no port is free".into())
}

/// The size of all files in a folder.
pub(crate) fn size_of_files(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size_of_files(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    sizes.sum()
}
