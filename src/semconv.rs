//! The names from OpenTelemetry's semantic conventions that this crate uses, and its own names.
//!
//! Source: <https://opentelemetry.io/docs/specs/semconv/>, the stable HTTP, database, service and client groups, and
//! the groups of calls, models, processes and systems.

/// The version of the conventions that resources and scopes name.
pub(crate) const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.42.0";

pub(crate) const CLIENT_ADDRESS: &str = "client.address";
pub(crate) const DB_CLIENT_CONNECTION_POOL_NAME: &str = "db.client.connection.pool.name";
pub(crate) const DB_CLIENT_CONNECTION_STATE: &str = "db.client.connection.state";
pub(crate) const DB_COLLECTION_NAME: &str = "db.collection.name";
pub(crate) const DB_NAMESPACE: &str = "db.namespace";
pub(crate) const DB_OPERATION_BATCH_SIZE: &str = "db.operation.batch.size";
pub(crate) const DB_OPERATION_NAME: &str = "db.operation.name";
pub(crate) const DB_QUERY_SUMMARY: &str = "db.query.summary";
pub(crate) const DB_QUERY_TEXT: &str = "db.query.text";
pub(crate) const DB_RESPONSE_RETURNED_ROWS: &str = "db.response.returned_rows";
pub(crate) const DB_RESPONSE_STATUS_CODE: &str = "db.response.status_code";
pub(crate) const DB_SYSTEM_NAME: &str = "db.system.name";
pub(crate) const DEPLOYMENT_ENVIRONMENT_NAME: &str = "deployment.environment.name";
pub(crate) const ERROR_TYPE: &str = "error.type";
pub(crate) const EXCEPTION_MESSAGE: &str = "exception.message";
pub(crate) const EXCEPTION_TYPE: &str = "exception.type";
pub(crate) const GEN_AI_OPERATION_NAME: &str = "gen_ai.operation.name";
pub(crate) const GEN_AI_PROVIDER_NAME: &str = "gen_ai.provider.name";
pub(crate) const GEN_AI_REQUEST_MODEL: &str = "gen_ai.request.model";
pub(crate) const GEN_AI_TOKEN_TYPE: &str = "gen_ai.token.type";
pub(crate) const GEN_AI_USAGE_INPUT_TOKENS: &str = "gen_ai.usage.input_tokens";
pub(crate) const GEN_AI_USAGE_OUTPUT_TOKENS: &str = "gen_ai.usage.output_tokens";
pub(crate) const HTTP_REQUEST_BODY_SIZE: &str = "http.request.body.size";
pub(crate) const HTTP_REQUEST_RESEND_COUNT: &str = "http.request.resend_count";
pub(crate) const HTTP_REQUEST_METHOD: &str = "http.request.method";
pub(crate) const HTTP_REQUEST_METHOD_ORIGINAL: &str = "http.request.method_original";
pub(crate) const HTTP_RESPONSE_BODY_SIZE: &str = "http.response.body.size";
pub(crate) const HTTP_RESPONSE_STATUS_CODE: &str = "http.response.status_code";
pub(crate) const HTTP_ROUTE: &str = "http.route";
pub(crate) const NETWORK_INTERFACE_NAME: &str = "network.interface.name";
pub(crate) const NETWORK_IO_DIRECTION: &str = "network.io.direction";
pub(crate) const NETWORK_PEER_ADDRESS: &str = "network.peer.address";
pub(crate) const NETWORK_PROTOCOL_VERSION: &str = "network.protocol.version";
/// Marks the series of a metric that counts the label sets beyond the limit.
#[cfg(feature = "otlp")]
pub(crate) const OTEL_METRIC_OVERFLOW: &str = "otel.metric.overflow";
pub(crate) const RPC_METHOD: &str = "rpc.method";
pub(crate) const RPC_METHOD_ORIGINAL: &str = "rpc.method_original";
pub(crate) const RPC_RESPONSE_STATUS_CODE: &str = "rpc.response.status_code";
pub(crate) const RPC_SYSTEM_NAME: &str = "rpc.system.name";
pub(crate) const SERVER_ADDRESS: &str = "server.address";
pub(crate) const SERVER_PORT: &str = "server.port";
pub(crate) const SERVICE_INSTANCE_ID: &str = "service.instance.id";
pub(crate) const SERVICE_NAME: &str = "service.name";
pub(crate) const SERVICE_PEER_NAME: &str = "service.peer.name";
pub(crate) const SERVICE_VERSION: &str = "service.version";
pub(crate) const URL_FULL: &str = "url.full";
pub(crate) const URL_PATH: &str = "url.path";
pub(crate) const URL_QUERY: &str = "url.query";
pub(crate) const URL_SCHEME: &str = "url.scheme";
pub(crate) const URL_TEMPLATE: &str = "url.template";
pub(crate) const USER_AGENT_ORIGINAL: &str = "user_agent.original";
pub(crate) const USER_ID: &str = "user.id";

