use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::sync::Arc;

use flate2::read::MultiGzDecoder;

use super::catalog::SegmentCatalog;
use super::members::block_with;
use super::position::LogPosition;
use super::segment::{LogSegment, SegmentPlace};

/// The bytes that are read at once.
const CHUNK: usize = 64 * 1024;
/// The maximum number of bytes of a line. Ours have 16 KiB; of a longer one, which another program has written, the rest is
/// skipped.
const MAX_LINE: usize = 64 * 1024;

/// Reads the lines of the files from a position on, in their order, over rotation, compression and restarts.
///
/// It blocks on the disk, so it belongs on a blocking thread. It keeps no file from being removed: lines that were removed
/// before they were read are counted, see [`missed`](Self::missed).
pub(crate) struct LogReader {
    catalog: Arc<SegmentCatalog>,
    /// That of the next line.
    position: LogPosition,
    missed: u64,
    open: Option<OpenSource>,
}

struct OpenSource {
    segment: LogSegment,
    from: SegmentSource,
    /// Bytes that were read, from `start` on not returned yet.
    buffer: Vec<u8>,
    start: usize,
    /// The bytes of the segment that were read from the file.
    read: u64,
}

/// The result of a read.
enum Progress {
    Read,
    /// All of the file that is known was read.
    End,
    /// Another program has truncated the file, or it is not in the list any more.
    Truncated,
}

enum SegmentSource {
    Plain(File),
    Compressed(Box<MultiGzDecoder<BufReader<File>>>),
}

impl Read for SegmentSource {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read(into),
            Self::Compressed(decoder) => decoder.read(into),
        }
    }
}

impl LogReader {
    /// A reader from a position on; `None` is the oldest line.
    pub(super) fn new(catalog: Arc<SegmentCatalog>, from: Option<LogPosition>) -> Self {
        let position = from.unwrap_or_else(|| catalog.start());
        Self {
            catalog,
            position,
            missed: 0,
            open: None,
        }
    }

    /// The position of the next line. A reader that continues there, in this process or a later one, reads neither a line
    /// twice nor skips one.
    pub(crate) fn position(&self) -> LogPosition {
        self.position
    }

