//! The numbering of fine buckets, 32 per power of two: the buckets of OpenTelemetry's exponential histogram at scale 5.
//!
//! Source: <https://opentelemetry.io/docs/specs/otel/metrics/data-model/#exponentialhistogram>

/// The number of buckets in one octave, a range from one power of two to the next.
const PER_OCTAVE: usize = 32;
/// The exponent of the lowest octave: the buckets begin above 2^-24, about 60 ns in seconds.
const FIRST_EXPONENT: i32 = -24;
/// The number of octaves: the buckets end at 2^40, about 1 TiB in bytes.
const OCTAVES: usize = 64;
/// The number of fine buckets.
pub(super) const FINE_BUCKETS: usize = OCTAVES * PER_OCTAVE;
/// The index that OpenTelemetry gives to the first fine bucket: its bucket `i` has the upper bound 2^((i + 1)/32).
#[cfg(any(feature = "native-histograms", feature = "otlp", test))]
pub(super) const FIRST_INDEX: i32 = FIRST_EXPONENT * 32;
/// Values up to this one, and not below its negative, are counted as zero.
pub(crate) const ZERO_THRESHOLD: f64 = f64::from_bits(FIRST << 52);

/// The biased exponent of the lowest octave.
const FIRST: u64 = (1023 + FIRST_EXPONENT) as u64;
/// The bits of a mantissa.
const MANTISSA: u64 = (1 << 52) - 1;

/// The mantissas of 2^(k/32) for k from 1 to 32, rounded down; the last is above every mantissa.
const BOUNDS: [u64; PER_OCTAVE] = [
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
    1 << 52,
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
        while BOUNDS[bucket] <= (cell as u64) << CELL_BITS {
            bucket += 1;
        }
        starts[cell] = bucket as u8;
        cell += 1;
    }
    starts
}

/// The fine bucket of a value, which includes its upper bound. `None` for values up to [`ZERO_THRESHOLD`], negative
/// ones, and those above the last bucket.
#[inline]
pub(super) fn fine_bucket(value: f64) -> Option<usize> {
    // One less in the last bit moves an exact bound into the bucket below it, since a bucket includes its upper bound.
    // Positive numbers are ordered like their bits. The sign of a negative number, and the exponent of one that is
    // not finite, are above those of the last octave. Zero wraps around to such a number.
    let below = value.to_bits().wrapping_sub(1);
    let octave = (below >> 52).wrapping_sub(FIRST);
    if octave >= OCTAVES as u64 {
        return None;
    }
    let mantissa = below & MANTISSA;
    let cell = (mantissa >> CELL_BITS) as usize;
    // The masks change nothing. With them, the compiler checks no index, neither here nor where the bucket is used.
    let bucket = usize::from(CELL_STARTS.get(cell).copied().unwrap_or_default()) % PER_OCTAVE;
    let is_next = BOUNDS.get(bucket).is_some_and(|bound| *bound <= mantissa);
    let bucket = octave as usize * PER_OCTAVE + bucket + usize::from(is_next);
    Some(bucket % FINE_BUCKETS)
}

/// The upper bound of a fine bucket.
#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "there are 2048 buckets")]
pub(super) fn upper_bound(bucket: usize) -> f64 {
    let octaves = (bucket + 1) as f64 / PER_OCTAVE as f64;
    (f64::from(FIRST_EXPONENT) + octaves).exp2()
}

/// The geometric middle of a fine bucket. It differs from each value in the bucket by at most 1.1 %.
#[expect(clippy::cast_precision_loss, reason = "there are 2048 buckets")]
pub(super) fn middle(bucket: usize) -> f64 {
    let octaves = (bucket as f64 + 0.5) / PER_OCTAVE as f64;
    (f64::from(FIRST_EXPONENT) + octaves).exp2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_falls_into_the_bucket_of_its_power() {
        for k in 1..FINE_BUCKETS {
            let bound = upper_bound(k - 1);
            let at = [bound * 0.999, bound * 1.001].map(|value| fine_bucket(value).unwrap());
            assert_eq!(at, [k - 1, k], "{k}");
            let middle = fine_bucket(middle(k)).unwrap();
            assert_eq!(middle, k);
        }
        let at_bound = fine_bucket(0.25).unwrap();
        assert!((upper_bound(at_bound) - 0.25).abs() < f64::EPSILON);
        assert_eq!(
            i32::try_from(at_bound).unwrap() + FIRST_INDEX + 1,
            -2 * 32,
            "0.25 is 2^-2"
        );
    }

    #[test]
    fn values_outside_of_the_range_have_no_bucket() {
        let last = upper_bound(FINE_BUCKETS - 1);
        assert_eq!(fine_bucket(ZERO_THRESHOLD.next_up()), Some(0));
        assert_eq!(fine_bucket(last), Some(FINE_BUCKETS - 1));
        let low = [0.0, -0.0, ZERO_THRESHOLD, f64::MIN_POSITIVE, 5e-324];
        let high = [last.next_up(), f64::MAX, f64::INFINITY];
        let odd = [
            -1.0,
            f64::MIN,
            f64::NEG_INFINITY,
            f64::NAN,
            -f64::NAN,
            -5e-324,
        ];
        for value in low.into_iter().chain(high).chain(odd) {
            assert_eq!(fine_bucket(value), None, "{value:e}");
        }
    }

    #[test]
    fn the_search_by_cell_finds_what_a_full_search_finds() {
        let cells = (0..CELLS as u64).map(|cell| cell << CELL_BITS);
        for edge in BOUNDS.into_iter().take(PER_OCTAVE - 1).chain(cells) {
            for mantissa in [edge.saturating_sub(1), edge, edge + 1] {
                // An upper bound belongs to its bucket, so that one more is looked at.
                let bucket = fine_bucket(f64::from_bits((1023 << 52 | mantissa) + 1)).unwrap();
                let full = BOUNDS.partition_point(|bound| *bound <= mantissa);
                assert_eq!(bucket % PER_OCTAVE, full, "{mantissa:x}");
            }
        }
    }
}
