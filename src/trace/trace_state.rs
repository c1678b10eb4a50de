//! The `tracestate` and `baggage` of a caller. Both are lists, and repeated headers form one list
//! ([RFC 9110], section 5.3).
//!
//! [RFC 9110]: https://www.rfc-editor.org/rfc/rfc9110#section-5.3

use std::borrow::Cow;

use opentelemetry::trace::TraceState;

/// The maximum length of a propagated `tracestate`, in bytes.
const MAX_LEN: usize = 512;
/// The maximum number of members of a `tracestate`.
const MAX_MEMBERS: usize = 32;
/// The length, in bytes, above which members are dropped first if the list is too long.
const LONG_MEMBER: usize = 128;
/// The maximum length of a key or a value, in bytes.
const MAX_PART: usize = 256;
/// The maximum length of a propagated `baggage`, in bytes.
const MAX_BAGGAGE: usize = 8192;

/// Parses a caller's `tracestate` from all headers of that name, according to the [recommendation], levels 1 and 2.
/// Returns an empty string if there is none.
///
/// An invalid member, or more than 32 members, discards the whole list. If the list is longer than 512 bytes, the
/// members over 128 bytes are dropped, starting from the end, and then other members from the end.
///
/// [recommendation]: https://www.w3.org/TR/trace-context-2/#tracestate-header
pub(crate) fn trace_state<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut members = Vec::new();
    for member in values.into_iter().flat_map(split) {
        match std::str::from_utf8(member) {
            Ok(text) if members.len() < MAX_MEMBERS && is_member(member) => members.push(text),
            _ => return String::new(),
        }
    }
    while len(&members) > MAX_LEN {
        let long = members.iter().rposition(|it| it.len() > LONG_MEMBER);
        members.remove(long.unwrap_or(members.len() - 1));
    }
    members.join(",")
}

/// Returns the length of a list, in bytes.
fn len(members: &[&str]) -> usize {
    let bytes: usize = members.iter().map(|member| member.len() + 1).sum();
    bytes.saturating_sub(1)
}

/// Splits a list into its members, without surrounding white space. Empty members are allowed and ignored.
fn split(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let members = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    members.filter(|member| !member.is_empty())
}

/// Whether a member is a valid key and value.
fn is_member(member: &[u8]) -> bool {
    let mut parts = member.splitn(2, |byte| *byte == b'=');
    let (Some(key), Some(value)) = (parts.next(), parts.next()) else {
        return false;
    };
    is_key(key) && is_value(value)
}

/// Whether a key is valid by the grammar of level 2, which includes the keys of level 1.
fn is_key(key: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let [first, rest @ ..] = key else {
        return false;
    };
    let further = |byte: &u8| plain(byte) || b"_-*/@".contains(byte);
    key.len() <= MAX_PART && plain(first) && rest.iter().all(further)
}

/// Whether a value is valid: it has no comma and no `=`, and does not end with a space. Trailing white space has
/// already been removed.
fn is_value(value: &[u8]) -> bool {
    let allowed = |byte: &u8| matches!(byte, b' '..=b'~') && !b",=".contains(byte);
    !value.is_empty() && value.len() <= MAX_PART && value.iter().all(allowed)
}

/// Converts a valid list to OpenTelemetry's type, whose keys follow an earlier grammar. Members that it rejects are
/// omitted.
#[inline]
pub(super) fn otel_state(list: &str) -> TraceState {
    if list.is_empty() {
        return TraceState::NONE;
    }
    list.parse().unwrap_or_else(|_| accepted(list))
}

#[cold]
fn accepted(list: &str) -> TraceState {
    let members = list.split(',').filter_map(|member| member.split_once('='));
    let accepted = members.filter(|pair| TraceState::from_key_value([*pair]).is_ok());
    TraceState::from_key_value(accepted).unwrap_or_default()
}

