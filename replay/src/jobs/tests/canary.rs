//! A canary: the first records alone, then the answer to a question, then the rest or none.

use super::live::Live;
use super::*;

const CANARY: [(&str, &str); 3] = [
    ("canary", "10"),
    ("expect", "SELECT count(*) = 10 FROM results"),
    ("name", "checked"),
];

fn room() -> (Room, Arc<Live>) {
    let room = Room::new(Clock::system(), 2, 20);
    let source = Live::new(&room.records, false);
    // The one who asks for it is told at once if the question makes no sense.
    source.answer([Ok(false)]);
    (room, source)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rest_follows_once_the_question_is_answered_with_true() {
    let (room, source) = room();
    let away = Err(Error::unavailable("the server is busy"));
    source.answer([Ok(false), away, Ok(false), Ok(true)]);
    let jobs = room.open_over(source.clone(), quick()).await;
    jobs.start(&request(&CANARY)).await.unwrap();
    let job = until(&jobs, "checked", State::Done).await;
    assert_eq!((job.counts.acknowledged, job.canary_passed), (40, true));
    assert_eq!(source.asked(), 5);
    assert_eq!(room.arrived(), room.expected());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_the_first_records_goes_out_while_the_answer_is_no() {
    let (room, source) = room();
    let jobs = room.open_over(source.clone(), quick()).await;
    let within = [("within", "20ms")];
    let asked: Vec<_> = CANARY.into_iter().chain(within).collect();
    jobs.start(&request(&asked)).await.unwrap();
    let job = until(&jobs, "checked", State::Failed).await;
    let reason = job.reason.unwrap();
    assert!(reason.contains("the first 10 records"), "{reason}");
    assert!(reason.contains("says: false"), "{reason}");
    assert_eq!(room.arrived(), room.expected()[..10]);
    // Somebody mends what was wrong, and lets it go on.
    source.answer([Ok(true)]);
    jobs.resume("checked", None).await.unwrap();
    let job = until(&jobs, "checked", State::Done).await;
    assert_eq!(job.counts.acknowledged, 40);
    assert_eq!(room.arrived(), room.expected());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_asks_again_and_sends_no_more_first_records() {
    let (room, source) = room();
    let jobs = room.open_over(source.clone(), quick()).await;
    jobs.start(&request(&CANARY)).await.unwrap();
    let waiting = async {
        while source.asked() < 3 {
            tokio::task::yield_now().await;
        }
    };
    within(waiting).await;
    jobs.shutdown().await;
    assert_eq!(room.fake.received().len(), 10);
    source.answer([Ok(true)]);
    let jobs = room.open_over(source.clone(), quick()).await;
    until(&jobs, "checked", State::Done).await;
    assert_eq!(room.arrived(), room.expected());
}

#[tokio::test(flavor = "multi_thread")]
async fn fewer_records_than_a_canary_has_are_looked_at_too() {
    let (room, source) = room();
    let many = [("canary", "1000"), CANARY[1], CANARY[2], ("within", "1ms")];
    let jobs = room.open_over(source, quick()).await;
    jobs.start(&request(&many)).await.unwrap();
    let job = until(&jobs, "checked", State::Failed).await;
    assert_eq!(job.counts.acknowledged, 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_makes_no_sense_is_refused_at_once() {
    let room = Room::new(Clock::system(), 1, 5);
    let source = Live::new(&room.records, false);
    source.answer([Err(Error::invalid("there is no table `results`"))]);
    let jobs = room.open_over(source, quick()).await;
    let refused = jobs.start(&request(&CANARY)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    assert_eq!(room.fake.received(), []);
}
