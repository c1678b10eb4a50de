/// The part after `name` in a media type such as `text/html; charset=utf-8`; `None` if it does not begin with `name`.
/// `name` is in lower case. Media types are compared case-insensitively.
#[inline]
fn after<'a>(value: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let (start, rest) = value.trim_ascii_start().split_at_checked(name.len())?;
    start.eq_ignore_ascii_case(name.as_bytes()).then_some(rest)
}

/// Whether a media type ends here: nothing or its parameters follow.
#[inline]
fn ends(rest: &[u8]) -> bool {
    matches!(rest.first(), None | Some(b';' | b' ' | b'\t'))
}

/// Whether a `Content-Type` has this media type, in any case and with any parameters.
#[inline]
pub(crate) fn is_media_type(value: &[u8], name: &str) -> bool {
    after(value, name).is_some_and(ends)
}

/// Whether a `Content-Type` is gRPC's or gRPC-Web's, with or without a suffix such as `+proto`.
#[inline]
pub(crate) fn is_grpc(value: &[u8]) -> bool {
    let Some(rest) = after(value, "application/grpc") else {
        return false;
    };
    let rest = after(rest, "-web-text")
        .or_else(|| after(rest, "-web"))
        .unwrap_or(rest);
    rest.first() == Some(&b'+') || ends(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_type_is_read_in_any_case_and_ends_at_its_parameters() {
        for (value, is) in [
            ("text/event-stream", true),
            ("Text/Event-Stream", true),
            ("TEXT/EVENT-STREAM;charset=UTF-8", true),
            ("text/event-stream ; charset=utf-8", true),
            ("text/event-stream\t;charset=utf-8", true),
            (" text/event-stream", true),
            ("text/event-stream;", true),
            ("text/event-streams", false),
            ("text/event-stream-v2", false),
            ("text/event-stream+json", false),
            ("text/event-strea", false),
            ("text/event_stream", false),
            ("application/json; of=text/event-stream", false),
            ("text/plain", false),
            ("", false),
        ] {
            let found = is_media_type(value.as_bytes(), "text/event-stream");
            assert_eq!(found, is, "{value:?}");
        }
    }

    #[test]
    fn grpc_has_suffixes_and_a_form_for_the_web() {
        for (value, is) in [
            ("application/grpc", true),
            ("Application/gRPC", true),
            ("application/grpc+proto", true),
            ("APPLICATION/GRPC+JSON; charset=utf-8", true),
            ("application/grpc;proto=x", true),
            ("application/grpc ;x=y", true),
            ("application/grpc-web", true),
            ("application/grpc-web+proto", true),
            ("Application/Grpc-Web-Text", true),
            ("application/grpc-web-text+proto", true),
            ("application/grpcx", false),
            ("application/grpc-webby", false),
            ("application/grpc-web-texts", false),
            ("application/grpc-json", false),
            ("application/grpc/x", false),
            ("application/grp", false),
            ("application/json", false),
            ("x-application/grpc", false),
            ("", false),
        ] {
            assert_eq!(is_grpc(value.as_bytes()), is, "{value:?}");
        }
    }
}
