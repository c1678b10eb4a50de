//! Arbitrary texts as statements of each dialect: the output is bounded and contains no literal.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../../src/db/statement/mod.rs"]
mod statement;

use statement::{Dialect, NormalizedStatement};

const DIALECTS: [Dialect; 6] = [
    Dialect::Postgresql,
    Dialect::Mysql,
    Dialect::Sqlite,
    Dialect::SqlServer,
    Dialect::Other,
    Dialect::Unknown,
];
/// A text in literals and comments, and nowhere else.
const SECRET: &str = "zqsecret";
/// Statements with a place for a literal.
const AROUND: [(&str, &str); 6] = [
    ("SELECT * FROM a WHERE b = ", " AND c = 1"),
    ("INSERT INTO a (b, c) VALUES (1, ", "), (2, 'x')"),
    ("UPDATE a SET b = ", " WHERE c IN (1, 2)"),
    ("SELECT lower(", ") FROM a"),
    ("WITH a AS (SELECT ", ") SELECT * FROM a"),
    ("CALL a(", ")"),
];

/// Statements with a place for an unquoted secret.
const ANNOUNCED: [(&str, &str); 8] = [
    ("CREATE USER a IDENTIFIED BY ", " ACCOUNT UNLOCK"),
    ("ALTER USER a IDENTIFIED BY b REPLACE ", ""),
    ("GRANT ALL ON a TO b IDENTIFIED BY ", " WITH GRANT OPTION"),
    ("CREATE ROLE a WITH PASSWORD = ", ", LOGIN"),
    (
        "CREATE DATABASE LINK a CONNECT TO b IDENTIFIED BY ",
        " USING 'x'",
    ),
    ("ALTER USER a IDENTIFIED VIA b USING ", ""),
    ("SET PASSWORD FOR a = ", ""),
    ("VALIDATE USER a PASSWORD ", "; SELECT 1"),
];

fuzz_target!(|data: &[u8]| {
    let [which, data @ ..] = data else { return };
    let dialect = DIALECTS[usize::from(*which) % DIALECTS.len()];
    let text = String::from_utf8_lossy(data);
    // Some are so long that only a part is read.
    let text = text.repeat(if *which < 240 { 1 } else { 80 });
    bounded(&text, dialect);
    command(&text);
    let (before, after) = AROUND[usize::from(*which / 6) % AROUND.len()];
    let quoted = planted(&text, dialect);
    let quoted = quoted
        .iter()
        .map(|planted| format!("{before}{planted}{after}"));
    let (before, after) = ANNOUNCED[usize::from(*which / 6) % ANNOUNCED.len()];
    let bare = format!("{before}{}{after}", bare(&text));
    for whole in quoted.chain([bare]) {
        let read = bounded(&whole, dialect);
        assert!(
            !read.text.contains(SECRET),
            "{dialect:?}: {whole:?} is {:?}",
            read.text
        );
        assert!(
            !read.summary.contains(SECRET),
            "{dialect:?}: {whole:?} is {:?}",
            read.summary
        );
    }
});

fn bounded(text: &str, dialect: Dialect) -> NormalizedStatement {
    let read = NormalizedStatement::read(text, dialect);
    assert!(read.text.len() <= 2048);
    assert!(read.summary.len() <= 255);
    assert!(!read.text.contains(is_hidden), "{:?}", read.text);
    assert!(!read.summary.contains(is_hidden), "{:?}", read.summary);
    assert_eq!(read, NormalizedStatement::read(text, dialect));
    if !read.text.contains('…') {
        // The output has a space in place of removed text, and reading it again sees a space; likewise, a placeholder after
        // an `@` becomes a part of an operator of PostgreSQL.
        let again = NormalizedStatement::read(&read.text, dialect);
        let third = NormalizedStatement::read(&again.text, dialect);
        assert_eq!(third.text, again.text, "{dialect:?}: {text:?}");
        let is_odd = |c: char| is_hidden(c) && !matches!(c, '\t' | '\n' | '\r');
        if !text.contains(is_odd) && !read.text.contains("@?") {
            assert_eq!(again.text, read.text, "{dialect:?}: {text:?}");
        }
    }
    read
}

fn is_hidden(c: char) -> bool {
    let is_mark = |c| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || is_mark(c)
}

/// Only the name of a command is kept.
fn command(text: &str) {
    let read = NormalizedStatement::command(text);
    let name = &*read.summary;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    assert!(name.len() <= 32 && name.bytes().all(is_plain), "{name:?}");
    assert!(read.text.is_empty() && read.collection.is_none());
    assert_eq!(read.operation, read.summary);
    for with_more in [
        format!("{name} {text}"),
        format!(" {}\n{SECRET}", name.to_ascii_lowercase()),
    ] {
        // A text that follows no name is one itself.
        if !name.is_empty() {
            let more = NormalizedStatement::command(&with_more);
            assert_eq!(read.digest, more.digest, "{with_more:?}");
            assert_eq!(name.to_ascii_lowercase(), more.summary.to_ascii_lowercase());
        }
    }
}

/// The text without these characters and without the secret.
fn without(text: &str, characters: &[char]) -> String {
    let mut text = text.replace(characters, "");
    while text.contains(SECRET) {
        text = text.replace(SECRET, "");
    }
    text
}

/// The secret as a word of the text.
fn bare(text: &str) -> String {
    let word: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("p{}{SECRET}{}", without(&word, &[]), without(&word, &[]))
}

/// Literals and comments of the dialect that contain a text.
fn planted(text: &str, dialect: Dialect) -> Vec<String> {
    let text = without(text, &[]);
    // Dialects in which a backslash escapes, or may escape.
    let escaped = match dialect {
        Dialect::Mysql => text.replace('\\', "\\\\"),
        Dialect::Other | Dialect::Unknown => without(&text, &['\\']),
        _ => text.clone(),
    };
    let quoted = escaped.replace('\'', "''");
    let words = without(&text, &['*', '/']);
    let line = without(&text, &['\n', '\r']);
    let mut planted = vec![
        format!("'{quoted}{SECRET}{quoted}'"),
        format!("/* {words} {SECRET} {words}*/ 1"),
        format!("1 -- {line}{SECRET}\n"),
    ];
    match dialect {
        Dialect::Postgresql => {
            let escaped = text.replace('\\', "\\\\").replace('\'', "\\'");
            planted.push(format!("E'{escaped}{SECRET}'"));
            let tagged = without(&text, &['$']);
            planted.push(format!("$q${tagged}{SECRET}{tagged}$q$"));
        }
        Dialect::Mysql => {
            let doubled = text.replace('\\', "\\\\").replace('"', "\"\"");
            planted.push(format!("\"{doubled}{SECRET}\""));
            planted.push(format!("1 # {line}{SECRET}\n"));
        }
        Dialect::SqlServer => planted.push(format!("N'{quoted}{SECRET}'")),
        Dialect::Unknown => {
            let doubled = without(&text, &['\\']).replace('"', "\"\"");
            planted.push(format!("\"{doubled}{SECRET}\""));
        }
        Dialect::Sqlite | Dialect::Other => {}
    }
    planted
}
