//! What `eddy dev` prints once it is up: things to try, each ready to be pasted.

use std::io;
use std::path::Path;

use super::{EVENTS, TOKEN};
use crate::cli::DevArgs;
use crate::output;
use crate::server::Service;

/// Prints the list.
///
/// # Errors
/// When standard output takes no more.
pub(crate) fn print(
    service: &Service,
    data: &Path,
    config: &Path,
    args: &DevArgs,
) -> io::Result<()> {
    let eddy = std::env::current_exe()
        .map_or_else(|_| "eddy".to_owned(), |path| path.display().to_string());
    let url = service.url().unwrap_or_default();
    let lake = data.join("lake").join("topics");
    let lake = lake.display();
    let config = config.display();
    let psql = match args.postgres_listen.rsplit_once(':') {
        Some((host, port)) => {
            format!("; or `psql -h {host} -p {port}`, or what else speaks to Postgres")
        }
        None => String::new(),
    };
    let with_url = if url == "http://127.0.0.1:8480" {
        String::new()
    } else {
        format!(" --url {url}")
    };
    let sending = sending(&args.collector_listen, &eddy, &with_url);
    output::line(format_args!(
        r#"
Eddy is up: {url}
The broker is an embedded one, for trying things: it is new at each start and keeps 5 MiB per partition.

The tables, one per topic:
  {eddy} sql{with_url} "SELECT * FROM system.tables"
A question about real audit logs of 91 kinds, recorded as they came:
  {eddy} sql{with_url} "SELECT eventName, count(*) AS events FROM saas_audit_logs WHERE eventName IS NOT NULL GROUP BY eventName ORDER BY events DESC LIMIT 5"
A prompt, for more of them{psql}:
  {eddy} sql{with_url}
The original record, byte for byte:
  {eddy} sql{with_url} "SELECT _partition, _offset, _key_text, _value_text FROM slack_events LIMIT 1" --format ndjson
Send something of your own, and see it a moment later:
  echo '{{"order": 42, "status": "failed"}}' | {eddy} load - --topic orders --config {config}
  {eddy} sql{with_url} "SELECT * FROM orders"
{sending}Play a result back into Kafka, here into the topic `sandbox`, and look at it:
  {eddy} replay start --yes{with_url} "SELECT * INTO sandbox FROM slack_events WHERE type = 'event_callback'"
  {eddy} sql{with_url} "SELECT count(*) FROM sandbox"
Is every offset accounted exactly once?
  {eddy} verify slack_events --config {config}

The files are plain Parquet in Delta tables, under {lake}
  duckdb -c "INSTALL delta; LOAD delta; SELECT count(*) FROM delta_scan('{lake}/slack_events')"
  duckdb -c "SELECT count(*) FROM read_parquet('{lake}/slack_events/*/*.parquet', union_by_name = true)"

Ctrl-C commits and ends.
"#
    ))
}

/// How to send an event to the collection `dev`, and how to make another one; nothing where no
/// events are taken over HTTP.
fn sending(listen: &str, eddy: &str, with_url: &str) -> String {
    if listen.is_empty() {
        return String::new();
    }
    format!(
        r#"The same over HTTP, to the collection `dev`:
  curl -H 'Batch-Token: {TOKEN}' -d '{{"page": "/pricing", "visits": 12}}' http://{listen}/v1/collection
  {eddy} sql{with_url} "SELECT * FROM {EVENTS}"
A collection of your own; its token is printed this once:
  {eddy} collection create clicks --topic clicks{with_url}
"#
    )
}
