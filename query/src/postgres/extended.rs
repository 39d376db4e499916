//! The extended protocol: statements are prepared, get values, and give some rows at a time.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use pgwire::api::Type;
use pgwire::messages::data::{NoData, ParameterDescription};
use pgwire::messages::extendedquery::{
    Bind, BindComplete, Close, CloseComplete, Describe, Execute, Parse, ParseComplete,
    PortalSuspended, TARGET_TYPE_BYTE_STATEMENT,
};
use pgwire::messages::response::EmptyQueryResponse;
use pgwire::messages::{PgWireBackendMessage, PgWireFrontendMessage};

use super::connection::{Connection, Step};
use super::parameters::{literals, types};
use super::prepared::{Asked, Portal, State, Statement};
use super::running::Running;
use super::session::{self, Said};
use super::simple::{shown, split, tag};
use super::value::columns;
use crate::error::{Error, ErrorKind};
use crate::query::{Description, Request};
use crate::statement::Params;

impl Connection {
    /// Handles a message of the extended protocol.
    pub(super) async fn extended(&mut self, message: PgWireFrontendMessage) -> Step<()> {
        match message {
            PgWireFrontendMessage::Parse(parse) => self.parse(parse).await,
            PgWireFrontendMessage::Bind(bind) => self.bind(&bind).await,
            PgWireFrontendMessage::Describe(describe) => self.describe(&describe).await,
            PgWireFrontendMessage::Execute(execute) => self.execute(&execute).await,
            PgWireFrontendMessage::Close(close) => self.close(&close).await,
            _ => Err(Error::invalid("the message is not expected here").into()),
        }
    }

    async fn parse(&mut self, parse: Parse) -> Step<()> {
        let asked = match split(&parse.query).as_slice() {
            [] => Asked::Nothing,
            [(_, sql)] => match session::read(sql) {
                Some(said) => Asked::Session(said),
                None => Asked::Sql((*sql).to_owned()),
            },
            _ => {
                let text = "a prepared statement is one statement";
                return Err(Error::new(ErrorKind::Syntax, text).into());
            }
        };
        let given = parse.type_oids.iter();
        let statement = Statement {
            asked,
            // An unknown type (0, or one of Postgres' many) is left to be told.
            given: given
                .map(|oid| Type::from_oid(*oid).filter(|known| *known != Type::UNKNOWN))
                .collect(),
            described: None,
            told: None,
        };
        let name = parse.name.as_deref().unwrap_or_default();
        self.prepared.put_statement(name, statement)?;
        self.feed(PgWireBackendMessage::ParseComplete(ParseComplete::new()))
            .await?;
        Ok(())
    }

    async fn bind(&mut self, bind: &Bind) -> Step<()> {
        let name = bind.statement_name.as_deref().unwrap_or_default();
        let statement = self.prepared.statement(name)?.clone();
        let types = match types_are_known(&statement, bind.parameters.len()) {
            Some(types) => types,
            None => {
                let described = self.described(name).await?;
                types(&statement.given, &described)
            }
        };
        let portal = Portal {
            literals: literals(bind, &types)?,
            asked: statement.asked,
            formats: bind.result_column_format_codes.clone(),
            told: statement.told,
            state: State::Bound,
        };
        let name = bind.portal_name.as_deref().unwrap_or_default();
        self.prepared.put_portal(name, portal)?;
        self.feed(PgWireBackendMessage::BindComplete(BindComplete::new()))
            .await?;
        Ok(())
    }

    async fn describe(&mut self, describe: &Describe) -> Step<()> {
        let name = describe.name.as_deref().unwrap_or_default();
        if describe.target_type == TARGET_TYPE_BYTE_STATEMENT {
            return self.describe_statement(name).await;
        }
        let mut portal = self.prepared.take_portal(name)?;
        let described = self.describe_portal(&mut portal).await;
        self.prepared.keep_portal(name, portal);
        described
    }

    async fn describe_statement(&mut self, name: &str) -> Step<()> {
        let statement = self.prepared.statement(name)?.clone();
        let (types, columns) = match &statement.asked {
            Asked::Nothing => (Vec::new(), None),
            Asked::Session(said) => (Vec::new(), of_session(said)),
            Asked::Sql(_) => {
                let described = self.described(name).await?;
                let schema = SchemaRef::clone(&described.schema);
                let columns = columns(&schema, &[])?;
                self.prepared.statement(name)?.told = Some(schema);
                (types(&statement.given, &described), Some(columns))
            }
        };
        let types = ParameterDescription::new(types.iter().map(Type::oid).collect());
        self.feed(PgWireBackendMessage::ParameterDescription(types))
            .await?;
        self.columns_or_none(columns).await
    }

    async fn describe_portal(&mut self, portal: &mut Portal) -> Step<()> {
        let columns = match &portal.asked {
            Asked::Nothing => None,
            Asked::Session(said) => of_session(said),
            // Its columns are known once it runs, and it may run: it only reads.
            Asked::Sql(sql) if only_reads(sql) => {
                self.start(portal).await?;
                match &portal.state {
                    State::Running(running) => Some(running.columns().to_vec()),
                    State::Bound | State::Done => None,
                }
            }
            Asked::Sql(sql) => {
                let request = self.request(sql, Params::List(portal.literals.clone()));
                let described = self.front.query.describe(request).await?;
                Some(columns(&described.schema, &portal.formats)?)
            }
        };
        self.columns_or_none(columns).await
    }

