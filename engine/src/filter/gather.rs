//! The filters of one file, gathered slice by slice while its rows go by.

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;

use crate::filter::bloom::Bloom;
use crate::filter::choose::{Chosen, column};
use crate::filter::hash;
use crate::filter::slices::Slices;
use crate::filter::words::Texts;

/// What a filter tells of: the words of all text, or the values of a column.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Of {
    /// The words of keys, values and headers.
    Words,
    /// A column, by its names from the root.
    Column(Vec<String>),
}

/// The filters of one slice.
pub(crate) type Slice = Vec<(Of, Bloom)>;

/// The filters of one file.
#[derive(Debug, Clone)]
pub(crate) struct FileFilters {
    /// Relative to the table.
    pub(crate) path: String,
    /// How its row groups are cut.
    pub(crate) cut: Slices,
    /// Those of each slice, row group by row group.
    pub(crate) slices: Vec<Slice>,
}

impl FileFilters {
    /// What they take up.
    pub(crate) fn bytes(&self) -> usize {
        let filters = self.slices.iter().flatten();
        filters.map(|(_, bloom)| size_of_val(bloom.blocks())).sum()
    }
}

/// 2^n blocks of a column's filter while it is gathered: 64 KiB, enough for all values of a slice
/// to be different.
const COLUMN_BITS: u8 = 11;

/// The same of words: 1 MiB, enough for some 700,000 different ones.
const WORDS_BITS: u8 = 15;

/// Hashes that are held as they are before a filter is begun: small slices need no large one.
const FEW: usize = 4_096;

/// One in so many values that aren't there looks as if it were. A file is opened for each slice of
/// it that may hold what is looked for, so this is small.
const FALSE_MOST: f64 = 0.005;

/// A filter that is wrong more often saves too little for its size and is not kept.
const FALSE_USELESS: f64 = 0.2;

/// Words that were met last, so that keys and words which come all the time cost next to nothing.
const RECENT: u64 = 4_096;

/// Gathers the filters of a file. What holds values of a type that it doesn't know, and so can't
/// deny any, gets no filter.
pub(crate) struct Gather {
    columns: Vec<(Vec<String>, Option<Growing>)>,
    words: Option<Growing>,
    recent: Vec<u64>,
    /// Rows of the slice that is being gathered.
    rows: usize,
    /// The row groups that are complete, and the one that is being written.
    cut: Slices,
    group_rows: usize,
    slices: Vec<Slice>,
}

impl Gather {
    /// Filters of the columns `chosen`, and of words, of each `slice_rows` rows, at least one.
    pub(crate) fn new(chosen: &[Chosen], slice_rows: usize) -> Self {
        let columns = chosen
            .iter()
            .map(|one| (one.path.clone(), Some(Growing::new(COLUMN_BITS))));
        Self {
            columns: columns.collect(),
            words: Some(Growing::new(WORDS_BITS)),
            recent: none_recent(),
            rows: 0,
            cut: Slices::new(slice_rows),
            group_rows: 0,
            slices: Vec::new(),
        }
    }

    /// Takes rows of the row group that is being written.
    pub(crate) fn add(&mut self, rows: &RecordBatch) {
        let mut at = 0;
        while at < rows.num_rows() {
            let room = self.cut.each().saturating_sub(self.rows).max(1);
            let some = rows.slice(at, room.min(rows.num_rows() - at));
            self.add_to_slice(&some);
            at += some.num_rows();
            self.rows += some.num_rows();
            if self.rows >= self.cut.each() {
                self.end_slice();
            }
        }
    }

    fn add_to_slice(&mut self, rows: &RecordBatch) {
        for (path, filter) in &mut self.columns {
            let known = match (column(rows, path), filter.as_mut()) {
                (Some(values), Some(bloom)) => insert_all(values, bloom),
                (column, _) => column.is_none(),
            };
            if !known {
                *filter = None;
            }
        }
        match Texts::of(rows) {
            Some(texts) => self.add_words(&texts, rows.num_rows()),
            None => self.words = None,
        }
    }

