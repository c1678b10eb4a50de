use super::*;

/// What one source redacts no other shows.
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
    // What is shown is replaced.
    assert_eq!(redact.allow_query, ["s"]);
}
