//! A statement that runs: on the queries' threads its rows become messages, a few ahead of who
//! reads them.

use std::collections::VecDeque;
use std::future::Future;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::StreamExt;
use pgwire::messages::data::DataRow;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use super::told::places;
use super::value::{Column, Encoder, columns};
use crate::error::{Error, ErrorKind, Result};
use crate::pieces::pieces;
use crate::query::{Answer, Query, Request};

/// Pieces of an answer that wait for a slow client.
const PIECES_AHEAD: usize = 2;

/// Some rows; none at the end. A channel that closes without that end is an answer that was cut.
type Piece = Result<Option<Vec<DataRow>>>;

/// A running statement. Dropping it ends it.
pub(super) struct Running {
    columns: Vec<Column>,
    pieces: mpsc::Receiver<Piece>,
    ready: VecDeque<DataRow>,
    task: AbortHandle,
    /// Rows that were given.
    pub(super) rows: usize,
    ended: bool,
}

impl Running {
    /// Starts it, and waits until its columns are known.
    /// With `told` it answers these columns, which the client was told before it had values for
    /// its parameters.
    pub(super) async fn start(
        query: &Query,
        request: Request,
        formats: Vec<i16>,
        told: Option<SchemaRef>,
    ) -> Result<Self> {
        let (head_tx, head_rx) = oneshot::channel();
        let (tx, pieces) = mpsc::channel(PIECES_AHEAD);
        let begun = begin(query.clone(), request, formats, told);
        let work = run(begun, head_tx, tx);
        let mut running = Self {
            columns: Vec::new(),
            pieces,
            ready: VecDeque::new(),
            task: query.0.pool.spawn(work),
            rows: 0,
            ended: false,
        };
        let head = head_rx.await;
        running.columns = head.map_err(|_| Error::internal("the query's task has ended"))??;
        Ok(running)
    }

    /// The columns.
    pub(super) fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// A row that is there already.
    pub(super) fn ready(&mut self) -> Option<DataRow> {
        let row = self.ready.pop_front()?;
        self.rows += 1;
        Some(row)
    }

    /// Waits for more rows; false when there are no more.
    pub(super) async fn more(&mut self) -> Result<bool> {
        if self.ended {
            return Ok(!self.ready.is_empty());
        }
        let piece = self.pieces.recv().await;
        self.ended = !matches!(piece, Some(Ok(Some(_))));
        match piece {
            Some(Ok(Some(rows))) => self.ready.extend(rows),
            Some(Ok(None)) => return Ok(false),
            Some(Err(error)) => return Err(error),
            None => return Err(Error::internal("the query's task has ended")),
        }
        Ok(true)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn begin(
    query: Query,
    request: Request,
    formats: Vec<i16>,
    told: Option<SchemaRef>,
) -> Result<(Answer, Vec<Column>)> {
    let mut answer = query.execute(request).await?;
    let Some(told) = told else {
        let columns = columns(&answer.schema, &formats)?;
        return Ok((answer, columns));
    };
    if let Some(places) = places(&told, &answer.schema)? {
        let told_of = move |batch: Result<RecordBatch>| -> Result<RecordBatch> {
            Ok(batch?.project(&places)?)
        };
        answer.batches = answer.batches.map(told_of).boxed();
    }
    let columns = columns(&told, &formats)?;
    Ok((answer, columns))
}

async fn run(
    begun: impl Future<Output = Result<(Answer, Vec<Column>)>>,
    head: oneshot::Sender<Result<Vec<Column>>>,
    tx: mpsc::Sender<Piece>,
) {
    let (mut answer, columns) = match begun.await {
        Ok(begun) => begun,
        Err(error) => {
            let _ = head.send(Err(error));
            return;
        }
    };
    let encoder = Encoder::new(columns.clone());
    if head.send(Ok(columns)).is_err() {
        return;
    }
    let last = match rows(&mut answer, &encoder, &tx).await {
        Ok(()) => Ok(None),
        Err(error) => Err(error),
    };
    let _ = tx.send(last).await;
}

async fn rows(answer: &mut Answer, encoder: &Encoder, tx: &mpsc::Sender<Piece>) -> Result<()> {
    while let Some(batch) = answer.batches.next().await {
        for piece in pieces(&batch?) {
            let gone = |_| Error::new(ErrorKind::Cancelled, "nobody reads the answer");
            tx.send(Ok(Some(encoder.rows(&piece)?)))
                .await
                .map_err(gone)?;
        }
    }
    Ok(())
}
