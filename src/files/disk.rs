use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use super::directory::{check_is_at_path, list_directory, make_directory};
use super::operations::Files;

/// The maximum number of bytes that are read of a file: our files are shorter.
const MAX_FILE: u64 = 8 << 20;

/// A directory of the file system. It is created with mode 0700 if it is missing, even if it is removed later. Its
/// files have mode 0600.
#[derive(Debug)]
pub(crate) struct Disk {
    path: PathBuf,
    current: Option<(File, PathBuf)>,
    /// Whether the name of the current file has still to be synced.
    new: bool,
}

impl Disk {
    pub(crate) fn new(path: impl AsRef<Path>) -> Self {
        Self {
            path: path.as_ref().to_owned(),
            current: None,
            new: false,
        }
    }

    fn open(&self, name: &str) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let path = self.path.join(name);
        // Never writes through a symbolic link, which may point outside the directory.
        if fs::symlink_metadata(&path).is_ok_and(|found| found.is_symlink()) {
            fs::remove_file(&path)?;
        }
        options.open(path)
    }

    fn sync_directory(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

impl Files for Disk {
    fn list(&mut self) -> io::Result<Vec<(String, u64)>> {
        list_directory(&self.path)
    }

    fn read(&mut self, name: &str) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(self.path.join(name))?
            .take(MAX_FILE)
            .read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn create(&mut self, name: &str) -> io::Result<()> {
        self.current = None;
        make_directory(&self.path)?;
        self.current = Some((self.open(name)?, self.path.join(name)));
        self.new = true;
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (file, _) = self.current.as_mut().ok_or(ErrorKind::NotFound)?;
        file.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        let (file, path) = self.current.as_ref().ok_or(ErrorKind::NotFound)?;
        file.sync_data()?;
        check_is_at_path(file, path)?;
        if self.new {
            self.sync_directory()?;
            self.new = false;
        }
        Ok(())
    }

    fn replace(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let half = format!("{name}.new");
        let mut file = self.open(&half)?;
        file.write_all(bytes)?;
        file.sync_data()?;
        self.rename(&half, name)?;
        self.sync_directory()
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }
}
