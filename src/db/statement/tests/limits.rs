use proptest::prelude::*;

use super::super::normalize::Normalizer;
use super::super::scan::SqlScanner;
use super::super::summary::SummaryBuilder;
use super::super::text::{OutputText, is_control};
use super::super::{Dialect, MAX_TEXT, NormalizedStatement};
use super::{ALL, digest, text};

fn check(sql: &str, dialect: Dialect) -> NormalizedStatement {
    let read = NormalizedStatement::read(sql, dialect);
    assert!(read.text.len() <= 2048, "{}", read.text.len());
    assert!(read.summary.len() <= 255);
    assert!(!read.text.chars().any(is_control));
    assert!(!read.summary.chars().any(is_control));
    read
}

#[test]
fn adjacent_signs_do_not_become_a_comment() {
    // In MySQL two signs open a comment only before a blank.
    let sql = "SELECT 1---2, ---GCT FROM t";
    let read = text(sql, Dialect::Mysql);
    assert!(read.contains("- - -GCT FROM t"), "{read}");
    assert_eq!(text(&read, Dialect::Mysql), read);
}

#[test]
fn only_the_name_of_a_command_is_kept() {
    for sql in [
        "SET user:secret secret",
        " set\tsecret",
        "set",
        "Set\0secret",
        "AUTH ada secret",
        "hello 3 AUTH ada secret",
        "ACL SETUSER ada >secret",
        "CONFIG SET requirepass secret",
    ] {
        let read = NormalizedStatement::command(sql);
        let name = sql.split_ascii_whitespace().next().unwrap();
        let name = name.split('\0').next().unwrap();
        assert_eq!(
            (&*read.summary, &*read.operation, &*read.text),
            (name, name, "")
        );
        // The case of its letters is kept, and does not change the digest.
        let upper = NormalizedStatement::command(&name.to_uppercase());
        assert_eq!(read.digest, upper.digest);
    }
    assert_ne!(
        NormalizedStatement::command("SET").digest,
        NormalizedStatement::command("GET").digest
    );
    assert_eq!(
        NormalizedStatement::command(&"x".repeat(99)).summary.len(),
        32
    );
    for text in [
        "\u{e9}secret",
        "*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n",
        "{ \"createUser\": \"ada\", \"pwd\": \"secret\" }",
    ] {
        assert_eq!(&*NormalizedStatement::command(text).summary, "");
    }
    let mongo = NormalizedStatement::command("db.createUser({ user: \"ada\", pwd: \"secret\" })");
    assert_eq!(&*mongo.summary, "db.createUser");
}

#[test]
fn names_given_by_a_caller_are_bounded() {
    let read = NormalizedStatement::named("findAndModify", "orders");
    assert_eq!(
        (&*read.operation, read.collection.as_deref(), &*read.summary),
        ("findAndModify", Some("orders"), "findAndModify orders")
    );
    let alone = NormalizedStatement::named("ping", "");
    assert_eq!((&*alone.summary, alone.collection), ("ping", None));
    let long = NormalizedStatement::named("a\nb", &"é".repeat(100));
    assert_eq!(&*long.operation, "a b");
    assert_eq!(long.collection.map(|name| name.len()), Some(128));
    assert_ne!(
        NormalizedStatement::named("a", "b").digest,
        NormalizedStatement::named("a b", "").digest
    );
}

#[test]
fn an_empty_statement_has_no_text_and_no_summary() {
    for sql in ["", " \n", ";", "-- a", "/* a */ ;", "\u{0}"] {
        for dialect in ALL {
            let read = check(sql, dialect);
            assert_eq!(
                (&*read.text, &*read.summary, &*read.operation),
                ("", "", ""),
                "{sql}"
            );
            assert_eq!(read.digest, digest("", dialect));
        }
    }
}

#[test]
fn a_long_text_is_cut_between_tokens() {
    let columns: String = (0..600).map(|n| format!("column_{n}, ")).collect();
    let sql = format!("SELECT {columns}z FROM t");
    let read = check(&sql, Dialect::Postgresql);
    assert!(
        read.text.len() > 2000 && read.text.ends_with('…'),
        "{}",
        read.text
    );
    assert_eq!(&*read.summary, "SELECT t");
    // The part cut from the text is still in the digest.
    assert_ne!(
        read.digest,
        digest(&sql.replace("z FROM", "y FROM"), Dialect::Postgresql)
    );
    let name = format!("SELECT \"{}\"", "é".repeat(1200));
    assert_eq!(&*check(&name, Dialect::Postgresql).text, "SELECT…");
    let exact = format!("SELECT {}", "x".repeat(MAX_TEXT - 8));
    assert!(!check(&exact, Dialect::Postgresql).text.ends_with('…'));
}

