//! The file with rules, which is read again when it changes.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::SystemTime;

use super::rule_file::{RuleFile, parse};
use crate::model::lock;

/// The maximum number of bytes of the file.
const MAX_BYTES: u64 = 1 << 20;

/// A file that is watched.
#[derive(Debug)]
pub(super) struct WatchedFile {
    path: PathBuf,
    state: Mutex<WatchState>,
}

#[derive(Debug, Default)]
struct WatchState {
    /// The time of the last change, and the length, of what was read.
    seen: Option<Stamp>,
    /// Why what was read is not used.
    problem: Option<String>,
}

/// `None` if the file could not be read.
type Stamp = Option<(SystemTime, u64)>;

impl WatchedFile {
    pub(super) fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            state: Mutex::default(),
        }
    }

    /// Reads the file if it has changed. `None` if it has not, and an error if it cannot be used. Blocks as long as the disk
    /// does.
    pub(super) fn poll(&self) -> Option<Result<RuleFile, String>> {
        let mut state = lock(&self.state);
        let stamp = self.stamp();
        if state.seen == Some(stamp) {
            return None;
        }
        state.seen = Some(stamp);
        let result = self.read().map_err(|problem| {
            format!(
                "the file {} of alert rules is not used, and the rules stay as they are: {problem}",
                self.path.display()
            )
        });
        state.problem = result.as_ref().err().cloned();
        Some(result)
    }

    /// Why the file is not used.
    pub(super) fn problem(&self) -> Option<(String, String)> {
        let problem = lock(&self.state).problem.clone()?;
        Some((self.path.display().to_string(), problem))
    }

    fn stamp(&self) -> Stamp {
        let found = fs::metadata(&self.path).ok()?;
        Some((found.modified().ok()?, found.len()))
    }

    fn read(&self) -> Result<RuleFile, String> {
        let read = || -> io::Result<String> {
            let mut text = String::new();
            let file = File::open(&self.path)?;
            file.take(MAX_BYTES + 1).read_to_string(&mut text)?;
            Ok(text)
        };
        let text = read().map_err(|error| error.to_string())?;
        if text.len() as u64 > MAX_BYTES {
            return Err("it has more than 1 MiB".to_owned());
        }
        parse(&text).map_err(|problems| problems.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_when_it_changes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rules.toml");
        let file = WatchedFile::new(&path);
        assert!(file.poll().unwrap().is_err());
        assert!(file.poll().is_none());
        fs::write(&path, "[[rule]]\nname = \"a\"\nmetric = \"x\"\nabove = 1").unwrap();
        assert_eq!(file.poll().unwrap().unwrap().rules.len(), 1);
        assert!(file.poll().is_none() && file.problem().is_none());
        fs::write(&path, "[[rule]]\nname = 3").unwrap();
        let problem = file.poll().unwrap().unwrap_err();
        assert!(
            problem.contains("rules.toml") && problem.contains("line 2"),
            "{problem}"
        );
        assert_eq!(file.problem().map(|(_, why)| why), Some(problem));
        fs::write(&path, " ".repeat(2 << 20)).unwrap();
        assert!(file.poll().unwrap().unwrap_err().contains("1 MiB"));
        fs::write(&path, "").unwrap();
        assert!(file.poll().unwrap().is_ok() && file.problem().is_none());
    }
}
