use std::io;

/// The files of one directory, as a spool needs them. Every call may fail; one that failed may have done a
/// part of its work.
pub(super) trait Files: Send {
    /// Names and lengths of the files.
    fn list(&mut self) -> io::Result<Vec<(String, u64)>>;

    /// All of a file.
    fn read(&mut self, name: &str) -> io::Result<Vec<u8>>;

    /// Makes a file that must not exist, and appends to it from now on.
    fn create(&mut self, name: &str) -> io::Result<()>;

    /// Appends to the file made last.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Brings what was appended to the disk, and the file's name with it.
    fn sync(&mut self) -> io::Result<()>;

    /// Puts a file with this content in the place of one of that name, wholly or not at all.
    fn replace(&mut self, name: &str, bytes: &[u8]) -> io::Result<()>;

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()>;

    fn remove(&mut self, name: &str) -> io::Result<()>;
}