/// The outcome of a request. Specific to this crate.
pub(crate) const WATCHPOST_OUTCOME: &str = "watchpost.outcome";
/// The subject of a log record, if it differs from the usual subject of its kind. Specific to this crate.
pub(crate) const WATCHPOST_RECORD: &str = "watchpost.record";
/// The reason why a trace is kept. Specific to this crate.
pub(crate) const WATCHPOST_KEPT: &str = "watchpost.kept";
/// Whether a text of a span or an event was truncated. Specific to this crate.
pub(crate) const WATCHPOST_TRUNCATED: &str = "watchpost.truncated";
/// The number of spans of a trace that were dropped for lack of room, at its root.
pub(crate) const WATCHPOST_LOST_SPANS: &str = "watchpost.lost_spans";

/// The attributes that metrics have as labels. Labels have the exposed form of a name, with `_` in place of `.`; this list
/// turns it back into the name when metrics are pushed.
#[cfg(feature = "otlp")]
pub(crate) const LABEL_ATTRIBUTES: [&str; 37] = [
    CONTENT_KIND,
    DB_CLIENT_CONNECTION_POOL_NAME,
    DB_CLIENT_CONNECTION_STATE,
    DB_COLLECTION_NAME,
    DB_NAMESPACE,
    DB_OPERATION_NAME,
    DB_QUERY_SUMMARY,
    DB_RESPONSE_STATUS_CODE,
    DB_SYSTEM_NAME,
    DEPLOYMENT_ENVIRONMENT_NAME,
    ERROR_TYPE,
    EXCEPTION_TYPE,
    GEN_AI_OPERATION_NAME,
    GEN_AI_PROVIDER_NAME,
    GEN_AI_REQUEST_MODEL,
    GEN_AI_TOKEN_TYPE,
    HTTP_REQUEST_METHOD,
    HTTP_RESPONSE_STATUS_CODE,
    HTTP_ROUTE,
    NETWORK_INTERFACE_NAME,
    NETWORK_IO_DIRECTION,
    NETWORK_PROTOCOL_VERSION,
    OTEL_METRIC_OVERFLOW,
    RPC_METHOD,
    RPC_RESPONSE_STATUS_CODE,
    RPC_SYSTEM_NAME,
    SERVER_ADDRESS,
    SERVER_PORT,
    SERVICE_INSTANCE_ID,
    SERVICE_NAME,
    SERVICE_PEER_NAME,
    SERVICE_VERSION,
    URL_SCHEME,
    URL_TEMPLATE,
    USER_ID,
    WATCHPOST_DB_CONSTRAINT,
    WATCHPOST_OUTCOME,
];
/// The attributes in [`LABEL_ATTRIBUTES`] that are whole numbers.
#[cfg(feature = "otlp")]
pub(crate) const INTEGER_ATTRIBUTES: [&str; 2] = [HTTP_RESPONSE_STATUS_CODE, SERVER_PORT];

