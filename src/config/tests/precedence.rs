use super::*;

/// No source can reveal what another source redacts.
#[test]
fn redacted_keys_and_paths_of_all_sources_add_up() {
    let written =
        written("[redact]\nkeys = [\"ticket\"]\npaths = [\"/a/{x}\"]\nallow_query = [\"q\"]\n");
    let environment = [
        ("WATCHPOST_REDACT_KEYS", "seat,ticket"),
        ("WATCHPOST_REDACT_PATHS", "/b/{x},/a/{x}"),
        ("WATCHPOST_REDACT_ALLOW_QUERY", "r"),
    ];
    let resolved = resolve(Sources {
        file: Some(written.path.clone()),
        environment: Environment::of(environment),
        code: vec![
            code("redact.keys", "row"),
            code("redact.keys", "seat,gate"),
            code("redact.paths", "/c/{x}"),
            code("redact.allow_query", "s"),
        ],
        ..Sources::default()
    })
    .unwrap();
    let redact = &resolved.config.redact;
    assert_eq!(redact.keys, ["ticket", "seat", "row", "gate"]);
    let paths = ["/a/{x}", "/b/{x}", "/c/{x}"].map(|path| path.parse().unwrap());
    assert_eq!(redact.paths, paths);
    // The list of shown parameters is replaced, not combined.
    assert_eq!(redact.allow_query, ["s"]);
}

/// Each source of the service name overrides the sources after it.
#[test]
fn the_name_of_the_service_comes_from_the_strongest_source() {
    let file = written("service.name = \"file\"\n");
    let own = ("WATCHPOST_SERVICE_NAME", "own");
    let otel = ("OTEL_SERVICE_NAME", "otel");
    let attribute = ("OTEL_RESOURCE_ATTRIBUTES", "service.name=attribute");
    let in_code = CodeSettings::typed(".service_name(..)", &["service.name"], |config| {
        config.service.name = "code".to_owned();
    });
    let fallback =
        |environment: &[(&str, &str)], file: Option<&Written>, code: Vec<CodeSettings>| {
            let resolved = resolve(Sources {
                fallback_name: Some("fallback".to_owned()),
                file: file.map(|it| it.path.clone()),
                environment: Environment::of(environment.iter().copied()),
                code,
            });
            resolved
                .unwrap()
                .settings
                .value("service.name")
                .map(str::to_owned)
        };
    for (name, environment, file, code) in [
        (
            "code",
            vec![own, otel, attribute],
            Some(&file),
            vec![in_code],
        ),
        ("own", vec![own, otel, attribute], Some(&file), vec![]),
        ("otel", vec![otel, attribute], Some(&file), vec![]),
        ("attribute", vec![attribute], Some(&file), vec![]),
        ("file", vec![], Some(&file), vec![]),
        ("fallback", vec![], None, vec![]),
    ] {
        let got = fallback(&environment, file, code);
        assert_eq!(got, Some(format!("\"{name}\"")));
    }
}

#[test]
fn a_value_above_its_maximum_that_is_overridden_is_no_warning() {
    let file = written("trace.max_attributes = 5000\n");
    let warnings = |environment: &[(&str, &str)], code: Vec<CodeSettings>| {
        let resolved = resolve(Sources {
            file: Some(file.path.clone()),
            environment: Environment::of(environment.iter().copied()),
            code,
            ..Sources::default()
        });
        resolved.unwrap().warnings
    };
    let limit = |value: &'static str| code("trace.max_attributes", value);
    assert_eq!(warnings(&[], vec![]).len(), 1);
    assert_eq!(warnings(&[], vec![limit("100")]), Vec::<String>::new());
    let own = [("WATCHPOST_TRACE_MAX_ATTRIBUTES", "100")];
    assert_eq!(warnings(&own, vec![]), Vec::<String>::new());
    // The warning names the source whose value is in use.
    let [warning] = &warnings(&own, vec![limit("6000")])[..] else {
        panic!("one warning is expected");
    };
    assert!(
        warning.contains("(call .call(..)): above the maximum"),
        "{warning}"
    );
}
