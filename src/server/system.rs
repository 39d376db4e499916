//! The system tables that query can't know: replays and what they tell of records, destinations,
//! connectors, collections.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use eddy_connector::{Collector, Connectors};
use eddy_query::{Error, Query, SystemTable};
use eddy_replay::{Jobs, report};

/// Registers `system.replays`, `system.replay_failures`, `system.replay_offsets`,
/// `system.destinations` and `system.destination_checks`.
pub(crate) fn register_replays(query: &Query, jobs: &Jobs) {
    query.add_system_table(Arc::new(Replays(jobs.clone())));
    query.add_system_table(Arc::new(ReplayFailures(jobs.clone())));
    query.add_system_table(Arc::new(ReplayOffsets(jobs.clone())));
    query.add_system_table(Arc::new(Destinations(jobs.clone())));
    query.add_system_table(Arc::new(DestinationChecks(jobs.clone())));
}

/// Registers `system.connectors`.
pub(crate) fn register_connectors(query: &Query, connectors: &Arc<Connectors>) {
    query.add_system_table(Arc::new(ConnectorRows(Arc::clone(connectors))));
}

/// Registers `system.collections`.
pub(crate) fn register_collections(query: &Query, collector: &Collector) {
    query.add_system_table(Arc::new(Collections(collector.clone())));
}

struct Replays(Jobs);

#[async_trait]
impl SystemTable for Replays {
    fn name(&self) -> &str {
        "replays"
    }

    fn schema(&self) -> SchemaRef {
        report::replays_schema()
    }

    async fn batches(&self) -> Result<Vec<RecordBatch>, Error> {
        let jobs = self
            .0
            .list()
            .await
            .map_err(|error| Error::internal(error.to_string()))?;
        let batch =
            report::replays_batch(&jobs).map_err(|error| Error::internal(error.to_string()))?;
        Ok(vec![batch])
    }
}

struct ReplayFailures(Jobs);

#[async_trait]
impl SystemTable for ReplayFailures {
    fn name(&self) -> &str {
        "replay_failures"
    }

    fn schema(&self) -> SchemaRef {
        report::failures_schema()
    }

    async fn batches(&self) -> Result<Vec<RecordBatch>, Error> {
        let told = |error: eddy_replay::Error| Error::internal(error.to_string());
        let mut batches = Vec::new();
        for id in self.0.ids().await.map_err(told)? {
            let failures = self.0.failures(&id).await.map_err(told)?;
            batches.push(report::failures_batch(&id, &failures).map_err(told)?);
        }
        Ok(batches)
    }
}

struct ReplayOffsets(Jobs);

#[async_trait]
impl SystemTable for ReplayOffsets {
    fn name(&self) -> &str {
        "replay_offsets"
    }

    fn schema(&self) -> SchemaRef {
        report::offsets_schema()
    }

    async fn batches(&self) -> Result<Vec<RecordBatch>, Error> {
        let told = |error: eddy_replay::Error| Error::internal(error.to_string());
        let mut batches = Vec::new();
        for id in self.0.ids().await.map_err(told)? {
            let runs = self.0.landed(&id).await.map_err(told)?;
            batches.push(report::offsets_batch(&id, &runs).map_err(told)?);
        }
        Ok(batches)
    }
}

struct Destinations(Jobs);

#[async_trait]
impl SystemTable for Destinations {
    fn name(&self) -> &str {
        "destinations"
    }

    fn schema(&self) -> SchemaRef {
        report::destinations_schema()
    }

    async fn batches(&self) -> Result<Vec<RecordBatch>, Error> {
        let listed = self
            .0
            .destinations()
            .list()
            .await
            .map_err(|error| Error::internal(error.to_string()))?;
        let batch = report::destinations_batch(&listed)
            .map_err(|error| Error::internal(error.to_string()))?;
        Ok(vec![batch])
    }
}

/// What this process was answered.
struct DestinationChecks(Jobs);

#[async_trait]
impl SystemTable for DestinationChecks {
    fn name(&self) -> &str {
        "destination_checks"
    }

    fn schema(&self) -> SchemaRef {
        report::checks_schema()
    }

    async fn batches(&self) -> Result<Vec<RecordBatch>, Error> {
        let told = |error: eddy_replay::Error| Error::internal(error.to_string());
        let destinations = self.0.destinations();
        let mut batches = Vec::new();
        for listed in destinations.list().await.map_err(told)? {
            let name = listed.definition.name;
            let checks = destinations.checks(&name);
            batches.push(report::checks_batch(&name, &checks).map_err(told)?);
        }
        Ok(batches)
    }
}

struct ConnectorRows(Arc<Connectors>);

#[async_trait]
impl SystemTable for ConnectorRows {
    fn name(&self) -> &str {
        "connectors"
    }

    fn schema(&self) -> SchemaRef {
        self.0
            .connectors_table()
            .map_or_else(|_| Arc::new(Schema::empty()), |rows| rows.schema())
    }

    async fn batches(&self) -> Result<Vec<RecordBatch>, Error> {
        let batch = self
            .0
            .connectors_table()
            .map_err(|error| Error::internal(error.to_string()))?;
        Ok(vec![batch])
    }
}

struct Collections(Collector);

#[async_trait]
impl SystemTable for Collections {
    fn name(&self) -> &str {
        "collections"
    }

    fn schema(&self) -> SchemaRef {
        Collector::table_schema()
    }

    async fn batches(&self) -> Result<Vec<RecordBatch>, Error> {
        let batch = self
            .0
            .table()
            .await
            .map_err(|error| Error::internal(error.to_string()))?;
        Ok(vec![batch])
    }
}
