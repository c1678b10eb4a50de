use std::path::PathBuf;
use std::time::Duration;

use crate::model::{ExplicitKeys, Secret};

/// Where log records are sent: an Elasticsearch or an OpenSearch.
///
/// Every field is the setting of the same name under `elasticsearch`. The [table](crate::config#the-settings) of settings also
/// lists their variables and ranges. Nothing is sent without a URL or without the feature `elasticsearch`. See
/// [Elasticsearch and OpenSearch](crate::logs#elasticsearch-and-opensearch).
///
/// ```
/// use watchpost::Monitor;
/// use watchpost::logs::ElasticsearchConfig;
///
/// # fn main() -> watchpost::Result<()> {
/// let config = ElasticsearchConfig::default()
///     .urls(["https://search-1:9200", "https://search-2:9200"])
///     .api_key("VnVhQ2ZHY0JDZGJrUW0tZTVhT3g6dWkybHAyYXhUTm1zeWFrdzl0dk5udw==");
/// assert!(!format!("{config:?}").contains("VnVh"));
/// let monitor = Monitor::builder("shop").elasticsearch(config).env(false).console(false).build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub struct ElasticsearchConfig {
    /// The URLs of the nodes, such as `https://search-1:9200`. The first one that works is used. Default: none.
    pub urls: Vec<String>,
    /// The name of the user. Default: none.
    pub username: Option<String>,
    /// A file with the PEM certificates of the authorities that are trusted instead of the public ones. Default: none.
    pub certificate: Option<PathBuf>,
    /// The beginning of the names of the indices, one for each day, or the name of the data stream. Default: `watchpost-logs`.
    pub index: String,
    /// Whether `index` is the name of a data stream. Default: `false`.
    pub data_stream: bool,
    /// Whether the index template is stored in the server at the start. Default: `false`.
    pub template: bool,
    /// The timeout of one request, from 1 ms to 10 min. Default: 30 s.
    pub timeout: Duration,
    /// The maximum size of the documents of one request before compression, in bytes, from 64 KiB to 64 MiB. Default: 4 MiB.
    pub max_batch_bytes: usize,
    /// The maximum number of documents of one request, from 1 to 10,000. Default: 2,000.
    pub max_batch_documents: u32,
    pub(crate) password: Option<Secret>,
    pub(crate) api_key: Option<Secret>,
    pub(crate) explicit: ExplicitKeys,
}

impl ElasticsearchConfig {
    /// The default of `index`.
    pub const DEFAULT_INDEX: &'static str = "watchpost-logs";
    /// The default of `timeout`: 30 s.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
    /// The default of `max_batch_bytes`: 4 MiB.
    pub const DEFAULT_MAX_BATCH_BYTES: usize = 4 << 20;
    /// The default of `max_batch_documents`: 2,000.
    pub const DEFAULT_MAX_BATCH_DOCUMENTS: u32 = 2000;

    /// Sets the URLs of the nodes: `elasticsearch.urls`. A path in front of the server's own is kept. Default: none.
    pub fn urls(mut self, urls: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.explicit.add("elasticsearch.urls");
        self.urls = urls.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the name of the user: `elasticsearch.username`. Default: none.
    pub fn username(mut self, name: impl Into<String>) -> Self {
        self.explicit.add("elasticsearch.username");
        self.username = Some(name.into());
        self
    }

    /// Sets the password of the user, which is a secret: `elasticsearch.password`. Default: none.
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.explicit.add("elasticsearch.password");
        self.password = Some(Secret::new(password));
        self
    }

    /// Sets the API key in its encoded form, which is a secret: `elasticsearch.api_key`. It is used in place of a user. Default:
    /// none.
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.explicit.add("elasticsearch.api_key");
        self.api_key = Some(Secret::new(key));
        self
    }

    /// Sets the file with the PEM certificates of the authorities that are trusted instead of the public ones:
    /// `elasticsearch.certificate`. Default: none.
    pub fn certificate(mut self, path: impl Into<PathBuf>) -> Self {
        self.explicit.add("elasticsearch.certificate");
        self.certificate = Some(path.into());
        self
    }

    /// Sets the beginning of the names of the indices, or the name of the data stream: `elasticsearch.index`. Default:
    /// `watchpost-logs`.
    pub fn index(mut self, name: impl Into<String>) -> Self {
        self.explicit.add("elasticsearch.index");
        self.index = name.into();
        self
    }

    /// Sets whether the index is a data stream: `elasticsearch.data_stream`. Default: `false`.
    pub fn data_stream(mut self, data_stream: bool) -> Self {
        self.explicit.add("elasticsearch.data_stream");
        self.data_stream = data_stream;
        self
    }

    /// Sets whether the index template is stored in the server at the start: `elasticsearch.template`. Default: `false`.
    pub fn template(mut self, template: bool) -> Self {
        self.explicit.add("elasticsearch.template");
        self.template = template;
        self
    }

    /// Sets the timeout of one request, from 1 ms to 10 min: `elasticsearch.timeout`. Default: 30 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.explicit.add("elasticsearch.timeout");
        self.timeout = timeout;
        self
    }

    /// Sets the maximum size of the documents of one request before compression, in bytes, from 64 KiB to 64 MiB:
    /// `elasticsearch.max_batch_bytes`. Default: 4 MiB.
    pub fn max_batch_bytes(mut self, bytes: usize) -> Self {
        self.explicit.add("elasticsearch.max_batch_bytes");
        self.max_batch_bytes = bytes;
        self
    }

    /// Sets the maximum number of documents of one request, from 1 to 10,000: `elasticsearch.max_batch_documents`. Default:
    /// 2,000.
    pub fn max_batch_documents(mut self, documents: u32) -> Self {
        self.explicit.add("elasticsearch.max_batch_documents");
        self.max_batch_documents = documents;
        self
    }
}

impl Default for ElasticsearchConfig {
    fn default() -> Self {
        Self {
            urls: Vec::new(),
            username: None,
            certificate: None,
            index: Self::DEFAULT_INDEX.to_owned(),
            data_stream: false,
            template: false,
            timeout: Self::DEFAULT_TIMEOUT,
            max_batch_bytes: Self::DEFAULT_MAX_BATCH_BYTES,
            max_batch_documents: Self::DEFAULT_MAX_BATCH_DOCUMENTS,
            password: None,
            api_key: None,
            explicit: ExplicitKeys::default(),
        }
    }
}
