use std::io;
use std::path::Path;

use crate::files::{Disk, Files as _};
use crate::logs::files::LogPosition;

/// The name of the file.
const NAME: &str = "elasticsearch.cursor";

/// The position up to which all lines are delivered or given up, in a file beside them.
#[derive(Debug)]
pub(super) struct ShipCursor {
    directory: Disk,
    stored: Option<LogPosition>,
}

impl ShipCursor {
    /// Reads the stored position. Without one, or with a damaged one, the first line is the oldest: what the server has already
    /// is not added again.
    pub(super) fn open(directory: &Path) -> Self {
        let mut directory = Disk::new(directory);
        let text = directory.read(NAME).unwrap_or_default();
        let text = std::str::from_utf8(&text).unwrap_or_default();
        let stored = text.trim_end().parse().ok();
        Self { directory, stored }
    }

    pub(super) fn position(&self) -> Option<LogPosition> {
        self.stored
    }

    /// Stores a position, unless it is the stored one.
    ///
    /// # Errors
    ///
    /// Returns an error if the disk refuses it: then the one before is still stored.
    pub(super) fn store(&mut self, position: LogPosition) -> io::Result<()> {
        if self.stored != Some(position) {
            self.directory
                .replace(NAME, format!("{position}\n").as_bytes())?;
            self.stored = Some(position);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_again_and_damage_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let position = "00000000000000ab.3.17.4".parse().unwrap();
        let mut cursor = ShipCursor::open(directory.path());
        assert_eq!(cursor.position(), None);
        cursor.store(position).unwrap();
        assert_eq!(
            ShipCursor::open(directory.path()).position(),
            Some(position)
        );
        for damage in ["", "\0\0\0\0", "ab.3.17", "é"] {
            std::fs::write(directory.path().join(NAME), damage).unwrap();
            assert_eq!(ShipCursor::open(directory.path()).position(), None);
        }
    }
}
