use super::cursor::LogCursor;
use super::found::FoundLine;
use super::line_head::LineHead;
use super::visitor::LineVisitor;

/// The maximum number of bytes of the lines of one result.
const MAX_BYTES: usize = 8 << 20;

/// Collects lines, the newest first.
pub(super) struct LineCollector {
    pub(super) lines: Vec<FoundLine>,
    limit: usize,
    bytes: usize,
}

impl LineCollector {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            lines: Vec::new(),
            limit,
            bytes: 0,
        }
    }
}

impl LineVisitor for LineCollector {
    fn visit(&mut self, line: &str, head: LineHead, cursor: LogCursor) {
        self.bytes += line.len();
        self.lines.push(FoundLine {
            json: line.to_owned(),
            at: head.time(),
            level: head.level(),
            cursor,
        });
    }

    fn is_full(&self) -> bool {
        self.lines.len() >= self.limit || self.bytes >= MAX_BYTES
    }
}
