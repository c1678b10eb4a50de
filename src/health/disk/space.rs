use std::path::Path;

use super::DiskSpace;

/// The room on the disk of `directory`.
pub(super) fn of(directory: &Path) -> Option<DiskSpace> {
    let stat = rustix::fs::statvfs(directory).ok()?;
    Some(DiskSpace {
        available: stat.f_bavail.saturating_mul(stat.f_frsize),
        total: stat.f_blocks.saturating_mul(stat.f_frsize),
    })
}
