use std::fmt;
use std::str::FromStr;

use crate::model::ExplicitKeys;

/// Where the dashboard is served besides the host's own router, how many live connections it has, and the lines of its
/// cards.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct DashboardConfig {
    /// Whether [`Monitor::serve`](crate::Monitor::serve) serves it too.
    pub serve: bool,
    /// The maximum number of live connections.
    pub max_clients: usize,
    /// The maximum number of live connections from one address.
    pub max_clients_per_address: usize,
    /// The lines that differ from the defaults.
    pub lines: Vec<DashboardLine>,
    pub(crate) explicit: ExplicitKeys,
}

/// A card of the overview with a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DashboardCard {
    /// Requests per second. Lines at 1,000 and 2,000.
    Requests,
    /// The 95th percentile of response times, in seconds. Lines at 0.5 and 1.
    ResponseTime,
    /// The share of requests that failed. Lines at 0.01 and 0.05.
    ErrorRate,
    /// Distinct users within five minutes. No lines.
    Users,
    /// The used share of the available CPUs. Lines at 0.7 and 0.9.
    Cpu,
    /// The used share of the memory. Lines at 0.8 and 0.95.
    Memory,
    /// Database connections in use. A critical line at nine tenths of the maximum.
    Connections,
}

/// The lines of a card: the values from which it is drawn as a warning or as critical.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct DashboardLine {
    /// The card.
    pub card: DashboardCard,
    /// The value of the lower line.
    pub warning: Option<f64>,
    /// The value of the upper line.
    pub critical: Option<f64>,
}

impl DashboardCard {
    /// All cards, in their order.
    pub const ALL: [Self; 7] = [
        Self::Requests,
        Self::ResponseTime,
        Self::ErrorRate,
        Self::Users,
        Self::Cpu,
        Self::Memory,
        Self::Connections,
    ];

    /// Returns the name: `requests`, `response_time`, `error_rate`, `users`, `cpu`, `memory` or `connections`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::ResponseTime => "response_time",
            Self::ErrorRate => "error_rate",
            Self::Users => "users",
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Connections => "connections",
        }
    }

    /// The lines without a setting. Those of connections depend on their maximum.
    #[cfg(feature = "dashboard")]
    const fn default_lines(self) -> (Option<f64>, Option<f64>) {
        match self {
            Self::Requests => (Some(1000.0), Some(2000.0)),
            Self::ResponseTime => (Some(0.5), Some(1.0)),
            Self::ErrorRate => (Some(0.01), Some(0.05)),
            Self::Cpu => (Some(0.7), Some(0.9)),
            Self::Memory => (Some(0.8), Some(0.95)),
            Self::Users | Self::Connections => (None, None),
        }
    }
}

impl DashboardConfig {
    /// The default number of live connections: 64.
    pub const DEFAULT_MAX_CLIENTS: usize = 64;
    /// The default number of live connections from one address: 8.
    pub const DEFAULT_MAX_CLIENTS_PER_ADDRESS: usize = 8;

    /// Sets whether [`Monitor::serve`](crate::Monitor::serve) serves the dashboard too, under `/monitoring`:
    /// `dashboard.serve`. Default: no.
    #[must_use]
    pub fn serve(mut self, serve: bool) -> Self {
        self.explicit.add("dashboard.serve");
        self.serve = serve;
        self
    }

    /// Sets the maximum number of live connections, from 1 to 10,000: `dashboard.max_clients`. Default: 64. Pages beyond
    /// it ask every two seconds.
    #[must_use]
    pub fn max_clients(mut self, clients: usize) -> Self {
        self.explicit.add("dashboard.max_clients");
        self.max_clients = clients;
        self
    }

    /// Sets the maximum number of live connections from one address, from 1 to 10,000:
    /// `dashboard.max_clients_per_address`. Default: 8.
    #[must_use]
    pub fn max_clients_per_address(mut self, clients: usize) -> Self {
        self.explicit.add("dashboard.max_clients_per_address");
        self.max_clients_per_address = clients;
        self
    }

