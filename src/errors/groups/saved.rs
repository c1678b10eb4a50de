//! The bytes of the groups in the data directory: a file of records. The first record is the head, and each other one a
//! group. Each begins with the version of its form, so that a later release reads those of an earlier one. A file whose head
//! has a higher version was written by a later release.

use std::cmp::Reverse;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustc_hash::FxHashMap;

use super::entry::{GroupEntry, MAX_CHANGES, MAX_KEYS, MAX_WAITED, source_of};
use super::group::GroupedBy;
use super::pattern::{ErrorPattern, SeenPattern};
use super::samples::Samples;
use super::state::{ErrorState, ErrorStateChange, Mute, ResolvedBy};
use super::table::{GroupTable, MAX_GROUPS};
use super::timeline::{EventTimeline, HOURS, MINUTES};
use super::top_counts::TopCounts;
use crate::clock::{nanos, wall_nanos};
use crate::errors::event::EventKind;
use crate::errors::grouping::CapturePlace;
use crate::files::{HEAD, HEADER, header, put, records};
use crate::model::EventId;
use crate::model::codec::{Reader, put_bytes, put_str};
use crate::users::UserSketch;

/// The version of the form. The second one adds to each group the numbers of groups that waited for frames, whether it waits
/// itself, and what has yet to be announced of it. The third one adds the last changes of its state.
const VERSION: u8 = 3;
/// The maximum number of bytes of a file: no more is read of one. Groups for which there is no room are left out.
const MAX_BYTES: usize = 7 << 20;

/// The patterns that the next process announces if this one has not, each with its bit. Spikes are over by then.
const PATTERNS: [(u8, ErrorPattern); 2] = [(1, ErrorPattern::New), (2, ErrorPattern::Regression)];

/// What a file contains.
#[derive(Debug, Default)]
pub(super) struct SavedGroups {
    /// The number of the last stored event that the counts contain.
    pub(super) covered: u64,
    /// The release and the environment of the process that wrote the file.
    pub(super) release: String,
    pub(super) environment: String,
    pub(super) releases: Vec<String>,
    pub(super) groups: Vec<GroupEntry>,
    /// What the hooks have not been called with.
    pub(super) unannounced: Vec<SeenPattern>,
}

impl SavedGroups {
    /// Those of a file that cannot be read. It is not known which stored events they contain, so none is added again.
    pub(super) fn unreadable() -> Self {
        Self {
            covered: u64::MAX,
            ..Self::default()
        }
    }
}

/// Why a file, or a part of it, cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InvalidGroups {
    /// A part is damaged, and is left out.
    Damaged,
    /// A later release wrote the file.
    NewerVersion(u8),
}

/// Encodes the groups: those about which somebody has decided first, then the most recently seen.
pub(super) fn encode(table: &GroupTable, release: &str, environment: &str) -> Vec<u8> {
    let mut out = header(0).to_vec();
    let mut head = vec![VERSION];
    head.extend_from_slice(&table.covered.to_le_bytes());
    put_str(&mut head, release);
    put_str(&mut head, environment);
    for name in table.releases.names() {
        put_str(&mut head, name);
    }
    put(&mut out, 0, &head);
    let mut entries: Vec<&GroupEntry> = table.groups.values().collect();
    entries.sort_by_key(|it| Reverse((it.state.is_decided(), it.last_seen, it.number)));
    let unannounced = unannounced(table);
    let (mut group, mut count) = (Vec::new(), 0);
    for entry in entries {
        group.clear();
        put_group(&mut group, entry);
        group.push(unannounced.get(&entry.number).copied().unwrap_or_default());
        if out.len() + HEAD + group.len() > MAX_BYTES {
            break;
        }
        put(&mut out, entry.number, &group);
        count += 1;
    }
    if let Some(place) = out.get_mut(..HEADER) {
        place.copy_from_slice(&header(count));
    }
    out
}

/// What has yet to be announced of groups, as the bits of [`PATTERNS`].
fn unannounced(table: &GroupTable) -> FxHashMap<u64, u8> {
    let mut all = FxHashMap::default();
    for seen in table.patterns.iter().chain(&table.announcing) {
        let bit = PATTERNS.iter().find(|(_, it)| *it == seen.pattern);
        if let (Some((bit, _)), Some(number)) = (bit, table.resolve_number(seen.number)) {
            *all.entry(number).or_default() |= *bit;
        }
    }
    all
}

