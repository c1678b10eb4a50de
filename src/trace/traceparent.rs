use crate::model::{SpanId, TraceId, hex_of_byte};

/// The length of a `traceparent`: `00-` + 32 + `-` + 16 + `-` + 2.
const LEN: usize = 55;

/// The caller's operation, from its `traceparent` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Traceparent {
    pub(crate) trace: TraceId,
    pub(crate) span: SpanId,
    /// The flags as received.
    pub(crate) flags: u8,
}

/// Parses a `traceparent` header according to the [recommendation]. Returns `None` for any other text, which starts a
/// new trace and is never an error.
///
/// [recommendation]: https://www.w3.org/TR/trace-context/#traceparent-header
#[inline]
pub(crate) fn parse_traceparent(value: &[u8]) -> Option<Traceparent> {
    if value.len() == LEN {
        return parse(value, &[]);
    }
    let value = value.trim_ascii();
    let (value, rest) = value.split_at_checked(LEN)?;
    parse(value, rest)
}

/// Returns the header for an operation, in lower-case hexadecimal digits.
pub(super) fn text(trace: TraceId, span: SpanId, flags: u8) -> [u8; LEN] {
    let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
    let parts: [(usize, &[u8]); 3] = [
        (3, &trace.hex()),
        (36, &span.hex()),
        (53, &hex_of_byte(flags)),
    ];
    for (at, digits) in parts {
        if let Some(place) = text.get_mut(at..at + digits.len()) {
            place.copy_from_slice(digits);
        }
    }
    text
}

/// Parses the first 55 bytes of a header; `rest` is the remainder.
#[inline]
fn parse(value: &[u8], rest: &[u8]) -> Option<Traceparent> {
    let [v1, v0, b'-', ids @ .., b'-', f1, f0] = value else {
        return None;
    };
    let (trace, ids) = ids.split_first_chunk::<32>()?;
    let [b'-', span @ ..] = ids else { return None };
    let version = digit(*v1)? << 4 | digit(*v0)?;
    // Version 00 ends here. A later version may continue after a dash, at any length. Version ff is forbidden.
    let ends = rest.is_empty() || version != 0 && rest.starts_with(b"-");
    if version == 0xff || !ends {
        return None;
    }
    let (high, low) = trace.split_at(16);
    let trace = u128::from(number(high)?) << 64 | u128::from(number(low)?);
    let span = number(span)?;
    let flags = digit(*f1)? << 4 | digit(*f0)?;
    let valid = trace != 0 && span != 0;
    valid.then(|| Traceparent {
        trace: TraceId::from_u128(trace),
        span: SpanId::from_u64(span),
        flags,
    })
}

/// Parses a lower-case hexadecimal number of at most 16 digits.
#[inline]
fn number(digits: &[u8]) -> Option<u64> {
    let mut number = 0;
    let mut bad = 0;
    for byte in digits {
        let value = VALUES.get(usize::from(*byte)).copied().unwrap_or(BAD);
        bad |= value;
        number = number << 4 | u64::from(value & 15);
    }
    (bad & BAD == 0).then_some(number)
}

#[inline]
fn digit(byte: u8) -> Option<u8> {
    VALUES
        .get(usize::from(byte))
        .copied()
        .filter(|value| *value != BAD)
}

const BAD: u8 = 0x80;
/// The value of each byte as a lower-case hexadecimal digit.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
static VALUES: [u8; 256] = {
    let mut values = [BAD; 256];
    let mut n = 0;
    while n < 16 {
        values[b"0123456789abcdef"[n] as usize] = n as u8;
        n += 1;
    }
    values
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for (trace, span, flags) in [(1, 1, 0), (u128::MAX, u64::MAX, 0xff), (5 << 100, 7, 0x2a)] {
            let parent = Traceparent {
                trace: TraceId::from_u128(trace),
                span: SpanId::from_u64(span),
                flags,
            };
            let text = text(parent.trace, parent.span, flags);
            assert_eq!(parse_traceparent(&text), Some(parent));
        }
        let text = text(TraceId::from_u128(1), SpanId::from_u64(2), 3);
        assert_eq!(
            text,
            *b"00-00000000000000000000000000000001-0000000000000002-03"
        );
    }

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn the_recommendations_example_is_read() {
        let parent = parse_traceparent(GOOD.as_bytes()).unwrap();
        assert_eq!(parent.trace.to_string(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(parent.span.to_string(), "b7ad6b7169203331");
        assert_eq!(parent.flags, 1);
        for flags in ["00", "02", "03", "ff"] {
            let value = GOOD.replace("-01", &format!("-{flags}"));
            let parent = parse_traceparent(value.as_bytes()).unwrap();
            assert_eq!(format!("{:02x}", parent.flags), flags);
        }
    }

    #[test]
    fn a_later_version_may_go_on() {
        for good in [
            GOOD.replace("00-", "01-"),
            GOOD.replace("00-", "cc-") + "-what",
            GOOD.replace("00-", "cc-") + "-",
            GOOD.replace("00-", "fe-") + "-" + &"x".repeat(8000),
            format!(" {GOOD}\t"),
        ] {
            assert!(parse_traceparent(good.as_bytes()).is_some(), "{good}");
        }
    }

    #[test]
    fn all_else_is_no_parent() {
        let zeros = |n: usize| "0".repeat(n);
        for bad in [
            String::new(),
            GOOD[..54].into(),
            GOOD.to_owned() + "-",
            GOOD.to_owned() + "0",
            GOOD.replace("00-", "ff-"),
            GOOD.replace("00-", "0G-"),
            GOOD.replace("00-", "01-") + ".",
            GOOD.replace("00-", "01-") + &"x".repeat(100),
            GOOD.to_owned() + "-what",
            format!("{GOOD},{GOOD}"),
            GOOD.to_uppercase(),
            GOOD.replace('-', "_"),
            GOOD.replace("0af7651916cd43dd8448eb211c80319c", &zeros(32)),
            GOOD.replace("b7ad6b7169203331", &zeros(16)),
            GOOD.replace("-01", "-0x"),
            format!(" {}", &GOOD[..54]),
        ] {
            assert_eq!(parse_traceparent(bad.as_bytes()), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            parse_traceparent(&bytes);
        }

        #[test]
        fn every_valid_parent_is_read(trace in 1..u128::MAX, span in 1..u64::MAX, flags: u8) {
            let text = format!("00-{trace:032x}-{span:016x}-{flags:02x}");
            let parent = parse_traceparent(text.as_bytes()).unwrap();
            prop_assert_eq!(parent.trace, TraceId::from_u128(trace));
            prop_assert_eq!(parent.span, SpanId::from_u64(span));
            prop_assert_eq!(parent.flags, flags);
        }
    }
}
