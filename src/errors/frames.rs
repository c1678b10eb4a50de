//! Parses the text of a backtrace into frames, and detects which of them are the service's own code.

use std::sync::RwLock;

use super::event::Frame;
use crate::model::{read_lock, write_lock};

/// The maximum number of frames of one backtrace.
const MAX_FRAMES: usize = 50;
/// The maximum number of bytes of a function's or a file's name.
const MAX_NAME: usize = 512;
/// The maximum number of crates in [`HOST_CRATES`].
const MAX_HOST_CRATES: usize = 64;

/// The crates of the host in which errors were captured so far.
static HOST_CRATES: RwLock<Vec<String>> = RwLock::new(Vec::new());

/// Crates that most services depend on. A frame in one of them is not the host's own, even if the program has no file
/// names.
const OTHERS: [&str; 44] = [
    "addr2line",
    "alloc",
    "anyhow",
    "axum",
    "axum_core",
    "bytes",
    "core",
    "crossbeam",
    "deadpool",
    "futures",
    "futures_channel",
    "futures_core",
    "futures_executor",
    "futures_util",
    "h2",
    "http",
    "http_body",
    "http_body_util",
    "hyper",
    "hyper_util",
    "log",
    "matchit",
    "metrics",
    "mio",
    "opentelemetry",
    "parking_lot",
    "quinn",
    "rayon",
    "reqwest",
    "rustls",
    "sentry",
    "serde",
    "serde_json",
    "sqlx",
    "sqlx_core",
    "std",
    "tokio",
    "tokio_postgres",
    "tokio_rustls",
    "tonic",
    "tower",
    "tower_http",
    "tracing",
    "watchpost",
];

/// Reads what a backtrace prints: a number and a name for each frame, then a line `at file:line:column`.
///
/// `location` is where the error was captured, `file:line:column`. The innermost frame that is not part of the capture
/// is there: if that file belongs to no library, the frame's crate is the host's.
pub(super) fn read(text: &str, location: &str) -> Vec<Frame> {
    let mut frames: Vec<Frame> = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(place) = line.strip_prefix("at ") {
            if let Some(frame) = frames.last_mut() {
                let (file, number) = split_place(place);
                frame.file = crate::model::prefix(file, MAX_NAME).to_owned();
                frame.line = number;
            }
        } else if let Some((_, name)) = line.split_once(": ") {
            frames.push(Frame {
                function: crate::model::prefix(name, MAX_NAME).to_owned(),
                ..Frame::default()
            });
        }
    }
    // Frames outside this function belong to the start of the thread and are the same in every backtrace.
    let start = |frame: &Frame| frame.function.contains("__rust_begin_short_backtrace");
    let outer = frames.iter().position(start).unwrap_or(frames.len());
    frames.truncate(outer);
    let inner = frames.iter().position(|frame| !is_capture(&frame.function));
    frames.drain(..inner.unwrap_or_default());
    frames.truncate(MAX_FRAMES);
    // The innermost frame is in the file of the capture. So the crate of that frame is one of the host's, even in a
    // build that has no file names.
    if let Some(frame) = frames.first()
        && !is_library_file(split_place(location).0)
    {
        remember_host(crate_of(&frame.function));
    }
    let hosts = read_lock(&HOST_CRATES);
    for frame in &mut frames {
        frame.in_app = is_in_app(&frame.function, &frame.file, &hosts);
    }
    frames
}

/// File and line of `file`, `file:line` or `file:line:column`; the line is 0 if there is none.
fn split_place(place: &str) -> (&str, u32) {
    let number = |text: &str| text.parse::<u32>().ok();
    let Some((rest, last)) = place.rsplit_once(':') else {
        return (place, 0);
    };
    let Some(last) = number(last) else {
        return (place, 0);
    };
    match rest.rsplit_once(':') {
        Some((file, line)) => number(line).map_or((rest, last), |line| (file, line)),
        None => (rest, last),
    }
}

/// Adds a crate of the host, if there is room.
fn remember_host(name: &str) {
    let is_known = |hosts: &Vec<String>| hosts.iter().any(|host| host == name);
    if name.is_empty() || is_other(name) || is_known(&read_lock(&HOST_CRATES)) {
        return;
    }
    let mut hosts = write_lock(&HOST_CRATES);
    if !is_known(&hosts) && hosts.len() < MAX_HOST_CRATES {
        hosts.push(name.to_owned());
    }
}

/// Whether a frame belongs to this crate or the standard library, between the error and its backtrace.
fn is_capture(name: &str) -> bool {
    const CAPTURE: [&str; 5] = ["watchpost", "std", "core", "alloc", "__rustc"];
    CAPTURE.contains(&crate_of(name)) || name == "rust_begin_unwind"
}

