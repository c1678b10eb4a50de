use super::{RawValue, TomlShape, TomlType, ValueParser, quoted};

/// The permissions that the owner needs: to read and to write.
const OWNER: u32 = 0o600;
/// All permissions that a file may have: nobody but its owner and its group may change it.
const ALL: u32 = 0o664;

/// The permissions of files as an octal number: `0640`.
pub(in crate::config) struct PermissionsParser;

impl ValueParser for PermissionsParser {
    type Value = u32;

    fn toml_shape(&self) -> TomlShape {
        TomlShape {
            types: &[TomlType::String],
            array: false,
            example: "\"0640\"",
        }
    }

    fn parse(&self, raw: &RawValue) -> Result<u32, String> {
        let line = raw.line();
        let text = line.trim();
        let is_octal =
            (3..=4).contains(&text.len()) && text.bytes().all(|it| (b'0'..=b'7').contains(&it));
        let number = u32::from_str_radix(text, 8).ok().filter(|_| is_octal);
        number.ok_or_else(|| format!("not an octal number; write {}", self.describe()))
    }

    fn validate(&self, value: u32) -> Result<u32, String> {
        if value & OWNER == OWNER && value & !ALL == 0 {
            Ok(value)
        } else {
            Err(format!("outside the range; write {}", self.describe()))
        }
    }

    fn print(&self, value: &u32) -> Option<String> {
        Some(quoted(&format!("{value:04o}")))
    }

    fn describe(&self) -> String {
        "`0600`, or with read or write permissions of the group and read permission of others, up to `0664`".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_read_as_they_print() {
        let parse = |text: &str| {
            let raw = RawValue::Text(text.to_owned());
            PermissionsParser
                .parse(&raw)
                .and_then(|it| PermissionsParser.validate(it))
        };
        for (text, bits) in [("0640", 0o640), ("600", 0o600), ("0664", 0o664)] {
            assert_eq!(parse(text), Ok(bits));
        }
        for text in [
            "", "64", "00640", "0o640", "0689", "0440", "0666", "0700", "2640", "-640",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert_eq!(PermissionsParser.print(&0o600).unwrap(), "\"0600\"");
    }
}
