//! The sample events of a group. Which of them stay is decided so that rare errors keep theirs.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::errors::event::{ErrorEvent, Frame};
use crate::model::EventId;

/// The maximum number of samples of a group.
const MAX_SAMPLES: usize = 8;

/// The samples of one group, the oldest first.
#[derive(Debug, Clone, Default)]
pub(super) struct Samples(Vec<KeptSample>);

#[derive(Debug, Clone)]
struct KeptSample {
    event: Arc<ErrorEvent>,
    bytes: usize,
    /// How little the event tells beside those before it, from its place among the events of the group.
    irrelevance: u32,
}

/// What the place of an event among the `count` events of its group says of its irrelevance: the binary digits of a random
/// number up to twice the count, without the zeros at its end.
///
/// The more events there are, the less one more of them tells. The random part leaves samples from the whole life of the
/// group.
fn irrelevance_of(event: &ErrorEvent, count: u64) -> u32 {
    // The ID is random.
    let random = event.id.to_u128() % (u128::from(count) * 2 + 1);
    (u128::BITS - random.leading_zeros()).saturating_sub(random.trailing_zeros() % u128::BITS)
}

/// The part of the irrelevance that rises with an event's age: by one each time that the age is four times as long.
fn irrelevance_of_age(age: Duration) -> f64 {
    (age.as_secs_f64() / 3600.0 + 1.0).ln() / 4_f64.ln()
}

impl KeptSample {
    fn irrelevance(&self, now: SystemTime) -> f64 {
        let age = now.duration_since(self.event.at).unwrap_or_default();
        f64::from(self.irrelevance) + irrelevance_of_age(age)
    }
}

impl Samples {
    /// Offers the latest of `count` events. It is left out if the group has samples enough that tell more. Returns the
    /// bytes of all samples before and after.
    pub(super) fn offer(&mut self, event: &Arc<ErrorEvent>, count: u64) -> (usize, usize) {
        let before = self.bytes();
        let irrelevance = irrelevance_of(event, count);
        if self.0.len() >= MAX_SAMPLES {
            let most = self.most_irrelevant(event.at);
            let Some((at, _)) = most.filter(|(_, most)| *most > f64::from(irrelevance)) else {
                return (before, before);
            };
            self.0.remove(at);
        }
        self.0.push(KeptSample {
            event: Arc::clone(event),
            bytes: size_of_event(event),
            irrelevance,
        });
        (before, self.bytes())
    }

    /// Sets the frames of an event, if it is a sample. If no sample has frames, the event takes the place of the first one.
    /// Returns the bytes of all samples before and after.
    pub(super) fn set_frames(
        &mut self,
        id: EventId,
        event: Option<&ErrorEvent>,
        frames: &[Frame],
    ) -> Option<(usize, usize)> {
        let before = self.bytes();
        let own = self.0.iter().position(|it| it.event.id == id);
        let has_frames = self.0.iter().any(|it| !it.event.frames.is_empty());
        let place = match own {
            Some(place) => place,
            None if has_frames || self.0.is_empty() => return None,
            None => 0,
        };
        let sample = self.0.get_mut(place)?;
        let kept = Arc::make_mut(&mut sample.event);
        if kept.id != id {
            kept.clone_from(event?);
        }
        kept.frames = frames.to_vec();
        sample.bytes = size_of_event(kept);
        Some((before, self.bytes()))
    }

    /// Adds the samples of another group. Returns the bytes before and after.
    pub(super) fn merge(&mut self, other: Self, now: SystemTime) -> (usize, usize) {
        let before = self.bytes();
        self.0.extend(other.0);
        self.0.sort_by_key(|it| it.event.at);
        while self.0.len() > MAX_SAMPLES {
            self.remove_most_irrelevant(now);
        }
        (before, self.bytes())
    }

    /// The irrelevance of the sample that tells least; `None` without samples.
    pub(super) fn highest_irrelevance(&self, now: SystemTime) -> Option<f64> {
        self.most_irrelevant(now).map(|(_, highest)| highest)
    }

    /// Removes the sample that tells least. Returns its bytes.
    pub(super) fn remove_most_irrelevant(&mut self, now: SystemTime) -> usize {
        let Some((at, _)) = self.most_irrelevant(now) else {
            return 0;
        };
        self.0.remove(at).bytes
    }

