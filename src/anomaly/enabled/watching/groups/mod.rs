//! The groups of series that have one value each, and which of them are watched.

use std::sync::Arc;
use std::time::Duration;

use rustc_hash::{FxHashMap, FxHashSet};

use super::anomaly::AnomalyState;
use super::rules::{Quantity, SeriesRole, WatchRule};
use super::series::{
    GroupKey, Now, Reading, SeriesChange, SeriesIdentity, StoredState, WatchedState,
};
use crate::clock::Nanos;
use crate::history::{OddStep, RecordedStep, SeriesKey, SeriesKind, Step, TakenSnapshot};
use crate::metrics::{HistogramValues, label_pairs, labels_among};

/// The maximum number of groups of one rule that are known, unless `anomaly.max_series` is higher.
const MAX_KNOWN: usize = 2000;
/// Every so many steps, it is looked which groups are busy, and which have no values any more.
const SWEEP_EVERY: u64 = 60;
/// The steps without values after which a series is not watched any more. Its state is kept.
const GONE_AFTER: u64 = 360;
/// A group takes the place of another one if it is this many times as busy.
const BUSIER: f32 = 1.5;
/// The steps of the memory of how busy a group is.
const BUSY_MEMORY: f32 = 360.0;

/// The groups of all rules.
#[derive(Debug)]
pub(super) struct SeriesGroups {
    config: GroupConfig,
    rules: Vec<WatchedRule>,
    groups: Vec<SeriesGroup>,
    by_key: FxHashMap<(usize, Arc<str>), usize>,
    /// The groups that the series of snapshots belong to.
    members: FxHashMap<SeriesKey, KnownSeries>,
    /// The states of series that are not watched at the moment.
    stored: FxHashMap<GroupKey, StoredState>,
    /// The step in which states of an earlier process were added to them.
    restored: u64,
    step: u64,
    watched: usize,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct GroupConfig {
    pub(super) step: Duration,
    pub(super) false_alarms: f64,
    pub(super) max_series: usize,
}

#[derive(Debug)]
struct WatchedRule {
    rule: Arc<WatchRule>,
    known: usize,
    watched: usize,
}

#[derive(Debug)]
struct KnownSeries {
    kind: SeriesKind,
    /// The step in which it was last seen.
    seen: u64,
    /// Whether it would be a group of its own, for which a rule has no room.
    is_left_out: bool,
    groups: Box<[(usize, SeriesRole)]>,
}

#[derive(Debug)]
struct SeriesGroup {
    rule: usize,
    identity: Arc<SeriesIdentity>,
    /// The step in which it had series last.
    seen: u64,
    part: f64,
    whole: f64,
    /// The positions of the series in the snapshot that are parts of the value.
    positions: Vec<usize>,
    /// The mean number of events in a step.
    busy: f32,
    /// Whether it is one of the busiest of a rule that has too many.
    is_chosen: bool,
    watched: Option<Box<WatchedState>>,
}

/// What happened to one series in a step.
#[derive(Debug)]
pub(super) struct SeriesEvent {
    pub(super) identity: Arc<SeriesIdentity>,
    /// The group, to be told the number of the anomaly.
    pub(super) group: usize,
    pub(super) reading: Reading,
    pub(super) change: SeriesChange,
    /// The labels of the series that the value is calculated from.
    pub(super) labels: Vec<Arc<str>>,
}

/// What a step has brought.
#[derive(Debug, Default)]
pub(super) struct StepOutcome {
    pub(super) events: Vec<SeriesEvent>,
    /// The positions of the steps that are anomalies.
    pub(super) anomalies: Vec<OddStep>,
    /// The groups whose detector has panicked.
    pub(super) panicked: Vec<Arc<SeriesIdentity>>,
    /// The groups for which there is no room.
    pub(super) left_out: usize,
    /// Whether it was looked which groups have no values any more.
    pub(super) has_swept: bool,
}

impl SeriesGroups {
    pub(super) fn new(config: GroupConfig) -> Self {
        Self {
            config,
            rules: Vec::new(),
            groups: Vec::new(),
            by_key: FxHashMap::default(),
            members: FxHashMap::default(),
            stored: FxHashMap::default(),
            restored: 0,
            step: 0,
            watched: 0,
        }
    }

