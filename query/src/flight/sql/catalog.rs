//! What clients ask of the catalog: one catalog with the topics' tables and the system tables.

use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch, StringArray};
use arrow::compute::kernels::comparison::like;
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow_flight::sql::{Any, Command, CommandGetTables, ProstMessageExt};
use arrow_flight::{FlightDescriptor, FlightEndpoint, FlightInfo, Ticket};
use futures::{Stream, StreamExt, stream};
use prost::Message;

use super::{Sql, keys, messages, plain};
use crate::catalog::Taken;
use crate::error::{Error, ErrorKind, Result};
use crate::flight::wire::Messages;
use crate::query::{Inner, Query};
use crate::session::{PUBLIC, SYSTEM};
use crate::system::{self, postgres::DATABASE as CATALOG};

/// The types of tables, as JDBC knows them.
const TABLE: &str = "TABLE";
const SYSTEM_TABLE: &str = "SYSTEM TABLE";

/// Tables that one message has: their columns may be many.
const TABLES_AT_ONCE: usize = 64;

/// The type of a ticket that is a question.
const QUESTION: &str = "type.eddy/Question";

impl Sql {
    /// A ticket for what is asked of the catalog: the question itself.
    pub(in crate::flight) fn ask_catalog(
        &self,
        question: &impl ProstMessageExt,
        descriptor: FlightDescriptor,
    ) -> Result<FlightInfo> {
        let question = question.as_any();
        let schema = match Command::try_from(question.clone())? {
            Command::CommandGetTables(tables) => tables.into_builder().schema(),
            other => self.at_once(other)?.schema(),
        };
        let ticket = Any {
            type_url: QUESTION.to_owned(),
            value: question.encode_to_vec().into(),
        };
        let ticket = Ticket::new(ticket.encode_to_vec());
        let info = FlightInfo::new().try_with_schema(&schema)?;
        let endpoint = FlightEndpoint::new().with_ticket(ticket);
        Ok(info.with_endpoint(endpoint).with_descriptor(descriptor))
    }

    /// The answer for such a ticket.
    pub(in crate::flight) async fn answer_catalog(&self, ticket: &Any) -> Result<Messages> {
        let is_ours = ticket.type_url == QUESTION;
        let question = is_ours.then(|| Any::decode(ticket.value.as_ref()).ok());
        let question = question
            .flatten()
            .ok_or_else(|| Error::invalid(format!("`{}` is no ticket of ours", ticket.type_url)))?;
        match Command::try_from(question)? {
            Command::CommandGetTables(tables) => self.tables(tables).await,
            other => {
                let batch = self.at_once(other)?;
                Ok(messages(batch.schema(), stream::iter([Ok(batch)])))
            }
        }
    }

    /// What is known without looking at tables.
    fn at_once(&self, question: Command) -> Result<RecordBatch> {
        match question {
            Command::CommandGetCatalogs(catalogs) => {
                let mut builder = catalogs.into_builder();
                builder.append(CATALOG);
                builder.build().map_err(told_wrong)
            }
            Command::CommandGetDbSchemas(schemas) => {
                let mut builder = schemas.into_builder();
                for schema in [PUBLIC, SYSTEM] {
                    builder.append(CATALOG, schema);
                }
                builder.build().map_err(told_wrong)
            }
            Command::CommandGetTableTypes(types) => {
                let mut builder = types.into_builder();
                for kind in [TABLE, SYSTEM_TABLE] {
                    builder.append(kind);
                }
                builder.build().map_err(told_wrong)
            }
            Command::CommandGetSqlInfo(infos) => self.facts.infos(infos),
            Command::CommandGetXdbcTypeInfo(types) => self.facts.types(types),
            Command::CommandGetPrimaryKeys(_) => Ok(keys::no_primary()),
            Command::CommandGetExportedKeys(_)
            | Command::CommandGetImportedKeys(_)
            | Command::CommandGetCrossReference(_) => Ok(keys::no_foreign()),
            other => {
                let text = format!("`{}` is no question about the catalog", other.type_url());
                Err(Error::invalid(text))
            }
        }
    }

    /// The tables that match, some in each batch.
    async fn tables(&self, question: CommandGetTables) -> Result<Messages> {
        let names = names(&self.query.0, &question).await?;
        let schema = question.clone().into_builder().schema();
        let parts: Vec<Vec<Named>> = names.chunks(TABLES_AT_ONCE).map(<[_]>::to_vec).collect();
        let batches = batches(self.query.clone(), question, parts);
        Ok(messages(schema, batches))
    }
}

