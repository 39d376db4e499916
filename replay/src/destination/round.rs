//! A batch whose records fare differently: some are taken, some refused, some go again.
//!
//! What a queue answers is told record by record, or not at all when a connection breaks. So a
//! round sends what is open of a batch, again and again, until nothing is or it is given up. What
//! follows from an answer is decided here and pure, but for `run`.

use std::time::Duration;

use super::Landed;
use super::packed::Packed;
use super::patience::{Patience, Tries};
use crate::error::{Error, Result};

/// Takes messages to the other side.
pub(super) trait Post<L>: Sync {
    /// Sends messages in their order and waits until each is settled, or none can be.
    fn send(&self, letters: &[&L]) -> impl Future<Output = Sent> + Send;

    /// Whether `next` may go together with what goes already.
    fn fits(&self, going: &[&L], next: &L) -> bool {
        let _ = (going, next);
        true
    }
}

/// What became of a message.
#[derive(Debug)]
pub(super) enum Fate {
    /// The other side has it.
    Taken,
    /// The other side will never take it.
    Refused(Error),
    /// The other side takes it later; why.
    Later(Error),
    /// Not known: it may have it or not.
    Open,
}

/// What became of messages.
#[derive(Debug)]
pub(super) struct Sent {
    /// Of each, in order.
    pub(super) fates: Vec<Fate>,
    /// Why some are open, if some are.
    pub(super) trouble: Option<Trouble>,
}

/// Why messages are open.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It may be about one message alone.
    Message(Error),
    /// Nothing will be taken as it is.
    Broken(Error),
    /// Later.
    Again(Error),
}

/// A batch on its way: which records are settled, and which go next.
pub(super) struct Round<'a, L> {
    batch: &'a [Packed],
    letters: Vec<Option<L>>,
    outcomes: Vec<Option<Result<Landed>>>,
    /// The record behind the last one that may be sent.
    end: usize,
    /// Whether records go one by one.
    alone: bool,
    /// Whether nothing follows a refused record.
    stops: bool,
    /// Whether nothing goes beside a record that was put off.
    ordered: bool,
}

/// What follows after messages were sent.
#[derive(Debug)]
enum Next {
    /// The next ones.
    On,
    /// Nothing more of this batch.
    Stop(Error),
    /// The open ones once more, after a pause. `some`: others were taken; `later`: the other side
    /// asks for patience.
    Again {
        error: Error,
        some: bool,
        later: bool,
    },
}

impl Sent {
    /// Nothing is known of so many messages.
    pub(super) fn nothing(messages: usize, trouble: Trouble) -> Self {
        Self {
            fates: (0..messages).map(|_| Fate::Open).collect(),
            trouble: Some(trouble),
        }
    }
}

impl Trouble {
    /// The error, whatever follows from it.
    pub(super) fn into_error(self) -> Error {
        match self {
            Self::Message(error) => Error::invalid(error.to_string()),
            Self::Broken(error) | Self::Again(error) => error,
        }
    }
}

