//! A condition of SQL asked of rows as the engine reads them: what an erasure is made of.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::array::{ListArray, StructArray, new_null_array};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use datafusion::catalog::Session;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::utils::conjunction;
use datafusion::physical_expr::PhysicalExpr;
use eddy_engine::commit::DataFile;

use super::columns::{Source, SqlColumns, plain_type};
use super::filters::{for_files, named};
use super::leaves;
use super::made::made_of;
use super::prune::Pruning;
use super::view::View;
use crate::error::Error;

/// A condition over the columns of one table.
pub(crate) struct Condition {
    condition: Arc<dyn PhysicalExpr>,
    /// The columns in SQL that it names, and how they are made of the stored ones.
    columns: Vec<Arc<dyn PhysicalExpr>>,
    sql: SchemaRef,
    stored: SchemaRef,
    pruning: Option<Pruning>,
}

impl Condition {
    /// `condition`, which names columns of `view` as SQL has them.
    pub(crate) fn new(state: &dyn Session, view: &View, condition: &Expr) -> Result<Self> {
        let columns = view.sql_columns();
        let condition = unqualified(condition.clone())?;
        let mut fields: Vec<Field> = Vec::new();
        let mut sources: Vec<&Source> = Vec::new();
        for named in condition.column_refs() {
            let column = columns
                .get(&named.name)
                .ok_or_else(|| Error::internal(format!("there is no column `{}`", named.name)))?;
            fields.push(Field::new(
                &column.name,
                plain_type(&column.data_type),
                true,
            ));
            sources.push(&column.source);
        }
        let sql = Arc::new(Schema::new(fields));
        let stored = stored(view, &sources);
        let made = sources
            .into_iter()
            .map(|source| made_of(state, source, &stored));
        let schema = DFSchema::try_from(Arc::clone(&sql))?;
        Ok(Self {
            columns: made.collect::<Result<_>>()?,
            pruning: pruning(state, view, &columns, &condition)?,
            condition: state.create_physical_expr(condition, &schema)?,
            sql,
            stored,
        })
    }

    /// The stored columns that it looks at.
    pub(crate) fn stored_columns(&self) -> Vec<String> {
        let fields = self.stored.fields().iter();
        fields.map(|field| field.name().clone()).collect()
    }

    /// Whether a file may hold such rows.
    pub(crate) fn may_hold(&self, file: &DataFile) -> bool {
        let keeps = self
            .pruning
            .as_ref()
            .and_then(|pruning| pruning.keeps(file));
        keeps.unwrap_or(true)
    }

    /// Which rows of a batch of stored columns it holds for; null where that isn't known.
    pub(crate) fn matches(&self, batch: &RecordBatch) -> Result<BooleanArray> {
        let rows = batch.num_rows();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let mut stored = Vec::with_capacity(self.stored.fields().len());
        for field in self.stored.fields() {
            stored.push(match batch.column_by_name(field.name()) {
                Some(column) => planned(column, field.data_type())?,
                None => new_null_array(field.data_type(), rows),
            });
        }
        let stored = RecordBatch::try_new_with_options(Arc::clone(&self.stored), stored, &options)?;
        let made = self
            .columns
            .iter()
            .map(|column| column.evaluate(&stored)?.into_array(rows));
        let made = made.collect::<Result<_>>()?;
        let sql = RecordBatch::try_new_with_options(Arc::clone(&self.sql), made, &options)?;
        let matching = self.condition.evaluate(&sql)?.into_array(rows)?;
        match matching.as_boolean_opt() {
            Some(matching) => Ok(matching.clone()),
            None => Err(Error::invalid("the condition of a `DELETE` must be true or false").into()),
        }
    }
}

/// Columns without the name of their table: there is only one.
fn unqualified(condition: Expr) -> Result<Expr> {
    let plain = condition.transform(|expr| {
        Ok(match expr {
            Expr::Column(column) => Transformed::yes(named(&column.name)),
            other => Transformed::no(other),
        })
    })?;
    Ok(plain.data)
}

/// The stored columns, and the partition columns, that columns of SQL are made of.
fn stored(view: &View, sources: &[&Source]) -> SchemaRef {
    let mut names: Vec<&str> = Vec::new();
    for source in sources {
        match source {
            Source::Stored(name) => names.push(name),
            Source::TextOf(bytes) => names.push(bytes),
            Source::Partition(name) => names.push(name),
            Source::File | Source::Number | Source::Row => {}
            Source::Original(original) | Source::OriginalText(original) => {
                names.extend(original.stored());
            }
            Source::Drifted(drifted) => names.extend(drifted.stored.iter().map(String::as_str)),
        }
    }
    names.sort_unstable();
    names.dedup();
    let field = |name: &&str| {
        let data_type = match view.schema.field_with_name(name) {
            Ok(field) => plain_type(field.data_type()),
            Err(_) => DataType::Utf8,
        };
        Field::new(*name, data_type, true)
    };
    Arc::new(Schema::new(names.iter().map(field).collect::<Vec<_>>()))
}

fn pruning(
    state: &dyn Session,
    view: &View,
    columns: &SqlColumns,
    condition: &Expr,
) -> Result<Option<Pruning>> {
    let asked = for_files(view, columns, std::slice::from_ref(condition))?;
    let Some(asked) = conjunction(asked) else {
        return Ok(None);
    };
    let mut fields = Vec::new();
    for column in asked.column_refs() {
        let data_type = match view.schema.field_with_name(&column.name) {
            Ok(field) => plain_type(field.data_type()),
            Err(_) => DataType::Utf8,
        };
        fields.push(Field::new(&column.name, data_type, true));
    }
    let (asked, leaves) = leaves::flat(&[asked], &Schema::new(fields))?;
    let schema = DFSchema::try_from(Arc::clone(&leaves))?;
    let predicate = conjunction(asked)
        .map(|asked| state.create_physical_expr(asked, &schema))
        .transpose()?;
    Ok(predicate.and_then(|predicate| Pruning::new(predicate, &leaves)))
}

/// An array as its column was when the condition was planned: structs may have grown since.
fn planned(array: &ArrayRef, data_type: &DataType) -> Result<ArrayRef> {
    Ok(match (array.data_type(), data_type) {
        (DataType::Struct(_), DataType::Struct(fields)) => {
            let array = array.as_struct();
            let columns = each(array, fields)?;
            let nulls = array.nulls().cloned();
            Arc::new(StructArray::try_new_with_length(
                fields.clone(),
                columns,
                nulls,
                array.len(),
            )?)
        }
        (DataType::List(_), DataType::List(element)) => {
            let array = array.as_list::<i32>();
            let values = planned(array.values(), element.data_type())?;
            let offsets = array.offsets().clone();
            let nulls = array.nulls().cloned();
            Arc::new(ListArray::try_new(
                Arc::clone(element),
                offsets,
                values,
                nulls,
            )?)
        }
        (found, wanted) if found == wanted => Arc::clone(array),
        (_, wanted) => arrow::compute::cast(array, wanted)?,
    })
}

fn each(array: &StructArray, fields: &Fields) -> Result<Vec<ArrayRef>> {
    let columns = fields
        .iter()
        .map(|field| match array.column_by_name(field.name()) {
            Some(column) => planned(column, field.data_type()),
            None => Ok(new_null_array(field.data_type(), array.len())),
        });
    columns.collect()
}