    /// The number of lines that were removed, truncated or damaged before this reader could read them, since it was made.
    /// How many another program removed while no process of this crate ran is known as of the last time that the list was
    /// stored.
    #[cfg_attr(
        not(any(test, feature = "elasticsearch")),
        expect(dead_code, reason = "only shipping reads with it")
    )]
    pub(crate) fn missed(&self) -> u64 {
        self.missed
    }

    /// Reads the next line into `line`, without its newline. Returns false if there is none yet.
    ///
    /// # Errors
    ///
    /// Returns an error if a file cannot be read. The next call tries again.
    pub(crate) fn next_line(&mut self, line: &mut Vec<u8>) -> io::Result<bool> {
        self.catalog.load()?;
        line.clear();
        loop {
            if !self.open_source()? {
                return Ok(false);
            }
            match self.read_line(line) {
                Ok(Progress::Read) => return Ok(true),
                Ok(Progress::End) if self.is_at_end_of_all() => return Ok(false),
                Ok(Progress::End) => {}
                Ok(Progress::Truncated) => {
                    self.open = None;
                    // Until the writer has noticed it, nothing is known about the new content.
                    if self.catalog.exactly_at(self.position.segment).is_some() {
                        return Ok(false);
                    }
                }
                Err(error) if is_damage(&error) => self.go_to_next(),
                Err(error) => {
                    self.open = None;
                    return Err(error);
                }
            }
        }
    }

    /// Opens the file of the position, or of the first line after it that is left. Returns whether there is one.
    fn open_source(&mut self) -> io::Result<bool> {
        let list = self.catalog.list();
        if self.position.list != list {
            // The list was begun anew, so that nothing is known about the lines between.
            self.open = None;
            self.position = self.catalog.start();
        }
        loop {
            let Some(segment) = self.catalog.at(self.position.segment) else {
                // Only the files after the last one are missing, or all of them.
                let end = self.catalog.end();
                self.open = None;
                self.skip_to(end);
                return Ok(false);
            };
            if segment.number != self.position.segment {
                self.open = None;
                self.skip_to(segment.start(list));
            }
            if let Some(open) = &mut self.open {
                // It may have become longer.
                open.segment = segment;
                return Ok(true);
            }
            if self.position.offset > segment.bytes {
                // The end of the file was lost with the power. Its lines are read again as what comes next.
                self.position = segment.end(list);
            }
            match open_at(&self.catalog, &segment, self.position.offset) {
                Ok(open) => {
                    self.open = Some(open);
                    return Ok(true);
                }
                Err(error) if error.kind() == ErrorKind::NotFound && !segment.is_current() => {
                    // Unless it was compressed since it was looked up.
                    if self.catalog.at(segment.number) == Some(segment) {
                        self.catalog.forget(segment.number);
                    }
                }
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
                Err(error) if is_damage(&error) => {
                    self.skip_to(LogPosition {
                        segment: segment.number + 1,
                        ..segment.end(list)
                    });
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Goes to a later position and counts the lines between.
    fn skip_to(&mut self, to: LogPosition) {
        self.missed += to.line.saturating_sub(self.position.line);
        self.position = to;
    }

    /// Passes over the rest of a file that cannot be read, and counts its lines as missed. Returns false if none follows it.
    pub(super) fn pass_over(&mut self) -> bool {
        let next = self.catalog.at(self.position.segment.saturating_add(1));
        if let Some(next) = next {
            self.open = None;
            self.skip_to(next.start(self.position.list));
        }
        next.is_some()
    }

    /// Goes to the file after this one.
    fn go_to_next(&mut self) {
        if let Some(open) = self.open.take() {
            // As the list has it now: its last lines may have been counted since.
            let segment = self.catalog.exactly_at(open.segment.number);
            let read = segment.unwrap_or(open.segment);
            let end = read.end(self.position.list);
            self.skip_to(LogPosition {
                segment: read.number + 1,
                offset: 0,
                ..end
            });
        }
    }

    /// At the end of a file: whether nothing follows yet. Goes to the next file if there will be nothing more in this one.
    fn is_at_end_of_all(&mut self) -> bool {
        let Some(open) = &self.open else {
            return false;
        };
        match self.catalog.exactly_at(open.segment.number) {
            // It has become longer since it was read.
            Some(now) if now.bytes > open.segment.bytes => false,
            Some(now) if now.is_current() => true,
            _ => {
                self.go_to_next();
                false
            }
        }
    }

    /// Reads a line of the open file.
    fn read_line(&mut self, line: &mut Vec<u8>) -> io::Result<Progress> {
        let Some(open) = &mut self.open else {
            return Ok(Progress::End);
        };
        let mut searched = 0;
        loop {
            let waiting = open.buffer.get(open.start..).unwrap_or_default();
            let fresh = waiting.get(searched..).unwrap_or_default();
            if let Some(at) = fresh.iter().position(|it| *it == b'\n') {
                let len = searched + at;
                let kept = waiting.get(..len).unwrap_or_default();
                if line.is_empty() {
                    line.extend_from_slice(kept.get(..MAX_LINE).unwrap_or(kept));
                }
                open.start += len + 1;
                self.position.offset += len as u64 + 1;
                self.position.line += 1;
                return Ok(Progress::Read);
            }
            searched = waiting.len();
            if searched > MAX_LINE {
                if line.is_empty() {
                    line.extend_from_slice(waiting.get(..MAX_LINE).unwrap_or_default());
                }
                self.position.offset += searched as u64;
                open.start = open.buffer.len();
                searched = 0;
            }
            match open.fill(&self.catalog)? {
                Progress::Read => {}
                other => return Ok(other),
            }
        }
    }
}

impl OpenSource {
    /// Reads more of the file, up to the end of its complete lines as the list has them.
    fn fill(&mut self, catalog: &SegmentCatalog) -> io::Result<Progress> {
        let left = self.segment.bytes.saturating_sub(self.read);
        let want = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        if want == 0 {
            return Ok(Progress::End);
        }
        self.buffer.drain(..self.start);
        self.start = 0;
        let before = self.buffer.len();
        self.buffer.resize(before + want, 0);
        let into = self.buffer.get_mut(before..).unwrap_or_default();
        let read = loop {
            match self.from.read(into) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.buffer
            .truncate(before + read.as_ref().copied().unwrap_or_default());
        let read = read?;
        self.read += read as u64;
        // Another program may have truncated the file, and ours may have written to it since: then these are other lines.
        if let SegmentSource::Plain(file) = &self.from {
            let is_whole = file.metadata()?.len() >= self.segment.bytes;
            if !is_whole || catalog.exactly_at(self.segment.number).is_none() {
                return Ok(Progress::Truncated);
            }
        }
        if read == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(Progress::Read)
    }
}

/// Opens a file and goes to a byte in it.
fn open_at(catalog: &SegmentCatalog, segment: &LogSegment, offset: u64) -> io::Result<OpenSource> {
    let mut file = File::open(catalog.path_of(segment)?)?;
    let from = if segment.place == SegmentPlace::Compressed {
        // A tail asks for the last lines of a large file again and again.
        let (at, start) = block_with(&mut file, offset, segment.bytes)?;
        io::Seek::seek(&mut file, io::SeekFrom::Start(at))?;
        let mut decoder = MultiGzDecoder::new(BufReader::with_capacity(CHUNK, file));
        io::copy(&mut (&mut decoder).take(offset - start), &mut io::sink())?;
        SegmentSource::Compressed(Box::new(decoder))
    } else {
        io::Seek::seek(&mut file, io::SeekFrom::Start(offset))?;
        SegmentSource::Plain(file)
    };
    Ok(OpenSource {
        segment: *segment,
        from,
        buffer: Vec::new(),
        start: 0,
        read: offset,
    })
}

/// Whether a file is damaged, so that reading it again does not help.
fn is_damage(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::UnexpectedEof
    )
}
