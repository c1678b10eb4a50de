//! Divides texts into words: the rules of Unicode for word boundaries (UAX 29), as Elasticsearch's standard analyzer applies
//! them. Exact for ASCII and for letters with marks; classes of other scripts are approximated by ranges.

/// The maximum number of characters of a word. A longer one is divided, as the analyzer does.
const MAX_WORD: usize = 255;

/// What a character does at the boundary of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WordClass {
    /// Separates words.
    Other,
    Letter,
    Number,
    /// `_`: joins letters and numbers.
    Join,
    /// `:`: joins two letters.
    MidLetter,
    /// `,` and `;`: join two numbers.
    MidNumber,
    /// `.` and `'`: join two letters or two numbers.
    MidBoth,
    /// A mark belongs to the character before it.
    Mark,
    /// A word by itself: ideographs and hiragana.
    Single,
    Katakana,
    /// Letters of scripts without spaces, such as Thai: a run of them is one word.
    Complex,
}

/// The words of a text, as they are written.
#[derive(Debug, Clone)]
pub(in crate::logs) struct Words<'a> {
    rest: &'a str,
}

impl<'a> Words<'a> {
    pub(in crate::logs) fn of(text: &'a str) -> Self {
        Self { rest: text }
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        loop {
            let mut ahead = self.rest.char_indices();
            let (start, first, class) = ahead.find_map(|(at, char)| {
                let class = class_of(char);
                begins(class).then_some((at, char, class))
            })?;
            let (mut end, mut last) = (start + first.len_utf8(), class);
            let (mut has_content, mut length) = (class != WordClass::Join, 1);
            while let Some((at, char)) = ahead.next() {
                let class = class_of(char);
                if class == WordClass::Mark {
                } else if joins(last, class) {
                    has_content |= class != WordClass::Join;
                    last = class;
                } else if !(bridges(last, class) && next_class(&ahead) == Some(last)) {
                    break;
                }
                if length == MAX_WORD {
                    break;
                }
                length += 1;
                end = at + char.len_utf8();
            }
            let word = self.rest.get(start..end)?;
            self.rest = self.rest.get(end..).unwrap_or_default();
            if has_content {
                return Some(word);
            }
        }
    }
}

/// Whether a word can begin with a character of this class.
fn begins(class: WordClass) -> bool {
    matches!(
        class,
        WordClass::Letter
            | WordClass::Number
            | WordClass::Join
            | WordClass::Single
            | WordClass::Katakana
            | WordClass::Complex
    )
}

/// Whether there is no boundary between characters of these classes.
fn joins(before: WordClass, after: WordClass) -> bool {
    use WordClass::{Complex, Join, Katakana, Letter, Number};
    matches!(
        (before, after),
        (Letter | Number | Join, Letter | Number | Join)
            | (Katakana | Join, Katakana)
            | (Katakana, Join)
            | (Complex, Complex)
    )
}

/// Whether a character of the second class may stand between two of the first.
fn bridges(around: WordClass, between: WordClass) -> bool {
    match around {
        WordClass::Letter => matches!(between, WordClass::MidLetter | WordClass::MidBoth),
        WordClass::Number => matches!(between, WordClass::MidNumber | WordClass::MidBoth),
        _ => false,
    }
}

/// The class of the next character that is no mark.
fn next_class(ahead: &std::str::CharIndices<'_>) -> Option<WordClass> {
    let classes = ahead.clone().map(|(_, char)| class_of(char));
    { classes }.find(|class| *class != WordClass::Mark)
}

#[inline]
fn class_of(char: char) -> WordClass {
    match char {
        'a'..='z' | 'A'..='Z' => WordClass::Letter,
        '0'..='9' => WordClass::Number,
        '_' => WordClass::Join,
        '.' | '\'' => WordClass::MidBoth,
        ':' => WordClass::MidLetter,
        ',' | ';' => WordClass::MidNumber,
        _ if char.is_ascii() => WordClass::Other,
        _ => class_beyond_ascii(char),
    }
}

