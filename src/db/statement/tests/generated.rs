//! Statements composed of pieces, written in several ways.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::super::{Dialect, NormalizedStatement};
use super::{ALL, digest, text};

/// Values that must be in no text and no summary.
const SECRET: &str = "zqsecret";
const NUMBER: &str = "42424242";

#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Keyword(&'static str),
    Name(&'static str),
    /// Written as it is.
    Sign(&'static str),
    Literal,
    /// Literals with commas.
    List,
    /// Rows with this many literals each.
    Rows(usize),
}
use Piece::{Keyword, List, Literal, Name, Rows, Sign};

fn name() -> impl Strategy<Value = Piece> {
    select(vec!["alpha", "b2", "Gamma", "delta_x", "o.total", "s.t"]).prop_map(Name)
}

fn condition() -> impl Strategy<Value = Vec<Piece>> {
    let operator = select(vec!["=", "<>", "<=", ">", "||", "+", "-", "*"]).prop_map(Sign);
    let simple = prop_oneof![
        (name(), operator).prop_map(|(a, op)| vec![a, op, Literal]),
        name().prop_map(|a| vec![a, Keyword("IN"), Sign("("), List, Sign(")")]),
        name().prop_map(|a| vec![a, Keyword("NOT"), Keyword("LIKE"), Literal]),
        name().prop_map(|a| vec![a, Keyword("BETWEEN"), Literal, Keyword("AND"), Literal]),
        name().prop_map(|a| vec![a, Keyword("IS"), Keyword("NOT"), Keyword("NULL")]),
        name().prop_map(|a| vec![
            Name("coalesce"),
            Sign("("),
            a,
            Sign(","),
            Literal,
            Sign(")"),
            Sign("="),
            Literal
        ]),
        name().prop_map(|a| vec![
            Keyword("CASE"),
            Keyword("WHEN"),
            a,
            Sign("="),
            Literal,
            Keyword("THEN"),
            Literal,
            Keyword("ELSE"),
            Literal,
            Keyword("END")
        ]),
    ];
    simple.prop_recursive(3, 24, 2, |inner| {
        prop_oneof![
            (inner.clone(), select(vec!["AND", "OR"]), inner.clone()).prop_map(|(a, word, b)| {
                [vec![Sign("(")], a, vec![Keyword(word)], b, vec![Sign(")")]].concat()
            }),
            (name(), name(), inner).prop_map(|(a, table, c)| {
                let start = vec![
                    a,
                    Keyword("IN"),
                    Sign("("),
                    Keyword("SELECT"),
                    Name("id"),
                    Keyword("FROM"),
                    table,
                    Keyword("WHERE"),
                ];
                [start, c, vec![Sign(")")]].concat()
            }),
        ]
    })
}

fn statement() -> impl Strategy<Value = Vec<Piece>> {
    let items = vec(prop_oneof![name(), Just(Literal)], 1..4);
    let tables = vec(name(), 1..3);
    prop_oneof![
        (items, tables, condition(), any::<bool>()).prop_map(
            |(items, tables, condition, limit)| {
                let mut all = vec![Keyword("SELECT")];
                all.extend(items.into_iter().flat_map(|item| [item, Sign(",")]));
                all.pop();
                all.push(Keyword("FROM"));
                all.extend(tables.into_iter().flat_map(|table| [table, Sign(",")]));
                all.pop();
                all.push(Keyword("WHERE"));
                all.extend(condition);
                all.extend(
                    limit
                        .then_some([Keyword("LIMIT"), Literal])
                        .into_iter()
                        .flatten(),
                );
                all
            }
        ),
        (name(), 1..4_usize).prop_map(|(table, columns)| {
            vec![
                Keyword("INSERT"),
                Keyword("INTO"),
                table,
                Keyword("VALUES"),
                Rows(columns),
            ]
        }),
        (name(), name(), condition()).prop_map(|(table, column, condition)| {
            let start = vec![
                Keyword("UPDATE"),
                table,
                Keyword("SET"),
                column,
                Sign("="),
                Literal,
                Keyword("WHERE"),
            ];
            [start, condition].concat()
        }),
        (name(), condition()).prop_map(|(table, condition)| {
            [
                vec![Keyword("DELETE"), Keyword("FROM"), table, Keyword("WHERE")],
                condition,
            ]
            .concat()
        }),
    ]
}

/// Literals that contain a secret.
fn literals(dialect: Dialect) -> Vec<&'static str> {
    let mut all = vec![
        "'zqsecret'",
        "'it''s zqsecret'",
        "'zqsecret -- '",
        "'/* zqsecret'",
        "42424242",
        "-42424242",
        "- 42424242",
        "+42424242",
        "42424242.5",
        ".42424242",
        "42424242e-42424242",
        "'a'\n 'zqsecret'",
        "NULL",
        "TRUE",
        "' $$ zqsecret'",
        "'zqsecret\n'",
        "'\" zqsecret'",
    ];
    all.extend_from_slice(match dialect {
        Dialect::Postgresql => &[
            "E'a\\'zqsecret'",
            "e'\\\\'",
            "U&'zqsecret'",
            "B'42424242'",
            "X'42424242'",
            "N'zqsecret'",
            "$$it's zqsecret$$",
            "$t$ $$ $a$ zqsecret' $t$",
            "'\\'",
            "E'a'\n'\\'zqsecret'",
            "$1",
            "0x42424242",
            "42_42424242",
            "'a' -- it's\n 'zqsecret'",
        ],
        Dialect::Mysql => &[
            "'a\\'zqsecret'",
            "\"it's zqsecret\"",
            "\"a\\\"zqsecret\"",
            "\"a\"\"zqsecret\"",
            "_utf8'zqsecret'",
            "_latin1\"zqsecret\"",
            "N'zqsecret'",
            "x'42424242'",
            "0x42424242",
            "b'42424242'",
            "'\\\\'",
            "?",
            "'a' \"zqsecret\"",
        ],
        Dialect::Sqlite => &[
            "x'42424242'",
            "'\\'",
            "?42424242",
            ":zqsecret",
            "@zqsecret",
            "$zqsecret",
            "0x42424242",
        ],
        Dialect::SqlServer => &[
            "N'it''s zqsecret'",
            "0x42424242",
            "'\\'",
            "@zqsecret",
            "$42424242.42424242",
        ],
        Dialect::Other | Dialect::Unknown => &[
            "U&'zqsecret'",
            "N'zqsecret'",
            "q'[it's zqsecret]'",
            "Q'!it's zqsecret!'",
            "$$it's zqsecret$$",
            "$t$it's zqsecret$t$",
            "E'zqsecret'",
            "'\\\\'",
            ":zqsecret",
            "?",
            "B'42424242'",
        ],
    });
    all
}

