use std::io;

/// File operations in one directory. Every call may fail, and a call that failed may have done
/// a part of its work.
pub(crate) trait Files: Send {
    /// Lists the names and lengths of the files.
    fn list(&mut self) -> io::Result<Vec<(String, u64)>>;

    /// Reads a file completely.
    fn read(&mut self, name: &str) -> io::Result<Vec<u8>>;

    /// Creates a file, to which [`append`](Self::append) writes from then on. It must not exist.
    fn create(&mut self, name: &str) -> io::Result<()>;

    /// Appends to the file that was created last.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Syncs what was appended to the disk, and the file's name too.
    fn sync(&mut self) -> io::Result<()>;

    /// Replaces the content of a file atomically.
    fn replace(&mut self, name: &str, bytes: &[u8]) -> io::Result<()>;

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()>;

    fn remove(&mut self, name: &str) -> io::Result<()>;
}
