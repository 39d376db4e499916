//! What the upkeep of filters does at once, whose packs it looks at, and what it never stands in
//! the way of.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;

use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};

use super::upkeep::{compacted, lazy, lazy_but_filtering};
use crate::filter::{Footer, Listed, Of, PackedFile, Wanted};
use crate::maintain::packs::{Pack, Packs, swells};
use crate::maintain::receipts;
use crate::maintain::tests::World;
use crate::maintain::tests::erasure::when;

#[test]
fn many_files_without_filters_get_them_some_at_a_time() {
    let world = World::in_memory();
    let mut writer = world.writer(&[0]);
    world.commits(&mut writer, 0..70, 1);
    world.hours_later(3);
    let (mut keeper, halt) = (world.keeper(), AtomicBool::new(false));
    let mut pass = || {
        let kept = keeper.pass(&world.table(), &lazy_but_filtering(), &halt);
        let filtered = kept.unwrap().filtered;
        (filtered.files, filtered.left)
    };
    assert_eq!([pass(), pass(), pass()], [(64, 6), (6, 0), (0, 0)]);
    for n in 0..70 {
        assert_eq!(
            world.may_hold(&Wanted::words(&format!("order {n}"))).1,
            0,
            "each has filters"
        );
    }
}

#[test]
fn a_file_that_is_missing_costs_the_others_neither_filters_nor_the_pass() {
    let world = World::in_memory();
    let mut writer = world.writer(&[0]);
    world.commits(&mut writer, 0..30, 10);
    let gone = world.snapshot().files[1].path.clone();
    world.remove(world.table().object(&gone).as_ref());
    world.hours_later(3);
    let filtered = world.pass(&lazy_but_filtering()).unwrap().filtered;
    assert_eq!((filtered.files, filtered.left), (2, 1));
}

#[test]
fn packs_in_a_folder_further_down_are_another_tables() {
    let world = World::in_memory();
    compacted(&world, std::iter::once(0..20));
    let ours = world.keys("_eddy/filters").remove(0);
    let id = world.lake.clock().new_id();
    let (folder, _) = ours.rsplit_once('/').unwrap();
    let theirs = format!("{folder}/late/{id}.filters");
    let (lake, from, to) = (
        world.lake.clone(),
        Path::from(ours.as_str()),
        theirs.clone(),
    );
    let copied = async move {
        let found = lake.store().get(&from).await.unwrap();
        let bytes = PutPayload::from(found.bytes().await.unwrap());
        lake.store().put(&Path::from(to), bytes).await.unwrap();
    };
    world.lake.wait(copied).unwrap();
    world.hours_later(25);
    let packs = Packs::read(&world.lake, &world.table()).unwrap();
    assert_eq!(packs.remove_dead(&world.lake, &BTreeSet::new()).unwrap(), 1);
    assert_eq!(world.keys("_eddy/filters"), [theirs]);
}

#[test]
fn an_erasure_is_not_complete_while_a_broken_pack_may_tell_of_it() {
    let world = World::in_memory();
    compacted(&world, [0..20, 20..40]);
    for key in world.keys("_eddy/filters") {
        world.overwrite(&key, |bytes| bytes.truncate(bytes.len() - 1));
    }
    let id = world.lake.clock().new_id();
    let receipt = world.erase(id, &when(|n| n == 33)).unwrap();
    assert_eq!((receipt.rows, receipt.filters.len()), (1, 2));
    world.hours_later(25);
    world.pass(&lazy()).unwrap();
    let receipt = receipts(&world.lake, &world.table()).unwrap().remove(0);
    assert!(receipt.removed_us.is_some(), "{receipt:?}");
    let left = world.keys("_eddy/filters");
    let left = left
        .iter()
        .filter(|key| receipt.filters.iter().any(|id| key.contains(id)));
    assert_eq!(left.count(), 0);
}

#[test]
fn small_filters_are_not_cut_as_finely_as_those_of_large_files() {
    let pack = |number: u128, row_groups: usize, bits: u8| {
        let file = PackedFile {
            path: format!("{number}.parquet"),
            row_groups,
            cut: None,
        };
        let filters = vec![Some(bits); row_groups];
        let footer = Footer::new(vec![file], vec![(Of::Words, 0, filters)]);
        let size = footer.members[0].range(0..footer.members[0].sections()).end;
        let object = object_store::ObjectMeta {
            location: Path::from("pack"),
            last_modified: chrono::DateTime::UNIX_EPOCH,
            size,
            e_tag: None,
            version: None,
        };
        let id = uuid::Uuid::from_u128(number);
        Pack {
            listed: Listed { id, object },
            footer,
        }
    };
    let (large, small) = (pack(1, 8, 17), pack(2, 8, 14));
    let tiny: Vec<Pack> = (3..200).map(|number| pack(number, 100, 0)).collect();
    assert!(!swells(&[&small, &large], &|_| true));
    let mut all: Vec<&Pack> = tiny.iter().chain([&large]).collect();
    assert!(swells(&all, &|_| true));
    all.pop();
    assert!(!swells(&all, &|_| true));
    let many = pack(300, 100_000, 0);
    let size = many.listed.object.size;
    assert!(
        size < 2 * 100_000 * 32 + 1_000,
        "{size}: each is a block, however it is cut"
    );
}
