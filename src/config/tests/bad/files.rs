use super::{File, assert_files};

pub(super) const CLASSES: [&[File]; 5] = [UNKNOWN, TYPES, SYNTAX, TWICE, CONTRADICTIONS];

const UNKNOWN: &[File] = &[
    (
        "nonsense = 1",
        "nonsense",
        1,
        "the key is not known; remove it",
    ),
    (
        "datadir = \"/srv\"",
        "datadir",
        1,
        "write `data_dir`, which is the nearest, or remove it",
    ),
    ("data-dir = \"/srv\"", "data-dir", 1, "write `data_dir`"),
    ("DATA_DIR = \"/srv\"", "DATA_DIR", 1, "write `data_dir`"),
    ("level = \"info\"", "level", 1, "write `log.level`"),
    (
        "token = \"sk-live-4242\"",
        "token",
        1,
        "write `access.token`",
    ),
    (
        "\n[log]\nlevle = \"info\"",
        "log.levle",
        3,
        "write `log.level`",
    ),
    (
        "[log]\nlevels = \"info\"",
        "log.levels",
        2,
        "write `log.level`",
    ),
    (
        "[log]\n\n\nSlow = \"1s\"",
        "log.Slow",
        4,
        "write `log.slow`",
    ),
    (
        "[logs]\nlevel = \"info\"",
        "logs",
        1,
        "the key is not known",
    ),
    ("logs.level = \"info\"", "logs", 1, "the key is not known"),
    (
        "[http]\ntrusted_proxy = [\"10.0.0.0/8\"]",
        "http.trusted_proxy",
        2,
        "write `http.trusted_proxies`",
    ),
    (
        "[http.server]\nport = 80",
        "http.server",
        1,
        "the key is not known",
    ),
    (
        "[health]\nretries = 3",
        "health.retries",
        2,
        "the key is not known",
    ),
    (
        "[acess]\ntoken = \"hunter2\"",
        "acess",
        1,
        "write `[access]`",
    ),
    (
        "[access]\nkey = \"hunter2\"",
        "access.key",
        2,
        "write `access.",
    ),
    (
        "[[service]]\nname = \"x\"",
        "service",
        1,
        "an array where a table belongs; write `[service]`",
    ),
    (
        "service = \"contentmax\"",
        "service",
        1,
        "a string where a table belongs; write `[service]` and its keys below",
    ),
    ("log = true", "log", 1, "a boolean where a table belongs"),
    (
        "\"log.level\" = \"info\"",
        "log.level",
        1,
        "the key is not known; write `log.level`",
    ),
    ("\"\" = 1", "", 1, "the key is not known"),
    (
        "\"a\\nb\\u001b\" = 1",
        "a\\nb\\u{1b}",
        1,
        "the key is not known",
    ),
    (
        "Zq7Rf2Lw9Xk4Tn8Vb3Mc6Hd1Js5Pg0Qy = 1",
        "[REDACTED]",
        1,
        "the key is not known",
    ),
];

const TYPES: &[File] = &[
    (
        "log.level = 3",
        "log.level",
        1,
        "an integer; write a string, such as `\"info,hyper=off\"`",
    ),
    (
        "log.level = true",
        "log.level",
        1,
        "a boolean; write a string",
    ),
    (
        "log.level = [\"info\"]",
        "log.level",
        1,
        "an array; write a string",
    ),
    (
        "[log.level]\nall = \"info\"",
        "log.level",
        1,
        "a table; write a string",
    ),
    (
        "log.slow = 1.5",
        "log.slow",
        1,
        "a float; write a string, such as `\"5s\"`",
    ),
    (
        "log.slow = 00:00:01",
        "log.slow",
        1,
        "a date; write a string",
    ),
    ("log.slow = inf", "log.slow", 1, "a float"),
    (
        "log.slow = 5",
        "log.slow",
        1,
        "a unit is missing; write `5s` or `5ms`",
    ),
    ("log.slow = 0x10", "log.slow", 1, "write `16s` or `16ms`"),
    ("log.slow = -5", "log.slow", 1, "not a duration"),
    (
        "log.console = \"false\"",
        "log.console",
        1,
        "a string; write `true` or `false` without quotes, such as `true`",
    ),
    (
        "log.console = 0",
        "log.console",
        1,
        "an integer; write `true` or `false`",
    ),
    (
        "http.trusted_proxies = \"10.0.0.0/8\"",
        "http.trusted_proxies",
        1,
        "a string; write an array of strings, such as `[\"10.0.0.0/8\"]`",
    ),
    (
        "http.trusted_proxies = [8]",
        "http.trusted_proxies",
        1,
        "an array with an item of another type; write an array of strings",
    ),
    (
        "http.trusted_proxies = [[\"10.0.0.0/8\"]]",
        "http.trusted_proxies",
        1,
        "an item of another type",
    ),
    (
        "http.trusted_proxies = { a = 1 }",
        "http.trusted_proxies",
        1,
        "a table; write an array",
    ),
    (
        "http.timeout_statuses = 504",
        "http.timeout_statuses",
        1,
        "an integer; write an array of integers, such as `[504]`",
    ),
    (
        "http.timeout_statuses = [\"504\"]",
        "http.timeout_statuses",
        1,
        "an array of integers",
    ),
    (
        "health.failures = \"3\"",
        "health.failures",
        1,
        "a string; write an integer, such as `100`",
    ),
    (
        "health.failures = 3.0",
        "health.failures",
        1,
        "not a whole number; write a whole number from 1 to 100",
    ),
    (
        "health.failures = 1979-05-27",
        "health.failures",
        1,
        "a date; write an integer",
    ),
    (
        "worker.max_queue_bytes = 8.5e-3",
        "worker.max_queue_bytes",
        1,
        "a fraction and not a size; write a whole number of bytes",
    ),
    (
        "service.name = 42",
        "service.name",
        1,
        "an integer; write a string",
    ),
    (
        "service.version = 1.2",
        "service.version",
        1,
        "a float; write a string",
    ),
    (
        "access.token = 123456789",
        "access.token",
        1,
        "an integer; write a string",
    ),
    (
        "access.token = [\"hunter2\"]",
        "access.token",
        1,
        "an array; write a string",
    ),
    (
        "access.token = { value = \"sk-live-4242\" }",
        "access.token",
        1,
        "a table; write a string",
    ),
];