/// Whether a frame is the host's own: by its file, or by its crate if the file is unknown.
fn is_in_app(name: &str, file: &str, hosts: &[String]) -> bool {
    let of = crate_of(name);
    if of == "watchpost" {
        return false;
    }
    if !file.is_empty() {
        return !is_library_file(file);
    }
    // A name of one part without a file is the system's, such as `__libc_start_main`.
    if of.is_empty() || is_other(of) {
        return false;
    }
    // The crates of one workspace often share the first part of their names.
    let is_host = |host: &String| {
        let first = host.split('_').next().unwrap_or(host);
        of == host || of.split('_').next() == Some(first)
    };
    hosts.is_empty() || hosts.iter().any(is_host)
}

fn is_other(name: &str) -> bool {
    const FAMILIES: [&str; 6] = [
        "opentelemetry_",
        "sentry_",
        "sqlx_",
        "tracing_",
        "futures_",
        "rustls_",
    ];
    OTHERS.binary_search(&name).is_ok() || FAMILIES.iter().any(|family| name.starts_with(family))
}

/// The crate that contains a function; empty if the name has only one part.
///
/// Handles `<hyper_util::rt::TokioIo<T> as tokio::io::AsyncRead>::poll_read`, `<&mut shop::Order as Trait>::f` and
/// `<impl shop::Trait for T>::f`.
fn crate_of(name: &str) -> &str {
    let mut rest = name.trim_start();
    loop {
        let before = rest;
        for opening in [
            "<", "&", "*", "(", "[", "'_ ", "mut ", "const ", "dyn ", "impl ", "_<",
        ] {
            rest = rest.strip_prefix(opening).unwrap_or(rest);
        }
        if rest == before {
            break;
        }
    }
    let end = rest
        .find(|c: char| !(c.is_alphanumeric() || c == '_'))
        .unwrap_or(rest.len());
    let (name, rest) = rest.split_at(end);
    // The disambiguator of a crate, as in `shop[1f2e3d4c]::orders::place`.
    let rest = match rest.strip_prefix('[') {
        Some(hash) => hash.split_once(']').map_or("", |(_, rest)| rest),
        None => rest,
    };
    if rest.starts_with("::") { name } else { "" }
}

/// Whether a file belongs to a library: to the registry, a git dependency, a vendor folder or the toolchain.
fn is_library_file(file: &str) -> bool {
    const FOLDERS: [&str; 8] = [
        "/registry/src/",
        "/.cargo/registry/",
        "/git/checkouts/",
        "/vendor/",
        "/rustc/",
        "/rustlib/",
        "/toolchains/",
        "/library/std/src/",
    ];
    let slashes = file.replace('\\', "/");
    let file = slashes.as_str();
    FOLDERS.iter().any(|folder| file.contains(folder))
        || [
            "vendor/",
            "./vendor/",
            "library/core/",
            "library/std/",
            "library/alloc/",
        ]
        .iter()
        .any(|folder| file.starts_with(folder))
        || is_trimmed(file)
}

