//! Pauses and their end, on a clock that is turned.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use super::*;

fn patience(attempts: u32) -> (Clock, Arc<Patience>) {
    let clock = Clock::manual(0);
    let halt = CancellationToken::new();
    let patience = Patience::new(clock.clone(), attempts, halt);
    (clock, Arc::new(patience))
}

fn away() -> Error {
    Error::unavailable("nobody answers")
}

#[test]
fn pauses_double_up_to_a_bound_and_keep_half_of_it() {
    for (failures, longest_ms) in [(1, 250), (2, 500), (3, 1_000), (8, 30_000), (99, 30_000)] {
        let longest = Duration::from_millis(longest_ms);
        assert_eq!(pause(failures, u32::MAX), longest);
        assert_eq!(pause(failures, 0), longest / 2);
    }
}

#[tokio::test]
async fn a_request_is_given_up_after_its_attempts() {
    let (_, patience) = patience(1);
    let error = patience.again(&mut Tries::default(), None, away()).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::GaveUp);
    assert_eq!(error.to_string(), "given up after 1 tries: nobody answers");
}

#[tokio::test]
async fn who_is_asked_to_wait_waits_exactly_so_long_and_so_do_the_others() {
    let (clock, patience) = patience(3);
    let asked = Duration::from_secs(7);
    let one = tokio::spawn({
        let patience = patience.clone();
        async move {
            let mut tries = Tries::default();
            patience.again(&mut tries, Some(asked), away()).await
        }
    });
    tokio::task::yield_now().await;
    let other = tokio::spawn({
        let patience = patience.clone();
        async move { patience.turn().await }
    });
    tokio::task::yield_now().await;
    // The first wait is its own pause, the second the one that was asked for.
    clock.advance(asked - Duration::from_micros(1));
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert!(!one.is_finished() && !other.is_finished());
    clock.advance(Duration::from_micros(1));
    one.await.unwrap().unwrap();
    other.await.unwrap().unwrap();
}

#[tokio::test]
async fn patience_that_is_asked_for_is_counted_anew_while_others_are_taken_but_not_for_ever() {
    let (clock, patience) = patience(2);
    let mut tries = Tries::default();
    let asked = Some(Duration::ZERO);
    let mut taken = 0;
    let error = loop {
        let again = patience.again(&mut tries, asked, away());
        let turned = async {
            tokio::task::yield_now().await;
            clock.advance(PAUSE_MAX);
        };
        let (again, ()) = tokio::join!(again, turned);
        if let Err(error) = again {
            break error;
        }
        patience.taken();
        taken += 1;
    };
    assert_eq!(error.kind(), ErrorKind::GaveUp);
    assert_eq!(taken, 2 * ROUNDS - 1);
}

#[tokio::test]
async fn a_halt_ends_every_wait() {
    let (_, patience) = patience(5);
    let waiting = tokio::spawn({
        let patience = patience.clone();
        async move {
            let asked = Some(Duration::from_secs(60));
            patience.again(&mut Tries::default(), asked, away()).await
        }
    });
    tokio::task::yield_now().await;
    patience.halt.cancel();
    assert_eq!(
        waiting.await.unwrap().unwrap_err().to_string(),
        "nobody answers"
    );
    assert!(patience.turn().await.is_err());
}
