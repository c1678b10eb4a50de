//! Foreign values made text, bounded, on the thread that has them.

use std::fmt::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::attributes::prefix;

/// Appends a length-prefixed text of at most `max` bytes. `Debug` and `Display` are foreign code: one that
/// panics is told as that.
pub(crate) fn put_formatted(out: &mut Vec<u8>, value: fmt::Arguments<'_>, max: usize) {
    let head = out.len();
    out.extend_from_slice(&[0; 4]);
    let start = out.len();
    let mut bounded = Bounded {
        out,
        end: start + max,
    };
    if catch_unwind(AssertUnwindSafe(|| bounded.write_fmt(value))).is_err() {
        out.truncate(start);
        out.extend_from_slice(b"<panicked while it was formatted>");
    }
    let len = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(head..start) {
        place.copy_from_slice(&len.to_le_bytes());
    }
}

/// Takes text up to an end, and no more.
struct Bounded<'a> {
    out: &'a mut Vec<u8>,
    end: usize,
}

impl Write for Bounded<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.end.saturating_sub(self.out.len());
        let taken = prefix(text, room);
        self.out.extend_from_slice(taken.as_bytes());
        if taken.len() == text.len() {
            Ok(())
        } else {
            Err(fmt::Error)
        }
    }
}
