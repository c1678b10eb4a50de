/// A queue keeps so much of its room for sources that have little in that part, and a source may have so much of it.
const RESERVED: usize = 16;
const SHARE: usize = 8;
/// Sources that a row tells apart, and rows: two sources that share a place in one seldom do in the other.
const SOURCES: usize = 128;
const ROWS: usize = 2;

/// What the last part of a queue has of each source, in bytes: of the kinds of records, by route and callsite. So a storm
/// of one event leaves room for all others.
#[derive(Debug)]
pub(super) struct Shares([[u32; SOURCES]; ROWS]);

/// The size of the last part of a queue of so many bytes.
pub(super) const fn reserved(max_bytes: usize) -> usize {
    max_bytes / RESERVED
}

impl Default for Shares {
    fn default() -> Self {
        Self([[0; SOURCES]; ROWS])
    }
}

impl Shares {
    /// Whether a source may add to the last part of a queue of so many bytes.
    pub(super) fn have_room(&mut self, source: u32, max_bytes: usize) -> bool {
        let has = self.of(source).map(|has| *has).min();
        has.unwrap_or_default() as usize <= reserved(max_bytes) / SHARE
    }

    /// Counts what a source has added.
    pub(super) fn add(&mut self, source: u32, bytes: usize) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        for has in self.of(source) {
            *has = has.saturating_add(bytes);
        }
    }

    /// The places of a source, one in each row.
    fn of(&mut self, source: u32) -> impl Iterator<Item = &mut u32> {
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
        let mut shares = Shares::default();
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
