//! Packs answer for every slice, never wrongly with a no, and are read as they ever were.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
use super::*;
use crate::filter::gather::Slice;
use crate::filter::hash::of_long;
use crate::filter::slices::{Allowed, Slices};

fn bloom(values: std::ops::Range<i64>) -> Bloom {
    let mut bloom = Bloom::new(13);
    values.for_each(|value| bloom.insert(of_long(value)));
    bloom.folded(0.01)
}

/// The filters of a file of which each row group is one slice.
fn file(path: String, slices: Vec<Slice>) -> FileFilters {
    let mut cut = Slices::new(1);
    slices.iter().for_each(|_| cut.push(1));
    FileFilters { path, cut, slices }
}

/// Slices of many different sizes, some without a filter.
fn files() -> Vec<FileFilters> {
    let sizes: [&[i64]; 4] = [&[10, 50_000], &[0], &[], &[3_000, 1, 40_000]];
    let mut from = 0;
    let files = sizes.iter().enumerate().map(|(at, sizes)| {
        let slices = sizes.iter().map(|size| {
            let values = from..from + size;
            from = values.end;
            let column = Of::Column(vec![format!("id{}", at % 2)]);
            vec![(column, bloom(values.clone())), (Of::Words, bloom(values))]
        });
        file(format!("dt=2026-11-23/{at}.parquet"), slices.collect())
    });
    files.collect()
}

fn read(bytes: &[u8]) -> Footer {
    let size = u64::try_from(bytes.len()).unwrap();
    let length = Footer::length(bytes).unwrap();
    let from = bytes.len() - length - super::super::layout::TAIL_BYTES;
    Footer::decode(&bytes[from..], size).unwrap()
}

fn section_of(bytes: &[u8], member: &super::super::layout::Member, hash: u64) -> Vec<u8> {
    let at = member.section_of(hash);
    let range = member.range(at..at + 1);
    let at = |place: u64| usize::try_from(place).unwrap();
    bytes[at(range.start)..at(range.end)].to_vec()
}

#[test]
fn one_section_answers_for_every_slice_of_the_pack() {
    let files = files();
    let bytes = build(&files).unwrap();
    let footer = read(&bytes);
    let paths: Vec<&String> = footer.files.iter().map(|file| &file.path).collect();
    assert_eq!(
        paths,
        files.iter().map(|file| &file.path).collect::<Vec<_>>()
    );
    let words = footer.members.iter().find(|member| member.of == Of::Words);
    let words = words.unwrap();
    assert!(
        words.cuts > 0 && words.section_bytes() < 70_000,
        "{words:?}"
    );
    let mut wrong = 0;
    for value in (0..93_500).step_by(31) {
        let hash = of_long(value);
        let section = section_of(&bytes, words, hash);
        let answers = words.answer(&section, hash).unwrap();
        let mut from = 0;
        for (may_hold, size) in answers.into_iter().zip([10, 50_000, 0, 3_000, 1, 40_000]) {
            let holds = (from..from + size).contains(&value);
            assert!(may_hold || !holds, "{value} is denied");
            wrong += usize::from(may_hold && !holds);
            from += size;
        }
    }
    assert!(wrong < 3_000 * 6 / 80, "{wrong}");
}

#[test]
fn a_slice_without_a_filter_may_hold_anything() {
    let bytes = build(&files()).unwrap();
    let footer = read(&bytes);
    let column = Of::Column(vec!["id1".to_owned()]);
    let member = footer.members.iter().find(|member| member.of == column);
    let member = member.unwrap();
    let hash = of_long(-1);
    let answers = member
        .answer(&section_of(&bytes, member, hash), hash)
        .unwrap();
    assert!(answers[0] && answers[1] && !answers[2], "{answers:?}");
}

#[test]
fn a_flipped_bit_anywhere_is_an_error_and_never_a_no() {
    let file = file(
        "a.parquet".to_owned(),
        vec![vec![(Of::Words, bloom(0..60))]],
    );
    let bytes = build(&[file]).unwrap().to_vec();
    let read_and_ask = |bytes: &[u8], value| {
        let size = u64::try_from(bytes.len()).unwrap();
        let length = Footer::length(bytes).ok()? + super::super::layout::TAIL_BYTES;
        let footer = bytes.get(bytes.len().checked_sub(length)?..)?;
        let footer = Footer::decode(footer, size).ok()?;
        let (member, hash) = (footer.members.first()?, of_long(value));
        let section = section_of(bytes, member, hash);
        member.answer(&section, hash).ok()?.first().copied()
    };
    assert_eq!(read_and_ask(&bytes, 7), Some(true));
    for at in 8..bytes.len() {
        for bit in [1, 16] {
            let mut broken = bytes.clone();
            broken[at] ^= bit;
            assert_eq!(read_and_ask(&broken, 7), None, "byte {at}");
        }
    }
}

/// The pack of `files` with fewer values, as it was first stored: without a word of slices.
const STORED: &[u8] = include_bytes!("../../../../../tests/fixtures/one-pack.filters");

fn stored_files() -> Vec<FileFilters> {
    let slice = |values: std::ops::Range<i64>| {
        let column = Of::Column(vec!["customer".to_owned(), "id".to_owned()]);
        vec![(column, bloom(values.clone())), (Of::Words, bloom(values))]
    };
    vec![
        file(
            "dt=2026-11-23/a.parquet".to_owned(),
            vec![slice(0..300), slice(300..400)],
        ),
        file(
            "dt=2026-11-24/b.parquet".to_owned(),
            vec![slice(400..401), Vec::new()],
        ),
    ]
}

#[test]
fn packs_are_written_and_read_as_those_that_are_stored() {
    let footer = read(STORED);
    let bytes = build(&stored_files()).unwrap();
    let mut written = read(&bytes);
    let cut = serde_json::json!({"each": 1, "rows": [1, 1]});
    for file in &mut written.files {
        let text = serde_json::to_value(&*file).unwrap();
        assert_eq!((&text["row_groups"], &text["cut"]), (&2.into(), &cut));
        file.cut = None;
    }
    written.unicode = footer.unicode;
    assert_eq!(written, footer);
    let allowed = footer.files[0].allowed(|slice| slice == 1);
    assert_eq!(allowed, [Allowed::Nothing, Allowed::Whole]);
    for member in &footer.members {
        for value in 0..500 {
            let hash = of_long(value);
            let section = section_of(STORED, member, hash);
            assert_eq!(section, section_of(&bytes, member, hash));
            let answers = member.answer(&section, hash).unwrap();
            let held = [0..300, 300..400, 400..401].map(|values| values.contains(&value));
            let missed = answers.iter().zip(held).any(|(may, holds)| holds && !may);
            assert!(!missed && answers[3], "{value}: {answers:?}");
        }
    }
}
