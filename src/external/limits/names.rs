//! Names of headers and of windows.

/// The window of an answer that names none.
pub(super) const DEFAULT: &str = "default";
/// Longer names of windows are refused: cut ones could be taken for each other.
const MAX_NAME: usize = 32;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    RetryAfter,
    /// A list of policies with what is left of them, or with their quotas.
    List,
    Limit,
    Remaining,
    Used,
    Reset,
    /// As `Reset`, and preferred to it: it needs no clock.
    ResetAfter,
    /// The default window's name.
    Name,
}

/// What a header tells, and of which window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header<'a> {
    pub(super) field: Field,
    /// `None` is the default window.
    pub(super) window: Option<&'a str>,
}

/// What a header tells by its name, which is in lower case.
#[inline]
pub(super) fn header(name: &str) -> Option<Header<'_>> {
    // Nearly all headers end here.
    let least = match name.as_bytes().first()? {
        b'r' => "ratelimit".len(),
        b'x' => "x-ratelimit-used".len(),
        b'a' => "anthropic-ratelimit-x-reset".len(),
        _ => return None,
    };
    if name.len() < least {
        return None;
    }
    known(name)
}

fn known(name: &str) -> Option<Header<'_>> {
    let of_default = |field| Header {
        field,
        window: None,
    };
    if name == "retry-after" {
        return Some(of_default(Field::RetryAfter));
    }
    if name == "ratelimit" {
        return Some(of_default(Field::List));
    }
    let families = [
        "ratelimit-",
        "x-ratelimit-",
        "x-rate-limit-",
        "anthropic-ratelimit-",
    ];
    let rest = families
        .iter()
        .find_map(|family| name.strip_prefix(family))?;
    if let Some(field) = field(rest) {
        return Some(of_default(field));
    }
    // `limit-requests` or `requests-limit`.
    let first = rest
        .split_once('-')
        .and_then(|(first, window)| Some((field(first)?, window)));
    let last = || {
        rest.rsplit_once('-')
            .and_then(|(window, last)| Some((field(last)?, window)))
    };
    match first.or_else(last)? {
        (Field::Reset, "after" | "in") => Some(of_default(Field::ResetAfter)),
        (Field::Reset, "at") => Some(of_default(Field::Reset)),
        // Another unit, and no window's name.
        (Field::Reset, "ms") | (Field::List | Field::Name, _) => None,
        (field, window) => Some(Header {
            field,
            window: Some(window),
        }),
    }
}

fn field(word: &str) -> Option<Field> {
    Some(match word {
        "limit" => Field::Limit,
        "remaining" => Field::Remaining,
        "used" | "observed" => Field::Used,
        "reset" => Field::Reset,
        "resource" | "name" => Field::Name,
        "policy" => Field::List,
        _ => return None,
    })
}

/// A window's name from what an answer calls it: in lower case, with `_` for what may not stand in it.
pub(super) fn window(raw: &str) -> Option<Box<str>> {
    let raw = raw.trim();
    if raw.is_empty() {
        return Some(DEFAULT.into());
    }
    if raw.len() > MAX_NAME {
        return None;
    }
    let kept = |c: char| match c.to_ascii_lowercase() {
        c @ ('a'..='z' | '0'..='9' | '_' | '.' | '-') => c,
        _ => '_',
    };
    Some(raw.chars().map(kept).collect::<String>().into())
}
