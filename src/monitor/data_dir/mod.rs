#[cfg(not(unix))]
mod other;
mod restarts;
#[cfg(unix)]
mod unix;

use std::fs::{File, TryLockError, symlink_metadata};
use std::io::{self, ErrorKind, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

#[cfg(not(unix))]
use self::other as system;
#[cfg(unix)]
use self::unix as system;

/// The maximum number of processes that share one configured directory.
const MAX_PROCESSES: u32 = 64;

/// A data directory that is locked for this process until the value is dropped.
///
/// The first process uses the configured directory itself, the second the sub-directory `2`, the third `3`. Kernel file
/// locks determine which one is free: the lock of a process that ended in any way is free, and so is a lock file that
/// no process holds. Directories are created with mode 0700 and files with 0600, regardless of the umask; existing ones
/// are not changed.
///
/// A child made by `fork` shares its parent's lock and must not write to the directory.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    /// Holds the lock until it is closed.
    _lock: File,
}

impl DataDir {
    /// Locks the directory `root`, or a numbered sub-directory if other processes use it. Creates missing directories.
    ///
    /// # Errors
    ///
    /// Returns an error if the directory cannot be created or written, if a numbered directory or a lock is a symbolic
    /// link, if the file system does not support locks, or if 64 processes use the directory.
    pub(crate) fn open(root: impl AsRef<Path>) -> io::Result<Self> {
        let root = root.as_ref();
        // The root may be a symbolic link, because systemd creates its state directories as links.
        system::make_dir(root)?;
        if let Some(first) = Self::take(root)? {
            return Ok(first);
        }
        for number in 2..=MAX_PROCESSES {
            let path = root.join(number.to_string());
            refuse_link(&path)?;
            system::make_dir(&path)?;
            if let Some(taken) = Self::take(&path)? {
                return Ok(taken);
            }
        }
        let busy = format!("{MAX_PROCESSES} processes use {} already", root.display());
        Err(io::Error::new(ErrorKind::ResourceBusy, busy))
    }

    /// Returns the directory of this process.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the key that is stored in this file; stores `new` if there is none of this length.
    ///
    /// # Errors
    ///
    /// Returns an error if the key cannot be stored, or if the file is a symbolic link.
    pub(crate) fn stored_key<const N: usize>(
        &self,
        name: &str,
        new: &[u8; N],
    ) -> io::Result<[u8; N]> {
        let path = self.path.join(name);
        refuse_link(&path)?;
        let mut file = system::open_private(&path)?;
        let mut found = Vec::with_capacity(N + 1);
        (&mut file).take(N as u64 + 1).read_to_end(&mut found)?;
        if let Ok(stored) = found.try_into() {
            return Ok(stored);
        }
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(new)?;
        file.sync_all()?;
        Ok(*new)
    }

    /// Counts a start with this directory, and returns the number of earlier ones.
    ///
    /// # Errors
    ///
    /// Returns an error if the number cannot be read or written, or if its file is a symbolic link.
    pub(crate) fn count_start(&self) -> io::Result<u64> {
        let path = self.path.join("starts");
        refuse_link(&path)?;
        restarts::count_start(&path, system::open_private)
    }

    /// Locks a directory. Returns `None` if another process holds the lock.
    fn take(path: &Path) -> io::Result<Option<Self>> {
        let lock = path.join("lock");
        refuse_link(&lock)?;
        let lock = system::open_private(&lock)?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(Self {
                path: path.to_owned(),
                _lock: lock,
            })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// Returns an error if `path` is a symbolic link, which could lead outside the data directory.
fn refuse_link(path: &Path) -> io::Result<()> {
    match symlink_metadata(path) {
        Ok(found) if found.is_symlink() => {
            let text = format!("{} is a symbolic link", path.display());
            Err(io::Error::new(ErrorKind::InvalidInput, text))
        }
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_second_and_third_get_numbers_and_a_freed_place_is_taken_again() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("a/b");
        let first = DataDir::open(&root).unwrap();
        let second = DataDir::open(&root).unwrap();
        let third = DataDir::open(&root).unwrap();
        assert_eq!(first.path(), root);
        assert_eq!(second.path(), root.join("2"));
        assert_eq!(third.path(), root.join("3"));
        drop(second);
        assert_eq!(DataDir::open(&root).unwrap().path(), root.join("2"));
        drop(first);
        assert_eq!(DataDir::open(&root).unwrap().path(), root);
    }

    #[test]
    fn a_file_in_the_way_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "mine").unwrap();
        assert!(DataDir::open(&file).is_err());
        assert!(DataDir::open(file.join("below")).is_err());
        assert_eq!(fs::read(&file).unwrap(), b"mine");
        fs::create_dir(dir.path().join("lock")).unwrap();
        assert!(DataDir::open(dir.path()).is_err());
    }

    #[test]
    fn a_key_stays_and_a_torn_one_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let taken = DataDir::open(dir.path()).unwrap();
        let key = |new: [u8; 4]| taken.stored_key("key", &new).unwrap();
        assert_eq!((key([1; 4]), key([2; 4])), ([1; 4], [1; 4]));
        for torn in [&b""[..], b"abc", b"abcde"] {
            fs::write(dir.path().join("key"), torn).unwrap();
            assert_eq!((key([3; 4]), key([4; 4])), ([3; 4], [3; 4]));
        }
        fs::create_dir(dir.path().join("other")).unwrap();
        assert!(taken.stored_key("other", &[0; 4]).is_err());
    }

    #[test]
    fn what_stands_in_the_lock_file_does_not_matter() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("lock"), "4711").unwrap();
        let taken = DataDir::open(dir.path()).unwrap();
        assert_eq!(taken.path(), dir.path());
        assert_eq!(fs::read(dir.path().join("lock")).unwrap(), b"4711");
    }
}
