//! A statement that names a table in several ways sees one version of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use eddy_engine::{Clock, Lake, TablePath};
use serde_json::json;

use crate::catalog::{Commit, Home, Tables};
use crate::error::Result;
use crate::flight::peers::Peers;
use crate::lake::LakeTables;
use crate::query::{Query, QueryOptions, Request};
use crate::table::View;
use crate::testing::World;

/// Tables of which every look sees one version more.
struct Growing {
    tables: LakeTables,
    next: AtomicU64,
}

#[async_trait]
impl Tables for Growing {
    async fn list(&self) -> Result<Vec<String>> {
        self.tables.list().await
    }

    fn path(&self, name: &str) -> Result<TablePath> {
        self.tables.path(name)
    }

    async fn view(&self, name: &str, version: Option<u64>) -> Result<View> {
        let next = || self.next.fetch_add(1, Ordering::Relaxed);
        let version = version.unwrap_or_else(next);
        self.tables.view(name, Some(version)).await
    }

    async fn commits(&self, name: &str) -> Result<Vec<Commit>> {
        self.tables.commits(name).await
    }

    fn home(&self, name: &str) -> Result<Home> {
        self.tables.home(name)
    }

    fn lakes(&self) -> Vec<Lake> {
        self.tables.lakes()
    }

    fn set_peers(&self, peers: Peers) {
        self.tables.set_peers(peers);
    }

    fn peers(&self) -> Option<&Arc<Peers>> {
        self.tables.peers()
    }

    fn add_lake(&self, lake: Lake, topics_dir: &str) {
        self.tables.add_lake(lake, topics_dir);
    }

    async fn changed(&self) {
        self.tables.changed().await;
    }
}

/// Counts of the rows of `orders` and of its dead letters, which every version has as many of.
const BOTH: &str = "SELECT good.c AS good, dead.c AS dead FROM \
                    (SELECT count(*) AS c FROM orders) AS good, \
                    (SELECT count(*) AS c FROM \"orders@dead\") AS dead";

#[test]
fn e4_a_table_and_its_dead_letters_are_seen_in_one_version() {
    let mut world = World::new();
    let mut topic = world.writer("orders", 1);
    for number in 0..12 {
        topic.put(0, &json!({"id": number}).to_string());
        topic.put(0, "{broken");
        topic.commit();
    }
    let tables = LakeTables::new(world.lake.clone(), 1 << 20);
    let newest = world.runtime.block_on(async {
        tables.list().await.unwrap();
        tables.view("orders", None).await.unwrap().version
    });
    let growing = Growing {
        tables,
        next: AtomicU64::new(newest - 8),
    };
    let options = QueryOptions {
        threads: 2,
        ..QueryOptions::default()
    };
    world.query = Query::over(Arc::new(growing), Clock::system(), options).unwrap();
    for sql in [
        BOTH,
        "SELECT good.c AS good, dead.c AS dead FROM \
         (SELECT count(*) AS c FROM system.dead_letters) AS dead, \
         (SELECT count(*) AS c FROM orders) AS good",
    ] {
        let rows = world.rows(sql);
        assert_eq!(rows[0]["good"], rows[0]["dead"], "{sql}");
        assert!(rows[0]["good"].as_i64().unwrap() < 12, "{rows:?}");
    }
}

#[test]
fn a_version_of_the_request_is_that_of_a_table_and_its_dead_letters() {
    let world = World::new();
    let mut topic = world.writer("orders", 1);
    let mut versions = Vec::new();
    for number in 0..3 {
        topic.put(0, &json!({"id": number}).to_string());
        topic.put(0, "{broken");
        topic.commit();
        let (position, _) = world.ask(Request::new("SELECT id FROM orders")).unwrap();
        versions.push(position["version"].clone());
    }
    let request = Request {
        as_of: Some(json!({"version": versions[1]})),
        ..Request::new(BOTH)
    };
    let (_, rows) = world.ask(request).unwrap();
    assert_eq!(rows, [json!({"good": 2, "dead": 2})]);
}
