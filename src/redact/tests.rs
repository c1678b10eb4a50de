use proptest::prelude::*;

use super::mark::VISITED;
use super::*;

/// Letters, digits, hexadecimal digits or capitals, the same ones each time.
fn filler(kind: u8, length: usize) -> String {
    let set: &[u8] = match kind {
        b'h' => b"0a1b2c3d4e5f6978",
        b'u' => b"Q7WERT4YUPASDF2GHJK",
        _ => b"a1Bc2De3Fg4Hi5Jk6Lm7No8Pq9Rs0Tu",
    };
    set.iter()
        .cycle()
        .take(length)
        .map(|byte| char::from(*byte))
        .collect()
}

/// Fills in what the corpus abbreviates.
fn filled(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((head, tail)) = rest.split_once('<') {
        out += head;
        let body = tail.split_once('>').map(|(body, _)| body);
        let count = |body: &str| body.trim_start_matches(['h', 'u']).parse().ok();
        if let Some((body, count)) = body.and_then(|body| Some((body, count(body)?))) {
            out += &filler(body.bytes().next().unwrap(), count);
            rest = &tail[body.len() + 1..];
        } else {
            out.push('<');
            rest = tail;
        }
    }
    (out + rest)
        .replace("\\n", "\n")
        .replace("\\e", "\x1b")
        .replace("\\r", "\r")
}

fn corpus() -> Vec<(&'static str, String, String)> {
    let mut class = "";
    let mut cases = Vec::new();
    for line in include_str!("../../tests/corpus/redact.txt").lines() {
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            && !line.contains(" => ")
        {
            class = name;
        } else if !line.is_empty() && !line.starts_with('#') {
            let (input, expected) = line.rsplit_once(" => ").unwrap();
            let expected = if expected == "same" { input } else { expected };
            cases.push((class, filled(input), filled(expected)));
        }
    }
    cases
}

