//! DataFusion, configured once: what it may use, what it must leave alone.

use std::sync::Arc;

use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList,
    MemorySchemaProvider, SchemaProvider, TableProvider,
};
use datafusion::execution::context::SessionContext;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::prelude::SessionConfig;
use object_store::ObjectStore;

use crate::bounded;
use crate::error::Result;
use crate::functions::{byte_length, utf8_text};
use crate::header;
use crate::json;
use crate::logical;
use crate::query::QueryOptions;
use crate::run::{AllMemory, CountsByValue, Halt, QueryMemory, Yielding};
use crate::search;
use crate::system;

const CATALOG: &str = "eddy";
/// The schema of the topics' tables.
pub(crate) const PUBLIC: &str = "public";
/// The schema of the system tables.
pub(crate) const SYSTEM: &str = "system";

/// What every query starts from. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Sessions {
    base: SessionState,
    memory: Arc<AllMemory>,
    share_bytes: usize,
    batch_bytes_max: usize,
}

impl Sessions {
    /// Sessions that share one memory, and one folder to spill to.
    pub(crate) fn new(options: &QueryOptions) -> Result<Self> {
        let runtime = runtime(options)?;
        let base = SessionStateBuilder::new()
            .with_config(config(options))
            .with_runtime_env(runtime)
            .with_default_features()
            .build();
        let rules = CountsByValue::among(base.optimizers());
        let base = SessionStateBuilder::new_from_existing(base)
            .with_optimizer_rules(rules)
            .build();
        let bounded = bounded::functions(&base);
        let context = SessionContext::new_with_state(base);
        for function in bounded {
            context.register_udf(function);
        }
        context.register_udf(utf8_text().as_ref().clone());
        context.register_udf(byte_length().as_ref().clone());
        for function in logical::functions() {
            context.register_udf(function);
        }
        context.register_udf(search::function().as_ref().clone());
        context.register_udf(search::found_function().as_ref().clone());
        context.register_udf(header::function().as_ref().clone());
        for function in json::functions() {
            context.register_udf(function.as_ref().clone());
        }
        for function in system::postgres::functions::all() {
            context.register_udf(function);
        }
        Ok(Self {
            base: context.state(),
            memory: AllMemory::new(options.memory_bytes),
            share_bytes: options.memory_bytes_per_query.min(options.memory_bytes),
            batch_bytes_max: options.batch_bytes_max.min(options.memory_bytes),
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

    /// What a part of a query is done in, which may be another node's: the same memory as that of
    /// queries, and a share of it.
    pub(crate) fn runtime_of_a_part(&self) -> Result<Arc<RuntimeEnv>> {
        self.runtime_with(&Arc::new(QueryMemory::new(self.share_bytes, &self.memory)))
    }

    fn runtime_with(&self, memory: &Arc<QueryMemory>) -> Result<Arc<RuntimeEnv>> {
        Ok(RuntimeEnvBuilder::from_runtime_env(self.base.runtime_env())
            .with_memory_pool(Arc::clone(memory) as _)
            .build_arc()?)
    }

    /// A session that knows exactly these tables, and its share of memory. Its plans end early if
    /// `halt` says so.
    pub(crate) fn session(
        &self,
        tables: Vec<(String, Arc<dyn TableProvider>)>,
        system: Vec<(String, Arc<dyn TableProvider>)>,
        halt: Option<&Arc<Halt>>,
    ) -> Result<(SessionState, Arc<QueryMemory>)> {
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
        let memory = Arc::new(QueryMemory::new(self.share_bytes, &self.memory));
        let runtime = self.runtime_with(&memory)?;
        let mut builder = SessionStateBuilder::new_from_existing(self.base.clone())
            .with_catalog_list(Arc::new(list))
            .with_runtime_env(runtime);
        if let Some(halt) = halt {
            let rules = self.base.physical_optimizers();
            let rules = Yielding::among(rules, halt, self.batch_bytes_max);
            builder = builder.with_physical_optimizer_rules(rules);
        }
        let mut session = builder.build();
        // Else `now()` would be the moment at which the base was made: the server's start.
        session.mark_start_execution();
        Ok((session, memory))
    }
}

/// What each sort keeps for merging what it spilled, where memory allows.
const MERGE_BYTES: usize = 10 << 20;

fn config(options: &QueryOptions) -> SessionConfig {
    let threads = options.threads.max(1);
    // All threads sort at once, and need most of their share for rows.
    let merge_bytes = options.memory_bytes_per_query / (4 * threads);
    let mut config = SessionConfig::new()
        .with_target_partitions(threads)
        .with_sort_spill_reservation_bytes(merge_bytes.min(MERGE_BYTES))
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
    // Each scan chooses for itself; `true` would be for all.
    settings.execution.parquet.pushdown_filters = false;
    settings.execution.parquet.reorder_filters = true;
    // Where most rows begin a group of their own, a first round of grouping is mostly in vain.
    settings
        .execution
        .skip_partial_aggregation_probe_ratio_threshold = 0.5;
    config
}

fn runtime(options: &QueryOptions) -> Result<Arc<RuntimeEnv>> {
    let mode = match &options.spill_dir {
        Some(folder) => DiskManagerMode::Directories(vec![folder.clone()]),
        None => DiskManagerMode::OsTmpDirectory,
    };
    let disk = DiskManagerBuilder::default()
        .with_mode(mode)
        .with_max_temp_directory_size(options.spill_bytes);
    Ok(RuntimeEnvBuilder::new()
        .with_disk_manager_builder(disk)
        .build_arc()?)
}
