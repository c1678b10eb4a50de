//! Files of control groups as kernels and container runtimes lay them out, by class.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;

use super::*;

const GIB: u64 = 1 << 30;
const MIB: u64 = 1 << 20;
/// The memory and the CPUs of the machine in all cases.
const HOST: (u64, f64) = (16 * GIB, 8.0);

/// What version 1 shows for no memory limit.
const NO_LIMIT_1: &str = "9223372036854771712\n";

/// The mounts of a machine with version 1.
const MOUNTS_1: &str = "\
25 30 0:23 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw
31 25 0:28 / /sys/fs/cgroup ro,nosuid,nodev,noexec shared:9 - tmpfs tmpfs ro,mode=755
32 31 0:29 / /sys/fs/cgroup/systemd rw shared:10 - cgroup cgroup rw,xattr,name=systemd
36 31 0:33 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:16 - cgroup cgroup rw,cpu,cpuacct
37 31 0:34 / /sys/fs/cgroup/memory rw,nosuid shared:17 - cgroup cgroup rw,memory
";

/// The mount of a machine with version 2.
const MOUNTS_2: &str = "\
25 30 0:23 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw
30 25 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate
";

/// Both versions: version 1 has the controllers.
const MOUNTS_BOTH: &str = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
";

/// Files by their path.
#[derive(Debug, Clone, Default)]
struct Files(BTreeMap<PathBuf, String>);

impl Files {
    /// The groups and mounts of the process.
    fn of(groups: &str, mounts: &str) -> Self {
        Self::default()
            .with("/proc/self/cgroup", groups)
            .with("/proc/self/mountinfo", mounts)
    }

    fn with(mut self, path: &str, text: &str) -> Self {
        self.0.insert(path.into(), text.to_owned());
        self
    }

    /// A memory group of version 1.
    fn memory_1(self, group: &str, limit: &str, usage: u64) -> Self {
        let usage = format!("{usage}\n");
        self.with(&format!("{group}/memory.limit_in_bytes"), limit)
            .with(&format!("{group}/memory.usage_in_bytes"), &usage)
    }

    /// A CPU group of version 1.
    fn cpu_1(self, group: &str, quota: &str, period: &str) -> Self {
        self.with(&format!("{group}/cpu.cfs_quota_us"), quota)
            .with(&format!("{group}/cpu.cfs_period_us"), period)
            .with(
                &format!("{group}/cpu.stat"),
                "nr_periods 40\nnr_throttled 12\nthrottled_time 2500000000\n",
            )
    }

    /// A group of version 2.
    fn group_2(self, group: &str, memory: &str, usage: u64, cpu: &str) -> Self {
        self.with(&format!("{group}/memory.max"), memory)
            .with(&format!("{group}/memory.current"), &format!("{usage}\n"))
            .with(&format!("{group}/cpu.max"), cpu)
            .with(
                &format!("{group}/cpu.stat"),
                "usage_usec 9\nuser_usec 5\nsystem_usec 4\nnr_periods 50\nnr_throttled 20\nthrottled_usec 1500000\n",
            )
    }

    fn file(&self, path: &Path) -> Option<String> {
        self.0.get(path).cloned()
    }

    fn reading(&self) -> CgroupReading {
        let read = |path: &Path| self.file(path);
        Cgroups::find(&read).read(&read, Some(HOST.0), Some(HOST.1))
    }

    fn figures(&self) -> CgroupFigures {
        self.reading().figures
    }

    /// The memory limit in MiB and the CPU limit.
    fn limits(&self) -> (Option<u64>, Option<f64>) {
        let figures = self.figures();
        let memory = figures.memory_limit.map(|limit| limit / MIB);
        (memory, figures.cpu_limit)
    }
}

const DOCKER_1: &str = "12:memory:/docker/7f2a\n5:cpu,cpuacct:/docker/7f2a\n1:name=systemd:/docker/7f2a\n0::/system.slice/containerd.service\n";

