use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::{Duration, UNIX_EPOCH};

use http::{HeaderName, HeaderValue};
use proptest::prelude::*;

use super::window::MAX_WINDOWS;
use super::*;

/// 2024-01-01T00:00:00Z.
const NOW: u64 = 1_704_067_200;

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(NOW)
}

fn headers<'a>(all: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in all {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_bytes(value).unwrap());
    }
    headers
}

fn read_one(name: &str, value: &str) -> ResponseLimits {
    read(&headers([(name, value.as_bytes())]), now())
}

/// The parsed limits, as the corpus writes them.
fn summary(read: &ResponseLimits) -> String {
    let number = |n: Option<u64>| n.map_or("-".into(), |n| n.to_string());
    let length = |d: Option<Duration>| d.map_or("-".into(), |d| format!("{d:?}"));
    let mut out = String::new();
    for window in &read.windows {
        let [reset, window_length] = [window.reset, window.length].map(length);
        let separator = if out.is_empty() { "" } else { ", " };
        write!(
            out,
            "{separator}{} {}/{}/{reset}/{window_length}",
            window.name,
            number(window.limit),
            number(window.remaining),
        )
        .unwrap();
    }
    if out.is_empty() {
        out += "nothing";
    }
    if let Some(wait) = read.retry_after {
        write!(out, ", retry {wait:?}").unwrap();
    }
    if read.parse_errors > 0 {
        write!(out, ", invalid {}", read.parse_errors).unwrap();
    }
    out
}

/// Converts the seconds of the corpus to the form that `Duration` prints.
fn with_units(expected: &str) -> String {
    let seconds = |text: &str| match text {
        "-" => "-".to_owned(),
        text => {
            let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
            let nanos = format!("{decimals:0<9}").parse().unwrap();
            format!("{:?}", Duration::new(whole.parse().unwrap(), nanos))
        }
    };
    let parts = expected.split(", ").map(|part| {
        if let Some(wait) = part.strip_prefix("retry ") {
            return format!("retry {}", seconds(wait));
        }
        let mut fields: Vec<_> = part.split('/').map(str::to_owned).collect();
        if let [_, _, reset, window] = fields.as_mut_slice() {
            *reset = seconds(reset);
            *window = seconds(window);
        }
        fields.join("/")
    });
    parts.collect::<Vec<_>>().join(", ")
}

