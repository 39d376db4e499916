//! A topic's table as DataFusion sees it: one consistent view of lake and live rows.
//!
//! ```text
//! View (one version's files + live batches beyond its positions)
//!   files --prune: dt, statistics, filters--> DataSourceExec(ParquetSource, narrow schema) --+
//!   live batches --bind by identity--> DataSourceExec(memory) --------------+--> union
//!                                                  --> filter (`_error`, `as_of`) --> projection
//! ```
//!
//! Plain Parquet scans only, so that plans can be serialised. Only the columns that a query names
//! reach DataFusion: planning time grows with the schema's width. Statistics of files stay here;
//! DataFusion would collect them over all columns.

mod bounds;
mod columns;
mod condition;
mod count;
mod files;
mod filters;
mod known;
mod late;
mod leaves;
mod live;
mod made;
mod needle;
mod origin;
mod original;
mod provider;
mod prune;
mod reading;
mod sealed;
mod view;

pub(crate) use columns::{Source, SqlColumns};
pub(crate) use condition::Condition;
pub(crate) use count::{DoneElsewhere, Reads, ScanCount, row_groups_of};
pub(crate) use filters::named;
pub(crate) use known::LeafCache;
pub(crate) use origin::Origin;
pub(crate) use provider::{Addresses, TopicTable};
pub(crate) use view::{AsOf, DT, FILE, HIDDEN, NUMBER, OffsetMap, ROW, Rows, View};

#[cfg(test)]
mod tests;
