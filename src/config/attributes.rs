//! OpenTelemetry's `OTEL_RESOURCE_ATTRIBUTES`: `key=value` pairs, separated by commas, percent-encoded.

/// Parses the pairs, or returns the problem. As OpenTelemetry specifies, one invalid pair discards all of them.
pub(super) fn parse(text: &str) -> Result<Vec<(String, String)>, String> {
    let bad = |number: usize, what: &str| {
        format!(
            "pair {number} {what}; write pairs such as `service.version=1.2.3`, separated by commas"
        )
    };
    (1..)
        .zip(text.split(',').map(str::trim))
        .filter(|(_, pair)| !pair.is_empty())
        .map(|(number, pair)| {
            let (key, value) = pair
                .split_once('=')
                .ok_or_else(|| bad(number, "has no `=`"))?;
            let decode = |text: &str| {
                decode(text.trim()).ok_or_else(|| bad(number, "is not percent-encoded UTF-8"))
            };
            let key = decode(key)?;
            if key.is_empty() {
                return Err(bad(number, "has no key"));
            }
            Ok((key, decode(value)?))
        })
        .collect()
}

/// Percent-decodes a text; `None` if the result is not UTF-8.
pub(super) fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let high = char::from(rest.next()?).to_digit(16)?;
            let low = char::from(rest.next()?).to_digit(16)?;
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_decoded() {
        let pairs =
            parse("service.version=1%2C2, deployment.environment.name=pr%C3%BCf ,a=b=c,").unwrap();
        let told: Vec<_> = pairs
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                ("service.version", "1,2"),
                ("deployment.environment.name", "prüf"),
                ("a", "b=c")
            ]
        );
    }

    #[test]
    fn one_bad_pair_discards_them_all() {
        for text in ["a", "a=b,c", "=b", "a=%", "a=%2", "a=%zz", "a=%ff", "%=b"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