#[test]
fn the_text_after_a_long_list_is_in_the_output() {
    let list = vec!["'x'"; 3000].join(", ");
    let sql = format!("SELECT a FROM t WHERE b IN ({list}) AND c IN ({list}) AND d");
    let text = text(&sql, Dialect::Postgresql);
    assert_eq!(&*text, "SELECT a FROM t WHERE b IN (?) AND c IN (?) AND d");
    let rows = vec!["(1, 'x')"; 3000].join(", ");
    let sql = format!("INSERT INTO t VALUES {rows} RETURNING id");
    let text = super::text(&sql, Dialect::Postgresql);
    assert_eq!(&*text, "INSERT INTO t VALUES (?, ?) RETURNING id");
}

#[test]
fn a_summary_is_cut_at_a_word() {
    let tables: Vec<String> = (0..40).map(|n| format!("\"table no {n}\"")).collect();
    let sql = format!("SELECT * FROM {}", tables.join(", "));
    let read = check(&sql, Dialect::Postgresql);
    assert!(
        read.summary.len() > 230 && read.summary.ends_with('"'),
        "{}",
        read.summary
    );
}

#[test]
fn a_token_cut_at_64_kib_is_left_out() {
    for dialect in ALL {
        for tail in 0..12 {
            let start = format!(
                "INSERT INTO t VALUES (1, '{}",
                "x".repeat(65_536 - 30 - tail)
            );
            let sql = format!("{start}secret secret secret'), (2, 'secret')");
            let read = check(&sql, dialect);
            assert!(
                !read.text.contains("secret") && !read.text.contains('x'),
                "{}",
                read.text
            );
        }
        let accents = format!("SELECT '{}' FROM t", "é".repeat(40_000));
        assert_eq!(&*check(&accents, dialect).text, "SELECT ?…");
        let name = format!("SELECT a FROM t,{}users", " ".repeat(65_536 - 18));
        assert_eq!(&*check(&name, dialect).summary, "SELECT t");
    }
}

#[test]
fn a_list_beyond_the_read_limit_has_the_digest_of_a_short_one() {
    let rows = |n: usize| {
        format!(
            "INSERT INTO t (a, b) VALUES (1, 'x'){}",
            ", (2, 'y')".repeat(n)
        )
    };
    let many = NormalizedStatement::read(&rows(50_000), Dialect::Postgresql);
    assert_eq!(many.digest, digest(&rows(1), Dialect::Postgresql));
    assert_eq!(&*many.text, "INSERT INTO t (a, b) VALUES (?, ?)…");
    for pad in 0..14 {
        let sql = format!("{}{}", " ".repeat(pad), rows(50_000));
        assert_eq!(digest(&sql, Dialect::Postgresql), many.digest, "{pad}");
    }
    let list = |n: usize, pad: usize| {
        format!(
            "SELECT a FROM t WHERE{} b IN (1{})",
            " ".repeat(pad),
            ", 22".repeat(n)
        )
    };
    let first = NormalizedStatement::read(&list(50_000, 1), Dialect::Postgresql);
    assert_eq!(&*first.text, "SELECT a FROM t WHERE b IN (?…");
    for pad in 2..8 {
        assert_eq!(
            digest(&list(60_000, pad), Dialect::Postgresql),
            first.digest
        );
    }
}

#[test]
fn names_have_no_control_characters() {
    let read = check(
        "SELECT \"a\u{1b}[0m\u{202e}\" FROM \"x\ny\", z\u{85}z",
        Dialect::Postgresql,
    );
    assert_eq!(&*read.text, "SELECT \"a [0m \" FROM \"x y\", z z");
    assert_eq!(&*read.summary, "SELECT \"x y\" z z");
}

/// Reads a whole text of any length.
fn read_whole(sql: &str, dialect: Dialect) -> usize {
    let mut tokens = SqlScanner::new(sql, dialect);
    let mut digest = Normalizer::new(dialect, OutputText::new(sql.len(), MAX_TEXT));
    let mut summary = SummaryBuilder::new(dialect);
    let mut count = 0;
    while let Some(token) = tokens.next() {
        summary.token(&token);
        digest.token(token);
        count += 1;
    }
    digest.finish(false);
    summary.finish(false);
    count
}

