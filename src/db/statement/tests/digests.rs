use super::{digest, named};

/// Pairs of one digest.
const SAME: &[(&str, &str, &str)] = &[
    ("pg", "SELECT 1", "SELECT 2"),
    ("pg", "SELECT 1", "select\n'x'"),
    (
        "pg",
        "SELECT a FROM t WHERE b = 5",
        "SELECT a FROM t WHERE b=-5",
    ),
    (
        "pg",
        "SELECT a FROM t WHERE b = 5",
        "SELECT a FROM t WHERE b = - 5",
    ),
    (
        "pg",
        "SELECT a FROM t WHERE b = 5",
        "SELECT a FROM t WHERE b = NULL",
    ),
    (
        "pg",
        "SELECT a FROM t WHERE b = 5",
        "SELECT a FROM t WHERE b = TRUE",
    ),
    (
        "pg",
        "SELECT a FROM t WHERE b = 5",
        "SELECT a FROM t WHERE b = $1",
    ),
    (
        "pg",
        "SELECT a FROM t WHERE b = 5",
        "SELECT a FROM t WHERE b = E'it\\'s'",
    ),
    (
        "pg",
        "SELECT a FROM t WHERE b = 5",
        "SELECT a FROM t WHERE b = $$it's$$",
    ),
    (
        "pg",
        "SELECT a FROM t WHERE b = 5",
        "/* c */ SELECT a -- x\nFROM t WHERE b/**/=/**/5;",
    ),
    (
        "pg",
        "SELECT a FROM t WHERE b = 5",
        "Select A From T Where B = 5",
    ),
    (
        "pg",
        "SELECT a FROM t WHERE b IN (1)",
        "SELECT a FROM t WHERE b IN (1, 2, 3)",
    ),
    (
        "pg",
        "SELECT a FROM t WHERE b IN (1)",
        "SELECT a FROM t WHERE b in($1,$2)",
    ),
    (
        "pg",
        "SELECT a FROM t WHERE b IN (1)",
        "SELECT a FROM t WHERE b IN (-1, + 2, NULL)",
    ),
    (
        "pg",
        "SELECT a FROM t WHERE b IN ('a'::text)",
        "SELECT a FROM t WHERE b IN ('a'::text, 'b'::text)",
    ),
    (
        "pg",
        "SELECT a FROM t WHERE b = ANY(ARRAY[1])",
        "SELECT a FROM t WHERE b = ANY(ARRAY[1, 2])",
    ),
    (
        "pg",
        "SELECT ARRAY[[1, 2], [3, 4]]",
        "SELECT ARRAY[[1], [2], [3]]",
    ),
    (
        "pg",
        "SELECT a FROM t WHERE (b, c) IN ((1, 2))",
        "SELECT a FROM t WHERE (b, c) IN ((1, 2), (3, 4))",
    ),
    (
        "pg",
        "INSERT INTO t VALUES (1, 2)",
        "INSERT INTO t VALUES (1, 2), (3, 4), (5, 6)",
    ),
    (
        "pg",
        "INSERT INTO t VALUES (1, DEFAULT)",
        "INSERT INTO t VALUES (1, DEFAULT), (2, DEFAULT)",
    ),
    (
        "pg",
        "INSERT INTO t VALUES (1, now()) RETURNING id",
        "INSERT INTO t VALUES (1, now()), (2, now()) RETURNING id",
    ),
    (
        "pg",
        "INSERT INTO t VALUES (ARRAY[1], 2)",
        "INSERT INTO t VALUES (ARRAY[1, 2], 2), (ARRAY[3], 4)",
    ),
    ("pg", "SELECT 'a' 'b'", "SELECT 'ab'"),
    ("pg", "SELECT DATE '2020-01-01'", "SELECT date '2021-01-01'"),
    ("pg", "SELECT a - 5", "SELECT a-6"),
    ("pg", "SELECT a <-> -5", "SELECT a <-> 5"),
    ("pg", "BEGIN; COMMIT", "begin;;commit ; "),
    ("pg", "SELECT f(a,b)", "SELECT f ( a , b )"),
    (
        "my",
        "SELECT a FROM t WHERE b = \"x\"",
        "SELECT a FROM t WHERE b = 'y'",
    ),
    (
        "my",
        "SELECT a FROM t WHERE b = 'it\\'s'",
        "select a from t where b = 0x41",
    ),
    (
        "my",
        "SELECT a FROM t WHERE b = _utf8'x'",
        "SELECT a FROM t WHERE b = 5",
    ),
    (
        "my",
        "SELECT /*!40001 SQL_NO_CACHE */ a FROM t",
        "SELECT SQL_NO_CACHE a FROM t",
    ),
    ("my", "SELECT a FROM t # c", "SELECT a FROM t"),
    ("my", "SELECT a FROM t -- c", "SELECT a FROM t"),
    ("my", "SELECT COUNT(*) FROM t", "select count(*) from t"),
    ("my", "VALUES ROW(1, 2)", "VALUES ROW(1, 2), ROW(3, 4)"),
    (
        "my",
        "SELECT a FROM t LIMIT 1, 2",
        "SELECT a FROM t LIMIT 3,4",
    ),
    (
        "li",
        "SELECT a FROM t WHERE b = ?1",
        "SELECT a FROM t WHERE b = :name",
    ),
    (
        "li",
        "SELECT a FROM t WHERE b = x'00'",
        "SELECT A FROM T WHERE B = @p",
    ),
    (
        "li",
        "SELECT a FROM t WHERE b IN (?, ?)",
        "SELECT a FROM t WHERE b IN (?)",
    ),
    (
        "ms",
        "SELECT a FROM t WHERE b = @p1",
        "SELECT a FROM t WHERE b = N'x'",
    ),
    (
        "ms",
        "SELECT [a] FROM t WHERE b = 0xFF",
        "SELECT [a] FROM t WHERE b = $12.5",
    ),
    (
        "ms",
        "SELECT a FROM t WHERE b >= 1",
        "SELECT a FROM t WHERE b > = 1",
    ),
    (
        "std",
        "SELECT a FROM t WHERE b = 'it''s'",
        "SELECT a FROM t WHERE b = q'[it's]'",
    ),
    (
        "std",
        "SELECT a FROM t WHERE b = :x",
        "SELECT a FROM t WHERE b = $$it's$$",
    ),
    (
        "std",
        "SELECT a FROM t WHERE b IN [1, 2]",
        "SELECT a FROM t WHERE b IN [1]",
    ),
];

