use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Something that happened to the service, to be shown with its metrics. See [`History::markers`](super::super::History::markers).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Marker {
    /// What happened.
    pub kind: MarkerKind,
    /// When it happened, by the wall clock.
    pub time: SystemTime,
    /// The text of a mark. For a start or a shutdown the version of the service, empty if it is not set.
    pub text: String,
    /// Whether this is a start with another version than the start before: a deployment. `false` if one of them has no
    /// version, or if there was none before.
    pub is_new_version: bool,
    /// Whether this is a start, and the process before it ended without a shutdown: it was killed, or it crashed.
    pub was_interrupted: bool,
}

/// What a [`Marker`] is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MarkerKind {
    /// The service called [`Monitor::mark`](crate::Monitor::mark).
    Mark,
    /// A monitor was built.
    Start,
    /// A monitor was shut down.
    Shutdown,
}

const IS_NEW_VERSION: u8 = 1;
const WAS_INTERRUPTED: u8 = 2;

impl MarkerKind {
    /// Returns the name: `mark`, `start` or `shutdown`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mark => "mark",
            Self::Start => "start",
            Self::Shutdown => "shutdown",
        }
    }
}

impl Marker {
    pub(super) fn new(kind: MarkerKind, nanos: u64, text: String) -> Self {
        Self {
            kind,
            time: UNIX_EPOCH + Duration::from_nanos(nanos),
            text,
            is_new_version: false,
            was_interrupted: false,
        }
    }

    /// The body of a record: the kind, the flags, the nanoseconds since the Unix epoch (little-endian), and the text.
    pub(super) fn encode(&self) -> Vec<u8> {
        let kind = match self.kind {
            MarkerKind::Mark => 0,
            MarkerKind::Start => 1,
            MarkerKind::Shutdown => 2,
        };
        let flag = |is_set, flag| if is_set { flag } else { 0 };
        let flags =
            flag(self.is_new_version, IS_NEW_VERSION) | flag(self.was_interrupted, WAS_INTERRUPTED);
        let since_epoch = self.time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let nanos = u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX);
        let mut out = vec![kind, flags];
        out.extend_from_slice(&nanos.to_le_bytes());
        out.extend_from_slice(self.text.as_bytes());
        out
    }

    /// Reads the body of a record. `None` if it is of a kind that this version does not know.
    pub(super) fn decode(body: &[u8]) -> Option<Self> {
        let (&[kind, flags], rest) = body.split_first_chunk()?;
        let (nanos, text) = rest.split_first_chunk()?;
        let kind = match kind {
            0 => MarkerKind::Mark,
            1 => MarkerKind::Start,
            2 => MarkerKind::Shutdown,
            _ => return None,
        };
        let text = std::str::from_utf8(text).ok()?.to_owned();
        let marker = Self::new(kind, u64::from_le_bytes(*nanos), text);
        Some(Self {
            is_new_version: flags & IS_NEW_VERSION != 0,
            was_interrupted: flags & WAS_INTERRUPTED != 0,
            ..marker
        })
    }
}
