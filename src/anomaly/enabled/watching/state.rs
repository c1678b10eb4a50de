//! The encoding of what is stored: one record for the counts, one for each series, and one for each anomaly.
//!
//! A later version appends fields to a record and adds kinds of records; this one skips what it does not know. A format
//! that it cannot read has a higher version.

use std::sync::Arc;
use std::time::UNIX_EPOCH;

use super::anomaly::{Anomaly, AnomalyState, WatchedFigure};
use super::log::MAX_ANOMALIES;
use super::series::{GroupKey, MAX_STATE, StoredState, time_of};
use super::watcher::WatcherState;
use crate::anomaly::AnomalyKind;
use crate::files::{header, put, records};
use crate::model::TraceId;
use crate::model::codec::{Reader, put_bytes, put_str};

pub(super) const VERSION: u32 = 1;

const COUNTS: u8 = 0;
const SERIES: u8 = 1;
const ANOMALY: u8 = 2;

/// The most labels of an anomaly that are read.
const MAX_LABELS: u32 = 64;
/// The bytes of the state of a series, and of an anomaly, with labels and sentences of usual length.
const SERIES_BYTES: usize = 1280;
const ANOMALY_BYTES: usize = 1024;
/// The most traces of an anomaly that are read.
const MAX_TRACES: u32 = 16;

/// Why a file cannot be used, or not completely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InvalidState {
    Damaged,
    /// A newer version wrote it.
    OtherVersion(u32),
}

/// Encodes a state as a file.
pub(super) fn encode(state: &WatcherState) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut count = 0;
    let mut record = Vec::new();
    let mut add = |record: &mut Vec<u8>| {
        put(&mut bytes, count, record);
        count += 1;
        record.clear();
    };
    record.push(COUNTS);
    record.extend(VERSION.to_le_bytes());
    record.extend(state.next.to_le_bytes());
    record.extend(state.episode.to_le_bytes());
    add(&mut record);
    for ((rule, labels), series) in &state.series {
        record.push(SERIES);
        put_str(&mut record, rule);
        put_str(&mut record, labels);
        record.extend(series.samples.to_le_bytes());
        record.extend(series.open.to_le_bytes());
        record.extend(series.at.to_le_bytes());
        put_bytes(&mut record, &series.detector);
        add(&mut record);
    }
    for anomaly in &state.anomalies {
        record.push(ANOMALY);
        put_anomaly(&mut record, anomaly);
        add(&mut record);
    }
    [&header(count), &*bytes].concat()
}

/// The most bytes of a file with labels of usual length. It has the states of the series that are watched, of as many that
/// are not at the moment, and the last anomalies.
pub(super) const fn usual_bytes(max_series: usize) -> usize {
    max_series * 2 * SERIES_BYTES + MAX_ANOMALIES * ANOMALY_BYTES
}

/// Decodes a file. Damaged records are left out, and reported.
pub(super) fn decode(file: &[u8]) -> (WatcherState, Result<(), InvalidState>) {
    let mut state = WatcherState::default();
    let mut count = 0_u64;
    let mut version = None;
    let mut is_whole = true;
    for (_, body) in records(file).into_iter().flatten() {
        count += 1;
        let mut reader = Reader::new(body);
        let read = match reader.u8() {
            Some(COUNTS) => read_counts(&mut reader, &mut state).map(|it| version = Some(it)),
            Some(SERIES) => read_series(&mut reader).map(|it| state.series.push(it)),
            Some(ANOMALY) => read_anomaly(&mut reader).map(|it| state.anomalies.push(it)),
            // Of a later version.
            Some(_) => Some(()),
            None => None,
        };
        is_whole &= read.is_some();
    }
    if let Some(version) = version.filter(|version| *version > VERSION) {
        return (
            WatcherState::default(),
            Err(InvalidState::OtherVersion(version)),
        );
    }
    is_whole &= version.is_some() && file.starts_with(&header(count));
    (state, is_whole.then_some(()).ok_or(InvalidState::Damaged))
}

fn read_counts(reader: &mut Reader<'_>, state: &mut WatcherState) -> Option<u32> {
    let version = reader.u32()?;
    (state.next, state.episode) = (reader.u64()?, reader.u64()?);
    Some(version)
}

fn read_series(reader: &mut Reader<'_>) -> Option<(GroupKey, StoredState)> {
    let rule = reader.str()?.to_owned();
    let labels: Arc<str> = reader.str()?.into();
    let series = StoredState {
        samples: reader.u32()?,
        open: reader.u64()?,
        at: reader.i64()?,
        detector: reader.bytes().filter(|it| it.len() <= MAX_STATE)?.to_vec(),
    };
    Some(((rule, labels), series))
}

