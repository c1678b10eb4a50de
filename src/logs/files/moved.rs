use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::file_id::{FileId, id_of};
use super::names::{closed_number, current_name, manifest_name};

/// The path of a file that another program has renamed. The number of a file that was removed may be that of another one
/// now, so a file of ours or a shorter one is not taken for it.
pub(super) fn find_moved(
    directory: &Path,
    stem: &str,
    (id, bytes): (FileId, u64),
) -> io::Result<Option<PathBuf>> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let is_ours = entry.file_name().to_str().is_some_and(|name| {
            name == current_name(stem)
                || name == manifest_name(stem)
                || closed_number(stem, name).is_some()
        });
        // Another program may rename files meanwhile.
        let found = entry.metadata().ok().filter(|it| !is_ours && it.is_file());
        if found.is_some_and(|it| id_of(&it) == id && it.len() >= bytes) {
            return Ok(Some(entry.path()));
        }
    }
    Ok(None)
}
