use std::sync::Arc;
use std::time::SystemTime;

use super::state::{ErrorState, ErrorStateChange};
use super::top_counts::TopCounts;
use crate::errors::event::{ErrorEvent, EventKind};
use crate::model::EventId;

/// A group of events that are the same error.
///
/// [`ErrorGroups`](crate::errors::ErrorGroups) lists the groups, and says
/// [which events form one](crate::errors#which-events-form-a-group).
///
/// ```
/// # fn main() -> watchpost::Result<()> {
/// # let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
/// for group in monitor.error_groups() {
///     println!("{} times: {} at {}", group.count, group.message, group.location);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ErrorGroup {
    /// The number of the group. It stays the same as long as the group is known. Merging other groups into it keeps it.
    pub number: u64,
    /// Events since the group is known; with a data directory, including those of earlier processes.
    pub count: u64,
    /// When the first event was captured.
    pub first_seen: SystemTime,
    /// When the last event was captured.
    pub last_seen: SystemTime,
    /// The ID of the last event.
    pub last_event: EventId,
    /// The kind of the first event.
    pub kind: EventKind,
    /// The type of the error; `panic` for a panic, empty for a text.
    pub error_type: String,
    /// The message of the first event, cut at 1 KiB.
    pub message: String,
    /// Where the first event was captured: `file:line:column`.
    pub location: String,
    /// The route with the most events; empty outside a request.
    pub route: String,
    /// What the group is made from.
    pub grouped_by: GroupedBy,
    /// The version of the algorithm that made the group.
    pub grouping_version: u8,
    /// The state.
    pub state: ErrorState,
    /// The last changes of the state, at most twelve, the oldest first.
    pub changes: Vec<ErrorStateChange>,
    /// Whether the group is new: open, and first seen within a day. A regressed group is not new.
    pub is_new: bool,
    /// Whether it has a spike: many times its usual number of events within five minutes or an hour.
    pub is_spiking: bool,
    /// The distinct users of its events, estimated: exact for a few, otherwise within some percent.
    pub users: u64,
    /// The routes of its events. The empty name stands for events outside a request.
    pub routes: TopCounts,
    /// The releases of the service in which they occurred, where the service has a version.
    pub releases: TopCounts,
    /// The environments in which they occurred, where the service has one.
    pub environments: TopCounts,
    /// The events in each of the last 60 minutes, the oldest first. The last one is not over.
    pub minutes: Vec<u32>,
    /// The events in each of the last 168 hours, the oldest first. The last one is not over.
    pub hours: Vec<u32>,
    /// One event of the group: the first that is kept, or the first with frames. `None` while events of other groups use
    /// the memory for samples.
    pub sample: Option<Arc<ErrorEvent>>,
    /// Events from the whole life of the group, at most eight, the oldest first.
    pub samples: Vec<Arc<ErrorEvent>>,
}

/// What a group of errors is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GroupedBy {
    /// The fingerprint that the captures set.
    Fingerprint,
    /// The type and the frames of the service's own functions.
    Frames,
    /// The type and the message, with placeholders in place of numbers, IDs and the like.
    Message,
    /// The place of capture, for the moment: the frames of the first event are not resolved yet.
    Place,
}

impl GroupedBy {
    /// Returns the name, in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fingerprint => "fingerprint",
            Self::Frames => "frames",
            Self::Message => "message",
            Self::Place => "place",
        }
    }
}
