//! Real events of many kinds in one topic: wide tables, drifting types, late columns.

use super::*;

fn lines(name: &str) -> Vec<Vec<u8>> {
    let path = format!(
        "{}/../tests/fixtures/{name}.ndjson",
        env!("CARGO_MANIFEST_DIR")
    );
    let text = std::fs::read(&path).unwrap();
    text.split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(<[u8]>::to_vec)
        .collect()
}

/// Several publishes and cuts, four partitions; each value comes back byte for byte.
fn land(name: &str) {
    let world = World::in_memory();
    let (mut writer, _) = world.assigned(&[0, 1, 2, 3]);
    let lines = lines(name);
    let mut sent = BTreeMap::new();
    for (index, line) in lines.iter().enumerate() {
        let partition = i32::try_from(index % 4).unwrap();
        let offset = i64::try_from(index / 4).unwrap();
        writer.append(&record(partition, offset, line)).unwrap();
        sent.insert((partition, offset), line.clone());
        if index % 200 == 199 {
            writer.publish().unwrap();
        }
        if index % 1_000 == 999 {
            commit(&mut writer);
        }
    }
    commit(&mut writer);
    world.each_offset_once();
    for file in world.snapshot().files.iter() {
        for batch in read(world.bytes(&file.path)) {
            let values = batch["_value"].as_binary::<i32>();
            for (row, at) in offsets(&batch).into_iter().enumerate() {
                assert_eq!(Some(values.value(row)), sent.remove(&at).as_deref());
            }
        }
    }
    assert!(sent.is_empty());
}

#[test]
fn e7_audit_logs_of_91_kinds_land_byte_for_byte() {
    land("saas-audit-logs");
}

#[test]
fn e7_slack_events_land_byte_for_byte() {
    land("slack-events");
}

#[test]
fn e7_stripe_objects_land_byte_for_byte() {
    land("stripe-objects");
}
