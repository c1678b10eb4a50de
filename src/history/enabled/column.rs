use super::numbers::{self, MISSING, is_missing, push_varint, take_varint};
use crate::metrics::HistogramValues;

/// The values of one series at consecutive ticks. The values of counters and histograms are increases since the tick
/// before.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Column {
    Numbers(Vec<f64>),
    /// `None` where the series had no value. Boxed, since most steps of most histograms are empty.
    Histograms {
        /// Values of the histogram's bounds.
        empty: Box<HistogramValues>,
        steps: Vec<Option<HistogramValues>>,
    },
    /// Gauges in steps of several snapshots.
    Gauges(GaugeSteps),
}

/// The values of a gauge in steps of several snapshots: one element for each step, `MISSING` where it had no value.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct GaugeSteps {
    /// The number of values.
    pub(super) count: Vec<f64>,
    pub(super) sum: Vec<f64>,
    pub(super) min: Vec<f64>,
    pub(super) max: Vec<f64>,
    pub(super) last: Vec<f64>,
}

impl GaugeSteps {
    fn parts(&self) -> [&Vec<f64>; 5] {
        [&self.count, &self.sum, &self.min, &self.max, &self.last]
    }

    fn parts_mut(&mut self) -> [&mut Vec<f64>; 5] {
        [
            &mut self.count,
            &mut self.sum,
            &mut self.min,
            &mut self.max,
            &mut self.last,
        ]
    }
}

impl Column {
    pub(super) fn numbers() -> Self {
        Self::Numbers(Vec::new())
    }

    /// A column of a histogram with these bounds.
    pub(super) fn histograms(empty: &HistogramValues) -> Self {
        Self::Histograms {
            empty: Box::new(empty.with(Vec::new(), 0.0)),
            steps: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Numbers(values) => values.len(),
            Self::Histograms { steps, .. } => steps.len(),
            Self::Gauges(gauges) => gauges.count.len(),
        }
    }

    /// Appends missing values until the column has `len` values.
    pub(super) fn pad(&mut self, len: usize) {
        match self {
            Self::Numbers(values) => values.resize(len.max(values.len()), MISSING),
            Self::Histograms { steps, .. } => steps.resize(len.max(steps.len()), None),
            Self::Gauges(gauges) => {
                for part in gauges.parts_mut() {
                    part.resize(len.max(part.len()), MISSING);
                }
            }
        }
    }

    /// Whether there is a value at a position.
    pub(super) fn has_value(&self, index: usize) -> bool {
        match self {
            Self::Numbers(values) => values.get(index).is_some_and(|value| !is_missing(*value)),
            Self::Histograms { steps, .. } => steps.get(index).is_some_and(Option::is_some),
            Self::Gauges(gauges) => gauges.at(index).is_some(),
        }
    }

    /// The estimated size in memory.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Numbers(values) => values.capacity() * 8,
            Self::Histograms { steps, .. } => {
                let cells = steps.iter().flatten().map(HistogramValues::bytes);
                steps.capacity() * size_of::<Option<HistogramValues>>() + cells.sum::<usize>()
            }
            Self::Gauges(gauges) => gauges.parts().map(|part| part.capacity() * 8).iter().sum(),
        }
    }

    /// Appends the values of a column of the same kind and bounds. Others are left out.
    pub(super) fn append(&mut self, other: Self) {
        match (self, other) {
            (Self::Numbers(values), Self::Numbers(mut others)) => values.append(&mut others),
            (
                Self::Histograms { steps, .. },
                Self::Histograms {
                    steps: mut others, ..
                },
            ) => {
                steps.append(&mut others);
            }
            (Self::Gauges(gauges), Self::Gauges(mut others)) => {
                for (part, other) in gauges.parts_mut().into_iter().zip(others.parts_mut()) {
                    part.append(other);
                }
            }
            _ => {}
        }
    }

    /// Takes the first `count` values out of the column.
    pub(super) fn split_front(&mut self, count: usize) -> Self {
        match self {
            Self::Numbers(values) => {
                let rest = values.split_off(count.min(values.len()));
                Self::Numbers(std::mem::replace(values, rest))
            }
            Self::Histograms { empty, steps } => {
                let rest = steps.split_off(count.min(steps.len()));
                Self::Histograms {
                    empty: empty.clone(),
                    steps: std::mem::replace(steps, rest),
                }
            }
            Self::Gauges(gauges) => {
                let mut front = GaugeSteps::default();
                for (part, front) in gauges.parts_mut().into_iter().zip(front.parts_mut()) {
                    let rest = part.split_off(count.min(part.len()));
                    *front = std::mem::replace(part, rest);
                }
                Self::Gauges(front)
            }
        }
    }

    /// Encodes the values. The sum of a histogram's step keeps seven digits.
    pub(super) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Numbers(values) => numbers::encode(values),
            Self::Histograms { steps, .. } => {
                let sum = |step: &Option<HistogramValues>| {
                    step.as_ref().map_or(MISSING, |step| short(step.sum()))
                };
                let sums: Vec<f64> = steps.iter().map(sum).collect();
                let sums = numbers::encode(&sums);
                let mut out = Vec::with_capacity(sums.len() + 2 * steps.len());
                push_varint(&mut out, sums.len() as u64);
                out.extend_from_slice(&sums);
                for step in steps.iter().flatten() {
                    encode_cells(&mut out, step.cells());
                }
                out
            }
            Self::Gauges(gauges) => {
                let mut out = Vec::new();
                for part in gauges.parts() {
                    let part = numbers::encode(part);
                    push_varint(&mut out, part.len() as u64);
                    out.extend_from_slice(&part);
                }
                out
            }
        }
    }

    /// Decodes `len` values of the same kind as this column. `None` if the bytes are damaged.
    pub(super) fn decode(&self, mut bytes: &[u8], len: usize) -> Option<Self> {
        let empty = match self {
            Self::Numbers(_) => return Some(Self::Numbers(numbers::decode(bytes, len)?)),
            Self::Gauges(_) => return decode_gauges(bytes, len).map(Self::Gauges),
            Self::Histograms { empty, .. } => empty,
        };
        let of_sums = usize::try_from(take_varint(&mut bytes)?).ok()?;
        let (sums, mut bytes) = bytes.split_at_checked(of_sums)?;
        let sums = numbers::decode(sums, len)?;
        let mut steps = Vec::with_capacity(sums.len());
        for sum in sums {
            if is_missing(sum) {
                steps.push(None);
            } else {
                steps.push(Some(empty.with(decode_cells(&mut bytes)?, sum)));
            }
        }
        bytes.is_empty().then(|| Self::Histograms {
            empty: empty.clone(),
            steps,
        })
    }
}