/// A table: its schema and its name.
type Named = (&'static str, String);

fn batches(
    query: Query,
    question: CommandGetTables,
    parts: Vec<Vec<Named>>,
) -> impl Stream<Item = Result<RecordBatch>> + Send + 'static {
    stream::iter(parts).then(move |part| {
        let (query, question) = (query.clone(), question.clone());
        async move { batch(&query.0, question, part).await }
    })
}

async fn batch(
    inner: &Arc<Inner>,
    question: CommandGetTables,
    part: Vec<Named>,
) -> Result<RecordBatch> {
    let with_columns = question.include_schema;
    // Reading what tables have is work as a query's is.
    let _turn = match with_columns {
        true => Some(inner.pool.turn().await?),
        false => None,
    };
    let mut builder = question.into_builder();
    for (schema, name) in part {
        let columns = match with_columns {
            true => columns(inner, schema, &name).await?,
            false => Some(Arc::new(Schema::empty())),
        };
        let kind = if schema == PUBLIC {
            TABLE
        } else {
            SYSTEM_TABLE
        };
        // One that went meanwhile is left out.
        if let Some(columns) = columns {
            let appended = builder.append(CATALOG, schema, &name, kind, &columns);
            appended.map_err(told_wrong)?;
        }
    }
    builder.build().map_err(told_wrong)
}

/// The tables that a question is about, in order.
async fn names(inner: &Inner, question: &CommandGetTables) -> Result<Vec<Named>> {
    let mut all: Vec<Named> = Vec::new();
    let wants = |schema: &str, kind: &str| -> Result<bool> {
        let of_type = question.table_types.is_empty()
            || question.table_types.iter().any(|wanted| wanted == kind);
        let in_catalog = question.catalog.as_deref().is_none_or(|one| one == CATALOG);
        let pattern = question.db_schema_filter_pattern.as_deref();
        Ok(of_type && in_catalog && !matching(vec![schema.to_owned()], pattern)?.is_empty())
    };
    let pattern = question.table_name_filter_pattern.as_deref();
    if wants(PUBLIC, TABLE)? {
        let topics = inner.catalog.list(true).await?;
        let topics = matching(topics.to_vec(), pattern)?;
        all.extend(topics.into_iter().map(|name| (PUBLIC, name)));
    }
    if wants(SYSTEM, SYSTEM_TABLE)? {
        let tables = matching(system::names(inner), pattern)?;
        all.extend(tables.into_iter().map(|name| (SYSTEM, name)));
    }
    Ok(all)
}

/// The names that a pattern of `LIKE` matches.
fn matching(names: Vec<String>, pattern: Option<&str>) -> Result<Vec<String>> {
    let Some(pattern) = pattern else {
        return Ok(names);
    };
    let array = StringArray::from_iter_values(&names);
    let matches: BooleanArray = like(&array, &StringArray::new_scalar(pattern))?;
    let matches = matches.iter().map(|found| found.unwrap_or(false));
    let names = names.into_iter().zip(matches);
    Ok(names
        .filter(|(_, found)| *found)
        .map(|(name, _)| name)
        .collect())
}

/// What `SELECT *` has of a table; `None` when there is no such table.
async fn columns(inner: &Arc<Inner>, schema: &str, name: &str) -> Result<Option<SchemaRef>> {
    let found = match schema {
        PUBLIC => inner.catalog.view(name, None).await.map(|view| {
            let columns = view.sql_columns();
            let shown = columns.list().iter();
            let shown = shown.filter(|column| !column.hidden && !column.alternate);
            let fields =
                shown.map(|column| Field::new(&column.name, column.data_type.clone(), true));
            plain::told(&Schema::new(fields.collect::<Vec<_>>()))
        }),
        _ => {
            let table = system::table(inner, name, &mut Taken::default()).await;
            table.map(|table| plain::told(&table.schema()))
        }
    };
    match found {
        Ok(columns) => Ok(Some(columns)),
        Err(error) if error.kind() == ErrorKind::UnknownTable => Ok(None),
        Err(error) => Err(error),
    }
}

/// The error of a builder that was given what it doesn't take.
pub(super) fn told_wrong(error: arrow_flight::error::FlightError) -> Error {
    Error::internal(format!("the catalog can't be told: {error}"))
}
