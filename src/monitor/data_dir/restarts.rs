//! The number of starts with a data directory, in a file of it.

use std::fs::{File, remove_file, rename};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::Path;

/// The maximum number of bytes of the file that are read: the digits of the largest number and a line end.
const MAX_BYTES: u64 = 32;

/// Adds one to the number in the file at `path`, and returns what it was before. `create` creates an empty file.
///
/// The new number is written to another file and synced before it takes the name. After a crash or a power failure the
/// file has the old number or the new one.
///
/// # Errors
///
/// Returns an error if a file cannot be read or written, or if the file has no number. It is left as it is.
pub(super) fn count_start(
    path: &Path,
    create: impl FnOnce(&Path) -> io::Result<File>,
) -> io::Result<u64> {
    let before = read(path)?;
    let new = path.with_extension("new");
    match remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = create(&new)?;
    writeln!(file, "{}", before.saturating_add(1))?;
    file.sync_data()?;
    rename(&new, path)?;
    Ok(before)
}

fn read(path: &Path) -> io::Result<u64> {
    let mut text = String::new();
    match File::open(path) {
        Ok(file) => file.take(MAX_BYTES).read_to_string(&mut text)?,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    text.trim().parse().map_err(|_| {
        let text = format!("{} has no number; remove it to count again", path.display());
        io::Error::new(ErrorKind::InvalidData, text)
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn count_start(directory: &Path) -> io::Result<u64> {
        let create = |path: &Path| File::create_new(path);
        super::count_start(&directory.join("starts"), create)
    }

    #[test]
    fn each_start_is_counted_once() {
        let directory = tempfile::tempdir().unwrap();
        for before in 0..3 {
            assert_eq!(count_start(directory.path()).unwrap(), before);
        }
        let files: Vec<_> = fs::read_dir(directory.path()).unwrap().collect();
        assert_eq!(files.len(), 1);
        assert_eq!(fs::read(directory.path().join("starts")).unwrap(), b"3\n");
    }

    #[test]
    fn what_a_crash_left_behind_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("starts"), "41\n").unwrap();
        fs::write(directory.path().join("starts.new"), "123456789").unwrap();
        assert_eq!(count_start(directory.path()).unwrap(), 41);
        assert_eq!(count_start(directory.path()).unwrap(), 42);
    }

    #[test]
    fn a_file_without_a_number_is_an_error_and_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("starts");
        let long = "9".repeat(100);
        for text in [&b""[..], b"x", b"-1", b"\xff\xff", long.as_bytes()] {
            fs::write(&path, text).unwrap();
            assert!(count_start(directory.path()).is_err());
            assert_eq!(fs::read(&path).unwrap(), text);
        }
        fs::write(&path, u64::MAX.to_string()).unwrap();
        assert_eq!(count_start(directory.path()).unwrap(), u64::MAX);
        assert_eq!(count_start(directory.path()).unwrap(), u64::MAX);
        assert!(count_start(&directory.path().join("missing")).is_err());
    }
}
