//! The connections of a listener that there may be at once. When all places are taken, whoever
//! comes gets the place of a connection that asks for nothing: first one that never has, the oldest
//! of them, then the one that was silent for longest. Idle connections, however many, keep nobody
//! out.

use std::collections::HashMap;
use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::sync::{Notify, oneshot};

/// Places for connections. Cheap to clone.
#[derive(Clone)]
pub struct Places(Arc<Inner>);

struct Inner {
    most: usize,
    taken: Mutex<Taken>,
    /// A place was left, or a connection fell silent.
    changed: Notify,
}

#[derive(Default)]
struct Taken {
    /// Counts what happens: the larger a number, the later it was.
    moments: u64,
    next: u64,
    connections: HashMap<u64, Connected>,
}

/// What is known of a connection.
struct Connected {
    /// Requests that are being answered.
    busy: usize,
    /// Whether it has ever asked for something.
    has_asked: bool,
    /// When it fell silent.
    silent_since: u64,
    /// Tells it to go; none when it was told.
    leave: Option<oneshot::Sender<()>>,
}

/// The place of a connection, until it is dropped.
pub struct Place {
    places: Places,
    number: u64,
    told: oneshot::Receiver<()>,
}

/// Counts the requests of one connection. Cheap to clone.
#[derive(Clone)]
pub struct Activity {
    places: Places,
    number: u64,
}

/// A request that is being answered, until it is dropped.
pub struct Asked(Activity);

impl Places {
    /// So many places, and at least one.
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Inner {
            most: most.max(1),
            taken: Mutex::default(),
            changed: Notify::new(),
        }))
    }

    /// A place for a connection. While each of the others is asking for something, it waits. Only
    /// one may wait at once.
    pub async fn enter(&self) -> Place {
        loop {
            if let Some(place) = self.try_to_enter() {
                return place;
            }
            self.0.changed.notified().await;
        }
    }

    fn try_to_enter(&self) -> Option<Place> {
        let mut taken = self.taken();
        if taken.connections.len() >= self.0.most {
            taken.send_one_away();
            return None;
        }
        let (leave, told) = oneshot::channel();
        let number = taken.next;
        taken.next += 1;
        let silent_since = taken.moment();
        let connected = Connected {
            busy: 0,
            has_asked: false,
            silent_since,
            leave: Some(leave),
        };
        taken.connections.insert(number, connected);
        Some(Place {
            places: self.clone(),
            number,
            told,
        })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn moment(&mut self) -> u64 {
        self.moments += 1;
        self.moments
    }

    /// Tells a silent connection to go, unless one is going already.
    fn send_one_away(&mut self) {
        if self.connections.values().any(|one| one.leave.is_none()) {
            return;
        }
        let silent = self.connections.values_mut().filter(|one| one.busy == 0);
        let first = silent.min_by_key(|one| (one.has_asked, one.silent_since));
        if let Some(leave) = first.and_then(|one| one.leave.take()) {
            // Whoever has just gone by itself hears nothing.
            let _ = leave.send(());
        }
    }
}

impl Place {
    /// Completes when somebody else needs the place.
    pub async fn is_needed(&mut self) {
        poll_fn(|cx| self.poll_is_needed(cx)).await;
    }

    /// The same to be polled; not again once it was ready.
    pub(super) fn poll_is_needed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match Pin::new(&mut self.told).poll(cx) {
            Poll::Ready(Ok(())) => Poll::Ready(()),
            // Its sender lives as long as the place.
            Poll::Ready(Err(_)) | Poll::Pending => Poll::Pending,
        }
    }

    /// What counts the connection's requests.
    pub fn activity(&self) -> Activity {
        Activity {
            places: self.places.clone(),
            number: self.number,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.taken().connections.remove(&self.number);
        self.places.0.changed.notify_one();
    }
}

impl Activity {
    /// The connection asks for something from now on.
    pub fn ask(&self) -> Asked {
        if let Some(one) = self.places.taken().connections.get_mut(&self.number) {
            one.busy += 1;
            one.has_asked = true;
        }
        Asked(self.clone())
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        let Activity { places, number } = &self.0;
        let mut taken = places.taken();
        let now = taken.moment();
        if let Some(one) = taken.connections.get_mut(number) {
            one.busy = one.busy.saturating_sub(1);
            one.silent_since = now;
        }
        let is_full = taken.connections.len() >= places.0.most;
        drop(taken);
        if is_full {
            places.0.changed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn is_needed(place: &mut Place) -> bool {
        place.is_needed().now_or_never().is_some()
    }

    #[tokio::test]
    async fn who_never_asked_makes_room_first_then_who_was_silent_for_longest() {
        let places = Places::new(4);
        let mut speaker = places.enter().await;
        drop(speaker.activity().ask());
        let mut later = places.enter().await;
        let mut busy = places.enter().await;
        let asked = busy.activity().ask();
        let mut silent = places.enter().await;
        drop(later.activity().ask());
        assert!(places.enter().now_or_never().is_none());
        assert!(is_needed(&mut silent), "it never asked");
        assert!(!is_needed(&mut speaker) && !is_needed(&mut busy) && !is_needed(&mut later));
        drop(silent);
        let last = places.enter().now_or_never();
        assert!(last.is_some(), "there is a place");
        let asking = last.as_ref().map(|last| last.activity().ask());
        assert!(places.enter().now_or_never().is_none());
        assert!(is_needed(&mut speaker), "it was silent for longest");
        assert!(!is_needed(&mut busy) && !is_needed(&mut later));
        drop((asked, asking));
    }

    #[tokio::test]
    async fn while_all_are_asking_who_comes_waits_for_the_first_to_fall_silent() {
        let places = Places::new(2);
        let mut first = places.enter().await;
        let mut second = places.enter().await;
        let (one, other) = (first.activity().ask(), second.activity().ask());
        let both = second.activity().ask();
        let mut waiting = Box::pin(places.enter());
        assert!((&mut waiting).now_or_never().is_none());
        drop(both);
        assert!((&mut waiting).now_or_never().is_none());
        assert!(!is_needed(&mut first) && !is_needed(&mut second));
        drop(other);
        assert!((&mut waiting).now_or_never().is_none());
        assert!(is_needed(&mut second) && !is_needed(&mut first));
        // One that goes is enough.
        drop(one);
        assert!((&mut waiting).now_or_never().is_none());
        assert!(!is_needed(&mut first));
        drop(second);
        assert!(waiting.now_or_never().is_some());
    }
}
