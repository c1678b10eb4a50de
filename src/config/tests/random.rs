//! Unusual values, from a corpus and from a generator: each is either accepted with its meaning or reported.

use std::panic::{AssertUnwindSafe, catch_unwind};

use proptest::prelude::*;
use toml::de::{DeTable, DeValue};

use super::*;
use crate::config::table::{SETTINGS, own_variable, position};
use crate::config::value::{TomlShape, TomlType};

const CORPUS: &str = include_str!("odd.txt");

struct Case {
    key: &'static str,
    value: String,
    expected: Expected,
}

enum Expected {
    Taken(String),
    Reported(&'static str),
}

fn classes() -> Vec<(&'static str, Vec<Case>)> {
    let mut classes = Vec::<(_, Vec<Case>)>::new();
    let lines = CORPUS.lines();
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            classes.push((name, Vec::new()));
            continue;
        }
        let [key, value, result] = line.split(" | ").collect::<Vec<_>>()[..] else {
            panic!("not three columns: {line}");
        };
        let expected = match result.split_at(2) {
            ("= ", printed) => Expected::Taken(plain(printed)),
            ("! ", words) => Expected::Reported(words),
            _ => panic!("no result: {line}"),
        };
        let value = plain(value);
        let class = &mut classes.last_mut().unwrap().1;
        class.push(Case {
            key,
            value,
            expected,
        });
    }
    classes
}

/// Removes the corpus' escapes from a text. Any other `\` is literal.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        plain.push_str(before);
        let (c, length) = match escape.as_bytes().get(1) {
            Some(b'n') => ('\n', 2),
            Some(b't') => ('\t', 2),
            Some(b's') => (' ', 2),
            Some(b'0') => ('\0', 2),
            Some(b'e') => ('\u{1b}', 2),
            Some(b'u') => {
                let (digits, _) = escape[3..].split_once('}').unwrap();
                let code = u32::from_str_radix(digits, 16).unwrap();
                (char::from_u32(code).unwrap(), digits.len() + 4)
            }
            _ => ('\\', 1),
        };
        plain.push(c);
        rest = &escape[length..];
    }
    plain + rest
}

/// Returns the value as a file can write it, if it can.
fn in_file(text: &str, shape: TomlShape) -> Option<String> {
    let string = || {
        let escaped = text.chars().map(|c| match c {
            '"' | '\\' => format!("\\{c}"),
            c if c.is_control() => format!("\\u{:04X}", u32::from(c)),
            c => c.to_string(),
        });
        format!("\"{}\"", escaped.collect::<String>())
    };
    let is_integer = || text.parse::<i64>().is_ok_and(|n| n.to_string() == text);
    // TOML's other forms, such as `0x1`, are numbers only in a file.
    let is_float = || {
        let line = format!("a = {text}");
        let table = DeTable::parse(&line).ok();
        let value = table.and_then(|mut table| table.get_mut().remove("a"));
        let value = value.map(toml::Spanned::into_inner);
        let is_number = matches!(value, Some(DeValue::Integer(_) | DeValue::Float(_)));
        is_number && !text.contains(['x', '_'])
    };
    match shape.types.first()? {
        TomlType::String if shape.array => Some(format!("[{}]", string())),
        TomlType::String => Some(string()),
        TomlType::Integer if !shape.array && is_integer() => Some(text.to_owned()),
        TomlType::Integer if !shape.array && is_float() && text.contains(['e', 'E']) => {
            Some(text.to_owned())
        }
        TomlType::Float if is_float() => Some(text.to_owned()),
        _ => None,
    }
}

/// Resolves the value from each source that can give it, with the source's name.
fn from_all(key: &'static str, value: &str) -> Vec<(&'static str, Result<ResolvedConfig>)> {
    let mut all = vec![("code", from_code(key, value))];
    if !value.is_empty() && !value.contains('\0') {
        let variable = own_variable(key);
        all.push(("environment", from_environment(&[(&variable, value)])));
    }
    let shape = SETTINGS[position(key).unwrap()].field.toml_shape();
    let several = shape.array && value.contains(',');
    if let Some(toml) = in_file(value, shape).filter(|_| !several) {
        all.push(("file", from_file(format!("{key} = {toml}\n"))));
    }
    all
}

fn failure(case: &Case) -> Option<String> {
    let Case {
        key,
        value,
        expected,
    } = case;
    for (source, resolved) in from_all(key, value) {
        let got = match &resolved {
            Ok(resolved) => resolved.settings.value(key).unwrap_or("nothing").to_owned(),
            Err(error) => error.problems().join("; "),
        };
        let is_right = match expected {
            Expected::Taken(printed) => resolved.is_ok() && got == *printed,
            Expected::Reported(words) => {
                resolved.is_err_and(|error| error.problems().len() == 1) && got.contains(words)
            }
        };
        if !is_right {
            return Some(format!("{key} = {value:?} by {source}: {got}"));
        }
    }
    None
}

