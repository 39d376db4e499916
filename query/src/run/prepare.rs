//! From a request to a plan that gives rows, or to the one row that a statement answers.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::{SendableRecordBatchStream, execute_stream};
use datafusion::prelude::SQLOptions;
use datafusion::sql::parser::Statement as PlanStatement;
use datafusion::sql::sqlparser::ast::{Query as QueryTree, Statement as Tree};
use futures::{StreamExt, TryStreamExt};
use serde_json::Value as Json;

use super::again::{self, Alone};
use super::batches::fitted;
use super::bind::{Bound, bind};
use super::few::few_first;
use super::halt::Halt;
use super::memory::QueryMemory;
use super::physical::{limited, physical};
use super::progress::Scans;
use super::registry::Seen;
use super::star::plan_wide;
use crate::erase;
use crate::error::{Error, Result};
use crate::hooks::IntoRequest;
use crate::postgres;
use crate::query::{Inner, Request, Stale};
use crate::source;
use crate::statement::{self, Into, Statement};

type Rows = futures::stream::BoxStream<'static, Result<RecordBatch>>;

/// What is known before the first row.
pub(crate) struct Head {
    pub(crate) schema: SchemaRef,
    pub(crate) position: Json,
    pub(crate) stale: Option<Stale>,
}

/// An answer that is about to be given.
pub(crate) struct Prepared {
    pub(crate) head: Head,
    pub(crate) rows: Rows,
    /// What reads, and in what memory; `None` for statements that read nothing.
    pub(crate) reads: Option<(Scans, Arc<QueryMemory>)>,
}

/// Parses, binds and plans what a request asks for.
pub(super) async fn prepare(
    inner: &Arc<Inner>,
    query_id: uuid::Uuid,
    request: &Request,
    halt: &Arc<Halt>,
) -> Result<Prepared> {
    let seen = Seen::of(request, halt)?;
    match parse(request)? {
        Statement::Select(mut query) => {
            let mut bound = bind(inner, &mut query, &seen).await?;
            let plan = plan_wide(&bound.state, *query).await?;
            bound.state = fitted(bound.state, &plan)?;
            let plan = limited(plan, request.limit)?;
            let plan = Box::pin(few_first(&bound.state, plan)).await?;
            stream(inner, &bound, &plan).await
        }
        Statement::Explain {
            mut query,
            analyze,
            verbose,
        } => {
            let mut bound = bind(inner, &mut query, &seen).await?;
            let plan = plan_wide(&bound.state, *query).await?;
            bound.state = fitted(bound.state, &plan)?;
            let plan = LogicalPlanBuilder::from(plan)
                .explain(verbose, analyze)?
                .build()?;
            let prepared = stream(inner, &bound, &plan).await?;
            Ok(if analyze {
                with_reads(prepared)
            } else {
                prepared
            })
        }
        // It may not have been meant: a page that somebody opened can lead a browser here.
        Statement::Into(_)
        | Statement::CreateDestination(_)
        | Statement::DropDestination { .. }
            if request.read_only =>
        {
            let text = "not supported in a request that only reads";
            Err(Error::not_supported(text).with_hint("send it with `POST`"))
        }
        Statement::Into(statement) => into(inner, request, *statement).await,
        Statement::ExplainDelete(delete) => {
            Ok(answered(erase::explain(inner, request, *delete).await?))
        }
        Statement::Delete(delete) => {
            let erased = Box::pin(erase::run(inner, request, *delete, query_id)).await?;
            Ok(answered(erased))
        }
        Statement::CreateDestination(request) => {
            let name = request.name.clone();
            inner.handler_of_into()?.create_destination(request).await?;
            done(&name, "created")
        }
        Statement::DropDestination { name, if_exists } => {
            let handler = inner.handler_of_into()?;
            handler.drop_destination(&name, if_exists).await?;
            done(&name, "dropped")
        }
    }
}

/// What a request asks for, in the words of its client.
pub(super) fn parse(request: &Request) -> Result<Statement> {
    let sql = match request.front.is_postgres() {
        true => postgres::understood(&request.sql),
        false => Cow::Borrowed(request.sql.as_str()),
    };
    statement::parse(&sql, &request.params)
}

