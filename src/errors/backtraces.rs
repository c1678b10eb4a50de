//! Backtraces between the thread that captures them and the one that resolves their frames.

use std::backtrace::Backtrace;
use std::collections::VecDeque;
use std::panic::Location;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, RwLock, TryLockError};

use super::config::Backtraces;
use super::event::Frame;
use super::frames;
use super::grouping::GroupHash;
use crate::model::{EventId, lock, write_lock};

/// The errors of one type at one location that get a backtrace.
const FIRST: u64 = 5;
/// The sites that are counted; errors at further sites get no backtrace. A site is a type of errors at a location.
const SITES: usize = 1024;
/// The slots of the site table that a look-up examines.
const PROBES: usize = 8;
/// The backtraces that wait to be resolved. A further one replaces the oldest one of the site that has the most.
const MAX_WAITING: usize = 256;

/// Held while a backtrace is resolved.
///
/// The standard library captures and resolves backtraces under one lock of the process, and resolving may take a
/// second. So no backtrace is captured during that time, and no capture waits for that lock.
static RESOLVING: RwLock<()> = RwLock::new(());

/// Decides which events get a backtrace, and keeps the backtraces until they are resolved.
#[derive(Debug)]
pub(super) struct BacktraceQueue {
    mode: Backtraces,
    /// For each site the upper bits of its hash, and in the lowest byte how often it was seen.
    sites: Box<[AtomicU64]>,
    /// Captured and not resolved: the event, the hash of its site and the backtrace, the oldest first.
    waiting: Mutex<VecDeque<(EventId, u64, Backtrace)>>,
    resolving: &'static RwLock<()>,
}

impl BacktraceQueue {
    pub(super) fn new(mode: Backtraces) -> Self {
        Self::with_lock(mode, &RESOLVING)
    }

    fn with_lock(mode: Backtraces, resolving: &'static RwLock<()>) -> Self {
        Self {
            mode,
            sites: (0..SITES).map(|_| AtomicU64::new(0)).collect(),
            waiting: Mutex::default(),
            resolving,
        }
    }

    /// Captures a backtrace for an event if the event is to have one; returns whether it was captured.
    pub(super) fn capture(&self, event: EventId, type_name: &str, at: &Location<'_>) -> bool {
        if self.mode == Backtraces::Off {
            return false;
        }
        // Before the site is counted: an event that gets none must not use up one of the site's five.
        let _not_resolving = match self.resolving.try_read() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(guard)) => guard.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        let site = site_hash(type_name, at);
        if self.mode != Backtraces::All && !self.is_among_first(site) {
            return false;
        }
        let backtrace = Backtrace::force_capture();
        let mut waiting = lock(&self.waiting);
        let replaced = if waiting.len() >= MAX_WAITING {
            oldest_of_busiest_site(&waiting).and_then(|at| waiting.remove(at))
        } else {
            None
        };
        waiting.push_back((event, site, backtrace));
        // Freeing a backtrace takes a while, so it happens outside the lock.
        drop(waiting);
        drop(replaced);
        true
    }

    /// Counts an error at a site; returns whether it is among the first of them.
    fn is_among_first(&self, hash: u64) -> bool {
        const COUNT: u64 = 0xff;
        // The bit above the count is always set, so that no used slot is 0.
        let mark = hash & !COUNT | 1 << 8;
        for probe in 0..PROBES {
            let slot = ((hash >> 40) as usize).wrapping_add(probe) % SITES;
            let Some(site) = self.sites.get(slot) else {
                return false;
            };
            let seen = site.load(Relaxed);
            let is_ours = seen == 0 || seen & !COUNT == mark;
            if is_ours && seen & COUNT >= FIRST {
                return false;
            }
            let next = mark | ((seen & COUNT) + 1);
            if is_ours {
                // One of two concurrent threads may fail; the event of the other one has the backtrace.
                return site.compare_exchange(seen, next, Relaxed, Relaxed).is_ok();
            }
        }
        false
    }

    /// The frames of a backtrace, without those of the capture at `location` and of the start of the thread. It may
    /// take a second.
    pub(super) fn resolve(&self, backtrace: &Backtrace, location: &str) -> Vec<Frame> {
        let resolving = write_lock(self.resolving);
        let text = backtrace.to_string();
        drop(resolving);
        frames::read(&text, location)
    }

    /// Removes and returns the backtrace of an event, if it is still waiting.
    pub(super) fn remove(&self, event: EventId) -> Option<Backtrace> {
        let mut waiting = lock(&self.waiting);
        let at = waiting.iter().position(|(id, ..)| *id == event)?;
        waiting.remove(at).map(|(.., backtrace)| backtrace)
    }
}

