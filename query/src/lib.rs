//! Eddy's query: SQL over the lake and over what arrived a moment ago.
//!
//! ```text
//! HTTP (http/) --> Query::execute --> statement/  what the text asks for; INTO and options cut off
//!                       |             names/      exact names, then ignoring case; what `*` means
//!                       |             catalog     one consistent view of every table (P20, E4, E8)
//!                       |             table/      our table provider: pruned files + live rows
//!                       |             logical/    a key of several types as one column
//!                       |             erase/      `DELETE`: the engine erases and gives a receipt
//!                       |             cache/      blocks of remote files, in memory and on disk
//!                       |             columns/    decoded columns, for what is asked for again
//!                       v
//!                  run: a thread pool of its own, limits, cancel --> Arrow batches
//!                       |             nodes/     parts of large plans, done on other nodes
//!                       |             warm       done once at the start: nobody waits for it
//! ```
//!
//! Only this crate links DataFusion. It knows neither Kafka nor replay: where `INTO` goes and what
//! other system tables there are comes in through the traits in [`hooks`], and what a replay reads
//! goes out as [`SourcePlan`] and a stream of batches.

pub mod error;
pub mod hooks;
pub mod http;
pub mod views;

mod ask;
mod bounded;
mod cache;
mod catalog;
mod columns;
mod erase;
pub mod flight;
mod functions;
mod header;
mod json;
mod lake;
mod logical;
mod names;
mod nearest;
mod nodes;
mod pieces;
mod postgres;
mod query;
mod run;
mod search;
mod session;
mod source;
mod statement;
mod system;
mod table;
mod tail;
#[cfg(test)]
mod testing;
mod warm;

pub use cache::CacheOptions;
pub use error::{Error, ErrorKind, Result, TextPosition};
pub use hooks::{
    CreateDestination, IntoAnswer, IntoHandler, IntoRequest, SystemTable, TableKeeper,
};
pub use nodes::NodeOptions;
pub use query::{Answer, Description, Front, Query, QueryOptions, Request, Stale};
pub use source::{PartitionRecords, Payload, Sequence, SourcePlan};
pub use statement::{Literal, Params};
