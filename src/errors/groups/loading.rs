//! Adds to the groups of this process what earlier processes have stored.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::handle::ErrorGroups;
use super::saved::SavedGroups;
use super::store::Loaded;
use super::table::Arrival;
use crate::clock::nanos;
use crate::errors::stored_record::StoredRecord;
use crate::model::lock;

/// How long a file that cannot be read is tried again. Nothing is announced meanwhile, because it may be known.
const LOAD_PATIENCE: Duration = Duration::from_secs(30);

impl ErrorGroups {
    /// Whether the groups of earlier processes are loaded, so that their stored events can be added.
    pub(in crate::errors) fn is_loaded(&self) -> bool {
        self.inner.is_loaded.load(Relaxed)
    }

    /// Whether stored events are to be read later: the groups say which of them they have counted. A disk that hangs delays
    /// them no longer than one that fails.
    pub(in crate::errors) fn awaits_load(&self) -> bool {
        let age = self.inner.clock.now().saturating_sub(self.inner.begun);
        !self.is_loaded() && age < nanos(LOAD_PATIENCE)
    }

    /// Adds what an earlier process has stored under a number. An event that is counted already only becomes a sample. Before
    /// the groups are loaded, nothing is added.
    pub(in crate::errors) fn add_earlier(&self, number: u64, record: StoredRecord) {
        if number >= self.inner.first_number || !self.is_loaded() {
            return;
        }
        let earlier = lock(&self.inner.earlier).clone();
        let mut arrival = Arrival {
            release: &earlier.0,
            environment: &earlier.1,
            // An earlier process that has announced it has stored its group.
            is_news: self.inner.has_earlier.load(Relaxed),
            ..self.arrival(None, false)
        };
        match record {
            StoredRecord::Event(mut event) => {
                if !event.user.is_empty() {
                    arrival.user = Some(self.inner.users.hash(&event.user));
                }
                self.update(|table| {
                    // The number under which it waited may be forgotten. Then its group is the one that it would join now.
                    let known = table.resolve_number(event.group);
                    let known = known.or_else(|| table.find(&event, false).ok());
                    let is_counted = number <= table.covered;
                    if known.is_none() && is_counted {
                        return;
                    }
                    event.group = known.unwrap_or_else(|| table.place(&event, &arrival));
                    let frames = std::mem::take(&mut event.frames);
                    let event = Arc::from(event);
                    if is_counted {
                        table.offer_sample(&event);
                    } else {
                        table.add(&event, &arrival);
                    }
                    if !frames.is_empty() {
                        table.set_frames(event.id, Some(&event), &frames, &arrival);
                    }
                });
            }
            StoredRecord::Frames(id, frames) => {
                self.update(|table| table.set_frames(id, None, &frames, &arrival));
            }
        }
    }

    pub(super) fn load(&self) {
        let inner = &self.inner;
        let Some(store) = inner.store.as_ref().filter(|_| !self.is_loaded()) else {
            return;
        };
        // Two threads get here when the worker ends during the first look. What the second one would add again is counted
        // already, so it waits and finds the groups loaded.
        let mut failing_since = lock(&inner.loading);
        if self.is_loaded() {
            return;
        }
        let saved = match store.load() {
            Loaded::Groups(saved) => {
                inner.has_earlier.store(true, Relaxed);
                saved
            }
            // Stored at once, so that the next process knows which groups were announced.
            Loaded::Nothing => {
                self.record_change();
                SavedGroups::default()
            }
            Loaded::Newer => SavedGroups::unreadable(),
            Loaded::Failed => {
                let now = inner.clock.now();
                let since = *failing_since.get_or_insert(now);
                if now.saturating_sub(since) < nanos(LOAD_PATIENCE) {
                    return;
                }
                store.give_up();
                SavedGroups::unreadable()
            }
        };
        self.restore(saved);
        inner.is_loaded.store(true, Relaxed);
        // The worker waits for it before it reads the stored events.
        inner.record_queue.wake();
    }

    fn restore(&self, saved: SavedGroups) {
        let arrival = self.arrival(Some(self.inner.clock.now()), false);
        *lock(&self.inner.earlier) = (saved.release, saved.environment);
        self.update(|table| {
            // The store may have been emptied, so that its numbers have begun anew.
            let last = self.inner.first_number.saturating_sub(1);
            table.covered = table.covered.max(saved.covered.min(last));
            table.awaits_first_of_release = table.releases.restore(saved.releases);
            for entry in saved.groups {
                table.restore(entry, &arrival);
            }
            for seen in saved.unannounced {
                table.push_pattern(seen.pattern, seen.number);
            }
        });
    }
}
