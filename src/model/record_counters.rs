use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A kind of record that this crate sends somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RecordKind {
    /// The line of a request.
    Request,
    /// A `tracing` event.
    Log,
    /// A line of ours about this crate's own state.
    Notice,
    /// A captured error.
    Error,
    /// A span of a trace that is kept.
    Span,
}

impl RecordKind {
    /// Every signal.
    pub const ALL: [Self; 5] = [
        Self::Request,
        Self::Log,
        Self::Notice,
        Self::Error,
        Self::Span,
    ];

    /// The name that series carry.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Log => "log",
            Self::Notice => "notice",
            Self::Error => "error",
            Self::Span => "span",
        }
    }

    /// Whether its records become lines.
    pub(crate) const fn is_line(self) -> bool {
        matches!(self, Self::Request | Self::Log | Self::Notice | Self::Error)
    }
}

/// Why a record was dropped. Each record that is dropped is counted under one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// A bounded queue was full; the newest record went.
    QueueOverflow,
    /// The operating system refused the write.
    Io,
    /// Code panicked while it worked on the record.
    Panic,
    /// The record was larger than a record may be.
    TooLarge,
    /// The deadline of the shutdown passed before the record was delivered, or the process is a child made by `fork`,
    /// which delivers nothing.
    Shutdown,
    /// The receiver refused it for good.
    SendError,
    /// The queue filled up while the receiver had asked to be left alone.
    RatelimitBackoff,
    /// A store was full; the oldest record went.
    CacheOverflow,
    /// A hook of the host's said that it is not to be sent.
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

    /// The name that series carry.
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

/// The running account of every signal: each term is counted where it happens, none is computed from
/// the others, so that `emitted == delivered + spooled + dropped` can be asserted.
#[derive(Debug, Default)]
pub(crate) struct RecordCounters {
    signals: [Account; RecordKind::ALL.len()],
}

#[derive(Debug, Default)]
struct Account {
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
    pub(crate) fn emitted(&self, signal: RecordKind, n: u64) {
        self.signals[signal as usize].emitted.fetch_add(n, Relaxed);
    }

    pub(crate) fn delivered(&self, signal: RecordKind, n: u64) {
        self.signals[signal as usize]
            .delivered
            .fetch_add(n, Relaxed);
    }

    pub(crate) fn spooled(&self, signal: RecordKind, n: u64) {
        self.signals[signal as usize].spooled.fetch_add(n, Relaxed);
    }

    pub(crate) fn dropped(&self, signal: RecordKind, reason: DropReason, n: u64) {
        self.signals[signal as usize].dropped[reason as usize].fetch_add(n, Relaxed);
    }

    /// What stands in the counters of one signal.
    pub(crate) fn totals(&self, signal: RecordKind) -> RecordTotals {
        let account = &self.signals[signal as usize];
        let mut dropped = [0; DropReason::ALL.len()];
        for (out, count) in dropped.iter_mut().zip(&account.dropped) {
            *out = count.load(Relaxed);
        }
        RecordTotals {
            signal,
            delivered: account.delivered.load(Relaxed),
            spooled: account.spooled.load(Relaxed),
            dropped,
            // Last, so that a record on its way is never delivered before it was emitted.
            emitted: account.emitted.load(Relaxed),
        }
    }

    /// What stands in all counters.
    pub(crate) fn report(&self, complete: bool) -> ShutdownReport {
        ShutdownReport {
            signals: RecordKind::ALL.map(|signal| self.totals(signal)),
            complete,
            in_child: false,
        }
    }
}

/// What became of one signal's records since the monitor was built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordTotals {
    signal: RecordKind,
    emitted: u64,
    delivered: u64,
    spooled: u64,
    dropped: [u64; DropReason::ALL.len()],
}

impl RecordTotals {
    /// Whose account it is.
    pub fn signal(&self) -> RecordKind {
        self.signal
    }

    /// Records made.
    pub fn emitted(&self) -> u64 {
        self.emitted
    }

    /// Records that the receiver took.
    pub fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Records kept on disk for later.
    pub fn spooled(&self) -> u64 {
        self.spooled
    }

    /// Records dropped for one reason.
    #[expect(clippy::indexing_slicing, reason = "the array is as long as the enum")]
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.dropped[reason as usize]
    }

    /// Records dropped for any reason.
    pub fn dropped_in_all(&self) -> u64 {
        self.dropped.iter().sum()
    }

    /// Records that are still on their way: none once a flush or a shutdown was complete.
    pub fn on_their_way(&self) -> u64 {
        let settled = self
            .delivered
            .saturating_add(self.spooled)
            .saturating_add(self.dropped_in_all());
        self.emitted.saturating_sub(settled)
    }
}

/// What became of every record, told at the end.
///
/// Its `Display` is one line a signal, for the end of a service's own log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShutdownReport {
    signals: [RecordTotals; RecordKind::ALL.len()],
    complete: bool,
    in_child: bool,
}

impl ShutdownReport {
    /// Whether everything came to rest before the deadline.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// The same of a child made by `fork`.
    pub(crate) fn in_child(self) -> Self {
        Self {
            in_child: true,
            ..self
        }
    }

    /// The account of one signal.
    #[expect(clippy::indexing_slicing, reason = "the array is as long as the enum")]
    pub fn totals(&self, signal: RecordKind) -> &RecordTotals {
        &self.signals[signal as usize]
    }

    /// Records of all signals that their receivers took.
    pub fn delivered(&self) -> u64 {
        self.signals.iter().map(RecordTotals::delivered).sum()
    }

    /// Records of all signals that are kept on disk for later.
    pub fn spooled(&self) -> u64 {
        self.signals.iter().map(RecordTotals::spooled).sum()
    }

    /// Records of all signals that were dropped.
    pub fn dropped(&self) -> u64 {
        self.signals.iter().map(RecordTotals::dropped_in_all).sum()
    }
}

/// What the report of a child made by `fork` says beside its counts.
const IN_CHILD: &str = "\nthis process is a child made by `fork` after the monitor was built: it has no worker and delivers nothing; build the monitor after the fork";

impl fmt::Display for ShutdownReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for totals in self.signals.iter().filter(|totals| totals.emitted > 0) {
            if !std::mem::take(&mut first) {
                f.write_str("\n")?;
            }
            let RecordTotals {
                signal,
                emitted,
                delivered,
                spooled,
                ..
            } = totals;
            let name = signal.as_str();
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
    fn a_report_tells_each_signal_by_reason() {
        let counters = RecordCounters::default();
        counters.emitted(RecordKind::Log, 5);
        counters.delivered(RecordKind::Log, 2);
        counters.dropped(RecordKind::Log, DropReason::Io, 2);
        let report = counters.report(true);
        assert_eq!(report.totals(RecordKind::Log).on_their_way(), 1);
        assert_eq!(
            (report.delivered(), report.spooled(), report.dropped()),
            (2, 0, 2)
        );
        assert_eq!(
            report.to_string(),
            "log: 5 emitted, 2 delivered, 0 spooled, 2 dropped (io)"
        );
        assert_eq!(
            RecordCounters::default().report(true).to_string(),
            "nothing was emitted"
        );
    }
}
