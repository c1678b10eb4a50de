//! The memory that is needed to resolve a backtrace.

use std::fs;
use std::sync::OnceLock;

/// Memory that resolving a backtrace needs in addition to the program's file, which it maps completely.
const SYMBOL_TABLES: u64 = 64 << 20;

/// The bytes that must be available to resolve a backtrace: 64 MiB and the size of the program's file.
pub(super) fn required() -> u64 {
    static REQUIRED: OnceLock<u64> = OnceLock::new();
    *REQUIRED.get_or_init(|| {
        let program = fs::metadata("/proc/self/exe");
        SYMBOL_TABLES.saturating_add(program.map_or(0, |found| found.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn the_programs_file_is_part_of_it() {
        assert!(required() > SYMBOL_TABLES);
    }
}
