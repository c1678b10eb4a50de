//! The scores of the Numenta Anomaly Benchmark, on the series that lie in a folder.

use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;

/// The share of a series that is not scored, and its most samples.
const PROBATION: f64 = 0.15;
const MOST_PROBATION: usize = 750;
/// What a false alarm costs in the standard profile.
const FALSE_ALARM: f64 = 0.11;

pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) times: Vec<f64>,
    pub(crate) values: Vec<f64>,
    /// The first and the last sample of each anomaly.
    windows: Vec<(usize, usize)>,
}

/// What the alarms of a detector are worth.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Score {
    /// The weights of what was found, and of false alarms.
    found: f64,
    false_alarms: f64,
    windows: usize,
    pub(crate) missed: usize,
    pub(crate) false_points: usize,
}

impl Score {
    pub(crate) fn add(&mut self, other: Self) {
        self.found += other.found;
        self.false_alarms += other.false_alarms;
        self.windows += other.windows;
        self.missed += other.missed;
        self.false_points += other.false_points;
    }

    fn raw(&self, false_alarm: f64, miss: f64) -> f64 {
        self.found + false_alarm * self.false_alarms - miss * self.missed as f64
    }

    /// From 0, for no alarms, to 100.
    fn normalized(&self, false_alarm: f64, miss: f64) -> f64 {
        let (windows, nothing) = (self.windows as f64, miss * self.windows as f64);
        100.0 * (self.raw(false_alarm, miss) + nothing) / (windows + nothing)
    }

    /// The standard profile, and those that reward few false alarms and few misses.
    pub(crate) fn profiles(&self) -> [f64; 3] {
        [(FALSE_ALARM, 1.0), (0.22, 1.0), (FALSE_ALARM, 2.0)]
            .map(|(alarm, miss)| self.normalized(alarm, miss))
    }
}

impl Series {
    /// Scores the samples at which alarms were raised.
    pub(crate) fn score(&self, alarms: &[bool]) -> Score {
        let probation = ((PROBATION * alarms.len() as f64) as usize).min(MOST_PROBATION);
        let scored = |n: &usize| *n >= probation && alarms[*n];
        let mut score = Score {
            windows: self.windows.len(),
            ..Score::default()
        };
        for (first, last) in &self.windows {
            let width = (last - first + 1) as f64;
            let best = (*first..=*last)
                .find(scored)
                .map(|n| sigmoid(-((last - n + 1) as f64) / width) / sigmoid(-1.0));
            score.found += best.unwrap_or_default();
            score.missed += usize::from(best.is_none());
        }
        for n in (0..alarms.len()).filter(scored) {
            if self
                .windows
                .iter()
                .any(|(first, last)| (first..=last).contains(&&n))
            {
                continue;
            }
            score.false_points += 1;
            let before = self.windows.iter().rev().find(|(_, last)| *last < n);
            score.false_alarms += match before {
                Some((first, last)) => sigmoid((n - last) as f64 / (last - first) as f64),
                None => -1.0,
            };
        }
        score
    }
}

fn sigmoid(position: f64) -> f64 {
    if position > 3.0 {
        -1.0
    } else {
        2.0 / (1.0 + (5.0 * position).exp()) - 1.0
    }
}

/// Reads all series of a folder.
pub(crate) fn read(folder: &Path) -> Vec<Series> {
    let labels =
        fs::read_to_string(folder.join("combined_windows.json")).expect("the labels can be read");
    let mut series = Vec::new();
    for directory in sorted(&folder.join("data")) {
        for file in sorted(&directory) {
            let name = format!("{}/{}", name_of(&directory), name_of(&file));
            let text = fs::read_to_string(&file).expect("the series can be read");
            let (times, values): (Vec<_>, Vec<_>) = text.lines().skip(1).map(sample).unzip();
            let windows = windows_of(&labels, &name, &times);
            series.push(Series {
                name,
                times,
                values,
                windows,
            });
        }
    }
    series
}

fn sorted(directory: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(directory).expect("the folder can be read");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("it is an entry").path())
        .collect();
    paths.sort();
    paths
}

fn name_of(path: &Path) -> &str {
    path.file_name()
        .and_then(|name| name.to_str())
        .expect("names are text")
}

fn sample(line: &str) -> (f64, f64) {
    let (time, value) = line.split_once(',').expect("a line has two fields");
    (seconds(time), value.parse().expect("it is a number"))
}

/// The windows of a series: pairs of times in brackets after its name.
fn windows_of(labels: &str, name: &str, times: &[f64]) -> Vec<(usize, usize)> {
    let start = labels
        .find(&format!("\"{name}\""))
        .expect("the series has labels");
    let rest = &labels[start + name.len() + 2..];
    let end = rest.find("\": [").unwrap_or(rest.len());
    let times_of: Vec<_> = rest[..end]
        .split('"')
        .filter(|text| text.starts_with("20"))
        .map(seconds)
        .collect();
    let index = |time: f64| times.partition_point(|other| *other < time);
    times_of
        .chunks(2)
        .map(|pair| (index(pair[0]), index(pair[1])))
        .collect()
}

/// Seconds since the Unix epoch of `2014-04-01 00:00:00`, which may have a fraction.
fn seconds(text: &str) -> f64 {
    let mut parts = text
        .split(['-', ' ', ':', '.'])
        .map(|part| part.parse::<i64>().expect("it is a number"));
    let mut next = || parts.next().unwrap_or_default();
    let (year, month, day) = (next(), next(), next());
    let (year, month) = if month <= 2 {
        (year - 1, month + 9)
    } else {
        (year, month - 3)
    };
    let days =
        365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 719_469;
    (days * 86_400 + next() * 3600 + next() * 60 + next()) as f64
}

/// Scores the published alarms of one detector, and returns the largest difference from the published scores of the
/// series, and the score of all.
pub(crate) fn check_published(folder: &Path, all: &[Series]) -> (f64, Score) {
    let file = fs::File::open(folder.join("published/windowedGaussian_detections.csv.gz"))
        .expect("it can be read");
    let mut text = String::new();
    GzDecoder::new(file)
        .read_to_string(&mut text)
        .expect("it is compressed text");
    let mut alarms: HashMap<&str, Vec<bool>> = HashMap::new();
    for line in text.lines().skip(1) {
        let fields: Vec<_> = line.split(',').collect();
        let score: f64 = fields[2].parse().expect("it is a number");
        alarms.entry(fields[0]).or_default().push(score >= 1.0);
    }
    let scores =
        fs::read_to_string(folder.join("published/standard_scores.csv")).expect("it can be read");
    let (mut difference, mut total) = (0.0_f64, Score::default());
    for series in all {
        let start = format!("windowedGaussian,{},1.0,", series.name);
        let line = scores
            .lines()
            .find_map(|line| line.strip_prefix(&start))
            .expect("it has a score");
        let published: f64 = line
            .split(',')
            .next()
            .unwrap_or_default()
            .parse()
            .expect("it is a number");
        let score = series.score(&alarms[series.name.as_str()]);
        difference = difference.max((score.raw(FALSE_ALARM, 1.0) - published).abs());
        total.add(score);
    }
    (difference, total)
}
