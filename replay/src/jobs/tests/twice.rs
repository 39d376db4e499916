//! A replay that is begun twice at the same moment.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_that_two_requests_began_at_once_has_one_worker_that_can_be_stopped() {
    let room = Room::new(Clock::system(), 1, 200);
    room.fake.hold(true);
    let jobs = room.open(quick()).await;
    let id = jobs.start(&request(&[])).await.unwrap().job.id;
    within(room.fake.wait_for(1)).await;
    let mut entries = jobs.0.entries.lock().await;
    jobs.0.spawn(entries.get_mut(&id).unwrap());
    drop(entries);
    jobs.cancel(&id).await.unwrap();
    let arrived = room.arrived().len();
    room.fake.hold(false);
    room.fake.release();
    // Both have ended, and what was under way came to nothing.
    let task = jobs
        .0
        .entries
        .lock()
        .await
        .get_mut(&id)
        .unwrap()
        .task
        .take();
    within(task.unwrap()).await.unwrap();
    assert_eq!(room.arrived().len(), arrived);
    assert_eq!(jobs.show(&id).await.unwrap().state, State::Cancelled);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_is_not_written_over_by_who_read_before_it_in_the_same_process() {
    let room = Room::new(Clock::system(), 1, 10);
    room.fake.hold(true);
    let jobs = room.open(quick()).await;
    let id = jobs.start(&request(&[])).await.unwrap().job.id;
    within(room.fake.wait_for(1)).await;
    jobs.pause(&id).await.unwrap();
    jobs.shutdown().await;
    let (store, register) = (&jobs.0.store, crate::cell::register(&id));
    let (number, job) = store.latest::<Job>(&register).await.unwrap().unwrap();
    let cell = || {
        let (clock, worker) = (Clock::system(), jobs.0.worker.clone());
        crate::cell::Cell::found(store.clone(), clock, worker, number, job.clone())
    };
    let (slow, fast) = (cell(), cell());
    fast.apply(Event::Cancel, None).await.unwrap();
    let fenced = slow.apply(Event::Resume, None).await.unwrap_err();
    assert_eq!(fenced.kind(), ErrorKind::Fenced);
    let (_, job) = store.latest::<Job>(&register).await.unwrap().unwrap();
    assert_eq!(job.state, State::Cancelled);
}
