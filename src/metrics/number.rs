use std::fmt::Write as _;

/// Writes a whole number.
#[inline]
pub(in crate::metrics) fn push_int(out: &mut String, value: impl itoa::Integer) {
    out.push_str(itoa::Buffer::new().format(value));
}

/// Writes a floating-point number as both formats read it: the shortest digits that read back as the
/// same number, `NaN`, `+Inf`, `-Inf`.
pub(in crate::metrics) fn push_f64(out: &mut String, value: f64) {
    let written = if value.is_nan() {
        out.push_str("NaN");
        Ok(())
    } else if value.is_infinite() {
        out.push_str(if value > 0.0 { "+Inf" } else { "-Inf" });
        Ok(())
    } else if value != 0.0 && !(1e-5..1e16).contains(&value.abs()) {
        write!(out, "{value:e}")
    } else {
        write!(out, "{value}")
    };
    debug_assert!(written.is_ok(), "a `String` takes all");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(value: f64) -> String {
        let mut out = String::new();
        push_f64(&mut out, value);
        out
    }

    #[test]
    fn numbers_are_short_and_never_a_word_that_nobody_reads() {
        let cases = [
            0.0,
            1.0,
            0.005,
            2.5e16,
            1e300,
            1e-7,
            f64::INFINITY,
            f64::NEG_INFINITY,
        ];
        let expected = ["0", "1", "0.005", "2.5e16", "1e300", "1e-7", "+Inf", "-Inf"];
        assert_eq!(cases.map(text), expected);
        assert_eq!(text(f64::NAN), "NaN");
    }

    proptest! {
        #[test]
        fn any_number_reads_back(value in proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL) {
            prop_assert_eq!(text(value).parse::<f64>().unwrap().to_bits(), value.to_bits());
        }
    }
}
