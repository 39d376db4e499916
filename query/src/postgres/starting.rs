//! Connections whose clients haven't said yet who they are: so many at once, of which the newest
//! stay. Whoever reaches the listener can open them, so one that is silent keeps nobody out.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;

/// Connections at once: as many as may be open afterwards, so that all of these can come together.
pub(super) const STARTING_MAX: usize = super::CONNECTIONS_MAX;

/// Who is starting, in the order in which they came.
#[derive(Default)]
pub(super) struct Starting(Mutex<VecDeque<oneshot::Sender<()>>>);

/// The place of a connection until it has started.
pub(super) struct Place(oneshot::Receiver<()>);

impl Starting {
    /// A place for a new connection. Where there are too many, the oldest loses its own.
    pub(super) fn place(&self) -> Place {
        let (tx, rx) = oneshot::channel();
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that have started or went.
        places.retain(|place| !place.is_closed());
        if places.len() >= STARTING_MAX {
            places.pop_front();
        }
        places.push_back(tx);
        Place(rx)
    }
}

impl Place {
    /// Returns once the place is another connection's.
    pub(super) async fn lost(&mut self) {
        // Nothing is ever sent: it is lost when the other end is dropped.
        let _ = (&mut self.0).await;
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn who_has_started_makes_room_first_and_then_who_came_first() {
        let starting = Starting::default();
        let mut places: Vec<Place> = (0..STARTING_MAX).map(|_| starting.place()).collect();
        let lost = |places: &mut Vec<Place>| {
            let lost = |place: &mut Place| place.lost().now_or_never().is_some();
            places.iter_mut().map(lost).collect::<Vec<bool>>()
        };
        drop(places.remove(1));
        places.push(starting.place());
        assert!(lost(&mut places).iter().all(|lost| !lost));
        places.push(starting.place());
        let lost = lost(&mut places);
        assert_eq!(lost.iter().position(|lost| *lost), Some(0));
        assert_eq!(lost.iter().filter(|lost| **lost).count(), 1);
    }
}
