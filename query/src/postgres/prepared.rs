//! A connection's prepared statements and portals, which are as many as they may be.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use pgwire::api::Type;

use super::running::Running;
use super::session::Said;
use crate::error::{Error, ErrorKind, Result};
use crate::query::Description;
use crate::statement::Literal;

/// Statements and portals of a connection, each.
const ENTRIES_MAX: usize = 1_000;
/// Bytes of all prepared texts of a connection.
const TEXT_BYTES_MAX: usize = 16 << 20;

/// What a prepared statement is.
#[derive(Debug, Clone)]
pub(super) enum Asked {
    Nothing,
    Session(Said),
    Sql(String),
}

/// A prepared statement.
#[derive(Debug, Clone)]
pub(super) struct Statement {
    pub(super) asked: Asked,
    /// The types of its parameters as far as the client said them.
    pub(super) given: Vec<Option<Type>>,
    /// What is known of it, once someone wanted to know.
    pub(super) described: Option<Arc<Description>>,
    /// The columns that the client was told.
    pub(super) told: Option<SchemaRef>,
}

/// A statement with its values.
pub(super) struct Portal {
    pub(super) asked: Asked,
    pub(super) literals: Vec<Literal>,
    pub(super) formats: Vec<i16>,
    pub(super) told: Option<SchemaRef>,
    pub(super) state: State,
}

/// How far a portal has come.
pub(super) enum State {
    Bound,
    Running(Box<Running>),
    Done,
}

/// All of them by name; the empty name is the unnamed one.
#[derive(Default)]
pub(super) struct Prepared {
    statements: HashMap<String, Statement>,
    portals: HashMap<String, Portal>,
}

impl Prepared {
    /// Keeps a statement.
    pub(super) fn put_statement(&mut self, name: &str, statement: Statement) -> Result<()> {
        self.statements.remove(name);
        let bytes: usize = self.statements.values().map(Statement::bytes).sum();
        if self.statements.len() >= ENTRIES_MAX || bytes + statement.bytes() > TEXT_BYTES_MAX {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!("a connection has at most {ENTRIES_MAX} prepared statements of 16 MiB"),
            )
            .with_hint("`DEALLOCATE ALL` forgets them"));
        }
        self.statements.insert(name.to_owned(), statement);
        Ok(())
    }

    /// A statement by name.
    pub(super) fn statement(&mut self, name: &str) -> Result<&mut Statement> {
        self.statements.get_mut(name).ok_or_else(|| {
            let text = format!("there is no prepared statement `{name}`");
            Error::new(ErrorKind::NotFound, text)
        })
    }

    /// Keeps a portal.
    pub(super) fn put_portal(&mut self, name: &str, portal: Portal) -> Result<()> {
        self.portals.remove(name);
        if self.portals.len() >= ENTRIES_MAX {
            let text = format!("a connection has at most {ENTRIES_MAX} open portals");
            return Err(Error::new(ErrorKind::TooLarge, text));
        }
        self.portals.insert(name.to_owned(), portal);
        Ok(())
    }

    /// Takes a portal out, for work on it.
    pub(super) fn take_portal(&mut self, name: &str) -> Result<Portal> {
        self.portals.remove(name).ok_or_else(|| {
            let text = format!("there is no portal `{name}`");
            Error::new(ErrorKind::NotFound, text)
        })
    }

    /// Puts it back.
    pub(super) fn keep_portal(&mut self, name: &str, portal: Portal) {
        self.portals.insert(name.to_owned(), portal);
    }

    /// Closes a portal; one that isn't there is closed already.
    pub(super) fn close(&mut self, name: &str) {
        self.portals.remove(name);
    }

    /// Closes all portals: they end with their transaction.
    pub(super) fn close_portals(&mut self) {
        self.portals.clear();
    }

    /// A new text replaces what has no name.
    pub(super) fn close_unnamed(&mut self) {
        self.portals.remove("");
        self.statements.remove("");
    }

    /// Forgets a statement, or all.
    pub(super) fn forget(&mut self, name: Option<&str>) {
        match name {
            Some(name) => {
                self.statements.remove(name);
            }
            None => self.statements.clear(),
        }
    }
}

impl Statement {
    fn bytes(&self) -> usize {
        match &self.asked {
            Asked::Sql(text) => text.len(),
            Asked::Nothing | Asked::Session(_) => 0,
        }
    }
}