/// Hands a `SELECT ... INTO` over, and answers what became of it.
async fn into(inner: &Arc<Inner>, request: &Request, statement: Into) -> Result<Prepared> {
    let handler = inner.handler_of_into()?;
    if request.front.repeats() && !statement.options.contains_key("name") {
        return Err(Error::invalid(
            "a `SELECT ... INTO` needs a name here: this client may send a statement twice",
        )
        .with_hint("end it with `WITH (name = '...')`: the same name is the same replay"));
    }
    statement::check_known(&statement.options, handler.option_names())?;
    let payload = source::Payload::asked(&statement.options)?;
    let select = source::freeze(inner, statement.query, payload).await?;
    let answer = handler
        .start(IntoRequest {
            select,
            destination: statement.destination,
            options: statement.options,
            text: request.sql.clone(),
        })
        .await?;
    let columns: [ArrayRef; 4] = [
        Arc::new(StringArray::from(vec![answer.replay_id])),
        Arc::new(StringArray::from(vec![answer.state])),
        Arc::new(UInt64Array::from(vec![answer.records])),
        Arc::new(UInt64Array::from(vec![answer.bytes])),
    ];
    one_row(into_schema(), columns)
}

/// The columns that `INTO` answers.
pub(super) fn into_schema() -> SchemaRef {
    let counted = |name| Field::new(name, DataType::UInt64, true);
    Arc::new(Schema::new(vec![
        Field::new("replay_id", DataType::Utf8, true),
        Field::new("state", DataType::Utf8, true),
        counted("records"),
        counted("bytes"),
    ]))
}

/// The columns that statements about destinations answer.
pub(super) fn destination_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("destination", DataType::Utf8, true),
        Field::new("state", DataType::Utf8, true),
    ]))
}

/// Adds a row to an `EXPLAIN ANALYZE` that says what was read.
fn with_reads(prepared: Prepared) -> Prepared {
    let schema = Arc::clone(&prepared.head.schema);
    let scans = prepared.reads.as_ref().map(|(scans, _)| scans.clone());
    let last = futures::stream::once(async move {
        let reads = scans.map(|scans| scans.reads()).unwrap_or_default();
        let columns: [ArrayRef; 2] = [
            Arc::new(StringArray::from(vec!["Reads"])),
            Arc::new(StringArray::from(vec![reads.to_string()])),
        ];
        Ok(RecordBatch::try_new(schema, columns.to_vec())?)
    });
    Prepared {
        rows: prepared.rows.chain(last).boxed(),
        ..prepared
    }
}

fn done(name: &str, state: &str) -> Result<Prepared> {
    let columns: [ArrayRef; 2] = [
        Arc::new(StringArray::from(vec![name])),
        Arc::new(StringArray::from(vec![state])),
    ];
    one_row(destination_schema(), columns)
}

fn one_row<const N: usize>(schema: SchemaRef, columns: [ArrayRef; N]) -> Result<Prepared> {
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns.to_vec())?;
    Ok(answered((schema, vec![batch])))
}

/// Rows that are there already.
fn answered((schema, batches): (SchemaRef, Vec<RecordBatch>)) -> Prepared {
    let head = Head {
        schema,
        position: Json::Null,
        stale: None,
    };
    let rows = futures::stream::iter(batches.into_iter().map(Ok)).boxed();
    Prepared {
        head,
        rows,
        reads: None,
    }
}

/// The logical plan of a bound query.
pub(crate) async fn plan(state: &SessionState, query: QueryTree) -> Result<LogicalPlan> {
    let tree = PlanStatement::Statement(Box::new(Tree::Query(Box::new(query))));
    let plan = state.statement_to_plan(tree).await?;
    // INTO and the like are refused on the tree; this is the second lock on the same door.
    SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false)
        .verify_plan(&plan)?;
    Ok(plan)
}

/// The rows of a plan.
pub(crate) async fn rows(
    state: &SessionState,
    plan: &LogicalPlan,
) -> Result<SendableRecordBatchStream> {
    let physical = physical(state, plan).await?;
    Ok(execute_stream(physical, state.task_ctx())?)
}

async fn stream(inner: &Arc<Inner>, bound: &Bound, logical: &LogicalPlan) -> Result<Prepared> {
    let plan = physical(&bound.state, logical).await?;
    let head = Head {
        schema: plan.schema(),
        position: bound.position.clone(),
        stale: bound.stale.clone(),
    };
    let spread = match inner.nodes.get() {
        Some(nodes) => nodes.spread(&bound.state, &plan).await?,
        None => None,
    };
    let (executed, rows) = match spread {
        Some(spread) => {
            let executed = Arc::clone(&spread.plan);
            let alone = Alone {
                state: bound.state.clone(),
                plan: logical.clone(),
                counts: bound.counts.clone(),
            };
            (executed, again::rows(inner, spread, alone)?)
        }
        None => {
            let rows = execute_stream(Arc::clone(&plan), bound.state.task_ctx())?;
            (plan, rows.map_err(Error::from).boxed())
        }
    };
    Ok(Prepared {
        head,
        rows,
        reads: Some((
            Scans::new(bound.counts.clone(), executed),
            Arc::clone(&bound.memory),
        )),
    })
}
