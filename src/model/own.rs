/// The mark of an answer that this crate gave itself (a scrape, a health probe), put into the
/// response's extensions. The endpoint layer keeps such a request out of series, records and lines.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OwnAnswer;