fn decode_gauges(mut bytes: &[u8], len: usize) -> Option<GaugeSteps> {
    let mut gauges = GaugeSteps::default();
    for part in gauges.parts_mut() {
        let size = usize::try_from(take_varint(&mut bytes)?).ok()?;
        let (encoded, rest) = bytes.split_at_checked(size)?;
        *part = numbers::decode(encoded, len)?;
        bytes = rest;
    }
    bytes.is_empty().then_some(gauges)
}

/// Rounds a number to seven digits, which take three bytes less.
#[expect(clippy::cast_possible_truncation, reason = "seven digits suffice")]
fn short(sum: f64) -> f64 {
    let short = f64::from(sum as f32);
    if short.is_finite() { short } else { sum }
}

fn encode_cells(out: &mut Vec<u8>, cells: &[(u16, u64)]) {
    push_varint(out, cells.len() as u64);
    let mut previous = 0;
    for (code, count) in cells {
        push_varint(out, u64::from(*code - previous));
        push_varint(out, *count);
        previous = *code;
    }
}

fn decode_cells(bytes: &mut &[u8]) -> Option<Vec<(u16, u64)>> {
    let count = take_varint(bytes)?;
    let mut cells = Vec::new();
    let mut code = 0_u16;
    for n in 0..count {
        let step = u16::try_from(take_varint(bytes)?).ok()?;
        if step == 0 && n > 0 {
            return None;
        }
        code = code.checked_add(step)?;
        cells.push((code, take_varint(bytes)?));
    }
    Some(cells)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_histogram_is_restored(steps in proptest::collection::vec(
            proptest::option::of((proptest::collection::btree_map(0_u16..2100, 1_u64..1000, 0..20), -1e3_f32..1e6)), 0..60)) {
            let empty = HistogramValues::empty(&[0.1, 1.0]);
            let steps = steps.into_iter().map(|step| {
                step.map(|(cells, sum)| empty.with(cells.into_iter().collect(), f64::from(sum)))
            });
            let column = Column::Histograms { empty: Box::new(empty.clone()), steps: steps.collect() };
            let encoded = column.encode();
            prop_assert_eq!(Column::histograms(&empty).decode(&encoded, column.len()), Some(column));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), len in 0_usize..50) {
            let column = Column::histograms(&HistogramValues::empty(&[1.0]));
            drop(column.decode(&bytes, len));
        }
    }

    #[test]
    fn a_column_is_padded_and_split() {
        let mut column = Column::Numbers(vec![1.0, 2.0]);
        column.pad(4);
        assert_eq!(column.len(), 4);
        let front = column.split_front(3);
        assert_eq!((front.len(), column.len()), (3, 1));
        column.pad(0);
        assert_eq!(column.len(), 1);
        let mut histogram = Column::histograms(&HistogramValues::empty(&[]));
        histogram.pad(3);
        assert_eq!((histogram.split_front(9).len(), histogram.len()), (3, 0));
    }
}
