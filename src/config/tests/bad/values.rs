use super::{Value, assert_values};

pub(super) const CLASSES: [&[Value]; 12] = [
    DURATIONS,
    RANGES_OF_DURATIONS,
    SIZES,
    NUMBERS,
    WORDS,
    TEXTS,
    PATHS,
    DIRECTIVES,
    NETWORKS,
    HEADERS_AND_STATUSES,
    TOKENS,
    RECEIVERS,
];

const RECEIVERS: &[Value] = &[
    (
        "otlp.endpoint",
        "localhost:4318",
        "write a URL such as `http://localhost:4318`",
    ),
    (
        "otlp.endpoint",
        "ftp://localhost",
        "not a URL with `http://` or `https://`",
    ),
    ("otlp.endpoint", "http://", "write a URL"),
    ("otlp.endpoint", "http://x/#y", "a URL with a fragment"),
    (
        "otlp.endpoint",
        "https://user:hunter2@x",
        "which belongs into a header",
    ),
    ("otlp.traces_endpoint", "/v1/traces", "write a URL"),
    (
        "otlp.headers",
        "hunter2",
        "pair 1 is no header; write pairs such as",
    ),
    ("otlp.headers", "a=b,hunter2", "pair 2 is no header"),
    ("otlp.headers", "a b=c", "pair 1 is no header"),
    ("otlp.headers", "a=%0d%0ab", "pair 1 is no header"),
    ("otlp.headers", "a=%zz", "pair 1 is no header"),
    (
        "otlp.protocol",
        "grpc",
        "not a choice; write `http/protobuf`",
    ),
    (
        "otlp.compression",
        "zstd",
        "not a choice; write `gzip` or `none`",
    ),
    (
        "otlp.certificate",
        "https://x/ca.pem",
        "a URL; write a PEM file's path",
    ),
    (
        "otlp.max_queue_size",
        "0",
        "outside the range; write a whole number",
    ),
    ("otlp.schedule_delay", "1ms", "outside the range"),
    (
        "trace.sampler_arg",
        "1.5",
        "not a share; write a number from 0 to 1",
    ),
    ("trace.sampler_arg", "NaN", "not a share"),
    ("trace.sampler_arg", "-0", "not a share"),
    ("trace.sampler_arg", "1e1", "not a share"),
    ("trace.sampler", "sometimes", "not a choice"),
    ("trace.spans", "opentelemetry", "not a choice"),
];

const DURATIONS: &[Value] = &[
    ("log.slow", "5", "a unit is missing; write `5s` or `5ms`"),
    (
        "log.slow",
        "1000",
        "a unit is missing; write `1000s` or `1000ms`",
    ),
    ("log.slow", "0", "a unit is missing"),
    ("http.long_poll", "100", "write `100s` or `100ms`"),
    (
        "drain.wait",
        "5 s",
        "not a duration; write numbers with units",
    ),
    ("drain.wait", "5sec", "not a duration"),
    ("drain.wait", "five seconds", "not a duration"),
    ("drain.wait", "1.5s", "not a duration"),
    ("drain.wait", "-5s", "not a duration"),
    ("drain.wait", "+5s", "not a duration"),
    ("drain.wait", "s", "not a duration"),
    ("drain.wait", "5S", "not a duration"),
    ("drain.wait", "5s5s", "not a duration"),
    ("drain.wait", "30s1m", "not a duration"),
    ("drain.wait", "1m30", "not a duration"),
    ("drain.wait", "PT5S", "not a duration"),
    ("drain.wait", "00:00:05", "not a duration"),
    ("health.interval", "1w", "not a duration"),
    ("health.interval", "∞", "not a duration"),
    ("health.timeout", "٥s", "not a duration"),
    ("health.timeout", "5\u{202e}s", "not a duration"),
    (
        "metrics.idle_after",
        "99999999999999999999h",
        "not a duration",
    ),
    ("metrics.idle_after", "213503982334602d", "not a duration"),
    ("metrics.idle_after", "9999999999999999", "not a duration"),
    (
        "metrics.idle_after",
        "Zq7Rf2Lw9Xk4Tn8Vb3Mc6Hd1Js5Pg0Qy",
        "not a duration",
    ),
    ("metrics.idle_after", "", "not a duration"),
];

