//! The statement that reads a replay's rows: its table pinned, what is done left out, and in an
//! order in which the rows of each partition follow each other, so that a resume can go on.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::sql::sqlparser::ast::{
    Ident, Query as QueryTree, SelectItem, SetExpr, Visit, Visitor,
};
use eddy_engine::TopicId;

use super::COLUMNS;
use super::pin::{pin, table_of};
use super::projection::{Payload, asked};
use super::record::Layout;
use super::shape::check_shape;
use super::sliced::Sliced;
use super::survey;
use crate::error::{Error, Result};
use crate::names::DEAD;
use crate::query::Inner;
use crate::run::{Seen, bind, plan};
use crate::statement::{parse_select, render};

/// Which of the rows of several partitions comes first. Those of one partition always come in the
/// order of their offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sequence {
    /// One partition after the other; of large tables only within parts of them.
    #[default]
    Partitions,
    /// One row of each partition, then the next one of each; likewise.
    Turns,
    /// The row with the earliest time among those that are next in their partitions.
    Time,
}

/// Partitions up to which each is a condition of its own, by which statistics tell the files that
/// are done. A statement doesn't nest as many conditions as a topic may have partitions.
const CONDITIONS_MAX: usize = 300;

/// What a row's turn is called while rows are put in order.
const TURN: &str = "eddy:turn";

/// The statements that read a replay's rows.
pub(super) struct Texts {
    /// All of them, in order.
    pub(super) whole: String,
    /// The same in slices, where that can be done.
    pub(super) sliced: Option<Sliced>,
    /// What becomes of the columns if they aren't records already.
    pub(super) layout: Option<Layout>,
}

/// Which rows a replay reads.
pub(super) struct Reading<'a> {
    /// The query, frozen.
    pub(super) select: &'a str,
    /// What it is asked to make of a row.
    pub(super) payload: Option<Payload>,
    /// The pinned version.
    pub(super) version: u64,
    /// The offsets that are done.
    pub(super) after: &'a BTreeMap<(TopicId, i32), i64>,
    /// The order.
    pub(super) sequence: Sequence,
    /// The bytes of files that make a slice.
    pub(super) slice_bytes: u64,
}

impl Reading<'_> {
    /// The statements.
    ///
    /// # Errors
    /// As a query; `NotSupported` for one that can't be replayed.
    pub(super) async fn texts(&self, inner: &Arc<Inner>) -> Result<Texts> {
        let mut query = parse_select(self.select)?;
        check_shape(&query)?;
        let projection = asked(&query, self.payload)?;
        let known = crate::catalog::Known {
            topics: inner.catalog.list(false).await?,
            system: crate::system::names(inner),
        };
        crate::names::resolve_tables(&mut query, &known)?;
        let table = table_of(&query)?;
        pin(&mut query, &table, self.version);
        let mut layout = None;
        let mut items = Vec::new();
        if let Some(projection) = projection {
            let pinned = format!("{table}@{}", self.version);
            let bound = bind(inner, &mut query.clone(), &Seen::default()).await?;
            let view = bound.views.iter().find(|(name, _)| *name == pinned);
            let (_, view) =
                view.ok_or_else(|| Error::internal("the source's table has no view"))?;
            let (columns, laid_out) = projection.laid_out(view)?;
            items = columns;
            layout = Some(laid_out);
        }
        let names: Vec<String> = items.iter().filter_map(alias).map(quoted).collect();
        let survey = match self.sequence != Sequence::Time && is_simple(&query, &table) {
            true => Some(self.survey(query.clone())?),
            false => None,
        };
        project(&mut query, COLUMNS, None, items)?;
        let columns = std::iter::once(COLUMNS.to_owned()).chain(names);
        let columns = columns.collect::<Vec<_>>().join(", ");
        let lying = self.without_done(render(&query)?, &columns);
        let whole = in_order(self.sequence, &lying, &columns);
        let sliced = survey.map(|survey| Sliced {
            pinned: format!("{table}@{}", self.version),
            version: self.version,
            survey,
            lying,
            may_lie: self.sequence == Sequence::Partitions,
            ordered: whole.clone(),
            slice_bytes: self.slice_bytes,
            table,
        });
        Ok(Texts {
            whole,
            sliced,
            layout,
        })
    }

    /// The statement that tells where the rows are.
    fn survey(&self, mut query: QueryTree) -> Result<String> {
        let columns = survey::columns();
        project(&mut query, &columns, None, Vec::new())?;
        Ok(self.without_done(render(&query)?, &columns))
    }

    fn without_done(&self, text: String, columns: &str) -> String {
        match self.after.is_empty() {
            true => text,
            false => format!("SELECT {columns} FROM ({text}) WHERE {}", left(self.after)),
        }
    }

    /// Refuses what the select list makes of the version's columns, if that can't be sent.
    ///
    /// # Errors
    /// As [`Reading::texts`].
    pub(super) async fn check(&self, inner: &Arc<Inner>) -> Result<()> {
        let texts = Box::pin(self.texts(inner)).await?;
        let mut query = parse_select(&texts.whole)?;
        let bound = bind(inner, &mut query, &Seen::default()).await?;
        let plan = plan(&bound.state, query).await?;
        let schema = plan.schema().as_arrow();
        let layout = texts.layout;
        layout.map_or(Ok(()), |layout| layout.check(schema))
    }
}