/// Reads a caller's `baggage` from all headers of that name that are UTF-8: as many members as fit into 8192 bytes.
pub(crate) fn baggage<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Option<Cow<'a, str>> {
    let texts = values
        .into_iter()
        .filter_map(|value| std::str::from_utf8(value).ok());
    let mut list = Cow::Borrowed("");
    for text in texts.map(str::trim).filter(|text| !text.is_empty()) {
        if list.is_empty() {
            list = Cow::Borrowed(text);
        } else if list.len() <= MAX_BAGGAGE {
            let list = list.to_mut();
            list.push(',');
            list.push_str(text);
        }
    }
    if list.len() > MAX_BAGGAGE {
        let end = list.as_bytes().get(..=MAX_BAGGAGE);
        let end = end.and_then(|some| some.iter().rposition(|byte| *byte == b','));
        let kept = end.and_then(|end| list.get(..end)).unwrap_or_default();
        list = Cow::Owned(kept.to_owned());
    }
    (!list.is_empty()).then_some(list)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(values: &[&str]) -> String {
        trace_state(values.iter().map(|value| value.as_bytes()))
    }

    fn members(n: usize) -> String {
        let all: Vec<_> = (0..n).map(|n| format!("k{n}=v")).collect();
        all.join(",")
    }

    #[test]
    fn headers_are_one_list() {
        assert_eq!(read(&[" rojo=1,congo=t61 "]), "rojo=1,congo=t61");
        assert_eq!(
            read(&["a=1", "b=2, c=3", "", " , ", "d=4"]),
            "a=1,b=2,c=3,d=4"
        );
        assert_eq!(read(&[&members(30), "y=1", "z=2"]).matches('=').count(), 32);
        assert_eq!(read(&[&members(30), "x=1", "y=2", "z=3"]), "");
        assert_eq!(read(&["a=1", "B=2"]), "");
        assert_eq!(read(&[]), "");
        assert_eq!(trace_state([&b"a=\xff"[..], b"b=1"]), "");
    }

    #[test]
    fn a_list_that_is_too_long_loses_long_members_first() {
        let long = format!("long={}", "v".repeat(200));
        let list = format!("a=1,{long},b=2,{long},{long},c=3");
        assert_eq!(read(&[&list]), format!("a=1,{long},b=2,{long},c=3"));
        let short: Vec<_> = (10..30)
            .map(|n| format!("k{n}={}", "v".repeat(40)))
            .collect();
        let kept = read(&[&short.join(",")]);
        assert_eq!(kept, short[..11].join(","));
        assert!(kept.len() <= MAX_LEN && kept.len() + 45 > MAX_LEN);
    }

    #[test]
    fn opentelemetry_gets_the_members_that_it_takes() {
        assert_eq!(otel_state("a=1,b@c=2").header(), "a=1,b@c=2");
        assert_eq!(otel_state("a=1,foo@@bar=2,b=3").header(), "a=1,b=3");
        assert_eq!(otel_state("").header(), "");
    }

    #[test]
    fn baggage_is_combined_and_cut_at_a_member() {
        let of = |values: &[&str]| {
            let values = values.iter().map(|value| value.as_bytes());
            baggage(values).map(Cow::into_owned)
        };
        assert_eq!(of(&["a=1"]).as_deref(), Some("a=1"));
        assert_eq!(of(&["a=1", " ", "b=2,c=3"]).as_deref(), Some("a=1,b=2,c=3"));
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[&"a".repeat(8193)]), None);
        let list = format!("a={}", "v".repeat(8000));
        assert_eq!(of(&[&list, &list]), Some(list.clone()));
        assert_eq!(of(&[&list, "b=1"]), Some(format!("{list},b=1")));
        let fits = format!("a={}", "v".repeat(8190));
        assert_eq!(of(&[&fits, "b=1"]), Some(fits));
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_list_that_is_valid(values in proptest::collection::vec(
            proptest::collection::vec(prop_oneof![any::<u8>(), Just(b','), Just(b'='), Just(b'a')], 0..700), 0..4)) {
            let values = || values.iter().map(Vec::as_slice);
            let list = trace_state(values());
            prop_assert!(list.len() <= MAX_LEN);
            prop_assert_eq!(trace_state([list.as_bytes()]), list);
            let list = baggage(values()).unwrap_or_default();
            prop_assert!(list.len() <= MAX_BAGGAGE);
        }
    }
}