const RANGES_OF_DURATIONS: &[Value] = &[
    (
        "log.slow",
        "0s",
        "outside the range; write a duration from `1ms` to `1d`",
    ),
    ("log.slow", "0ms", "outside the range"),
    ("log.slow", "2d", "outside the range"),
    (
        "http.long_poll",
        "0ms",
        "write a duration from `1ms` to `1m`",
    ),
    ("http.long_poll", "1m1ms", "outside the range"),
    (
        "metrics.idle_after",
        "999ms",
        "write a duration from `1s` to `30d`",
    ),
    ("metrics.idle_after", "31d", "outside the range"),
    (
        "health.interval",
        "99ms",
        "write a duration from `100ms` to `1h`",
    ),
    ("health.interval", "1h1ms", "outside the range"),
    (
        "health.timeout",
        "9ms",
        "write a duration from `10ms` to `1h`",
    ),
    ("health.timeout", "1d", "outside the range"),
    ("drain.wait", "11m", "write a duration from `0s` to `10m`"),
];

const SIZES: &[Value] = &[
    (
        "worker.max_queue_bytes",
        "8 MiB",
        "not a size; write a whole number of bytes, or one with a unit",
    ),
    ("worker.max_queue_bytes", "8M", "not a size"),
    ("worker.max_queue_bytes", "8mib", "such as `8MiB`"),
    ("worker.max_queue_bytes", "8TiB", "not a size"),
    ("worker.max_queue_bytes", "1.5MiB", "not a size"),
    ("worker.max_queue_bytes", "-8MiB", "not a size"),
    ("worker.max_queue_bytes", "MiB", "not a size"),
    ("worker.max_queue_bytes", "eight", "not a size"),
    (
        "worker.max_queue_bytes",
        "99999999999999999999",
        "outside the range",
    ),
    (
        "worker.max_queue_bytes",
        "18446744073709551615GiB",
        "outside the range",
    ),
    (
        "worker.max_queue_bytes",
        "0",
        "outside the range; write a size from `512KiB` to `1GiB`",
    ),
    ("worker.max_queue_bytes", "8", "outside the range"),
    ("worker.max_queue_bytes", "511KiB", "outside the range"),
    ("worker.max_queue_bytes", "2GB", "outside the range"),
    (
        "worker.max_sink_bytes",
        "0MiB",
        "write a size from `64KiB` to `1GiB`",
    ),
    ("worker.max_sink_bytes", "65535", "outside the range"),
    ("worker.max_sink_bytes", "10000000000", "outside the range"),
    ("worker.max_sink_bytes", "0x10000", "not a size"),
    (
        "worker.max_sink_bytes",
        "https://user:hunter2@example.com",
        "not a size",
    ),
];

const NUMBERS: &[Value] = &[
    (
        "health.failures",
        "0",
        "outside the range; write a whole number from 1 to 100",
    ),
    ("health.failures", "101", "outside the range"),
    (
        "health.failures",
        "-1",
        "negative; write a whole number from 1 to 100",
    ),
    ("health.failures", "4294967296", "outside the range"),
    ("health.successes", "0", "outside the range"),
    ("health.successes", "-9223372036854775808", "negative"),
    (
        "health.successes",
        "99999999999999999999999",
        "outside the range",
    ),
    ("health.successes", "two", "not a whole number"),
    ("health.successes", "2.5", "not a whole number"),
    ("health.successes", "1e3", "outside the range"),
    ("health.successes", "+2", "not a whole number"),
    ("health.successes", "0x2", "not a whole number"),
    ("health.successes", "--2", "not a whole number"),
    ("health.successes", "", "not a whole number"),
    (
        "metrics.max_series",
        "0",
        "write a whole number from 1 to 10000000",
    ),
    ("metrics.max_series", "10000001", "outside the range"),
    ("metrics.max_series", "-20000", "negative"),
    ("metrics.max_series", "20,000", "not a whole number"),
    ("metrics.max_series", "20_000", "not a whole number"),
    ("metrics.max_series", "20k", "not a whole number"),
    ("metrics.max_series_per_metric", "0", "outside the range"),
    (
        "metrics.max_series_per_metric",
        "18446744073709551616",
        "outside the range",
    ),
    (
        "metrics.max_series_per_metric",
        "unlimited",
        "not a whole number",
    ),
    (
        "metrics.max_series_per_metric",
        "sk-live-4242",
        "not a whole number",
    ),
];

