//! Where the files of the process's groups are.

use std::path::{Component, Path, PathBuf};

/// The maximum number of nested groups that are read.
const MAX_DEPTH: usize = 64;

/// The version of a hierarchy of control groups. Both can be in use at once, for different controllers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CgroupVersion {
    One,
    Two,
}

/// The group of the process in the hierarchy of one controller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ControllerPath {
    pub(super) version: CgroupVersion,
    mount_point: PathBuf,
    /// The directory of the group, at the mount point or below it.
    directory: PathBuf,
}

impl ControllerPath {
    /// Finds the group from the texts of `/proc/self/cgroup` and `/proc/self/mountinfo`. Returns `None` if its
    /// directory is not mounted here.
    pub(super) fn find(groups: &str, mounts: &str, controller: &str) -> Option<Self> {
        let (version, group) = group_of(groups, controller)?;
        let mounts = mounts.lines().filter_map(Mount::read);
        let mut mounts = mounts.filter(|mount| mount.has(version, controller));
        mounts.find_map(|mount| {
            let below = Path::new(group).strip_prefix(mount.root()).ok()?;
            // A group outside the process's namespace is named `/../other`.
            let is_name = |part: Component<'_>| matches!(part, Component::Normal(_));
            below.components().all(is_name).then_some(())?;
            let mount_point = PathBuf::from(unescaped(mount.at));
            Some(Self {
                version,
                directory: mount_point.join(below),
                mount_point,
            })
        })
    }

    /// The directories of the group and the groups above it.
    pub(super) fn groups(&self) -> impl Iterator<Item = &Path> {
        let up = self.directory.ancestors();
        up.take_while(|at| at.starts_with(&self.mount_point))
            .take(MAX_DEPTH)
    }
}

/// The version and the name of the group for a controller, from the lines `hierarchy:controllers:group`. A controller
/// that no hierarchy of version 1 has belongs to version 2, in the line without controllers.
fn group_of<'a>(groups: &'a str, controller: &str) -> Option<(CgroupVersion, &'a str)> {
    let mut two = None;
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(hierarchy), Some(controllers), Some(group)) =
            (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        if controllers.split(',').any(|it| it == controller) {
            return Some((CgroupVersion::One, group));
        }
        if hierarchy == "0" && controllers.is_empty() {
            two = two.or(Some((CgroupVersion::Two, group)));
        }
    }
    two
}

/// A line of `/proc/self/mountinfo`.
struct Mount<'a> {
    /// The directory within the file system that is at the mount point. Escaped.
    root: &'a str,
    /// The mount point. Escaped.
    at: &'a str,
    file_system: &'a str,
    /// The options of the file system. In version 1, its controllers are among them.
    options: &'a str,
}

impl<'a> Mount<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let (place, file_system) = line.split_once(" - ")?;
        let mut place = place.split(' ').skip(3);
        let mut file_system = file_system.split(' ');
        Some(Self {
            root: place.next()?,
            at: place.next()?,
            file_system: file_system.next()?,
            options: file_system.nth(1).unwrap_or_default(),
        })
    }

    fn has(&self, version: CgroupVersion, controller: &str) -> bool {
        match version {
            CgroupVersion::One => {
                self.file_system == "cgroup" && self.options.split(',').any(|it| it == controller)
            }
            CgroupVersion::Two => self.file_system == "cgroup2",
        }
    }

    fn root(&self) -> String {
        unescaped(self.root)
    }
}

/// Replaces the escapes of `mountinfo`, which are three octal digits: `\040` is a space.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = match after {
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] if *first == b'\\' => {
                Some(((a - b'0') << 6) | ((b - b'0') << 3) | (c - b'0'))
            }
            _ => None,
        };
        bytes.push(escaped.unwrap_or(*first));
        let length = if escaped.is_some() { 3 } else { 0 };
        rest = after.get(length..).unwrap_or_default();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_of_mount_points_are_replaced() {
        assert_eq!(unescaped(r"/a\040b\134c"), r"/a b\c");
        assert_eq!(unescaped(r"/a\04"), r"/a\04");
        assert_eq!(unescaped(r"/a\777\"), r"/a\777\");
        assert_eq!(unescaped(r"/\303\244"), "/ä");
    }
}
