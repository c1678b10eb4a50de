//! What one header told of one window.

use std::time::Duration;

use super::{Window, number, when};

#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) limit: Option<u64>,
    pub(super) remaining: Option<u64>,
    pub(super) reset: Option<Duration>,
    pub(super) window: Option<Duration>,
    /// Values that could not be read.
    pub(super) rubbish: u32,
}

impl Told {
    /// Takes a parameter or an entry of a dictionary; the last of a key holds.
    pub(super) fn set(&mut self, key: &str, value: Option<&str>, now: Duration) {
        let value = value.unwrap_or_default();
        let good = match key {
            "q" | "limit" => put(&mut self.limit, number::count(value)),
            "r" | "remaining" => put(&mut self.remaining, number::count(value)),
            "t" | "reset" => put(&mut self.reset, when::reset(value, now)),
            "w" | "window" => put(&mut self.window, when::length(value)),
            _ => true,
        };
        self.rubbish += u32::from(!good);
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.limit.is_none()
            && self.remaining.is_none()
            && self.reset.is_none()
            && self.window.is_none()
    }

    /// Adds to a window what it does not know yet.
    pub(super) fn fill(&self, window: &mut Window) {
        window.limit = window.limit.or(self.limit);
        window.remaining = window.remaining.or(self.remaining);
        window.reset = window.reset.or(self.reset);
        window.window = window.window.or(self.window);
    }
}

fn put<T>(place: &mut Option<T>, value: Option<T>) -> bool {
    let good = value.is_some();
    if good {
        *place = value;
    }
    good
}