#[test]
fn version_1() {
    let groups = "9:memory:/service\n4:cpu,cpuacct:/service\n1:name=systemd:/service\n";
    let (memory, cpu) = (
        "/sys/fs/cgroup/memory/service",
        "/sys/fs/cgroup/cpu,cpuacct/service",
    );
    let files = || Files::of(groups, MOUNTS_1);

    // 1. Both limits, with all figures.
    let both = files()
        .memory_1(memory, "536870912\n", 300 * MIB)
        .with(
            &format!("{memory}/memory.stat"),
            "inactive_file 1\nhierarchical_memory_limit 536870912\ntotal_inactive_file 104857600\n",
        )
        .cpu_1(cpu, "150000\n", "100000\n");
    assert_eq!(
        both.reading(),
        CgroupReading {
            figures: CgroupFigures {
                memory_limit: Some(512 * MIB),
                memory_usage: Some(300 * MIB),
                cpu_limit: Some(1.5),
                cpu_periods: Some(40),
                cpu_throttled_periods: Some(12),
                cpu_throttled: Some(Duration::from_millis(2500)),
            },
            memory_in_use: Some(200 * MIB),
        }
    );
    // 2. No limits.
    let none = files()
        .memory_1(memory, NO_LIMIT_1, MIB)
        .cpu_1(cpu, "-1\n", "100000\n");
    assert_eq!(none.reading(), CgroupReading::default());
    // 3. A memory limit only.
    let memory_only = files()
        .memory_1(memory, "1073741824\n", MIB)
        .cpu_1(cpu, "-1\n", "100000\n");
    assert_eq!(memory_only.limits(), (Some(1024), None));
    // 4. A CPU limit only, with another period.
    let cpu_only = files()
        .memory_1(memory, NO_LIMIT_1, MIB)
        .cpu_1(cpu, "10000\n", "50000\n");
    assert_eq!(cpu_only.limits(), (None, Some(0.2)));
    // 5. Limits beyond the machine are none.
    let beyond = files()
        .memory_1(memory, "17179869184\n", MIB)
        .cpu_1(cpu, "800000\n", "100000\n");
    assert_eq!(beyond.limits(), (None, None));
    // 6. A container without a namespace of its own: its group is the root of its mounts.
    let mounts = "\
900 880 0:33 /docker/7f2a /sys/fs/cgroup/cpu,cpuacct ro,nosuid master:16 - cgroup cgroup rw,cpu,cpuacct
901 880 0:34 /docker/7f2a /sys/fs/cgroup/memory ro,nosuid master:17 - cgroup cgroup rw,memory
";
    let container = Files::of(DOCKER_1, mounts)
        .memory_1("/sys/fs/cgroup/memory", "268435456\n", MIB)
        .cpu_1("/sys/fs/cgroup/cpu,cpuacct", "50000\n", "100000\n");
    assert_eq!(container.limits(), (Some(256), Some(0.5)));
    // 7. A limit of a group above the container, which it cannot see.
    let pod = container.with(
        "/sys/fs/cgroup/memory/memory.stat",
        "hierarchical_memory_limit 134217728\ntotal_inactive_file 0\n",
    );
    assert_eq!(pod.limits(), (Some(128), Some(0.5)));
}

#[test]
fn version_2() {
    let group = "/sys/fs/cgroup/system.slice/shop.service";
    let files = || Files::of("0::/system.slice/shop.service\n", MOUNTS_2);

    // 1. Both limits, with all figures.
    let both = files()
        .group_2(group, "536870912\n", 300 * MIB, "50000 100000\n")
        .with(
            &format!("{group}/memory.stat"),
            "anon 9\nfile 3\ninactive_file 104857600\nactive_file 8\n",
        );
    assert_eq!(
        both.reading(),
        CgroupReading {
            figures: CgroupFigures {
                memory_limit: Some(512 * MIB),
                memory_usage: Some(300 * MIB),
                cpu_limit: Some(0.5),
                cpu_periods: Some(50),
                cpu_throttled_periods: Some(20),
                cpu_throttled: Some(Duration::from_millis(1500)),
            },
            memory_in_use: Some(200 * MIB),
        }
    );
    // 2. No limits.
    let none = files().group_2(group, "max\n", MIB, "max 100000\n");
    assert_eq!(none.reading(), CgroupReading::default());
    // 3. Limits beyond the machine are none.
    let beyond = files().group_2(group, "34359738368\n", MIB, "1600000 100000\n");
    assert_eq!(beyond.limits(), (None, None));
    // 4. A limit of one controller only.
    let memory = files().group_2(group, "1048576\n", MIB, "max 100000\n");
    assert_eq!(memory.limits(), (Some(1), None));
    let cpu = files().group_2(group, "max\n", MIB, "400000 100000\n");
    assert_eq!(cpu.limits(), (None, Some(4.0)));
    // 5. The root group has none of the files.
    let root = Files::of("0::/\n", MOUNTS_2).with("/sys/fs/cgroup/cpu.stat", "usage_usec 9\n");
    assert_eq!(root.reading(), CgroupReading::default());
    // 6. A controller that is not enabled for the group.
    let partly = files()
        .with(&format!("{group}/memory.max"), "2097152\n")
        .with(&format!("{group}/cpu.stat"), "usage_usec 9\n");
    assert_eq!(partly.limits(), (Some(2), None));
    assert_eq!(partly.reading().memory_in_use, None);
    // 7. No throttling in an old kernel's file.
    let old = files().with(&format!("{group}/cpu.max"), "50000 100000\n");
    assert_eq!(
        old.figures(),
        CgroupFigures {
            cpu_limit: Some(0.5),
            ..CgroupFigures::default()
        }
    );
}

