//! What follows from what the other side says of a batch.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use super::*;
use crate::error::ErrorKind;

/// A post that sends nothing; two messages at most go together with `2`.
struct Most(usize);

impl Post<i64> for Most {
    async fn send(&self, _: &[&i64]) -> Sent {
        panic!("nothing is sent");
    }

    fn fits(&self, going: &[&i64], _: &i64) -> bool {
        going.len() < self.0
    }
}

fn records(count: i64) -> Vec<Packed> {
    let record = |offset| Packed {
        id: format!("r:id:3:{offset}"),
        replay: "r".to_owned(),
        topic: "orders".to_owned(),
        partition: 3,
        offset,
        timestamp_ms: None,
        key: None,
        value: None,
        headers: Vec::new(),
    };
    (0..count).map(record).collect()
}

fn round(records: &[Packed], stops: bool) -> Round<'_, i64> {
    Round::new(records, stops, true, |record| Ok(record.offset))
}

fn again() -> Option<Trouble> {
    Some(Trouble::Again(Error::unavailable("gone")))
}

fn refused() -> Fate {
    Fate::Refused(Error::rejected("no"))
}

fn full() -> Fate {
    Fate::Later(Error::unavailable("full"))
}

/// Sends what is next, and has it settled.
fn turn(
    round: &mut Round<'_, i64>,
    places: &[usize],
    fates: Vec<Fate>,
    trouble: Option<Trouble>,
) -> Next {
    assert_eq!(round.next(&Most(10)).0, places);
    round.settle(places, Sent { fates, trouble })
}

fn told(outcomes: Vec<Result<Landed>>) -> Vec<Result<(), String>> {
    let told = outcomes.into_iter().map(|outcome| match outcome {
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    });
    told.collect()
}

#[test]
fn only_what_is_not_confirmed_goes_again() {
    let records = records(4);
    let mut round = round(&records, true);
    let fates = vec![Fate::Taken, Fate::Open, Fate::Taken, Fate::Open];
    let next = turn(&mut round, &[0, 1, 2, 3], fates, again());
    let again_some = matches!(
        next,
        Next::Again {
            some: true,
            later: false,
            ..
        }
    );
    assert!(again_some, "{next:?}");
    let fates = vec![Fate::Open, Fate::Open];
    let next = turn(&mut round, &[1, 3], fates, again());
    assert!(matches!(next, Next::Again { some: false, .. }), "{next:?}");
    let fates = vec![Fate::Taken, Fate::Taken];
    let next = turn(&mut round, &[1, 3], fates, None);
    assert!(matches!(next, Next::On) && !round.has_open(), "{next:?}");
    assert_eq!(told(round.outcomes(None)), [Ok(()), Ok(()), Ok(()), Ok(())]);
}

#[test]
fn what_is_refused_stops_the_rest_or_is_passed_over() {
    let records = records(3);
    let fates = || vec![Fate::Taken, refused(), Fate::Open];
    let no = "record orders:3:1: no".to_owned();
    let mut skips = round(&records, false);
    turn(&mut skips, &[0, 1, 2], fates(), again());
    turn(&mut skips, &[2], vec![Fate::Taken], None);
    assert_eq!(
        told(skips.outcomes(None)),
        [Ok(()), Err(no.clone()), Ok(())]
    );
    let mut stops = round(&records, true);
    turn(&mut stops, &[0, 1, 2], fates(), again());
    assert!(!stops.has_open(), "nothing behind it is sent any more");
    let outcomes = told(stops.outcomes(None));
    assert_eq!(outcomes, [Ok(()), Err(no.clone()), Err(no)]);
}

#[test]
fn the_message_that_is_at_fault_is_found_and_refused() {
    let records = records(3);
    let large = || Some(Trouble::Message(Error::rejected("too large")));
    let mut round = round(&records, false);
    let fates = vec![Fate::Open, Fate::Open, Fate::Open];
    turn(&mut round, &[0, 1, 2], fates, large());
    turn(&mut round, &[0], vec![Fate::Taken], None);
    turn(&mut round, &[1], vec![Fate::Open], large());
    turn(&mut round, &[2], vec![Fate::Taken], None);
    let outcomes = round.outcomes(None);
    let kind = outcomes[1].as_ref().unwrap_err().kind();
    assert_eq!(kind, ErrorKind::Rejected);
    let refused = "record orders:3:1: too large".to_owned();
    assert_eq!(told(outcomes), [Ok(()), Err(refused), Ok(())]);
}

#[test]
fn what_is_put_off_is_waited_for_one_by_one_where_order_counts() {
    let records = records(3);
    let fates = || vec![Fate::Taken, full(), full()];
    let mut ordered = round(&records, true);
    let next = turn(&mut ordered, &[0, 1, 2], fates(), None);
    let patient = matches!(
        next,
        Next::Again {
            some: true,
            later: true,
            ..
        }
    );
    assert!(patient, "{next:?}");
    turn(&mut ordered, &[1], vec![Fate::Taken], None);
    let Next::Again {
        error,
        some: false,
        later: true,
    } = turn(&mut ordered, &[2], vec![full()], None)
    else {
        panic!("it is not put off");
    };
    let full_2 = "record orders:3:2: full".to_owned();
    assert_eq!(
        told(ordered.outcomes(Some(error))),
        [Ok(()), Ok(()), Err(full_2)]
    );
    let mut any: Round<'_, i64> = Round::new(&records, true, false, |record| Ok(record.offset));
    turn(&mut any, &[0, 1, 2], fates(), None);
    assert_eq!(any.next(&Most(10)).0, [1, 2]);
}

#[test]
fn what_fails_for_all_ends_the_batch_and_what_was_taken_counts() {
    let records = records(3);
    let mut round = round(&records, false);
    let gone = Some(Trouble::Broken(Error::not_found("no queue")));
    let fates = vec![Fate::Open, Fate::Taken, Fate::Open];
    let Next::Stop(error) = turn(&mut round, &[0, 1, 2], fates, gone) else {
        panic!("it goes on");
    };
    let outcomes = told(round.outcomes(Some(error)));
    let gone = "record orders:3:0: no queue".to_owned();
    assert_eq!(outcomes, [Err(gone.clone()), Ok(()), Err(gone)]);
}

#[test]
fn a_record_that_can_not_be_a_message_is_refused_before_anything_is_sent() {
    let records = records(3);
    let write = |record: &Packed| match record.offset {
        1 => Err(Error::rejected("no key")),
        offset => Ok(offset),
    };
    let no_key = "record orders:3:1: no key".to_owned();
    let mut stops = Round::new(&records, true, true, write);
    turn(&mut stops, &[0], vec![Fate::Taken], None);
    assert!(!stops.has_open());
    let outcomes = told(stops.outcomes(None));
    assert_eq!(outcomes, [Ok(()), Err(no_key.clone()), Err(no_key.clone())]);
    let mut skips = Round::new(&records, false, true, write);
    turn(&mut skips, &[0, 2], vec![Fate::Taken, Fate::Taken], None);
    assert_eq!(told(skips.outcomes(None)), [Ok(()), Err(no_key), Ok(())]);
}

#[test]
fn no_more_go_together_than_fit() {
    let records = records(3);
    let round = round(&records, true);
    assert_eq!(round.next(&Most(2)).0, [0, 1]);
    assert_eq!(round.next(&Most(0)).0, [0], "one goes whatever its size");
}
