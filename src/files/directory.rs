use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;

/// Creates a directory with mode 0700, and its parents, if it is missing, and lists the names and lengths of its files.
///
/// # Errors
///
/// Returns an error if it cannot be created or read, or if it is a symbolic link.
pub(crate) fn list_directory(path: &Path) -> io::Result<Vec<(String, u64)>> {
    make_directory(path)?;
    let mut all = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        // Not that of a link's target.
        let found = entry.metadata()?;
        if let Ok(name) = entry.file_name().into_string()
            && found.is_file()
        {
            all.push((name, found.len()));
        }
    }
    Ok(all)
}

/// Creates a directory with mode 0700, and its parents, if it is missing.
///
/// # Errors
///
/// Returns an error if it cannot be created, or if it is a symbolic link.
pub(super) fn make_directory(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)?;
    refuse_link(path)
}

/// Returns an error if a path does not exist, or if it is a symbolic link, which could lead out of the data directory.
pub(crate) fn refuse_link(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_symlink() {
        let text = format!("{} is a symbolic link", path.display());
        return Err(io::Error::new(ErrorKind::InvalidInput, text));
    }
    Ok(())
}

/// Returns an error if an open file is not at its path any more: what is written to a file that was removed is lost,
/// although its sync succeeds.
pub(crate) fn check_is_at_path(file: &File, path: &Path) -> io::Result<()> {
    let at_path = fs::symlink_metadata(path)?;
    if is_same_file(&file.metadata()?, &at_path) {
        return Ok(());
    }
    let text = format!("{} was replaced by another file", path.display());
    Err(io::Error::new(ErrorKind::NotFound, text))
}

#[cfg(unix)]
fn is_same_file(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn is_same_file(_: &fs::Metadata, _: &fs::Metadata) -> bool {
    true
}