#[test]
fn namespaces() {
    let limited =
        |files: Files| files.group_2("/sys/fs/cgroup", "536870912\n", MIB, "50000 100000\n");

    // 1. A container with a namespace: its group is `/`.
    let container = "1234 1200 0:26 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw,nsdelegate\n";
    let files = limited(Files::of("0::/\n", container));
    assert_eq!(files.limits(), (Some(512), Some(0.5)));
    // 2. A group below the container's.
    let files = limited(Files::of("0::/init\n", container))
        .with("/sys/fs/cgroup/init/memory.max", "max\n")
        .with("/sys/fs/cgroup/init/cpu.max", "25000 100000\n");
    assert_eq!(files.limits(), (Some(512), Some(0.25)));
    // 3. A process outside the namespace of the mounts' owner, as after `nsenter`: nobody knows where its group is.
    let files = limited(Files::of("0::/../../elsewhere\n", container));
    assert_eq!(files.limits(), (None, None));
    // 4. A new namespace that still sees the mounts of the machine.
    let outside = "30 25 0:26 /../../.. /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
    let files = limited(Files::of("0::/\n", outside));
    assert_eq!(files.limits(), (None, None));
    // 5. The machine's namespace inside a container: the group's name begins with the mount's root.
    let host = "1234 1200 0:26 /kubepods/pod1/c1 /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
    let files = limited(Files::of("0::/kubepods/pod1/c1\n", host));
    assert_eq!(files.limits(), (Some(512), Some(0.5)));
    // 6. The same name as a prefix is another group.
    let files = limited(Files::of("0::/kubepods/pod1/c12\n", host));
    assert_eq!(files.limits(), (None, None));
    // 7. Version 1 in a namespace.
    let mounts = "\
900 880 0:33 / /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct
901 880 0:34 / /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory
";
    let files = Files::of("12:memory:/\n5:cpu,cpuacct:/\n0::/\n", mounts)
        .memory_1("/sys/fs/cgroup/memory", "268435456\n", MIB)
        .cpu_1("/sys/fs/cgroup/cpu,cpuacct", "50000\n", "100000\n");
    assert_eq!(files.limits(), (Some(256), Some(0.5)));
}

#[test]
fn hybrid_hierarchies() {
    let groups = "4:memory:/job\n1:cpu:/job\n0::/job\n";
    let unified = |files: Files| {
        files.group_2(
            "/sys/fs/cgroup/unified/job",
            "1048576\n",
            MIB,
            "10000 100000\n",
        )
    };

    // 1. The controllers are those of version 1; files of version 2 do not count.
    let files = unified(Files::of(groups, MOUNTS_BOTH))
        .memory_1("/sys/fs/cgroup/memory/job", "268435456\n", MIB)
        .cpu_1("/sys/fs/cgroup/cpu/job", "50000\n", "100000\n");
    assert_eq!(files.limits(), (Some(256), Some(0.5)));
    // 2. One controller in each version.
    let files = unified(Files::of("4:memory:/job\n0::/job\n", MOUNTS_BOTH)).memory_1(
        "/sys/fs/cgroup/memory/job",
        "268435456\n",
        MIB,
    );
    assert_eq!(files.limits(), (Some(256), Some(0.1)));
    // 3. Both in version 2.
    let files = unified(Files::of("1:name=systemd:/job\n0::/job\n", MOUNTS_BOTH));
    assert_eq!(files.limits(), (Some(1), Some(0.1)));
    // 4. Different groups in each hierarchy.
    let files = Files::of("4:memory:/a\n1:cpu:/b\n0::/\n", MOUNTS_BOTH)
        .memory_1("/sys/fs/cgroup/memory/a", "268435456\n", MIB)
        .memory_1("/sys/fs/cgroup/memory/b", "1048576\n", MIB)
        .cpu_1("/sys/fs/cgroup/cpu/a", "10000\n", "100000\n")
        .cpu_1("/sys/fs/cgroup/cpu/b", "50000\n", "100000\n");
    assert_eq!(files.limits(), (Some(256), Some(0.5)));
    // 5. A hierarchy of version 1 that is not mounted here.
    let mounts: String = MOUNTS_BOTH
        .lines()
        .filter(|line| !line.ends_with("rw,memory"))
        .map(|line| format!("{line}\n"))
        .collect();
    let files =
        unified(Files::of(groups, &mounts)).cpu_1("/sys/fs/cgroup/cpu/job", "50000\n", "100000\n");
    assert_eq!(files.limits(), (None, Some(0.5)));
    // 6. `cpu` is neither `cpuset` nor `cpuacct`.
    let files = Files::of("3:cpuset:/job\n2:cpuacct:/job\n", MOUNTS_BOTH).cpu_1(
        "/sys/fs/cgroup/cpu/job",
        "50000\n",
        "100000\n",
    );
    assert_eq!(files.limits(), (None, None));
}