    /// Sets the lines of a card: `dashboard.lines`. `None` draws no line.
    ///
    /// ```
    /// use watchpost::dashboard::{DashboardCard, DashboardConfig};
    ///
    /// let config = DashboardConfig::default()
    ///     .line(DashboardCard::ResponseTime, 0.2, 0.5)
    ///     .line(DashboardCard::Requests, None, 5000.0);
    /// # let _ = config;
    /// ```
    #[must_use]
    pub fn line(
        mut self,
        card: DashboardCard,
        warning: impl Into<Option<f64>>,
        critical: impl Into<Option<f64>>,
    ) -> Self {
        self.explicit.add("dashboard.lines");
        self.lines.retain(|line| line.card != card);
        self.lines.push(DashboardLine {
            card,
            warning: warning.into(),
            critical: critical.into(),
        });
        self
    }

    /// The lines of a card. The last setting counts.
    #[cfg(feature = "dashboard")]
    pub(super) fn lines_of(&self, card: DashboardCard) -> (Option<f64>, Option<f64>) {
        let set = self.lines.iter().rev().find(|line| line.card == card);
        set.map_or(card.default_lines(), |line| (line.warning, line.critical))
    }

    /// Whether the lines of a card were set.
    #[cfg(feature = "dashboard")]
    pub(super) fn has_lines_of(&self, card: DashboardCard) -> bool {
        self.lines.iter().any(|line| line.card == card)
    }
}

impl DashboardLine {
    /// Returns why the lines cannot be drawn.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        let values = [self.warning, self.critical];
        if !values
            .iter()
            .flatten()
            .all(|value| value.is_finite() && *value >= 0.0)
        {
            return Some("not finite or negative; write a number from 0 on");
        }
        match (self.warning, self.critical) {
            (Some(warning), Some(critical)) if warning > critical => {
                Some("a warning above the critical line; write the lower one first")
            }
            _ => None,
        }
    }
}

impl Default for DashboardConfig {
    fn default() -> Self {
        Self {
            serve: false,
            max_clients: Self::DEFAULT_MAX_CLIENTS,
            max_clients_per_address: Self::DEFAULT_MAX_CLIENTS_PER_ADDRESS,
            lines: Vec::new(),
            explicit: ExplicitKeys::default(),
        }
    }
}

impl FromStr for DashboardLine {
    type Err = String;

    /// Parses `card=warning/critical`; `-` stands for no line.
    fn from_str(text: &str) -> Result<Self, String> {
        let advice = || {
            "not the lines of a card; write them as `error_rate=0.01/0.05`, or `-` for no line"
                .to_owned()
        };
        let value = |text: &str| match text.trim() {
            "-" => Ok(None),
            number => number.parse().map(Some).map_err(|_| advice()),
        };
        let (card, values) = text.split_once('=').ok_or_else(advice)?;
        let (warning, critical) = values.split_once('/').ok_or_else(advice)?;
        let mut cards = DashboardCard::ALL.into_iter();
        Ok(Self {
            card: cards
                .find(|known| known.as_str() == card.trim())
                .ok_or_else(advice)?,
            warning: value(warning)?,
            critical: value(critical)?,
        })
    }
}

impl fmt::Display for DashboardLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = |value: Option<f64>| value.map_or("-".to_owned(), |value| value.to_string());
        let (warning, critical) = (value(self.warning), value(self.critical));
        write!(f, "{}={warning}/{critical}", self.card.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_and_printed_alike() {
        for text in ["cpu=0.5/0.75", "requests=-/5000", "users=10/-"] {
            let line: DashboardLine = text.parse().unwrap();
            assert_eq!(line.to_string(), text);
            assert_eq!(line.problem(), None);
        }
        for text in ["", "cpu", "cpu=1", "cpu=1/x", "gpu=1/2", "cpu=1/2/3"] {
            assert!(text.parse::<DashboardLine>().is_err(), "{text}");
        }
        for text in ["cpu=2/1", "cpu=-1/2", "cpu=NaN/1", "cpu=1/inf"] {
            let line: DashboardLine = text.parse().unwrap();
            assert!(line.problem().is_some(), "{text}");
        }
    }
}
