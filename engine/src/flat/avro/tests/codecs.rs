//! Blocks, and how they are compressed.

use std::io::Read as _;

use super::apart::parse;
use super::*;

#[test]
fn each_codec_gives_the_blocks_back() {
    let shape = Shape::Alone(Part::Value);
    let long_text = text(&"abc".repeat(10_000));
    let records = |offsets: std::ops::Range<i64>| {
        offsets
            .map(|offset| (record(offset, None, Some(b"?")), Payload::Value(&long_text)))
            .collect::<Vec<_>>()
    };
    let codecs = [
        (BlockCodec::Null, "null"),
        (BlockCodec::Deflate, "deflate"),
        (BlockCodec::Snappy, "snappy"),
        (BlockCodec::Zstandard, "zstandard"),
    ];
    for (codec, name) in codecs {
        let (flat, book) = (flat(codec, shape.clone()), Book::default());
        let rows = batches(&flat, &book, &records(0..7));
        let id = uuid::Uuid::from_bytes(SYNC);
        let (bytes, _) = flat.object(&rows, Order::Offsets, (&book, id)).unwrap();
        let (_, found, blocks) = parse(&bytes);
        assert_eq!(found, name);
        let counts: Vec<i64> = blocks.iter().map(|(count, _)| *count).collect();
        assert_eq!(counts, [3, 3, 1], "a block is full at 64,000 bytes");
        for (count, packed) in blocks {
            let mut plain = Vec::new();
            match codec {
                BlockCodec::Null => plain = packed,
                BlockCodec::Deflate => {
                    let mut inflate = flate2::read::DeflateDecoder::new(&packed[..]);
                    inflate.read_to_end(&mut plain).unwrap();
                }
                BlockCodec::Snappy => {
                    let (packed, sum) = packed.split_last_chunk::<4>().unwrap();
                    plain = snap::raw::Decoder::new().decompress_vec(packed).unwrap();
                    let mut crc = flate2::Crc::new();
                    crc.update(&plain);
                    assert_eq!(*sum, crc.sum().to_be_bytes());
                }
                BlockCodec::Zstandard => plain = zstd::decode_all(&packed[..]).unwrap(),
            }
            assert_eq!(plain.len(), usize::try_from(count).unwrap() * 30_003);
        }
    }
}
