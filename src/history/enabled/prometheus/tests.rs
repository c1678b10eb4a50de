use std::io::Read;
use std::net::TcpListener;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::*;
use crate::error::Error;
use crate::history::enabled::catalog::{MetricInfo, MetricKind};
use crate::history::enabled::metric_query::{MetricQuery, Point, ResultSeries};
use crate::history::enabled::metric_reader::MetricReader;
use crate::worker::peer::{Authority, Certificate, Peer, Reply, Seen};

const AT: Duration = Duration::from_millis(1_796_083_200_007);

fn now() -> SystemTime {
    UNIX_EPOCH + AT
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(future)
}

fn json(body: &str) -> Reply {
    Reply::Answer(200, Vec::new(), body.as_bytes().to_vec())
}

fn success(data: &str) -> Reply {
    json(&format!(r#"{{"status":"success","data":{data}}}"#))
}

/// The responses of a server that has one metric `x` of this type, with series of these names, and this result.
fn server(kind: &'static str, names: &'static str, result: &'static str) -> Peer {
    Peer::start(move |seen: &Seen| {
        if seen.target.starts_with("/p/api/v1/metadata?metric=x") && !kind.is_empty() {
            success(&format!(
                r#"{{"x":[{{"type":"unknown"}},{{"type":"{kind}","help":"","unit":""}}]}}"#
            ))
        } else if seen.target.starts_with("/p/api/v1/metadata?") {
            success("{}")
        } else if seen.target.starts_with("/p/api/v1/label/__name__/values?") {
            success(names)
        } else {
            success(&format!(r#"{{"resultType":"vector","result":{result}}}"#))
        }
    })
}

fn reader(peer: &Peer) -> PrometheusReader {
    PrometheusReader::new(&peer.url("/p/")).unwrap()
}

fn at(reader: &PrometheusReader, query: &MetricQuery) -> Result<Vec<ResultSeries>, Error> {
    run(reader.at(query, now()))
}

/// The error of a query whose response is this, with a time limit of 400 ms.
fn failure(reply: Reply) -> String {
    let peer = Peer::start(move |seen: &Seen| {
        if seen.target.contains("metadata") {
            success(r#"{"x":[{"type":"counter"}]}"#)
        } else {
            reply.clone()
        }
    });
    let reader = reader(&peer)
        .basic_auth("me", "hunter2")
        .timeout(Duration::from_secs(5));
    let error = at(&reader, &MetricQuery::rate("x")).unwrap_err();
    assert!(error.is_reader() && !error.is_query(), "{error}");
    let text = error.to_string();
    let host = format!("the Prometheus server at `{}` ", peer.address());
    text.strip_prefix(&host).expect(&text).to_owned()
}

/// The parameters in a request's body.
fn parameters(seen: &Seen) -> Vec<(String, String)> {
    let body = String::from_utf8(seen.body.clone()).unwrap();
    let decoded = |text: &str| {
        let mut out = Vec::new();
        let mut bytes = text.bytes();
        while let Some(byte) = bytes.next() {
            out.push(match byte {
                b'%' => {
                    let hex = [bytes.next().unwrap(), bytes.next().unwrap()];
                    u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap()
                }
                byte => byte,
            });
        }
        String::from_utf8(out).unwrap()
    };
    let pairs = body.split('&').map(|pair| pair.split_once('=').unwrap());
    pairs
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}

fn parameter(seen: &Seen, name: &str) -> String {
    let parameters = parameters(seen);
    let found = parameters.into_iter().find(|(it, _)| it == name);
    found.map(|(_, value)| value).unwrap_or_default()
}

#[test]
fn a_counter_is_read_with_its_labels() {
    let peer = server(
        "counter",
        "[]",
        r#"[{"metric":{"__name__":"x","job":"b","instance":"1"},"value":[1796083200.007,"2.5"]},
            {"metric":{"job":"a","instance":"1"},"value":[1796083200.007,"+Inf"]},
            {"metric":{"job":"c"},"value":[1796083200.007,"NaN"]}]"#,
    );
    let reader = reader(&peer)
        .header("x-scope-orgid", "7")
        .unwrap()
        .bearer_token("t0ken")
        .unwrap();
    let query = MetricQuery::rate("x").label("job", "a+b&c=\"ü\"");
    let results = at(&reader, &query).unwrap();
    let series = |job: &str, value| {
        let labels = [("instance", "1"), ("job", job)].map(|(a, b)| (a.to_owned(), b.to_owned()));
        ResultSeries::new(labels.to_vec(), vec![Point::new(now(), value)])
    };
    assert_eq!(results, [series("a", f64::INFINITY), series("b", 2.5)]);

    let seen = peer.seen();
    let targets: Vec<_> = seen.iter().map(|seen| seen.target.as_str()).collect();
    assert_eq!(targets, ["/p/api/v1/metadata?metric=x", "/p/api/v1/query"]);
    let last = &seen[1];
    assert_eq!(last.method, "POST");
    assert_eq!(
        last.header("content-type"),
        Some("application/x-www-form-urlencoded")
    );
    assert_eq!(last.header("x-scope-orgid"), Some("7"));
    assert_eq!(last.header("authorization"), Some("Bearer t0ken"));
    assert_eq!(parameter(last, "time"), "1796083200.007");
    assert_eq!(
        parameter(last, "query"),
        r#"rate({__name__="x",job="a+b&c=\"ü\""}[300s])"#
    );
    let timeout = parameter(last, "timeout");
    let timeout: u64 = timeout.strip_suffix("ms").unwrap().parse().unwrap();
    assert!((1..=10_000).contains(&timeout), "{timeout}");

    // What is known about the metric is not asked for again, also on another runtime.
    assert_eq!(at(&reader.clone(), &query).unwrap().len(), 2);
    assert_eq!((peer.seen().len(), peer.connections()), (3, 3));
    // A function that does not apply has no result, and a matcher without values has none either.
    assert_eq!(at(&reader, &MetricQuery::last("x")).unwrap(), []);
    assert_eq!(at(&reader, &query.label_in("job", [""; 0])).unwrap(), []);
    assert_eq!(peer.seen().len(), 3);
}

#[test]
fn metrics_and_values_of_labels_are_listed() {
    let peer = Peer::start(|seen: &Seen| {
        success(match seen.target.as_str() {
            "/p/api/v1/metadata?" => r#"{"x":[{"type":"counter"}],"y":[{"type":"gauge"}]}"#,
            "/p/api/v1/label/__name__/values?" => r#"["x_total","z"]"#,
            target if target.starts_with("/p/api/v1/label/job/values?match%5B%5D=") => {
                r#"["b","a"]"#
            }
            target => panic!("{target}"),
        })
    });
    let reader = reader(&peer);
    let metrics = run(reader.metrics()).unwrap();
    assert_eq!(metrics, [MetricInfo::new("x_total", MetricKind::Counter)]);
    let values = |label| run(reader.label_values("x", label)).unwrap();
    assert_eq!(values("job"), ["a", "b"]);
    assert_eq!(values("../query"), [""; 0]);
    assert_eq!(peer.seen().len(), 3);
    let metrics = reader.metrics();
    assert!(
        futures_util::FutureExt::now_or_never(metrics)
            .unwrap()
            .unwrap_err()
            .is_reader()
    );
}

#[test]
fn a_range_is_read() {
    let peer = server(
        "gauge",
        "[]",
        r#"[{"metric":{},"values":[[1796083200.007,"NaN"],[1796083201.507,"1"]]}]"#,
    );
    let query = MetricQuery::mean("x").total();
    let range = |step| {
        let reader = reader(&peer);
        let end = now() + Duration::from_millis(1500);
        run(async { reader.range(&query, now(), end, step).await })
    };
    let results = range(Duration::from_millis(1500)).unwrap();
    assert_eq!(results[0].points.len(), 2, "`NaN` is a value of a gauge");
    assert!(results[0].points[0].value.is_nan() && results[0].points[1].value == 1.0);
    let last = peer.seen().pop().unwrap();
    assert_eq!(last.target, "/p/api/v1/query_range");
    assert_eq!(
        ["start", "end", "step"].map(|name| parameter(&last, name)),
        ["1796083200.007", "1796083201.507", "1.500"]
    );
    assert_eq!(
        parameter(&last, "query"),
        r#"sum(avg_over_time({__name__="x"}[300s]))"#
    );
    assert!(range(Duration::ZERO).unwrap_err().is_query());
    let error = at(&reader(&peer), &MetricQuery::quantile(-1.0, "x")).unwrap_err();
    assert!(error.is_query(), "{error}");
}

#[test]
fn a_histogram_is_read_in_the_form_that_the_server_has() {
    let result = r#"[{"metric":{},"value":[1796083200,"1"]}]"#;
    for (names, expression) in [
        (
            r#"["x","x_bucket"]"#,
            r#"histogram_quantile(0.5, sum(rate({__name__="x"}[300s])))"#,
        ),
        (
            r#"["x_bucket","x_count"]"#,
            r#"histogram_quantile(0.5, sum by (le) (rate({__name__="x_bucket"}[300s])))"#,
        ),
    ] {
        let peer = server("histogram", names, result);
        let query = MetricQuery::quantile(0.5, "x").total();
        assert_eq!(at(&reader(&peer), &query).unwrap().len(), 1);
        let seen = peer.seen();
        assert_eq!(parameter(&seen[2], "query"), expression);
        assert_eq!(
            seen[1].target,
            "/p/api/v1/label/__name__/values?match%5B%5D=%7B__name__%3D~%22x%7Cx_bucket%7Cx_count%22%7D\
             &start=1796079600&end=1796086800"
        );
    }
    let peer = server("histogram", "[]", result);
    assert_eq!(at(&reader(&peer), &MetricQuery::rate("x")).unwrap(), []);
}

#[test]
fn without_metadata_the_name_decides() {
    let result = r#"[{"metric":{},"value":[1796083200,"1"]}]"#;
    let peer = server("", r#"["x_total"]"#, result);
    assert_eq!(
        at(&reader(&peer), &MetricQuery::increase("x_total"))
            .unwrap()
            .len(),
        1
    );
    let seen = peer.seen();
    let targets: Vec<_> = seen
        .iter()
        .take(2)
        .map(|seen| seen.target.as_str())
        .collect();
    assert_eq!(
        targets,
        [
            "/p/api/v1/metadata?metric=x_total",
            "/p/api/v1/metadata?metric=x"
        ]
    );
    assert_eq!(
        parameter(&seen[3], "query"),
        r#"increase({__name__="x_total"}[300s])"#
    );
    // The type of an OpenMetrics counter has the name without its suffix.
    let peer = server("counter", "[]", result);
    assert_eq!(
        at(&reader(&peer), &MetricQuery::increase("x_total"))
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn what_is_no_result_is_an_error() {
    let status = |code| failure(Reply::status(code));
    assert_eq!(
        status(401),
        "answered with status 401: it refuses the credentials"
    );
    assert_eq!(
        status(404),
        "answered with status 404: it has no query API at this URL"
    );
    assert_eq!(
        status(302),
        "answered with status 302: it redirects to another URL: use that one"
    );
    assert_eq!(
        status(503),
        "answered with status 503: it cannot answer now"
    );
    assert_eq!(
        status(200),
        "answered with status 200: it is not the JSON of the query API"
    );
    assert_eq!(
        failure(json("<html>")),
        "answered with status 200: it is not the JSON of the query API"
    );
    let error = r#"{"status":"error","errorType":"bad_data","error":"parse\nerror"}"#;
    let refused = Reply::Answer(400, Vec::new(), error.as_bytes().to_vec());
    assert_eq!(failure(refused), "reports an error (bad_data): parse error");
    let long = format!(
        r#"{{"status":"error","errorType":"x","error":"{}"}}"#,
        "é".repeat(1000)
    );
    assert_eq!(
        failure(json(&long))
            .chars()
            .filter(|char| *char == 'é')
            .count(),
        300
    );
    let warned = r#"{"status":"success","data":{"result":[]},"warnings":["store is down","x"]}"#;
    assert_eq!(
        failure(json(warned)),
        "has no complete result: store is down; x"
    );
    let partial = r#"{"status":"success","isPartial":true,"data":{"result":[]}}"#;
    assert_eq!(
        failure(json(partial)),
        "has no complete result: parts of it were unavailable"
    );
    assert_eq!(
        failure(json(r#"{"status":"success"}"#)),
        "sent a response without data"
    );
    assert_eq!(
        failure(Reply::Reset),
        "did not answer: the connection broke off before the response"
    );
    let cut = "sent a part of its response only: it broke off or was too slow";
    assert_eq!(failure(Reply::Short(200)), cut);
    assert_eq!(
        failure(Reply::Huge(200, 1 << 30)),
        "sent more than 32 MiB: select or combine series, or make the step longer"
    );
}

#[test]
fn the_time_limit_holds() {
    let peer = Peer::always(Reply::Hang);
    let reader = reader(&peer).timeout(Duration::from_millis(300));
    let begun = Instant::now();
    let error = at(&reader, &MetricQuery::rate("x"))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("did not answer: no response within"),
        "{error}"
    );
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn a_dropped_read_closes_its_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let closed = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        std::io::copy(&mut stream.by_ref(), &mut std::io::sink())
    });
    let reader = PrometheusReader::new(&url).unwrap();
    let query = MetricQuery::rate("x");
    run(async {
        let read = reader.at(&query, now());
        assert!(
            tokio::time::timeout(Duration::from_millis(300), read)
                .await
                .is_err()
        );
        // The runtime goes on, as that of a host does.
        while !closed.is_finished() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    assert!(
        closed.join().unwrap().unwrap() > 0,
        "the end of the stream was read"
    );
}

#[test]
fn a_runtime_that_cannot_read_is_an_error() {
    let peer = server("counter", "[]", "[]");
    let reader = reader(&peer);
    let query = MetricQuery::rate("x");
    let without_drivers = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let error = without_drivers
        .block_on(reader.at(&query, now()))
        .unwrap_err();
    assert!(
        error.is_reader() && error.to_string().contains("`enable_all`"),
        "{error}"
    );
    let mut read = reader.at(&query, now());
    let poll = read
        .as_mut()
        .poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
    assert!(matches!(poll, std::task::Poll::Ready(Err(error)) if error.is_reader()));
}

#[test]
fn a_private_authority_can_be_trusted() {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let peer = Peer::tls(authority.server(Certificate::Good), |_| success("{}"));
    let reader = PrometheusReader::new(&peer.url_by_name("localhost", "")).unwrap();
    let query = MetricQuery::rate("x");
    let error = at(&reader, &query).unwrap_err().to_string();
    assert!(
        error.contains("an authority that is not trusted"),
        "{error}"
    );
    let reader = reader
        .certificate_authorities(authority.file(directory.path()))
        .unwrap();
    drop(at(&reader, &query));
    assert!(!peer.seen().is_empty());
    assert!(
        reader
            .certificate_authorities(directory.path().join("none"))
            .is_err()
    );
}

#[test]
fn bad_settings_are_refused_and_secrets_are_not_shown() {
    for url in [
        "",
        "localhost:9090",
        "ftp://a",
        "http://",
        "http://me:hunter2@a",
        "http://a/?b=hunter2",
        "/api",
    ] {
        let error = PrometheusReader::new(url).unwrap_err();
        assert!(error.is_config(), "{url}: {error}");
        assert!(!error.to_string().contains("hunter2"));
    }
    let reader = PrometheusReader::new("https://a:1/p//").unwrap();
    assert!(reader.clone().bearer_token("a\nb").is_err());
    assert!(reader.clone().header("a b", "c").is_err());
    let reader = reader
        .basic_auth("me", "hunter2")
        .header("x-key", "hunter2")
        .unwrap();
    let shown = format!("{reader:?}");
    assert!(
        shown.contains("https://a:1/p\"") && !shown.contains("hunter2"),
        "{shown}"
    );
}

#[test]
fn basic_authentication_is_base64() {
    let peer = server("counter", "[]", "[]");
    for (user, password, expected) in [
        (
            "Aladdin",
            "open sesame",
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        ),
        ("a", "", "Basic YTo="),
        ("ab", "ü", "Basic YWI6w7w="),
    ] {
        let reader = reader(&peer).basic_auth(user, password);
        drop(at(&reader, &MetricQuery::rate("x")));
        assert_eq!(
            peer.seen().pop().unwrap().header("authorization"),
            Some(expected)
        );
    }
}
