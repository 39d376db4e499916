//! The registry on a lake in memory, with several processes on it.
#![allow(clippy::unwrap_used)]

use eddy_engine::testing::memory_lake;

use super::*;

fn declared() -> Vec<Declared> {
    let keys = [("topic", "files"), ("token", "0123456789abcdef")];
    let keys = keys.map(|(key, value)| (key.to_owned(), value.to_owned()));
    vec![Declared::read("file", &keys.into()).unwrap()]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_taken_once_and_what_one_made_others_find() {
    let lake = memory_lake(Clock::system());
    let one = Collections::open(&lake, Vec::new()).unwrap();
    let other = Collections::open(&lake, Vec::new()).unwrap();
    let (made, token) = one.create("clicks", "web.clicks").await.unwrap();
    let taken = other.create("clicks", "another").await.unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::Fenced);
    assert_eq!(other.get("clicks").await.unwrap(), made);
    let snapshot = other.current().await.unwrap();
    let (found, issued) = snapshot.issued(token.id().unwrap()).unwrap();
    assert_eq!(found.topic, "web.clicks");
    assert!(issued.hash.is_of(&token).unwrap());
    let none = one.get("clocks").await.unwrap_err();
    assert_eq!(none.kind(), ErrorKind::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_at_once_are_all_there() {
    let lake = memory_lake(Clock::system());
    let one = Collections::open(&lake, Vec::new()).unwrap();
    let other = Collections::open(&lake, Vec::new()).unwrap();
    let (a, b, c) = tokio::join!(
        one.create("a", "a"),
        other.create("b", "b"),
        one.create("c", "c"),
    );
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
    let all = Collections::open(&lake, Vec::new()).unwrap();
    let all = all.current().await.unwrap();
    let names: Vec<&str> = all.collections.keys().map(String::as_str).collect();
    assert_eq!(names, ["a", "b", "c"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_is_gone_here_at_once_and_elsewhere_within_its_time() {
    let clock = Clock::manual(1_000_000);
    let lake = memory_lake(clock.clone());
    let one = Collections::open(&lake, Vec::new()).unwrap();
    let other = Collections::open(&lake, Vec::new()).unwrap();
    one.create("clicks", "clicks").await.unwrap();
    let (issued, _) = one.add_token("clicks", Some(9_000), Some(5)).await.unwrap();
    let opens = |snapshot: Arc<Snapshot>| snapshot.issued(&issued.id).is_some();
    assert!(opens(other.current().await.unwrap()));
    one.revoke("clicks", &issued.id).await.unwrap();
    assert!(!opens(one.current().await.unwrap()));
    assert!(
        opens(other.current().await.unwrap()),
        "it has no reason to look yet"
    );
    clock.advance(FRESH_FOR);
    assert!(!opens(other.current().await.unwrap()));
    let again = one.revoke("clicks", &issued.id).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_file_declares_is_changed_only_there() {
    let lake = memory_lake(Clock::system());
    let one = Collections::open(&lake, declared()).unwrap();
    assert!(one.get("file").await.unwrap().declared);
    for refused in [
        one.set_state("file", State::Paused).await.map(|_| ()),
        one.revoke("file", "file").await,
        one.create("file", "x").await.map(|_| ()),
    ] {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Fenced);
    }
    let snapshot = one.current().await.unwrap();
    let digest = Token::given("0123456789abcdef").digest();
    assert_eq!(snapshot.declared(&digest).unwrap().0.topic, "files");
    let twice = [declared(), declared()].concat();
    assert!(Collections::open(&lake, twice).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_rates_and_times_are_refused_and_states_are_kept() {
    let lake = memory_lake(Clock::system());
    let one = Collections::open(&lake, Vec::new()).unwrap();
    one.create("clicks", "clicks").await.unwrap();
    assert!(one.add_token("clicks", None, Some(0)).await.is_err());
    assert!(one.add_token("clicks", Some(1), None).await.is_err());
    for state in [State::Paused, State::Archived, State::Active] {
        one.set_state("clicks", state).await.unwrap();
        let other = Collections::open(&lake, Vec::new()).unwrap();
        assert_eq!(other.get("clicks").await.unwrap().state, state);
    }
}

#[tokio::test]
async fn a_look_that_began_earlier_does_not_bring_back_what_was_changed_since() {
    let lake = memory_lake(Clock::system());
    let one = Collections::open(&lake, Vec::new()).unwrap();
    let (_, token) = one.create("clicks", "clicks").await.unwrap();
    let (number, before) = one.stored().await.unwrap();
    let id = token.id().unwrap();
    one.revoke("clicks", id).await.unwrap();
    let known = one.know(number, before, one.0.clock.monotonic());
    assert!(known.issued(id).is_none());
    assert!(one.current().await.unwrap().issued(id).is_none());
}
