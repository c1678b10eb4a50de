use std::time::SystemTime;

use super::group::ErrorGroup;

/// What was noticed about a group of errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorPattern {
    /// The group has its first event: an error that was never seen before.
    New,
    /// An event followed a resolution that applies to it.
    Regression,
    /// The group has many times its usual number of events.
    Spike,
    /// The first event of a release, of whatever group.
    FirstOfRelease,
}

impl ErrorPattern {
    /// Returns the name, in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Regression => "regression",
            Self::Spike => "spike",
            Self::FirstOfRelease => "first_of_release",
        }
    }
}

/// A pattern, with the group in which it was noticed. The hooks of
/// [`on_new_error`](crate::Monitor::on_new_error), [`on_regression`](crate::Monitor::on_regression) and
/// [`on_error_spike`](crate::Monitor::on_error_spike) get one.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ErrorPatternEvent {
    /// What was noticed.
    pub pattern: ErrorPattern,
    /// The group, as it was then.
    pub group: ErrorGroup,
    /// When it was noticed.
    pub at: SystemTime,
    /// The release of the service that runs.
    pub release: String,
    /// The events of the group within five minutes.
    pub events: u64,
    /// How many events within five minutes are usual for the group: the mean of up to 24 hours. 0 in its first hour.
    pub usual_events: f64,
    /// A sentence for people, such as `New error: std::io::error::Error: the disk is gone, at src/orders.rs:19:17`.
    pub sentence: String,
}

/// A pattern that has yet to be announced.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct SeenPattern {
    pub(super) pattern: ErrorPattern,
    pub(super) number: u64,
}

/// The sentence about a pattern.
pub(super) fn sentence(
    pattern: ErrorPattern,
    group: &ErrorGroup,
    events: u64,
    usual: f64,
) -> String {
    let name = match (&*group.error_type, &*group.message) {
        ("", message) => message.to_owned(),
        (error_type, message) => format!("{error_type}: {message}"),
    };
    let at = &group.location;
    match pattern {
        ErrorPattern::New => format!("New error: {name}, at {at}"),
        ErrorPattern::Regression => format!("Resolved error occurs again: {name}, at {at}"),
        ErrorPattern::FirstOfRelease => format!("First error of this release: {name}, at {at}"),
        ErrorPattern::Spike if usual > 0.0 => {
            format!("{events} events within five minutes, usually {usual:.1}: {name}, at {at}")
        }
        ErrorPattern::Spike => {
            format!("{events} events within five minutes: {name}, at {at}")
        }
    }
}
