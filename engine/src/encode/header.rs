//! What stands in front of a page: Thrift's `PageHeader`.

use parquet::basic::Encoding;

use crate::thrift::{FALSE, I32, STOP, STRUCT, field, signed};

/// What a page holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// Distinct values in plain encoding, in no order.
    Dictionary,
    /// Levels and values in the old form of data pages, which every reader knows.
    Data(Encoding),
}

/// Bytes of a page, before compression and after it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    pub(super) plain: u32,
    pub(super) stored: u32,
}

/// Appends the header of a page with `values` entries.
pub(super) fn header(out: &mut Vec<u8>, kind: Kind, values: u32, sizes: Sizes) {
    let page_type = match kind {
        Kind::Data(_) => 0,
        Kind::Dictionary => 2,
    };
    number(out, page_type);
    number(out, sizes.plain);
    number(out, sizes.stored);
    match kind {
        Kind::Data(encoding) => {
            // 5: `data_page_header`.
            field(out, 2, STRUCT);
            number(out, values);
            number(out, encoding as u32);
            // Of definition and repetition levels.
            number(out, Encoding::RLE as u32);
            number(out, Encoding::RLE as u32);
        }
        Kind::Dictionary => {
            // 7: `dictionary_page_header`.
            field(out, 4, STRUCT);
            number(out, values);
            number(out, Encoding::PLAIN as u32);
            field(out, 1, FALSE);
        }
    }
    out.extend([STOP, STOP]);
}

fn number(out: &mut Vec<u8>, value: u32) {
    field(out, 1, I32);
    signed(out, i64::from(value));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use bytes::Bytes;
    use parquet::column::page::{CompressedPage, Page, PageWriter};
    use parquet::file::writer::{SerializedPageWriter, TrackedWrite};

    use super::*;

    fn page(kind: Kind, stored: usize, num_values: u32) -> Page {
        let buf = Bytes::from(vec![0; stored]);
        match kind {
            Kind::Data(encoding) => Page::DataPage {
                buf,
                num_values,
                encoding,
                def_level_encoding: Encoding::RLE,
                rep_level_encoding: Encoding::RLE,
                statistics: None,
            },
            Kind::Dictionary => Page::DictionaryPage {
                buf,
                num_values,
                encoding: Encoding::PLAIN,
                is_sorted: false,
            },
        }
    }

    #[test]
    fn a_header_is_as_the_parquet_crate_writes_it() {
        let kinds = [
            Kind::Dictionary,
            Kind::Data(Encoding::PLAIN),
            Kind::Data(Encoding::RLE_DICTIONARY),
            Kind::Data(Encoding::DELTA_BINARY_PACKED),
            Kind::Data(Encoding::DELTA_LENGTH_BYTE_ARRAY),
        ];
        for kind in kinds {
            for (plain, stored, values) in [(0, 0, 0), (200, 63, 64), (1 << 20, 70_000, 20_000)] {
                let mut sink = TrackedWrite::new(Vec::new());
                let page = CompressedPage::new(page(kind, stored, values), plain);
                SerializedPageWriter::new(&mut sink)
                    .write_page(page)
                    .unwrap();
                let mut out = Vec::new();
                let sizes = Sizes {
                    plain: u32::try_from(plain).unwrap(),
                    stored: u32::try_from(stored).unwrap(),
                };
                header(&mut out, kind, values, sizes);
                out.resize(out.len() + stored, 0);
                assert_eq!(out, sink.into_inner().unwrap());
            }
        }
    }
}