#[test]
fn nested_groups() {
    let groups = "0::/pods/one/app\n";
    let at = |below: &str| format!("/sys/fs/cgroup/pods{below}");
    let files = || Files::of(groups, MOUNTS_2);

    // 1. The outermost limit is the lowest: its group's usage counts.
    let outer = files()
        .group_2(&at(""), "1048576\n", 7, "10000 100000\n")
        .group_2(&at("/one"), "2097152\n", 5, "20000 100000\n")
        .group_2(&at("/one/app"), "3145728\n", 3, "30000 100000\n");
    assert_eq!(outer.limits(), (Some(1), Some(0.1)));
    assert_eq!(outer.figures().memory_usage, Some(7));
    // 2. The one in the middle.
    let middle = files()
        .group_2(&at(""), "max\n", 7, "max 100000\n")
        .group_2(&at("/one"), "2097152\n", 5, "20000 100000\n")
        .group_2(&at("/one/app"), "3145728\n", 3, "30000 100000\n");
    assert_eq!(middle.limits(), (Some(2), Some(0.2)));
    assert_eq!(middle.figures().memory_usage, Some(5));
    // 3. The innermost.
    let inner = files()
        .group_2(&at("/one"), "4194304\n", 5, "20000 100000\n")
        .group_2(&at("/one/app"), "3145728\n", 3, "10000 100000\n");
    assert_eq!(inner.limits(), (Some(3), Some(0.1)));
    assert_eq!(inner.figures().memory_usage, Some(3));
    // 4. Equal limits: the outer group has the usage of both.
    let equal = files()
        .group_2(&at("/one"), "2097152\n", 5, "20000 100000\n")
        .group_2(&at("/one/app"), "2097152\n", 3, "20000 100000\n");
    assert_eq!(equal.limits(), (Some(2), Some(0.2)));
    assert_eq!(equal.figures().memory_usage, Some(5));
    // 5. Different groups have the lowest limits of memory and CPU.
    let mixed = files()
        .group_2(&at(""), "1048576\n", 7, "max 100000\n")
        .group_2(&at("/one/app"), "max\n", 3, "20000 100000\n");
    assert_eq!(mixed.limits(), (Some(1), Some(0.2)));
    // 6. A group beside them does not count.
    let beside = inner.group_2(&at("/two"), "1\n", 1, "1000 100000\n");
    assert_eq!(beside.limits(), (Some(3), Some(0.1)));
    // 7. More groups than are read.
    let deep = format!("/{}", vec!["a"; 200].join("/"));
    let files = Files::of(&format!("0::{deep}\n"), MOUNTS_2).group_2(
        "/sys/fs/cgroup/a",
        "1048576\n",
        1,
        "1000 100000\n",
    );
    assert_eq!(files.limits(), (None, None));
    // 8. A mount point with a space.
    let mounts = r"30 25 0:26 / /run/c\040g rw - cgroup2 cgroup2 rw";
    let files = Files::of(groups, mounts).group_2("/run/c g/pods", "1048576\n", 1, "1000 100000\n");
    assert_eq!(files.limits(), (Some(1), Some(0.01)));
}

