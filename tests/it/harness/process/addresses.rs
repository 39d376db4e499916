//! Where a process is reached.

use super::Eddy;
use crate::harness::http::Http;

impl Eddy {
    /// Its HTTP interface.
    pub fn http(&self) -> Http {
        Http::new(&self.url())
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Where the Postgres wire is, as its clients take it.
    pub fn postgres_url(&self) -> String {
        let port = self.postgres.expect("started with `postgres`");
        format!("postgresql://eddy@127.0.0.1:{port}/lake")
    }

    /// Where Arrow Flight is, as its clients take it.
    pub fn flight_uri(&self) -> String {
        let port = self.flight.expect("started with `flight`");
        format!("grpc+tcp://127.0.0.1:{port}")
    }

    /// Where Connect's REST API is.
    pub fn connect_url(&self) -> String {
        let (port, _) = self.connect.as_ref().expect("started with `connect`");
        format!("http://127.0.0.1:{port}")
    }
}
