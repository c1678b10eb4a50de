//! Spans of a range for which the history has no data, between two for which it has some.

use super::changes::millis;
use crate::dashboard::DashboardCard;
use crate::history::{Marker, MarkerKind};

/// The curves of the cards: a value for each step, in the order of the cards.
pub(super) type CardCurves = [Vec<Option<f64>>; DashboardCard::ALL.len()];

/// A span without data. Times are in milliseconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DataGap {
    pub(super) from: u64,
    pub(super) to: u64,
    /// Whether a process started in it: the one before did not run. Otherwise the process was suspended, or the clock was set.
    pub(super) has_start: bool,
}

impl DataGap {
    pub(super) const fn reason(&self) -> &'static str {
        if self.has_start {
            "stopped"
        } else {
            "suspended"
        }
    }
}

/// Finds the gaps. `start` is the begin of the first step. A gap that is shorter than a step is in no curve.
pub(super) fn data_gaps(
    curves: &CardCurves,
    start: u64,
    step_ms: u64,
    markers: &[Marker],
) -> Vec<DataGap> {
    let steps = curves.iter().map(Vec::len).max().unwrap_or(0);
    // The number of users is the last one that was known, which says nothing about a step.
    let of_steps = DashboardCard::ALL.iter().zip(curves);
    let of_steps = of_steps.filter(|(card, _)| **card != DashboardCard::Users);
    let of_steps: Vec<_> = of_steps.map(|(_, curve)| curve).collect();
    let has_data = |step: &usize| {
        of_steps
            .iter()
            .any(|curve| curve.get(*step).copied().flatten().is_some())
    };
    let time = |step: usize| start.saturating_add(step_ms.saturating_mul(step as u64));
    let mut gaps = Vec::new();
    let mut last = None;
    for step in (0..steps).filter(has_data) {
        if let Some(last) = last.filter(|last| last + 1 < step) {
            let (from, to) = (time(last + 1), time(step));
            // The first snapshot of a process is taken some time after its start.
            let starts = from.saturating_sub(step_ms)..=time(step + 1);
            let has_start = markers.iter().any(|marker| {
                marker.kind == MarkerKind::Start && starts.contains(&millis(marker.time))
            });
            gaps.push(DataGap {
                from,
                to,
                has_start,
            });
        }
        last = Some(step);
    }
    gaps
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn marker(kind: MarkerKind, at: u64) -> Marker {
        Marker {
            kind,
            time: UNIX_EPOCH + Duration::from_millis(at),
            text: String::new(),
            is_new_version: false,
            was_interrupted: false,
        }
    }

    /// The gaps of a range that begins at 1,000 and has steps of 100, with a digit where a step has data.
    fn gaps(steps: &str, markers: &[Marker]) -> Vec<(u64, u64, &'static str)> {
        let mut curves = CardCurves::default();
        for step in steps.chars() {
            for (n, curve) in (0..).zip(&mut curves) {
                curve.push((step.to_digit(10) == Some(n)).then_some(1.0));
            }
        }
        let gaps = data_gaps(&curves, 1000, 100, markers);
        let gap = |gap: &DataGap| (gap.from, gap.to, gap.reason());
        gaps.iter().map(gap).collect()
    }

    #[test]
    fn a_gap_is_between_data() {
        for (steps, expected) in [
            ("", &[][..]),
            ("....", &[]),
            ("..11..", &[]),
            // Any card will do.
            ("012456", &[]),
            ("003000", &[(1200, 1300, "suspended")]),
            ("1.1", &[(1100, 1200, "suspended")]),
            ("..2...0.", &[(1300, 1600, "suspended")]),
            (
                "1.1..1",
                &[(1100, 1200, "suspended"), (1300, 1500, "suspended")],
            ),
        ] {
            assert_eq!(gaps(steps, &[]), expected, "{steps}");
        }
    }

    #[test]
    fn a_start_in_a_gap_is_its_reason() {
        let start = |at| [marker(MarkerKind::Start, at)];
        for (at, reason) in [
            (999, "suspended"),
            (1000, "stopped"),
            (1250, "stopped"),
            (1400, "stopped"),
            (1401, "suspended"),
        ] {
            assert_eq!(gaps("1..1", &start(at)), [(1100, 1300, reason)], "{at}");
        }
        let mark = [marker(MarkerKind::Mark, 1250)];
        assert_eq!(gaps("1..1", &mark), [(1100, 1300, "suspended")]);
    }
}
