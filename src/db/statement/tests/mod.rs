mod corpus;
mod digests;
mod generated;
mod limits;

use super::{Dialect, NormalizedStatement};

const ALL: [Dialect; 6] = [
    Dialect::Postgresql,
    Dialect::Mysql,
    Dialect::Sqlite,
    Dialect::SqlServer,
    Dialect::Other,
    Dialect::Unknown,
];

fn named(name: &str) -> Dialect {
    let names = ["pg", "my", "li", "ms", "std", "any"];
    ALL[names.iter().position(|known| *known == name).unwrap()]
}

fn text(sql: &str, dialect: Dialect) -> Box<str> {
    NormalizedStatement::read(sql, dialect).text
}

fn digest(sql: &str, dialect: Dialect) -> u64 {
    NormalizedStatement::read(sql, dialect).digest
}
