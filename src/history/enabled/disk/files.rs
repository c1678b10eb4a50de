use std::fmt;
use std::io;

/// The operations of a store on the files of its directory. Every call may block and may fail, and a call that failed
/// may have done a part of its work.
pub(super) trait StoreFiles: Send + Sync + fmt::Debug {
    /// Creates the directory if it is missing, and lists the names and lengths of its files.
    fn list(&self) -> io::Result<Vec<(String, u64)>>;

    /// Opens an existing file.
    fn open(&self, name: &str) -> io::Result<Box<dyn InputFile>>;

    /// Creates an empty file. An existing one is replaced.
    fn create(&self, name: &str) -> io::Result<Box<dyn OutputFile>>;

    /// Gives a file another name. A file with that name is replaced.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    fn remove(&self, name: &str) -> io::Result<()>;

    /// Syncs the names of the files to the disk.
    fn sync_names(&self) -> io::Result<()>;
}

/// A file that is open for reading.
pub(super) trait InputFile {
    fn len(&self) -> u64;

    /// Reads exactly `len` bytes.
    fn read_at(&mut self, offset: u64, len: usize) -> io::Result<Vec<u8>>;
}

/// A file that is open for writing.
pub(super) trait OutputFile: Send {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Syncs the content to the disk. Fails if the file is not in its directory any more.
    fn sync(&mut self) -> io::Result<()>;
}
