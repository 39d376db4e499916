//! Replays: those of everywhere. One that is asked for here is a `SELECT ... INTO` of what its
//! query says, and its text says by whom it was asked for what.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Json;
use eddy_query::Request as Select;
use eddy_replay::{Job, Request, State as Stands};
use serde::Deserialize;
use serde_json::{Deserializer, Value, json};

use super::failure::{Failure, parse};
use super::query::{identifier, read};
use super::rows::moment;
use super::{Answer, Platform};

#[derive(Deserialize)]
struct Given {
    name: String,
    /// 0 or `single`, 1 or `continuous`.
    #[serde(rename = "type", default)]
    kind: Value,
    #[serde(default)]
    query: String,
    collection_id: String,
    destination_id: String,
}

/// `GET /v1/replay`.
pub(super) async fn list(State(platform): State<Platform>) -> Answer {
    let names = platform.collection_names().await?;
    let jobs = platform.0.jobs.list().await?;
    Ok(Json(jobs.iter().map(|job| shown(job, &names)).collect()))
}

/// `GET /v1/replay/{id}`.
pub(super) async fn show(State(platform): State<Platform>, Path(id): Path<String>) -> Answer {
    platform.answer(&platform.0.jobs.show(&id).await?).await
}

/// `POST /v1/replay`.
pub(super) async fn create(State(platform): State<Platform>, body: Bytes) -> Answer {
    let given: Given = parse(&body)?;
    let continuous = match (given.kind.as_u64(), given.kind.as_str()) {
        (Some(0), _) | (_, Some("single")) => false,
        (Some(1), _) | (_, Some("continuous")) => true,
        _ if given.kind.is_null() => false,
        _ => {
            let text = "`type` is 0 (single) or 1 (continuous)";
            return Err(Failure::invalid("type", text));
        }
    };
    let asked = read(&given.query).map_err(|text| Failure::invalid("query", text))?;
    if asked.is_modified() {
        let text = "a replay has its own order and all that its query finds: leave `${...}` out";
        return Err(Failure::invalid("query", text));
    }
    let collection = platform.0.collector.collection(&given.collection_id).await;
    let collection = collection.map_err(|error| {
        let failure: Failure = error.into();
        failure.at("collection_id")
    })?;
    let (table, condition) = (identifier(&collection.topic), asked.condition());
    let select = format!("SELECT * FROM {table} WHERE {condition}");
    // What is wrong with the query is told as that.
    let described = platform.0.query.describe(Select::new(select.clone())).await;
    described.map_err(|error| {
        let failure: Failure = error.into();
        failure.at("query")
    })?;
    let mut options = BTreeMap::new();
    if continuous {
        options.insert("continuous".to_owned(), "true".to_owned());
    }
    let request = Request {
        select,
        destination: given.destination_id,
        options,
        text: text(&given.name, &collection.name, &given.query),
    };
    let started = platform.0.jobs.start(&request).await?;
    platform.answer(&started.job).await
}

/// `PUT /v1/replay/{id}/toggle-pause`.
pub(super) async fn toggle_pause(
    State(platform): State<Platform>,
    Path(id): Path<String>,
) -> Answer {
    let jobs = &platform.0.jobs;
    let job = match jobs.show(&id).await?.state {
        Stands::Paused | Stands::Failed => jobs.resume(&id, None).await?,
        _ => jobs.pause(&id).await?,
    };
    platform.answer(&job).await
}

/// `DELETE /v1/replay/{id}`: stops it for good. One that is done stays listed.
pub(super) async fn archive(State(platform): State<Platform>, Path(id): Path<String>) -> Answer {
    let jobs = &platform.0.jobs;
    let job = jobs.show(&id).await?;
    let job = match job.state.is_final() {
        true => job,
        false => jobs.cancel(&id).await?,
    };
    platform.answer(&job).await
}

