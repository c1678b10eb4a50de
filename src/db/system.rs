use super::statement::Dialect;

/// A database system, with its name in the semantic conventions (`db.system.name`).
///
/// It selects the SQL dialect in which statements are read. For systems without SQL, only the name of the command is
/// kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DbSystem {
    /// `postgresql`
    Postgresql,
    /// `cockroachdb`, with the dialect of `PostgreSQL`
    Cockroachdb,
    /// `mysql`
    Mysql,
    /// `mariadb`
    Mariadb,
    /// `sqlite`
    Sqlite,
    /// `microsoft.sql_server`
    MicrosoftSqlServer,
    /// `oracle.db`
    OracleDb,
    /// `clickhouse`
    Clickhouse,
    /// `other_sql`: any other system with SQL. Text in double quotes is taken for a literal, as in some dialects,
    /// unless it is where a table is expected. Names may be in brackets.
    OtherSql,
    /// `redis`
    Redis,
    /// `memcached`
    Memcached,
    /// `mongodb`
    Mongodb,
    /// `elasticsearch`
    Elasticsearch,
    /// A system of this name, without SQL. The name labels series.
    Other(&'static str),
}

impl DbSystem {
    /// Returns the name in the semantic conventions.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Postgresql => "postgresql",
            Self::Cockroachdb => "cockroachdb",
            Self::Mysql => "mysql",
            Self::Mariadb => "mariadb",
            Self::Sqlite => "sqlite",
            Self::MicrosoftSqlServer => "microsoft.sql_server",
            Self::OracleDb => "oracle.db",
            Self::Clickhouse => "clickhouse",
            Self::OtherSql => "other_sql",
            Self::Redis => "redis",
            Self::Memcached => "memcached",
            Self::Mongodb => "mongodb",
            Self::Elasticsearch => "elasticsearch",
            Self::Other(name) => name,
        }
    }

    /// The dialect of its statements; `None` for systems without SQL.
    pub(super) fn dialect(self) -> Option<Dialect> {
        Some(match self {
            Self::Postgresql | Self::Cockroachdb => Dialect::Postgresql,
            Self::Mysql | Self::Mariadb => Dialect::Mysql,
            Self::Sqlite => Dialect::Sqlite,
            Self::MicrosoftSqlServer => Dialect::SqlServer,
            Self::OracleDb | Self::Clickhouse => Dialect::Other,
            Self::OtherSql => Dialect::Unknown,
            Self::Redis
            | Self::Memcached
            | Self::Mongodb
            | Self::Elasticsearch
            | Self::Other(_) => return None,
        })
    }
}
