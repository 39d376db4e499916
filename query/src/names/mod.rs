//! Names: exactly as written first, then ignoring case.
//!
//! SQL folds `userId` to `userid`, JSON doesn't, and topics are called `orders.v1` and
//! `saas-audit-logs`. DataFusion is told to leave names alone; these passes over the query's tree
//! write the real names into it before planning: `tables` those of tables, `columns` those of
//! columns and nested fields, `wildcard` what `*` stands for.

mod columns;
mod scope;
mod tables;
mod using;
mod wildcard;

pub(crate) use columns::resolve_columns;
pub(crate) use scope::Columns;
pub(crate) use tables::{KnownTables, TableName, resolve_tables};

#[cfg(test)]
mod tests;
