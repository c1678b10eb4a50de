//! How large the deviations on one side of a channel get, and the deviation that is reached as rarely as is allowed.
//!
//! What is counted are the largest deviations of separate episodes, so that a count divided by the number of samples is
//! the rate at which an alarm with that limit would have been raised. No assumption about the distribution of the
//! samples, or about their independence, is needed.

pub(super) const BINS: usize = 14;
/// The lower edges of the bins, in mean deviations. Each is [`RATIO`] times the one before; the last bin has no upper
/// edge.
const EDGES: [f32; BINS] = [
    2.0, 2.8, 3.92, 5.488, 7.683_2, 10.756_5, 15.059_1, 21.082_7, 29.515_8, 41.322_1, 57.850_9,
    80.991_3, 113.388, 158.743,
];
const RATIO: f32 = 1.4;
const LN_RATIO: f32 = 0.336_472_24;
/// Samples after its largest deviation at which an episode has ended.
const EPISODE: u16 = 50;

/// Beyond the deviation that this many episodes reached, the tail is extended with the slope of these episodes: enough
/// to know the slope within a third.
const ANCHOR_EPISODES: f32 = 8.0;
/// What is assumed about the slope, as a number of episodes and their mean bin above the anchor: that of a fall with the
/// fourth power.
const ASSUMED_EPISODES: f32 = 2.0;
const ASSUMED_MEAN: f32 = 0.351_8;
/// What is assumed about a tail without any episodes: how many samples that assumption is worth, and after how many
/// episodes it counts half. Samples without any episodes, which show that the tail is short, count as a few.
pub(super) const ASSUMED_SAMPLES: f32 = 35.0;
const HALF_EPISODES: f32 = 7.0;
const EPISODES_PER_SAMPLE: f32 = 0.002;
/// The largest of n deviations is exceeded once in the next n on average, but seldom more than once: half an episode
/// less is the median.
const MEDIAN: f32 = 0.5;
/// The limit is this factor higher than the estimate, which was taken from the very deviations that are compared with it.
const MARGIN: f32 = 1.05;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tail {
    /// Episodes by their largest deviation.
    pub(super) counts: [u16; BINS],
    /// The bin of the current episode plus one; zero if there is none.
    current: u8,
    /// The number of the sample with the largest deviation of the current episode. It wraps.
    at: u16,
    /// The largest deviation in the last bin.
    pub(super) largest: f32,
    /// The deviation that is reached as rarely as is allowed.
    pub(super) limit: f32,
}

impl Tail {
    pub(super) const fn new() -> Self {
        Self {
            counts: [0; BINS],
            current: 0,
            at: 0,
            largest: 0.0,
            limit: f32::MAX,
        }
    }

    /// Adds the deviation of sample number `now`.
    #[inline]
    pub(super) fn learn(&mut self, deviation: f32, now: u16) {
        if deviation >= EDGES[0] {
            self.add(deviation, now);
        }
    }

    fn add(&mut self, deviation: f32, now: u16) {
        let bin = EDGES
            .iter()
            .position(|edge| deviation < *edge)
            .unwrap_or(BINS)
            - 1;
        if bin == BINS - 1 {
            self.largest = self.largest.max(deviation);
        }
        if let Some(current) = usize::from(self.current).checked_sub(1)
            && now.wrapping_sub(self.at) <= EPISODE
        {
            if bin <= current {
                return;
            }
            if let Some(count) = self.counts.get_mut(current) {
                *count = count.saturating_sub(1);
            }
        }
        if let Some(count) = self.counts.get_mut(bin) {
            *count = count.saturating_add(1);
        }
        self.current = bin as u8 + 1;
        self.at = now;
    }

    /// Halves the counts. Odd ones are rounded up and down in turn.
    pub(super) fn forget(&mut self) {
        let mut up = true;
        for count in &mut self.counts {
            let odd = *count % 2 == 1;
            up ^= odd;
            *count = *count / 2 + u16::from(odd && up);
        }
        if self.counts.last() == Some(&0) {
            self.largest = 0.0;
        }
        self.current = 0;
    }

    /// Sets the limit to the deviation that `allowed` episodes reach in the `samples` that were counted. The current
    /// episode does not count: a deviation that grows would raise its own limit.
    pub(super) fn settle(&mut self, allowed: f32, samples: f32, now: u16) {
        let current = usize::from(self.current).checked_sub(1);
        let current = current.filter(|_| now.wrapping_sub(self.at) <= EPISODE);
        let mut reached = [0.0; BINS];
        let mut sum = 0.0;
        for (bin, (reached, count)) in reached.iter_mut().zip(&self.counts).enumerate().rev() {
            sum += f32::from(*count);
            if current == Some(bin) {
                sum = (sum - 1.0).max(0.0);
            }
            *reached = sum;
        }
        let known = sum.max(EPISODES_PER_SAMPLE * samples);
        let limit = assumed_limit(allowed, HALF_EPISODES / (HALF_EPISODES + known))
            .max(self.seen_limit(&reached, allowed))
            .max(extended_limit(&reached, allowed))
            .max(EDGES[0]);
        self.limit = limit * MARGIN;
    }