/// Pieces that could make a careless reader scan the input repeatedly.
const HOSTILE: &[&str] = &[
    "/*",
    "/* ",
    "*/",
    "/*!",
    "$a$b$c ",
    "$a",
    "$",
    "$$",
    "'",
    "''",
    "\"",
    "`",
    "[",
    "[[",
    "(",
    "IN (",
    "IN (1,",
    "VALUES (",
    "VALUES (1),",
    "ARRAY[",
    "- ",
    "=+",
    "--",
    "E'\\",
    "\\'",
    "q'[",
    "WITH a AS (",
    "WITH a AS (SELECT 1), ",
    "FROM a,",
    "1e",
    "COPY session_token\"x\"",
    "CONNECT\"a\";",
    "PASSWORD(",
    "PASSWORD'",
    "ALTER USER a IDENTIFIED BY (",
];
/// More such pieces, which are read in fewer combinations.
const ODD: &[&str] = &[
    "' ",
    "\"\"",
    "]",
    ")",
    "()",
    "(1,",
    "((1,2),",
    "(1),",
    "[1,",
    "-",
    "+-",
    "#",
    ";",
    "; ;",
    ",",
    ".",
    "a.",
    "..",
    "?",
    "?|",
    "@",
    "@@",
    ":",
    "::",
    ":a",
    "\\",
    "q'",
    "U&'",
    "0x",
    "1.",
    "1_",
    ".1",
    "a",
    "a ",
    "é",
    "\u{0}",
    "FROM ",
    "JOIN ",
    "SELECT ",
    "SELECT a FROM b ",
    "UNION ",
    "NULL ",
    "CREATE ",
    "CREATE TABLE ",
    "EXEC ",
    "BEGIN; ",
    "PASSWORD ",
    "PASSWORD (",
    "ALTER USER a IDENTIFIED BY b, ",
    "SET PASSWORD = a ",
    "EXEC p a, ",
    "CONNECT a/b ",
    "[a] ",
    "N'a' ",
    "'a' ",
    "1 ",
    "<>",
    "~-",
    "|",
    "&-",
];

#[test]
fn a_mebibyte_of_anything_is_read() {
    for kind in HOSTILE {
        let sql = kind.repeat((1 << 20) / kind.len());
        assert!(read_whole(&sql, Dialect::Postgresql) <= sql.len());
    }
}

#[test]
fn repeated_pieces_are_read_in_linear_time_in_every_dialect() {
    for kind in HOSTILE.iter().chain(ODD) {
        for dialect in ALL {
            for start in ["", "SELECT * FROM a WHERE b IN (1, ", "WITH a AS (SELECT "] {
                check(
                    &(start.to_owned() + &kind.repeat(6_000 / kind.len())),
                    dialect,
                );
            }
            check(&kind.repeat(20_000 / kind.len()), dialect);
        }
    }
}

#[test]
fn a_dollar_tag_with_many_near_matches_is_searched_once() {
    let tag = "t".repeat(32_000);
    let sql = format!("${tag}${}", format!("${tag}x").repeat(30));
    assert_eq!(&*text(&sql, Dialect::Postgresql), "?…");
}

proptest! {
    #[test]
    fn any_text_is_read(
        sql in prop_oneof![
            "[ -~\n\té…]{0,80}",
            "[-'\"$a/*()\\[\\]IN,;1?: ]{0,60}",
            proptest::collection::vec(any::<char>(), 0..40).prop_map(String::from_iter),
        ],
        of in 0_usize..5,
    ) {
        check(&sql, ALL[of]);
    }

    #[test]
    fn words_in_any_order_are_read(
        words in proptest::collection::vec(proptest::sample::select(vec![
            "SELECT", "FROM", "WITH", "AS", "(", ")", ",", ".", "IN", "VALUES", "ROW", "a", "\"b\"", "[c]", "1", "'x'",
            "-", "NULL", "UPDATE", "DELETE", "INSERT", "INTO", "CREATE", "TABLE", "FUNCTION", "EXEC", "COPY", "ON",
            "EXPLAIN", "USING", "JOIN", "MERGE", ";", "::", "=", "GRANT", "UNION", "ONLY", "?", "$1", "$$", "/*", "*/",
            "--", "\n", "DATE", "[", "]", "SET", "NOT", "IS", "TRUE", "E'", "\\", "'", "TOP", "RECURSIVE", "USER",
            "ALTER", "PASSWORD", "IDENTIFIED", "BY", "REPLACE", "CONNECT", "PRAGMA", "STATISTICS", "ALL", "FIRST", "WHEN",
            "TRANSACTION", "BEGIN", "NEXT", "VALUE", "FOR", "LOAD", "@link", "{", "}", "`", "a/b",
        ]), 0..40),
        of in 0_usize..5,
        glue in proptest::sample::select(vec![" ", ""]),
    ) {
        check(&words.join(glue), ALL[of]);
    }
}