#[test]
fn malformed_files() {
    let group = "/sys/fs/cgroup/a";
    let files = || Files::of("0::/a\n", MOUNTS_2);

    // 1. Nothing, or one of the two files.
    assert_eq!(Files::default().limits(), (None, None));
    let one = Files::default().with("/proc/self/cgroup", "0::/a\n");
    assert_eq!(one.limits(), (None, None));
    let other = Files::default().with("/proc/self/mountinfo", MOUNTS_2);
    assert_eq!(other.limits(), (None, None));
    // 2. Lines that are cut.
    for (groups, mounts) in [
        ("0:", MOUNTS_2),
        ("0", MOUNTS_2),
        (":::", MOUNTS_2),
        ("", ""),
        ("0::/a\n", "30 25 0:26 / /sys/fs/cgroup rw - cgrou"),
        ("0::/a\n", "30 25 0:26 - cgroup2"),
        ("0::/a\n", " - "),
    ] {
        let files = Files::of(groups, mounts).group_2(group, "1\n", 1, "1 2\n");
        assert_eq!(files.limits(), (None, None), "{groups} {mounts}");
    }
    // 3. Numbers that are none, or out of range.
    for number in [
        "",
        "\n",
        "-1",
        "0",
        "0x10",
        "1e6",
        "12 34",
        "99999999999999999999999",
        "max max",
    ] {
        let files = files().group_2(group, number, 1, number);
        assert_eq!(files.limits().0, None, "{number:?}");
    }
    for quota in [
        "",
        "max",
        "100000",
        "0 100000",
        "100000 0",
        "-5 100000",
        "a b",
        "1 2 3",
    ] {
        let files = files().group_2(group, "max", 1, quota);
        assert_eq!(files.limits().1, None, "{quota:?}");
    }
    // 4. Statistics that are none.
    let stat = files()
        .group_2(group, "1048576\n", 5, "50000 100000\n")
        .with(
            &format!("{group}/cpu.stat"),
            "nr_periods\nnr_throttled x\nthrottled_usec -1\n",
        )
        .with(
            &format!("{group}/memory.stat"),
            "inactive_file 9\ninactive_file\n",
        );
    assert_eq!(
        stat.reading(),
        CgroupReading {
            figures: CgroupFigures {
                memory_limit: Some(MIB),
                memory_usage: Some(5),
                cpu_limit: Some(0.5),
                ..CgroupFigures::default()
            },
            // More is reclaimable than is used.
            memory_in_use: Some(0),
        }
    );
    // 5. Usage that is none.
    let usage = files()
        .with(&format!("{group}/memory.max"), "1048576\n")
        .with(&format!("{group}/memory.current"), "lots");
    assert_eq!(usage.reading().memory_in_use, None);
    assert_eq!(usage.limits().0, Some(1));
    // 6. A group that was removed, and one that is not there.
    let removed = Files::of("0::/a (deleted)\n", MOUNTS_2).group_2(group, "1048576\n", 1, "1 2\n");
    assert_eq!(removed.limits(), (None, None));
}

/// Text that is like one of the files, with a part of it replaced.
fn nearly(texts: &'static [&'static str]) -> impl Strategy<Value = String> {
    let text = proptest::sample::select(texts);
    (text, any::<(usize, usize)>(), any::<String>()).prop_map(|(text, (at, length), with)| {
        let mut chars: Vec<char> = text.chars().collect();
        let at = at % (chars.len() + 1);
        let end = at + length % (chars.len() - at + 1).min(6);
        chars.splice(at..end, with.chars());
        chars.into_iter().collect()
    })
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(
        groups in nearly(&["0::/a/b\n", DOCKER_1, "4:memory:/a/b\n1:cpu:/a\n0::/\n"]),
        mounts in nearly(&[MOUNTS_1, MOUNTS_2, MOUNTS_BOTH]),
        text in nearly(&["max\n", "1048576\n", "50000 100000\n", "nr_periods 1\nthrottled_usec 2\n"]),
        host in any::<(Option<u64>, Option<f64>)>(),
    ) {
        let read = |path: &Path| match path.to_str() {
            Some("/proc/self/cgroup") => Some(groups.clone()),
            Some("/proc/self/mountinfo") => Some(mounts.clone()),
            _ => Some(text.clone()),
        };
        let found = Cgroups::find(&read);
        let figures = found.read(&read, host.0, host.1).figures;
        prop_assert!(figures.cpu_limit.is_none_or(|limit| limit > 0.0));
        prop_assert!(figures.memory_limit.is_none_or(|limit| limit > 0));
        found.available_memory(&read);
    }

    #[test]
    fn any_bytes_are_read_as_files(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let read = |_: &Path| Some(text.clone());
        let found = Cgroups::find(&read);
        found.read(&read, None, None);
    }
}