/// Whether a query reads the records of its table and nothing else: what it asks of other tables
/// would be asked anew for each slice.
fn is_simple(query: &QueryTree, table: &str) -> bool {
    struct Queries(usize);
    impl Visitor for Queries {
        type Break = ();

        fn pre_visit_query(&mut self, _: &QueryTree) -> ControlFlow<()> {
            self.0 += 1;
            ControlFlow::Continue(())
        }
    }
    let mut queries = Queries(0);
    let _ = query.visit(&mut queries);
    queries.0 == 1 && !table.ends_with(DEAD)
}

fn alias(item: &SelectItem) -> Option<&Ident> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias),
        _ => None,
    }
}

fn quoted(ident: &Ident) -> String {
    ident.to_string()
}

/// The condition of the rows that aren't done.
fn left(after: &BTreeMap<(TopicId, i32), i64>) -> String {
    let done = match after.len() <= CONDITIONS_MAX {
        true => done_by_partition(after),
        false => done_by_topic(after),
    };
    format!("NOT ({})", done.join(" OR "))
}

/// A condition for each partition.
fn done_by_partition(after: &BTreeMap<(TopicId, i32), i64>) -> Vec<String> {
    let done = after.iter().map(|((topic_id, partition), offset)| {
        let id = in_quotes(topic_id);
        format!("(_topic_id = {id} AND _partition = {partition} AND _offset <= {offset})")
    });
    done.collect()
}

/// The same as one condition for each topic's id, which is as deep for many partitions as for few.
fn done_by_topic(after: &BTreeMap<(TopicId, i32), i64>) -> Vec<String> {
    let mut topics: BTreeMap<&TopicId, String> = BTreeMap::new();
    for ((topic_id, partition), offset) in after {
        let whens = topics.entry(topic_id).or_default();
        // Writing to a string can't fail.
        let _ = write!(whens, " WHEN {partition} THEN {offset}");
    }
    let done = topics.into_iter().map(|(topic_id, whens)| {
        let id = in_quotes(topic_id);
        format!("(_topic_id = {id} AND _offset <= CASE _partition{whens} ELSE -1 END)")
    });
    done.collect()
}

fn in_quotes(topic_id: &TopicId) -> String {
    format!("'{}'", topic_id.as_str().replace('\'', "''"))
}

/// The rows of `text` in order.
fn in_order(sequence: Sequence, text: &str, columns: &str) -> String {
    // Times may go back within a partition; then a row comes as soon as the one before it has, so
    // its turn is the latest time so far.
    let turn = match sequence {
        Sequence::Partitions => {
            return format!("{text} ORDER BY _topic_id, _partition, _offset");
        }
        Sequence::Turns => "row_number()",
        Sequence::Time => "max(_timestamp)",
    };
    format!(
        "SELECT {columns} FROM (SELECT {columns}, {turn} OVER (PARTITION BY _topic_id, _partition \
         ORDER BY _offset ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS \"{TURN}\" \
         FROM ({text})) ORDER BY \"{TURN}\" NULLS FIRST, _topic_id, _partition, _offset"
    )
}

/// Replaces the select list by `columns` and `items`, grouped if asked.
pub(super) fn project(
    query: &mut QueryTree,
    columns: &str,
    group_by: Option<&str>,
    items: Vec<SelectItem>,
) -> Result<()> {
    let group = group_by.map_or_else(String::new, |group| format!(" GROUP BY {group}"));
    let mut model = parse_select(&format!("SELECT {columns} FROM t{group}"))?;
    let SetExpr::Select(model) = model.body.as_mut() else {
        return Err(Error::internal("the columns of a replay don't parse"));
    };
    let SetExpr::Select(select) = query.body.as_mut() else {
        return Err(Error::internal("a replay's source is no `SELECT`"));
    };
    select.projection = std::mem::take(&mut model.projection);
    select.projection.extend(items);
    select.group_by = model.group_by.clone();
    Ok(())
}