#[test]
fn three_hundred_odd_values_are_taken_with_their_meaning_or_reported() {
    let classes = classes();
    let cases: usize = classes.iter().map(|(_, cases)| cases.len()).sum();
    assert!(cases >= 300, "{cases}");
    assert!(classes.iter().all(|(_, cases)| cases.len() >= 5));
    let failures: Vec<_> = classes
        .iter()
        .flat_map(|(class, cases)| {
            let failures = cases.iter().filter_map(failure);
            failures.map(move |failure| format!("{class}: {failure}"))
        })
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn a_file_may_write_numbers_as_toml_has_them() {
    for (toml, printed) in [
        ("1e-3", "0.001"),
        ("1_0e-2", "0.1"),
        ("0.2_5", "0.25"),
        ("+0.5", "0.5"),
        ("0x1", "1"),
        ("0", "0"),
    ] {
        let resolved = from_file(format!("trace.sampler_arg = {toml}")).unwrap();
        assert_eq!(
            resolved.settings.value("trace.sampler_arg"),
            Some(printed),
            "{toml}"
        );
    }
    for toml in [
        "inf", "-inf", "nan", "+nan", "-0.0", "2", "1e400", "[0.1]", "true",
    ] {
        assert!(
            from_file(format!("trace.sampler_arg = {toml}")).is_err(),
            "{toml}"
        );
    }
    for (toml, printed) in [
        ("0x7", "7"),
        ("0b11", "3"),
        ("0o7", "7"),
        ("1_0", "10"),
        ("+5", "5"),
    ] {
        let resolved = from_file(format!("health.failures = {toml}")).unwrap();
        assert_eq!(
            resolved.settings.value("health.failures"),
            Some(printed),
            "{toml}"
        );
    }
}

#[test]
fn histograms_are_set_by_name_from_each_source() {
    let wrong = from_file("[metrics.histograms]\na = 7\n").unwrap_err();
    assert!(
        wrong
            .to_string()
            .contains("a table with a value of another type"),
        "{wrong}"
    );
    let written =
        written("[metrics.histograms]\n\"a\" = [3, 0.5, 1e0]\nb.c = \"off\"\n\"b.d\" = 'off'\n");
    let resolved = resolve(Sources {
        file: Some(written.path.clone()),
        environment: Environment::of([("WATCHPOST_METRICS_HISTOGRAMS", "b.c=default,f=1 2")]),
        code: vec![code("metrics.histograms", "f=off")],
        ..Sources::default()
    })
    .unwrap();
    // The entries are in the order in which they were last set.
    assert_eq!(
        resolved.settings.value("metrics.histograms"),
        Some(r#"{"a" = [0.5, 1.0, 3.0], "b.d" = "off", "b.c" = "default", "f" = "off"}"#)
    );
}

#[test]
fn of_two_entries_of_one_source_the_one_written_last_is_last() {
    for (toml, printed) in [
        (
            "my_h_seconds = 'off'\n\"my.h\" = [0.3]",
            r#"{"my_h_seconds" = "off", "my.h" = [0.3]}"#,
        ),
        (
            "\"my.h\" = [0.3]\nmy_h_seconds = 'off'",
            r#"{"my.h" = [0.3], "my_h_seconds" = "off"}"#,
        ),
        (
            "z = 'off'\nmy.h = [0.3]\na = 'off'\nmy.b = 'off'",
            r#"{"z" = "off", "my.h" = [0.3], "a" = "off", "my.b" = "off"}"#,
        ),
        (
            "z = 'off'\n[metrics.histograms.my]\nh = 'off'",
            r#"{"z" = "off", "my.h" = "off"}"#,
        ),
        (
            "z = 'default'\n\"a\" = [1]\n",
            r#"{"z" = "default", "a" = [1.0]}"#,
        ),
    ] {
        let resolved = from_file(format!("[metrics.histograms]\n{toml}\n")).unwrap();
        let value = resolved.settings.value("metrics.histograms");
        assert_eq!(value, Some(printed), "{toml}");
    }
}

#[test]
fn bad_values_that_are_no_secrets_are_shown() {
    for (toml, shown) in [
        (
            "log.slow = '18446744073709551616ms'",
            "\"18446744073709551616ms\"",
        ),
        ("log.slow = '1d2h30m4s5ms6us7ns999999999d'", "[REDACTED]"),
        ("log.slow = -18446744073709", "\"-18446744073709\""),
        ("http.timeout_statuses = [504, '503']", "[504, \"503\"]"),
        (
            "http.timeout_statuses = [true, 1.5, [504]]",
            "[true, 1.5, [504]]",
        ),
        ("http.timeout_statuses = [504, 'a']", "[REDACTED]"),
        ("http.timeout_statuses = [504, {a = 1}]", "[REDACTED]"),
        ("http.trusted_proxies = [8]", "[8]"),
        ("http.trusted_proxies = ['10.0.0.0/8', 8]", "[REDACTED]"),
        ("health.failures = [1, 2, 3]", "[1, 2, 3]"),
        ("log.level = ['5s']", "[\"5s\"]"),
        ("log.level = ['hunter2']", "[REDACTED]"),
        ("log.level = {a = 1}", "[REDACTED]"),
        ("access.token = [1, 2]", "[REDACTED]"),
        ("access.token = 12345678901234567890", "[REDACTED]"),
        (
            "metrics.histograms = {'my.h' = false}",
            "{\"my.h\" = false}",
        ),
        ("metrics.histograms = {my.h = 7}", "{\"my.h\" = 7}"),
        (
            "metrics.histograms = {a = [1], b = [1, '2']}",
            "{\"b\" = [1, \"2\"]}",
        ),
        (
            "metrics.histograms = {b = 1979-05-27, a = 1}",
            "{\"b\" = 1979-05-27}",
        ),
        (
            "metrics.histograms = {a = ['hunter2']}",
            "{\"a\" = [REDACTED]}",
        ),
        (
            "metrics.histograms = {'q8Zr2LxW0vN5tYbK7sPd' = 1}",
            "{\"[REDACTED]\" = 1}",
        ),
    ] {
        let error = from_file(toml).unwrap_err().to_string();
        let key = toml.split(' ').next().unwrap();
        assert!(
            error.contains(&format!("{key} = {shown} (")),
            "{toml}: {error}"
        );
    }
    let long = format!("http.trusted_proxies = [{}]", "1234567890, ".repeat(9));
    let error = from_file(long).unwrap_err().to_string();
    assert!(
        error.contains("= [1234567890, 1234567890, 1234567890, 123… ("),
        "{error}"
    );
}

#[test]
fn the_ratios_of_rules_are_shares() {
    let rules = [0.0, 1.0, 0.5, 1.5, -0.1, f64::NAN, f64::INFINITY];
    let rules = rules.map(|ratio| ("/a".to_owned(), ratio));
    let set = |config: &mut crate::config::Config| config.trace.rules = rules.to_vec();
    let error = resolve(Sources {
        code: vec![CodeSettings::typed(".trace_rule(..)", &[], set)],
        ..Sources::default()
    });
    assert_eq!(error.unwrap_err().problems().len(), 4);
}

#[test]
fn a_bad_rule_is_shown_with_its_route_and_all_its_faults() {
    let rules = [("/orders/{id}", 1.5), ("", 2.0)];
    let rules = rules.map(|(route, ratio)| (route.to_owned(), ratio));
    let set = |config: &mut crate::config::Config| config.trace.rules = rules.to_vec();
    let error = resolve(Sources {
        code: vec![CodeSettings::typed(".trace_rule(..)", &[], set)],
        ..Sources::default()
    })
    .unwrap_err();
    let advice = "write a number from 0 to 1, such as `0.1`";
    let [ratio, route, second_ratio] = error.problems() else {
        panic!("{error}");
    };
    assert_eq!(
        *ratio,
        format!(
            "trace.rules = \"/orders/{{id}} 1.5\" (call .trace_rule(..)): the ratio is not a share; {advice}"
        )
    );
    assert!(route.contains("the route is missing"), "{route}");
    assert!(
        second_ratio.contains("the ratio is not a share"),
        "{second_ratio}"
    );
}

/// Texts that are close to valid values.
fn nearly() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[0-9]{1,20}",
        "[+-]?[0-9.]{0,4}[eE]?[+-]?[0-9]{1,3}",
        "(ns|us|ms|s|m|h|d|B|kB|KiB|MiB|GiB|%)",
        "https?://",
        "[a-z0-9.:@\\[\\]/?#%_=-]{1,12}",
        "(true|false|off|default|none|info|all|inf|nan|auto)",
        "[,; =\\t\\n]",
        "\\PC{1,3}",
    ];
    proptest::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_text_is_taken_and_prints_as_it_reads_or_is_reported(text in nearly()) {
        for setting in SETTINGS {
            let key = setting.key;
            let read = catch_unwind(AssertUnwindSafe(|| from_code(key, &text)));
            match read.expect("no panic") {
                Ok(resolved) => {
                    let Some(printed) = resolved.settings.value(key) else { continue };
                    if printed.contains("[REDACTED]") {
                        continue;
                    }
                    let full = setting.field.print(&resolved.config).unwrap();
                    let again = from_file(format!("{key} = {full}\n"));
                    let again = again.unwrap_or_else(|error| panic!("{key} = {text:?}: {error}"));
                    prop_assert_eq!(again.settings.value(key), Some(printed), "{} = {:?}", key, text);
                }
                Err(error) => {
                    prop_assert!(!error.problems().is_empty());
                    for problem in error.problems() {
                        prop_assert!(!problem.contains(char::is_control), "{problem:?}");
                        prop_assert!(problem.contains("write "), "{problem}");
                    }
                }
            }
        }
    }
}
