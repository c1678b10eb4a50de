//! Foreign values made text, bounded, on the thread that has them.

use std::fmt::{self, Write};

use super::codec::put_sized;
use super::cut::{BEYOND, cut, prefix};
use super::panic::catch_panic;

/// What stands for a text whose code panicked.
pub(crate) const PANICKED: &str = "<panicked while it was formatted>";

/// Appends a length-prefixed text of at most `max` bytes, [`cut`] where it is longer; returns whether all of it
/// is there. `Debug` and `Display` are foreign code: a fixed text stands for one that panics.
pub(crate) fn put_formatted(out: &mut Vec<u8>, value: fmt::Arguments<'_>, max: usize) -> bool {
    let mut whole = true;
    put_sized(out, |out| {
        let start = out.len();
        let end = start + max + BEYOND;
        if catch_panic(|| Bounded { out, end }.write_fmt(value)).is_none() {
            out.truncate(start);
            out.extend_from_slice(PANICKED.as_bytes());
        }
        if out.len() > start + max {
            whole = false;
            let text = String::from_utf8_lossy(&out.split_off(start)).into_owned();
            out.extend_from_slice(cut(&text, max).as_bytes());
        }
    });
    whole
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