const WORDS: &[Value] = &[
    (
        "log.format",
        "yaml",
        "not a choice; write `auto`, `json` or `pretty`",
    ),
    ("log.format", "jsonl", "not a choice"),
    ("log.format", "", "not a choice"),
    ("log.format", "json pretty", "not a choice"),
    ("log.requests", "none", "write `all`, `off` or `errors`"),
    ("log.requests", "true", "not a choice"),
    ("log.requests", "error\u{0}s", "not a choice"),
    ("log.requests", "password=hunter2", "not a choice"),
    (
        "log.console",
        "yes",
        "not a switch; write `true` or `false`",
    ),
    ("log.console", "1", "not a switch"),
    ("log.console", "on", "not a switch"),
    ("log.console", "falsee", "not a switch"),
    ("http.public_endpoint", "0", "not a switch"),
    ("http.public_endpoint", "t", "not a switch"),
    ("http.trace_header", "x-trace-id", "not a switch"),
    (
        "http.trace_header",
        "Bearer correct-horse-battery",
        "not a switch",
    ),
    (
        "trace.propagators",
        "b3",
        "item 1 is not known; write `tracecontext`, `baggage`, or `none` alone",
    ),
    ("trace.propagators", "TraceContext", "item 1 is not known"),
];

const TEXTS: &[Value] = &[
    (
        "service.name",
        "",
        "empty; write a text of 1 to 255 characters",
    ),
    ("service.name", "   ", "empty"),
    ("service.name", "a\nb", "a text with control characters"),
    ("service.name", "a\u{0}b", "a text with control characters"),
    (
        "service.name",
        "\u{1b}[2Jcontentmax",
        "a text with control characters",
    ),
    (
        "service.version",
        "1.0\t1",
        "a text with control characters",
    ),
    ("service.version", " ", "empty"),
    (
        "service.environment",
        "prod\r\nInjected: 1",
        "a text with control characters",
    ),
    (
        "service.environment",
        "prod\u{85}2",
        "a text with control characters",
    ),
    (
        "service.instance",
        "a\u{7f}",
        "a text with control characters",
    ),
    (
        "service.instance",
        concat!(
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        ),
        "too long",
    ),
];

const PATHS: &[Value] = &[
    (
        "data_dir",
        "",
        "empty; write a directory's path such as `/var/lib/contentmax`",
    ),
    ("data_dir", "  ", "empty"),
    ("data_dir", "/var/lib\0/x", "a path with control characters"),
    ("data_dir", "/var/lib\n/x", "a path with control characters"),
    ("data_dir", "file:///var/lib/x", "a URL"),
    ("data_dir", "postgres://app:hunter2@db/app", "a URL"),
];

const DIRECTIVES: &[Value] = &[
    (
        "log.level",
        "",
        "directive 1 has no level; write a level (`off`, `error`",
    ),
    ("log.level", "verbose", "directive 1 has no level"),
    ("log.level", "inof", "directive 1 has no level"),
    ("log.level", "5", "directive 1 has no level"),
    ("log.level", "info,", "directive 2 has no level"),
    ("log.level", ",info", "directive 1 has no level"),
    (
        "log.level",
        "info;hyper=off",
        "directive 1 has no target before its `=`",
    ),
    ("log.level", "hyper=off,hyper", "directive 2 has no level"),
    ("log.level", "info,hyper=quiet", "directive 2 has no level"),
    ("log.level", "info,hyper=", "directive 2 has no level"),
    (
        "log.level",
        "info,=debug",
        "directive 2 has no target before its `=`",
    ),
    (
        "log.level",
        "info,my crate=debug",
        "directive 2 has no target",
    ),
    (
        "log.level",
        "info,debug",
        "directive 2 is a second level for all",
    ),
    (
        "log.level",
        "info,my_crate[span]=debug",
        "directives with spans, which are not known here",
    ),
    (
        "log.level",
        "[{field=hunter2}]=trace",
        "directives with spans",
    ),
    (
        "log.level",
        "info,token=sk-live-4242",
        "directive 2 has no level",
    ),
];

