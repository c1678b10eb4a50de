//! Finds anomalies in a file: a CSV of times and values in, one line for each sample out.
//!
//! ```text
//! $ cargo run --features history --example detect -- values.csv
//! timestamp,value,expected,lower,upper,score,anomalous
//! 60,21,21,,,0,0
//! 120,22,21,,,0,0
//! ..
//! 24000,900,21,-35.293137,77.336975,18.632185,1
//! ```
//!
//! A timestamp is a number of seconds since the Unix epoch, or a date and a time in UTC such as `2026-01-05 00:05:00`. The
//! step may be any; it is the median of the differences. A first line that is no sample is a header. What cannot be read, and
//! what the detector does not know yet, is empty.
//!
//! | flag | |
//! |---|---|
//! | `--measure gauge` | how values are compared: `gauge` (differences), `latency` (factors) or `count` (as counts of events) |
//! | `--false-alarms 3` | how many false alarms are accepted in 30 days |
//! | `--svg FILE` | draws the last days: the series, the band of normal values, and the anomalies |
//!
//! Without a file, it reads a series of two weeks that it makes up.

use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use watchpost::anomaly::{
    AdaptiveDetector, Assessment, Detector, DetectorConfig, Measure, Observation,
};

const DAY: f64 = 86_400.0;

struct Flags {
    file: Option<String>,
    measure: Measure,
    false_alarms: f64,
    svg: Option<String>,
}

struct Sample {
    timestamp: String,
    /// Seconds since the Unix epoch.
    time: f64,
    /// NaN if it cannot be read.
    value: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let flags = flags()?;
    let samples = match &flags.file {
        Some(file) => {
            let text = std::fs::read_to_string(file);
            samples(&text.map_err(|error| format!("{file}: {error}"))?)?
        }
        None => made_up(),
    };
    let config = DetectorConfig::new(flags.measure, step(&samples)?);
    let mut detector = AdaptiveDetector::new(config.false_alarms(flags.false_alarms));
    let judged: Vec<_> = samples
        .iter()
        .map(|sample| detector.observe(&Observation::new(time(sample), sample.value)))
        .collect();

    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    writeln!(out, "timestamp,value,expected,lower,upper,score,anomalous")?;
    for (sample, assessment) in samples.iter().zip(&judged) {
        let numbers = [
            sample.value,
            assessment.expected,
            assessment.lower,
            assessment.upper,
            assessment.score,
        ];
        let numbers = numbers.map(|number| {
            // As few digits as are needed.
            let rounded = format!("{number:.6}");
            let rounded = rounded.trim_end_matches('0').trim_end_matches('.');
            if number.is_finite() {
                rounded.to_owned()
            } else {
                String::new()
            }
        });
        let anomalous = u8::from(is_odd(assessment));
        writeln!(
            out,
            "{},{},{anomalous}",
            sample.timestamp,
            numbers.join(",")
        )?;
    }
    out.flush()?;
    if let Some(file) = flags.svg {
        std::fs::write(file, svg(&samples, &judged))?;
    }
    Ok(())
}

/// Whether the sample itself is odd: an anomaly ends only after some normal samples.
fn is_odd(assessment: &Assessment) -> bool {
    assessment.anomalous && assessment.score >= 1.0
}

fn flags() -> Result<Flags, String> {
    let mut flags = Flags {
        file: None,
        measure: Measure::Gauge,
        false_alarms: DetectorConfig::DEFAULT_FALSE_ALARMS,
        svg: None,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match &*argument {
            "--measure" => {
                flags.measure = match &*value()? {
                    "gauge" => Measure::Gauge,
                    "latency" => Measure::Latency,
                    "count" => Measure::Count,
                    other => return Err(format!("{other} is no measure: gauge, latency, count")),
                }
            }
            "--false-alarms" => {
                let number = value()?;
                flags.false_alarms = number
                    .parse()
                    .map_err(|_| format!("{number} is no number"))?;
            }
            "--svg" => flags.svg = Some(value()?),
            flag if flag.starts_with('-') => return Err(format!("there is no flag {flag}")),
            _ => flags.file = Some(argument),
        }
    }
    Ok(flags)
}

fn samples(text: &str) -> Result<Vec<Sample>, String> {
    let mut samples: Vec<Sample> = Vec::new();
    for (number, line) in text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let mut columns = line.split(',').map(str::trim);
        let (timestamp, value) = (columns.next().unwrap_or(""), columns.next().unwrap_or(""));
        match seconds(timestamp) {
            Some(time) => samples.push(Sample {
                timestamp: timestamp.to_owned(),
                time,
                value: value.parse().unwrap_or(f64::NAN),
            }),
            None if samples.is_empty() => {}
            None => return Err(format!("line {}: `{timestamp}` is no time", number + 1)),
        }
    }
    Ok(samples)
}

