//! Where a table's files and filters are read from.

use std::sync::Arc;

use datafusion::execution::object_store::ObjectStoreUrl;
use eddy_engine::filter::Filters;
use eddy_engine::seal::Keys;

use super::known::LeafCache;
use crate::cache::Readers;
use crate::columns::Columns;

/// Where a table's files and filters are read from.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    /// The name under which the store is registered.
    pub(crate) store: ObjectStoreUrl,
    /// With what encrypted files are opened.
    pub(crate) keys: Keys,
    /// What filters say.
    pub(crate) filters: Arc<Filters>,
    /// What was read of files' statistics.
    pub(crate) leaves: Arc<LeafCache>,
    /// Whether it is the process's own lake, which its peers have too.
    pub(crate) is_own: bool,
    /// What is kept of its files; `None` where nothing is.
    pub(crate) kept: Option<Readers>,
    /// The columns that are kept of all files; `None` where none are.
    pub(crate) columns: Option<Arc<Columns>>,
}
