//! `SELECT ... INTO` and `CREATE DESTINATION`, from query to replay.

use async_trait::async_trait;
use eddy_query::{CreateDestination, Error, ErrorKind, IntoAnswer, IntoHandler, IntoRequest};
use eddy_replay::{Definition, Jobs, Request};

/// The replays of this process, as query's statements see them.
pub(crate) struct Replays(pub(crate) Jobs);

#[async_trait]
impl IntoHandler for Replays {
    fn option_names(&self) -> &'static [&'static str] {
        eddy_replay::OPTION_NAMES
    }

    async fn start(&self, request: IntoRequest) -> Result<IntoAnswer, Error> {
        let request = Request {
            select: request.select,
            destination: request.destination,
            options: request.options,
            text: request.text,
        };
        let started = self.0.start(&request).await.map_err(refused)?;
        Ok(IntoAnswer {
            replay_id: started.job.id,
            state: started.job.state.as_str().to_owned(),
            records: Some(started.job.plan.records),
            bytes: started.job.plan.bytes,
        })
    }

    async fn create_destination(&self, request: CreateDestination) -> Result<(), Error> {
        let definition = Definition {
            name: request.name,
            kind: request.kind,
            options: request.options,
        };
        match self.0.destinations().create(definition).await {
            Ok(_) => Ok(()),
            Err(error)
                if request.if_not_exists && error.kind() == eddy_replay::ErrorKind::Conflict =>
            {
                Ok(())
            }
            Err(error) => Err(refused(error)),
        }
    }

    async fn drop_destination(&self, name: &str, if_exists: bool) -> Result<(), Error> {
        match self.0.delete_destination(name).await {
            Err(error) if if_exists && error.kind() == eddy_replay::ErrorKind::NotFound => Ok(()),
            other => other.map_err(refused),
        }
    }
}

/// A replay's error as the statement's answer.
fn refused(error: eddy_replay::Error) -> Error {
    let kind = match error.kind() {
        eddy_replay::ErrorKind::NotFound => ErrorKind::NotFound,
        eddy_replay::ErrorKind::Unavailable => ErrorKind::Unavailable,
        eddy_replay::ErrorKind::Internal => ErrorKind::Internal,
        _ => ErrorKind::Invalid,
    };
    let told = Error::new(kind, error.to_string());
    match error.hint() {
        Some(hint) => told.with_hint(hint),
        None => told,
    }
}
