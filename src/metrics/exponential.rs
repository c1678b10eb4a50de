//! A histogram for quantiles with 32 buckets per power of two: OpenTelemetry's exponential histogram at scale 5.
//!
//! Source: <https://opentelemetry.io/docs/specs/otel/metrics/data-model/#exponentialhistogram>

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The exponent of the lowest octave. Values up to 2^-20 (about 1 µs, in seconds) fall into the first bucket.
const FIRST_EXPONENT: i32 = -20;
/// The number of powers of two. Values above 2^12 (more than an hour, in seconds) fall into the last bucket.
const OCTAVES: usize = 32;
/// The number of buckets in one octave.
const BUCKETS: usize = 32;
/// The bits of a mantissa.
const MANTISSA: u64 = (1 << 52) - 1;

/// The mantissas of 2^(k/32) for k from 1 to 31, rounded down.
const BOUNDS: [u64; BUCKETS - 1] = [
    0x0_59b0_d315_8574,
    0x0_b558_6cf9_890f,
    0x1_1301_d012_5b50,
    0x1_72b8_3c7d_517a,
    0x1_d487_3168_b9aa,
    0x2_387a_6e75_6238,
    0x2_9e9d_f51f_dee1,
    0x3_06fe_0a31_b715,
    0x3_71a7_373a_a9ca,
    0x3_dea6_4c12_3422,
    0x4_4e08_6061_892d,
    0x4_bfda_d536_2a27,
    0x5_342b_569d_4f81,
    0x5_ab07_dd48_5429,
    0x6_247e_b03a_5584,
    0x6_a09e_667f_3bcc,
    0x7_1f75_e8ec_5f73,
    0x7_a114_73eb_0186,
    0x8_2589_994c_ce12,
    0x8_ace5_422a_a0db,
    0x9_3737_b0cd_c5e4,
    0x9_c491_82a3_f090,
    0xa_5503_b23e_255c,
    0xa_e89f_995a_d3ad,
    0xb_7f76_f2fb_5e46,
    0xc_199b_dd85_529c,
    0xc_b720_dcef_9069,
    0xd_5818_dcfb_a487,
    0xd_fc97_337b_9b5e,
    0xe_a4af_a2a4_90d9,
    0xf_5076_5b6e_4540,
];

/// The number of cells that the first six bits of a mantissa distinguish. The distance between bounds is greater than
/// the size of a cell, so a cell contains at most one bound.
const CELLS: usize = 64;
const CELL_BITS: u32 = 52 - CELLS.ilog2();
static CELL_STARTS: [u8; CELLS] = cell_starts();

/// The bucket of the lowest mantissa of each cell.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn cell_starts() -> [u8; CELLS] {
    let mut starts = [0; CELLS];
    let (mut cell, mut bucket) = (0, 0);
    while cell < CELLS {
        while bucket < BOUNDS.len() && BOUNDS[bucket] <= (cell as u64) << CELL_BITS {
            bucket += 1;
        }
        starts[cell] = bucket as u8;
        cell += 1;
    }
    starts
}

/// Counts values in fine buckets. The relative error of a quantile is at most 1.1 %. The buckets of an octave are
/// allocated with its first value and take 256 bytes.
#[derive(Debug, Default)]
pub(crate) struct ExponentialHistogram {
    octaves: [OnceLock<Box<[AtomicU64; BUCKETS]>>; OCTAVES],
}