/// Writes the pieces; `choices` selects case, spacing and literals.
fn write(pieces: &[Piece], dialect: Dialect, choices: &[u8]) -> String {
    let mut choices = choices.iter().copied().cycle();
    let mut choose = move |most: usize| usize::from(choices.next().unwrap_or(0)) % most;
    let all = literals(dialect);
    let blanks = [
        " ",
        "\n\t ",
        " /* it's zqsecret */ ",
        " -- it's zqsecret\n",
        "  ",
    ];
    let mut out = String::new();
    for piece in pieces {
        let tight = matches!(piece, Sign("(" | ")" | ",")) || out.ends_with(['(', ',']);
        if !tight || choose(2) == 0 {
            out += blanks[choose(blanks.len())];
        }
        match piece {
            Keyword(word) if choose(2) == 0 => out += &word.to_lowercase(),
            Name(word) if dialect != Dialect::Mysql && choose(2) == 0 => {
                out += &word.to_uppercase();
            }
            Keyword(word) | Name(word) | Sign(word) => out += word,
            Literal => out += all[choose(all.len())],
            List => {
                let list: Vec<_> = (0..=choose(4)).map(|_| all[choose(all.len())]).collect();
                out += &list.join([", ", ",", " , "][choose(3)]);
            }
            Rows(columns) => {
                let rows: Vec<_> = (0..=choose(3))
                    .map(|_| {
                        let row: Vec<_> = (0..*columns).map(|_| all[choose(all.len())]).collect();
                        format!("({})", row.join(", "))
                    })
                    .collect();
                out += &rows.join(", ");
            }
        }
    }
    out
}

