//! Backtraces between the thread that took them and the one that names their calls.

use std::backtrace::Backtrace;
use std::collections::VecDeque;
use std::panic::Location;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError, RwLock, TryLockError};

use super::config::Backtraces;
use super::event::Frame;
use super::fingerprint::GroupHash;
use super::frames;
use crate::model::EventId;

/// Errors of one type at one place that take a backtrace.
const FIRST: u64 = 5;
/// Places that are told apart; others take none.
const SITES: usize = 1024;
/// Places that one looks at.
const PROBES: usize = 8;
/// Backtraces that wait; the oldest of the place that has the most makes room.
const MAX_WAITING: usize = 256;

/// The standard library takes a backtrace and names the calls of one under one lock of the process, and naming may
/// take a second: meanwhile nobody takes one, and so nobody waits.
static NAMING: RwLock<()> = RwLock::new(());

/// Who takes a backtrace, and those that were taken.
#[derive(Debug)]
pub(super) struct BacktraceQueue {
    wanted: Backtraces,
    /// For each place the upper bits of its hash and how often it was seen.
    sites: Box<[AtomicU64]>,
    /// With the hash of its place.
    taken: Mutex<VecDeque<(EventId, u64, Backtrace)>>,
    naming: &'static RwLock<()>,
}

impl BacktraceQueue {
    pub(super) fn new(wanted: Backtraces) -> Self {
        Self::with(wanted, &NAMING)
    }

    fn with(wanted: Backtraces, naming: &'static RwLock<()>) -> Self {
        Self {
            wanted,
            sites: (0..SITES).map(|_| AtomicU64::new(0)).collect(),
            taken: Mutex::default(),
            naming,
        }
    }

    /// Takes a backtrace for an event, where it is to have one; whether it did.
    pub(super) fn take(&self, event: EventId, kind: &str, at: &Location<'_>) -> bool {
        if self.wanted == Backtraces::Off {
            return false;
        }
        let _nobody_names = match self.naming.try_read() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(guard)) => guard.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        let place = place(kind, at);
        let wanted = self.wanted == Backtraces::All || self.is_among_first(place);
        if wanted {
            let backtrace = Backtrace::force_capture();
            let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
            let gone = if taken.len() >= MAX_WAITING {
                oldest_of_most(&taken).and_then(|at| taken.remove(at))
            } else {
                None
            };
            taken.push_back((event, place, backtrace));
            drop(taken);
            drop(gone);
        }
        wanted
    }

    fn is_among_first(&self, hash: u64) -> bool {
        const COUNT: u64 = 0xff;
        let mark = hash & !COUNT | 1 << 8;
        for probe in 0..PROBES {
            let Some(site) = self
                .sites
                .get(((hash >> 40) as usize).wrapping_add(probe) % SITES)
            else {
                return false;
            };
            let seen = site.load(Relaxed);
            let ours = seen == 0 || seen & !COUNT == mark;
            if ours && seen & COUNT >= FIRST {
                return false;
            }
            let next = mark | ((seen & COUNT) + 1);
            if ours {
                // Of two threads at once one may lose; the other's event has the backtrace.
                return site.compare_exchange(seen, next, Relaxed, Relaxed).is_ok();
            }
        }
        false
    }

    /// The calls of a backtrace with their names, which may take a while: without those of the capture at `location`
    /// itself and of what started the thread.
    pub(super) fn name(&self, backtrace: &Backtrace, location: &str) -> Vec<Frame> {
        let naming = self.naming.write().unwrap_or_else(PoisonError::into_inner);
        let text = backtrace.to_string();
        drop(naming);
        frames::read(&text, location)
    }

    /// The backtrace of an event, if it is there still.
    pub(super) fn of(&self, event: EventId) -> Option<Backtrace> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let at = taken.iter().position(|(id, ..)| *id == event)?;
        taken.remove(at).map(|(.., backtrace)| backtrace)
    }
}

/// The hash of a type of errors at a place.
fn place(kind: &str, at: &Location<'_>) -> u64 {
    let hash = GroupHash::new().with(kind).with(at.file()).number();
    hash ^ (u64::from(at.line()) << 32 | u64::from(at.column())).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Where the oldest backtrace of the place stands that has the most of those that wait. Places that share eight bits of
/// their hashes count as one.
fn oldest_of_most(taken: &VecDeque<(EventId, u64, Backtrace)>) -> Option<usize> {
    let row = |place: u64| usize::from((place >> 24) as u8);
    let mut counts = [0_u16; 256];
    for (_, place, _) in taken {
        if let Some(count) = counts.get_mut(row(*place)) {
            *count = count.saturating_add(1);
        }
    }
    let most = counts.iter().max().copied()?;
    let is_most = |place: u64| counts.get(row(place)).copied() == Some(most);
    taken.iter().position(|(_, place, _)| is_most(*place))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One whose lock nobody else has.
    fn alone(wanted: Backtraces) -> BacktraceQueue {
        BacktraceQueue::with(wanted, Box::leak(Box::default()))
    }

    #[test]
    fn the_first_five_of_a_place_take_one() {
        let waiting = alone(Backtraces::First);
        let here = Location::caller();
        let taken = (1..=20)
            .filter(|n| waiting.take(EventId::from_u128(*n), "a", here))
            .count();
        assert_eq!(taken, 5);
        assert!(waiting.take(EventId::from_u128(30), "b", here));
        assert!(waiting.of(EventId::from_u128(1)).is_some());
        assert!(waiting.of(EventId::from_u128(1)).is_none());
        let off = alone(Backtraces::Off);
        assert!(!off.take(EventId::from_u128(1), "a", here));
    }

    #[test]
    fn what_waits_and_what_is_told_apart_is_bounded() {
        let all = alone(Backtraces::All);
        for n in 1..=300 {
            assert!(all.take(EventId::from_u128(n), "a", Location::caller()));
        }
        assert_eq!(all.taken.lock().unwrap().len(), MAX_WAITING);
        assert!(all.of(EventId::from_u128(1)).is_none());
        let first = alone(Backtraces::First);
        for n in 0..10_000 {
            first.is_among_first(place(&n.to_string(), Location::caller()));
        }
        assert!(
            first
                .sites
                .iter()
                .all(|site| site.load(Relaxed) & 0xff <= FIRST)
        );
    }

    #[test]
    fn a_place_that_fails_all_the_time_leaves_the_backtraces_of_others() {
        let all = alone(Backtraces::All);
        let here = Location::caller();
        for n in 1..=3 {
            assert!(all.take(EventId::from_u128(n), "rare", here));
        }
        for n in 100..1000 {
            assert!(all.take(EventId::from_u128(n), "noisy", here));
        }
        assert!((1..=3).all(|n| all.of(EventId::from_u128(n)).is_some()));
        assert!(all.of(EventId::from_u128(999)).is_some());
    }

    #[test]
    fn a_backtrace_of_this_place_has_calls() {
        let waiting = alone(Backtraces::Off);
        assert!(!waiting.name(&Backtrace::force_capture(), "").is_empty());
    }

    #[test]
    fn nobody_waits_for_a_backtrace_that_is_named() {
        let waiting = alone(Backtraces::First);
        let here = Location::caller();
        let naming = waiting.naming.write().unwrap();
        assert!((1..20).all(|n| !waiting.take(EventId::from_u128(n), "a", here)));
        drop(naming);
        // None of those has taken the place of one of the first five.
        let taken = (21..40).filter(|n| waiting.take(EventId::from_u128(*n), "a", here));
        assert_eq!(taken.count(), 5);
    }
}
