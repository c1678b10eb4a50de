use super::notification::{NotificationStatus, NotifiedAlert};
use crate::alerts::enabled::alert::{Alert, NotificationReason};
use crate::model::prefix;

/// The maximum number of bytes of an annotation.
const MAX_TEXT: usize = 4096;

/// What is announced about an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::alerts::enabled) enum AnnouncementKind {
    First,
    Repeat,
    Resolved,
    Acknowledged,
}

/// What the engine hands to the channels. It is stored with the state of the alert until each channel has stored it.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::alerts::enabled) struct AlertAnnouncement {
    /// Higher than that of all before, also over a restart.
    pub(in crate::alerts::enabled) number: u64,
    pub(in crate::alerts::enabled) kind: AnnouncementKind,
    /// Milliseconds since the Unix epoch.
    pub(in crate::alerts::enabled) at: u64,
    pub(in crate::alerts::enabled) alert: NotifiedAlert,
}

impl AlertAnnouncement {
    /// An announcement without what is read from the history.
    pub(in crate::alerts::enabled) fn new(
        number: u64,
        kind: AnnouncementKind,
        at: u64,
        alert: &Alert,
    ) -> Self {
        let mut alert = alert.clone();
        for (_, text) in &mut alert.annotations {
            text.truncate(prefix(text, MAX_TEXT).len());
        }
        Self {
            number,
            kind,
            at,
            alert: NotifiedAlert {
                alert,
                status: kind.status(),
                is_new: true,
                top_routes: Vec::new(),
                values: Vec::new(),
            },
        }
    }
}

impl AnnouncementKind {
    pub(in crate::alerts::enabled) fn status(self) -> NotificationStatus {
        match self {
            Self::Resolved => NotificationStatus::Resolved,
            Self::First | Self::Repeat | Self::Acknowledged => NotificationStatus::Firing,
        }
    }

    const ALL: [Self; 4] = [
        Self::First,
        Self::Repeat,
        Self::Resolved,
        Self::Acknowledged,
    ];

    /// Its number in files.
    pub(in crate::alerts::enabled) fn code(self) -> u8 {
        self as u8
    }

    /// The kind of a number in files.
    pub(in crate::alerts::enabled) fn of_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }
}

impl From<NotificationReason> for AnnouncementKind {
    fn from(reason: NotificationReason) -> Self {
        match reason {
            NotificationReason::First => Self::First,
            NotificationReason::Repeat => Self::Repeat,
            NotificationReason::Resolved => Self::Resolved,
        }
    }
}