fn class_beyond_ascii(char: char) -> WordClass {
    match char {
        '\u{b7}' | '\u{387}' | '\u{55f}' | '\u{5f4}' | '\u{2027}' | '\u{fe13}' | '\u{fe55}'
        | '\u{ff1a}' => WordClass::MidLetter,
        '\u{2018}' | '\u{2019}' | '\u{2024}' | '\u{fe52}' | '\u{ff07}' | '\u{ff0e}' => {
            WordClass::MidBoth
        }
        '\u{37e}' | '\u{589}' | '\u{60c}' | '\u{60d}' | '\u{66c}' | '\u{7f8}' | '\u{2044}'
        | '\u{fe10}' | '\u{fe14}' | '\u{fe50}' | '\u{fe54}' | '\u{ff0c}' | '\u{ff1b}' => {
            WordClass::MidNumber
        }
        '\u{202f}'
        | '\u{203f}'
        | '\u{2040}'
        | '\u{2054}'
        | '\u{fe33}'
        | '\u{fe34}'
        | '\u{fe4d}'..='\u{fe4f}'
        | '\u{ff3f}' => WordClass::Join,
        '\u{ad}'
        | '\u{300}'..='\u{36f}'
        | '\u{483}'..='\u{489}'
        | '\u{591}'..='\u{5bd}'
        | '\u{610}'..='\u{61a}'
        | '\u{64b}'..='\u{65f}'
        | '\u{670}'
        | '\u{6d6}'..='\u{6dc}'
        | '\u{1ab0}'..='\u{1aff}'
        | '\u{1dc0}'..='\u{1dff}'
        | '\u{200c}'..='\u{200f}'
        | '\u{20d0}'..='\u{20ff}'
        | '\u{302a}'..='\u{302f}'
        | '\u{3099}'
        | '\u{309a}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{fe20}'..='\u{fe2f}'
        | '\u{feff}' => WordClass::Mark,
        // Their vowels and signs are marks, and some marks are no letters.
        '\u{900}'..='\u{dff}'
            if !char.is_alphanumeric() && !matches!(char, '\u{964}' | '\u{965}') =>
        {
            WordClass::Mark
        }
        '\u{e01}'..='\u{e4e}'
        | '\u{e81}'..='\u{ecd}'
        | '\u{1000}'..='\u{103f}'
        | '\u{1780}'..='\u{17d3}' => WordClass::Complex,
        '\u{30a0}'..='\u{30fa}'
        | '\u{30fc}'..='\u{30ff}'
        | '\u{3031}'..='\u{3035}'
        | '\u{31f0}'..='\u{31ff}'
        | '\u{ff66}'..='\u{ff9d}' => WordClass::Katakana,
        '\u{3041}'..='\u{3096}'
        | '\u{309d}'..='\u{309f}'
        | '\u{2e80}'..='\u{2fd5}'
        | '\u{3005}'
        | '\u{3007}'
        | '\u{3021}'..='\u{3029}'
        | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{323af}' => WordClass::Single,
        // Numerals that count nothing: superscripts, fractions and those in circles.
        '\u{b2}'
        | '\u{b3}'
        | '\u{b9}'
        | '\u{bc}'..='\u{be}'
        | '\u{2070}'..='\u{2089}'
        | '\u{2150}'..='\u{218b}'
        | '\u{2460}'..='\u{24ff}'
        | '\u{2776}'..='\u{2793}'
        | '\u{3220}'..='\u{33ff}' => WordClass::Other,
        _ if char.is_alphabetic() => WordClass::Letter,
        _ if char.is_numeric() => WordClass::Number,
        _ => WordClass::Other,
    }
}

