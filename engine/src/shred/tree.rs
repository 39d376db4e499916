//! The columns of a table as the shredder walks them: objects have places (one per key), a place
//! has alternates (one column per shape that its values had).
//!
//! All columns of one *domain* have the same rows: the root's domain is the batch, each list opens
//! one for its elements. The budgets of [`Limits`] are kept here; what to do with a value that they
//! refuse is left to `walk.rs`.
#![expect(
    clippy::indexing_slicing,
    reason = "ids are indexes into vectors that only grow, and come from here"
)]

use arrow::datatypes::{DataType, FieldRef, Fields, Schema};
use hashbrown::HashMap;

use super::column::{Column, Values};
use super::tape::Token;
use super::text::plain_end;
use crate::schema::{Detect, Kind, Limits, Names, Shape, Step, is_members, list_element, step};
use crate::spare::Spare;

/// No place, no column.
pub(super) const NONE: u32 = u32::MAX;
/// The root object, and its domain.
pub(super) const ROOT: u32 = 0;

/// An object at one path.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) places: Vec<u32>,
    index: HashMap<Box<[u8]>, u32>,
    /// The place of the key that came first last time.
    pub(super) first: u32,
    /// The column of the rescued text, once there was some.
    pub(super) rescued: u32,
    names: Names,
    domain: u32,
    /// Steps from the root to here.
    pub(super) depth: usize,
    /// Keys with a column.
    pub(super) keys: usize,
}

/// One key of an object, or the elements of a mixed list.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) key: Box<str>,
    /// A JSON text has the key as it is, without escapes.
    pub(super) plain: bool,
    /// The place whose key followed last time.
    pub(super) next: u32,
    pub(super) alternates: Vec<(Shape, u32)>,
    /// The column that took such a token last, where the token alone decides.
    pub(super) usual: Option<(Token, u32)>,
    /// The table's column that takes those strings which are of its kind.
    pub(super) detects: Option<(Kind, u32)>,
    /// The object's value that had the key last, where on the tape, and whether more than once.
    pub(super) stamp: u64,
    pub(super) last: u32,
    pub(super) twice: bool,
    /// The object; [`NONE`] for the elements of a mixed list.
    object: u32,
    domain: u32,
    /// Steps from the root to here.
    pub(super) depth: usize,
    /// Names of the members, for the elements of a mixed list.
    members: Names,
}

impl Place {
    /// The place holds the elements of a mixed list.
    pub(super) fn is_member(&self) -> bool {
        self.object == NONE
    }
}

/// All columns of a table that the shredder knows.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) columns: Vec<Column>,
    pub(super) objects: Vec<Object>,
    pub(super) places: Vec<Place>,
    /// Rows of each domain.
    pub(super) domains: Vec<usize>,
    pub(super) limits: Limits,
    pub(super) detect: Detect,
    /// Bytes in the columns since the last batch.
    pub(super) bytes: usize,
    /// Columns with values of their own.
    pub(super) leaves: usize,
    /// A batch has rows of like keys, and the next one others.
    pub(super) grouped: bool,
    /// Where large buffers come from.
    pub(super) spare: Spare,
}

impl Tree {
    pub(super) fn new(mut limits: Limits) -> Self {
        limits.depth = limits.depth.min(Limits::DEPTH_MAX);
        let mut tree = Self {
            columns: Vec::new(),
            objects: Vec::new(),
            places: Vec::new(),
            domains: vec![0],
            limits,
            detect: Detect::default(),
            bytes: 0,
            leaves: 0,
            grouped: false,
            spare: Spare::default(),
        };
        tree.new_object(ROOT, 0, Names::root());
        tree
    }

    /// Takes over the table's columns and names. Columns that are known here only stay, under
    /// names that the table has not given to others.
    pub(super) fn adopt(&mut self, reserved: &Schema) {
        for column in &mut self.columns {
            column.field = None;
        }
        for place in &mut self.places {
            place.usual = None;
        }
        self.adopt_object(ROOT, reserved.fields(), Names::root());
    }

    fn adopt_object(&mut self, object: u32, fields: &Fields, names: Names) {
        self.objects[object as usize].names = names;
        for field in fields {
            match step(field) {
                Step::Field { key, shape } => {
                    let place = match self.find(object, key.as_bytes()) {
                        NONE => self.new_place(object, key),
                        place => place,
                    };
                    self.objects[object as usize].names.take(field.name());
                    self.adopt_column(place, shape, field);
                }
                Step::Rescued => {
                    self.rescued(object);
                }
                Step::Member(_) | Step::Named(_) => {}
            }
        }
        for index in 0..self.objects[object as usize].places.len() {
            let place = self.objects[object as usize].places[index];
            self.rename_place(place);
            self.look_through(place);
        }
    }