fn put_anomaly(out: &mut Vec<u8>, anomaly: &Anomaly) {
    let Anomaly {
        number,
        episode,
        state,
        metric,
        figure,
        labels,
        name,
        value,
        expected,
        lower,
        upper,
        score,
        upward,
        kind,
        since,
        until,
        hour_of_week,
        traces,
        sentence,
    } = anomaly;
    let state = match state {
        AnomalyState::Began => 0,
        AnomalyState::Back => 1,
        AnomalyState::Settled => 2,
        AnomalyState::Gone => 3,
        AnomalyState::Rejudged => 4,
    };
    let kind = match kind {
        AnomalyKind::Spike => 0,
        AnomalyKind::Shift => 1,
        AnomalyKind::Variance => 2,
        AnomalyKind::Silence => 3,
    };
    let (figure, rank) = match figure {
        WatchedFigure::Value => (0, 0.0),
        WatchedFigure::Rate => (1, 0.0),
        WatchedFigure::Quantile(rank) => (2, *rank),
        WatchedFigure::Share => (3, 0.0),
    };
    out.extend([state, kind, figure, u8::from(*upward), *hour_of_week]);
    out.extend(number.to_le_bytes());
    out.extend(episode.to_le_bytes());
    for time in [Some(since), until.as_ref()] {
        let millis = time.map_or(0, |time| {
            let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
            i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
        });
        out.extend(millis.to_le_bytes());
    }
    for number in [rank, *value, *expected, *lower, *upper, *score] {
        out.extend(number.to_le_bytes());
    }
    for text in [metric, name, sentence] {
        put_str(out, text);
    }
    out.extend((labels.len() as u32).to_le_bytes());
    for (label, value) in labels {
        put_str(out, label);
        put_str(out, value);
    }
    out.extend((traces.len() as u32).to_le_bytes());
    for trace in traces {
        out.extend(trace.to_u128().to_le_bytes());
    }
}