/// Pairs of two digests.
const DIFFERENT: &[(&str, &str, &str)] = &[
    ("pg", "SELECT a", "SELECT b"),
    ("pg", "SELECT a", "SELECT \"a\""),
    ("pg", "SELECT \"a\"", "SELECT \"A\""),
    ("pg", "SELECT a", "SELECT 1"),
    ("pg", "SELECT 1", "SELECT 1, 2"),
    ("pg", "SELECT a - 5", "SELECT a, -5"),
    ("pg", "SELECT a - 5", "SELECT a + 5"),
    ("pg", "SELECT - a", "SELECT a"),
    ("pg", "SELECT -$1", "SELECT $1"),
    ("pg", "SELECT f(1)", "SELECT f(1, 2)"),
    ("pg", "SELECT f(1)", "SELECT f((1))"),
    ("pg", "SELECT a.b", "SELECT a, b"),
    ("pg", "SELECT ab", "SELECT a b"),
    ("pg", "SELECT a AS b", "SELECT a b"),
    (
        "pg",
        "SELECT a FROM t WHERE b IN (1)",
        "SELECT a FROM t WHERE b IN (c)",
    ),
    (
        "pg",
        "SELECT a FROM t WHERE b IN (1, c)",
        "SELECT a FROM t WHERE b IN (1, 1, c)",
    ),
    (
        "pg",
        "SELECT a FROM t WHERE b IN (1)",
        "SELECT a FROM t WHERE b IN (SELECT 1)",
    ),
    (
        "pg",
        "SELECT a FROM t WHERE b IN (1)",
        "SELECT a FROM t WHERE b IN ((1))",
    ),
    (
        "pg",
        "SELECT a FROM t WHERE b IN (1)",
        "SELECT a FROM t WHERE b NOT IN (1)",
    ),
    (
        "pg",
        "SELECT a FROM t WHERE b IN (1)",
        "SELECT a FROM t WHERE b = (1)",
    ),
    (
        "pg",
        "SELECT a FROM t WHERE (b, c) IN ((1, 2))",
        "SELECT a FROM t WHERE (b, c) IN ((1, 2, 3))",
    ),
    (
        "pg",
        "SELECT a FROM t WHERE b IN (1) AND c IN (2)",
        "SELECT a FROM t WHERE b IN (1, 2)",
    ),
    ("pg", "SELECT ARRAY[1]", "SELECT ARRAY[[1]]"),
    ("pg", "SELECT a[1]", "SELECT a[1:2]"),
    (
        "pg",
        "INSERT INTO t VALUES (1, 2)",
        "INSERT INTO t VALUES (1, 2, 3)",
    ),
    (
        "pg",
        "INSERT INTO t VALUES (1, 2)",
        "INSERT INTO t VALUES (1, DEFAULT)",
    ),
    (
        "pg",
        "INSERT INTO t VALUES (1), (now())",
        "INSERT INTO t VALUES (1)",
    ),
    (
        "pg",
        "INSERT INTO t VALUES (1)",
        "INSERT INTO t VALUES (1) RETURNING 2",
    ),
    (
        "pg",
        "SELECT a FROM t WHERE b IS NULL",
        "SELECT a FROM t WHERE b IS NOT NULL",
    ),
    (
        "pg",
        "SELECT a FROM t WHERE b IS NULL",
        "SELECT a FROM t WHERE b IS TRUE",
    ),
    (
        "pg",
        "SELECT a FROM t WHERE b IS TRUE",
        "SELECT a FROM t WHERE b IS FALSE",
    ),
    ("pg", "SELECT DATE '2020-01-01'", "SELECT '2020-01-01'"),
    ("pg", "SELECT '1'::int", "SELECT '1'::text"),
    ("pg", "SELECT a <-> b", "SELECT a <#> b"),
    ("pg", "SELECT a @- b", "SELECT a @ -b"),
    ("pg", "SELECT a->'b'", "SELECT a->>'b'"),
    ("pg", "SELECT a ?| b", "SELECT a ?& b"),
    (
        "pg",
        "SELECT a FROM t WHERE b=1AND c",
        "SELECT a FROM t WHERE b=1OR c",
    ),
    ("pg", "BEGIN; COMMIT", "BEGIN COMMIT"),
    ("pg", "SELECT a FROM t", "SELECT a FROM t t"),
    ("pg", "SELECT a FROM t; SELECT 1", "SELECT a FROM t"),
    ("pg", "SELECT a FROM (t)", "SELECT a FROM t"),
    ("pg", "UPDATE t SET a = 1", "UPDATE t SET b = 1"),
    ("my", "SELECT a FROM Users", "SELECT a FROM users"),
    (
        "my",
        "SELECT a FROM t WHERE b = @x",
        "SELECT a FROM t WHERE b = @y",
    ),
    (
        "my",
        "SELECT a FROM t",
        "SELECT /*! SQL_NO_CACHE */ a FROM t",
    ),
    ("my", "SELECT `a`", "SELECT \"a\""),
    ("my", "SELECT 1--2", "SELECT 1"),
    ("li", "SELECT [a] FROM t", "SELECT \"a\" FROM t"),
    ("li", "SELECT a || 'x'", "SELECT a | 'x'"),
    ("ms", "SELECT [a]]b]", "SELECT [a] b"),
    ("ms", "SELECT @@ROWCOUNT", "SELECT @@IDENTITY"),
    ("ms", "SELECT a FROM #t", "SELECT a FROM ##t"),
    ("std", "SELECT \"a\"", "SELECT `a`"),
    ("std", "SELECT a[1]", "SELECT a[b]"),
];

#[test]
fn statements_that_differ_in_values_have_one_digest() {
    assert!(SAME.len() >= 40);
    for (dialect, one, other) in SAME {
        let dialect = named(dialect);
        assert_eq!(
            digest(one, dialect),
            digest(other, dialect),
            "{one}\n{other}"
        );
    }
}

#[test]
fn statements_that_differ_in_more_have_two_digests() {
    assert!(DIFFERENT.len() >= 40);
    for (dialect, one, other) in DIFFERENT {
        let dialect = named(dialect);
        assert_ne!(
            digest(one, dialect),
            digest(other, dialect),
            "{one}\n{other}"
        );
    }
}

#[test]
fn digests_do_not_change_between_releases() {
    let sql = "SELECT a FROM t WHERE b IN (1, 2) AND c = 'x'";
    assert_eq!(digest(sql, named("pg")), 11_709_137_569_412_938_218);
}
