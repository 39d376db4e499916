//! SQL over Arrow Flight, for ADBC, JDBC and whoever else speaks Flight SQL.
//!
//! ```text
//! GetFlightInfo (a statement, or a prepared one with its values)
//!     describe: its columns, without running it --> a ticket, which is kept (kept)
//! DoGet (the ticket)
//!     Query::execute --> batches, as they were told (plain) --> messages
//! DoAction, DoPut: prepared statements (prepared) and their values (parameters), updates
//!     (update), CancelFlightInfo (cancel)
//! ```
//!
//! What a statement does is decided where it is for every other front, in `run/`. A statement runs
//! when its ticket is read, and a ticket is read once: asking what a statement would answer starts
//! nothing, and a call that is repeated is refused instead of running it again. Still a tool may
//! send a statement twice, so `INTO` needs a name.
//!
//! What a client asks of the catalog (catalog, facts) is answered from its own call: such tickets
//! are the question itself, and nothing is kept of them.

mod asked;
mod cancel;
mod catalog;
mod facts;
mod kept;
mod keys;
mod parameters;
mod plain;
mod prepared;
mod reading;
mod statement;
mod update;

use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::ipc::writer::IpcWriteOptions;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use arrow_flight::{IpcMessage, SchemaAsIpc};
use bytes::Bytes;
use futures::{Stream, TryStreamExt};
use tonic::Status;
use uuid::Uuid;

pub(super) use self::cancel::CANCEL;
use self::facts::Facts;
use self::kept::{Bounds, Kept};
use self::prepared::Prepared;
use self::reading::Readings;
use self::statement::Promise;
use super::status::refused;
use super::wire::Messages;
use crate::error::{Error, ErrorKind, Result};
use crate::query::Query;

/// Tickets that nobody has read yet: clients read theirs at once, or hand them to others who do.
const TICKETS: Bounds = Bounds {
    entries: 1_000,
    bytes: 16 << 20,
    age: Duration::from_secs(300),
};

/// Prepared statements that weren't closed yet; one connection of a tool may have hundreds.
const PREPARED: Bounds = Bounds {
    entries: 5_000,
    bytes: 32 << 20,
    age: Duration::from_secs(3_600),
};

/// Answers Flight SQL.
pub(super) struct Sql {
    query: Query,
    tickets: Kept<Promise>,
    prepared: Kept<Prepared>,
    readings: Readings,
    facts: Facts,
}

impl Sql {
    /// Answers from `query`.
    ///
    /// # Errors
    /// `Internal` when what is told of this server can't be written down.
    pub(super) fn new(query: Query) -> Result<Self> {
        let clock = &query.0.clock;
        Ok(Self {
            tickets: Kept::new(TICKETS, clock.clone()),
            prepared: Kept::new(PREPARED, clock.clone()),
            readings: Readings::default(),
            facts: Facts::new(&query)?,
            query,
        })
    }
}

/// Batches as messages, behind their schema.
fn messages(
    schema: SchemaRef,
    batches: impl Stream<Item = Result<RecordBatch>> + Send + 'static,
) -> Messages {
    let batches = batches.map_err(|error| FlightError::from(refused(&error)));
    let encoder = FlightDataEncoderBuilder::new().with_schema(schema);
    Box::pin(encoder.build(batches).map_err(Status::from))
}

/// A schema as Flight SQL's own messages have it.
fn ipc(schema: &Schema) -> Result<Bytes> {
    let options = IpcWriteOptions::default();
    let IpcMessage(bytes) = SchemaAsIpc::new(schema, &options).try_into()?;
    Ok(bytes)
}

/// The number that a handle of ours is.
fn number(handle: &[u8], what: &str) -> Result<Uuid> {
    Uuid::from_slice(handle).map_err(|_| unknown(what))
}

fn unknown(what: &str) -> Error {
    let text = format!("there is no such {what}: it was used, or nobody asked for it for long");
    Error::new(ErrorKind::NotFound, text)
}

#[cfg(test)]
mod tests;
