//! Transactions beside a cluster whose brokers go away one by one: librdkafka's mock.

#![allow(clippy::unwrap_used)]

use rdkafka::mocking::{MockCluster, MockCoordinator};

use super::*;

/// Two brokers: the group's coordinator goes away, and that of the transactions stays.
#[tokio::test]
async fn a_commit_whose_groups_coordinator_is_away_is_given_up_in_time() {
    const NAME: &str = "of-a-replay";
    let cluster = MockCluster::new(2).unwrap();
    cluster.create_topic("orders", 1, 1).unwrap();
    cluster.partition_leader("orders", 0, Some(1)).unwrap();
    let transactions = MockCoordinator::Transaction(NAME.to_owned());
    cluster.coordinator(transactions, 1).unwrap();
    let group = MockCoordinator::Group(NAME.to_owned());
    cluster.coordinator(group, 2).unwrap();
    let config = KafkaConfig::default().with("bootstrap.servers", cluster.bootstrap_servers());
    let names = (NAME.to_owned(), "orders".to_owned());
    let options = ProducerOptions::default();
    let (clock, waiting) = (Clock::system(), Clock::system());
    let watch = Clock::system();
    let step = Duration::from_secs(2);
    let opened = in_step(STEP, &waiting, move || {
        Client::open(&config, &names, options, &clock, STEP)
    });
    let client = opened.await.unwrap().unwrap();
    let client = Arc::new(Client { step, ..client });
    let transactions = Transactions { client };
    cluster.broker_down(2).unwrap();
    transactions.begin().unwrap();
    let begun = watch.monotonic();
    let mark = KeptMark {
        partition: 0,
        number: 1,
        text: "here".to_owned(),
    };
    let error = transactions.commit(vec![mark]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(watch.monotonic() - begun < Duration::from_secs(30));
    // The call that is still waiting has the client; taking back fails and doesn't wait.
    assert!(transactions.abort().await.is_err());
}