    fn add_words(&mut self, texts: &Texts<'_>, rows: usize) {
        let Some(words) = &mut self.words else {
            return;
        };
        for row in 0..rows {
            texts.each_word(row, |word| {
                let hash = hash::of_bytes(word);
                match self.recent.get_mut(recent_place(hash)) {
                    Some(recent) if *recent == hash => {}
                    recent => {
                        if let Some(recent) = recent {
                            *recent = hash;
                        }
                        words.insert(hash);
                    }
                }
                true
            });
        }
    }

    /// The row group is complete.
    pub(crate) fn end_row_group(&mut self) {
        if self.rows > 0 {
            self.end_slice();
        }
        self.cut.push(std::mem::take(&mut self.group_rows));
    }

    fn end_slice(&mut self) {
        self.group_rows += std::mem::take(&mut self.rows);
        self.recent = none_recent();
        let columns = self.columns.iter_mut().map(|(path, filter)| {
            let bloom = filter.replace(Growing::new(COLUMN_BITS));
            (Of::Column(path.clone()), bloom)
        });
        let words = self.words.replace(Growing::new(WORDS_BITS));
        let filters = columns.chain([(Of::Words, words)]);
        let folded = filters.filter_map(|(of, bloom)| Some((of, bloom?.finish())));
        let useful = folded.filter(|(_, bloom)| bloom.false_share() < FALSE_USELESS);
        self.slices.push(useful.collect());
    }

    /// The filters of the file, whose row groups are all complete.
    pub(crate) fn finish(self, path: String) -> FileFilters {
        FileFilters {
            path,
            cut: self.cut,
            slices: self.slices,
        }
    }
}

/// The values of a slice, on their way into a filter.
struct Growing {
    /// 2^n blocks of the filter, once it is begun.
    bits: u8,
    few: Vec<u64>,
    many: Option<Bloom>,
}

impl Growing {
    fn new(bits: u8) -> Self {
        Self {
            bits,
            few: Vec::new(),
            many: None,
        }
    }

    fn insert(&mut self, hash: u64) {
        if let Some(bloom) = &mut self.many {
            bloom.insert(hash);
            return;
        }
        self.few.push(hash);
        if self.few.len() >= FEW {
            self.many = Some(self.begun(self.bits));
        }
    }

    fn begun(&mut self, bits: u8) -> Bloom {
        let mut bloom = Bloom::new(bits);
        let few = std::mem::take(&mut self.few);
        few.into_iter().for_each(|hash| bloom.insert(hash));
        bloom
    }

    fn finish(mut self) -> Bloom {
        let bloom = match self.many.take() {
            Some(bloom) => bloom,
            None => {
                // Eight values a block are more room than they need.
                let blocks = (self.few.len() / 8).next_power_of_two();
                let bits = u8::try_from(blocks.trailing_zeros()).unwrap_or(self.bits);
                self.begun(bits.min(self.bits))
            }
        };
        bloom.folded(FALSE_MOST)
    }
}

/// Where a hash is kept among the recent ones: by its upper bits.
fn recent_place(hash: u64) -> usize {
    usize::try_from(hash >> 52).unwrap_or_default()
}

/// No word yet: each place has a hash that belongs to another.
fn none_recent() -> Vec<u64> {
    (0..RECENT).map(|place| !(place << 52)).collect()
}

/// Whether it knows the type of `values`.
fn insert_all(values: &ArrayRef, bloom: &mut Growing) -> bool {
    if let Some(texts) = values.as_string_opt::<i32>() {
        for text in texts.iter().flatten() {
            bloom.insert(hash::of_bytes(text.as_bytes()));
        }
    } else if let Some(bytes) = values.as_binary_opt::<i32>() {
        for value in bytes.iter().flatten() {
            bloom.insert(hash::of_bytes(value));
        }
    } else if let Some(numbers) = values.as_primitive_opt::<Int64Type>() {
        for number in numbers.iter().flatten() {
            bloom.insert(hash::of_long(number));
        }
    } else {
        return false;
    }
    true
}
