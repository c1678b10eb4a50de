/// Bytes of a `tracestate` that is passed on.
const MAX_LEN: usize = 512;
/// Members of one.
const MAX_MEMBERS: usize = 32;
/// Bytes of a `baggage` header that is passed on.
const MAX_BAGGAGE: usize = 8192;

/// A caller's `tracestate`, if it keeps the [recommendation]'s limits.
///
/// [recommendation]: https://www.w3.org/TR/trace-context/#tracestate-header
pub(crate) fn trace_state(value: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(value).ok()?.trim();
    let members = text.split(',').filter(|member| !member.trim().is_empty());
    let fits = !text.is_empty() && text.len() <= MAX_LEN && members.count() <= MAX_MEMBERS;
    (fits && super::context::state(text).header() != "").then_some(text)
}

/// A caller's `baggage`, if it is short enough.
pub(crate) fn baggage(value: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(value).ok()?.trim();
    (!text.is_empty() && text.len() <= MAX_BAGGAGE).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_a_limit_or_no_state_is_left_out() {
        assert_eq!(
            trace_state(b" rojo=00f067aa0ba902b7,congo=t61 "),
            Some("rojo=00f067aa0ba902b7,congo=t61")
        );
        let members = |n: usize| {
            (0..n)
                .map(|n| format!("k{n}=v"))
                .collect::<Vec<_>>()
                .join(",")
        };
        assert!(trace_state(members(32).as_bytes()).is_some());
        let long = format!("a={}", "v".repeat(600));
        for bad in [
            members(33).as_bytes(),
            long.as_bytes(),
            b"",
            b"   ",
            b"no state",
            b"a=\xff",
        ] {
            assert_eq!(trace_state(bad), None, "{bad:?}");
        }
        assert_eq!(baggage(b"a=1"), Some("a=1"));
        assert_eq!(baggage(&[b'a'; 8193]), None);
    }
}
