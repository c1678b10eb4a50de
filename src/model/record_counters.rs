use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A kind of record that this crate delivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RecordKind {
    /// The log record of a request.
    Request,
    /// A `tracing` event.
    Log,
    /// A log record of this crate about its own state.
    Notice,
    /// A captured error.
    Error,
    /// A span of a trace that is kept.
    Span,
    /// A data point of a metric that is pushed to an OTLP receiver.
    Metric,
}

impl RecordKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::Request,
        Self::Log,
        Self::Notice,
        Self::Error,
        Self::Span,
        Self::Metric,
    ];

    /// Returns the value of the label `signal` in self-metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Log => "log",
            Self::Notice => "notice",
            Self::Error => "error",
            Self::Span => "span",
            Self::Metric => "metric",
        }
    }

    /// Whether its records become log lines.
    pub(crate) const fn is_line(self) -> bool {
        matches!(self, Self::Request | Self::Log | Self::Notice | Self::Error)
    }
}

/// Why a record was dropped. Each dropped record counts under exactly one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// A bounded queue was full. The newest record is dropped.
    QueueOverflow,
    /// The operating system or the host's `Write` refused the write.
    Io,
    /// Code panicked while it handled the record.
    Panic,
    /// The record exceeded the size limit, or the receiver found it too large.
    TooLarge,
    /// The record was not delivered before the deadline of the shutdown, or was made after the shutdown had begun.
    /// Also: the process is a child made by `fork`, which delivers nothing.
    Shutdown,
    /// The receiver refused it permanently.
    SendError,
    /// The queue filled up during a wait that the receiver had requested.
    RatelimitBackoff,
    /// The spool on disk was full. The oldest record is dropped.
    CacheOverflow,
    /// The host's `before_send` hook rejected it.
    BeforeSend,
}

impl DropReason {
    /// Every reason.
    pub const ALL: [Self; 9] = [
        Self::QueueOverflow,
        Self::Io,
        Self::Panic,
        Self::TooLarge,
        Self::Shutdown,
        Self::SendError,
        Self::RatelimitBackoff,
        Self::CacheOverflow,
        Self::BeforeSend,
    ];

    /// Returns the value of the label `reason` in self-metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::QueueOverflow => "queue_overflow",
            Self::Io => "io",
            Self::Panic => "panic",
            Self::TooLarge => "too_large",
            Self::Shutdown => "shutdown",
            Self::SendError => "send_error",
            Self::CacheOverflow => "cache_overflow",
            Self::BeforeSend => "before_send",
            Self::RatelimitBackoff => "ratelimit_backoff",
        }
    }
}

/// The counters of every record kind.
///
/// Each term is counted where it happens and none is computed from the others, so that
/// `emitted == delivered + spooled + dropped` can be checked.
#[derive(Debug, Default)]
pub(crate) struct RecordCounters {
    kinds: [KindCounters; RecordKind::ALL.len()],
}

#[derive(Debug, Default)]
struct KindCounters {
    emitted: AtomicU64,
    delivered: AtomicU64,
    spooled: AtomicU64,
    dropped: [AtomicU64; DropReason::ALL.len()],
}

#[expect(
    clippy::indexing_slicing,
    reason = "both arrays are as long as their enums"
)]
impl RecordCounters {
    pub(crate) fn emitted(&self, kind: RecordKind, n: u64) {
        self.kinds[kind as usize].emitted.fetch_add(n, Relaxed);
    }

    pub(crate) fn delivered(&self, kind: RecordKind, n: u64) {
        self.kinds[kind as usize].delivered.fetch_add(n, Relaxed);
    }

    pub(crate) fn spooled(&self, kind: RecordKind, n: u64) {
        self.kinds[kind as usize].spooled.fetch_add(n, Relaxed);
    }

    pub(crate) fn dropped(&self, kind: RecordKind, reason: DropReason, n: u64) {
        self.kinds[kind as usize].dropped[reason as usize].fetch_add(n, Relaxed);
    }

    /// A snapshot of one kind's counters.
    pub(crate) fn totals(&self, kind: RecordKind) -> RecordTotals {
        let account = &self.kinds[kind as usize];
        let mut dropped = [0; DropReason::ALL.len()];
        for (out, count) in dropped.iter_mut().zip(&account.dropped) {
            *out = count.load(Relaxed);
        }
        RecordTotals {
            kind,
            delivered: account.delivered.load(Relaxed),
            spooled: account.spooled.load(Relaxed),
            dropped,
            // Read last: a record that is delivered during this call must not appear as delivered but not emitted.
            emitted: account.emitted.load(Relaxed),
        }
    }

    /// A snapshot of all counters.
    pub(crate) fn report(&self, complete: bool) -> ShutdownReport {
        ShutdownReport {
            kinds: RecordKind::ALL.map(|kind| self.totals(kind)),
            complete,
            in_child: false,
            unstored: Vec::new(),
        }
    }
}

/// Counts of one kind's records since the monitor was built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordTotals {
    kind: RecordKind,
    emitted: u64,
    delivered: u64,
    spooled: u64,
    dropped: [u64; DropReason::ALL.len()],
}

