use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::host_port::HostPort;
use super::*;

fn shown(url: &str) -> String {
    super::shown(url, |_, _| false)
}

/// Part of every text that must not be shown.
const SECRET: &str = "sEcr";

fn unescaped(text: &str) -> String {
    let text = text
        .replace("\\u{202e}", "\u{202e}")
        .replace("\\u{a0}", "\u{a0}")
        .replace("\\u{2028}", "\u{2028}");
    text.replace("\\t", "\t")
        .replace("\\n", "\n")
        .replace("\\0", "\0")
}

fn line_of(server: Option<&HostPort<'_>>) -> String {
    let Some(server) = server else {
        return "none".into();
    };
    let port = server.port.map_or("-".into(), |port| port.to_string());
    format!("{} {port}", server.host)
}

#[test]
fn each_case_of_the_corpus_holds() {
    let corpus = include_str!("corpus.txt");
    let mut class = "";
    let mut counts = Vec::new();
    let mut wrong = Vec::new();
    for line in corpus.lines() {
        let name = line.strip_prefix('[').and_then(|l| l.strip_suffix(']'));
        if let Some(name) = name {
            class = name;
            counts.push((class, 0));
            continue;
        }
        if line.is_empty() || line.starts_with("# ") {
            continue;
        }
        counts.last_mut().unwrap().1 += 1;
        let (input, expected) = line.rsplit_once(" => ").unwrap();
        let input = unescaped(input);
        let expected = if expected == "same" { &input } else { expected };
        let got = if class.contains("target") {
            line_of(host_port(&input).as_ref())
        } else {
            shown(&input)
        };
        if got != expected || got.contains(SECRET) {
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
fn a_shown_url_is_shown_unchanged() {
    // Invisible characters before user information are removed with it, and so is a text that looks like more of it.
    for url in [
        "https://\0user:sEcr@example.com/",
        "https:// \u{200b}user@example.com//\0",
        "https://proxy/http:/ user:sEcr@example.com/",
        "[::1]%40%2F[::1]/@",
    ] {
        let once = shown(url);
        assert!(!once.contains("sEcr"), "{once}");
        assert_eq!(shown(&once), once);
    }
    assert_eq!(
        shown("https://\0user:sEcr@example.com/"),
        "https://REDACTED:REDACTED@example.com/"
    );
    assert_eq!(shown("https://\0example.com/"), "https://%00example.com/");
}

#[test]
fn names_and_parameters_are_bounded() {
    let name = "n".repeat(128);
    assert_eq!(
        shown(&format!("h?{name}=sEcr")),
        format!("h?{name}=REDACTED")
    );
    let cut = format!("h?{}…=REDACTED", &name[..125]);
    assert_eq!(shown(&format!("h?{name}n=sEcr")), cut);
    let wide = shown(&format!("h?{}=sEcr", "é".repeat(100)));
    assert_eq!(wide, format!("h?{}…=REDACTED", "é".repeat(62)));
    let blanks = shown(&format!("h?{}=sEcr", " ".repeat(100)));
    assert_eq!(blanks, format!("h?{}…=REDACTED", "%20".repeat(41)));

    let parameters = |n: usize| vec!["a=x"; n].join("&");
    let all = format!("h?{}", vec!["a=REDACTED"; 32].join("&"));
    assert_eq!(shown(&format!("h?{}", parameters(32))), all);
    assert_eq!(shown(&format!("h?{}", parameters(33))), all.clone() + "&…");
    assert_eq!(shown(&format!("h?{}", parameters(500))), all + "&…");
}

#[test]
fn the_values_of_allowed_names_are_kept() {
    let allowed = |name: &str, _: &str| matches!(name, "page" | "offset");
    let cases = [
        (
            "https://h/?page=2&q=sEcr&offset=-1",
            "https://h/?page=2&q=REDACTED&offset=-1",
        ),
        (
            "https://u:sEcr@h/a?page=2#sEcr",
            "https://REDACTED:REDACTED@h/a?page=2",
        ),
        (
            "https://h/?Page=sEcr&page =sEcr&page%3D2",
            "https://h/?Page=REDACTED&page%20=REDACTED&page=2",
        ),
        (
            "https://h/?x=1;page=sEcr",
            "https://h/?x=REDACTED;page=REDACTED",
        ),
        ("https://h/?page=a b\nc", "https://h/?page=a%20b%0Ac"),
    ];
    for (url, expected) in cases {
        let once = super::shown(url, allowed);
        assert_eq!(once, expected);
        assert_eq!(super::shown(&once, allowed), once);
    }
    let long = format!("https://h/?page={}", "2".repeat(129));
    assert_eq!(super::shown(&long, allowed), "https://h/?page=REDACTED");
}

#[test]
fn a_path_that_is_cut_does_not_end_in_half_of_a_token() {
    for before in 1950..2045 {
        let path = "/x".repeat(before / 2);
        let shown = shown(&format!(
            "https://h{path}/ghp_{}/{}",
            "a1".repeat(18),
            "z/".repeat(99)
        ));
        let token = shown.find("ghp_");
        let whole = shown.contains(&format!("ghp_{}", "a1".repeat(18)));
        assert!(token.is_none() || whole, "{shown}");
    }
}

#[test]
fn a_long_url_is_cut_at_a_character_boundary() {
    let most = format!("https://h/{}", "x".repeat(2038));
    assert_eq!(shown(&most), most);
    assert_eq!(shown(&(most.clone() + "x")), most[..2045].to_owned() + "…");
    for piece in ["é", "日", "🦀", " ", "\u{202e}", "a=b&"] {
        for start in 0..12 {
            let text = format!("https://h/{}{}", "x".repeat(start), piece.repeat(3000));
            let shown = shown(&text);
            assert!(shown.len() <= 2048 && shown.len() > 2030, "{}", shown.len());
            let before = shown.strip_suffix('…').unwrap();
            let last = &before.as_bytes()[before.len() - 2..];
            assert!(!last.contains(&b'%'), "{before}");
        }
    }
}

#[test]
fn a_megabyte_is_read_quickly() {
    let pieces = [
        "a",
        "@",
        "/",
        ":",
        "%",
        "%25",
        "%40",
        "a:/",
        "x:y/",
        "http://x:y/",
        "http://x:y@z/",
        "?",
        "#",
        "&",
        ";",
        "=",
        "a=b&",
        "%3a%2f",
        ":%2f",
        " ",
        "é",
        "[",
        "//",
    ];
    let around = [
        ("", ""),
        ("https://", "@"),
        ("https://h/", "%40"),
        ("https://h/?", ""),
        ("u:p/x%3a%2f", "?x=a@b"),
    ];
    // Slow without optimization, so only some of the pairs are tested then.
    let step = if cfg!(debug_assertions) { 4 } else { 1 };
    let pairs = pieces
        .iter()
        .flat_map(|piece| around.iter().map(move |around| (piece, around)));
    for (piece, (start, end)) in pairs.step_by(step) {
        let text = format!("{start}{}{end}", piece.repeat((1 << 20) / piece.len()));
        let begin = Instant::now();
        assert!(shown(&text).len() <= 2048);
        host_port(&text);
        let took = begin.elapsed();
        assert!(took < Duration::from_secs(3), "{start}{piece}: {took:?}");
    }
}

/// Texts that may surround the secret in user information or in a value, plain or encoded.
fn around(set: &'static [&'static str]) -> impl Strategy<Value = String> {
    let piece = proptest::sample::select(set);
    let side = || proptest::collection::vec(piece.clone(), 0..5).prop_map(|pieces| pieces.concat());
    (side(), side()).prop_map(|(left, right)| format!("{left}{SECRET}{right}"))
}

const IN_USER: &[&str] = &[
    ":", "@", "%40", "%2540", "%2F", "%3A", "a", "B", "7", "é", ";", "&", "=", "$", " ", "[", "]",
    "%25", "%", "-",
];
const IN_VALUE: &[&str] = &[
    ":", "@", "%40", "%26", "%3D", "=", "?", "/", "//", "\\", ";", "a", "B", "7", "é", "%", " ",
    "+", "https://", "#",
];

fn start() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(
        [
            "https://",
            "http://",
            "",
            "//",
            "https:/\\",
            "https:\\\\",
            "https:/",
            "https:///",
            "HTTPS://",
            " https://",
            "redis://",
            "https:\t//",
            "https:/\n/",
            "é://",
            "https://proxy/http://",
            "jdbc:x://",
            "https%3A//",
        ]
        .as_slice(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn any_text_is_shown(text in "\\PC*|(?s).{0,200}") {
        let shown = shown(&text);
        prop_assert!(shown.len() <= 2048);
        prop_assert!(!shown.contains(buffer::is_hidden));
        prop_assert_eq!(super::shown(&shown, |_, _| false), shown);
        host_port(&text);
    }

    #[test]
    fn any_pieces_are_shown(pieces in proptest::collection::vec(
        proptest::sample::select([IN_USER, IN_VALUE, &["https:", "host", "[::1]", "8080"]].concat()), 0..30,
    )) {
        let text = pieces.concat();
        let once = shown(&text);
        prop_assert!(!once.contains(buffer::is_hidden));
        prop_assert_eq!(&shown(&once), &once);
        if let Some(server) = host_port(&text) {
            prop_assert!(!server.host.contains('@'));
        }
    }

    #[test]
    fn no_user_information_and_no_value_survives(
        start in start(),
        user in around(IN_USER),
        host in "[a-z]{1,8}|\\[::1\\]",
        port in proptest::option::of(1..=9999_u16),
        path in "(/[a-zA-Z0-9@._~-]{0,6}){0,4}",
        query in proptest::collection::vec(("[a-z]{1,6}", around(IN_VALUE)), 0..5),
        separator in proptest::sample::select(["&", ";"].as_slice()),
        fragment in proptest::option::of(around(IN_VALUE)),
    ) {
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let query: Vec<_> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let query = if query.is_empty() { String::new() } else { format!("?{}", query.join(separator)) };
        let fragment = fragment.map(|fragment| format!("#{fragment}")).unwrap_or_default();
        let text = format!("{start}{user}@{host}{port}{path}{query}{fragment}");
        let shown = shown(&text);
        prop_assert!(!shown.contains(SECRET), "{}\n{}", text, shown);
        // A scheme with an invisible character is treated as a user name.
        let is_kept = shown.contains(&host) || shown.ends_with("@REDACTED") || start.contains(":\t");
        prop_assert!(is_kept, "{}\n{}", text, shown);
        if !start.contains("proxy") {
            let server = host_port(&text);
            prop_assert!(!line_of(server.as_ref()).contains(SECRET), "{}", text);
        }
    }

    #[test]
    fn a_plain_url_is_read_back(
        scheme in "[a-z][a-z0-9+.-]{0,5}",
        user in proptest::option::of("[a-z:%!]{0,9}"),
        host in "[a-z0-9][a-z0-9.-]{0,20}",
        port in proptest::option::of(1..=u16::MAX),
        path in "(/[a-zA-Z0-9@:._~-]{0,6}){0,4}",
        names in proptest::collection::vec("[A-Za-z0-9_.\\[\\]-]{1,40}", 0..5),
    ) {
        let user = user.map(|user| format!("{user}@")).unwrap_or_default();
        let after = port.map(|port| format!(":{port}")).unwrap_or_default();
        let query = |value: &str| {
            let all: Vec<_> = names.iter().map(|name| format!("{name}={value}")).collect();
            if all.is_empty() { String::new() } else { format!("?{}", all.join("&")) }
        };
        let text = format!("{scheme}://{user}{host}{after}{path}{}#x", query("value"));
        let read = host_port(&text).unwrap();
        prop_assert_eq!(read.host, &*host);
        if port.is_some() {
            prop_assert_eq!(read.port, port);
        }
        if !path.contains(":/") {
            let user = if user.is_empty() { "" } else { "REDACTED:REDACTED@" };
            let expected = format!("{scheme}://{user}{host}{after}{path}{}", query("REDACTED"));
            prop_assert_eq!(shown(&text), expected);
            prop_assert_eq!(shown(&shown(&text)), shown(&text));
        }
    }
}