    async fn columns_or_none(&mut self, columns: Option<Vec<super::value::Column>>) -> Step<()> {
        match columns {
            Some(columns) => self.describe_columns(&columns).await?,
            None => {
                self.feed(PgWireBackendMessage::NoData(NoData::new()))
                    .await?
            }
        }
        Ok(())
    }

    async fn execute(&mut self, execute: &Execute) -> Step<()> {
        let name = execute.name.as_deref().unwrap_or_default();
        let mut portal = self.prepared.take_portal(name)?;
        let most = usize::try_from(execute.max_rows).unwrap_or(0);
        let most = if most == 0 { usize::MAX } else { most };
        let executed = self.execute_portal(&mut portal, most).await;
        // `COMMIT` closes the portals, and so the one that it is in.
        if executed.is_ok() && !matches!(portal.asked, Asked::Session(_)) {
            self.prepared.keep_portal(name, portal);
        }
        executed
    }

    async fn execute_portal(&mut self, portal: &mut Portal, most: usize) -> Step<()> {
        let sql = match &portal.asked {
            Asked::Nothing => {
                let empty = PgWireBackendMessage::EmptyQueryResponse(EmptyQueryResponse::new());
                return Ok(self.feed(empty).await?);
            }
            Asked::Session(said) => return Ok(self.said(&said.clone(), false).await??),
            Asked::Sql(sql) => sql.clone(),
        };
        self.start(portal).await?;
        let State::Running(running) = &mut portal.state else {
            return Ok(self.complete(tag(&sql, 0)).await?);
        };
        let before = running.rows;
        let mut cancelled = self.registered.begin();
        if self.give(running, &mut cancelled, most).await?? {
            let suspended = PgWireBackendMessage::PortalSuspended(PortalSuspended::new());
            return Ok(self.feed(suspended).await?);
        }
        let rows = running.rows - before;
        portal.state = State::Done;
        Ok(self.complete(tag(&sql, rows)).await?)
    }

    /// Lets a portal run, if it doesn't yet.
    async fn start(&mut self, portal: &mut Portal) -> Step<()> {
        let (Asked::Sql(sql), State::Bound) = (&portal.asked, &portal.state) else {
            return Ok(());
        };
        let request = self.request(sql, Params::List(portal.literals.clone()));
        let mut cancelled = self.registered.begin();
        let (formats, told) = (portal.formats.clone(), portal.told.clone());
        let start = Running::start(&self.front.query, request, formats, told);
        let running = self.unless_cancelled(&mut cancelled, start).await??;
        portal.state = State::Running(Box::new(running));
        Ok(())
    }

    /// What is known of a statement before it has values.
    async fn described(&mut self, name: &str) -> Step<Arc<Description>> {
        let statement = self.prepared.statement(name)?;
        if let Some(described) = &statement.described {
            return Ok(Arc::clone(described));
        }
        let Asked::Sql(sql) = statement.asked.clone() else {
            return Err(Error::invalid("the statement has no parameters").into());
        };
        let mut cancelled = self.registered.begin();
        let request = self.request(&sql, Params::Unbound);
        let describe = self.front.query.describe(request);
        let described = Arc::new(self.unless_cancelled(&mut cancelled, describe).await??);
        self.prepared.statement(name)?.described = Some(Arc::clone(&described));
        Ok(described)
    }

    async fn close(&mut self, close: &Close) -> Step<()> {
        let name = close.name.as_deref().unwrap_or_default();
        match close.target_type {
            TARGET_TYPE_BYTE_STATEMENT => self.prepared.forget(Some(name)),
            _ => self.prepared.close(name),
        }
        self.feed(PgWireBackendMessage::CloseComplete(CloseComplete::new()))
            .await?;
        Ok(())
    }

    fn request(&self, sql: &str, params: Params) -> Request {
        let params = match params {
            Params::List(literals) if literals.is_empty() => Params::None,
            params => params,
        };
        Request {
            params,
            ..self.settings.request(sql)
        }
    }
}

/// The types of the parameters, if the client said all of them.
fn types_are_known(statement: &Statement, count: usize) -> Option<Vec<Type>> {
    let said: Vec<Type> = statement.given.iter().cloned().collect::<Option<_>>()?;
    (said.len() >= count).then_some(said)
}

fn of_session(said: &Said) -> Option<Vec<super::value::Column>> {
    match said {
        Said::Show(name) => Some(shown(name.as_deref())),
        _ => None,
    }
}

/// Whether a statement surely does nothing but read: it begins like a query, and nowhere says
/// `INTO`.
fn only_reads(sql: &str) -> bool {
    const QUERIES: [&str; 9] = [
        "select", "with", "values", "explain", "describe", "desc", "show", "from", "table",
    ];
    let Ok(tokens) = Tokenizer::new(&GenericDialect {}, sql).tokenize() else {
        return false;
    };
    let mut words = tokens
        .iter()
        .filter(|token| !matches!(token, Token::Whitespace(_)));
    let is = |token: &Token, known: &[&str]| {
        matches!(token, Token::Word(word)
            if known.contains(&word.value.to_ascii_lowercase().as_str()))
    };
    let begins = words
        .next()
        .is_some_and(|first| *first == Token::LParen || is(first, &QUERIES));
    begins && !tokens.iter().any(|token| is(token, &["into"]))
}
