//! Static files: a short one, and one that takes a while to download.

use std::fs::{File, create_dir_all};
use std::io;
use std::path::Path;

use tower_http::services::ServeDir;

const ABOUT: &str = "contentmax keeps contents, and writes new ones.\n";
/// More than the buffers of a connection hold, so that a client can disconnect in the middle.
const EXPORT_BYTES: u64 = 16 * 1024 * 1024;

/// Creates the files in a folder of `directory` and returns a service for the folder.
pub(crate) fn serve(directory: &Path) -> io::Result<ServeDir> {
    let folder = directory.join("static");
    create_dir_all(&folder)?;
    let about = folder.join("about.txt");
    if !about.exists() {
        std::fs::write(about, ABOUT)?;
    }
    // A sparse file: it reads as zeros and takes no space on the disk.
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
