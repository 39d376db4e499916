//! The sample events of `eddy dev`: real ones, with the trouble that real ones have in them.

use std::io::Cursor;
use std::sync::Arc;

use anyhow::{Context, Result};
use eddy_connector::{EmbeddedBroker, LoadOptions, load};
use eddy_engine::read::Snapshot;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::server::Service;

/// Topic and events, one `{"kind", "event"}` a line.
const SAMPLES: [(&str, &str); 3] = [
    (
        "slack_events",
        include_str!("../../../tests/fixtures/slack-events.ndjson"),
    ),
    (
        "stripe_objects",
        include_str!("../../../tests/fixtures/stripe-objects.ndjson"),
    ),
    (
        "saas_audit_logs",
        include_str!("../../../tests/fixtures/saas-audit-logs.ndjson"),
    ),
];

/// The topics that the samples go to.
pub(crate) fn topics() -> impl Iterator<Item = &'static str> {
    SAMPLES.iter().map(|(topic, _)| *topic)
}

#[derive(Deserialize)]
struct Sample<'a> {
    #[serde(borrow)]
    event: &'a RawValue,
}

/// Loads each sample whose table the lake doesn't have yet, no faster than the sink takes it.
///
/// # Errors
/// When the broker refuses them.
pub(crate) async fn load_missing(service: &Service, broker: &EmbeddedBroker) -> Result<()> {
    let Some(connectors) = service.connectors() else {
        return Ok(());
    };
    for (topic, lines) in SAMPLES {
        let lake = service.lake().clone();
        let table = lake.table("topics", topic);
        let known =
            tokio::task::spawn_blocking(move || Snapshot::load(&lake, &table, None)).await??;
        if known.is_some() {
            continue;
        }
        let mut options = LoadOptions::new(topic);
        let connectors = Arc::clone(connectors);
        options.accounted = Some(Arc::new(move || connectors.committed(topic)));
        let events = events(lines).with_context(|| format!("the samples of `{topic}`"))?;
        load(
            &broker.config(),
            Cursor::new(events),
            &options,
            service.lake().clock(),
        )
        .await
        .with_context(|| format!("loading the samples into `{topic}`"))?;
    }
    Ok(())
}

fn events(lines: &str) -> Result<Vec<u8>> {
    let mut events = Vec::with_capacity(lines.len());
    for line in lines.lines() {
        let sample: Sample<'_> = serde_json::from_str(line)?;
        events.extend_from_slice(sample.event.get().as_bytes());
        events.push(b'\n');
    }
    Ok(events)
}
