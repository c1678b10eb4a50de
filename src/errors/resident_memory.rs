//! Reads the resident memory of the process.

use crate::clock::{Clock, Nanos};
use crate::system::kilobytes;

/// The shortest time between two readings of the system's figure.
const INTERVAL: Nanos = 1_000_000_000;

/// The resident memory of this process (`VmRSS`), cached for a second.
#[derive(Debug)]
pub(super) struct ResidentMemory {
    clock: Clock,
    last: Option<(Nanos, Option<u64>)>,
}

impl ResidentMemory {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, last: None }
    }

    /// The bytes; `None` where the system has no such figure.
    pub(super) fn bytes(&mut self) -> Option<u64> {
        let now = self.clock.now();
        if let Some((at, bytes)) = self.last
            && now.saturating_sub(at) < INTERVAL
        {
            return bytes;
        }
        let status = std::fs::read_to_string("/proc/self/status").ok();
        let bytes = status.as_deref().and_then(resident);
        self.last = Some((now, bytes));
        bytes
    }
}

fn resident(status: &str) -> Option<u64> {
    kilobytes(status, "VmRSS:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_the_status_file_is_read() {
        assert_eq!(
            resident("VmPeak:\t 9 kB\nVmRSS:\t   12 kB\n"),
            Some(12 * 1024)
        );
        assert_eq!(resident("VmRSS:\t x kB"), None);
        let mut own = ResidentMemory::new(Clock::system());
        assert_eq!(own.bytes(), own.bytes());
    }
}
