//! `eddy tail`: new records of a table as they come, one JSON object a line.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use eddy_engine::Clock;
use serde_json::Value;

use crate::cli::TailArgs;
use crate::client::Client;
use crate::output;

/// How long to wait before a connection that broke off is made again, and how often in a row.
const RETRY: Duration = Duration::from_secs(1);
const RETRIES_MAX: u32 = 30;

/// Prints records until Ctrl-C. A connection that breaks off is made again and goes on behind the
/// last record.
pub(crate) async fn run(args: TailArgs) -> Result<ExitCode> {
    let client = Client::new(&args.server)?;
    let mut path = url::Url::parse("http://server/api/v1/tables")?;
    path.path_segments_mut()
        .map_err(|()| anyhow::anyhow!("no path"))?
        .extend([args.table.as_str(), "tail"]);
    if let Some(condition) = &args.condition {
        path.query_pairs_mut().append_pair("where", condition);
    }
    let path = path.as_str().trim_start_matches("http://server").to_owned();
    let mut tail = Tail {
        client,
        path,
        last_id: None,
        retries: 0,
    };
    tokio::select! {
        ended = tail.follow() => ended?,
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    Ok(ExitCode::SUCCESS)
}

struct Tail {
    client: Client,
    /// What is followed.
    path: String,
    /// Where we are.
    last_id: Option<String>,
    /// Connections that broke off since the last event.
    retries: u32,
}

impl Tail {
    async fn follow(&mut self) -> Result<()> {
        loop {
            match self.connection().await {
                // What the server refuses now it refuses again, and so does whoever reads us.
                Err(error) if self.last_id.is_none() || output::is_closed(&error) => {
                    return Err(error);
                }
                Err(error) if self.retries >= RETRIES_MAX => return Err(error),
                broken => {
                    self.retries += 1;
                    let why = broken
                        .err()
                        .map_or_else(String::new, |why| format!(": {why:#}"));
                    eprintln!("the connection broke off{why}; it is made again");
                    Clock::system().sleep(RETRY).await;
                }
            }
        }
    }

    /// Prints what one connection tells.
    async fn connection(&mut self) -> Result<()> {
        let headers = self.last_id.iter().map(|id| ("last-event-id", id.as_str()));
        let mut response = self.client.get(&self.path, headers).await?;
        let mut events = Events::default();
        while let Some(bytes) = response.chunk().await.context("the connection broke off")? {
            for event in events.read(&bytes) {
                self.tell(event)?;
            }
        }
        Ok(())
    }

    fn tell(&mut self, event: Event) -> Result<()> {
        self.retries = 0;
        if let Some(id) = event.id {
            self.last_id = Some(id);
        }
        match (event.kind.as_str(), event.data) {
            (_, None) => {}
            ("dropped", Some(data)) => {
                let told: Value = serde_json::from_str(&data)?;
                let records = told.get("records").unwrap_or(&Value::Null);
                eprintln!(
                    "{records} records were passed over: they came faster than they are read"
                );
            }
            ("error", Some(data)) => {
                let told: Value = serde_json::from_str(&data)?;
                let message = told.get("message").and_then(Value::as_str);
                bail!("{}", message.unwrap_or(&data));
            }
            (_, Some(data)) => output::line(data)?,
        }
        Ok(())
    }
}

/// A server-sent event.
#[derive(Debug, Default, PartialEq, Eq)]
struct Event {
    id: Option<String>,
    kind: String,
    data: Option<String>,
}

/// Events out of bytes as they come.
#[derive(Debug, Default)]
struct Events {
    /// Bytes of a line that isn't whole yet.
    rest: Vec<u8>,
    event: Event,
}

impl Events {
    fn read(&mut self, bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        for byte in bytes {
            if *byte != b'\n' {
                self.rest.push(*byte);
                continue;
            }
            let line = String::from_utf8_lossy(&self.rest).into_owned();
            self.rest.clear();
            if line.is_empty() {
                events.push(std::mem::take(&mut self.event));
                continue;
            }
            match line.split_once(": ") {
                Some(("id", value)) => self.event.id = Some(value.to_owned()),
                Some(("event", value)) => self.event.kind = value.to_owned(),
                Some(("data", value)) => self.event.data = Some(value.to_owned()),
                // A comment.
                _ => {}
            }
        }
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_however_their_bytes_are_cut() {
        let text = "id: 1\n\n:\n\nevent: dropped\nid: 2\ndata: {\"records\": 5}\n\nid: 3\n\
                    data: {\"a\": \"é: x\"}\n\n";
        let whole = Events::default().read(text.as_bytes());
        let mut events = Events::default();
        let cut: Vec<Event> = text
            .as_bytes()
            .iter()
            .flat_map(|byte| events.read(&[*byte]))
            .collect();
        assert_eq!(cut, whole);
        let data: Vec<Option<&str>> = whole.iter().map(|event| event.data.as_deref()).collect();
        let records = Some("{\"records\": 5}");
        assert_eq!(data, [None, None, records, Some("{\"a\": \"é: x\"}")]);
        let ids: Vec<Option<&str>> = whole.iter().map(|event| event.id.as_deref()).collect();
        assert_eq!(ids, [Some("1"), None, Some("2"), Some("3")]);
    }
}
