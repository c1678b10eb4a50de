//! The files of `/proc` and of control groups, on Linux.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// The maximum number of bytes of a file that are read.
const MAX_BYTES: usize = 256 * 1024;

/// Returns the text of a file, up to the last complete line within 256 KiB; `None` if it cannot be read.
pub(super) fn read(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    let file = File::open(path).ok()?;
    file.take(MAX_BYTES as u64).read_to_end(&mut bytes).ok()?;
    if bytes.len() == MAX_BYTES {
        // The last number may be cut.
        bytes.truncate(bytes.iter().rposition(|byte| *byte == b'\n')?);
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The number of open file descriptors of this process.
pub(super) fn open_files() -> Option<u64> {
    let directory = Path::new("/proc/self/fd");
    // Since Linux 6.2, the number is the directory's size.
    let size = std::fs::metadata(directory).ok()?.len();
    if size > 0 {
        return Some(size);
    }
    let entries = std::fs::read_dir(directory).ok()?;
    // One of them is the directory that is being read.
    (entries.count() as u64).checked_sub(1)
}

/// The number of clock ticks in a second, in which `/proc` has the start time of a process.
pub(super) fn ticks_per_second() -> u64 {
    rustix::param::clock_ticks_per_second()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_last_whole_line_within_the_limit() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("numbers");
        assert_eq!(read(&path), None);
        std::fs::write(&path, b"12\n\xff3").unwrap();
        assert_eq!(read(&path).as_deref(), Some("12\n\u{fffd}3"));
        std::fs::write(&path, "123456\n".repeat(100_000)).unwrap();
        let text = read(&path).unwrap();
        assert!(text.len() < MAX_BYTES && text.ends_with("\n123456"));
        std::fs::write(&path, "1".repeat(MAX_BYTES + 1)).unwrap();
        assert_eq!(read(&path), None);
        // A directory cannot be read.
        assert_eq!(read(directory.path()), None);
    }
}