#[test]
fn the_corpus_holds_case_by_case() {
    let mut wrong = Vec::new();
    for (class, input, expected) in corpus() {
        let got = text(&input);
        if got != expected {
            wrong.push(format!(
                "[{class}] {input:?}\n   got {got:?}\n  want {expected:?}"
            ));
        }
        assert_eq!(matches!(got, Cow::Borrowed(_)), got == input, "{input}");
        assert!(got == input || !is_clean(input.as_bytes()), "{input}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_class_has_secrets_and_ordinary_text() {
    let cases = corpus();
    let classes: std::collections::BTreeSet<_> = cases.iter().map(|case| case.0).collect();
    assert!(classes.len() >= 18, "{classes:?}");
    for class in classes {
        let of_class = cases.iter().filter(|case| case.0 == class);
        let (clean, secret): (Vec<_>, Vec<_>) = of_class.partition(|case| case.1 == case.2);
        assert!(clean.len() >= 5 && secret.len() >= 5, "{class}");
    }
}

/// Lines as services write them, put together from parts by a fixed generator.
fn ordinary_lines(count: usize) -> Vec<String> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let nouns = [
        "request",
        "order",
        "content",
        "user",
        "author",
        "keyboard",
        "cache",
        "queue",
        "tokenizer",
        "signal",
        "session",
        "spinner",
        "skill",
        "npm",
        "hook",
        "basic plan",
        "bearer",
        "passenger",
        "design",
        "option",
        "tokens",
        "pinned post",
        "authority",
        "secretary",
        "ghost",
        "risk",
    ];
    let verbs = [
        "created",
        "updated",
        "skipped",
        "is ready",
        "took long",
        "was retried",
        "failed",
    ];
    (0..count)
        .map(|_| {
            let noun = nouns[next(nouns.len() as u64) as usize];
            let verb = verbs[next(verbs.len() as u64) as usize];
            let (a, b, c) = (next(1 << 31), next(1 << 31), next(100_000));
            match next(16) {
                0 => format!("{noun} {verb} in {c} ms"),
                1 => format!("GET /api/content/{a} 200 {}.{:03} ms, was it {c}? yes", c % 90, c % 1000),
                2 => format!("{noun} {verb}: no such file or directory (os error {})", c % 130),
                3 => format!("trace_id={a:016x}{b:016x} span={b:016x} {verb}"),
                4 => format!("{{\"id\":{a},\"kind\":\"{noun}\",\"total_tokens\":{c},\"ok\":true}}"),
                5 => format!("{}-{:02}-{:02}T12:30:{:02}.{:06}Z {noun} {verb}", 2000 + c % 99, c % 12 + 1, c % 28 + 1, c % 60, c),
                6 => format!("connected to http://10.0.{}.{}:{}/health", c % 255, a % 255, 1024 + c % 9000),
                7 => format!("user {a}@example.com {verb} {noun} \"{noun} {c}\""),
                8 => format!("{a:08x}-{:04x}-4{:03x}-a{:03x}-{b:012x} {noun} {verb}", c % 65536, c % 4096, a % 4096),
                9 => format!("my_crate::{}::handle: {noun} {verb}, attempt={}", noun.replace(' ', "_"), c % 9),
                10 => format!("ratio 0.{a}{b} of {c} {noun} items"),
                11 => format!("SELECT id, title FROM content WHERE author = $1 AND n > {c}"),
                12 => format!("thread 'main' panicked at src/{}.rs:{c}:{}: index out of bounds", noun.replace(' ', "_"), c % 80),
                13 => format!("max_tokens={c} temperature=0.{} model=large-{} {verb}", c % 10, c % 9),
                14 => format!("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.{} (KHTML, like Gecko) Chrome/{}.0.{}.{} Safari/537.36", c % 99, c % 140, a % 9999, b % 999),
                _ => format!("order {} of {} shipped to box {}", a * 1_000_003 + b, c, b),
            }
        })
        .collect()
}

#[test]
fn ordinary_lines_stay_as_they_are() {
    let lines = ordinary_lines(10_000);
    let changed: Vec<_> = lines
        .iter()
        .filter(|line| matches!(text(line), Cow::Owned(_)))
        .collect();
    assert!(
        changed.len() <= lines.len() / 1000,
        "{} changed: {changed:#?}",
        changed.len()
    );
}

#[test]
fn queries_keep_their_names() {
    let cases: [(&str, &[&str], &str); 9] = [
        ("", &[], ""),
        ("a=1&b=2", &[], "a=REDACTED&b=REDACTED"),
        ("page=2&q=secret words", &["page"], "page=2&q=REDACTED"),
        (
            "token=abc&password=x",
            &["token", "password"],
            "token=REDACTED&password=REDACTED",
        ),
        ("flag&a=&b=1", &["b"], "flag&a=&b=1"),
        ("Zm9vYmFyYmF6", &[], "REDACTED"),
        (
            "page=ghp_a1Bc2De3Fg4Hi5Jk6Lm7No8Pq9Rs0Tu",
            &["page"],
            "page=REDACTED",
        ),
        ("x=a=b&&=", &[], "x=REDACTED&&="),
        (
            "ghp_a1Bc2De3Fg4Hi5Jk6Lm7No8Pq9Rs0Tu=1",
            &[],
            "REDACTED=REDACTED",
        ),
    ];
    for (input, allowed, expected) in cases {
        let rules = allowing(allowed);
        rules.within(|| assert_eq!(query(input), expected));
    }
}

fn allowing(names: &[&str]) -> RedactionRules {
    RedactionRules::new(&RedactConfig {
        allow_query: names.iter().map(|name| (*name).to_owned()).collect(),
        ..RedactConfig::default()
    })
}

#[test]
fn a_host_extends_keys_and_paths_and_allows_names() {
    let rules = RedactionRules::new(&RedactConfig {
        keys: vec!["tenant_pin_hash".into(), "Ticket".into(), "userName".into()],
        paths: vec![
            "/invites/{token}".parse().unwrap(),
            "/u/*/files/{*path}".parse().unwrap(),
        ],
        allow_query: ["offset", "page", "state", "token", "ticket", "next"]
            .map(str::to_owned)
            .into(),
    });
    let cases = [
        (
            "ticket=abc casTicket=def",
            "ticket=[Filtered] casTicket=[Filtered]",
        ),
        ("ticket_count=3 tickets=4", "same"),
        ("user-name: bob", "user-name: [Filtered]"),
        (
            r#"{"tenantPinHash":"x","tenant":"y"}"#,
            r#"{"tenantPinHash":"[Filtered]","tenant":"y"}"#,
        ),
        (
            "GET /v1/invites/abc/accept",
            "GET /v1/invites/REDACTED/accept",
        ),
        (
            "/u/7/files/a/b.txt and /u/7/photos/a",
            "/u/7/files/REDACTED and /u/7/photos/a",
        ),
        (
            "at https://h/x?offset=-1&page=2&q=3",
            "at https://h/x?offset=-1&page=2&q=REDACTED",
        ),
        (
            "/x?state=open&token=abc&ticket=1",
            "/x?state=open&token=REDACTED&ticket=REDACTED",
        ),
        ("/cb?state=af0ifjsldkj", "/cb?state=REDACTED"),
        (
            "/x?page=ghp_a1Bc2De3Fg4Hi5Jk6Lm7No8Pq9Rs0Tu",
            "/x?page=REDACTED",
        ),
        (
            "/x?next=https://u:p@h/?a=b&Page=2",
            "/x?next=REDACTED&Page=REDACTED",
        ),
        ("/x%3Fpage%3D2%26q%3D3", "/x%3Fpage%3D2%26q%3DREDACTED"),
        ("/invites/abc?page=2", "/invites/REDACTED?page=2"),
    ];
    rules.within(|| {
        for (input, expected) in cases {
            let expected = if expected == "same" { input } else { expected };
            let once = text(input).into_owned();
            assert_eq!(once, expected);
            assert_eq!(text(&once), once);
            assert_eq!(is_clean(input.as_bytes()), input == expected, "{input}");
        }
        assert!(is_sensitive_key("ticket") && is_sensitive_key("username"));
        assert_eq!(value("ticket", "x"), FILTERED);
        assert_eq!(path("/a/invites/b"), "/a/invites/REDACTED");
        assert_eq!(
            query("page=2&state=xyz&state=Xyz1&token=a"),
            "page=2&state=xyz&state=REDACTED&token=REDACTED"
        );
    });
    assert!(!is_sensitive_key("ticket"));
    assert_eq!(text("/invites/abc?page=2"), "/invites/abc?page=REDACTED");
}

#[test]
fn paths_and_values_by_key() {
    let token = "ghp_a1Bc2De3Fg4Hi5Jk6Lm7No8Pq9Rs0Tu";
    assert_eq!(
        path(&format!("/reset/{token}/done")),
        "/reset/REDACTED/done"
    );
    assert_eq!(path("http://u:p@host/x"), "http://REDACTED:REDACTED@host/x");
    assert_eq!(path("/x;password=a/b"), "/x;password=REDACTED");
    assert_eq!(path("/api/content/17"), "/api/content/17");
    assert_eq!(value("db.password", "a b"), FILTERED);
    assert_eq!(value("password", "true"), "true");
    assert_eq!(value("note", &format!("is {token}")), "is [Filtered]");
}

/// Secrets, their beginnings and their surroundings.
const FRAGMENTS: &[&str] = &[
    "password",
    "token",
    "cookie",
    "authorization",
    "=",
    ":",
    " ",
    "\"",
    "'",
    "[",
    "]",
    "[Filtered]",
    "REDACTED",
    "REDACTED:REDACTED",
    "@",
    "//",
    "http://",
    "Bearer ",
    "Basic ",
    "dXNlcjpwYXNz",
    "eyJhbGciOiJIUzI1NiJ9.",
    "eyJzdWIiOiIxMjM0NTY3ODkwIn0",
    "ghp_a1Bc2De3Fg4Hi5Jk6Lm7No8Pq9Rs0Tu",
    "4111111111111111",
    "-",
    "_",
    ".",
    ",",
    ";",
    "&",
    "%3D",
    "%",
    "\\",
    "\\n",
    "\n",
    "(",
    ")",
    "{",
    "}",
    "ä",
    "€",
    "=>",
    "==",
    "::",
    "-----BEGIN PRIVATE KEY-----",
    "-----END X-----",
    "hooks.slack.com/services/T00000000/B00000000/",
    "sk-",
    "AKIAIOSFODNN7EXAMPLE",
    "Some(",
    "null",
    "Digest ",
    "?",
    "#",
    "?a=",
    "?b=",
    "&c=",
    "&amp;",
    "&quot;",
    "%3F",
    "%26",
    "%2F%2F",
    "%40",
    "https%3A",
    "/hooks/",
    "/webhookb2/",
    "/reset/",
    "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
    "123456789:AAE1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q",
    "bot",
    "code=",
    "state=",
    "--password ",
    "--token",
    " -u ",
    "@tcp(",
    "host:5432",
    "\\/",
    "\\u0026",
    "\\u003d",
    "…",
    "”",
    "`",
    "\x1b[0m",
    "#/",
    "Token(",
    "Token { value: ",
    "<token>",
    "</token>",
    "name=\"token\"\r\n\r\n",
    "PASSWORD '",
    "mysql ",
    " -p",
    "redis-cli -a ",
    "token: |\n  ",
    "\n  ",
    "s.",
    "&\n ",
    "\x1b[1;3m",
    "\\x1b[2m",
    "<",
    ">",
];

/// Text in which secrets, their beginnings and their surroundings meet by chance.
fn fragments() -> impl Strategy<Value = String> {
    proptest::collection::vec(
        prop_oneof![
            proptest::sample::select(FRAGMENTS).prop_map(str::to_owned),
            "[a-zA-Z0-9]{0,6}"
        ],
        0..24,
    )
    .prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn scrubbing_twice_changes_nothing(input in prop_oneof![fragments(), "\\PC{0,80}", ".{0,80}"]) {
        let once = text(&input).into_owned();
        prop_assert_eq!(&text(&once), &once);
        let once = path(&input).into_owned();
        prop_assert_eq!(&path(&once), &once);
        let once = value("note", &input).into_owned();
        prop_assert_eq!(&value("note", &once), &once);
        allowing(&["a", "note"]).within(|| {
            let once = query(&input).into_owned();
            prop_assert_eq!(&query(&once), &once);
            let once = text(&input).into_owned();
            prop_assert_eq!(&text(&once), &once);
            Ok(())
        })?;
    }

    #[test]
    fn any_bytes_are_taken(input in proptest::collection::vec(any::<u8>(), 0..200)) {
        let input = String::from_utf8_lossy(&input);
        let scrubbed = text(&input);
        prop_assert!(scrubbed.len() <= input.len() * 20 + 20);
        is_sensitive_key(&input);
    }
}

/// Text that may cause a repeated search, once for each occurrence in a text.
const PARTS: &[&str] = &[
    "<token><![CDATA[",
    "<token><![CDATA[a",
    "<token>",
    "eyJa-",
    "//a:b/",
    "a=",
    "a:",
    "SG.a-",
    "-----BEGIN A",
    "4 ",
    "4111 ",
    "token[",
    "Basic aaaa",
    "Bearer a",
    "\"a\":\"",
    "token=(",
    "cookie: a=1; ",
    "%3D",
    "[[",
    "]]",
    "%",
    "\\",
    "sk-",
    "x]=",
    "?",
    "?a",
    "?a=",
    "?a=b&",
    "?a=b;",
    "?a=;b",
    "?a=(",
    "?a=)",
    "?a=,b",
    "?a=\\",
    "\\",
    "#",
    "#a",
    "/?",
    "/?a",
    "%3F",
    "%3Fa%3D",
    "%252",
    "%25",
    "%2F",
    "%2F%2F",
    "%2F%2Fa%40",
    "/reset/",
    "/reset/a",
    "/reset/a1Bc2De3Fg4Hi5Jk6/",
    "//hc-ping.com/",
    "@",
    "a:b@",
    "a:b@h:1",
    "oracle:thin:a@",
    "12345678:",
    "12345678:A",
    "--",
    "--password",
    "--password ",
    "--token \"",
    "code=",
    "code=(",
    "code=\"",
    "code=a&",
    "&code=",
    " -u a:",
    "\\u0026",
    "\\u003",
    "\\/",
    "…",
    "\x1b[0m",
    "\x1b[1;3mtoken\x1b[0m=",
    "\x1b[",
    "?a=<",
    "Token(\"",
    "Token { value: \"",
    "<token>",
    "<token ",
    "</token>",
    "name=\"token\"\n",
    "\ncontent-a",
    "PASSWORD '",
    "mysql ",
    "mysql -p",
    "sshpass -p ",
    "redis-cli \"-a",
    "token: |\n  ",
    "\n  a",
    "s.",
    "#/a?b=",
    "&\n",
    "&\n a",
];

#[test]
fn what_is_read_around_marks_is_read_about_once() {
    for (first, second) in PARTS
        .iter()
        .flat_map(|one| PARTS.iter().map(move |two| (one, two)))
    {
        let pair = format!("{first}{second}");
        let input = pair.repeat(4096 / pair.len() + 1);
        VISITED.set(0);
        is_clean(input.as_bytes());
        let read = VISITED.get();
        assert!(
            read <= input.len() * 4,
            "{pair:?}: {read} of {}",
            input.len()
        );
    }
}

#[test]
fn the_rest_of_a_text_full_of_secrets_is_replaced_as_a_whole() {
    let scrubbed = text(&"?a=b ".repeat(1000)).into_owned();
    assert!(
        scrubbed.len() < 5000 && scrubbed.ends_with(FILTERED),
        "{scrubbed}"
    );
    assert!(!scrubbed.contains("=b"), "{scrubbed}");
    let few = text(&"?a=b ".repeat(60)).into_owned();
    assert_eq!(few, "?a=REDACTED ".repeat(60));
}

/// The processor time of this thread, which other work on the machine does not add to. The standard library cannot read
/// it, and `rustix`, which can, is a dependency with its clocks on Linux only. The code under test has no part that
/// depends on the system, so one system is enough.
#[cfg(target_os = "linux")]
fn thread_time() -> std::time::Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    std::time::Duration::try_from(time).unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn the_time_is_linear_in_the_length() {
    for part in PARTS {
        let cost = |count: usize| {
            let input = part.repeat(count);
            let once = || {
                let start = thread_time();
                std::hint::black_box(text(&input));
                thread_time().saturating_sub(start)
            };
            // Cold caches can only increase the time, so the minimum counts.
            (0..3).map(|_| once()).min().unwrap_or_default()
        };

        let (small, large) = (cost(1000), cost(16_000));
        // Sixteen times the text; a square would be 256 times the time.
        assert!(
            large < small * 100 + std::time::Duration::from_millis(50),
            "{part}: {small:?}, {large:?}"
        );
    }
}
