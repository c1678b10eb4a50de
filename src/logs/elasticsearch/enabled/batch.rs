//! Documents that are sent together.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::logs::files::LogPosition;

/// A document with its place in the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LogDocument {
    pub(super) id: String,
    pub(super) index: String,
    /// One line of JSON.
    pub(super) json: String,
    /// The position of its line in the files.
    pub(super) at: Option<LogPosition>,
}

impl LogDocument {
    pub(super) fn size(&self) -> usize {
        self.id.len() + self.index.len() + self.json.len()
    }
}

/// The number of answers after which twice as many documents are tried as the server once found too large.
const CALM: u32 = 64;

/// How many documents are sent at once: fewer after a request that was too large or broke off, more again with each answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BatchLimit {
    max_documents: usize,
    max_bytes: usize,
    documents: usize,
    /// What the server does not find too large.
    ceiling: usize,
    /// The answers since the ceiling was set.
    calm: u32,
}

impl BatchLimit {
    pub(super) fn new(max_documents: usize, max_bytes: usize) -> Self {
        Self {
            max_documents,
            max_bytes,
            documents: max_documents,
            ceiling: max_documents,
            calm: 0,
        }
    }

    /// Whether there is room for more documents than these.
    pub(super) fn has_room(&self, documents: usize, bytes: usize) -> bool {
        documents < self.max_documents && bytes < self.max_bytes
    }

    /// How many of these documents are sent now; at least one.
    pub(super) fn prefix(&self, documents: &[LogDocument]) -> usize {
        documents.len().min(self.documents.max(1))
    }

    /// Halves the number of documents, after a request with so many broke off.
    pub(super) fn halve(&mut self, sent: usize) {
        self.documents = (sent / 2).max(1);
    }

    /// Halves the number of documents, after the server found so many too large. It stays so for a while.
    pub(super) fn lower(&mut self, sent: usize) {
        self.halve(sent);
        self.ceiling = self.documents;
        self.calm = 0;
    }

    /// Allows twice as many documents.
    pub(super) fn grow(&mut self) {
        self.calm = self.calm.saturating_add(1);
        if self.calm >= CALM {
            self.ceiling = self.ceiling.saturating_mul(2).min(self.max_documents);
            self.calm = 0;
        }
        self.documents = self.documents.saturating_mul(2).min(self.ceiling);
    }
}

/// The body of a bulk request that creates these documents, compressed with gzip.
pub(super) fn bulk_body(documents: &[LogDocument]) -> Bytes {
    // The fastest level: lines are so repetitive that higher levels gain little.
    let mut body = GzEncoder::new(Vec::new(), Compression::fast());
    for LogDocument {
        id, index, json, ..
    } in documents
    {
        // Neither the index nor the ID has a character that JSON escapes.
        let written = writeln!(
            body,
            "{{\"create\":{{\"_index\":\"{index}\",\"_id\":\"{id}\"}}}}\n{json}"
        );
        // Writing to a `Vec` cannot fail.
        drop(written);
    }
    body.finish().unwrap_or_default().into()
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Read as _;

    use super::*;

    pub(in super::super) fn document(n: usize) -> LogDocument {
        LogDocument {
            id: format!("l-{n}"),
            index: "logs-2026.11.30".to_owned(),
            json: format!("{{\"n\":{n}}}"),
            at: None,
        }
    }

    #[test]
    fn a_body_has_an_action_and_a_line_for_each_document() {
        let body = bulk_body(&[document(1), document(2)]);
        let mut text = String::new();
        flate2::read::GzDecoder::new(&*body)
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(
            text,
            "{\"create\":{\"_index\":\"logs-2026.11.30\",\"_id\":\"l-1\"}}\n{\"n\":1}\n\
             {\"create\":{\"_index\":\"logs-2026.11.30\",\"_id\":\"l-2\"}}\n{\"n\":2}\n"
        );
    }

    #[test]
    fn the_limit_halves_down_to_one_and_grows_again() {
        let documents: Vec<_> = (0..100).map(document).collect();
        let mut limit = BatchLimit::new(50, 1000);
        assert!(limit.has_room(49, 999));
        assert!(!limit.has_room(50, 0) && !limit.has_room(0, 1000));
        let mut sent = limit.prefix(&documents);
        assert_eq!(sent, 50);
        for expected in [25, 12, 6, 3, 1, 1] {
            limit.halve(sent);
            sent = limit.prefix(&documents);
            assert_eq!(sent, expected);
        }
        for expected in [2, 4, 8, 16, 32, 50, 50] {
            limit.grow();
            assert_eq!(limit.prefix(&documents), expected);
        }
        assert_eq!(limit.prefix(&documents[..7]), 7);
        limit.lower(50);
        for _ in 1..CALM {
            limit.grow();
            assert_eq!(limit.prefix(&documents), 25);
        }
        limit.grow();
        assert_eq!(limit.prefix(&documents), 50);
    }
}