/// Decodes a file, and says what is wrong with it. Damaged groups are left out.
pub(super) fn decode(file: &[u8]) -> (SavedGroups, Option<InvalidGroups>) {
    let mut saved = SavedGroups::default();
    let Some(all) = records(file) else {
        return (saved, Some(InvalidGroups::Damaged));
    };
    let count = file.get(8..16).and_then(|it| it.first_chunk());
    let count = count.map_or(0, |count| u64::from_le_bytes(*count));
    // Without a head, it is not known which stored events the counts contain: none is added again.
    saved.covered = u64::MAX;
    let mut has_head = false;
    for (number, record) in all {
        if number == 0 {
            match record.first() {
                Some(version) if *version > VERSION => {
                    return (saved, Some(InvalidGroups::NewerVersion(*version)));
                }
                _ => has_head = read_head(record, &mut saved).is_some(),
            }
        } else if saved.groups.len() < MAX_GROUPS {
            let Some((group, bits)) = read_group(record) else {
                continue;
            };
            let patterns = PATTERNS.iter().filter(|(bit, _)| bits & bit != 0);
            saved
                .unannounced
                .extend(patterns.map(|(_, pattern)| SeenPattern {
                    pattern: *pattern,
                    number: group.number,
                }));
            saved.groups.push(group);
        }
    }
    let is_whole = has_head && saved.groups.len() as u64 == count;
    let problem = (!is_whole).then_some(InvalidGroups::Damaged);
    (saved, problem)
}

fn read_head(head: &[u8], saved: &mut SavedGroups) -> Option<()> {
    let mut r = Reader::new(head);
    r.u8()?;
    saved.covered = r.u64()?;
    saved.release = r.str()?.to_owned();
    saved.environment = r.str()?.to_owned();
    saved.releases = std::iter::from_fn(|| r.str().map(str::to_owned)).collect();
    Some(())
}

fn put_group(out: &mut Vec<u8>, entry: &GroupEntry) {
    // The order of the fields is the format, which `read_group` reads.
    out.extend_from_slice(&[VERSION, entry.version, by_number(entry.grouped_by)]);
    out.push(match entry.kind {
        EventKind::Error => 0,
        EventKind::Message => 1,
        EventKind::Panic => 2,
    });
    put_numbers(out, &[entry.number, entry.count, entry.count_at_mute]);
    put_numbers(
        out,
        &[wall_nanos(entry.first_seen), wall_nanos(entry.last_seen)],
    );
    out.extend_from_slice(&entry.last_event.to_u128().to_le_bytes());
    out.push(u8::from(entry.is_spiking));
    put_list(out, entry.fingerprints.iter().copied());
    put_list(out, entry.places.iter().map(|place| place.0));
    put_list(out, entry.merged.iter().copied());
    for text in [&entry.error_type, &entry.message, &entry.location] {
        put_str(out, text);
    }
    put_state(out, &entry.state);
    for counts in entry.timeline.parts() {
        let numbers = counts.iter();
        put_list(
            out,
            numbers.flat_map(|(slot, count)| [*slot, u64::from(*count)]),
        );
    }
    put_bytes(out, &entry.users.to_bytes());
    for counts in [&entry.routes, &entry.releases, &entry.environments] {
        put_numbers(out, &[counts.other, counts.names.len() as u64]);
        for (name, count) in &counts.names {
            put_str(out, name);
            put_numbers(out, &[*count]);
        }
    }
    put_list(out, entry.waited.iter().copied());
    put_numbers(out, &[entry.changes.len() as u64]);
    for change in &entry.changes {
        put_numbers(out, &[wall_nanos(change.at)]);
        put_state(out, &change.state);
        put_str(out, &change.by);
        put_str(out, &change.comment);
    }
}

/// Reads a group, and the bits of what has yet to be announced of it.
fn read_group(group: &[u8]) -> Option<(GroupEntry, u8)> {
    let mut r = Reader::new(group);
    let form = r.u8()?;
    if !(1..=VERSION).contains(&form) {
        return None;
    }
    let version = r.u8()?;
    let grouped_by = match r.u8()? {
        0 => GroupedBy::Fingerprint,
        1 => GroupedBy::Frames,
        2 => GroupedBy::Message,
        3 => GroupedBy::Place,
        _ => return None,
    };
    let kind = match r.u8()? {
        0 => EventKind::Error,
        1 => EventKind::Message,
        2 => EventKind::Panic,
        _ => return None,
    };
    let (number, count, count_at_mute) = (r.u64()?, r.u64()?, r.u64()?);
    let (first_seen, last_seen) = (time(r.u64()?)?, time(r.u64()?)?);
    let last_event = EventId::from_u128(r.u128()?);
    let is_spiking = r.u8()? == 1;
    let fingerprints = list(&mut r, MAX_KEYS)?;
    let places = list(&mut r, MAX_KEYS)?
        .into_iter()
        .map(CapturePlace)
        .collect();
    let merged = list(&mut r, MAX_KEYS)?;
    let mut text = || r.str().map(str::to_owned);
    let (error_type, message, location) = (text()?, text()?, text()?);
    let state = read_state(&mut r)?;
    let minutes = slots(&mut r, MINUTES)?;
    let hours = slots(&mut r, HOURS)?;
    let users = UserSketch::from_bytes(r.bytes()?)?;
    let [routes, releases, environments] = [
        read_counts(&mut r)?,
        read_counts(&mut r)?,
        read_counts(&mut r)?,
    ];
    let waited = match form {
        1 => Vec::new(),
        _ => list(&mut r, MAX_WAITED)?,
    };
    let changes = match form {
        1 | 2 => Vec::new(),
        _ => read_changes(&mut r)?,
    };
    let unannounced = match form {
        1 => 0,
        _ => r.u8()?,
    };
    let entry = GroupEntry {
        number,
        version,
        grouped_by,
        fingerprints,
        places,
        merged,
        waited,
        kind,
        error_type,
        message,
        source: source_of(&location),
        location,
        count,
        first_seen,
        last_seen,
        last_event,
        state,
        changes,
        count_at_mute,
        resolved_at: 0,
        last_captured: None,
        is_spiking,
        timeline: EventTimeline::from_parts(&minutes, &hours),
        users,
        routes,
        releases,
        environments,
        samples: Samples::default(),
        is_announced: true,
        created: 0,
    };
    Some((entry, unannounced))
}

