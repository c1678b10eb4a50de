//! The files of the service: a short one, and one that takes a while to download.

use std::fs::{File, create_dir_all};
use std::io;
use std::path::Path;

use tower_http::services::ServeDir;

const ABOUT: &str = "contentmax keeps contents, and writes new ones.\n";
/// More than the buffers of a connection hold, so that a client can leave in the middle.
const EXPORT_BYTES: u64 = 16 * 1024 * 1024;

/// Writes the files into a folder in `directory` where they are not there yet. Returns the service for the folder.
pub(crate) fn serve(directory: &Path) -> io::Result<ServeDir> {
    let folder = directory.join("static");
    create_dir_all(&folder)?;
    let about = folder.join("about.txt");
    if !about.exists() {
        std::fs::write(about, ABOUT)?;
    }
    // A hole: it is read as zeros, and takes no room on the disk.
    let export = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(folder.join("export.bin"))?;
    if export.metadata()?.len() != EXPORT_BYTES {
        export.set_len(EXPORT_BYTES)?;
    }
    Ok(ServeDir::new(folder))
}