/// The hash of a type of errors at a location.
fn site_hash(type_name: &str, at: &Location<'_>) -> u64 {
    let hash = GroupHash::new().with(type_name).with(at.file()).finish();
    hash ^ (u64::from(at.line()) << 32 | u64::from(at.column())).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The index of the oldest backtrace of the site that has the most waiting ones. Sites that share eight bits of their
/// hashes count as one.
fn oldest_of_busiest_site(waiting: &VecDeque<(EventId, u64, Backtrace)>) -> Option<usize> {
    let row = |site: u64| usize::from((site >> 24) as u8);
    let mut counts = [0_u16; 256];
    for (_, site, _) in waiting {
        if let Some(count) = counts.get_mut(row(*site)) {
            *count = count.saturating_add(1);
        }
    }
    let most = counts.iter().max().copied()?;
    let is_busiest = |site: u64| counts.get(row(site)).copied() == Some(most);
    waiting.iter().position(|(_, site, _)| is_busiest(*site))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A queue with its own lock, so that tests do not disturb each other.
    fn alone(mode: Backtraces) -> BacktraceQueue {
        BacktraceQueue::with_lock(mode, Box::leak(Box::default()))
    }

    #[test]
    fn the_first_five_errors_of_a_site_get_a_backtrace() {
        let queue = alone(Backtraces::First);
        let here = Location::caller();
        let taken = (1..=20)
            .filter(|n| queue.capture(EventId::from_u128(*n), "a", here))
            .count();
        assert_eq!(taken, 5);
        assert!(queue.capture(EventId::from_u128(30), "b", here));
        assert!(queue.remove(EventId::from_u128(1)).is_some());
        assert!(queue.remove(EventId::from_u128(1)).is_none());
        let off = alone(Backtraces::Off);
        assert!(!off.capture(EventId::from_u128(1), "a", here));
    }

    #[test]
    fn waiting_backtraces_and_sites_are_bounded() {
        let all = alone(Backtraces::All);
        for n in 1..=300 {
            assert!(all.capture(EventId::from_u128(n), "a", Location::caller()));
        }
        assert_eq!(all.waiting.lock().unwrap().len(), MAX_WAITING);
        assert!(all.remove(EventId::from_u128(1)).is_none());
        let first = alone(Backtraces::First);
        for n in 0..10_000 {
            first.is_among_first(site_hash(&n.to_string(), Location::caller()));
        }
        assert!(
            first
                .sites
                .iter()
                .all(|site| site.load(Relaxed) & 0xff <= FIRST)
        );
    }

    #[test]
    fn a_site_that_fails_all_the_time_leaves_the_backtraces_of_others() {
        let all = alone(Backtraces::All);
        let here = Location::caller();
        for n in 1..=3 {
            assert!(all.capture(EventId::from_u128(n), "rare", here));
        }
        for n in 100..1000 {
            assert!(all.capture(EventId::from_u128(n), "noisy", here));
        }
        assert!((1..=3).all(|n| all.remove(EventId::from_u128(n)).is_some()));
        assert!(all.remove(EventId::from_u128(999)).is_some());
    }

    #[test]
    fn a_resolved_backtrace_has_frames() {
        let queue = alone(Backtraces::Off);
        assert!(!queue.resolve(&Backtrace::force_capture(), "").is_empty());
    }

    #[test]
    fn no_capture_waits_while_a_backtrace_is_resolved() {
        let queue = alone(Backtraces::First);
        let here = Location::caller();
        let resolving = queue.resolving.write().unwrap();
        assert!((1..20).all(|n| !queue.capture(EventId::from_u128(n), "a", here)));
        drop(resolving);
        // None of those counted as one of the first five.
        let taken = (21..40).filter(|n| queue.capture(EventId::from_u128(*n), "a", here));
        assert_eq!(taken.count(), 5);
    }
}
