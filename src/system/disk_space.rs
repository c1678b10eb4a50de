use std::path::Path;

use super::figures::DiskSpace;

/// The space of the disk with `directory`. Blocks for as long as the disk does.
pub(super) fn of(directory: &Path) -> Option<DiskSpace> {
    let stat = rustix::fs::statvfs(directory).ok()?;
    Some(DiskSpace {
        total: stat.f_blocks.saturating_mul(stat.f_frsize),
        available: stat.f_bavail.saturating_mul(stat.f_frsize),
    })
}