/// `http.server.request.duration`, seconds.
pub(crate) const HTTP_SERVER_REQUEST_DURATION: &str = "http.server.request.duration";
/// `http.server.active_requests`.
pub(crate) const HTTP_SERVER_ACTIVE_REQUESTS: &str = "http.server.active_requests";
/// `http.server.request.body.size`, bytes.
pub(crate) const HTTP_SERVER_REQUEST_BODY_SIZE: &str = "http.server.request.body.size";
/// `http.server.response.body.size`, bytes.
pub(crate) const HTTP_SERVER_RESPONSE_BODY_SIZE: &str = "http.server.response.body.size";
/// The time to the response headers, in seconds. Specific to this crate.
pub(crate) const HTTP_TIME_TO_HEADERS: &str = "watchpost.http.time_to_headers";
/// The duration of a stream or an upgraded connection, in seconds. Specific to this crate.
pub(crate) const HTTP_CONNECTION_DURATION: &str = "watchpost.http.connection.duration";

/// `rpc.client.call.duration`, seconds.
pub(crate) const RPC_CLIENT_CALL_DURATION: &str = "rpc.client.call.duration";
/// `rpc.server.call.duration`, seconds.
pub(crate) const RPC_SERVER_CALL_DURATION: &str = "rpc.server.call.duration";

/// `http.client.request.duration`, seconds.
pub(crate) const HTTP_CLIENT_REQUEST_DURATION: &str = "http.client.request.duration";
/// `http.client.active_requests`.
pub(crate) const HTTP_CLIENT_ACTIVE_REQUESTS: &str = "http.client.active_requests";
/// `gen_ai.client.operation.duration`, seconds.
pub(crate) const GEN_AI_CLIENT_OPERATION_DURATION: &str = "gen_ai.client.operation.duration";
/// `gen_ai.client.token.usage`.
pub(crate) const GEN_AI_CLIENT_TOKEN_USAGE: &str = "gen_ai.client.token.usage";
/// The cost of a call of a model. Specific to this crate.
pub(crate) const GEN_AI_COST: &str = "watchpost.gen_ai.cost";
/// The bucket bounds that the specification defines for the duration of a model call, in seconds.
pub(crate) const GEN_AI_DURATION_BOUNDS: [f64; 14] = [
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
];
/// The bucket bounds that the specification defines for token counts.
pub(crate) const GEN_AI_TOKEN_BOUNDS: [f64; 14] = [
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1024.0,
    4096.0,
    16384.0,
    65536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];
/// Bucket bounds of a cost.
pub(crate) const GEN_AI_COST_BOUNDS: [f64; 7] = [0.0001, 0.001, 0.01, 0.1, 1.0, 10.0, 100.0];

/// The kind of a generated item of content. This and the following names are specific to this crate.
pub(crate) const CONTENT_KIND: &str = "content.kind";
/// The number of items of content that were generated.
pub(crate) const CONTENT_GENERATED: &str = "content.generated";
/// The time that generating an item of content took, in seconds.
pub(crate) const CONTENT_GENERATION_DURATION: &str = "content.generation.duration";
/// The number of attempts to generate content that generated nothing.
pub(crate) const CONTENT_GENERATION_FAILURES: &str = "content.generation.failures";
/// Bucket bounds of the time to generate an item of content, in seconds: from a template to a long text of a model.
pub(crate) const CONTENT_GENERATION_BOUNDS: [f64; 10] =
    [0.01, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];
/// The number of distinct users within a window of time.
pub(crate) const USERS_ACTIVE: &str = "watchpost.users.active";

/// `db.client.operation.duration`, seconds.
pub(crate) const DB_CLIENT_OPERATION_DURATION: &str = "db.client.operation.duration";
/// The number of connections of a pool.
pub(crate) const DB_CLIENT_CONNECTION_COUNT: &str = "db.client.connection.count";
pub(crate) const DB_CLIENT_CONNECTION_IDLE_MIN: &str = "db.client.connection.idle.min";
pub(crate) const DB_CLIENT_CONNECTION_MAX: &str = "db.client.connection.max";
pub(crate) const DB_CLIENT_CONNECTION_PENDING_REQUESTS: &str =
    "db.client.connection.pending_requests";