    fn adopt_column(&mut self, place: u32, shape: Shape, field: &FieldRef) {
        let column = match self.alternate(place, shape) {
            NONE => self.create(place, shape, field.name().to_owned()),
            column => column,
        };
        let found = &mut self.columns[column as usize];
        field.name().clone_into(&mut found.name);
        found.reserved = true;
        // Batches share the table's field, unless it says more than a batch's would.
        found.field = (field.metadata().len() <= 2).then(|| FieldRef::clone(field));
        self.adopt_type(column, field.data_type());
    }

    fn adopt_type(&mut self, column: u32, data_type: &DataType) {
        match (&self.columns[column as usize].values, data_type) {
            (&Values::Object(object), DataType::Struct(fields)) => {
                self.adopt_object(object, fields, Names::object());
            }
            (&Values::List { element, .. }, data_type) => {
                if let Some(field) = list_element(data_type) {
                    self.adopt_type(element, field.data_type());
                }
            }
            (&Values::Members(place), DataType::Struct(fields)) if is_members(fields) => {
                self.adopt_members(place, fields);
            }
            _ => {}
        }
    }

    fn adopt_members(&mut self, place: u32, fields: &Fields) {
        self.places[place as usize].members = Names::members();
        for field in fields {
            if let Step::Member(shape) = step(field) {
                self.places[place as usize].members.take(field.name());
                self.adopt_column(place, shape, field);
            }
        }
        self.rename_place(place);
    }

    /// Names the place's columns that the table has no name for.
    fn rename_place(&mut self, place: u32) {
        for index in 0..self.places[place as usize].alternates.len() {
            let (shape, column) = self.places[place as usize].alternates[index];
            if !self.columns[column as usize].reserved {
                // Its own old name must not be its sibling.
                self.columns[column as usize].name.clear();
                let name = self.name(place, shape);
                self.columns[column as usize].name = name;
            }
        }
    }

    /// Which of the place's columns takes strings too. One that only this shredder knows may yet
    /// become another.
    fn look_through(&mut self, place: u32) {
        let found = self.detect.column(&self.places[place as usize].alternates);
        let found = found.filter(|(_, column)| self.columns[*column as usize].reserved);
        self.places[place as usize].detects = found;
    }

    /// The place of a key; [`NONE`] if it has none.
    pub(super) fn find(&self, object: u32, key: &[u8]) -> u32 {
        let index = &self.objects[object as usize].index;
        index.get(key).copied().unwrap_or(NONE)
    }

    /// The column for values of `shape`; [`NONE`] if there is none.
    #[inline]
    pub(super) fn alternate(&self, place: u32, shape: Shape) -> u32 {
        self.places[place as usize]
            .alternates
            .iter()
            .find(|(found, _)| *found == shape)
            .map_or(NONE, |&(_, column)| column)
    }

    /// The column for integers inside of `lists` levels of list, among those that are there: a
    /// double takes those that are `exact` in it where the table has decided for doubles, or where
    /// there is nothing else.
    #[inline]
    pub(super) fn integers(&self, place: u32, lists: u8, exact: impl FnOnce() -> bool) -> u32 {
        let leaf = |leaf| self.alternate(place, Shape { lists, leaf });
        let (long, double) = (leaf(Kind::Long), leaf(Kind::Double));
        if double == NONE {
            return long;
        }
        let reserved = |column: u32| self.columns[column as usize].reserved;
        if long != NONE && (reserved(long) || !reserved(double)) {
            return long;
        }
        if exact() { double } else { long }
    }

    /// A place for a new key, also for one that has no column yet: that keeps the prediction of
    /// keys going over nulls. [`NONE`] when the object has too many of them.
    pub(super) fn note_key(&mut self, object: u32, key: &str) -> u32 {
        let noted = self.objects[object as usize].places.len();
        if noted >= self.limits.places() {
            return NONE;
        }
        self.new_place(object, key)
    }