impl<'a, L: Send + Sync> Round<'a, L> {
    /// A round of `batch`; `write` makes the message of a record, or refuses it.
    pub(super) fn new(
        batch: &'a [Packed],
        stops: bool,
        ordered: bool,
        write: impl Fn(&'a Packed) -> Result<L>,
    ) -> Self {
        let mut round = Self {
            batch,
            letters: Vec::with_capacity(batch.len()),
            outcomes: batch.iter().map(|_| None).collect(),
            end: batch.len(),
            alone: false,
            stops,
            ordered,
        };
        for (place, record) in batch.iter().enumerate() {
            let written = write(record);
            let written = written.map_err(|error| round.refuse(place, error));
            round.letters.push(written.ok());
        }
        round
    }

    /// Sends until each record is settled, or the rest is given up; the outcome of each.
    pub(super) async fn run(
        mut self,
        patience: &Patience,
        post: &impl Post<L>,
    ) -> Vec<Result<Landed>> {
        let mut tries = Tries::default();
        let mut ready = patience.turn().await;
        while ready.is_ok() && self.has_open() {
            let (places, sent) = {
                let (places, letters) = self.next(post);
                (places, post.send(&letters).await)
            };
            ready = match self.settle(&places, sent) {
                Next::On => {
                    patience.taken();
                    tries = Tries::default();
                    Ok(())
                }
                Next::Stop(error) => Err(error),
                Next::Again { error, some, later } => {
                    if some {
                        patience.taken();
                        tries = Tries::default();
                    }
                    let after = later.then_some(Duration::ZERO);
                    patience.again(&mut tries, after, error).await
                }
            };
        }
        self.outcomes(ready.err())
    }

    /// A record is refused; where that stops the replay nothing behind it is sent.
    fn refuse(&mut self, place: usize, error: Error) {
        let at = self.batch.get(place).map(Packed::place).unwrap_or_default();
        self.set(place, Err(error.of_record(&at)));
        if self.stops {
            self.end = self.end.min(place);
        }
    }

    fn set(&mut self, place: usize, outcome: Result<Landed>) {
        if let Some(slot) = self.outcomes.get_mut(place) {
            *slot = Some(outcome);
        }
    }

    fn open(&self) -> impl Iterator<Item = usize> {
        let outcomes = self.outcomes.iter().take(self.end).enumerate();
        outcomes.filter_map(|(place, outcome)| outcome.is_none().then_some(place))
    }

    fn has_open(&self) -> bool {
        self.open().next().is_some()
    }

    /// The records that go now.
    fn next(&self, post: &impl Post<L>) -> (Vec<usize>, Vec<&L>) {
        let (mut places, mut letters): (Vec<usize>, Vec<&L>) = (Vec::new(), Vec::new());
        for place in self.open() {
            let Some(Some(letter)) = self.letters.get(place) else {
                continue;
            };
            if !letters.is_empty() && (self.alone || !post.fits(&letters, letter)) {
                break;
            }
            places.push(place);
            letters.push(letter);
        }
        (places, letters)
    }

    fn settle(&mut self, places: &[usize], sent: Sent) -> Next {
        let (mut some, mut later, mut left) = (false, None, None);
        for (place, fate) in places.iter().zip(sent.fates) {
            match fate {
                Fate::Taken => {
                    some = true;
                    self.set(*place, Ok(Landed::default()));
                }
                Fate::Refused(error) => {
                    some = true;
                    self.refuse(*place, error);
                }
                Fate::Later(error) => {
                    later.get_or_insert(error);
                    left = Some(*place);
                }
                Fate::Open => left = Some(*place),
            }
        }
        let asked = later.is_some();
        let error = match (sent.trouble, later) {
            (None, None) => return Next::On,
            (None, Some(error)) => {
                // What was put off must not be overtaken once more.
                self.alone |= self.ordered;
                error
            }
            (Some(Trouble::Broken(error)), _) => return Next::Stop(error),
            (Some(Trouble::Again(error)), _) => error,
            (Some(Trouble::Message(error)), _) => {
                match left {
                    // It is this one's fault, since nothing else was under way.
                    Some(place) if places.len() == 1 => self.refuse(place, error),
                    _ => self.alone = true,
                }
                return Next::On;
            }
        };
        let later = asked;
        Next::Again { error, some, later }
    }

    /// The outcome of each record; `failed` is why the open ones are given up.
    fn outcomes(self, mut failed: Option<Error>) -> Vec<Result<Landed>> {
        let (batch, stops) = (self.batch, self.stops);
        let mut cause: Option<Error> = None;
        let outcomes = self.outcomes.into_iter().zip(batch);
        let outcomes = outcomes.map(|(outcome, record)| match outcome {
            Some(Err(error)) => {
                if stops {
                    cause.get_or_insert_with(|| error.copy());
                }
                Err(error)
            }
            Some(taken) => taken,
            None => {
                let cause = cause.get_or_insert_with(|| match failed.take() {
                    Some(error) => error.of_record(&record.place()),
                    None => Error::internal("a record has no outcome"),
                });
                Err(cause.copy())
            }
        });
        outcomes.collect()
    }
}

#[cfg(test)]
mod tests;
