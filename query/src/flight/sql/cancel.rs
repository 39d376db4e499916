//! Cancelling: by the answer of `GetFlightInfo`, from any connection.

use arrow_flight::sql::{Any, Command, TicketStatementQuery};
use arrow_flight::{CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, FlightInfo};
use prost::Message;

use super::{Sql, number};
use crate::error::{Error, Result};

/// The action's name.
pub(in crate::flight) const CANCEL: &str = "CancelFlightInfo";

impl Sql {
    /// The answer of the action [`CANCEL`] to its body.
    pub(in crate::flight) fn cancel(&self, body: &[u8]) -> Result<Vec<u8>> {
        let asked = CancelFlightInfoRequest::decode(body).map_err(not_understood)?;
        let was = asked.info.is_some_and(|info| self.cancel_answer(&info));
        let status = match was {
            true => CancelStatus::Cancelled,
            false => CancelStatus::NotCancellable,
        };
        Ok(CancelFlightInfoResult::new(status).encode_to_vec())
    }

    /// The same for the older action, whose body has the answer in bytes.
    pub(in crate::flight) fn cancel_query(&self, info: &[u8]) -> Result<bool> {
        let info = FlightInfo::decode(info).map_err(not_understood)?;
        Ok(self.cancel_answer(&info))
    }

    /// Nobody gets what these tickets are for; false where there is nothing to cancel.
    fn cancel_answer(&self, info: &FlightInfo) -> bool {
        let tickets = info.endpoint.iter().filter_map(|one| one.ticket.as_ref());
        let ids = tickets.filter_map(|ticket| {
            let any = Any::decode(ticket.ticket.as_ref()).ok()?;
            match Command::try_from(any).ok()? {
                Command::TicketStatementQuery(TicketStatementQuery { statement_handle }) => {
                    number(&statement_handle, "ticket").ok()
                }
                _ => None,
            }
        });
        // Both are asked: a ticket may come to be read at this moment.
        ids.map(|id| self.tickets.take(id).is_some() | self.readings.cancel(id))
            .fold(false, |one, other| one | other)
    }
}

fn not_understood(error: prost::DecodeError) -> Error {
    Error::invalid(format!("what is to be cancelled isn't understood: {error}"))
}
