//! The documents of the database: statements, loops of statements, and pools.

mod loops;
mod pools;
mod statements;

pub(super) use self::pools::pools;
pub(super) use self::statements::{StatementName, statement, statements};