    /// Replaces the rules. Series whose rule has changed are watched anew. Returns the anomalies that end by it.
    pub(super) fn set_rules(&mut self, rules: &[Arc<WatchRule>]) -> Vec<SeriesEvent> {
        let kept = |rule: &Arc<WatchRule>| rules.iter().position(|other| Arc::ptr_eq(rule, other));
        let end_of = |old: &WatchRule| {
            let is_changed = rules.iter().any(|rule| rule.name == old.name);
            if is_changed {
                AnomalyState::Rejudged
            } else {
                AnomalyState::Gone
            }
        };
        let places: Vec<_> = self.rules.iter().map(|old| kept(&old.rule)).collect();
        let mut ended = Vec::new();
        let groups = std::mem::take(&mut self.groups);
        let new = |rule| WatchedRule {
            rule,
            known: 0,
            watched: 0,
        };
        self.rules = rules.iter().map(Arc::clone).map(new).collect();
        for mut group in groups {
            if let Some(place) = places.get(group.rule).copied().flatten() {
                group.rule = place;
                self.groups.push(group);
            } else if let Some(watched) = group.watched.take() {
                let end = end_of(&group.identity.rule);
                ended.extend(self.forget(&group.identity, &watched, end));
            }
        }
        self.index();
        ended
    }

    /// Goes on from the states of an earlier process.
    pub(super) fn restore(&mut self, states: Vec<(GroupKey, StoredState)>) {
        self.restored = self.step;
        self.stored.extend(states);
        for group in &mut self.groups {
            if let Some(watched) = &mut group.watched {
                let key = group.identity.key();
                if let Some(stored) = self.stored.get(&key)
                    && watched.restore(stored)
                {
                    self.stored.remove(&key);
                }
            }
        }
    }

    /// The states of all series, to be stored. Those of series without values come last, the newest first.
    pub(super) fn states(&self) -> Vec<(GroupKey, StoredState)> {
        let watched = self.groups.iter().filter_map(|group| {
            let stored = group.watched.as_ref()?.stored(&group.identity)?;
            Some((group.identity.key(), stored))
        });
        let mut all: Vec<_> = watched.collect();
        let mut others: Vec<_> = self.stored.iter().collect();
        others.sort_by_key(|(_, stored)| std::cmp::Reverse(stored.at));
        let room = self.config.max_series.saturating_sub(all.len());
        let others = others.into_iter().take(room);
        all.extend(others.map(|(key, stored)| (key.clone(), stored.clone())));
        all
    }

    /// The numbers of the anomalies that are under way. Those of an earlier process whose series has not returned are among
    /// them for as long as it may still do so.
    pub(super) fn open(&self) -> FxHashSet<u64> {
        let watched = self.groups.iter().filter_map(|it| it.watched.as_ref());
        let watched = watched.filter_map(|it| Some(it.open?.number));
        let stored = self.stored.values().map(|stored| stored.open);
        watched.chain(stored).collect()
    }

    /// The watched series.
    pub(super) fn identities(&self) -> Vec<Arc<SeriesIdentity>> {
        let mut all = Vec::with_capacity(self.watched);
        let watched = self.groups.iter().filter(|group| group.watched.is_some());
        all.extend(watched.map(|group| Arc::clone(&group.identity)));
        all
    }

    pub(super) fn watched(&self) -> usize {
        self.watched
    }

    /// The time from one snapshot to the next.
    pub(super) fn step(&self) -> Duration {
        self.config.step
    }

    /// Tells a group the number of the anomaly that it has begun.
    pub(super) fn set_number(&mut self, group: usize, number: u64) {
        let group = self.groups.get_mut(group);
        if let Some(open) = group
            .and_then(|group| group.watched.as_mut())
            .and_then(|watched| watched.open.as_mut())
        {
            open.number = number;
        }
    }

    /// Judges a snapshot.
    pub(super) fn observe(&mut self, snapshot: &TakenSnapshot<'_>) -> StepOutcome {
        self.step += 1;
        let mut outcome = StepOutcome::default();
        if self.step.is_multiple_of(SWEEP_EVERY) {
            outcome.events = self.sweep();
            outcome.has_swept = true;
        }
        for (position, (key, kind, step)) in snapshot.steps.iter().enumerate() {
            let is_left_out = self.add(position, key, *kind, step);
            outcome.left_out += usize::from(is_left_out);
        }
        for index in 0..self.groups.len() {
            self.judge(index, snapshot, &mut outcome);
        }
        outcome
    }

