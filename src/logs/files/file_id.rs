use std::fs::Metadata;

/// Which file it is, whatever its name: the device and the number of the file on it. Where the system has no such numbers,
/// all files are equal, and a rotation by another program is not noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct FileId {
    pub(super) device: u64,
    pub(super) number: u64,
}

#[cfg(unix)]
pub(super) fn id_of(found: &Metadata) -> FileId {
    use std::os::unix::fs::MetadataExt as _;
    FileId {
        device: found.dev(),
        number: found.ino(),
    }
}

#[cfg(not(unix))]
pub(super) fn id_of(_: &Metadata) -> FileId {
    FileId::default()
}
