mod corpus;
mod generated;
mod limits;
mod shapes;

use super::{Dialect, Statement};

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
    Statement::read(sql, dialect).text
}

fn shape(sql: &str, dialect: Dialect) -> u64 {
    Statement::read(sql, dialect).shape
}