/// Whether a path begins with a package and its version, as cargo's `trim-paths` shortens a path in the registry.
fn is_trimmed(file: &str) -> bool {
    let mut parts = file.trim_start_matches('/').split('/').take(2);
    parts.any(|part| {
        part.rsplit_once('-').is_some_and(|(_, version)| {
            let mut numbers = version
                .split('.')
                .map(|number| number.parse::<u32>().is_ok());
            version.split('.').count() == 3
                && numbers.next() == Some(true)
                && numbers.next() == Some(true)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_from_the_printed_backtrace() {
        let text = "   0: std::backtrace_rs::backtrace::trace\n             at /rustc/1/library/std/src/b.rs:1:5\n   1: watchpost::errors::capture::capture\n             at ./src/errors/capture.rs:10:1\n   2: shop::orders::place\n             at ./src/orders.rs:42:9\n   3: tokio::runtime::task::poll\n             at /home/x/.cargo/registry/src/tokio/src/a.rs:9:1\n   4: std::sys::backtrace::__rust_begin_short_backtrace\n   5: main\n";
        let frames = read(text, "src/orders.rs:42:9");
        assert_eq!(frames.len(), 2, "{frames:?}");
        assert_eq!(frames[0].function, "shop::orders::place");
        assert_eq!(
            (frames[0].file.as_str(), frames[0].line),
            ("./src/orders.rs", 42)
        );
        assert!(frames[0].in_app && !frames[1].in_app);
    }

    #[test]
    fn the_list_of_other_crates_is_sorted() {
        assert!(OTHERS.is_sorted());
    }

    #[test]
    fn a_location_has_a_line_with_and_without_a_column() {
        for (place, file, line) in [
            ("src/a.rs:7:3", "src/a.rs", 7),
            ("src/a.rs:7", "src/a.rs", 7),
            ("src/a.rs", "src/a.rs", 0),
            (r"C:\shop\src\a.rs:7:3", r"C:\shop\src\a.rs", 7),
            (r"C:\shop\src\a.rs:7", r"C:\shop\src\a.rs", 7),
            (r"C:\shop\src\a.rs", r"C:\shop\src\a.rs", 0),
            ("", "", 0),
        ] {
            assert_eq!(split_place(place), (file, line), "{place}");
        }
    }

    #[test]
    fn the_crate_of_a_name_is_found() {
        for (name, of) in [
            ("shop::orders::place", "shop"),
            ("<shop::orders::Order as shop::Place>::place", "shop"),
            (
                "<hyper_util::rt::TokioIo<T> as tokio::io::AsyncRead>::poll_read",
                "hyper_util",
            ),
            (
                "<&mut futures_util::Map<Fut,F> as core::future::Future>::poll",
                "futures_util",
            ),
            ("<dyn shop::Trait>::run", "shop"),
            ("<impl shop::Trait for T>::run", "shop"),
            ("shop[1f2e3d4c]::orders::place", "shop"),
            ("{closure#0}", ""),
            ("main", ""),
            ("place_order", ""),
            ("__libc_start_main", ""),
            ("", ""),
        ] {
            assert_eq!(crate_of(name), of, "{name}");
        }
    }

    #[test]
    fn the_hosts_own_frames_are_known_by_file_then_by_crate() {
        let hosts = ["shop".to_owned()];
        let registry = "/root/.cargo/registry/src/index-1/hyper-util-0.1.19/src/rt.rs";
        for (name, file, in_app) in [
            // With only line tables, names have no path.
            ("place_order", "/home/me/shop/src/orders.rs", true),
            ("{async_fn#0}", "./src/orders.rs", true),
            ("main", r"C:\shop\src\main.rs", true),
            ("poll_read", registry, false),
            (
                "poll<T>",
                "/usr/local/cargo/registry/src/index-1/tokio-1.48.0/src/a.rs",
                false,
            ),
            (
                "poll",
                r"C:\Users\me\.cargo\registry\src\index-1\tokio-1.48.0\src\a.rs",
                false,
            ),
            (
                "call",
                "/root/.cargo/git/checkouts/lib-1f/2e/src/lib.rs",
                false,
            ),
            ("call", "/home/me/shop/vendor/tower/src/lib.rs", false),
            ("call", "vendor/tower/src/lib.rs", false),
            ("call", "tower-0.5.3/src/lib.rs", false),
            (
                "poll",
                "/rustc/59807616/library/core/src/ops/function.rs",
                false,
            ),
            (
                "poll",
                "/root/.rustup/toolchains/stable/lib/rustlib/src/rust/library/core/src/a.rs",
                false,
            ),
            ("shop::orders::place", "", true),
            ("<shop::Order as core::fmt::Display>::fmt", "", true),
            ("shop_db::query", "", true),
            (
                "<hyper_util::rt::TokioIo<T> as tokio::io::AsyncRead>::poll_read",
                "",
                false,
            ),
            (
                "<futures_util::future::Map<Fut,F> as core::future::Future>::poll",
                "",
                false,
            ),
            ("opentelemetry_sdk::trace::run", "", false),
            ("somebody::elses::code", "", false),
            (
                "watchpost::http::future::poll",
                "./src/http/future.rs",
                false,
            ),
            ("main", "", false),
            ("__libc_start_main", "", false),
        ] {
            assert_eq!(is_in_app(name, file, &hosts), in_app, "{name} {file}");
        }
        // Before an error was captured anywhere, unknown crates may be the host's.
        assert!(is_in_app("somebody::elses::code", "", &[]));
        assert!(!is_in_app("hyper_util::rt::run", "", &[]));
    }

    #[test]
    fn a_crate_outside_libraries_becomes_the_hosts() {
        let text = |of: &str| {
            format!(
                "0: watchpost::errors::capture\n1: {of}::orders::place\n2: {of}::main\n3: zzlib::run\n"
            )
        };
        assert!(
            !read(
                &text("zzlib2"),
                "/root/.cargo/registry/src/i/zzlib2-1.0.0/src/lib.rs:1:1"
            )[2]
            .in_app
                || HOST_CRATES.read().unwrap().is_empty()
        );
        let frames = read(&text("zzhost"), "src/orders.rs:42:9");
        let own: Vec<_> = frames.iter().map(|frame| frame.in_app).collect();
        assert_eq!(own, [true, true, false], "{frames:?}");
    }
}
