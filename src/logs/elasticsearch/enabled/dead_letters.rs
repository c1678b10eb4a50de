use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::answer::BulkItem;
use super::batch::LogDocument;
use crate::files::refuse_link;

/// The name of the file, and of the one before it.
const NAME: &str = "elasticsearch.dead.log";
const OLD: &str = "elasticsearch.dead.1.log";
/// The maximum number of bytes of the file. Then it takes the place of the one before it.
const MAX_BYTES: u64 = 8 << 20;

/// The documents that the server refused for good, each with the reason, in a file beside the log files.
#[derive(Debug)]
pub(super) struct DeadLetters {
    directory: PathBuf,
}

impl DeadLetters {
    pub(super) fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
        }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.directory.join(NAME)
    }

    /// Appends documents, and syncs the file: the position after them is stored next.
    ///
    /// # Errors
    ///
    /// Returns an error if the disk refuses it. Some of the documents may be in the file.
    pub(super) fn add(&self, dead: &[(LogDocument, BulkItem)]) -> io::Result<()> {
        if dead.is_empty() {
            return Ok(());
        }
        let mut length = self.length()?;
        let mut text = Vec::new();
        for (document, item) in dead {
            let before = text.len();
            append(&mut text, document, item)?;
            if length + text.len() as u64 > MAX_BYTES && length + before as u64 > 0 {
                let next = text.split_off(before);
                self.write(&text)?;
                fs::rename(self.path(), self.directory.join(OLD))?;
                (length, text) = (0, next);
            }
        }
        self.write(&text)
    }

    /// The length of the file; 0 if there is none.
    fn length(&self) -> io::Result<u64> {
        let path = self.path();
        match refuse_link(&path).and_then(|()| fs::symlink_metadata(&path)) {
            Ok(found) => Ok(found.len()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// Appends to the file, and syncs it.
    fn write(&self, text: &[u8]) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(self.path())?;
        file.write_all(text)?;
        file.sync_data()
    }
}

/// Appends the line of a document.
fn append(text: &mut Vec<u8>, document: &LogDocument, item: &BulkItem) -> io::Result<()> {
    let letter = json!({
        "status": item.status,
        "error.type": item.kind,
        "error.reason": item.reason,
        "index": document.index,
        "id": document.id,
        // As it was sent, in a text: it may not be JSON.
        "document": document.json,
    });
    serde_json::to_writer(&mut *text, &letter)?;
    text.push(b'\n');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(json: &str) -> (LogDocument, BulkItem) {
        let document = LogDocument {
            id: "l-1-2".to_owned(),
            index: "logs-2026.11.30".to_owned(),
            json: json.to_owned(),
            at: None,
        };
        let item = BulkItem {
            status: 400,
            kind: "document_parsing_exception".to_owned(),
            reason: "failed to parse \"a\"\n".to_owned(),
        };
        (document, item)
    }

    #[test]
    fn each_letter_is_a_line_with_its_reason() {
        let directory = tempfile::tempdir().unwrap();
        let letters = DeadLetters::new(directory.path());
        letters.add(&[]).unwrap();
        assert!(!letters.path().exists());
        letters.add(&[letter("{\"a\":1}")]).unwrap();
        letters.add(&[letter("no \n JSON")]).unwrap();
        let text = fs::read_to_string(letters.path()).unwrap();
        let lines: Vec<serde_json::Value> = text
            .lines()
            .map(|it| serde_json::from_str(it).unwrap())
            .collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["document"], "{\"a\":1}");
        assert_eq!(lines[0]["status"], 400);
        assert_eq!(lines[0]["error.reason"], "failed to parse \"a\"\n");
        assert_eq!(lines[1]["document"], "no \n JSON");
    }

    #[test]
    fn the_letters_are_bounded() {
        let directory = tempfile::tempdir().unwrap();
        let letters = DeadLetters::new(directory.path());
        let long = "x".repeat(1 << 20);
        for _ in 0..30 {
            letters.add(&[letter(&long)]).unwrap();
        }
        let names = fs::read_dir(directory.path()).unwrap();
        let lengths: Vec<_> = names
            .map(|it| it.unwrap().metadata().unwrap().len())
            .collect();
        assert_eq!(lengths.len(), 2, "{lengths:?}");
        assert!(lengths.iter().all(|it| *it <= MAX_BYTES), "{lengths:?}");
    }

    #[test]
    fn many_letters_at_once_are_bounded_too() {
        let directory = tempfile::tempdir().unwrap();
        let letters = DeadLetters::new(directory.path());
        let long = "x".repeat(1 << 20);
        let many: Vec<_> = (0..30).map(|_| letter(&long)).collect();
        letters.add(&[letter("{}")]).unwrap();
        letters.add(&many).unwrap();
        let lines = [NAME, OLD].map(|name| {
            let text = fs::read_to_string(directory.path().join(name)).unwrap();
            assert!(text.len() as u64 <= MAX_BYTES, "{}", text.len());
            text.lines().count()
        });
        // Seven in each file: the first ones, with another letter, are gone.
        assert_eq!(lines, [2, 7]);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let letters = DeadLetters::new(directory.path());
        let target = directory.path().join("target");
        fs::write(&target, "").unwrap();
        std::os::unix::fs::symlink(&target, letters.path()).unwrap();
        assert!(letters.add(&[letter("{}")]).is_err());
        assert_eq!(fs::read(&target).unwrap(), b"");
    }
}