pub(crate) const DB_CLIENT_CONNECTION_TIMEOUTS: &str = "db.client.connection.timeouts";
/// The time to get a connection from a pool, in seconds.
pub(crate) const DB_CLIENT_CONNECTION_WAIT_TIME: &str = "db.client.connection.wait_time";
/// The bucket bounds that the specification defines for the duration of a database operation, in seconds.
pub(crate) const DB_DURATION_BOUNDS: [f64; 9] =
    [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];

/// CPU time of the process by elapsed time and CPUs that are available to it, a share.
pub(crate) const PROCESS_CPU_UTILIZATION: &str = "process.cpu.utilization";
/// The time that the process has been running, in seconds.
pub(crate) const PROCESS_UPTIME: &str = "process.uptime";
pub(crate) const SYSTEM_CPU_LOGICAL_COUNT: &str = "system.cpu.logical.count";
pub(crate) const SYSTEM_CPU_UTILIZATION: &str = "system.cpu.utilization";
pub(crate) const SYSTEM_FILESYSTEM_LIMIT: &str = "system.filesystem.limit";
pub(crate) const SYSTEM_FILESYSTEM_USAGE: &str = "system.filesystem.usage";
pub(crate) const SYSTEM_FILESYSTEM_UTILIZATION: &str = "system.filesystem.utilization";
pub(crate) const SYSTEM_MEMORY_LIMIT: &str = "system.memory.limit";
pub(crate) const SYSTEM_MEMORY_USAGE: &str = "system.memory.usage";
pub(crate) const SYSTEM_MEMORY_UTILIZATION: &str = "system.memory.utilization";
pub(crate) const SYSTEM_NETWORK_IO: &str = "system.network.io";

/// The constraint that a query violated.
pub(crate) const WATCHPOST_DB_CONSTRAINT: &str = "watchpost.db.constraint";
/// The kind of error of a request's last failed query, if the database returned no code.
pub(crate) const WATCHPOST_DB_ERROR_TYPE: &str = "watchpost.db.error.type";
/// The number of queries of a request. [`DB_DURATION_MS`] is the time in them, in milliseconds. Both are specific to
/// this crate.
pub(crate) const DB_QUERIES: &str = "watchpost.db.queries";
pub(crate) const DB_DURATION_MS: &str = "watchpost.db.duration_ms";
/// The histogram of a request's time in queries, by route. Specific to this crate.
pub(crate) const REQUEST_DB_DURATION: &str = "watchpost.request.db_duration";
/// The number of queries of a request whose statement already ran in the same request. Specific to this crate.
pub(crate) const DB_DUPLICATES: &str = "watchpost.db.duplicates";
/// The summary of the statement that a request ran in a loop. Specific to this crate.
pub(crate) const DB_N_PLUS_ONE: &str = "watchpost.db.n_plus_one";

/// Bucket bounds of an HTTP duration, in seconds: one bound below those of the specification, and the bounds of the
/// specification that are four to five times apart. With the last bucket and the sum they fill one cache line.
pub(crate) const HTTP_DURATION_BOUNDS: [f64; 6] = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5];
/// Bucket bounds of the duration of an event stream or an upgraded connection, in seconds.
pub(crate) const HTTP_CONNECTION_BOUNDS: [f64; 7] = [0.001, 0.1, 1.0, 10.0, 60.0, 600.0, 3600.0];
/// The bucket bounds that the specification defines for a duration, in seconds.
pub(crate) const DURATION_BOUNDS: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];
/// Bucket bounds of a size in bytes: powers of four from 64 B to 64 MiB.
pub(crate) const SIZE_BOUNDS: [f64; 11] = [
    64.0,
    256.0,
    1024.0,
    4096.0,
    16384.0,
    65536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];
