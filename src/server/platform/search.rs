//! `POST /v1/collection/{id}/search`: a page of a collection's events, the newest first.

use arrow::array::RecordBatch;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Json;
use eddy_query::{ErrorKind, Front, Request};
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};

use super::failure::{Failure, parse};
use super::query::{Asked, identifier, literal, read};
use super::{Platform, rows};

/// Events of a page where a client doesn't say.
const SIZE: usize = 25;
/// Events of a page.
const SIZE_MAX: usize = 1_000;
/// How deep pages go: each is found by sorting all before it.
const REACH_MAX: usize = 10_000;
/// Bytes of a page's events, so that large ones are asked for a few at a time.
const PAGE_BYTES_MAX: usize = 64 << 20;

#[derive(Deserialize)]
struct Given {
    #[serde(default)]
    query: String,
    #[serde(default)]
    from: usize,
    size: Option<usize>,
}

/// A page, and how many events there are on all pages.
#[derive(Serialize, Default)]
pub(super) struct Found {
    total: usize,
    data: Vec<rows::Event>,
}

/// The route.
pub(super) async fn search(
    State(platform): State<Platform>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Found>, Failure> {
    let given: Given = parse(&body)?;
    let size = given.size.unwrap_or(SIZE);
    let reach = given.from.saturating_add(size);
    if size > SIZE_MAX || reach > REACH_MAX {
        let text = format!(
            "a page has {SIZE_MAX} events at most, of the first {REACH_MAX}; narrow the query, or \
             ask by SQL"
        );
        return Err(Failure::invalid("size", text));
    }
    let asked = read(&given.query).map_err(|text| Failure::invalid("query", text))?;
    let collection = platform.0.collector.collection(&id).await?;
    let table = collection.topic.as_str();
    let Some(total) = platform.total(table, &asked).await? else {
        return Ok(Json(Found::default()));
    };
    let total = total.min(asked.limit.unwrap_or(total));
    let size = size.min(total.saturating_sub(given.from));
    let data = match size {
        0 => Vec::new(),
        _ => {
            let page = platform.page(table, &asked, given.from, size).await?;
            rows::events(table, &page)?
        }
    };
    Ok(Json(Found { total, data }))
}

impl Platform {
    /// How many events there are; nothing where no event has come to the lake yet.
    async fn total(&self, table: &str, asked: &Asked) -> Result<Option<usize>, Failure> {
        let condition = asked.condition();
        let sql = format!(
            "SELECT count(*) FROM {} WHERE {condition}",
            identifier(table)
        );
        match self.0.query.ask(&sql).await {
            Ok(counted) => Ok(Some(counted.parse().unwrap_or(0))),
            Err(error) if error.kind() == ErrorKind::UnknownTable => {
                self.check_is_no_name_of_several(table).await?;
                Ok(None)
            }
            Err(error) => {
                let failure: Failure = error.into();
                Err(failure.at("query"))
            }
        }
    }

    /// A topic that several connectors record has a table of each, called by both.
    async fn check_is_no_name_of_several(&self, topic: &str) -> Result<(), Failure> {
        let ending = literal(&format!(".{topic}"));
        let sql = format!("SELECT count(*) > 1 FROM system.tables WHERE ends_with(name, {ending})");
        match self.0.query.ask(&sql).await?.as_str() {
            "true" => {
                let text = format!(
                    "there is no table `{topic}`, but several whose names end so: ask by SQL for \
                     the one that is meant"
                );
                Err(Failure::new(StatusCode::CONFLICT, text))
            }
            _ => Ok(()),
        }
    }

    async fn page(
        &self,
        table: &str,
        asked: &Asked,
        from: usize,
        size: usize,
    ) -> Result<Vec<RecordBatch>, Failure> {
        let (condition, order) = (asked.condition(), asked.order());
        let (columns, table) = (rows::COLUMNS, identifier(table));
        let request = Request {
            front: Front::Http,
            ..Request::new(format!(
                "SELECT {columns} FROM {table} WHERE {condition} ORDER BY {order} \
                 LIMIT {size} OFFSET {from}"
            ))
        };
        let mut answer = self.0.query.execute(request).await?;
        let (mut page, mut bytes) = (Vec::new(), 0_usize);
        while let Some(batch) = answer.batches.try_next().await? {
            bytes = bytes.saturating_add(batch.get_array_memory_size());
            if bytes > PAGE_BYTES_MAX {
                let text = "these events are too much at once; ask for fewer of them";
                return Err(Failure::invalid("size", text));
            }
            page.push(batch);
        }
        Ok(page)
    }
}
