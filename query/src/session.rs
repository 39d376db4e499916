//! DataFusion, configured once: what it may use, what it must leave alone.

use std::sync::Arc;

use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList,
    MemorySchemaProvider, SchemaProvider, TableProvider,
};
use datafusion::execution::context::SessionContext;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::prelude::SessionConfig;
use object_store::ObjectStore;

use crate::error::Result;
use crate::functions::{byte_length, utf8_text};
use crate::header;
use crate::logical;
use crate::query::QueryOptions;
use crate::search;

const CATALOG: &str = "eddy";
const PUBLIC: &str = "public";
const SYSTEM: &str = "system";

/// What every query starts from.
pub(crate) struct Sessions {
    base: SessionState,
}

impl Sessions {
    /// Sessions that share one memory pool.
    pub(crate) fn new(options: &QueryOptions) -> Result<Self> {
        let runtime = runtime(options)?;
        let base = SessionStateBuilder::new()
            .with_config(config(options))
            .with_runtime_env(runtime)
            .with_default_features()
            .build();
        let context = SessionContext::new_with_state(base);
        context.register_udf(utf8_text().as_ref().clone());
        context.register_udf(byte_length().as_ref().clone());
        for function in logical::functions() {
            context.register_udf(function);
        }
        context.register_udf(search::function().as_ref().clone());
        context.register_udf(search::found_function().as_ref().clone());
        context.register_udf(header::function().as_ref().clone());
        Ok(Self {
            base: context.state(),
        })
    }

    /// What every session has: the functions.
    pub(crate) fn base(&self) -> &SessionState {
        &self.base
    }

    /// How scans name the store of a lake.
    pub(crate) fn store(
        &self,
        number: usize,
        store: Arc<dyn ObjectStore>,
    ) -> Result<ObjectStoreUrl> {
        let url = ObjectStoreUrl::parse(format!("eddy://lake{number}"))?;
        let runtime = self.base.runtime_env();
        if runtime.object_store(&url).is_err() {
            runtime.register_object_store(url.as_ref(), store);
        }
        Ok(url)
    }

    /// A session that knows exactly these tables.
    pub(crate) fn session(
        &self,
        tables: Vec<(String, Arc<dyn TableProvider>)>,
        system: Vec<(String, Arc<dyn TableProvider>)>,
    ) -> Result<SessionState> {
        let catalog = MemoryCatalogProvider::new();
        for (schema, members) in [(PUBLIC, tables), (SYSTEM, system)] {
            let provider = MemorySchemaProvider::new();
            for (name, table) in members {
                provider.register_table(name, table)?;
            }
            catalog.register_schema(schema, Arc::new(provider))?;
        }
        let list = MemoryCatalogProviderList::new();
        list.register_catalog(CATALOG.to_owned(), Arc::new(catalog));
        let mut session = SessionStateBuilder::new_from_existing(self.base.clone())
            .with_catalog_list(Arc::new(list))
            .build();
        // Else `now()` would be the moment at which the base was made: the server's start.
        session.mark_start_execution();
        Ok(session)
    }
}

fn config(options: &QueryOptions) -> SessionConfig {
    let mut config = SessionConfig::new()
        .with_target_partitions(options.threads.max(1))
        .with_create_default_catalog_and_schema(false)
        .with_default_catalog_and_schema(CATALOG, PUBLIC)
        .with_information_schema(false)
        .with_collect_statistics(false);
    let settings = config.options_mut();
    // Names are resolved before planning; lower-casing would lose `userId`.
    settings.sql_parser.enable_ident_normalization = false;
    settings.sql_parser.map_string_types_to_utf8view = false;
    settings.sql_parser.collect_spans = true;
    settings.execution.time_zone = Some("+00:00".to_owned());
    settings.execution.parquet.schema_force_view_types = false;
    // Late materialisation: finding a few records and returning them whole is the common query.
    settings.execution.parquet.pushdown_filters = true;
    settings.execution.parquet.reorder_filters = true;
    config
}

fn runtime(options: &QueryOptions) -> Result<Arc<RuntimeEnv>> {
    const TOP: std::num::NonZeroUsize = std::num::NonZeroUsize::MIN.saturating_add(4);
    let pool = TrackConsumersPool::new(FairSpillPool::new(options.memory_bytes), TOP);
    let mode = match &options.spill_dir {
        Some(folder) => DiskManagerMode::Directories(vec![folder.clone()]),
        None => DiskManagerMode::OsTmpDirectory,
    };
    let disk = DiskManagerBuilder::default()
        .with_mode(mode)
        .with_max_temp_directory_size(options.spill_bytes);
    Ok(RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(pool))
        .with_disk_manager_builder(disk)
        .build_arc()?)
}
