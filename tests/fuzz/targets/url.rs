//! Any text, as a URL: what is shown is bounded, without credentials, values of the query and fragment.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../../src/external/url/mod.rs"]
mod url;

/// What stands where secrets do, and nowhere else.
const SECRET: &str = "zqsecret";

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    bounded(&text);
    if let Some(target) = url::target(&text) {
        assert!(target.host.len() <= 1024);
    }

    // What ends a part, and so begins the next, stands in none.
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

/// A text without these characters, and without the secret.
fn without(text: &str, characters: &[char]) -> String {
    let mut text = text.replace(characters, "");
    while text.contains(SECRET) {
        text = text.replace(SECRET, "");
    }
    text
}

fn bounded(url: &str) -> String {
    let shown = url::shown(url);
    assert!(shown.len() <= 2048);
    assert!(!shown.contains(char::is_control), "{url:?}: {shown:?}");
    // White space before what is taken out stays the first time.
    let again = url::shown(&shown);
    assert_eq!(url::shown(&again), again, "{url:?}");
    shown
}
