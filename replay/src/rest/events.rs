//! `GET /api/v1/replays/{id}/events`: a replay as it goes on, as server-sent events, for a page
//! that shows it.
//!
//! An event `replay` holds what `GET /api/v1/replays/{id}` answers: one at once, then one whenever
//! it has changed, at most one a second. The stream ends behind the replay's last one.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::stream::{self, Stream};
use serde_json::json;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::{Error, Result};
use crate::job::Job;
use crate::jobs::Jobs;
use crate::report::replay_json;

/// Streams at once, each of which looks every second.
const STREAMS_MAX: usize = 100;
static STREAMS: Semaphore = Semaphore::const_new(STREAMS_MAX);
const LOOK: Duration = Duration::from_secs(1);

/// Follows a replay.
pub(super) async fn follow(
    State(jobs): State<Jobs>,
    Path(id): Path<String>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>> {
    // What is wrong is told with a status.
    let job = jobs.show(&id).await?;
    let place = STREAMS.try_acquire().map_err(|_| {
        let text = format!("{STREAMS_MAX} replays are followed already, which is all that may");
        Error::unavailable(text).with_hint("end one of the streams, or try again later")
    })?;
    let following = Following {
        _place: place,
        jobs,
        id,
        told: None,
        ended: false,
    };
    let events = stream::unfold(
        (following, Some(job)),
        |(mut following, first)| async move {
            let event = following.next(first).await?;
            Some((Ok(event), (following, None)))
        },
    );
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

/// Who follows.
struct Following {
    /// Given back when its reader goes.
    _place: SemaphorePermit<'static>,
    jobs: Jobs,
    id: String,
    /// What was told last.
    told: Option<String>,
    ended: bool,
}

impl Following {
    /// The next event; `None` behind the last one.
    async fn next(&mut self, mut first: Option<Job>) -> Option<Event> {
        loop {
            if self.ended {
                return None;
            }
            let job = match first.take() {
                Some(job) => Ok(job),
                None => {
                    self.jobs.clock().sleep(LOOK).await;
                    self.jobs.show(&self.id).await
                }
            };
            let job = match job {
                Ok(job) => job,
                Err(error) => {
                    self.ended = true;
                    let told = json!({
                        "error": {
                            "code": error.kind().code(),
                            "message": error.to_string(),
                            "hint": error.hint(),
                        }
                    });
                    return Some(Event::default().event("error").data(told.to_string()));
                }
            };
            self.ended = job.state.is_final();
            let text = replay_json(&job).to_string();
            if self.told.as_ref() != Some(&text) {
                self.told = Some(text.clone());
                return Some(Event::default().event("replay").data(text));
            }
        }
    }
}