#[test]
fn each_case_of_the_corpus_holds() {
    let corpus = include_str!("corpus.txt");
    let mut class = "";
    let mut counts = Vec::new();
    let mut wrong = Vec::new();
    for line in corpus.lines() {
        if let Some(name) = line.strip_prefix('[') {
            class = name.strip_suffix(']').unwrap();
            counts.push((class, 0));
            continue;
        }
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        counts.last_mut().unwrap().1 += 1;
        let (input, expected) = line.rsplit_once(" => ").unwrap();
        let input = input.replace("\\t", "\t");
        let all = input.split(" | ").map(|header| {
            let (name, value) = header.split_once(':').unwrap();
            (name, value.trim().as_bytes())
        });
        let got = summary(&read(&headers(all), now()));
        if got != with_units(expected) {
            wrong.push(format!("[{class}] {line}\n   got {got}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(counts.len() >= 10, "{counts:?}");
    for (class, count) in counts {
        assert!(count >= 5, "{class}: {count}");
    }
}

#[test]
fn a_response_without_limits_costs_no_allocation() {
    let plain = headers([
        ("content-type", &b"text/plain"[..]),
        ("x-content-type-options", b"nosniff"),
        ("accept-ranges", b"bytes"),
    ]);
    let read = read(&plain, now());
    assert_eq!(read, ResponseLimits::default());
    assert_eq!(read.windows.capacity(), 0);
}

#[test]
fn eight_windows_are_kept() {
    let list: Vec<_> = (0..20).map(|n| format!("\"w{n}\";r={n}")).collect();
    let read = read_one("ratelimit", &list.join(", "));
    assert_eq!(read.windows.len(), MAX_WINDOWS);
    assert_eq!(read.parse_errors, 0);
    let many: Vec<_> = (0..500).map(|n| format!("x-ratelimit-limit-{n}")).collect();
    let many = headers(many.iter().map(|name| (&**name, &b"1"[..])));
    assert_eq!(super::read(&many, now()).windows.len(), MAX_WINDOWS);
}

#[test]
fn long_and_binary_values_are_invalid() {
    let longest = format!("{:0>1024}", 7);
    let read = read_one("x-ratelimit-limit", &longest);
    assert_eq!(read.windows[0].limit, Some(7));
    for value in ["0".repeat(1025), "\"a\";r=1,".repeat(1 << 17)] {
        for name in ["ratelimit", "x-ratelimit-limit", "retry-after"] {
            let read = read_one(name, &value);
            assert_eq!((read.windows.len(), read.parse_errors), (0, 1), "{name}");
        }
    }
    let read = super::read(&headers([("retry-after", &b"\xff5"[..])]), now());
    assert_eq!(read.parse_errors, 1);
}

#[test]
fn a_clock_before_the_epoch_does_not_panic() {
    let headers = headers([("x-ratelimit-reset", &b"5"[..])]);
    let before = UNIX_EPOCH - Duration::from_secs(1 << 40);
    assert_eq!(
        read(&headers, before).windows[0].reset,
        Some(Duration::from_secs(5))
    );
}

#[test]
fn the_days_of_430_years_are_consecutive() {
    let mut day = 0;
    for year in 1970..2400_u64 {
        for month in 1..=12_u64 {
            for of_month in 1..=31_u64 {
                let text = format!("{year}-{month:02}-{of_month:02}T00:00:00Z");
                if let Some(time) = rfc3339::since_epoch(&text) {
                    assert_eq!(time.as_secs(), day * 86_400, "{text}");
                    day += 1;
                }
            }
        }
    }
    assert_eq!(day, 430 * 365 + 104);
}

const NAMES: [&str; 20] = [
    "ratelimit",
    "ratelimit-policy",
    "ratelimit-limit",
    "ratelimit-remaining",
    "ratelimit-reset",
    "ratelimit-name",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "x-ratelimit-reset-after",
    "x-ratelimit-used",
    "x-ratelimit-resource",
    "x-ratelimit-policy",
    "x-rate-limit-limit",
    "x-ratelimit-limit-requests",
    "x-ratelimit-reset-tokens",
    "x-ratelimit-limit-minute",
    "anthropic-ratelimit-requests-limit",
    "anthropic-ratelimit-input-tokens-reset",
    "retry-after",
];

fn name() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(NAMES.as_slice())
}

/// Values composed of pieces of valid ones.
fn nearly() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        proptest::sample::select(
            [
                "\"",
                "\\",
                ";",
                ",",
                "=",
                "r",
                "t",
                "q",
                "w",
                "limit",
                "remaining",
                "reset",
                "-",
                ".",
                ":",
                "T",
                "Z",
                "m",
                "h",
                "ms",
                "µs",
                " ",
                "\t",
                "2024-01-01",
                "00:00:00",
                "1704067205",
                "99999999999999999999",
                "0",
                "GMT",
                "é",
                "window=60",
                "100;w=60",
            ]
            .as_slice()
        )
        .prop_map(|text| text.as_bytes().to_vec()),
        any::<u32>().prop_map(|n| n.to_string().into_bytes()),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn check(read: &ResponseLimits) {
    let names: BTreeSet<_> = read.windows.iter().map(|window| &window.name).collect();
    assert_eq!(names.len(), read.windows.len());
    assert!(names.len() <= MAX_WINDOWS);
    let longest = Duration::from_secs(366 * 86_400);
    for window in &read.windows {
        assert!((1..=32).contains(&window.name.len()), "{window:?}");
        let holds = |b: u8| b"_.-".contains(&b) || b.is_ascii_digit() || b.is_ascii_lowercase();
        assert!(window.name.bytes().all(holds), "{window:?}");
        assert!(window.reset.is_none_or(|reset| reset <= longest));
        assert!(window.length.is_none_or(|length| length <= longest));
    }
    assert!(read.retry_after.is_none_or(|wait| wait <= longest));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_values_are_read_or_refused(
        all in proptest::collection::vec((name(), proptest::collection::vec(any::<u8>(), 0..80)), 0..6),
        seconds in 0..u64::from(u32::MAX),
    ) {
        let mut headers = HeaderMap::new();
        for (name, value) in &all {
            if let Ok(value) = HeaderValue::from_bytes(value) {
                headers.append(*name, value);
            }
        }
        check(&read(&headers, UNIX_EPOCH + Duration::from_secs(seconds)));
    }

    #[test]
    fn nearly_good_values_are_read_or_refused(
        all in proptest::collection::vec((name(), nearly()), 0..12),
    ) {
        let all: Vec<_> = all.iter().map(|(name, value)| (*name, &**value)).collect();
        check(&read(&headers(all), now()));
    }

    #[test]
    fn any_name_is_known_or_not(name in "(ratelimit|x-rate-?limit|anthropic-ratelimit|retry)?[a-z!#$_.-]{0,40}") {
        if let Ok(name) = HeaderName::from_bytes(name.as_bytes()) {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static("5"));
            check(&read(&headers, now()));
        }
    }

    #[test]
    fn a_policy_reads_back(
        name in "[a-z][a-z0-9_.-]{0,31}",
        quota: u64,
        left: u64,
        reset in 0..=31_622_400_u64,
        length in 1..=31_622_400_u64,
        blank in "[ ]{0,2}",
        swapped: bool,
    ) {
        let (first, second) = if swapped {
            (format!("t={reset}"), format!("r={left}"))
        } else {
            (format!("r={left}"), format!("t={reset}"))
        };
        let limit = format!("\"{name}\";{blank}{first};{blank}x=?1;{blank}{second}");
        let policy = format!("\"other\";q=1,{blank}\"{name}\";{blank}q={quota};pk=:YQ==:;w={length}");
        prop_assume!(name != "other");
        let read = read(
            &headers([
                ("ratelimit", limit.as_bytes()),
                ("ratelimit-policy", policy.as_bytes()),
            ]),
            now(),
        );
        let expected = LimitWindow {
            name: name.into(),
            limit: Some(quota),
            remaining: Some(left),
            reset: Some(Duration::from_secs(reset)),
            length: Some(Duration::from_secs(length)),
        };
        prop_assert!(read.windows.contains(&expected), "{:?}", read);
        prop_assert_eq!(read.parse_errors, 0);
    }

    #[test]
    fn every_spelling_of_a_reset_reads_back(
        seconds in 0..=31_622_400_u64,
        millis in 0..1000_u64,
        form in 0..7,
    ) {
        let at = NOW + seconds;
        let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(at));
        let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        let millis = if seconds == 31_622_400 { 0 } else { millis };
        let (value, has_millis) = match form {
            0 => (seconds.to_string(), false),
            1 => (format!("{seconds}.{millis:03}"), true),
            2 => (at.to_string(), false),
            3 => (format!("{at}{millis:03}"), true),
            4 => (format!("{hours}h{minutes}m{rest}s"), false),
            5 => (format!("{hours}h{minutes}m{rest}.{millis:03}s"), true),
            _ => (date, false),
        };
        let expected = Duration::from_millis(seconds * 1000 + if has_millis { millis } else { 0 });
        for name in ["x-ratelimit-reset", "x-ratelimit-reset-tokens", "ratelimit-reset"] {
            let read = read_one(name, &value);
            prop_assert_eq!(read.windows[0].reset, Some(expected), "{}", value);
            prop_assert_eq!(read.parse_errors, 0);
        }
    }
}
