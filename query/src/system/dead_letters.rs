//! `system.dead_letters`: the rows with `_error` of every table (P18).

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result as PlanResult;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::union::UnionExec;
use eddy_engine::schema::{ENVELOPE, KEY_FIELDS};

use crate::catalog::Taken;
use crate::error::Result;
use crate::query::Inner;
use crate::table::{DT, Rows, TopicTable, View};

/// The name after `system.`.
pub(super) const NAME: &str = "dead_letters";

/// The dead letters of all tables.
pub(super) async fn table(inner: &Arc<Inner>, taken: &mut Taken) -> Result<Arc<dyn TableProvider>> {
    let mut parts = Vec::new();
    for name in inner.catalog.list(false).await?.iter() {
        let view = taken.newest(&inner.catalog, name).await?;
        let origin = inner.origin(name)?;
        let view = View {
            schema: envelope(&view.schema),
            ..view
        };
        parts.push(TopicTable::new(view, Rows::Dead, origin));
    }
    let schema = parts
        .first()
        .map_or_else(|| envelope(&Schema::empty()), TableProvider::schema);
    Ok(Arc::new(DeadLetters { parts, schema }))
}

/// The columns that every table has: those of a decoded key are different ones in each.
fn envelope(schema: &Schema) -> SchemaRef {
    let mut fields: Vec<Field> = ENVELOPE
        .iter()
        .filter(|name| **name != KEY_FIELDS)
        .filter_map(|name| schema.field_with_name(name).ok().cloned())
        .collect();
    if fields.is_empty() {
        fields.push(Field::new(DT, DataType::Utf8, true));
    }
    Arc::new(Schema::new(fields))
}

#[derive(Debug)]
struct DeadLetters {
    parts: Vec<TopicTable>,
    schema: SchemaRef,
}

#[async_trait]
impl TableProvider for DeadLetters {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> PlanResult<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let mut plans = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            plans.push(part.scan(state, projection, filters, limit).await?);
        }
        match plans.len() {
            0 => {
                let schema = match projection {
                    Some(indices) => Arc::new(self.schema.project(indices)?),
                    None => Arc::clone(&self.schema),
                };
                Ok(Arc::new(EmptyExec::new(schema)))
            }
            1 => Ok(plans.swap_remove(0)),
            _ => UnionExec::try_new(plans),
        }
    }
}
