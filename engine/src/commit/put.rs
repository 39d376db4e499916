//! One payload, put once: whatever the store answers, what the version holds decides (P9).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::{PutMode, PutPayload};
use uuid::Uuid;

use crate::commit::actions::{self, Actions};
use crate::error::{Error, Result};
use crate::fault;
use crate::lake::Lake;
use crate::path::TablePath;

/// How often the same bytes are sent within one call. The caller calls again with the same cut, so
/// this bounds a call, not the patience.
const SENDS: u32 = 3;

/// The bytes of one version, made once and never changed.
#[derive(Debug, Clone)]
pub(super) struct Payload {
    pub(super) id: Uuid,
    pub(super) version: u64,
    pub(super) bytes: Bytes,
    /// When the writer last knew the newest version, on the monotonic clock (P10).
    pub(super) based_at: Duration,
}

/// What became of a payload.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It is the version.
    Ours,
    /// Another payload is the version, so this one can never be.
    Other,
    /// Nobody knows: it may still land. Only the same bytes may be sent again.
    Unsettled(Error),
}

/// Puts `payload`, and on any answer but success reads the version to see whose it is.
pub(super) fn put(lake: &Lake, table: &TablePath, payload: &Payload) -> Outcome {
    let mut last = Error::unavailable("the commit was not sent");
    for send in 0..SENDS {
        if send > 0 {
            lake.clock()
                .block(Duration::from_millis(50) * 2_u32.pow(send));
        }
        fault::point("before_put");
        let error = match send_once(lake, table, payload) {
            Ok(()) => {
                fault::point("after_put");
                return Outcome::Ours;
            }
            Err(error) => error,
        };
        last = error;
        match occupant(lake, table, payload) {
            Ok(Some(outcome)) => return outcome,
            // A 409 of S3, or a request that never arrived: nothing is there, yet.
            Ok(None) => {}
            Err(error) => last = error,
        }
    }
    Outcome::Unsettled(last)
}

/// Whether the version is taken, and by whom.
pub(super) fn occupant(
    lake: &Lake,
    table: &TablePath,
    payload: &Payload,
) -> Result<Option<Outcome>> {
    let Some(bytes) = actions::read(lake, table, payload.version)? else {
        return Ok(None);
    };
    // A foreign commit has no id, and one that we can't read isn't ours either.
    let id = Actions::parse(&bytes).ok().and_then(|actions| actions.id);
    if id == Some(payload.id) {
        // An id stands for its bytes: anything else would acknowledge what was never written.
        if bytes != payload.bytes {
            return Err(Error::data(format!(
                "version `{}` of table `{}` has our commit's id but other content",
                payload.version,
                table.topic()
            )));
        }
        return Ok(Some(Outcome::Ours));
    }
    Ok(Some(Outcome::Other))
}

fn send_once(lake: &Lake, table: &TablePath, payload: &Payload) -> Result<()> {
    let store = Arc::clone(lake.store());
    let location = table.commit(payload.version);
    let body = PutPayload::from_bytes(payload.bytes.clone());
    lake.wait(async move {
        store
            .put_opts(&location, body, PutMode::Create.into())
            .await
            .map(drop)
    })?
    .map_err(Error::from)
}