    /// A column for values of `shape`, if the budgets allow one. Members of a mixed list are always
    /// allowed: `walk.rs` asks [`Tree::leaves_left`] before it goes into one.
    pub(super) fn discover(&mut self, place: u32, shape: Shape) -> u32 {
        let Place { object, depth, .. } = self.places[place as usize];
        if object != NONE {
            let steps = depth + usize::from(shape.lists) + usize::from(shape.leaf == Kind::Mixed);
            let new = self.places[place as usize].alternates.is_empty();
            if steps > self.limits.depth
                || self.leaves_left() == 0
                || (shape.leaf == Kind::Object && self.objects_left() == 0)
                || (new && self.objects[object as usize].keys >= self.limits.keys)
            {
                return NONE;
            }
        }
        let name = self.name(place, shape);
        self.create(place, shape, name)
    }

    /// The column of an object's rescued text.
    pub(super) fn rescued(&mut self, object: u32) -> u32 {
        if self.objects[object as usize].rescued == NONE {
            let column = self.columns.len() as u32;
            self.columns.push(Column::new(
                Shape::scalar(Kind::Rescued),
                crate::schema::RESCUED.to_owned(),
                Column::leaf(Kind::Rescued),
            ));
            self.objects[object as usize].rescued = column;
        }
        self.objects[object as usize].rescued
    }

    fn name(&mut self, place: u32, shape: Shape) -> String {
        let object = self.places[place as usize].object;
        if object == NONE {
            return self.places[place as usize].members.member(shape);
        }
        let Place {
            key, alternates, ..
        } = &self.places[place as usize];
        let sibling = alternates
            .iter()
            .map(|&(_, column)| self.columns[column as usize].name.as_str())
            .find(|name| !name.is_empty());
        self.objects[object as usize]
            .names
            .field(key, shape, sibling)
    }

    fn create(&mut self, place: u32, shape: Shape, name: String) -> u32 {
        let at = &self.places[place as usize];
        let (object, domain, depth) = (at.object, at.domain, at.depth);
        let column = self.new_column(shape, name, domain, depth);
        self.places[place as usize].usual = None;
        let alternates = &mut self.places[place as usize].alternates;
        alternates.push((shape, column));
        if alternates.len() == 1 && object != NONE {
            self.objects[object as usize].keys += 1;
        }
        column
    }

    fn new_column(&mut self, shape: Shape, name: String, domain: u32, depth: usize) -> u32 {
        let values = if let Some(element) = shape.element() {
            let domain = self.new_domain();
            let element = self.new_column(element, String::new(), domain, depth + 1);
            list(domain, element)
        } else {
            match shape.leaf {
                Kind::Object => Values::Object(self.new_object(domain, depth, Names::object())),
                Kind::Mixed => {
                    let domain = self.new_domain();
                    let place = self.push_place("", NONE, domain, depth + 1);
                    let element = self.columns.len() as u32;
                    self.columns
                        .push(Column::new(shape, String::new(), Values::Members(place)));
                    list(domain, element)
                }
                leaf => {
                    self.leaves += 1;
                    Column::leaf(leaf)
                }
            }
        };
        self.columns.push(Column::new(shape, name, values));
        self.columns.len() as u32 - 1
    }

    fn new_domain(&mut self) -> u32 {
        self.domains.push(0);
        self.domains.len() as u32 - 1
    }

    fn new_object(&mut self, domain: u32, depth: usize, names: Names) -> u32 {
        self.objects.push(Object {
            places: Vec::new(),
            index: HashMap::new(),
            first: NONE,
            rescued: NONE,
            names,
            domain,
            depth,
            keys: 0,
        });
        self.objects.len() as u32 - 1
    }

    fn new_place(&mut self, object: u32, key: &str) -> u32 {
        let Object { domain, depth, .. } = self.objects[object as usize];
        let place = self.push_place(key, object, domain, depth + 1);
        let object = &mut self.objects[object as usize];
        object.places.push(place);
        object.index.insert(key.as_bytes().into(), place);
        place
    }

    fn push_place(&mut self, key: &str, object: u32, domain: u32, depth: usize) -> u32 {
        self.places.push(Place {
            key: key.into(),
            plain: plain_end(key.as_bytes(), 0) == key.len(),
            next: NONE,
            alternates: Vec::new(),
            usual: None,
            detects: None,
            stamp: 0,
            last: 0,
            twice: false,
            object,
            domain,
            depth,
            members: Names::members(),
        });
        self.places.len() as u32 - 1
    }
}

fn list(domain: u32, element: u32) -> Values {
    Values::List {
        offsets: vec![0],
        domain,
        element,
    }
}
