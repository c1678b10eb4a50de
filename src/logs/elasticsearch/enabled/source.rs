//! Where the lines come from.

use std::hash::Hasher as _;
use std::io;
use std::sync::Arc;

use siphasher::sip::SipHasher13;

use super::batch::LogDocument;
use super::document::EcsDocument;
use super::line_queue::LineQueue;
use super::target::IndexNames;
use crate::logs::files::{LogFiles, LogPosition, LogReader};

/// The lines of the log files, or of a queue in memory.
pub(super) enum LineSource {
    Files(Box<FileLines>),
    Queue(QueueLines),
}

/// Lines of the files, from a stored position on.
pub(super) struct FileLines {
    files: Arc<LogFiles>,
    /// The position of the first line, until the files are open.
    from: Option<LogPosition>,
    reader: Option<LogReader>,
    /// The number of the first line.
    first: u64,
}

/// Lines of a queue in memory.
pub(super) struct QueueLines {
    queue: Arc<LineQueue>,
    /// A random number: IDs of two processes differ.
    process: u64,
    next: u64,
}

/// A line as a document, or why it is none.
#[derive(Debug)]
pub(super) struct SourceLine {
    pub(super) document: LogDocument,
    /// Whether it is a log line of this crate.
    pub(super) is_valid: bool,
}

/// The place of a source in its lines: how many of them it has read, and how many it could not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SourcePlace {
    /// The number of the first line.
    pub(super) first: u64,
    /// The position of the next one.
    pub(super) at: LogPosition,
    pub(super) missed: u64,
}

impl LineSource {
    pub(super) fn files(files: &Arc<LogFiles>, from: Option<LogPosition>) -> Self {
        Self::Files(Box::new(FileLines {
            files: Arc::clone(files),
            from,
            reader: None,
            first: 0,
        }))
    }

    pub(super) fn queue(queue: &Arc<LineQueue>, process: u64) -> Self {
        Self::Queue(QueueLines {
            queue: Arc::clone(queue),
            process,
            next: 0,
        })
    }

    /// Reads the next line. `None` if there is none yet.
    ///
    /// # Errors
    ///
    /// Returns an error if the files cannot be read.
    pub(super) fn next(
        &mut self,
        names: &IndexNames,
        line: &mut Vec<u8>,
    ) -> io::Result<Option<SourceLine>> {
        match self {
            Self::Files(lines) => {
                let reader = lines.open()?;
                let before = reader.position();
                if !reader.next_line(line)? {
                    return Ok(None);
                }
                // Lines may have been skipped before it, so its number is that before the next one.
                let (list, number) = (before.list(), reader.position().line().saturating_sub(1));
                Ok(Some(source_line(names, line, (list, number), Some(before))))
            }
            Self::Queue(lines) => {
                let Some(taken) = lines.queue.take() else {
                    return Ok(None);
                };
                lines.next += 1;
                Ok(Some(source_line(
                    names,
                    &taken,
                    (lines.process, lines.next),
                    None,
                )))
            }
        }
    }

    /// The place in the files, once they are open.
    pub(super) fn place(&self) -> Option<SourcePlace> {
        let Self::Files(lines) = self else {
            return None;
        };
        let reader = lines.reader.as_ref()?;
        Some(SourcePlace {
            first: lines.first,
            at: reader.position(),
            missed: reader.missed(),
        })
    }
}

impl FileLines {
    fn open(&mut self) -> io::Result<&mut LogReader> {
        let reader = if let Some(reader) = self.reader.take() {
            reader
        } else {
            let (start, found_end) = self.files.range()?;
            // A list that was begun anew has other lines. Lines that earlier processes wrote after the end were lost with the
            // power. What is there now may be lines of this process: they have not been sent.
            let from = self.from.filter(|it| it.list() == found_end.list());
            let from = from.map_or(start, |it| it.min(found_end));
            self.first = from.line();
            self.files.reader(Some(from))?
        };
        Ok(self.reader.insert(reader))
    }
}

/// The document of a line. Its ID is the same whenever the line is read, and another one for any other line: a line that is
/// written in the place of one that was lost with the power has another hash.
fn source_line(
    names: &IndexNames,
    line: &[u8],
    (list, number): (u64, u64),
    at: Option<LogPosition>,
) -> SourceLine {
    let mut hash = SipHasher13::new();
    hash.write(line);
    let id = format!("{list:016x}-{number}-{:016x}", hash.finish());
    let document = EcsDocument::of_line(line);
    let is_valid = document.is_some();
    let document = document.unwrap_or_else(|| EcsDocument {
        day: String::new(),
        json: String::from_utf8_lossy(line).into_owned(),
    });
    let document = LogDocument {
        id,
        index: names.of_day(&document.day),
        json: document.json,
        at,
    };
    SourceLine { document, is_valid }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::path::Path;

    use super::*;
    use crate::clock::Clock;
    use crate::logs::files::{LogFileWriter, LogFilesSetup};

    fn files(directory: &Path) -> Arc<LogFiles> {
        Arc::new(LogFiles::new(LogFilesSetup {
            directory: directory.to_owned(),
            max_file_bytes: 1 << 20,
            max_bytes: 8 << 20,
            max_closed: 10,
            permissions: 0o640,
            clock: Clock::system(),
            diagnostics: Arc::default(),
        }))
    }

    fn write(files: &Arc<LogFiles>, lines: &[&str]) {
        let mut writer = LogFileWriter::new(files);
        for line in lines {
            writer.write_all(format!("{line}\n").as_bytes()).unwrap();
        }
        writer.flush().unwrap();
    }

    fn read(source: &mut LineSource) -> Vec<String> {
        let (names, mut line) = (IndexNames::new("logs", false), Vec::new());
        let next = || source.next(&names, &mut line).unwrap();
        std::iter::from_fn(next)
            .map(|it| it.document.json)
            .collect()
    }

    #[test]
    fn lines_in_the_place_of_those_that_were_lost_with_the_power_are_sent() {
        let directory = tempfile::tempdir().unwrap();
        let first = files(directory.path());
        write(&first, &["a", "b", "c", "d"]);
        let mut source = LineSource::files(&first, None);
        assert_eq!(read(&mut source), ["a", "b", "c", "d"]);
        let stored = source.place().unwrap().at;
        drop((source, first));
        // Of four lines that were sent, two were synced.
        std::fs::write(directory.path().join("combined.log"), "a\nb\n").unwrap();
        let second = files(directory.path());
        write(&second, &["e", "f", "g"]);
        let mut source = LineSource::files(&second, Some(stored));
        assert_eq!(read(&mut source), ["e", "f", "g"]);
        let place = source.place().unwrap();
        assert_eq!((place.first, place.at.line(), place.missed), (2, 5, 0));
    }
}