/// A group whose frames are not known yet waits in the next process too: they may be stored.
fn by_number(by: GroupedBy) -> u8 {
    match by {
        GroupedBy::Fingerprint => 0,
        GroupedBy::Frames => 1,
        GroupedBy::Message => 2,
        GroupedBy::Place => 3,
    }
}

fn put_state(out: &mut Vec<u8>, state: &ErrorState) {
    match state {
        ErrorState::Open => out.push(0),
        ErrorState::Resolved { at, by } => {
            out.push(1);
            put_numbers(out, &[wall_nanos(*at)]);
            match by {
                ResolvedBy::Now => out.push(0),
                ResolvedBy::Release(release) => {
                    out.push(1);
                    put_str(out, release);
                }
                ResolvedBy::ReleaseAfter(release) => {
                    out.push(2);
                    put_str(out, release);
                }
            }
        }
        ErrorState::Regressed { at, resolved_at } => {
            out.push(2);
            put_numbers(out, &[wall_nanos(*at), wall_nanos(*resolved_at)]);
        }
        ErrorState::Muted { at, until } => {
            out.push(3);
            put_numbers(out, &[wall_nanos(*at)]);
            match until {
                Mute::Until(time) => {
                    out.push(0);
                    put_numbers(out, &[wall_nanos(*time)]);
                }
                Mute::UntilMoreThan { events, period } => {
                    out.push(1);
                    put_numbers(out, &[*events, nanos(*period)]);
                }
            }
        }
    }
}

fn read_state(r: &mut Reader<'_>) -> Option<ErrorState> {
    Some(match r.u8()? {
        0 => ErrorState::Open,
        1 => ErrorState::Resolved {
            at: time(r.u64()?)?,
            by: match r.u8()? {
                0 => ResolvedBy::Now,
                1 => ResolvedBy::Release(r.str()?.to_owned()),
                2 => ResolvedBy::ReleaseAfter(r.str()?.to_owned()),
                _ => return None,
            },
        },
        2 => ErrorState::Regressed {
            at: time(r.u64()?)?,
            resolved_at: time(r.u64()?)?,
        },
        3 => ErrorState::Muted {
            at: time(r.u64()?)?,
            until: match r.u8()? {
                0 => Mute::Until(time(r.u64()?)?),
                1 => Mute::until_more_than(r.u64()?, Duration::from_nanos(r.u64()?)),
                _ => return None,
            },
        },
        _ => return None,
    })
}

fn read_changes(r: &mut Reader<'_>) -> Option<Vec<ErrorStateChange>> {
    let count = usize::try_from(r.u64()?).ok()?;
    if count > MAX_CHANGES {
        return None;
    }
    let mut changes = Vec::with_capacity(count);
    for _ in 0..count {
        changes.push(ErrorStateChange {
            at: time(r.u64()?)?,
            state: read_state(r)?,
            by: r.str()?.to_owned(),
            comment: r.str()?.to_owned(),
        });
    }
    Some(changes)
}

fn put_numbers(out: &mut Vec<u8>, numbers: &[u64]) {
    for number in numbers {
        out.extend_from_slice(&number.to_le_bytes());
    }
}

fn put_list(out: &mut Vec<u8>, numbers: impl Iterator<Item = u64>) {
    let mut bytes = Vec::new();
    for number in numbers {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    put_bytes(out, &bytes);
}

fn list(r: &mut Reader<'_>, max: usize) -> Option<Vec<u64>> {
    let mut bytes = Reader::new(r.bytes()?);
    let list: Vec<u64> = std::iter::from_fn(|| bytes.u64()).take(max + 1).collect();
    (list.len() <= max).then_some(list)
}

fn slots(r: &mut Reader<'_>, max: usize) -> Option<Vec<(u64, u32)>> {
    let numbers = list(r, 2 * max)?;
    let pairs = numbers.chunks_exact(2);
    let pairs = pairs.map(|pair| Some((*pair.first()?, u32::try_from(*pair.get(1)?).ok()?)));
    pairs.collect()
}

fn read_counts(r: &mut Reader<'_>) -> Option<TopCounts> {
    let (other, names) = (r.u64()?, r.u64()?);
    let mut counts = TopCounts::default();
    for _ in 0..names.min(64) {
        let name = r.str()?.to_owned();
        counts.add(&name, r.u64()?);
    }
    counts.other = counts.other.saturating_add(other);
    Some(counts)
}

fn time(wall: u64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_nanos(wall))
}
