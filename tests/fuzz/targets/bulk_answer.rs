//! Arbitrary answers to a bulk request: each document has one result or the answer is an error, and texts are bounded.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../../src/logs/elasticsearch/enabled/answer.rs"]
mod answer;

fuzz_target!(|data: &[u8]| {
    let Some((documents, body)) = data.split_first() else {
        return;
    };
    let documents = usize::from(*documents);
    if let Ok(items) = answer::bulk_items(body, documents) {
        assert_eq!(items.len(), documents);
        for item in &items {
            assert!(item.status >= 100);
            assert!(item.kind.chars().count() <= 80 && item.reason.chars().count() <= 500);
            // Only a success and a document that was there already count as delivered.
            let is_delivered = matches!(
                item.verdict(),
                answer::ItemVerdict::Delivered | answer::ItemVerdict::Repeated
            );
            assert_eq!(is_delivered, matches!(item.status, 200..=299 | 409));
        }
    }
    assert!(answer::whole_error(body).is_none_or(|kind| kind.chars().count() <= 80));
});