const NETWORKS: &[Value] = &[
    (
        "http.trusted_proxies",
        "localhost",
        "item 1 is not an IP address; write a network such as `10.0.0.0/8`",
    ),
    ("http.trusted_proxies", "*", "item 1 is not an IP address"),
    (
        "http.trusted_proxies",
        "10.0.0/8",
        "item 1 is not an IP address",
    ),
    (
        "http.trusted_proxies",
        "010.0.0.1",
        "item 1 is not an IP address",
    ),
    (
        "http.trusted_proxies",
        "10.0.0.256",
        "item 1 is not an IP address",
    ),
    (
        "http.trusted_proxies",
        "1.2.3.4:80",
        "item 1 is not an IP address",
    ),
    (
        "http.trusted_proxies",
        "[::1]",
        "item 1 is not an IP address",
    ),
    (
        "http.trusted_proxies",
        "fe80::1%eth0",
        "item 1 is not an IP address",
    ),
    (
        "http.trusted_proxies",
        "10.0.0.0 - 10.0.0.9",
        "item 1 is not an IP address",
    ),
    (
        "http.trusted_proxies",
        "https://user:hunter2@proxy",
        "item 1 is not an IP address",
    ),
    (
        "http.trusted_proxies",
        "10.0.0.0/",
        "item 1 is not a prefix; write a number from 0 to 32 behind the `/`",
    ),
    (
        "http.trusted_proxies",
        "10.0.0.0/33",
        "item 1 is not a prefix",
    ),
    (
        "http.trusted_proxies",
        "10.0.0.0/-1",
        "item 1 is not a prefix",
    ),
    (
        "http.trusted_proxies",
        "10.0.0.0/255.0.0.0",
        "item 1 is not a prefix",
    ),
    (
        "http.trusted_proxies",
        "::/129",
        "write a number from 0 to 128",
    ),
    (
        "http.trusted_proxies",
        "10.1.2.3/8",
        "an address inside a network; write `10.0.0.0/8`",
    ),
    (
        "http.trusted_proxies",
        "2001:db8::1/32",
        "write `2001:db8::/32`",
    ),
    ("http.trusted_proxies", "0.0.0.0/0", "item 1 is everybody"),
    (
        "http.trusted_proxies",
        "::/0",
        "write the proxies' own networks",
    ),
    (
        "http.trusted_proxies",
        "::ffff:0.0.0.0/96",
        "item 1 is everybody",
    ),
];

