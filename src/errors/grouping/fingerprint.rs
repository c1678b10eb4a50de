use super::hash::GroupHash;
use super::parameterize::parameterize;
use crate::errors::event::{ErrorEvent, EventKind, Frame};

/// The part of a fingerprint that represents the default grouping.
const DEFAULT_PART: &str = "{{ default }}";
/// The maximum number of frames that count.
const MAX_FRAMES: usize = 50;

/// The hash of a place of capture: a type of errors at a line of the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::errors) struct CapturePlace(pub(in crate::errors) u64);

impl CapturePlace {
    pub(in crate::errors) fn of(event: &ErrorEvent) -> Self {
        let hash = start(event, "place").with(&event.location);
        Self(hash.finish())
    }
}

/// The fingerprint that the capture set, if it set one.
pub(in crate::errors) fn own_fingerprint(event: &ErrorEvent) -> Option<u64> {
    if event.fingerprint.is_empty() {
        return None;
    }
    let parts = event.fingerprint.iter();
    let hash = parts.fold(GroupHash::new().with("own"), |hash, part| {
        match part.as_str() {
            DEFAULT_PART => hash.with(&format!("{:016x}", message_fingerprint(event))),
            part => hash.with(part),
        }
    });
    Some(hash.finish())
}

/// The fingerprint of type and in-app frames. `None` if no frame belongs to the service.
///
/// Lines do not count, since they change with each release, and neither do the frames of recursion after the first.
pub(in crate::errors) fn frames_fingerprint(event: &ErrorEvent, frames: &[Frame]) -> Option<u64> {
    let own = frames.iter().filter(|frame| frame.in_app);
    let own = own.map(|frame| function(&frame.function));
    let mut hash = start(event, "frames");
    let mut last = None;
    for name in own.take(MAX_FRAMES) {
        if last != Some(name) {
            hash = hash.with(name);
            last = Some(name);
        }
    }
    last.map(|_| hash.finish())
}

/// The fingerprint of type and parameterized message.
pub(in crate::errors) fn message_fingerprint(event: &ErrorEvent) -> u64 {
    let message = event.error().map_or("", |error| error.message.as_str());
    start(event, "message")
        .with(&parameterize(message))
        .finish()
}

fn start(event: &ErrorEvent, by: &str) -> GroupHash {
    let kind = match event.kind {
        EventKind::Error => "error",
        EventKind::Message => "message",
        EventKind::Panic => "panic",
    };
    let type_name = event.error().map_or("", |error| error.type_name.as_str());
    GroupHash::new().with(by).with(kind).with(type_name)
}

/// The path of a function without the hash that the compiler appends, which differs between builds.
fn function(name: &str) -> &str {
    match name.rsplit_once("::h") {
        Some((path, hash)) if hash.len() == 16 && hash.bytes().all(|it| it.is_ascii_hexdigit()) => {
            path
        }
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errors::testing::event;

    fn frame(function: &str, line: u32, in_app: bool) -> Frame {
        Frame {
            function: function.to_owned(),
            file: String::new(),
            line,
            in_app,
        }
    }

    #[test]
    fn lines_libraries_recursion_and_compiler_hashes_do_not_count() {
        let event = event("a.rs:1:1", "E", "m");
        let one = [
            frame("shop::walk::h0123456789abcdef", 7, true),
            frame("serde::de", 1, false),
            frame("shop::main", 9, true),
        ];
        let other = [
            frame("shop::walk", 8, true),
            frame("shop::walk", 8, true),
            frame("shop::main", 11, true),
            frame("tokio::run", 1, false),
        ];
        let number = frames_fingerprint(&event, &one);
        assert!(number.is_some());
        assert_eq!(number, frames_fingerprint(&event, &other));
        let swapped = [one[2].clone(), one[0].clone()];
        assert_ne!(number, frames_fingerprint(&event, &swapped));
        assert_eq!(frames_fingerprint(&event, &one[1..2]), None);
        assert_eq!(frames_fingerprint(&event, &[]), None);
    }

    #[test]
    fn own_parts_come_first_and_may_contain_the_default() {
        let mut one = event("a.rs:1:1", "E", "row 1 failed");
        assert_eq!(own_fingerprint(&one), None);
        one.fingerprint = vec!["mine".to_owned()];
        let mut other = event("b.rs:1:1", "F", "anything");
        other.fingerprint.clone_from(&one.fingerprint);
        assert_eq!(own_fingerprint(&one), own_fingerprint(&other));
        for it in [&mut one, &mut other] {
            it.fingerprint.push(DEFAULT_PART.to_owned());
        }
        assert_ne!(own_fingerprint(&one), own_fingerprint(&other));
        other.causes = event("", "E", "row 2 failed").causes;
        assert_eq!(own_fingerprint(&one), own_fingerprint(&other));
    }

    #[test]
    fn type_kind_and_text_of_a_message_count_and_its_place_does_not() {
        let number = |location, of, text| message_fingerprint(&event(location, of, text));
        assert_eq!(number("a", "E", "row 1"), number("b", "E", "row 22"));
        assert_ne!(number("a", "E", "row 1"), number("a", "F", "row 1"));
        assert_ne!(number("a", "E", "row 1"), number("a", "E", "line 1"));
        let (one, mut other) = (event("a", "E", "m"), event("a", "E", "m"));
        other.kind = EventKind::Panic;
        assert_ne!(message_fingerprint(&one), message_fingerprint(&other));
        assert_ne!(CapturePlace::of(&one), CapturePlace::of(&other));
    }
}
