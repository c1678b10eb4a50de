//! Helpers of the cases: a writer that stores what is written, and readers of log records.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tracing_subscriber::fmt::MakeWriter;
use watchpost::logs::LogFormat;
use watchpost::{Monitor, MonitorBuilder};

/// A writer whose clones share what was written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Written {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Written {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.bytes()).unwrap()
    }

    /// The JSON objects written so far, one in each line.
    pub(crate) fn objects(&self) -> Vec<Value> {
        let text = self.text();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

/// The log records of a monitor so far, after a flush.
pub(crate) fn records(monitor: &Monitor, written: &Written) -> Vec<Value> {
    assert!(monitor.flush_blocking(Duration::from_secs(10)).unwrap());
    written.objects()
}

/// The log records so far with this message.
pub(crate) fn records_of(monitor: &Monitor, written: &Written, message: &str) -> Vec<Value> {
    let mut all = records(monitor, written);
    all.retain(|record| record["message"] == message);
    all
}

/// A builder that reads no environment, keeps every trace and writes JSON log records to memory.
pub(crate) fn builder() -> (MonitorBuilder, Written) {
    let written = Written::default();
    let builder = Monitor::builder("beside")
        .env(false)
        .log_format(LogFormat::Json)
        .trace_ratio(1.0)
        .console_to(written.clone());
    (builder, written)
}

/// Runs a future on a current-thread runtime with everything enabled.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(future)
}
