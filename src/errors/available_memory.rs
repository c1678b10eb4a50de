//! How much more memory the process can allocate, as reported by the system.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Memory that resolving a backtrace needs in addition to the program's file, which it maps completely.
const SYMBOL_TABLES: u64 = 64 << 20;

/// Address space that other threads may allocate at the same time: for a new arena, the allocator reserves 128 MiB and
/// keeps 64.
const ARENAS: u64 = 192 << 20;

/// The bytes that must be available to resolve a backtrace: 64 MiB and the size of the program's file.
pub(super) fn required() -> u64 {
    static REQUIRED: OnceLock<u64> = OnceLock::new();
    *REQUIRED.get_or_init(|| {
        let program = fs::metadata("/proc/self/exe");
        SYMBOL_TABLES.saturating_add(program.map_or(0, |found| found.len()))
    })
}

/// The bytes that are available under the tightest limit: of the address space (`ulimit -v`, less 192 MiB), of the
/// control groups and of the machine. `None` if the system does not report it.
pub(super) fn available() -> Option<u64> {
    let read = |path: &str| fs::read_to_string(path).ok();
    let address_space = || address_space(&read("/proc/self/limits")?, &read("/proc/self/status")?);
    let machine = || machine(&read("/proc/meminfo")?);
    let groups = || control_groups(&read("/proc/self/cgroup")?, Path::new("/sys/fs/cgroup"));
    [address_space(), machine(), groups()]
        .into_iter()
        .flatten()
        .min()
}

fn address_space(limits: &str, status: &str) -> Option<u64> {
    let limit = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max address space"))?;
    // `unlimited` is not a number, so there is no limit then.
    let limit: u64 = limit.split_whitespace().next()?.parse().ok()?;
    let taken = kilobytes(status, "VmSize:")?.saturating_add(ARENAS);
    Some(limit.saturating_sub(taken))
}

fn machine(meminfo: &str) -> Option<u64> {
    kilobytes(meminfo, "MemAvailable:")
}

/// The files of a memory controller.
struct MemoryFiles {
    limit: &'static str,
    usage: &'static str,
    /// The line of `memory.stat` with the file pages that the kernel gives back when memory is short. The usage
    /// includes them.
    reclaimable: &'static str,
}

const VERSION_1: MemoryFiles = MemoryFiles {
    limit: "memory.limit_in_bytes",
    usage: "memory.usage_in_bytes",
    reclaimable: "total_inactive_file",
};

const VERSION_2: MemoryFiles = MemoryFiles {
    limit: "memory.max",
    usage: "memory.current",
    reclaimable: "inactive_file",
};

/// The least that is available in the process's control group and those above it, of version 2 or of the memory
/// controller of version 1.
fn control_groups(cgroup: &str, root: &Path) -> Option<u64> {
    let available = cgroup.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?);
        let path = path.trim_start_matches('/');
        if controllers.is_empty() {
            least(root, path, &VERSION_2)
        } else if controllers.split(',').any(|it| it == "memory") {
            least(&root.join("memory"), path, &VERSION_1)
        } else {
            None
        }
    });
    available.min()
}

/// The least that is available in the group at `path` and the groups above it, up to `root`.
fn least(root: &Path, path: &str, files: &MemoryFiles) -> Option<u64> {
    let number =
        |file: PathBuf| -> Option<u64> { fs::read_to_string(file).ok()?.trim().parse().ok() };
    let directory = root.join(path);
    let up = directory.ancestors().take_while(|at| at.starts_with(root));
    let available = |at: &Path| {
        let (limit, usage) = (number(at.join(files.limit))?, number(at.join(files.usage))?);
        let stat = fs::read_to_string(at.join("memory.stat")).unwrap_or_default();
        let reclaimable = stat.lines().find_map(|line| {
            let (name, value) = line.split_once(' ')?;
            (name == files.reclaimable).then(|| value.trim().parse::<u64>().ok())?
        });
        Some(limit.saturating_sub(usage.saturating_sub(reclaimable.unwrap_or(0))))
    };
    up.filter_map(available).min()
}

/// The value of a line such as `VmSize:   123 kB`, in bytes.
pub(super) fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: &str = "Limit                     Soft Limit           Hard Limit           Units     \nMax data size             unlimited            unlimited            bytes     \nMax address space         404800000            404800000            bytes     \n";

    #[test]
    fn the_address_space_is_its_limit_less_what_is_taken() {
        let left = address_space(LIMITS, "Name:\tx\nVmPeak:\t 9 kB\nVmSize:\t  100000 kB\n");
        assert_eq!(left, Some(404_800_000 - 102_400_000 - ARENAS));
        assert_eq!(address_space(LIMITS, "VmSize:\t 999999999 kB\n"), Some(0));
        let unlimited = LIMITS.replace("404800000", "unlimited");
        assert_eq!(address_space(&unlimited, "VmSize:\t 1 kB\n"), None);
        assert_eq!(address_space("", "VmSize:\t 1 kB\n"), None);
        assert_eq!(address_space(LIMITS, ""), None);
    }

    #[test]
    fn the_tightest_control_group_counts() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("memory.current", "5000\n");
        write("pod/memory.max", "1000\n");
        write("pod/memory.current", "900\n");
        write("pod/one/memory.max", "max\n");
        write("pod/one/memory.current", "300\n");
        write("memory/old/memory.limit_in_bytes", "700\n");
        write("memory/old/memory.usage_in_bytes", "650\n");
        write("pod/two/memory.max", "1000\n");
        write("pod/two/memory.current", "990\n");
        write(
            "pod/two/memory.stat",
            "anon 900\ninactive_file 40\nactive_file 7\n",
        );
        let left = |cgroup| control_groups(cgroup, root.path());
        assert_eq!(left("0::/pod/two\n"), Some(50));
        assert_eq!(left("0::/pod/one\n"), Some(100));
        assert_eq!(left("0::/\n"), None);
        assert_eq!(left("3:cpu,memory:/old\n1:name=systemd:/x\n"), Some(50));
        assert_eq!(left("3:cpu:/old\n"), None);
        assert_eq!(left("garbage"), None);
        // Inside a container the path may be one that only the host sees.
        assert_eq!(left("0::/../../elsewhere\n"), None);
    }

    #[test]
    fn this_process_has_memory_available() {
        assert_eq!(
            machine("MemFree: 1 kB\nMemAvailable:   12 kB\n"),
            Some(12 * 1024)
        );
        assert!(available().is_none_or(|bytes| bytes > 0));
        assert!(required() > SYMBOL_TABLES);
    }
}
