//! Requests depend on the settings only: the variables that OpenTelemetry's exporter reads have no effect.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::super::body::BodyEncoder;
use super::*;

#[path = "../../../../../tests/support/child.rs"]
mod child;

use child::{output_of_one_test, test_command};

/// The variable with the path to which the child process writes what it sent.
const CHILD: &str = "WATCHPOST_TEST_OTLP_ENVIRONMENT_CHILD";

/// Sends the same spans with and without compression. Returns each request's head, without the address, and its body.
fn sent() -> String {
    let mut sent = String::new();
    for compression in [OtlpCompression::None, OtlpCompression::Gzip] {
        let peer = Peer::always(Reply::status(200));
        let rig = rig(&OtlpConfig {
            compression,
            headers: vec![(
                HeaderName::from_static("x-tenant"),
                HeaderValue::from_static("ours"),
            )],
            max_export_batch_size: 20,
            ..config(&peer)
        });
        rig.emit(1..51);
        assert!(rig.flush());
        assert_eq!(rig.end().delivered(), 50);
        let seen = peer.seen();
        let all: Vec<_> = seen.iter().flat_map(ids).collect();
        assert_eq!(all.len(), 50);
        assert_eq!(all.into_iter().collect::<BTreeSet<_>>(), (1..51).collect());
        for it in &seen {
            let headers = it.headers.iter().filter(|(name, _)| name != "host");
            let headers: Vec<_> = headers.collect();
            sent += &format!(
                "{} {} {headers:?} {:?}\n",
                it.method,
                it.target,
                Bytes::copy_from_slice(&it.body)
            );
        }
    }
    // Whether the exporter encodes the body.
    let resource = Resource::builder_empty().build();
    sent + &format!(
        "{}\n",
        BodyEncoder::new(&resource, false, 1 << 20).has_exporter()
    )
}

fn sent_with(directory: &Path, variables: &[(&str, OsString)]) -> String {
    let file = directory.join("sent");
    let name = "trace::otlp::enabled::tests::environment::variables_change_nothing";
    let mut child = test_command(name);
    for (name, _) in std::env::vars_os().filter(|(name, _)| {
        let name = name.as_bytes();
        name.starts_with(b"OTEL_")
    }) {
        child.env_remove(name);
    }
    let child = child
        .env(CHILD, &file)
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .output()
        .unwrap();
    output_of_one_test(&child);
    let sent = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    sent
}

#[test]
fn variables_change_nothing() {
    if let Some(file) = std::env::var_os(CHILD) {
        std::fs::write(file, sent()).unwrap();
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let expected = sent_with(directory.path(), &[]);
    assert_eq!(expected.lines().count(), 7, "{expected}");
    assert!(expected.ends_with("true\n") && expected.contains("ours"));

    let headers = "content-encoding=br,content-type=x%2Fy,user-agent=other,host=elsewhere,x-tenant=theirs,x-new=1";
    // Each variable with an unusual value.
    let odd: [[(&str, &[u8]); 5]; 4] = [
        [
            ("ENDPOINT", b"http://127.0.0.1:1/elsewhere"),
            ("HEADERS", headers.as_bytes()),
            ("TIMEOUT", b"0"),
            ("COMPRESSION", b"gzip"),
            ("PROTOCOL", b"grpc"),
        ],
        [
            ("ENDPOINT", b"no url at all"),
            ("HEADERS", b"=,;=%"),
            ("TIMEOUT", b"-1"),
            ("COMPRESSION", b"zstd"),
            ("PROTOCOL", b"http/json"),
        ],
        [
            ("ENDPOINT", b""),
            ("HEADERS", b"content-encoding=gzip"),
            ("TIMEOUT", b"18446744073709551615"),
            ("COMPRESSION", b"none"),
            ("PROTOCOL", b"pigeon"),
        ],
        [
            ("ENDPOINT", b"\xff\xfe"),
            ("HEADERS", b"a=\xff"),
            ("TIMEOUT", b"\xff"),
            ("COMPRESSION", b"\xff"),
            ("PROTOCOL", b"\xff"),
        ],
    ];
    for of in odd {
        for signal in ["", "TRACES_"] {
            let names = of.map(|(name, _)| format!("OTEL_EXPORTER_OTLP_{signal}{name}"));
            let values = of.map(|(_, value)| OsStr::from_bytes(value).to_owned());
            let variables: Vec<_> = names.iter().map(String::as_str).zip(values).collect();
            let sent = sent_with(directory.path(), &variables);
            assert!(sent == expected, "{variables:?}:\n{sent}\n{expected}");
        }
    }
}