impl RecordTotals {
    /// Returns the kind of the counted records.
    pub fn kind(&self) -> RecordKind {
        self.kind
    }

    /// Returns the number of emitted records. With several sinks a record counts once for each.
    pub fn emitted(&self) -> u64 {
        self.emitted
    }

    /// Returns the number of records that a receiver accepted.
    pub fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Returns the number of records that are kept on disk, to be sent by the next process.
    pub fn spooled(&self) -> u64 {
        self.spooled
    }

    /// Returns the number of records that were dropped for this reason.
    #[expect(clippy::indexing_slicing, reason = "the array is as long as the enum")]
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.dropped[reason as usize]
    }

    /// Returns the number of records that were dropped for any reason.
    pub fn dropped_total(&self) -> u64 {
        self.dropped.iter().sum()
    }

    /// Returns the number of records that are still queued or in flight: 0 after a complete flush or shutdown.
    pub fn in_flight(&self) -> u64 {
        let settled = self
            .delivered
            .saturating_add(self.spooled)
            .saturating_add(self.dropped_total());
        self.emitted.saturating_sub(settled)
    }
}

/// The outcomes of all records, returned by a shutdown.
///
/// Its `Display` has one line for each kind that emitted records, for the end of a service's own log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShutdownReport {
    kinds: [RecordTotals; RecordKind::ALL.len()],
    complete: bool,
    in_child: bool,
    unstored: Vec<&'static str>,
}

impl ShutdownReport {
    /// Returns whether every record was delivered, spooled or dropped before the deadline.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Returns what could not be stored in the data directory before the deadline: `the history` (its last snapshot),
    /// `the markers` or `the active users`. Empty if all of it is stored, or if there is no data directory.
    pub fn unstored(&self) -> &[&'static str] {
        &self.unstored
    }

    /// Adds what is not stored.
    pub(crate) fn unstored_of(self, unstored: Vec<&'static str>) -> Self {
        Self { unstored, ..self }
    }

    /// Marks the report of a child made by `fork`.
    pub(crate) fn in_child(self) -> Self {
        Self {
            in_child: true,
            ..self
        }
    }

    /// Returns the counts of one kind.
    #[expect(clippy::indexing_slicing, reason = "the array is as long as the enum")]
    pub fn totals(&self, kind: RecordKind) -> &RecordTotals {
        &self.kinds[kind as usize]
    }

    /// Returns the number of records of all kinds that receivers accepted.
    pub fn delivered(&self) -> u64 {
        self.kinds.iter().map(RecordTotals::delivered).sum()
    }

    /// Returns the number of records of all kinds that are kept on disk.
    pub fn spooled(&self) -> u64 {
        self.kinds.iter().map(RecordTotals::spooled).sum()
    }

    /// Returns the number of records of all kinds that were dropped.
    pub fn dropped(&self) -> u64 {
        self.kinds.iter().map(RecordTotals::dropped_total).sum()
    }
}

/// The text that the report of a child made by `fork` adds to its counts.
const IN_CHILD: &str = "\nthis process is a child made by `fork` after the monitor was built: it has no worker and delivers nothing; build the monitor after the fork";

impl fmt::Display for ShutdownReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for totals in self.kinds.iter().filter(|totals| totals.emitted > 0) {
            if !std::mem::take(&mut first) {
                f.write_str("\n")?;
            }
            let RecordTotals {
                kind,
                emitted,
                delivered,
                spooled,
                ..
            } = totals;
            let name = kind.as_str();
            write!(
                f,
                "{name}: {emitted} emitted, {delivered} delivered, {spooled} spooled"
            )?;
            for reason in DropReason::ALL {
                match totals.dropped(reason) {
                    0 => {}
                    n => write!(f, ", {n} dropped ({})", reason.as_str())?,
                }
            }
        }
        if first {
            f.write_str("nothing was emitted")?;
        }
        if !self.unstored.is_empty() {
            let unstored = self.unstored.join(", ");
            write!(f, "\nnot stored in the data directory: {unstored}")?;
        }
        if self.in_child {
            f.write_str(IN_CHILD)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_lists_each_kind_by_reason() {
        let counters = RecordCounters::default();
        counters.emitted(RecordKind::Log, 5);
        counters.delivered(RecordKind::Log, 2);
        counters.dropped(RecordKind::Log, DropReason::Io, 2);
        let report = counters.report(true);
        assert_eq!(report.totals(RecordKind::Log).in_flight(), 1);
        assert_eq!(
            (report.delivered(), report.spooled(), report.dropped()),
            (2, 0, 2)
        );
        assert_eq!(
            report.to_string(),
            "log: 5 emitted, 2 delivered, 0 spooled, 2 dropped (io)"
        );
        let report = report.unstored_of(vec!["the history", "the markers"]);
        assert!(
            report
                .to_string()
                .ends_with("(io)\nnot stored in the data directory: the history, the markers")
        );
        assert_eq!(
            RecordCounters::default().report(true).to_string(),
            "nothing was emitted"
        );
    }
}
