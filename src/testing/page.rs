use std::collections::BTreeMap;

/// The parsed samples of a metrics page in the text format.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    samples: Vec<Sample>,
}

/// A sample of a metrics page.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Sample {
    /// The name, such as `http_server_request_duration_seconds_count`.
    pub name: String,
    /// The labels, by name.
    pub labels: BTreeMap<String, String>,
    /// The value.
    pub value: f64,
}

impl Page {
    /// Parses a page. Lines that are not samples are skipped.
    pub fn read(text: &str) -> Self {
        Self {
            samples: text.lines().filter_map(Sample::read).collect(),
        }
    }

    /// Returns the samples with this name and all of these labels.
    pub fn samples<'a>(
        &'a self,
        name: &'a str,
        labels: &'a [(&'a str, &'a str)],
    ) -> impl Iterator<Item = &'a Sample> {
        let has = move |sample: &Sample, (key, value): &(&str, &str)| {
            sample.labels.get(*key).is_some_and(|have| have == value)
        };
        self.samples
            .iter()
            .filter(move |sample| sample.name == name)
            .filter(move |sample| labels.iter().all(|label| has(sample, label)))
    }

    /// Returns the sum of the samples with this name and all of these labels; 0 if there are none.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.samples(name, labels)
            .fold(0.0, |sum, sample| sum + sample.value)
    }
}

impl Sample {
    /// Parses `name{label="value",..} 1.5`, with an optional timestamp.
    fn read(line: &str) -> Option<Self> {
        if line.starts_with('#') {
            return None;
        }
        let end = line.find(['{', ' '])?;
        let (name, mut rest) = line.split_at(end);
        let mut labels = BTreeMap::new();
        if let Some(inside) = rest.strip_prefix('{') {
            rest = inside;
            while !rest.starts_with('}') {
                let (key, after) = rest.split_once("=\"")?;
                let (value, after) = unescape(after)?;
                labels.insert(key.trim_start_matches(',').to_owned(), value);
                rest = after;
            }
            rest = rest.strip_prefix('}')?;
        }
        let value = rest.split_ascii_whitespace().next()?.parse().ok()?;
        Some(Self {
            name: name.to_owned(),
            labels,
            value,
        })
    }
}

/// Returns the unescaped text before the closing quote, and the rest after it.
fn unescape(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_read_with_their_escapes() {
        let page = Page::read(
            "# TYPE a counter\na{x=\"1\",y=\"q\\\"\\\\\\n, }\"} 2\na{x=\"2\"} 3 170\nb 1e3\nb{} +Inf\n",
        );
        assert_eq!(page.sum("a", &[]), 5.0);
        assert_eq!(page.sum("a", &[("x", "1"), ("y", "q\"\\\n, }")]), 2.0);
        assert_eq!(page.samples("b", &[]).count(), 2);
        assert_eq!(page.sum("c", &[]), 0.0);
    }
}
