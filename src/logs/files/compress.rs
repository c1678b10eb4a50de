use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind};

use super::catalog::SegmentCatalog;
use super::members::compress_members;
use super::rolling::{create_file, sync_directory};
use super::segment::{LogSegment, SegmentPlace};

/// Compresses the closed files, from the oldest on.
///
/// # Errors
///
/// Returns the first error if some cannot be compressed. They stay as they are. If the disk is full, no other is tried.
pub(super) fn compress_closed(catalog: &SegmentCatalog, permissions: u32) -> io::Result<()> {
    let (mut from, mut all) = (0, Ok(()));
    while let Some(segment) = catalog.next_to_compress(from) {
        from = segment.number + 1;
        match compress(catalog, &segment, permissions) {
            // Removed by somebody else.
            Err(error) if error.kind() == ErrorKind::NotFound => catalog.forget(segment.number),
            Err(error) if is_full(&error) => return all.and(Err(error)),
            done => all = all.and(done),
        }
    }
    all
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded
    )
}

fn compress(catalog: &SegmentCatalog, segment: &LogSegment, permissions: u32) -> io::Result<()> {
    let from = catalog.path_of(segment)?;
    let compressed = LogSegment {
        place: SegmentPlace::Compressed,
        ..*segment
    };
    let to = catalog.path_of(&compressed)?;
    let half = to.with_extension("gz.new");
    let mut source = File::open(&from)?;
    // What an earlier attempt has left.
    let _none = fs::remove_file(&half);
    let written = create_file(&half, permissions).and_then(|file| {
        let mut into = BufWriter::new(file);
        compress_members(&mut source, &mut into)?;
        let file = into.into_inner()?;
        file.sync_all()?;
        Ok(file.metadata()?.len())
    });
    let renamed = written.and_then(|len| {
        fs::rename(&half, &to)?;
        sync_directory(&catalog.directory)?;
        Ok(len)
    });
    let len = match renamed {
        Ok(len) => len,
        Err(error) => {
            let _none = fs::remove_file(&half);
            return Err(error);
        }
    };
    // From here on, readers open the compressed file. One that has the original open reads it to its end.
    if catalog.note_compressed(segment.number, len) {
        fs::remove_file(&from)
    } else {
        fs::remove_file(&to)
    }
}