fn read_anomaly(reader: &mut Reader<'_>) -> Option<Anomaly> {
    let [state, kind, figure, upward, hour_of_week] = [(); 5].map(|()| reader.u8());
    let (number, episode) = (reader.u64()?, reader.u64()?);
    let (since, until) = (reader.i64()?, reader.i64()?);
    let rank = reader.f64()?;
    let [value, expected, lower, upper, score] = [(); 5].map(|()| reader.f64());
    let [metric, name, sentence] = [(); 3].map(|()| reader.str().map(str::to_owned));
    let mut labels = Vec::new();
    for _ in 0..reader.u32().filter(|count| *count <= MAX_LABELS)? {
        labels.push((reader.str()?.to_owned(), reader.str()?.to_owned()));
    }
    let mut traces = Vec::new();
    for _ in 0..reader.u32().filter(|count| *count <= MAX_TRACES)? {
        traces.push(TraceId::from_u128(reader.u128()?));
    }
    Some(Anomaly {
        number,
        episode,
        state: match state? {
            0 => AnomalyState::Began,
            1 => AnomalyState::Back,
            2 => AnomalyState::Settled,
            3 => AnomalyState::Gone,
            4 => AnomalyState::Rejudged,
            _ => return None,
        },
        metric: metric?,
        figure: match figure? {
            0 => WatchedFigure::Value,
            1 => WatchedFigure::Rate,
            2 => WatchedFigure::Quantile(rank),
            3 => WatchedFigure::Share,
            _ => return None,
        },
        labels,
        name: name?,
        value: value?,
        expected: expected?,
        lower: lower?,
        upper: upper?,
        score: score?,
        upward: upward? == 1,
        kind: match kind? {
            0 => AnomalyKind::Spike,
            1 => AnomalyKind::Shift,
            2 => AnomalyKind::Variance,
            3 => AnomalyKind::Silence,
            _ => return None,
        },
        since: time_of(since),
        until: (until != 0).then(|| time_of(until)),
        hour_of_week: hour_of_week?,
        traces,
        sentence: sentence?,
    })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::super::log::AnomalyLog;
    use super::*;

    fn anomaly(number: u64, until: Option<u64>) -> Anomaly {
        Anomaly {
            number,
            episode: 2,
            state: AnomalyState::Back,
            metric: "took_seconds".to_owned(),
            figure: WatchedFigure::Quantile(0.95),
            labels: vec![("route".to_owned(), "/\"a".to_owned())],
            name: "p95 of /a".to_owned(),
            value: 1.5,
            expected: 0.25,
            lower: f64::NEG_INFINITY,
            upper: 0.4,
            score: 3.0,
            upward: true,
            kind: AnomalyKind::Shift,
            since: UNIX_EPOCH + Duration::from_secs(1_000),
            until: until.map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds)),
            hour_of_week: 167,
            traces: vec![TraceId::from_u128(7)],
            sentence: "p95 of /a is 1.5 s".to_owned(),
        }
    }

    fn state() -> WatcherState {
        let series = |n: u32| {
            let key = (format!("rule {n}"), Arc::from(format!("a={n}\n")));
            let stored = StoredState {
                samples: n,
                open: u64::from(n % 2),
                at: 1_000_000 + i64::from(n),
                detector: vec![n as u8; 854],
            };
            (key, stored)
        };
        WatcherState {
            series: (0..20).map(series).collect(),
            anomalies: vec![anomaly(4, Some(1_060)), anomaly(5, None)],
            next: 6,
            episode: 2,
        }
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let (decoded, result) = decode(&encode(&state()));
        assert_eq!(result, Ok(()));
        assert_eq!(decoded, state());
    }

    #[test]
    fn a_file_takes_no_more_than_is_left_for_it() {
        let series = |n: usize| {
            let labels = format!(
                "http_request_method=\"GET\",http_route=\"/{n:05}/{}\"",
                "a".repeat(150)
            );
            let stored = StoredState {
                samples: 1,
                open: 0,
                at: 1_000_000,
                detector: vec![7; 854],
            };
            (("requests by route".to_owned(), labels.into()), stored)
        };
        let anomaly = |n: usize| Anomaly {
            traces: vec![TraceId::from_u128(7); 5],
            name: "a".repeat(200),
            sentence: "a".repeat(300),
            ..anomaly(n as u64, None)
        };
        let full = WatcherState {
            series: (0..40).map(series).collect(),
            anomalies: (0..MAX_ANOMALIES).map(anomaly).collect(),
            ..state()
        };
        let (bytes, most) = (encode(&full).len(), usual_bytes(20));
        assert!((most / 2..=most).contains(&bytes), "{bytes} of {most}");
    }

    #[test]
    fn without_the_counts_no_number_is_given_twice() {
        let mut file = encode(&state());
        // A byte of the first record, which has the counts.
        let at = header(0).len() + crate::files::HEAD + 5;
        file[at] ^= 1;
        let (decoded, result) = decode(&file);
        assert_eq!(result, Err(InvalidState::Damaged));
        assert_eq!((decoded.next, decoded.anomalies.len()), (0, 2));
        let mut log = AnomalyLog::new(Duration::from_secs(10));
        log.restore(decoded.anomalies, decoded.next, decoded.episode);
        assert_eq!(log.counts(), (6, 2));
        let new = log.begin(anomaly(0, None), SystemTime::now());
        assert_eq!((new.number, new.episode), (6, 3));
        assert!(log.change(6, |_| ()).is_some());
    }

    #[test]
    fn what_a_later_version_adds_is_skipped() {
        let file = encode(&state());
        let (mut bytes, mut count) = (Vec::new(), 0);
        for (_, body) in records(&file).unwrap() {
            put(&mut bytes, count, &[body, b"more fields"].concat());
            count += 1;
        }
        put(&mut bytes, count, b"\x09a kind that is not known");
        let file = [&header(count + 1), &*bytes].concat();
        assert_eq!(decode(&file), (state(), Ok(())));
    }

    #[test]
    fn a_newer_format_is_not_read() {
        let mut body = vec![COUNTS];
        body.extend((VERSION + 1).to_le_bytes());
        body.extend([0; 16]);
        let mut bytes = header(1).to_vec();
        put(&mut bytes, 0, &body);
        let (decoded, result) = decode(&bytes);
        assert_eq!(result, Err(InvalidState::OtherVersion(VERSION + 1)));
        assert_eq!(decoded, WatcherState::default());
    }

    #[test]
    fn a_flipped_byte_costs_one_record_and_is_noticed() {
        let file = encode(&state());
        for at in (0..file.len()).step_by(97) {
            let mut damaged = file.clone();
            damaged[at] ^= 0x10;
            let (decoded, result) = decode(&damaged);
            assert_eq!(result, Err(InvalidState::Damaged), "byte {at}");
            let all = state();
            let known = |it: &(GroupKey, StoredState)| all.series.contains(it);
            assert!(decoded.series.iter().all(known), "byte {at}");
            if at >= header(0).len() {
                assert!(decoded.series.len() >= all.series.len() - 1, "byte {at}");
            }
        }
        for len in (0..file.len()).step_by(53) {
            assert_eq!(decode(&file[..len]).1, Err(InvalidState::Damaged));
        }
    }
}
