//! The names of rate-limit headers and of windows.

/// The name of the window if a response names none.
pub(super) const DEFAULT: &str = "default";
/// The maximum length of a window's name, in bytes. A longer name is refused: two names that were cut could be
/// mistaken for each other.
const MAX_NAME: usize = 32;

/// What a header reports about a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LimitField {
    RetryAfter,
    /// A list of policies with their limits, or with what remains of them.
    List,
    Limit,
    Remaining,
    Used,
    Reset,
    /// Like `Reset`, and preferred to it, since a relative time needs no clock.
    ResetAfter,
    /// The default window's name.
    Name,
}

/// The field that a header reports, and the window it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LimitHeader<'a> {
    pub(super) field: LimitField,
    /// `None` for the default window.
    pub(super) window: Option<&'a str>,
}

/// Identifies a header by its name, which is in lower case.
#[inline]
pub(super) fn header(name: &str) -> Option<LimitHeader<'_>> {
    // Rules out nearly all headers by their first byte and length.
    let min_length = match name.as_bytes().first()? {
        b'r' => "ratelimit".len(),
        b'x' => "x-ratelimit-used".len(),
        b'a' => "anthropic-ratelimit-x-reset".len(),
        _ => return None,
    };
    if name.len() < min_length {
        return None;
    }
    parse(name)
}

fn parse(name: &str) -> Option<LimitHeader<'_>> {
    let of_default = |field| LimitHeader {
        field,
        window: None,
    };
    if name == "retry-after" {
        return Some(of_default(LimitField::RetryAfter));
    }
    if name == "ratelimit" {
        return Some(of_default(LimitField::List));
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
        (LimitField::Reset, "after" | "in") => Some(of_default(LimitField::ResetAfter)),
        (LimitField::Reset, "at") => Some(of_default(LimitField::Reset)),
        // `ms` is a unit that is not supported, not the name of a window. A list or a name has no window in its header.
        (LimitField::Reset, "ms") | (LimitField::List | LimitField::Name, _) => None,
        (field, window) => Some(LimitHeader {
            field,
            window: Some(window),
        }),
    }
}

fn field(word: &str) -> Option<LimitField> {
    Some(match word {
        "limit" => LimitField::Limit,
        "remaining" => LimitField::Remaining,
        "used" | "observed" => LimitField::Used,
        "reset" => LimitField::Reset,
        "resource" | "name" => LimitField::Name,
        "policy" => LimitField::List,
        _ => return None,
    })
}

/// Converts the name that a response gives to a window: lower case, with `_` for each character that is not allowed.
pub(super) fn window(raw: &str) -> Option<Box<str>> {
    let raw = raw.trim();
    if raw.is_empty() {
        return Some(DEFAULT.into());
    }
    if raw.len() > MAX_NAME {
        return None;
    }
    let sanitized = |c: char| match c.to_ascii_lowercase() {
        c @ ('a'..='z' | '0'..='9' | '_' | '.' | '-') => c,
        _ => '_',
    };
    Some(raw.chars().map(sanitized).collect::<String>().into())
}
