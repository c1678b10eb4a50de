use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Creates a directory that only its owner can access, and its parents, unless it exists.
pub(super) fn make_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Opens a file that only its owner can read; creates it if it is missing.
pub(super) fn open_private(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::process::Command;

    use super::super::DataDir;

    #[test]
    fn links_in_our_places_are_refused_and_the_root_may_be_one() {
        let dir = tempfile::tempdir().unwrap();
        let (root, link) = (dir.path().join("root"), dir.path().join("link"));
        fs::create_dir(&root).unwrap();
        symlink(&root, &link).unwrap();
        let first = DataDir::open(&link).unwrap();
        assert_eq!(first.path(), link);
        symlink("/tmp", root.join("2")).unwrap();
        let error = DataDir::open(&root).unwrap_err();
        assert!(error.to_string().ends_with("2 is a symbolic link"));
        drop(first);
        fs::remove_file(root.join("lock")).unwrap();
        symlink(dir.path().join("elsewhere"), root.join("lock")).unwrap();
        assert!(DataDir::open(&root).is_err());
        assert!(!dir.path().join("elsewhere").exists());
    }

    #[test]
    fn the_count_of_starts_follows_no_link() {
        let dir = tempfile::tempdir().unwrap();
        let (root, other) = (dir.path().join("root"), dir.path().join("other"));
        let data_dir = DataDir::open(&root).unwrap();
        fs::write(&other, "7").unwrap();
        symlink(&other, root.join("starts.new")).unwrap();
        assert_eq!(data_dir.count_start().unwrap(), 0);
        let mode = fs::metadata(root.join("starts"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::remove_file(root.join("starts")).unwrap();
        symlink(&other, root.join("starts")).unwrap();
        assert!(data_dir.count_start().is_err());
        assert_eq!(fs::read(&other).unwrap(), b"7");
    }

    #[test]
    fn the_umask_opens_nothing() {
        const CHILD: &str = "WATCHPOST_TEST_UMASK_CHILD";
        let mode =
            |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        if let Ok(root) = std::env::var(CHILD) {
            let taken = DataDir::open(&root).unwrap();
            let second = DataDir::open(&root).unwrap();
            assert_eq!((mode(taken.path()), mode(second.path())), (0o700, 0o700));
            assert_eq!(mode(&taken.path().join("lock")), 0o600);
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let child = Command::new("sh")
            .args(["-c", r#"umask 000 && exec "$0" the_umask_opens_nothing"#])
            .arg(std::env::current_exe().unwrap())
            .env(CHILD, dir.path().join("data"))
            .output()
            .unwrap();
        assert!(child.status.success(), "{child:?}");
        assert!(dir.path().join("data/2/lock").exists());
    }
}
