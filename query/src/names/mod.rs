//! Names: exactly as written first, then ignoring case.
//!
//! SQL folds `userId` to `userid`, JSON doesn't, and topics are called `orders.v1` and
//! `saas-audit-logs`. DataFusion is told to leave names alone; these passes over the query's tree
//! write the real names into it before planning: `tables` those of tables, `columns` those of
//! columns and nested fields, `wildcard` what `*` stands for, `search` the columns that a search
//! looks at, `fields` those that it names, `header` a record's headers. A path may lead to several
//! columns at once, where a key's values came with several types (`place`, `crate::logical`); what
//! such a use means is decided where it stands (`uses`, `calls`, `order`), on the way up from its
//! parts, with the types of what stands beside it (`types`).

mod build;
mod calls;
mod columns;
mod contexts;
mod derived;
mod fields;
mod header;
mod json;
mod order;
mod paths;
mod place;
mod scope;
mod search;
mod selected;
mod subquery;
mod tables;
mod types;
mod uses;
mod using;
mod wildcard;

pub(crate) use build::call;
pub(crate) use columns::resolve_columns;
pub(crate) use scope::Columns;
pub(crate) use tables::{DEAD, KnownTables, TableName, resolve_tables, with_names};

#[cfg(test)]
mod tests;
