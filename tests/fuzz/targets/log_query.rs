//! Arbitrary texts as searches: an error is within the text, what is read is bounded, and every quoted text is one.
#![no_main]

// The items of the language are visible in a module `logs`. Without a path, those within would begin in a folder of that name.
#[path = "."]
mod logs {
    use libfuzzer_sys::fuzz_target;

    #[expect(unused_imports, reason = "searches use more of it")]
    #[path = "../../../src/logs/search/grammar/mod.rs"]
    mod grammar;

    use grammar::{Expression, Test, Words, folded, micros_of_timestamp, parse};

    fuzz_target!(|data: &[u8]| {
        let text = String::from_utf8_lossy(data);
        read(&text);
        read(&format!("({text})"));
        read(&format!("field:{text}"));
        read(&format!("a AND NOT ({text}) OR level:(info {text})"));
        read(&text.repeat(2048 / text.len().max(1) + 1));
        let _any = micros_of_timestamp(data);

        // Its words are parts of the text in their order, and the same without case.
        let (mut at, mut count) = (0, 0);
        for word in Words::of(&text) {
            let found = text[at..].find(word).expect("it is a part of the text");
            at += found + word.len();
            count += 1;
            assert!(!word.is_empty() && word.chars().count() <= 255);
            assert_eq!(folded(&folded(word)), folded(word));
        }
        assert!(count <= text.chars().count());

        // A quoted text is the phrase of its words, and exactly that text after `:=`.
        let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
        if quoted.len() < 2000 {
            let exact = parse(&format!("field:=\"{quoted}\"")).expect("a quoted text is valid");
            assert!(
                matches!(exact, Expression::Condition(it) if it.test == Test::Exact(text.clone().into_owned()))
            );
            if (1..=32).contains(&count) {
                let phrase = parse(&format!("\"{quoted}\"")).expect("a quoted text is valid");
                let words: Vec<_> = Words::of(&text).map(folded).collect();
                assert!(
                    matches!(phrase, Expression::Condition(it) if matches!(&it.test, Test::Words { words: read, .. } if *read == words))
                );
            }
        }
    });

    fn read(text: &str) {
        match parse(text) {
            Ok(expression) => assert!(conditions(&expression, 0) <= 64, "{text:?}"),
            Err(error) => {
                assert!(error.position() <= text.len(), "{text:?}");
                assert!(!error.expected().is_empty());
            }
        }
        if text.len() > 2048 {
            assert!(parse(text).is_err());
        }
    }

    /// The number of conditions. Expressions are not deeper than the language permits.
    fn conditions(expression: &Expression, depth: usize) -> usize {
        assert!(depth <= 200);
        match expression {
            Expression::All => 0,
            Expression::And(all) | Expression::Or(all) => {
                all.iter().map(|it| conditions(it, depth + 1)).sum()
            }
            Expression::Not(it) => conditions(it, depth + 1),
            Expression::Condition(_) => 1,
        }
    }
}