    /// Adds the value of a series to its groups. Returns whether a rule has no room for it.
    fn add(&mut self, position: usize, key: &SeriesKey, kind: SeriesKind, step: &Step) -> bool {
        let seen = self.step;
        if let Some(known) = self.members.get_mut(key)
            && known.kind == kind
        {
            known.seen = seen;
            known.add_to(&mut self.groups, position, step);
            return known.is_left_out;
        }
        let (groups, is_left_out) = self.groups_of(key, kind);
        let known = KnownSeries {
            kind,
            seen,
            is_left_out,
            groups,
        };
        known.add_to(&mut self.groups, position, step);
        self.members.insert(key.clone(), known);
        is_left_out
    }

    /// The groups that a series belongs to, which are created if they are new; and whether a rule that watches each series
    /// by itself has no room for it.
    fn groups_of(
        &mut self,
        key: &SeriesKey,
        kind: SeriesKind,
    ) -> (Box<[(usize, SeriesRole)]>, bool) {
        let labels: Vec<_> = label_pairs(&key.labels).collect();
        let rules = self.rules.iter().enumerate();
        let roles = rules.filter_map(|(place, watched)| {
            let role = watched.rule.role(&key.name, &labels)?;
            Some((place, role))
        });
        let roles: Vec<_> = roles.collect();
        let mut is_left_out = false;
        let groups = roles.into_iter().filter_map(|(place, role)| {
            let group = self.group(place, key, kind);
            let rule = self.rules.get(place)?;
            is_left_out |= group.is_none() && rule.rule.by.is_none();
            Some((group?, role))
        });
        (groups.collect(), is_left_out)
    }

    /// The group of a series in a rule. `None` if the rule has too many.
    fn group(&mut self, place: usize, key: &SeriesKey, kind: SeriesKind) -> Option<usize> {
        let watched = self.rules.get_mut(place)?;
        let rule = &watched.rule;
        let text: Arc<str> = match rule.by {
            None => Arc::clone(&key.labels),
            Some(by) => labels_among(&key.labels, by).into(),
        };
        if let Some(group) = self.by_key.get(&(place, Arc::clone(&text))) {
            return Some(*group);
        }
        if watched.known >= MAX_KNOWN.max(self.config.max_series) {
            return None;
        }
        watched.known += 1;
        let identity = SeriesIdentity::new(rule, &text, rule.quantity_of(kind));
        let index = self.groups.len();
        self.groups.push(SeriesGroup {
            rule: place,
            identity: Arc::new(identity),
            seen: 0,
            part: 0.0,
            whole: 0.0,
            // Most groups have one series: a vector that grows by itself begins with room for four.
            positions: Vec::with_capacity(1),
            busy: 0.0,
            is_chosen: false,
            watched: None,
        });
        self.by_key.insert((place, text), index);
        Some(index)
    }