    /// The sample that tells least, and its irrelevance. The only one with frames is the last to be removed.
    fn most_irrelevant(&self, now: SystemTime) -> Option<(usize, f64)> {
        let with_frames = |it: &&KeptSample| !it.event.frames.is_empty();
        let is_only = self.0.len() > 1 && self.0.iter().filter(with_frames).count() == 1;
        let all = self.0.iter().enumerate();
        let all = all.filter(|(_, it)| !(is_only && with_frames(it)));
        let all = all.map(|(at, it)| (at, it.irrelevance(now)));
        all.max_by(|one, other| one.1.total_cmp(&other.1))
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.iter().map(|it| it.bytes).sum()
    }

    pub(super) fn find(&self, id: EventId) -> Option<&Arc<ErrorEvent>> {
        let mut events = self.0.iter().map(|it| &it.event);
        events.find(|event| event.id == id)
    }

    /// The events, the oldest first.
    pub(super) fn events(&self) -> Vec<Arc<ErrorEvent>> {
        self.0.iter().map(|it| Arc::clone(&it.event)).collect()
    }

    /// The sample that is shown first: the first one with frames, or else the first one.
    pub(super) fn first(&self) -> Option<&Arc<ErrorEvent>> {
        let with_frames = self.0.iter().find(|it| !it.event.frames.is_empty());
        with_frames.or(self.0.first()).map(|it| &it.event)
    }
}

/// The memory of an event, approximately.
fn size_of_event(event: &ErrorEvent) -> usize {
    let causes = event.causes.iter();
    let causes: usize = causes.map(|it| it.type_name.len() + it.message.len()).sum();
    let breadcrumbs = event.breadcrumbs.iter().map(|crumb| {
        let fields = crumb
            .fields
            .iter()
            .map(|(key, value)| key.len() + value.len());
        200 + crumb.target.len() + crumb.message.len() + fields.sum::<usize>()
    });
    let request = event.path.len() + event.query.len() + event.user_agent.len();
    let attributes = (event.attributes.len() + event.extra.len()) * 128;
    let tags: usize = event
        .tags
        .iter()
        .map(|(key, value)| key.len() + value.len())
        .sum();
    let frames = event
        .frames
        .iter()
        .map(|frame| frame.function.len() + frame.file.len());
    size_of::<ErrorEvent>()
        + causes
        + breadcrumbs.sum::<usize>()
        + request
        + attributes
        + tags
        + frames.sum::<usize>()
        + size_of_val(event.frames.as_slice())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errors::testing::event;

    #[test]
    fn the_irrelevance_is_that_of_the_random_number_without_its_last_zeros() {
        let mut event = event("a", "E", "m");
        for (random, irrelevance) in [(0, 0), (1, 1), (8, 1), (10, 3), (7, 3), (96, 2)] {
            event.id = EventId::from_u128(random);
            assert_eq!(irrelevance_of(&event, 1000), irrelevance, "{random}");
        }
        let hours = |hours: u64| irrelevance_of_age(Duration::from_secs(3600 * hours));
        assert!(hours(0).abs() < 1e-9);
        assert!((hours(3) - 1.0).abs() < 1e-9 && (hours(15) - 2.0).abs() < 1e-9);
    }

    #[test]
    fn samples_are_few_and_from_the_whole_life_of_a_group() {
        let mut samples = Samples::default();
        let mut event = event("a", "E", "m");
        for n in 1..=10_000_u64 {
            event.id = EventId::random();
            event.path = n.to_string();
            samples.offer(&Arc::new(event.clone()), n);
        }
        let kept: Vec<u64> = samples
            .events()
            .iter()
            .map(|it| it.path.parse().unwrap())
            .collect();
        assert_eq!(kept.len(), MAX_SAMPLES);
        // The last hundred would all be above 9,900.
        assert!(kept[0] < 5000, "{kept:?}");
        let bytes: usize = samples.0.iter().map(|it| size_of_event(&it.event)).sum();
        assert_eq!(samples.bytes(), bytes);
    }

    #[test]
    fn frames_go_to_their_event_or_to_the_first_if_none_has_any() {
        let mut samples = Samples::default();
        let frames = vec![Frame::default()];
        let one = Arc::new(event("a", "E", "m"));
        assert_eq!(samples.set_frames(one.id, Some(&one), &frames), None);
        samples.offer(&one, 1);
        let mut later = event("a", "E", "m");
        later.id = EventId::random();
        assert!(
            samples
                .set_frames(later.id, Some(&later), &frames)
                .is_some()
        );
        assert_eq!(samples.first().unwrap().id, later.id);
        assert_eq!(samples.set_frames(one.id, Some(&one), &frames), None);
        assert!(samples.set_frames(later.id, None, &[]).is_some());
    }
}