    /// The deviation that `allowed` episodes have reached.
    fn seen_limit(&self, reached: &[f32; BINS], allowed: f32) -> f32 {
        let Some(bin) = reached
            .iter()
            .rposition(|reached| reached - MEDIAN > allowed)
        else {
            return 0.0;
        };
        if bin == BINS - 1 {
            return self.largest;
        }
        let here = at(reached, bin);
        // Episodes are taken to be spread evenly over the logarithm of a bin.
        let part = (here - allowed) / (here - at(reached, bin + 1)).max(1.0);
        at(&EDGES, bin) * RATIO.powf(part.clamp(0.0, 1.0))
    }
}

/// The limit while few or no episodes are known. The assumed tail falls with the fourth power.
fn assumed_limit(allowed: f32, share: f32) -> f32 {
    let rate = allowed / (ASSUMED_SAMPLES * share);
    if rate >= 1.0 {
        0.0
    } else {
        3.0 * (rate.sqrt().recip() - 1.0).sqrt()
    }
}

/// The deviation that `allowed` episodes reach if the tail goes on as its last episodes fall.
fn extended_limit(reached: &[f32; BINS], allowed: f32) -> f32 {
    let enough = allowed.max(ANCHOR_EPISODES);
    let Some(anchor) = reached.iter().rposition(|reached| *reached >= enough) else {
        return 0.0;
    };
    let episodes = at(reached, anchor);
    // The bins of a tail that falls with a power are distributed geometrically, so that their mean tells the power.
    let bins: f32 = reached.iter().skip(anchor + 1).sum();
    let mean = (bins + ASSUMED_EPISODES * ASSUMED_MEAN) / (episodes + ASSUMED_EPISODES);
    let power = (mean.recip() + 1.0).ln() / LN_RATIO;
    at(&EDGES, anchor) * (episodes / allowed).powf(power.recip())
}

fn at(values: &[f32; BINS], bin: usize) -> f32 {
    values.get(bin).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: u16 = 60_000;

    fn tail(counts: &[u16]) -> Tail {
        let mut tail = Tail::new();
        tail.counts[..counts.len()].copy_from_slice(counts);
        tail
    }

    #[test]
    fn an_episode_counts_once_with_its_largest_deviation() {
        let mut tail = Tail::new();
        for (now, deviation) in [(0, 2.1), (1, 4.0), (2, 3.0), (60, 1.9), (70, 2.5)] {
            tail.learn(deviation, now);
        }
        assert_eq!(tail.counts[..3], [1, 0, 1]);
    }

    #[test]
    fn the_number_of_a_sample_wraps() {
        let mut tail = Tail::new();
        tail.learn(2.1, u16::MAX);
        tail.learn(2.2, 3);
        tail.learn(2.2, 100);
        assert_eq!(tail.counts[0], 2);
    }

    #[test]
    fn the_limit_is_where_the_allowed_number_was_reached() {
        let mut tail = tail(&[1000, 500, 100, 20]);
        tail.settle(20.0, 1e5, LATER);
        assert!((5.4..6.0).contains(&tail.limit), "{}", tail.limit);
        tail.settle(120.0, 1e5, LATER);
        assert!((3.8..4.3).contains(&tail.limit), "{}", tail.limit);
    }

    #[test]
    fn light_tails_have_lower_limits_than_heavy_ones() {
        let (mut light, mut heavy) = (
            tail(&[1000, 100, 10]),
            tail(&[1000, 600, 350, 200, 120, 70, 40, 25, 15]),
        );
        light.settle(0.1, 1e5, LATER);
        heavy.settle(0.1, 1e5, LATER);
        assert!((6.0..12.0).contains(&light.limit), "{}", light.limit);
        assert!(heavy.limit > 40.0, "{}", heavy.limit);
    }

    #[test]
    fn what_was_seen_too_often_is_below_the_limit() {
        let mut tail = Tail::new();
        for n in 0..12_u16 {
            tail.learn(500.0, n * 1000);
        }
        tail.settle(2.0, 1e5, LATER);
        assert!(tail.limit > 500.0);
        // It may be seen again after it was forgotten.
        for _ in 0..6 {
            tail.forget();
        }
        assert_eq!(tail.counts, [0; BINS]);
        tail.settle(2.0, 1e5, LATER);
        assert!(tail.limit < 500.0);
    }

    #[test]
    fn the_current_episode_does_not_raise_its_own_limit() {
        let mut tail = tail(&[200, 20, 2]);
        tail.settle(0.1, 1e5, 1000);
        let before = tail.limit;
        tail.learn(9.0, 1001);
        tail.settle(0.1, 1e5, 1002);
        assert_eq!(tail.limit, before);
        tail.settle(0.1, 1e5, 1100);
        assert!(tail.limit > 9.0);
    }

    #[test]
    fn nothing_below_the_smallest_bin_is_a_limit() {
        let mut tail = tail(&[3]);
        tail.settle(1e6, 1e5, LATER);
        assert!(tail.limit >= EDGES[0]);
    }
}
