//! Everything that is learned about one series, and how it is stored.

use super::super::course::{CALM, Course};
use super::super::pace::Pace;
#[cfg(test)]
use super::super::week_time::WEEK;
use super::channels::{CHANNELS, Channels, LONG_MEAN, VARIATION};
use super::levels::EXPECTATIONS;
#[cfg(test)]
use super::season::DAY;
use super::tail::{BINS, Tail};

/// The version of the encoded state, and the first one, which is read too: counts had no variation then.
const VERSION: u8 = 2;
const FIRST_VERSION: u8 = 1;
/// The code of the first measure that is one of counts.
const COUNTED: u8 = 2;
/// The most alarms that a series may have had beyond its rate before its limits rise.
pub(super) const CREDIT: f32 = 5.0;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct State {
    /// Samples so far.
    pub(super) n: u32,
    /// The number of the sample from which on the mean was on one side of the expected value.
    pub(super) turned: u32,
    /// Samples that the counts of the tails are of.
    pub(super) total: f32,
    /// How many more alarms the series may have without being treated as one with too many.
    pub(super) credit: f32,
    pub(super) pace: Pace,
    pub(super) channels: Channels,
    /// Of each channel, the tail of positive and of negative deviations.
    pub(super) tails: [[Tail; 2]; CHANNELS],
    pub(super) course: Course,
    /// Whether the anomaly that is under way is one of the variation.
    pub(super) varied: bool,
}

const SCALARS: usize = 10 + CHANNELS + 2 * EXPECTATIONS + 2 + 4 + 2 + 2;

impl State {
    pub(super) const fn new() -> Self {
        Self {
            n: 0,
            turned: 0,
            total: 0.0,
            credit: CREDIT,
            pace: Pace::new(),
            channels: Channels::new(),
            tails: [[Tail::new(); 2]; CHANNELS],
            course: Course::new(),
            varied: false,
        }
    }

    /// All numbers with a fraction, in the order in which they are stored.
    fn scalars(&mut self) -> [&mut f32; SCALARS] {
        let channels = &mut self.channels;
        let levels = &mut channels.levels;
        let [plain, daily, weekly] = &mut levels.current;
        let [plain_error, daily_error, weekly_error] = &mut levels.errors;
        let [day_base, week_base] = &mut levels.bases;
        let [residual, innovation, mean, variation, long_mean] = &mut channels.scales;
        let [short, long] = &mut channels.means;
        let [expected_short, expected_long] = &mut channels.expected_means;
        [
            &mut self.total,
            &mut self.credit,
            &mut self.course.before,
            &mut self.course.farthest,
            plain,
            daily,
            weekly,
            plain_error,
            daily_error,
            weekly_error,
            day_base,
            week_base,
            &mut levels.season.unit,
            residual,
            innovation,
            mean,
            variation,
            long_mean,
            &mut channels.usual_variation,
            short,
            long,
            expected_short,
            expected_long,
            &mut channels.mean_of,
            &mut channels.size,
            &mut channels.quantum,
            &mut channels.last_value,
            &mut channels.last_residual,
            &mut channels.covariance,
            &mut channels.variance,
            &mut channels.clipped,
        ]
    }

    /// Appends the state of a series with the code `measure`: 854 bytes. The current hour of the season and the
    /// current episodes are left out.
    pub(super) fn encode(mut self, measure: u8, out: &mut Vec<u8>) {
        out.extend([
            VERSION,
            measure,
            self.course.left as u8,
            u8::from(self.varied),
        ]);
        out.extend(self.course.age.to_le_bytes());
        out.extend(self.n.to_le_bytes());
        out.extend(self.turned.to_le_bytes());
        out.extend(self.pace.last.to_le_bytes());
        out.extend(self.channels.levels.season.hours.to_le_bytes());
        for scalar in self.scalars() {
            out.extend(scalar.to_le_bytes());
        }
        let season = &self.channels.levels.season;
        for offset in season.days.iter().chain(&season.weeks) {
            out.extend(offset.to_le_bytes());
        }
        for tail in self.tails.as_flattened() {
            for count in tail.counts {
                out.extend(count.to_le_bytes());
            }
            out.extend(tail.largest.to_le_bytes());
        }
    }

    /// Reads an encoded state; none if it is not one of a series with the code `measure`.
    pub(super) fn decode(measure: u8, bytes: &[u8]) -> Option<Self> {
        let mut reader = StateReader(bytes);
        let [version, stored_measure, left, varied] = reader.take()?;
        let is_known = (FIRST_VERSION..=VERSION).contains(&version);
        if !is_known || stored_measure != measure || u16::from(left) > CALM || varied > 1 {
            return None;
        }
        let mut state = Self::new();
        state.course.left = u16::from(left);
        state.varied = varied == 1;
        state.course.age = u16::from_le_bytes(reader.take()?);
        state.n = u32::from_le_bytes(reader.take()?);
        state.turned = u32::from_le_bytes(reader.take()?);
        state.pace = Pace::at(f64::from_le_bytes(reader.take()?));
        state.channels.levels.season.hours = u32::from_le_bytes(reader.take()?);
        // In one piece: one check of the length for each number takes the compiler many minutes in some builds.
        let stored: [u8; 4 * SCALARS] = reader.take()?;
        for (scalar, stored) in state.scalars().into_iter().zip(stored.as_chunks().0) {
            *scalar = f32::from_le_bytes(*stored);
        }
        let season = &mut state.channels.levels.season;
        for offset in season.days.iter_mut().chain(&mut season.weeks) {
            *offset = i16::from_le_bytes(reader.take()?);
        }
        for tail in state.tails.as_flattened_mut() {
            let stored: [u8; 2 * BINS] = reader.take()?;
            for (count, stored) in tail.counts.iter_mut().zip(stored.as_chunks().0) {
                *count = u16::from_le_bytes(*stored);
            }
            tail.largest = f32::from_le_bytes(reader.take()?);
        }
        if version == FIRST_VERSION && measure >= COUNTED {
            // The nearest that is known about them, until they are.
            state.tails[VARIATION] = state.tails[LONG_MEAN];
        }
        (reader.0.is_empty() && state.is_sound(measure)).then_some(state)
    }

    /// Whether the numbers can be calculated with.
    fn is_sound(mut self, measure: u8) -> bool {
        let tails = self
            .tails
            .as_flattened()
            .iter()
            .all(|tail| tail.largest.is_finite());
        let scales = self.channels.scales.iter().all(|scale| *scale >= 0.0);
        let sound = self.n > 0
            && self.turned <= self.n.saturating_add(1)
            && self.total >= 0.0
            && (self.channels.size >= 0.0 || measure >= COUNTED);
        let time = self.pace.last.is_finite();
        tails
            && scales
            && sound
            && time
            && self.scalars().iter().all(|scalar| scalar.abs() <= f32::MAX)
    }
}

struct StateReader<'a>(&'a [u8]);

impl StateReader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }
}

/// Bytes of an encoded state.
#[cfg(test)]
pub(super) const ENCODED: usize =
    4 + 2 + 4 + 4 + 8 + 4 + 4 * SCALARS + 2 * (DAY + WEEK) + 2 * CHANNELS * (2 * BINS + 4);
