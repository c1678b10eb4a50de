//! Settings of where log records are sent.

use super::parsers::{MINUTE, duration, integer};
use super::setting::Setting;
use super::setting::Variable::Value as Named;
use crate::config::value::{
    Binding, BoolParser, CertificateFileParser, IndexNameParser, ListParser, OptionalTextParser,
    SearchUrlItem, SecretTextParser, SizeParser,
};

pub(super) const LOG_RECEIVERS: &[Setting] = &[
    Setting::new(
        "elasticsearch.urls",
        field!(ListParser::<SearchUrlItem>::NEW, elasticsearch.urls),
        "The nodes of an Elasticsearch or OpenSearch that gets the log records; the first one that works is used",
    )
    .variables(&[Named("ELASTICSEARCH_URL")]),
    Setting::new(
        "elasticsearch.username",
        field!(OptionalTextParser, elasticsearch.username),
        "The user of that server",
    )
    .variables(&[Named("ELASTICSEARCH_USERNAME")]),
    Setting::new(
        "elasticsearch.password",
        field!(SecretTextParser, elasticsearch.password),
        "The password of that user",
    )
    .variables(&[Named("ELASTICSEARCH_PASSWORD")])
    .secret(),
    Setting::new(
        "elasticsearch.api_key",
        field!(SecretTextParser, elasticsearch.api_key),
        "An encoded API key of that server, in place of a user",
    )
    .variables(&[Named("ELASTICSEARCH_API_KEY")])
    .secret(),
    Setting::new(
        "elasticsearch.certificate",
        field!(CertificateFileParser, elasticsearch.certificate),
        "The authorities of that server that are trusted in place of the public ones",
    ),
    Setting::new(
        "elasticsearch.index",
        field!(IndexNameParser, elasticsearch.index),
        "The beginning of the names of the indices, which have the day at their end, or the name of the data stream",
    ),
    Setting::new(
        "elasticsearch.data_stream",
        field!(BoolParser, elasticsearch.data_stream),
        "Whether `elasticsearch.index` is a data stream",
    ),
    Setting::new(
        "elasticsearch.template",
        field!(BoolParser, elasticsearch.template),
        "Whether the index template is stored in that server at the start",
    ),
    Setting::new(
        "elasticsearch.timeout",
        field!(duration(1, 10 * MINUTE), elasticsearch.timeout),
        "The time that one request to that server may take",
    ),
    Setting::new(
        "elasticsearch.max_batch_bytes",
        field!(
            SizeParser {
                min: 64 << 10,
                max: 64 << 20
            },
            elasticsearch.max_batch_bytes
        ),
        "The most bytes of documents in one request, before compression",
    ),
    Setting::new(
        "elasticsearch.max_batch_documents",
        field!(integer(1, 10_000), elasticsearch.max_batch_documents),
        "The most documents in one request",
    ),
];
