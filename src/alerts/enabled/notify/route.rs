use crate::alerts::enabled::alert::Severity;
use crate::alerts::enabled::silence::LabelMatcher;

/// Which alerts go to which channels.
///
/// The first route that an alert fits decides. Without any, an alert goes to all channels that
/// [support](super::Channel::supports) its severity. If there are routes and none fits, nobody is notified.
///
/// ```
/// use watchpost::alerts::{AlertRoute, Severity};
///
/// let routes = [
///     AlertRoute::to(["pagerduty", "slack"]).severity(Severity::Critical),
///     AlertRoute::to(["slack"]).matching(["team=search".parse().unwrap()]),
/// ];
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertRoute {
    pub(in crate::alerts::enabled) channels: Vec<String>,
    matchers: Vec<LabelMatcher>,
    severity: Option<Severity>,
}

impl AlertRoute {
    /// Alerts go to the channels of these names. Without a name, they go to none.
    pub fn to<N: Into<String>>(channels: impl IntoIterator<Item = N>) -> Self {
        Self {
            channels: channels.into_iter().map(Into::into).collect(),
            matchers: Vec::new(),
            severity: None,
        }
    }

    /// Only alerts of this severity fit. Default: all.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = Some(severity);
        self
    }

    /// Only alerts whose labels match all of these fit. Default: all.
    #[must_use]
    pub fn matching(mut self, matchers: impl IntoIterator<Item = LabelMatcher>) -> Self {
        self.matchers = matchers.into_iter().collect();
        self
    }

    pub(super) fn fits(&self, severity: Severity, labels: &[(String, String)]) -> bool {
        self.severity.is_none_or(|only| only == severity)
            && self.matchers.iter().all(|matcher| matcher.matches(labels))
    }
}
