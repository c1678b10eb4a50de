use std::io::{self, Write};
use std::sync::Arc;

use super::log_files::LogFiles;
use super::names::MILLIS_PER_DAY;
use super::rolling::RollingFile;
use super::scan::LineCount;

/// The bytes of a line before its time, those of the time, and what follows it in a line of level `ERROR`.
const BEFORE_TIME: &[u8] = b"{\"timestamp\":\"";
const TIME: usize = 27;
const ERROR: &[u8] = b"\",\"level\":\"ERROR\"";

/// Writes log lines to `combined.log`, and those of level `ERROR` to `error.log` too.
pub(crate) struct LogFileWriter {
    files: Arc<LogFiles>,
    combined: RollingFile,
    errors: RollingFile,
    /// The lines of level `ERROR` of a block.
    error_lines: Vec<u8>,
}

impl LogFileWriter {
    pub(crate) fn new(files: &Arc<LogFiles>) -> Self {
        let [combined, errors] = files.rolling_files();
        Self {
            files: Arc::clone(files),
            combined,
            errors,
            error_lines: Vec::new(),
        }
    }

    /// Copies lines of level `ERROR` to their file. They are in the other file already, so a failure loses no line.
    fn copy_errors(&mut self, lines: &[u8], day: u64) {
        self.error_lines.clear();
        for line in lines.split_inclusive(|it| *it == b'\n') {
            if is_error(line) {
                self.error_lines.extend_from_slice(line);
            }
        }
        let mut rest = &*self.error_lines;
        while !rest.is_empty() {
            let Ok(written) = self.errors.append(rest, day) else {
                self.files.count_lost_copies(LineCount::of(rest).lines);
                return;
            };
            rest = rest.get(written..).unwrap_or_default();
        }
    }
}

impl Write for LogFileWriter {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        let day = self.files.wall_millis() / MILLIS_PER_DAY;
        let written = self.combined.append(lines, day)?;
        self.copy_errors(lines.get(..written).unwrap_or_default(), day);
        Ok(written)
    }

    /// Syncs the files.
    fn flush(&mut self) -> io::Result<()> {
        let combined = self.combined.sync();
        self.errors.sync()?;
        combined
    }
}

fn is_error(line: &[u8]) -> bool {
    line.starts_with(BEFORE_TIME)
        && line
            .get(BEFORE_TIME.len() + TIME..)
            .is_some_and(|rest| rest.starts_with(ERROR))
}
