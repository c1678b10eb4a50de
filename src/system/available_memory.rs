//! How much more memory the process can allocate.

use std::path::Path;

use super::cgroup::Cgroups;
use super::proc_files;
use super::proc_text::{host_memory, kilobytes};
use super::read_file::ReadFile;

/// Address space that other threads may allocate at the same time: for a new arena, the allocator reserves 128 MiB and
/// keeps 64.
const ARENAS: u64 = 192 << 20;

/// The bytes that are available under the tightest limit: of the address space (`ulimit -v`, less 192 MiB), of the
/// control groups and of the machine. `None` if the system does not report it.
pub(crate) fn available_memory() -> Option<u64> {
    available(&proc_files::read)
}

fn available(read: ReadFile<'_>) -> Option<u64> {
    let proc = |name: &str| read(Path::new(name));
    let address_space = || address_space(&proc("/proc/self/limits")?, &proc("/proc/self/status")?);
    let machine = || host_memory(&proc("/proc/meminfo")?).available;
    let groups = || Cgroups::find(read).available_memory(read);
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

    const MACHINE: (&str, &str) = ("/proc/meminfo", "MemFree: 1 kB\nMemAvailable:   12 kB\n");

    #[test]
    fn the_tightest_limit_counts() {
        let files = |texts: &'static [(&'static str, &'static str)]| {
            available(&|path: &Path| {
                let found = texts.iter().find(|(name, _)| Path::new(name) == path);
                found.map(|(_, text)| (*text).to_owned())
            })
        };
        assert_eq!(files(&[]), None);
        assert_eq!(files(&[MACHINE]), Some(12 * 1024));
        let left = files(&[
            MACHINE,
            ("/proc/self/cgroup", "0::/pod/two\n"),
            (
                "/proc/self/mountinfo",
                "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
            ),
            ("/sys/fs/cgroup/pod/memory.max", "2000\n"),
            ("/sys/fs/cgroup/pod/memory.current", "1970\n"),
            ("/sys/fs/cgroup/pod/two/memory.max", "1000\n"),
            ("/sys/fs/cgroup/pod/two/memory.current", "990\n"),
            (
                "/sys/fs/cgroup/pod/two/memory.stat",
                "anon 900\ninactive_file 40\nactive_file 7\n",
            ),
        ]);
        assert_eq!(left, Some(30));
    }

    #[test]
    fn this_process_has_memory_available() {
        assert!(available_memory().is_none_or(|bytes| bytes > 0));
    }
}
