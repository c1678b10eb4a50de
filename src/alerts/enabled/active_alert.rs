//! The alerts that have a state, as they are in memory and in the file.

use std::collections::{BTreeMap, VecDeque};

use super::alert::AlertTransition;
use super::evaluate::AlertLabels;
use super::notify::AlertAnnouncement;
use super::phase::{Moment, Tracking};
use super::silence::Silence;
use crate::clock::Nanos;

/// An alert that has a state.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct ActiveAlert {
    pub(super) tracking: Tracking,
    /// When it was last announced as firing, in any episode.
    pub(super) announced: Option<Nanos>,
    /// When its state began.
    pub(super) changed: Option<Moment>,
}

/// The alerts by rule and by the labels of the series.
pub(super) type AlertMap = BTreeMap<String, BTreeMap<AlertLabels, ActiveAlert>>;

/// What is kept over a restart.
#[derive(Debug, Default, PartialEq)]
pub(super) struct SavedAlerts {
    /// The time of the rules.
    pub(super) time: Nanos,
    /// Nanoseconds since the Unix epoch, at that time.
    pub(super) wall: u64,
    pub(super) alerts: AlertMap,
    pub(super) silences: Vec<Silence>,
    pub(super) transitions: VecDeque<AlertTransition>,
    /// The number of the last announcement.
    pub(super) last_number: u64,
    /// What the channels may not have stored.
    pub(super) unsent: VecDeque<AlertAnnouncement>,
}