const SYNTAX: &[File] = &[
    ("log.level", "log.level", 1, "not TOML"),
    ("log.level =", "log.level", 1, "correct the line"),
    ("log.level = info", "log.level", 1, "column 13: not TOML"),
    ("log.level = \"info", "log.level", 1, "not TOML"),
    ("log.level = 'info\"", "log.level", 1, "not TOML"),
    ("[log\nlevel = \"info\"", "file", 1, "not TOML"),
    ("[log]]\n", "file", 1, "not TOML"),
    ("\n\n[]\n", "file", 3, "not TOML"),
    ("= 1", "file", 1, "not TOML"),
    ("log.slow = 5s", "log.slow", 1, "not TOML"),
    ("log.level: info", "file", 1, "not TOML"),
    (
        "{ \"log\": { \"level\": \"info\" } }",
        "file",
        1,
        "not TOML",
    ),
    ("log:\n  level: info\n", "file", 1, "not TOML"),
    ("WATCHPOST_LOG=info", "file", 1, "not TOML"),
    ("log.level = \"a\\qb\"", "log.level", 1, "not TOML"),
    ("log.level = \"a\u{1}b\"", "log.level", 1, "not TOML"),
    (
        "http.timeout_statuses = [504",
        "http.timeout_statuses",
        1,
        "not TOML",
    ),
    ("health.failures = 03", "health.failures", 1, "not TOML"),
    (
        "\n[access]\ntoken = hunter2",
        "access.token",
        3,
        "column 9: not TOML",
    ),
    (
        "[access]\ntoken = \"sk-live-4242",
        "access.token",
        2,
        "not TOML",
    ),
    (
        "[access]\ntoken = \"\"\"\nZq7Rf2Lw9Xk4Tn8Vb3Mc6Hd1Js5Pg0Qy\nhunter2 = \\q\"\"\"",
        "file",
        4,
        "not TOML",
    ),
    ("token hunter2", "file", 1, "not TOML"),
    ("log.level = \"info\" extra", "log.level", 1, "not TOML"),
    ("<xml/>", "file", 1, "not TOML"),
];

const TWICE: &[File] = &[
    (
        "data_dir = \"/a\"\ndata_dir = \"/b\"",
        "data_dir",
        2,
        "column 1: the key is there twice; remove one of the two",
    ),
    (
        "[log]\nslow = \"1s\"\nslow = \"2s\"",
        "log.slow",
        3,
        "the key is there twice",
    ),
    (
        "log.slow = \"1s\"\nlog.slow = \"2s\"",
        "log.slow",
        2,
        "the key is there twice",
    ),
    (
        "log.slow = \"1s\"\n\n\n  log.slow = \"2s\"",
        "log.slow",
        4,
        "column 7: the key is there twice",
    ),
    (
        "[log]\n[http]\n[log]\n",
        "file",
        3,
        "the key is there twice",
    ),
    (
        "log = { slow = \"1s\", slow = \"2s\" }",
        "file",
        1,
        "the key is there twice",
    ),
    (
        "[access]\ntoken = \"hunter2\"\ntoken = \"sk-live-4242\"",
        "access.token",
        3,
        "the key is there twice",
    ),
];

const CONTRADICTIONS: &[File] = &[
    (
        "[metrics]\nmax_series = 100",
        "metrics.max_series",
        2,
        "less than metrics.max_series_per_metric = 2000 (default); write at least that, or lower",
    ),
    (
        "[metrics]\nmax_series_per_metric = 30000",
        "metrics.max_series_per_metric",
        2,
        "more than metrics.max_series = 20000 (default); write at most that, or raise metrics.max_series",
    ),
    (
        "[metrics]\nmax_series_per_metric = 11\nmax_series = 10",
        "metrics.max_series_per_metric",
        2,
        "more than metrics.max_series = 10 (file ",
    ),
    (
        "health.timeout = \"11s\"",
        "health.timeout",
        1,
        "more than health.interval = \"10s\" (default); write at most that",
    ),
    (
        "[history]\ninterval = \"1h\"\nmemory_age = \"1m\"",
        "history.interval",
        2,
        "more than history.memory_age = \"1m\" (file ",
    ),
    (
        "health.interval = \"4s\"",
        "health.interval",
        1,
        "less than health.timeout = \"5s\" (default); write at least that",
    ),
    (
        "[health]\ntimeout = \"1m1ms\"\ninterval = \"1m\"",
        "health.timeout",
        2,
        "more than health.interval = \"1m\" (file ",
    ),
];

#[test]
fn unknown_keys() {
    assert_files(UNKNOWN);
}

#[test]
fn values_of_a_wrong_type() {
    assert_files(TYPES);
}

#[test]
fn what_is_not_toml() {
    assert_files(SYNTAX);
}

#[test]
fn keys_that_are_there_twice() {
    assert_files(TWICE);
}

#[test]
fn settings_that_contradict_each_other() {
    assert_files(CONTRADICTIONS);
}