/// Seconds since the Unix epoch, from such a number, or from a date and a time.
fn seconds(text: &str) -> Option<f64> {
    if let Ok(number) = text.parse::<f64>() {
        return number.is_finite().then_some(number);
    }
    let (date, time) = text.split_at_checked(10)?;
    let mut date = date.split('-');
    let mut part = || date.next()?.parse::<i64>().ok();
    let (year, month, day) = (part()?, part()?, part()?);
    // The days from 1970-01-01, with years that begin in March, so that leap days are at their ends.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = 365 * year + year.div_euclid(4) - year.div_euclid(100)
        + year.div_euclid(400)
        + (153 * month + 2) / 5
        + day
        - 1
        - 719_468;
    let time = time.trim_start_matches([' ', 'T']).trim_end_matches('Z');
    let time = time.strip_suffix("+00:00").unwrap_or(time);
    let mut seconds = 0.0;
    let mut unit = 3600.0;
    for part in time.split(':').filter(|part| !part.is_empty()) {
        seconds += part.parse::<f64>().ok()? * unit;
        unit /= 60.0;
    }
    Some(days as f64 * DAY + seconds)
}

/// The median of the differences between times.
fn step(samples: &[Sample]) -> Result<Duration, &'static str> {
    let pairs = samples.iter().zip(samples.iter().skip(1));
    let mut steps: Vec<_> = pairs.map(|(one, next)| next.time - one.time).collect();
    steps.retain(|step| *step > 0.0);
    steps.sort_by(f64::total_cmp);
    let median = steps.get(steps.len() / 2).ok_or("there are no two samples");
    Duration::try_from_secs_f64(*median?).map_err(|_| "the times are too far apart")
}

fn time(sample: &Sample) -> SystemTime {
    let seconds = Duration::try_from_secs_f64(sample.time).unwrap_or_default();
    UNIX_EPOCH + seconds
}

/// Two weeks from 2026-01-05, a sample every five minutes: a day's rhythm, quieter weekends, noise, and a shift for six
/// hours on the last day but one.
fn made_up() -> Vec<Sample> {
    const BEGIN: u32 = 1_767_571_200;
    let mut random = 1_u64;
    let mut noise = move || {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (random >> 40) as f64 / f64::from(1 << 24) - 0.5
    };
    let sample = |n: u32| {
        let time = f64::from(BEGIN + 300 * n);
        let (day, hour) = (n / 288, f64::from(n % 288) / 12.0);
        let busy = if day % 7 >= 5 { 12.0 } else { 30.0 };
        let rhythm = busy * (1.0 - (hour / 24.0 * std::f64::consts::TAU).cos());
        let shift = if day == 11 && (9.0..15.0).contains(&hour) {
            45.0
        } else {
            0.0
        };
        let value = 20.0 + rhythm + shift + 4.0 * (noise() + noise() + noise());
        Sample {
            timestamp: format!("{time}"),
            time,
            value: (value * 10.0).round() / 10.0,
        }
    };
    (0..14 * 288).map(sample).collect()
}

/// Draws the last five days: a gray band of normal values, the series, and red marks where it is odd.
fn svg(samples: &[Sample], judged: &[Assessment]) -> String {
    const WIDTH: f64 = 960.0;
    const HEIGHT: f64 = 240.0;
    let end = samples.last().map_or(0.0, |sample| sample.time);
    let begin = samples
        .first()
        .map_or(0.0, |sample| sample.time)
        .max(end - 5.0 * DAY);
    let shown: Vec<_> = samples
        .iter()
        .zip(judged)
        .filter(|(sample, _)| sample.time >= begin)
        .collect();
    let ends = shown
        .iter()
        .flat_map(|(sample, it)| [sample.value, it.lower, it.upper]);
    let finite = ends.filter(|end| end.is_finite());
    let (low, high) = finite.fold((f64::MAX, f64::MIN), |(low, high), it| {
        (low.min(it), high.max(it))
    });
    let x = |time: f64| (time - begin) / (end - begin).max(1.0) * WIDTH;
    let y = |value: f64| HEIGHT - (value - low) / (high - low).max(1e-9) * HEIGHT;
    let points = |all: &mut dyn Iterator<Item = (f64, f64)>| {
        let mut text = String::new();
        for (time, value) in all.filter(|(_, value)| value.is_finite()) {
            let _infallible = write!(text, "{:.1},{:.1} ", x(time), y(value));
        }
        text.trim_end().to_owned()
    };
    let upper = points(&mut shown.iter().map(|(sample, it)| (sample.time, it.upper)));
    let lower = points(
        &mut shown
            .iter()
            .rev()
            .map(|(sample, it)| (sample.time, it.lower)),
    );
    let line = points(&mut shown.iter().map(|(sample, _)| (sample.time, sample.value)));
    let mut marks = String::new();
    for (sample, _) in shown.iter().filter(|(_, it)| is_odd(it)) {
        let _infallible = write!(
            marks,
            "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"2.5\"/>",
            x(sample.time),
            y(sample.value)
        );
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"A series, the band of normal values, and anomalies\">\n\
         <polygon points=\"{upper} {lower}\" fill=\"#8884\"/>\n\
         <polyline points=\"{line}\" fill=\"none\" stroke=\"#37c\" stroke-width=\"1\"/>\n\
         <g fill=\"#d33\">{marks}</g>\n\
         </svg>\n"
    )
}