const HEADERS_AND_STATUSES: &[Value] = &[
    (
        "redact.keys",
        "ab",
        "item 1 is not a key of 3 to 64 letters and digits; write one such as `ticket`",
    ),
    ("redact.keys", "ticket=b", "item 1 is not a key of"),
    (
        "redact.paths",
        "invites/{token}",
        "item 1 is without its first `/`; write one such as `/invites/{token}`",
    ),
    (
        "redact.paths",
        "/invites/token",
        "item 1 is a path without a secret",
    ),
    (
        "redact.paths",
        "/{token}",
        "item 1 is a path that does not begin with a literal",
    ),
    (
        "redact.allow_query",
        "a&b",
        "item 1 is not the name of a query parameter; write one such as `page`",
    ),
    (
        "redact.allow_query",
        "access_token",
        "item 1 is a name of secrets, whose value is never shown",
    ),
    (
        "http.allow_headers",
        "user agent",
        "item 1 is not a header's name; write one such as `user-agent`",
    ),
    (
        "http.allow_headers",
        "x-id:",
        "item 1 is not a header's name",
    ),
    ("http.allow_headers", "x-ï", "item 1 is not a header's name"),
    (
        "http.allow_headers",
        "x\r\ny",
        "item 1 is not a header's name",
    ),
    (
        "http.allow_headers",
        "x-token: sk-live-4242",
        "item 1 is not a header's name",
    ),
    (
        "http.allow_headers",
        "Authorization",
        "a header of credentials, which is never shown; remove `authorization`",
    ),
    ("http.allow_headers", "cookie", "remove `cookie`"),
    ("http.allow_headers", "Set-Cookie", "remove `set-cookie`"),
    (
        "http.allow_headers",
        "proxy-authorization",
        "remove `proxy-authorization`",
    ),
    (
        "http.timeout_statuses",
        "200",
        "item 1 is not a status of an error; write a number from 400 to 599",
    ),
    ("http.timeout_statuses", "0", "not a status of an error"),
    ("http.timeout_statuses", "-504", "not a status of an error"),
    ("http.timeout_statuses", "600", "not a status of an error"),
    ("http.timeout_statuses", "65536", "not a status of an error"),
    ("http.timeout_statuses", "5xx", "not a status of an error"),
    ("http.timeout_statuses", "+504", "not a status of an error"),
    (
        "http.timeout_statuses",
        "504 503",
        "not a status of an error",
    ),
    (
        "http.known_methods",
        "GET,POST PUT",
        "not a request method; write one such as `PROPFIND`",
    ),
    ("http.known_methods", "GET,,PUT", "not a request method"),
    ("http.known_methods", "*,GET\u{e9}", "not a request method"),
    (
        "http.grpc_methods",
        "grpc.health.v1.Health/Check",
        "item 1 is not the path of a gRPC method; write one such as `/grpc.health.v1.Health/Check`",
    ),
    ("http.grpc_methods", "/a", "not the path of a gRPC method"),
    ("http.grpc_methods", "/a/*", "not the path of a gRPC method"),
    (
        "http.grpc_methods",
        "/a/b/c",
        "not the path of a gRPC method",
    ),
    (
        "http.grpc_methods",
        "/a/{b}",
        "not the path of a gRPC method",
    ),
];

const TOKENS: &[Value] = &[
    (
        "access.token",
        "hunter2",
        "too short; write 32 to 512 characters",
    ),
    ("access.token", "", "too short"),
    (
        "access.token",
        "sk-live-4242",
        "such as the output of `openssl rand -hex 32`",
    ),
    (
        "access.token",
        "correct-horse-battery-staples-x",
        "too short",
    ),
    (
        "access.token",
        "correct horse battery staples and hunter2",
        "not a bearer token",
    ),
    (
        "access.token",
        "correct-horse-battery-stäple-hunter2",
        "not a bearer token",
    ),
    (
        "access.token",
        "Zq7Rf2Lw9Xk4Tn8Vb3Mc6Hd1Js5Pg0Qy\nhunter2",
        "not a bearer token",
    ),
    (
        "access.token",
        "\"Zq7Rf2Lw9Xk4Tn8Vb3Mc6Hd1Js5Pg0Qy\"",
        "not a bearer token",
    ),
    (
        "access.token",
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "easy to guess",
    ),
    ("access.token", "hunter2", "too short"),
    (
        "access.token",
        "123412341234123412341234123412341234",
        "easy to guess",
    ),
];

#[test]
fn durations() {
    assert_values(DURATIONS);
}

#[test]
fn durations_outside_their_range() {
    assert_values(RANGES_OF_DURATIONS);
}

#[test]
fn sizes() {
    assert_values(SIZES);
}

#[test]
fn numbers() {
    assert_values(NUMBERS);
}

#[test]
fn words() {
    assert_values(WORDS);
}

#[test]
fn texts() {
    assert_values(TEXTS);
}

#[test]
fn paths() {
    assert_values(PATHS);
}

#[test]
fn directives() {
    assert_values(DIRECTIVES);
}

#[test]
fn networks() {
    assert_values(NETWORKS);
}

#[test]
fn headers_and_statuses() {
    assert_values(HEADERS_AND_STATUSES);
}

#[test]
fn tokens() {
    assert_values(TOKENS);
}
