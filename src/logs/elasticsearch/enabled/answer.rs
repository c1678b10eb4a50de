//! What a server answers to a bulk request.

use serde_json::Value;

/// The maximum number of characters that are kept of the kind of an error and of its reason.
const MAX_KIND: usize = 80;
const MAX_REASON: usize = 500;

/// The result of one document of a bulk request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct BulkItem {
    pub(super) status: u16,
    /// The kind of the error, such as `cluster_block_exception`; empty without one.
    pub(super) kind: String,
    pub(super) reason: String,
}

/// What follows from the result of one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ItemVerdict {
    Delivered,
    /// The document was there already: it is from a request whose answer was lost.
    Repeated,
    /// To be sent again.
    Retry,
    /// There is no such index. It is created once.
    NoIndex,
    TooLarge,
    /// Refused for good.
    Rejected,
}

impl BulkItem {
    pub(super) fn verdict(&self) -> ItemVerdict {
        match self.status {
            200..=299 => ItemVerdict::Delivered,
            409 => ItemVerdict::Repeated,
            429 | 500..=599 => ItemVerdict::Retry,
            404 => ItemVerdict::NoIndex,
            413 => ItemVerdict::TooLarge,
            _ => ItemVerdict::Rejected,
        }
    }
}

/// Reads the results of a bulk request, one for each document, in the order of the documents.
///
/// # Errors
///
/// Returns why the answer is none for this number of documents.
pub(super) fn bulk_items(body: &[u8], documents: usize) -> Result<Vec<BulkItem>, &'static str> {
    let answer: Value = serde_json::from_slice(body).map_err(|_| "its answer is not JSON")?;
    let items = answer.get("items").and_then(Value::as_array);
    let items = items.ok_or("its answer has no items")?;
    if items.len() != documents {
        return Err("its answer has another number of items than there were documents");
    }
    let items: Option<Vec<_>> = items.iter().map(bulk_item).collect();
    items.ok_or("an item of its answer has no status")
}

fn bulk_item(item: &Value) -> Option<BulkItem> {
    let result = item.as_object()?.values().next()?;
    let status = result.get("status")?.as_u64()?;
    let error = result.get("error");
    let text = |name: &str, max| {
        let text = error.and_then(|it| it.get(name)).and_then(Value::as_str);
        text.unwrap_or_default().chars().take(max).collect()
    };
    Some(BulkItem {
        status: u16::try_from(status).ok().filter(|it| *it >= 100)?,
        kind: text("type", MAX_KIND),
        reason: text("reason", MAX_REASON),
    })
}

/// The kind of the error, if the server finds the content of a request bad. Other answers with that status come from a proxy,
/// or say that the path is wrong.
pub(super) fn bad_request(status: u16, body: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_slice(body)
        .ok()
        .filter(|_| status == 400)?;
    let kind = answer.get("error")?.get("type")?.as_str()?;
    Some(kind.chars().take(MAX_KIND).collect())
}

/// The kind of the error with which a server refuses a whole request; `None` if the answer is not that of such a server, but
/// of a proxy in front of it.
pub(super) fn whole_error(body: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let error = answer.get("error")?;
    let kind = error.get("type").or(Some(error)).and_then(Value::as_str)?;
    Some(kind.chars().take(MAX_KIND).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_document_has_its_result() {
        let body = br#"{"took":3,"errors":true,"items":[
            {"create":{"_index":"a","_id":"1","status":201}},
            {"create":{"status":409,"error":{"type":"version_conflict_engine_exception","reason":"[1]: version conflict"}}},
            {"create":{"status":429,"error":{"type":"es_rejected_execution_exception","reason":"rejected"}}},
            {"index":{"status":400,"error":{"type":"document_parsing_exception"}}},
            {"create":{"status":404,"error":"index_not_found_exception"}},
            {"create":{"status":503}},{"create":{"status":403}},{"create":{"status":413}}]}"#;
        let items = bulk_items(body, 8).unwrap();
        let verdicts: Vec<_> = items.iter().map(BulkItem::verdict).collect();
        assert_eq!(
            verdicts,
            [
                ItemVerdict::Delivered,
                ItemVerdict::Repeated,
                ItemVerdict::Retry,
                ItemVerdict::Rejected,
                ItemVerdict::NoIndex,
                ItemVerdict::Retry,
                ItemVerdict::Rejected,
                ItemVerdict::TooLarge,
            ]
        );
        assert_eq!(items[1].kind, "version_conflict_engine_exception");
        assert_eq!(items[1].reason, "[1]: version conflict");
        assert_eq!(
            (&*items[3].kind, &*items[3].reason),
            ("document_parsing_exception", "")
        );
    }

    #[test]
    fn an_answer_that_is_not_for_these_documents_is_an_error() {
        for (body, documents, why) in [
            ("", 0, "its answer is not JSON"),
            ("<html>", 1, "its answer is not JSON"),
            ("{}", 0, "its answer has no items"),
            ("[]", 0, "its answer has no items"),
            (r#"{"items":{}}"#, 0, "its answer has no items"),
            (
                r#"{"items":[]}"#,
                1,
                "its answer has another number of items than there were documents",
            ),
            (
                r#"{"items":[{}]}"#,
                1,
                "an item of its answer has no status",
            ),
            (r#"{"items":[7]}"#, 1, "an item of its answer has no status"),
            (
                r#"{"items":[{"create":{"status":"201"}}]}"#,
                1,
                "an item of its answer has no status",
            ),
            (
                r#"{"items":[{"create":{"status":0}}]}"#,
                1,
                "an item of its answer has no status",
            ),
            (
                r#"{"items":[{"create":{"status":99999}}]}"#,
                1,
                "an item of its answer has no status",
            ),
        ] {
            assert_eq!(bulk_items(body.as_bytes(), documents), Err(why), "{body}");
        }
    }

    #[test]
    fn texts_of_a_server_are_cut() {
        let long = "é".repeat(5000);
        let body = format!(
            r#"{{"items":[{{"create":{{"status":400,"error":{{"type":"{long}","reason":"{long}"}}}}}}]}}"#
        );
        let items = bulk_items(body.as_bytes(), 1).unwrap();
        assert_eq!(items[0].kind.chars().count(), MAX_KIND);
        assert_eq!(items[0].reason.chars().count(), MAX_REASON);
    }

    #[test]
    fn an_error_of_the_server_is_told_from_that_of_a_proxy() {
        let of_server =
            br#"{"error":{"type":"circuit_breaking_exception","reason":"x"},"status":429}"#;
        assert_eq!(
            whole_error(of_server).as_deref(),
            Some("circuit_breaking_exception")
        );
        let text = br#"{"error":"no handler found for uri [/x]","status":400}"#;
        assert_eq!(
            whole_error(text).as_deref(),
            Some("no handler found for uri [/x]")
        );
        assert_eq!(
            whole_error(b"<html>The plain HTTP request was sent to HTTPS port"),
            None
        );
        assert_eq!(whole_error(b"{}"), None);
        let kind = "circuit_breaking_exception".to_owned();
        assert_eq!(bad_request(400, of_server), Some(kind));
        assert_eq!(bad_request(429, of_server), None);
        assert_eq!(bad_request(400, text), None);
        assert_eq!(bad_request(400, b"<html>"), None);
    }

    proptest! {
        #[test]
        fn no_answer_panics(body in proptest::collection::vec(any::<u8>(), 0..200), documents in 0..5_usize) {
            if let Ok(items) = bulk_items(&body, documents) {
                prop_assert_eq!(items.len(), documents);
            }
            let _ = (whole_error(&body), bad_request(400, &body));
        }
    }
}
