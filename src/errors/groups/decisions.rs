//! What somebody decides about groups: their states, and which of them are one.

use super::entry::GroupEntry;
use super::handle::ErrorGroups;
use super::state::{ChangeAuthor, ErrorResolution, ErrorState, Mute, ResolvedBy};
use crate::error::{Error, Result};

/// The maximum number of groups that one call merges.
const MAX_MERGED: usize = 32;

/// What is decided about a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErrorDecision {
    Resolve(ErrorResolution),
    Mute(Mute),
    Reopen,
}

impl ErrorGroups {
    /// Marks a group as resolved. If it was muted, it no longer is. An event to which the resolution applies makes the group
    /// a regressed one.
    ///
    /// With a data directory, the change is on disk within 50 ms unless the disk is slow; [`is_stored`](Self::is_stored)
    /// says whether it is.
    ///
    /// # Errors
    ///
    /// Returns an error, for which [`is_error_group`](crate::Error::is_error_group) is true, if there is no such group.
    pub fn resolve(&self, number: u64, resolution: ErrorResolution) -> Result<()> {
        let decision = ErrorDecision::Resolve(resolution);
        self.decide(number, decision, &ChangeAuthor::default())
    }

    /// Mutes a group: its events are counted, and no hook is called with it.
    ///
    /// # Errors
    ///
    /// Returns an error, for which [`is_error_group`](crate::Error::is_error_group) is true, if there is no such group, if it
    /// is resolved, or if the time or the period of the mute is out of its range.
    pub fn mute(&self, number: u64, until: Mute) -> Result<()> {
        self.decide(number, ErrorDecision::Mute(until), &ChangeAuthor::default())
    }

    /// Ends the mute of a group, which is open again.
    ///
    /// # Errors
    ///
    /// Returns an error, for which [`is_error_group`](crate::Error::is_error_group) is true, if there is no such group, or if
    /// it is not muted.
    pub fn unmute(&self, number: u64) -> Result<()> {
        let at = self.now();
        self.change(number, |entry| {
            if !matches!(entry.state, ErrorState::Muted { .. }) {
                return Err(Error::error_group("the group is not muted"));
            }
            entry.set_state(ErrorState::Open, at, &ChangeAuthor::default());
            Ok(())
        })
    }

    /// Makes a group open again, whatever its state is.
    ///
    /// # Errors
    ///
    /// Returns an error, for which [`is_error_group`](crate::Error::is_error_group) is true, if there is no such group.
    pub fn reopen(&self, number: u64) -> Result<()> {
        self.decide(number, ErrorDecision::Reopen, &ChangeAuthor::default())
    }

    /// Merges groups into another one, which keeps its number and its state. Later events of theirs join it.
    ///
    /// # Errors
    ///
    /// Returns an error, for which [`is_error_group`](crate::Error::is_error_group) is true, and changes nothing, if there is
    /// no such group, if no or more than 32 others are named, or if one of them is the group itself.
    pub fn merge(&self, number: u64, others: &[u64]) -> Result<()> {
        if others.is_empty() || others.len() > MAX_MERGED {
            return Err(Error::error_group("name from one to 32 groups to merge"));
        }
        {
            let mut table = self.lock();
            let unknown = || Error::error_group("there is no error group with this number");
            let into = table.resolve_number(number).ok_or_else(unknown)?;
            let others = others.iter().map(|other| table.resolve_number(*other));
            let others: Option<Vec<u64>> = others.collect();
            let others = others.ok_or_else(unknown)?;
            if others.contains(&into) {
                return Err(Error::error_group("a group cannot be merged into itself"));
            }
            let now = self.now();
            for other in others {
                table.merge(other, into, now);
            }
        }
        self.record_change();
        Ok(())
    }

    /// Carries out a decision, and notes who made it.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no such group, or if the decision does not apply to its state.
    pub(crate) fn decide(
        &self,
        number: u64,
        decision: ErrorDecision,
        author: &ChangeAuthor,
    ) -> Result<()> {
        let (now, at) = (self.inner.clock.now(), self.now());
        if let ErrorDecision::Mute(until) = decision
            && let Some(problem) = until.problem(at)
        {
            return Err(Error::error_group(problem));
        }
        let release = &self.inner.release;
        self.change(number, |entry| {
            let state = match decision {
                ErrorDecision::Resolve(resolution) => {
                    entry.resolved_at = now;
                    let by = ResolvedBy::new(resolution, release);
                    ErrorState::Resolved { at, by }
                }
                ErrorDecision::Mute(_) if matches!(entry.state, ErrorState::Resolved { .. }) => {
                    return Err(Error::error_group(
                        "a resolved group cannot be muted: reopen it first",
                    ));
                }
                ErrorDecision::Mute(until) => {
                    entry.count_at_mute = entry.count;
                    ErrorState::Muted { at, until }
                }
                ErrorDecision::Reopen => ErrorState::Open,
            };
            entry.set_state(state, at, author);
            Ok(())
        })
    }

    fn change(
        &self,
        number: u64,
        change: impl FnOnce(&mut GroupEntry) -> Result<()>,
    ) -> Result<()> {
        {
            let mut table = self.lock();
            let entry = table
                .resolve_number(number)
                .and_then(|number| table.groups.get_mut(&number));
            let entry = entry
                .ok_or_else(|| Error::error_group("there is no error group with this number"))?;
            change(entry)?;
            table.is_dirty = true;
        }
        self.record_change();
        Ok(())
    }
}
