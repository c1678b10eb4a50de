//! The check of the data directory. It blocks for as long as the disk does.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;

use super::status::{CheckResult, SuccessDetail};
use crate::system::{DiskSpace, SystemReader};

/// The least free space in bytes; with less, the check fails.
const MIN_AVAILABLE: u64 = 16 << 20;

/// Checks that a file can be written in the directory, and that its disk has free space. The figures of the system get
/// the space too.
pub(super) fn check(directory: &Path, system: &SystemReader) -> CheckResult {
    let space = system.read_disk(directory);
    write_and_remove(directory).map_err(|error| format!("the data directory: {error}"))?;
    judge(space)
}

/// A failure below 16 MiB of free space, a warning below a twentieth of the disk.
#[expect(clippy::cast_precision_loss, reason = "exact to 8 PiB")]
fn judge(space: Option<DiskSpace>) -> CheckResult {
    let Some(DiskSpace { available, total }) = space else {
        return Ok(SuccessDetail::default());
    };
    let mib = available >> 20;
    if available < MIN_AVAILABLE {
        return Err(format!("the data directory's disk is full: {mib} MiB left"));
    }
    let low = available < total / 20;
    Ok(SuccessDetail {
        warning: low.then(|| format!("the data directory's disk is nearly full: {mib} MiB left")),
        observed: Some((available as f64, "By")),
    })
}

/// Writes a file and removes it. An existing file or link with the name is never followed.
fn write_and_remove(directory: &Path) -> io::Result<()> {
    let path = directory.join(format!(".watchpost-probe-{}", std::process::id()));
    let create = || OpenOptions::new().write(true).create_new(true).open(&path);
    let mut file = match create() {
        // A process with this ID may have ended in the middle of this function.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            fs::remove_file(&path)?;
            create()?
        }
        created => created?,
    };
    let written = file.write_all(b"?").and_then(|()| file.sync_data());
    drop(file);
    fs::remove_file(&path)?;
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    fn reader() -> SystemReader {
        SystemReader::new(Clock::system(), None)
    }

    #[test]
    fn a_good_directory_passes_and_is_left_empty() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(
            directory
                .path()
                .join(format!(".watchpost-probe-{}", std::process::id())),
            "left over",
        )
        .unwrap();
        check(directory.path(), &reader()).unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_directory_that_is_gone_or_a_file_fails() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();
        for path in [directory.path().join("gone"), file] {
            let error = check(&path, &reader()).unwrap_err();
            assert!(error.starts_with("the data directory: "), "{error}");
        }
    }

    #[test]
    fn little_free_space_is_a_warning_or_a_failure() {
        let of = |available, total| judge(Some(DiskSpace { total, available }));
        assert!(of(1 << 20, 1 << 40).unwrap_err().contains("full: 1 MiB"));
        let low = of(1 << 30, 1 << 40).unwrap();
        assert!(low.warning.unwrap().contains("1024 MiB"));
        let good = of(1 << 39, 1 << 40).unwrap();
        assert_eq!(
            (good.warning, good.observed.map(|of| of.1)),
            (None, Some("By"))
        );
        assert_eq!(judge(None), Ok(SuccessDetail::default()));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_free_space_is_known() {
        let reader = reader();
        assert_eq!(reader.figures().disk, None);
        let directory = tempfile::tempdir().unwrap();
        check(directory.path(), &reader).unwrap();
        let disk = reader.figures().disk.unwrap();
        assert!(disk.available <= disk.total && disk.total > 0);
    }
}
