//! The anomalies of the last time, and the episodes that they form.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::anomaly::{Anomaly, AnomalyEpisode, AnomalyState};

/// The number of anomalies that are kept.
pub(super) const MAX_ANOMALIES: usize = 500;
/// An anomaly that begins at most this long after another one belongs to the same episode. It is at least this many
/// steps.
const TOGETHER: Duration = Duration::from_secs(300);
const TOGETHER_STEPS: u32 = 6;

/// The anomalies of one monitor, in the order in which they began.
#[derive(Debug)]
pub(super) struct AnomalyLog {
    together: Duration,
    all: VecDeque<Arc<Anomaly>>,
    /// The number of the next anomaly, and that of the last episode.
    next: u64,
    episode: u64,
    /// The number of anomalies that have begun in this process.
    begun: u64,
    /// When the last anomaly of that episode was noticed.
    noticed: Option<SystemTime>,
}

impl AnomalyLog {
    pub(super) fn new(step: Duration) -> Self {
        Self {
            together: TOGETHER.max(step * TOGETHER_STEPS),
            all: VecDeque::new(),
            next: 1,
            episode: 0,
            begun: 0,
            noticed: None,
        }
    }

    /// Adds an anomaly that was noticed at `now`. It gets its number, and that of its episode.
    pub(super) fn begin(&mut self, mut anomaly: Anomaly, now: SystemTime) -> Arc<Anomaly> {
        let since = self.noticed.and_then(|at| now.duration_since(at).ok());
        if since.is_none_or(|since| since > self.together) {
            self.episode += 1;
        }
        self.noticed = Some(now);
        anomaly.number = self.next;
        anomaly.episode = self.episode;
        self.next += 1;
        self.begun += 1;
        let anomaly = Arc::new(anomaly);
        self.all.push_back(Arc::clone(&anomaly));
        while self.all.len() > MAX_ANOMALIES {
            self.all.pop_front();
        }
        anomaly
    }

    /// Changes an anomaly, and returns it. `None` if it is not kept any more.
    pub(super) fn change(
        &mut self,
        number: u64,
        change: impl FnOnce(&mut Anomaly),
    ) -> Option<Arc<Anomaly>> {
        let place = self
            .all
            .binary_search_by_key(&number, |it| it.number)
            .ok()?;
        let anomaly = self.all.get_mut(place)?;
        change(Arc::make_mut(anomaly));
        Some(Arc::clone(anomaly))
    }

    /// The numbers of the anomalies that are under way.
    pub(super) fn open_numbers(&self) -> Vec<u64> {
        let open = self.all.iter().filter(|it| it.state == AnomalyState::Began);
        open.map(|anomaly| anomaly.number).collect()
    }

    /// The time from which all anomalies are kept. `None` if none is.
    pub(super) fn begins_at(&self) -> Option<SystemTime> {
        self.all.iter().map(|anomaly| anomaly.since).min()
    }

    /// Adds the anomalies of earlier processes in front. `next` and `episode` are their counts, which may be lost: no number
    /// of theirs is given again. Those whose number is taken are left out.
    pub(super) fn restore(&mut self, mut earlier: Vec<Anomaly>, next: u64, episode: u64) {
        earlier.sort_by_key(|anomaly| anomaly.number);
        earlier.dedup_by_key(|anomaly| anomaly.number);
        let last = earlier.last().map_or(0, |anomaly| anomaly.number);
        let last_episode = earlier.iter().map(|anomaly| anomaly.episode).max();
        let first = self.all.front().map_or(u64::MAX, |first| first.number);
        for anomaly in earlier.into_iter().rev() {
            if anomaly.number < first && self.all.len() < MAX_ANOMALIES {
                self.all.push_front(Arc::new(anomaly));
            }
        }
        self.next = self.next.max(next).max(last.saturating_add(1));
        let episode = episode.max(last_episode.unwrap_or(0));
        self.episode = self.episode.max(episode);
    }

    /// The number of the next anomaly, and that of the last episode.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.next, self.episode)
    }

    /// The number of anomalies that have begun in this process.
    pub(super) fn begun(&self) -> u64 {
        self.begun
    }

    pub(super) fn all(&self) -> impl DoubleEndedIterator<Item = &Arc<Anomaly>> {
        self.all.iter()
    }

    pub(super) fn open(&self) -> usize {
        let all = self.all.iter();
        all.filter(|anomaly| anomaly.state == AnomalyState::Began)
            .count()
    }

    /// The anomalies that were under way at any time from `start` to `end`, the oddest first.
    pub(super) fn between(&self, start: SystemTime, end: SystemTime) -> Vec<Anomaly> {
        let all = self.all.iter().filter(|it| it.overlaps(start, end));
        ranked(all.map(|anomaly| Anomaly::clone(anomaly)).collect())
    }

    /// The episodes, the newest first.
    pub(super) fn episodes(&self) -> Vec<AnomalyEpisode> {
        let mut members: BTreeMap<u64, Vec<Anomaly>> = BTreeMap::new();
        for anomaly in &self.all {
            let all = members.entry(anomaly.episode).or_default();
            all.push(Anomaly::clone(anomaly));
        }
        let episodes = members.into_iter().rev();
        let episodes = episodes.filter_map(|(number, members)| {
            let ends: Option<Vec<_>> = members.iter().map(|member| member.until).collect();
            Some(AnomalyEpisode {
                number,
                since: members.iter().map(|member| member.since).min()?,
                until: ends.and_then(|ends| ends.into_iter().max()),
                members: ranked(members),
            })
        });
        episodes.collect()
    }
}

/// The oddest first. Of those that are equally odd, the one that began first.
fn ranked(mut anomalies: Vec<Anomaly>) -> Vec<Anomaly> {
    anomalies.sort_by(|one, other| {
        let by_score = other.score.total_cmp(&one.score);
        by_score.then(one.since.cmp(&other.since))
    });
    anomalies
}
