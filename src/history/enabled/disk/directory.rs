use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::files::{InputFile, OutputFile, StoreFiles};
use crate::files::{check_is_at_path, list_directory, refuse_link};

/// A directory of the file system. It is created with mode 0700 if it is missing, also if it is removed later. Its files
/// have mode 0600. No symbolic link is followed.
#[derive(Debug)]
pub(super) struct StoreDirectory {
    path: PathBuf,
}

#[derive(Debug)]
struct OpenFile {
    file: File,
    len: u64,
}

#[derive(Debug)]
struct CreatedFile {
    file: File,
    path: PathBuf,
}

impl StoreDirectory {
    pub(super) fn new(path: impl AsRef<Path>) -> Self {
        Self {
            path: path.as_ref().to_owned(),
        }
    }
}

impl StoreFiles for StoreDirectory {
    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        list_directory(&self.path)
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn InputFile>> {
        let path = self.path.join(name);
        refuse_link(&path)?;
        let file = File::open(path)?;
        let len = file.metadata()?.len();
        Ok(Box::new(OpenFile { file, len }))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn OutputFile>> {
        let path = self.path.join(name);
        // Whatever has the name, a file or a link, is removed, so that nothing outside of the directory is written.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path)?;
        Ok(Box::new(CreatedFile { file, path }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    #[cfg(unix)]
    fn sync_names(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    /// Other systems cannot open a directory as a file.
    #[cfg(not(unix))]
    fn sync_names(&self) -> io::Result<()> {
        fs::metadata(&self.path).map(drop)
    }
}

impl InputFile for OpenFile {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&mut self, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        // Checked before anything is allocated.
        let end = offset.checked_add(len as u64);
        if end.is_none_or(|end| end > self.len) {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.file.seek(SeekFrom::Start(offset))?;
        let mut bytes = vec![0; len];
        self.file.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

impl OutputFile for CreatedFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        check_is_at_path(&self.file, &self.path)
    }
}