    /// Judges the value of a group.
    fn judge(&mut self, index: usize, snapshot: &TakenSnapshot<'_>, outcome: &mut StepOutcome) {
        let (now, config) = (self.step, self.config);
        let Some(group) = self.groups.get_mut(index) else {
            return;
        };
        if group.seen != now {
            return;
        }
        let is_first = group.busy == 0.0;
        let memory = if is_first { 1.0 } else { BUSY_MEMORY };
        group.busy += (group.events() as f32 - group.busy) / memory;
        if group.watched.is_none() {
            let Some(rule) = self.rules.get_mut(group.rule) else {
                return;
            };
            // At first nobody knows which are busy.
            let has_choice = rule.known > rule.rule.max_groups && now >= SWEEP_EVERY;
            if rule.watched >= rule.rule.max_groups || (has_choice && !group.is_chosen) {
                return;
            }
            if self.watched >= config.max_series {
                outcome.left_out += 1;
                return;
            }
            rule.watched += 1;
            self.watched += 1;
            let mut watched = WatchedState::new(&group.identity, config.step, config.false_alarms);
            let key = group.identity.key();
            if self.stored.get(&key).is_some_and(|it| watched.restore(it)) {
                self.stored.remove(&key);
            }
            group.watched = Some(Box::new(watched));
        }
        let Some((value, of)) = group.value(snapshot, config.step) else {
            return;
        };
        let Some(watched) = group.watched.as_mut().filter(|it| it.has_detector()) else {
            return;
        };
        let at = Now {
            at: snapshot.wall,
            step: now,
        };
        let Some((reading, change)) =
            watched.observe(&group.identity, config.step, at, (value, of))
        else {
            let end = watched.open.take().zip(group.identity.reading());
            outcome
                .events
                .extend(end.map(|(open, reading)| SeriesEvent {
                    identity: Arc::clone(&group.identity),
                    group: index,
                    reading,
                    change: SeriesChange::Ended(open.number, AnomalyState::Gone),
                    labels: Vec::new(),
                }));
            outcome.panicked.push(Arc::clone(&group.identity));
            return;
        };
        if reading.anomalous && reading.score >= 1.0 {
            let positions = group.positions.iter();
            outcome.anomalies.extend(positions.map(|position| OddStep {
                position: *position,
                score: reading.score,
            }));
        }
        if let Some(change) = change {
            let labels = group.positions.iter();
            let labels = labels.filter_map(|position| snapshot.steps.get(*position));
            outcome.events.push(SeriesEvent {
                identity: Arc::clone(&group.identity),
                group: index,
                reading,
                change,
                labels: labels.map(|(key, ..)| Arc::clone(&key.labels)).collect(),
            });
        }
    }

    /// Forgets series and groups that have no values any more, and gives the places of groups that are less busy to busier
    /// ones. Returns the anomalies that end by it.
    fn sweep(&mut self) -> Vec<SeriesEvent> {
        let now = self.step;
        self.members
            .retain(|_, known| now - known.seen <= GONE_AFTER);
        if now - self.restored >= GONE_AFTER {
            // What an earlier process has reported is not under way any more if its series has not returned.
            self.stored.values_mut().for_each(|stored| stored.open = 0);
        }
        let mut ended = Vec::new();
        let (quiet, busy) = self.choose();
        for index in busy {
            if let Some(group) = self.groups.get_mut(index) {
                group.is_chosen = true;
            }
        }
        for index in quiet {
            let watched = self.groups.get_mut(index).and_then(|group| {
                group.is_chosen = false;
                let watched = group.watched.take()?;
                Some((Arc::clone(&group.identity), watched))
            });
            if let Some((identity, watched)) = watched {
                ended.extend(self.forget(&identity, &watched, AnomalyState::Gone));
            }
        }
        if self
            .groups
            .iter()
            .all(|group| now - group.seen <= GONE_AFTER)
        {
            self.count();
            return ended;
        }
        for mut group in std::mem::take(&mut self.groups) {
            if now - group.seen <= GONE_AFTER {
                self.groups.push(group);
            } else if let Some(watched) = group.watched.take() {
                ended.extend(self.forget(&group.identity, &watched, AnomalyState::Gone));
            }
        }
        self.index();
        ended
    }

    /// The watched groups that make room for busier ones, and those that are watched from now on.
    fn choose(&self) -> (Vec<usize>, Vec<usize>) {
        let (mut quiet, mut busy) = (Vec::new(), Vec::new());
        for (place, rule) in self.rules.iter().enumerate() {
            if rule.known <= rule.rule.max_groups {
                continue;
            }
            let groups = self.groups.iter().enumerate();
            let groups = groups.filter(|(_, group)| group.rule == place);
            let (mut watched, mut others): (Vec<_>, Vec<_>) =
                groups.partition(|(_, group)| group.watched.is_some());
            watched.sort_by(|(_, one), (_, other)| one.busy.total_cmp(&other.busy));
            others.sort_by(|(_, one), (_, other)| other.busy.total_cmp(&one.busy));
            let free = rule.rule.max_groups.saturating_sub(watched.len());
            let (first, others) = others.split_at(free.min(others.len()));
            busy.extend(first.iter().map(|(index, _)| *index));
            let pairs = watched.iter().zip(others);
            for ((one, _), (other, _)) in
                pairs.take_while(|((_, one), (_, other))| other.busy > BUSIER * one.busy)
            {
                quiet.push(*one);
                busy.push(*other);
            }
        }
        (quiet, busy)
    }

