//! Formatting of foreign values, bounded in length.

use std::fmt::{self, Write};

use super::codec::put_sized;
use super::cut::{LOOKAHEAD, cut, prefix};
use super::panic::catch_panic;

/// The text in place of a value whose formatting panicked.
pub(crate) const PANICKED: &str = "<panicked while it was formatted>";

/// Appends a formatted value as a length-prefixed text of at most `max` bytes, [`cut`] if it is longer. Returns whether
/// the text is complete. `Debug` and `Display` are foreign code: [`PANICKED`] replaces a value that panics.
pub(crate) fn put_formatted(out: &mut Vec<u8>, value: fmt::Arguments<'_>, max: usize) -> bool {
    let mut complete = true;
    put_sized(out, |out| {
        let start = out.len();
        let end = start + max + LOOKAHEAD;
        if catch_panic(|| BoundedWriter { out, end }.write_fmt(value)).is_none() {
            out.truncate(start);
            out.extend_from_slice(PANICKED.as_bytes());
        }
        if out.len() > start + max {
            complete = false;
            let text = String::from_utf8_lossy(&out.split_off(start)).into_owned();
            out.extend_from_slice(cut(&text, max).as_bytes());
        }
    });
    complete
}

/// A writer that fails once the buffer has reached a length.
struct BoundedWriter<'a> {
    out: &'a mut Vec<u8>,
    end: usize,
}

impl Write for BoundedWriter<'_> {
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
