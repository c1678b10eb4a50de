/// The part of a queue that is reserved: one sixteenth.
const RESERVED: usize = 16;
/// The part of the reserve that one source may use: one eighth.
const SHARE: usize = 8;
/// Counters in a row, and rows. Two sources that share a counter in one row seldom do in the other.
const SOURCES: usize = 128;
const ROWS: usize = 2;

/// Bytes that each source uses of the reserved part of a queue: a count-min sketch. A source is a kind of record with a
/// route or callsite. So a storm of one event leaves room for all others.
#[derive(Debug)]
pub(super) struct SourceShares([[u32; SOURCES]; ROWS]);

/// The bytes that are reserved in a queue of `max_bytes`.
pub(super) const fn reserved(max_bytes: usize) -> usize {
    max_bytes / RESERVED
}

impl Default for SourceShares {
    fn default() -> Self {
        Self([[0; SOURCES]; ROWS])
    }
}

impl SourceShares {
    /// Whether a source may use more of the reserved part of a queue of `max_bytes`.
    pub(super) fn have_room(&mut self, source: u32, max_bytes: usize) -> bool {
        let used = self.counters(source).map(|used| *used).min();
        used.unwrap_or_default() as usize <= reserved(max_bytes) / SHARE
    }

    /// Counts bytes that a source has added.
    pub(super) fn add(&mut self, source: u32, bytes: usize) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        for used in self.counters(source) {
            *used = used.saturating_add(bytes);
        }
    }

    /// The counters of a source, one in each row.
    fn counters(&mut self, source: u32) -> impl Iterator<Item = &mut u32> {
        let factors = [0x9e37_79b9_u32, 0x85eb_ca6b];
        let rows = self.0.iter_mut().zip(factors);
        rows.filter_map(move |(row, factor)| {
            let place = (source.wrapping_mul(factor) >> 16) as usize % SOURCES;
            row.get_mut(place)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storm_uses_up_its_own_share_alone() {
        let mut shares = SourceShares::default();
        let max = 1 << 20;
        while shares.have_room(7, max) {
            shares.add(7, 1000);
        }
        let others = (0..10_000).filter(|source| *source != 7);
        let refused = others
            .filter(|source| !shares.have_room(*source, max))
            .count();
        assert!(refused < 10, "{refused}");
    }
}
