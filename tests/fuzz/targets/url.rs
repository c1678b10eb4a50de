//! Arbitrary texts as URLs: the output is bounded and contains no credentials, query values or fragment.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../../src/external/url/mod.rs"]
mod url;

/// A text in the places of secrets, and nowhere else.
const SECRET: &str = "zqsecret";

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    bounded(&text);
    // Long enough to be cut.
    bounded(&text.repeat(2048 / text.len().max(1) + 1));
    if let Some(server) = url::host_port(&text) {
        assert!(server.host.len() <= 3 * 255);
        assert!(!url::has_invalid_port(&text));
    }

    // Without the characters that end a part of a URL.
    let user = without(&text, &['/', '?', '#', '\\', '@']);
    let value = without(&text, &['&', ';', '#', '=']);
    let path = without(&text, &['?', '#', '@']);
    let text = without(&text, &[]);
    for url in [
        format!("https://{user}{SECRET}{user}@example.com/{path}"),
        format!("https://u:{user}{SECRET}@example.com:8443/?a=b"),
        format!("https://example.com/{path}?a={value}{SECRET}{value}&b={SECRET}"),
        format!("/only/a/path?a={value}{SECRET}"),
        format!("https://example.com/?a=b#{text}{SECRET}"),
        format!("postgres://{SECRET}:{user}{SECRET}@db.internal/{path}"),
    ] {
        let shown = bounded(&url);
        assert!(!shown.contains(SECRET), "{url:?} is shown as {shown:?}");
    }
});

/// The text without some characters, and without the secret, which their removal may form.
fn without(text: &str, characters: &[char]) -> String {
    let mut text = text.replace(characters, "");
    while text.contains(SECRET) {
        text = text.replace(SECRET, "");
    }
    text
}

fn bounded(url: &str) -> String {
    let shown = url::shown(url, |_, _| false);
    assert!(shown.len() <= 2048);
    assert!(!shown.contains(char::is_control), "{url:?}: {shown:?}");
    // A cut text may end before the part that distinguishes a port from a password.
    if !shown.ends_with('…') {
        assert_eq!(url::shown(&shown, |_, _| false), shown, "{url:?}");
    }
    shown
}