impl ExponentialHistogram {
    /// Records a value.
    #[inline]
    pub(crate) fn record(&self, value: f64) {
        let (octave, bucket) = position(value);
        let Some(octave) = self.octaves.get(octave) else {
            return;
        };
        let buckets = match octave.get() {
            Some(buckets) => buckets,
            None => octave.get_or_init(Box::default),
        };
        if let Some(count) = buckets.get(bucket) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// Moves all counts of another histogram into this one.
    pub(crate) fn absorb(&self, other: &Self) {
        for (octave, from) in self.octaves.iter().zip(&other.octaves) {
            let Some(from) = from.get() else { continue };
            // A swap, so that a value that is recorded at this moment is moved now or stays for the next time, and is
            // never counted twice.
            for (bucket, from) in octave.get_or_init(Box::default).iter().zip(from.iter()) {
                bucket.fetch_add(from.swap(0, Relaxed), Relaxed);
            }
        }
    }

    /// The number of recorded values.
    pub(crate) fn count(&self) -> u64 {
        let octaves = self.octaves.iter().filter_map(OnceLock::get);
        let counts = octaves.flat_map(|octave| octave.iter());
        counts.map(|count| count.load(Relaxed)).sum()
    }

    /// The quantiles at these ranks, from 0 to 1; `None` before the first value.
    pub(crate) fn quantiles<const N: usize>(&self, ranks: [f64; N]) -> Option<[f64; N]> {
        let counts: Vec<(f64, u64)> = (FIRST_EXPONENT..)
            .zip(&self.octaves)
            .filter_map(|(exponent, octave)| Some((exponent, octave.get()?)))
            .flat_map(|(exponent, octave)| {
                let middles = (0..).map(move |k| middle(exponent, k));
                middles.zip(octave.iter().map(|count| count.load(Relaxed)))
            })
            .filter(|(_, count)| *count > 0)
            .collect();
        let total: u64 = counts.iter().map(|(_, count)| count).sum();
        let (largest, _) = *counts.last()?;
        Some(ranks.map(|rank| {
            let rank = (rank * total as f64).ceil();
            let mut below = 0;
            let found = counts.iter().find(|(_, count)| {
                below += count;
                below as f64 >= rank
            });
            found.map_or(largest, |(value, _)| *value)
        }))
    }
}

/// The geometric middle of a bucket.
fn middle(exponent: i32, bucket: i32) -> f64 {
    (f64::from(exponent) + (f64::from(bucket) + 0.5) / BUCKETS as f64).exp2()
}

/// The octave and the bucket of a value. A bucket includes its upper bound.
#[inline]
fn position(value: f64) -> (usize, usize) {
    const FIRST: u64 = (1023 + FIRST_EXPONENT) as u64;
    // Positive numbers are ordered like their bits. Zero, negative numbers and NaN go to the first bucket.
    if value.is_nan() || value <= 0.0 {
        return (0, 0);
    }
    // One less in the last bit moves an exact bound into the bucket below it, since a bucket includes its upper bound.
    let below = value.to_bits() - 1;
    let exponent = below >> 52;
    if exponent < FIRST {
        return (0, 0);
    }
    let octave = (exponent - FIRST) as usize;
    if octave >= OCTAVES {
        return (OCTAVES - 1, BUCKETS - 1);
    }
    let mantissa = below & MANTISSA;
    let cell = (mantissa >> CELL_BITS) as usize;
    let bucket = usize::from(CELL_STARTS.get(cell).copied().unwrap_or_default());
    let is_next = BOUNDS.get(bucket).is_some_and(|bound| *bound <= mantissa);
    (octave, bucket + usize::from(is_next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_falls_into_the_bucket_of_its_power() {
        for k in 1..i32::try_from(OCTAVES * BUCKETS).unwrap() {
            let bound = (f64::from(FIRST_EXPONENT) + f64::from(k) / 32.0).exp2();
            let at = |value| {
                let (octave, bucket) = position(value);
                i32::try_from(octave * BUCKETS + bucket).unwrap()
            };
            assert_eq!((at(bound * 0.999), at(bound * 1.001)), (k - 1, k), "{k}");
        }
        assert_eq!(
            position(0.25),
            (17, 31),
            "an upper bound belongs to its bucket"
        );
        for odd in [0.0, -1.0, f64::NAN, f64::MIN_POSITIVE, f64::NEG_INFINITY] {
            assert_eq!(position(odd), (0, 0), "{odd}");
        }
        for large in [1e9, f64::MAX, f64::INFINITY] {
            assert_eq!(position(large), (OCTAVES - 1, BUCKETS - 1), "{large}");
        }
    }

    #[test]
    fn the_search_by_cell_finds_what_a_full_search_finds() {
        let cells = (0..CELLS as u64).map(|cell| cell << CELL_BITS);
        for edge in BOUNDS.into_iter().chain(cells) {
            for mantissa in [edge.saturating_sub(1), edge, edge + 1] {
                // An upper bound belongs to its bucket, so that one more is looked at.
                let (_, bucket) = position(f64::from_bits((1023 << 52 | mantissa) + 1));
                let full = BOUNDS.partition_point(|bound| *bound <= mantissa);
                assert_eq!(bucket, full, "{mantissa:x}");
            }
        }
    }

    #[test]
    fn quantiles_are_off_by_no_more_than_half_a_bucket() {
        let all = ExponentialHistogram::default();
        assert_eq!(all.quantiles([0.5]), None);
        for n in 1..=10_000 {
            all.record(f64::from(n) / 1000.0);
        }
        let read = all.quantiles([0.0, 0.5, 0.95, 0.99, 1.0]).unwrap();
        for (read, exact) in read.into_iter().zip([0.001, 5.0, 9.5, 9.9, 10.0]) {
            assert!((read / exact - 1.0).abs() < 0.011, "{read} for {exact}");
        }
    }
}
