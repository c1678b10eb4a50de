//! The figures of the process itself.

use std::path::Path;
use std::time::Duration;

use metrics_process::collector;

use super::proc_files;
use super::proc_text::{allowed_cpus, host_uptime, start_ticks};
use super::read_file::ReadFile;

pub(super) use metrics_process::collector::Metrics as ProcessReading;

/// Reads the figures. What the system does not have is `None`.
pub(super) fn read() -> ProcessReading {
    let reading = collector::collect();
    ProcessReading {
        // On Linux, the crate also counts the file descriptors that it opens itself.
        open_fds: proc_files::open_files().or(reading.open_fds),
        ..reading
    }
}

/// The number of CPUs on which the process may run.
pub(super) fn cpus(read: ReadFile<'_>) -> Option<u64> {
    let status = read(Path::new("/proc/self/status"));
    let allowed = || Some(std::thread::available_parallelism().ok()?.get() as u64);
    status.as_deref().and_then(allowed_cpus).or_else(allowed)
}

/// The time since the process started. `wall` is the current time since the Unix epoch, for systems that only have the
/// start time on the wall clock.
pub(super) fn uptime(
    read: ReadFile<'_>,
    process: &ProcessReading,
    wall: Duration,
) -> Option<Duration> {
    since_boot(read).or_else(|| {
        let started = Duration::from_secs(process.start_time_seconds?);
        wall.checked_sub(started)
    })
}

#[expect(clippy::cast_precision_loss, reason = "exact for 2,800 years")]
fn since_boot(read: ReadFile<'_>) -> Option<Duration> {
    let machine = host_uptime(&read(Path::new("/proc/uptime"))?)?;
    let started = start_ticks(&read(Path::new("/proc/self/stat"))?)? as f64;
    // Negative where the container has an uptime of its own.
    Duration::try_from_secs_f64(machine - started / proc_files::ticks_per_second() as f64).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WALL: Duration = Duration::from_secs(1_000);

    fn process() -> ProcessReading {
        ProcessReading {
            start_time_seconds: Some(400),
            ..ProcessReading::default()
        }
    }

    fn files<'a>(uptime: &'a str, stat: &'a str) -> impl Fn(&Path) -> Option<String> + 'a {
        move |path| match path.to_str()? {
            "/proc/uptime" => Some(uptime.to_owned()),
            "/proc/self/stat" => Some(stat.to_owned()),
            _ => None,
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_uptime_is_independent_of_the_wall_clock() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 0 0 0 5 2 0 0 20 0 3 0 12300 1 2";
        let read = files("223.50 400.00\n", stat);
        let found = uptime(&read, &process(), WALL).unwrap();
        assert_eq!(found, Duration::from_millis(100_500));
    }

    #[test]
    fn without_proc_it_is_that_of_the_wall_clock() {
        for read in [
            files("", ""),
            files("nan", "7 (a) S 1"),
            // The container's uptime is shorter than that of the process.
            files(
                "1.0 1.0",
                "7 (a) S 1 7 7 0 -1 4 1 0 0 0 5 2 0 0 20 0 3 0 12300 1 2",
            ),
        ] {
            let found = uptime(&read, &process(), WALL);
            assert_eq!(found, Some(Duration::from_secs(600)));
        }
        let future = uptime(&|_| None, &process(), Duration::from_secs(399));
        assert_eq!(future, None);
        let unknown = uptime(&|_| None, &ProcessReading::default(), WALL);
        assert_eq!(unknown, None);
    }

    #[test]
    fn the_cpus_are_those_that_the_process_may_run_on() {
        let status = |path: &Path| {
            (path == Path::new("/proc/self/status"))
                .then(|| "Name:\tx\nCpus_allowed:\t13\nCpus_allowed_list:\t0-1,4\n".to_owned())
        };
        assert_eq!(cpus(&status), Some(3));
        let counted = std::thread::available_parallelism().unwrap().get() as u64;
        assert_eq!(cpus(&|_| None), Some(counted));
    }
}
