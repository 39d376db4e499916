//! The listener of the Postgres wire, whose statements the query crate answers.

use anyhow::Result;
use eddy_query::Query;
use eddy_query::http::Token;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::http::Listener;
use crate::cli::Role;
use crate::config::Config;

/// Binds the configured address, or nothing where it is empty or this process answers no queries.
///
/// # Errors
/// As [`Listener::bind`].
pub(super) async fn bind(
    config: &Config,
    roles: &[Role],
    has_token: bool,
) -> Result<Option<Listener>> {
    let settings = &config.settings.postgres;
    if settings.listen.is_empty() || !roles.contains(&Role::Query) {
        return Ok(None);
    }
    let open = has_token || settings.allow_remote_without_token;
    let bound = Listener::bind_to("postgres.listen", &settings.listen, open);
    bound.await.map(Some)
}

/// Serves it until `stopped`.
pub(super) fn serve(
    query: &Query,
    listener: Listener,
    token: Option<Token>,
    stopped: &watch::Receiver<bool>,
) -> JoinHandle<()> {
    tracing::info!(address = %listener.address(), "the Postgres wire is served");
    let (query, stopped) = (query.clone(), stopped.clone());
    tokio::spawn(async move {
        let socket = listener.into_socket();
        query.serve_postgres(socket, token, stopped).await;
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use std::path::PathBuf;

    use super::*;

    #[tokio::test]
    async fn a_listener_for_other_machines_needs_a_password_or_its_setting() {
        let bound = async |listen: &str, open: bool, has_token| {
            let mut config = Config::new("file:///lake".to_owned(), PathBuf::from("."));
            config.settings.postgres.listen = listen.to_owned();
            config.settings.postgres.allow_remote_without_token = open;
            bind(&config, &[Role::Query], has_token).await
        };
        let Err(error) = bound("0.0.0.0:0", false, false).await else {
            panic!("bound");
        };
        let said = error.to_string();
        assert!(said.contains("http.token"), "{said}");
        assert!(
            said.contains("postgres.allow_remote_without_token"),
            "{said}"
        );
        assert!(bound("0.0.0.0:0", true, false).await.unwrap().is_some());
        assert!(bound("0.0.0.0:0", false, true).await.unwrap().is_some());
        assert!(bound("127.0.0.1:0", false, false).await.unwrap().is_some());
        assert!(bound("", false, false).await.unwrap().is_none());
    }
}