/// `GET /v1/replayer/history/{id}`: what is known of the past, which is its ends.
pub(super) async fn history(State(platform): State<Platform>, Path(id): Path<String>) -> Answer {
    let job = platform.0.jobs.show(&id).await?;
    let event = |word: &str, message: String, at: i64| {
        json!({ "replay_id": job.id, "event": word, "message": message,
            "inserted_at": moment(at) })
    };
    let counts = &job.counts;
    let sent = format!(
        "{} of {} records are acknowledged, {} failed",
        counts.acknowledged, job.plan.records, counts.failed
    );
    let now = match job.state {
        Stands::Planned | Stands::Running => "RUN",
        Stands::Paused => "PAUSE",
        Stands::Cancelled => "ABORT",
        Stands::Failed => "ERROR",
        Stands::Done => "FINISH",
    };
    let message = match &job.reason {
        Some(reason) => format!("{sent}; {reason}"),
        None => sent,
    };
    let at = job.finished_us.unwrap_or(job.updated_us);
    let created = event("CREATE", job.text.clone(), job.created_us);
    Ok(Json(json!([created, event(now, message, at)])))
}

impl Platform {
    async fn answer(&self, job: &Job) -> Answer {
        let names = self.collection_names().await?;
        Ok(Json(shown(job, &names)))
    }

    /// Collections by their topics, one of each.
    async fn collection_names(&self) -> Result<BTreeMap<String, String>, Failure> {
        let all = self.0.collector.collections().await?;
        let all = all.into_iter().rev();
        Ok(all.map(|one| (one.topic, one.name)).collect())
    }
}

/// A replay as it is shown. One that was asked for elsewhere has no name but its id, and its
/// statement as its query.
fn shown(job: &Job, collections: &BTreeMap<String, String>) -> Value {
    let said = said(&job.text);
    let (name, collection, query) = match &said {
        Some(said) => (
            said.name.as_str(),
            Some(said.collection.as_str()),
            said.query,
        ),
        None => {
            let collection = collections.get(&job.source.table).map(String::as_str);
            (job.id.as_str(), collection, job.text.as_str())
        }
    };
    let is_continuous = job
        .options
        .get("continuous")
        .is_some_and(|word| word == "true");
    json!({
        "id": job.id,
        "name": name,
        "type": if is_continuous { "continuous" } else { "single" },
        "query": query,
        "notes": "",
        "status": job.state.as_str(),
        "paused": job.state == Stands::Paused,
        "archived": job.state == Stands::Cancelled,
        "destination": { "id": job.destination, "name": job.destination },
        "collection": collection.map(|name| json!({ "id": name, "name": name })),
        "inserted_at": moment(job.created_us),
        "updated_at": moment(job.updated_us),
    })
}

/// What a replay's text says of what was asked for.
#[derive(Debug, PartialEq, Eq)]
struct Said<'a> {
    name: String,
    collection: String,
    query: &'a str,
}

const FIRST: &str = "replay ";
const OF: &str = " of collection ";
const QUERY: &str = ": ";

/// `replay "name" of collection "collection": query`.
fn text(name: &str, collection: &str, query: &str) -> String {
    let (name, collection) = (json!(name), json!(collection));
    format!("{FIRST}{name}{OF}{collection}{QUERY}{query}")
}

/// The same, taken apart; nothing for a text of anybody else.
fn said(text: &str) -> Option<Said<'_>> {
    let (name, rest) = string(text.strip_prefix(FIRST)?)?;
    let (collection, rest) = string(rest.strip_prefix(OF)?)?;
    let query = rest.strip_prefix(QUERY)?;
    Some(Said {
        name,
        collection,
        query,
    })
}

/// The JSON text at the beginning, and what is behind it.
fn string(text: &str) -> Option<(String, &str)> {
    let mut values = Deserializer::from_str(text).into_iter::<String>();
    let first = values.next()?.ok()?;
    Some((first, text.get(values.byte_offset()..)?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_text_tells_what_was_asked_for_whatever_it_was_called() {
        for (name, query) in [
            ("retry", "a:1 OR b:2"),
            ("My \"odd\": replay\n of collection \"x\": ", "*"),
            ("", ""),
            ("日本", ": \" "),
        ] {
            let text = text(name, "clicks", query);
            let said = said(&text).unwrap();
            let expected = (name, "clicks", query);
            let found = (said.name.as_str(), said.collection.as_str(), said.query);
            assert_eq!(found, expected, "{text}");
        }
        for other in [
            "SELECT * INTO d FROM t",
            "",
            "replay x of collection y: z",
            "replay \"x\" of collection \"y",
            "replay \"x\"",
        ] {
            assert_eq!(said(other), None, "{other}");
        }
    }
}