    /// Keeps the state of a series that is not watched any more. Returns the end of its anomaly.
    fn forget(
        &mut self,
        identity: &Arc<SeriesIdentity>,
        watched: &WatchedState,
        state: AnomalyState,
    ) -> Option<SeriesEvent> {
        let reading = identity.reading();
        if let Some(stored) = watched.stored(identity).filter(|_| self.has_room()) {
            let stored = StoredState { open: 0, ..stored };
            self.stored.insert(identity.key(), stored);
        }
        identity.clear();
        let (open, reading) = (watched.open?, reading?);
        Some(SeriesEvent {
            identity: Arc::clone(identity),
            group: usize::MAX,
            reading,
            change: SeriesChange::Ended(open.number, state),
            labels: Vec::new(),
        })
    }

    fn has_room(&self) -> bool {
        self.stored.len() < self.config.max_series
    }

    /// Numbers the groups again.
    fn index(&mut self) {
        self.by_key.clear();
        self.members.clear();
        for (index, group) in self.groups.iter().enumerate() {
            let key = (group.rule, Arc::clone(&group.identity.labels_text));
            self.by_key.insert(key, index);
        }
        self.count();
    }

    /// Counts the groups of each rule.
    fn count(&mut self) {
        self.watched = 0;
        for rule in &mut self.rules {
            (rule.known, rule.watched) = (0, 0);
        }
        for group in &self.groups {
            let watched = usize::from(group.watched.is_some());
            self.watched += watched;
            if let Some(rule) = self.rules.get_mut(group.rule) {
                rule.known += 1;
                rule.watched += watched;
            }
        }
    }
}

impl KnownSeries {
    /// Adds a value to the groups of the series.
    fn add_to(&self, groups: &mut [SeriesGroup], position: usize, step: &Step) {
        if self.groups.is_empty() {
            return;
        }
        let value = match step {
            Step::Number(value) => *value,
            Step::Histogram(values) => values.count() as f64,
        };
        for (index, role) in &self.groups {
            if let Some(group) = groups.get_mut(*index) {
                group.add(self.seen, position, *role, value);
            }
        }
    }
}

impl SeriesGroup {
    fn add(&mut self, now: u64, position: usize, role: SeriesRole, value: f64) {
        if self.seen != now {
            self.seen = now;
            (self.part, self.whole) = (0.0, 0.0);
            self.positions.clear();
        }
        if role != SeriesRole::Whole {
            self.part += value;
            self.positions.push(position);
        }
        if role != SeriesRole::Part {
            self.whole += value;
        }
    }

    /// How busy the group is in this step: for what is counted, the number of events. Where there is a whole, the part is
    /// in it.
    fn events(&self) -> f64 {
        self.part.max(self.whole)
    }

    /// The value of this step, and of how many events it is a part. `None` if there is none.
    fn value(&self, snapshot: &TakenSnapshot<'_>, step: Duration) -> Option<(f64, f64)> {
        match self.identity.quantity {
            // The first snapshot has what was counted since the start, which is another time than a step.
            Quantity::Count => Some((in_step(self.part, snapshot.elapsed?, step), 1.0)),
            Quantity::Quantile(rank) => {
                let values = self.positions.iter();
                let values =
                    values.filter_map(|position| histogram(snapshot.steps.get(*position)?));
                let all = HistogramValues::distribution_of(values);
                Some((all.quantile(rank)?, 1.0))
            }
            Quantity::Ratio => (self.whole > 0.0).then_some((self.part, self.whole)),
            Quantity::Share => (self.whole > 0.0).then(|| (self.part / self.whole, 1.0)),
            Quantity::Gauge | Quantity::Natural { .. } => Some((self.part, 1.0)),
        }
    }
}

fn histogram((_, _, step): &RecordedStep) -> Option<&HistogramValues> {
    match step {
        Step::Histogram(values) => Some(values),
        Step::Number(_) => None,
    }
}

/// The count of one step, if it was counted in a longer or shorter time because a snapshot was late.
fn in_step(count: f64, elapsed: Nanos, step: Duration) -> f64 {
    let ratio = elapsed as f64 / step.as_nanos() as f64;
    if ratio > 0.0 && !(0.9..=1.1).contains(&ratio) {
        count / ratio
    } else {
        count
    }
}

#[cfg(test)]
mod tests;