/// A character without its case. No other character becomes an ASCII one, so that words can be looked for in bytes.
#[inline]
pub(in crate::logs) fn fold(char: char) -> char {
    if char.is_ascii() {
        return char.to_ascii_lowercase();
    }
    let lower = char.to_lowercase().next();
    lower.filter(|it| !it.is_ascii()).unwrap_or(char)
}

/// A text without its case.
pub(in crate::logs) fn folded(text: &str) -> String {
    text.chars().map(fold).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<&str> {
        Words::of(text).collect()
    }

    /// The cases of Lucene's own test of its tokenizer, as far as they concern our classes.
    #[test]
    fn words_are_those_of_the_standard_analyzer() {
        for (text, expected) in [
            ("A:B", &["A:B"][..]),
            ("A::B", &["A", "B"]),
            ("1.2", &["1.2"]),
            ("A.B", &["A.B"]),
            ("1..2", &["1", "2"]),
            ("A..B", &["A", "B"]),
            ("1,2", &["1,2"]),
            ("1,,2", &["1", "2"]),
            ("A.:B", &["A", "B"]),
            ("A:.B", &["A", "B"]),
            ("1,.2", &["1", "2"]),
            ("A:B_A:B", &["A:B_A:B"]),
            ("A:B_A::B", &["A:B_A", "B"]),
            ("1.2_1.2", &["1.2_1.2"]),
            ("1.2_1..2", &["1.2_1", "2"]),
            ("A.B_A..B", &["A.B_A", "B"]),
            ("1,2_1,,2", &["1,2_1", "2"]),
            ("C_A.:B", &["C_A", "B"]),
            ("3_1,.2", &["3_1", "2"]),
            ("O'Reilly's", &["O'Reilly's"]),
            ("some-dashed-phrase", &["some", "dashed", "phrase"]),
            ("dogs,chase,cats", &["dogs", "chase", "cats"]),
            ("ac/dc", &["ac", "dc"]),
            ("21.35", &["21.35"]),
            ("R2D2 C3PO", &["R2D2", "C3PO"]),
            ("216.239.63.104", &["216.239.63.104"]),
            ("1-2-3", &["1", "2", "3"]),
            ("a1-b2-c3", &["a1", "b2", "c3"]),
            ("David has 5000 bones", &["David", "has", "5000", "bones"]),
            ("C embedded developers", &["C", "embedded", "developers"]),
            ("\"QUOTED\" word", &["QUOTED", "word"]),
            ("foo___bar _ ___", &["foo___bar"]),
            ("_foo_", &["_foo_"]),
            ("我是中国人", &["我", "是", "中", "国", "人"]),
            ("カタカナ", &["カタカナ"]),
            ("ひらがな", &["ひ", "ら", "が", "な"]),
            ("안녕하세요 한글입니다", &["안녕하세요", "한글입니다"]),
            ("Συστήματος ελέγχου", &["Συστήματος", "ελέγχου"]),
            ("moe\u{308}ve", &["moe\u{308}ve"]),
            ("การที่ได้ต้อง", &["การที่ได้ต้อง"]),
            (
                "GET /orders/{id} 500 1.101 ms",
                &["GET", "orders", "id", "500", "1.101", "ms"],
            ),
            ("2026-11-30T11:06:11", &["2026", "11", "30T11", "06", "11"]),
            ("v1.2", &["v1.2"]),
            ("a.1", &["a", "1"]),
            ("", &[]),
            ("-- :: ..", &[]),
        ] {
            assert_eq!(words(text), expected, "{text}");
        }
    }

    #[test]
    fn a_long_word_is_divided() {
        let text = "x".repeat(600);
        let lengths: Vec<_> = Words::of(&text).map(str::len).collect();
        assert_eq!(lengths, [255, 255, 90]);
    }

    #[test]
    fn case_is_folded_and_never_to_ascii_from_elsewhere() {
        assert_eq!(
            folded("ÀÉ Straße GROẞ İ \u{212a}"),
            "àé straße groß İ \u{212a}"
        );
    }
}
