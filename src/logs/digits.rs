//! Numbers as decimal digits.

/// The digits of each number below 100.
static PAIRS: [[u8; 2]; 100] = pairs();

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn pairs() -> [[u8; 2]; 100] {
    let mut pairs = [[0; 2]; 100];
    let mut n = 0;
    while n < 100 {
        pairs[n] = [b'0' + n as u8 / 10, b'0' + n as u8 % 10];
        n += 1;
    }
    pairs
}

/// The last two digits of a number.
#[inline]
#[expect(
    clippy::indexing_slicing,
    reason = "a number below 100 indexes a table of 100"
)]
pub(super) fn two_digits(number: u32) -> [u8; 2] {
    PAIRS[(number % 100) as usize]
}

/// Appends a number.
#[inline]
pub(super) fn put_u64(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Appends nanoseconds as milliseconds with three decimals.
pub(super) fn put_millis(out: &mut Vec<u8>, nanos: u64) {
    let micros = nanos / 1000;
    let (millis, rest) = (micros / 1000, (micros % 1000) as u32);
    let [a, [b, c]] = [two_digits(rest / 100), two_digits(rest)];
    let [_, a] = a;
    if millis < 10 {
        out.extend_from_slice(&[b'0' + millis as u8, b'.', a, b, c]);
    } else {
        put_u64(out, millis);
        out.extend_from_slice(&[b'.', a, b, c]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nanoseconds_become_milliseconds() {
        let millis = |nanos| {
            let mut out = Vec::new();
            put_millis(&mut out, nanos);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(millis(999), "0.000");
        assert_eq!(millis(1_234_999), "1.234");
        assert_eq!(millis(9_999_999), "9.999");
        assert_eq!(millis(10_050_000), "10.050");
        assert_eq!(millis(u64::MAX), "18446744073709.551");
    }
}
