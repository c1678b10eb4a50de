//! Errors that only raw bytes and files can cause.

use super::*;

/// The number of configurations in the tests below.
pub(in super::super) const COUNTS: [usize; 3] = [BYTES.len(), FILES, 5];

const FILES: usize = 5;

const BYTES: &[(&[u8], usize)] = &[
    (b"\xff", 1),
    (b"log.level = \"\xff\"", 1),
    (b"# \xc3\x28\n", 1),
    (b"log.slow = \"1s\"\n\naccess.token = \"hunter2\xfe\"", 3),
    (b"\xff\xfel\0o\0g\0", 1),
    (b"ok = 1\n\xed\xa0\x80", 2),
];

#[test]
fn files_that_are_not_utf8() {
    for (bytes, line) in BYTES {
        let origin = format!("watchpost.toml line {line})");
        assert_problem(
            from_file(bytes),
            "file",
            &origin,
            "not UTF-8; save the file as UTF-8",
        );
    }
}

#[test]
fn files_that_cannot_be_read() {
    let directory = tempfile::tempdir().unwrap();
    let large = directory.path().join("large.toml");
    std::fs::write(&large, vec![b'#'; 1024 * 1024 + 1]).unwrap();
    let looped = directory.path().join("looped.toml");
    std::os::unix::fs::symlink(&looped, &looped).unwrap();
    let beneath = large.join("watchpost.toml");
    let cases: [(PathBuf, &str); FILES] = [
        (
            directory.path().join("missing.toml"),
            "there is no such file; write the path of a TOML file",
        ),
        (
            directory.path().to_owned(),
            "it is a directory; write the path of a TOML file in it",
        ),
        (large, "it is larger than 1 MiB"),
        ("/dev/zero".into(), "it is no regular file"),
        (looped, "it cannot be read"),
    ];
    for (path, advice) in cases {
        let called = resolve(Sources {
            file: Some(path.clone()),
            ..Sources::default()
        });
        assert_problem(called, "file", "(call .file(..))", advice);
        let variable = resolve(Sources {
            environment: Environment::of([("WATCHPOST_CONFIG", path)]),
            ..Sources::default()
        });
        assert_problem(variable, "file", "(variable WATCHPOST_CONFIG)", advice);
    }
    assert!(super::super::super::file::read(&beneath).is_err());
}

#[test]
fn a_full_file_is_not_too_large() {
    assert!(from_file(vec![b'#'; 1024 * 1024]).is_ok());
}

#[test]
fn a_file_that_is_gone_does_not_hide_other_problems() {
    let error = resolve(Sources {
        file: Some("/nonexistent/watchpost.toml".into()),
        environment: Environment::of([("WATCHPOST_LOG_SLOW", "5")]),
        ..Sources::default()
    })
    .unwrap_err();
    assert_eq!(error.problems().len(), 2);
}

#[cfg(unix)]
fn not_utf8(tail: &str) -> std::ffi::OsString {
    use std::os::unix::ffi::OsStringExt;

    let mut bytes = b"\xff".to_vec();
    bytes.extend_from_slice(tail.as_bytes());
    std::ffi::OsString::from_vec(bytes)
}

#[cfg(unix)]
#[test]
fn variables_that_are_not_utf8() {
    for (variable, key) in [
        ("WATCHPOST_LOG", "log.level"),
        ("WATCHPOST_DATA_DIR", "data_dir"),
        ("WATCHPOST_TOKEN", "access.token"),
        ("WATCHPOST_HTTP_TRUSTED_PROXIES", "http.trusted_proxies"),
        ("WATCHPOST_VERSION", "service.version"),
    ] {
        let resolved = resolve(Sources {
            environment: Environment::of(
                [(variable.into(), not_utf8("hunter2"))] as [(std::ffi::OsString, _); 1]
            ),
            ..Sources::default()
        });
        let origin = format!("(variable {variable})");
        assert_problem(resolved, key, &origin, "not UTF-8; write it as UTF-8");
    }
}

#[cfg(unix)]
#[test]
fn strange_variables_that_are_not_utf8_are_warnings() {
    for variable in [
        "OTEL_RESOURCE_ATTRIBUTES",
        "OTEL_SERVICE_NAME",
        "RUST_LOG",
        "VERSION",
        "STATE_DIRECTORY",
    ] {
        let resolved = resolve(Sources {
            environment: Environment::of([(variable, not_utf8("hunter2"))]),
            ..Sources::default()
        })
        .unwrap();
        let [warning] = resolved.warnings.as_slice() else {
            panic!("{variable}: {:?}", resolved.warnings);
        };
        assert!(
            warning.contains(variable) && warning.contains("not UTF-8"),
            "{warning}"
        );
        assert_silent(warning);
    }
}

#[cfg(unix)]
#[test]
fn names_and_values_of_any_bytes_that_mean_nothing_are_passed_over() {
    let resolved = resolve(Sources {
        environment: Environment::of([
            (not_utf8("NAME"), not_utf8("value")),
            ("PATH".into(), not_utf8("x")),
        ]),
        ..Sources::default()
    });
    assert_eq!(resolved.unwrap().warnings, Vec::<String>::new());
}

#[test]
fn calls_with_an_unknown_key() {
    for (key, advice) in [
        ("log.levl", "write `log.level`"),
        ("drain", "write `drain.wait`"),
        ("", "the key is not known; remove it"),
        ("http", "write `http.trace_header`"),
        ("TOKEN", "write `access.token`"),
    ] {
        assert_problem(from_code(key, "hunter2"), key, "(call .call(..))", advice);
    }
}