/// Statements with a place for a secret.
const ANNOUNCED: &[(&str, &str)] = &[
    ("CREATE USER ada IDENTIFIED BY ", ""),
    (
        "ALTER USER ada IDENTIFIED BY ",
        " REPLACE was ACCOUNT UNLOCK",
    ),
    ("ALTER USER ada IDENTIFIED BY was REPLACE ", ""),
    (
        "GRANT ALL ON d.* TO ada IDENTIFIED BY ",
        " WITH GRANT OPTION",
    ),
    ("GRANT CONNECT TO ada, bob IDENTIFIED BY was, ", ""),
    ("ALTER USER ada IDENTIFIED VIA ed25519 USING ", ""),
    ("CREATE USER ada IDENTIFIED WITH plugin AS ", ""),
    ("CREATE USER IF NOT EXISTS ada PASSWORD ", " LOGIN"),
    (
        "CREATE ROLE ada WITH ENCRYPTED PASSWORD = ",
        " VALID UNTIL 'x'",
    ),
    (
        "ALTER LOGIN ada WITH PASSWORD = ",
        " OLD_PASSWORD = x, CHECK_POLICY = ON",
    ),
    ("CREATE LOGIN ada WITH PASSWORD=", ""),
    (
        "CREATE DATABASE LINK l CONNECT TO ada IDENTIFIED BY ",
        " USING 'x'",
    ),
    (
        "CREATE USER MAPPING FOR ada SERVER s OPTIONS (user 'ada', password ",
        ")",
    ),
    ("OPEN SYMMETRIC KEY k DECRYPTION BY PASSWORD = ", ""),
    (
        "CHANGE MASTER TO MASTER_USER = 'ada', MASTER_PASSWORD = ",
        ", MASTER_PORT = 1",
    ),
    ("VALIDATE USER ada PASSWORD ", ""),
    ("CONNECT TO d USER ada USING ", ""),
    ("SET app.api_token = ", ""),
    ("COPY t FROM 'x' ACCESS_KEY_ID ", " REGION 'y'"),
    ("BEGIN; ALTER USER ada PASSWORD ", "; COMMIT"),
];

/// Secrets with and without quotes.
const WRITTEN: &[&str] = &[
    "zqsecret",
    "ZQSECRET",
    "zqsecret1",
    "1zqsecret",
    "zq$zqsecret",
    "zq!zqsecret%",
    "*zqsecret",
    "zq-zqsecret.x",
    "zq/zqsecret@db",
    "zq(zqsecret x, zqsecret)y",
    "{zqsecret x}",
    "'zqsecret'",
    "'it''s zqsecret'",
    "\"zq zqsecret\"",
    "`zq zqsecret`",
    "[zq zqsecret]",
    "N'zqsecret'",
    "zq'a zqsecret'",
    "0xzqsecret",
    "$zqsecret",
    ":zqsecret",
    "@zqsecret",
    "é_zqsecret",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn no_literal_is_in_the_output_and_the_digest_is_one(
        pieces in statement(), of in 0_usize..5, one in vec(any::<u8>(), 1..40), two in vec(any::<u8>(), 1..40),
    ) {
        let dialect = ALL[of];
        let (first, second) = (write(&pieces, dialect, &one), write(&pieces, dialect, &two));
        let (a, b) = (NormalizedStatement::read(&first, dialect), NormalizedStatement::read(&second, dialect));
        for (read, sql) in [(&a, &first), (&b, &second)] {
            for secret in [SECRET, NUMBER, "'", "TRUE", "\\"] {
                prop_assert!(!read.text.contains(secret), "{} of {}", read.text, sql);
                prop_assert!(!read.summary.contains(secret));
            }
            prop_assert_eq!(&text(&read.text, dialect), &read.text, "again: {}", sql);
            prop_assert_eq!(digest(&read.text, dialect), read.digest, "its text: {}", sql);
        }
        prop_assert_eq!(a.digest, b.digest, "{}\n{}", first, second);
        prop_assert_eq!(a.summary.to_uppercase(), b.summary.to_uppercase());
    }

    #[test]
    fn no_announced_secret_is_in_the_output(
        (before, after) in select(ANNOUNCED), one in select(WRITTEN), two in select(WRITTEN), of in 0_usize..6,
    ) {
        let dialect = ALL[of];
        let (first, second) = (format!("{before}{one}{after}"), format!("{before}{two}{after}"));
        let (a, b) = (NormalizedStatement::read(&first, dialect), NormalizedStatement::read(&second, dialect));
        for (read, sql) in [(&a, &first), (&b, &second)] {
            let shown = format!("{} {}", read.text, read.summary).to_lowercase();
            prop_assert!(!shown.contains(SECRET), "{} of {}", shown, sql);
            prop_assert!(!read.summary.contains("ada"), "{} of {}", read.summary, sql);
            prop_assert_eq!(&text(&read.text, dialect), &read.text, "again: {}", sql);
            prop_assert_eq!(digest(&read.text, dialect), read.digest, "its text: {}", sql);
        }
        prop_assert_eq!(a.digest, b.digest, "{}\n{}", first, second);
        prop_assert_eq!(a.summary, b.summary);
    }

    #[test]
    fn other_pieces_have_another_digest(one in statement(), two in statement(), of in 0_usize..5) {
        prop_assume!(one != two);
        let (a, b) = (write(&one, ALL[of], &[0]), write(&two, ALL[of], &[0]));
        prop_assert_ne!(digest(&a, ALL[of]), digest(&b, ALL[of]), "{}\n{}", a, b);
    }
}
