//! A look at the data directory. It may block for as long as the disk does.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;

#[cfg_attr(not(target_os = "linux"), path = "no_space.rs")]
mod space;

use super::component::SuccessDetail;
use super::state::CheckResult;

/// Less room than this is a failure, in bytes.
const LEAST: u64 = 16 << 20;

/// Room on a disk, in bytes.
#[derive(Debug, Clone, Copy)]
struct DiskSpace {
    /// For us.
    available: u64,
    total: u64,
}

/// Whether a file can be written in the directory, and how much room is left there.
pub(super) fn look(directory: &Path) -> CheckResult {
    write_and_remove(directory).map_err(|error| format!("the data directory: {error}"))?;
    judge(space::of(directory))
}

/// Room as a result: a failure where there is next to none, a warning under a twentieth.
#[expect(clippy::cast_precision_loss, reason = "exact to 8 PiB")]
fn judge(space: Option<DiskSpace>) -> CheckResult {
    let Some(DiskSpace { available, total }) = space else {
        return Ok(SuccessDetail::default());
    };
    let mib = available >> 20;
    if available < LEAST {
        return Err(format!("the data directory's disk is full: {mib} MiB left"));
    }
    let low = available < total / 20;
    Ok(SuccessDetail {
        warning: low.then(|| format!("the data directory's disk is nearly full: {mib} MiB left")),
        observed: Some((available as f64, "By")),
    })
}

/// Leaves nothing behind, and follows no link that somebody put there.
fn write_and_remove(directory: &Path) -> io::Result<()> {
    let path = directory.join(format!(".watchpost-probe-{}", std::process::id()));
    let create = || OpenOptions::new().write(true).create_new(true).open(&path);
    let mut file = match create() {
        // Left by a process that ended between two lines of this function.
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
        look(directory.path()).unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_directory_that_is_gone_or_a_file_fails() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();
        for path in [directory.path().join("gone"), file] {
            let told = look(&path).unwrap_err();
            assert!(told.starts_with("the data directory: "), "{told}");
        }
    }

    #[test]
    fn little_room_is_told() {
        let of = |available, total| judge(Some(DiskSpace { available, total }));
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
    fn the_room_left_is_known() {
        let space = space::of(Path::new("/")).unwrap();
        assert!(space.available <= space.total && space.total > 0);
    }
}
