//! A sliding window of time: one sketch of the users of each slot.

use exaloglog::ExaLogLog;

use super::key::UserHash;
use crate::clock::Nanos;

/// The length of the shortest slot.
pub(super) const MINUTE: Nanos = 60 * 1_000_000_000;
/// The precision of all sketches: 4,096 registers of 28 bits, which are 14 KiB. The standard error is 0.6 %.
pub(super) const PRECISION: u32 = 12;
/// A sketch lists its users, and so counts them exactly, while the list is no larger than this. 2,048 users fit.
const MAX_LIST_BYTES: usize = 8 * 1024;

/// One of the two windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WindowKind {
    /// Five minutes: the current minute and the five before it.
    Minutes,
    /// A day: the current hour and the 24 before it.
    Hours,
}

impl WindowKind {
    pub(super) const ALL: [Self; 2] = [Self::Minutes, Self::Hours];

    const fn slot_length(self) -> Nanos {
        match self {
            Self::Minutes => MINUTE,
            Self::Hours => 60 * MINUTE,
        }
    }

    const fn slots(self) -> usize {
        match self {
            Self::Minutes => 1 + 5,
            Self::Hours => 1 + 24,
        }
    }

    /// The time that all slots of the window cover.
    pub(super) const fn length(self) -> Nanos {
        self.slot_length() * self.slots() as u64
    }
}

/// The users of the last slots of time: the current slot, which is not over, and a fixed number before it.
///
/// Slots are numbered by the monotonic clock, so a step of the wall clock moves nothing. A slot is cleared when its
/// place is needed for a newer number; until then, readers skip it by its number. So a gap of any length needs no work.
#[derive(Debug)]
pub(super) struct SlidingWindow {
    kind: WindowKind,
    slots: Box<[UserSlot]>,
}

#[derive(Debug, Clone)]
struct UserSlot {
    /// 0 in a slot that was never used.
    number: u64,
    users: ExaLogLog,
}

impl SlidingWindow {
    pub(super) fn new(kind: WindowKind) -> Self {
        let empty = UserSlot {
            number: 0,
            users: ExaLogLog::new(PRECISION),
        };
        Self {
            kind,
            slots: vec![empty; kind.slots()].into(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// The number of the slot of a time. Numbers begin at the count of slots, so that the slots before the clock's start
    /// have numbers too.
    fn number(&self, at: Nanos) -> u64 {
        at.saturating_add(self.kind.length()) / self.kind.slot_length()
    }

    /// Adds a user who was active at this time.
    pub(super) fn add(&mut self, user: UserHash, at: Nanos) {
        let number = self.number(at);
        if let Some(users) = self.slot(number) {
            users.add_hash(user.0);
            limit_list(users);
        }
    }

    /// Adds the users of a sketch, who were last active `age` before `now`. Returns whether the window reaches so far
    /// back.
    pub(super) fn merge(&mut self, users: &ExaLogLog, age: Nanos, now: Nanos) -> bool {
        let end = now.saturating_add(self.kind.length()).checked_sub(age);
        let number = end.map_or(0, |end| end / self.kind.slot_length());
        if number.saturating_add(self.slots.len() as u64) <= self.number(now) {
            return false;
        }
        let Some(slot) = self.slot(number) else {
            return false;
        };
        let is_merged = slot.merge(users).is_ok();
        limit_list(slot);
        is_merged
    }

    /// The sketch of a slot, which is cleared first if it is left from an earlier number. `None` if the place belongs to
    /// a later number already.
    fn slot(&mut self, number: u64) -> Option<&mut ExaLogLog> {
        let index = number.checked_rem(self.slots.len() as u64)?;
        let slot = self.slots.get_mut(index as usize)?;
        if slot.number < number {
            *slot = UserSlot {
                number,
                users: ExaLogLog::new(PRECISION),
            };
        }
        (slot.number == number).then_some(&mut slot.users)
    }

    /// A copy of the sketch at a place, and the age of the slot's last moment. `None` if the slot has no users or the
    /// window has passed it.
    pub(super) fn copy(&self, index: usize, now: Nanos) -> Option<(ExaLogLog, Nanos)> {
        let slot = self.slots.get(index)?;
        let is_current = slot.number.saturating_add(self.slots.len() as u64) > self.number(now);
        if !is_current || slot.users.is_empty() {
            return None;
        }
        let end = slot
            .number
            .saturating_add(1)
            .saturating_mul(self.kind.slot_length());
        let age = now.saturating_add(self.kind.length()).saturating_sub(end);
        Some((slot.users.clone(), age))
    }
}

/// Turns a list that has become too long into registers.
fn limit_list(users: &mut ExaLogLog) {
    if users.is_sparse() && users.register_bytes() > MAX_LIST_BYTES {
        users.densify();
    }
}
