//! `eddy sql` without a statement, at a terminal: an interactive prompt.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use eddy_engine::Clock;
use futures::FutureExt;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor};
use serde_json::{Value, json};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::typed::{self, Typed};
use super::words::Words;
use super::{aligned, reader};
use crate::client::Client;
use crate::output;

/// Rows that are shown of an answer. More is for a file.
const ROWS_MAX: usize = 1_000;
/// Statements that are remembered.
const HISTORY_MAX: usize = 10_000;
/// How old the names may be that are completed.
const NAMES_AGE_MAX: Duration = Duration::from_secs(30);

const HELP: &str = "\
A statement ends with `;`. Tab completes names and keywords, Ctrl-C cancels what runs.
  \\d          the tables
  \\d TABLE    the columns of a table
  \\timing     tell how long answers take, or don't
  \\q          end (also Ctrl-D)";

/// The prompt of one client.
struct Prompt {
    client: Client,
    editor: Editor<Words, FileHistory>,
    history: Option<PathBuf>,
    clock: Clock,
    /// When the names were asked for that are completed.
    names_at: Option<Duration>,
    timing: bool,
    /// Ctrl-C while something runs; the editor has its own.
    interrupts: Signal,
}

/// Asks what is typed until the end of it.
pub(super) async fn run(client: Client, url: &str) -> Result<ExitCode> {
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .max_history_size(HISTORY_MAX)?
        .build();
    let mut editor = Editor::with_config(config).context("the terminal can't be used")?;
    editor.set_helper(Some(Words::default()));
    let history = history_file();
    if let Some(file) = &history {
        // There is none at the first time.
        let _ = editor.load_history(file);
    }
    let mut prompt = Prompt {
        client,
        editor,
        history,
        clock: Clock::system(),
        names_at: None,
        timing: false,
        interrupts: signal(SignalKind::interrupt()).context("Ctrl-C can't be waited for")?,
    };
    output::line(format_args!("Eddy at {url}; \\? helps, \\q ends"))?;
    prompt.read_all().await?;
    Ok(ExitCode::SUCCESS)
}

impl Prompt {
    async fn read_all(&mut self) -> Result<()> {
        loop {
            self.refresh_names().await;
            // The editor waits for keys on this thread; the runtime has others.
            let read = tokio::task::block_in_place(|| self.editor.readline("eddy> "));
            let text = match read {
                Ok(text) => text,
                // Ctrl-C throws away what was typed.
                Err(ReadlineError::Interrupted) => continue,
                Err(ReadlineError::Eof) => return Ok(()),
                Err(error) => return Err(error).context("the terminal can't be read"),
            };
            self.remember(&text);
            match typed::read(&text) {
                Typed::Nothing => {}
                Typed::Quit => return Ok(()),
                Typed::Help => output::line(HELP)?,
                Typed::Timing => {
                    self.timing = !self.timing;
                    let state = if self.timing { "on" } else { "off" };
                    output::line(format_args!("timing is {state}"))?;
                }
                Typed::Describe(table) => self.ask(&describe(table.as_deref())).await?,
                Typed::Unknown(command) => {
                    output::line(format_args!(
                        "there is no command `{command}`; \\? lists them"
                    ))?;
                }
                Typed::Statements(all) => {
                    for statement in all {
                        self.ask(&statement).await?;
                    }
                }
            }
        }
    }

    fn remember(&mut self, text: &str) {
        if text.trim().is_empty() {
            return;
        }
        // A history that can't be kept is no reason not to answer.
        let _ = self.editor.add_history_entry(text);
        if let Some(file) = &self.history {
            if let Some(folder) = file.parent() {
                let _ = fs::create_dir_all(folder);
            }
            let _ = self.editor.save_history(file);
        }
    }

    /// Asks a statement and shows its answer; its errors are shown too.
    async fn ask(&mut self, statement: &str) -> Result<()> {
        let begun = self.clock.monotonic();
        // One that came when nothing ran is past.
        while self.interrupts.recv().now_or_never().is_some() {}
        let answered = tokio::select! {
            answered = answer(&self.client, statement) => answered,
            // Dropping the request ends the query.
            _ = self.interrupts.recv() => return Ok(output::line("cancelled")?),
        };
        match answered {
            Ok(text) => output::text(&text)?,
            Err(error) => output::line(format_args!("error: {error:#}"))?,
        }
        if self.timing {
            let took = self.clock.monotonic().saturating_sub(begun);
            output::line(format_args!("{:.1} ms", took.as_secs_f64() * 1_000.0))?;
        }
        Ok(())
    }

    /// Asks for the names that are completed, now and then; without them there are fewer.
    async fn refresh_names(&mut self) {
        let now = self.clock.monotonic();
        let is_fresh = |at: Duration| now.saturating_sub(at) < NAMES_AGE_MAX;
        if self.names_at.is_some_and(is_fresh) {
            return;
        }
        self.names_at = Some(now);
        let body = json!({
            "sql": "SELECT name FROM system.tables \
                    UNION SELECT DISTINCT \"column\" FROM system.columns",
            "format": "json", "limit": 20_000, "timeout": "2s",
        });
        let Ok(Value::Array(rows)) = self.client.post_json("/api/v1/sql", &body).await else {
            return;
        };
        let name = |row: &Value| Some(row.get("name")?.as_str()?.to_owned());
        if let Some(words) = self.editor.helper_mut() {
            words.set_names(rows.iter().filter_map(name).collect());
        }
    }
}

/// An answer for people.
async fn answer(client: &Client, statement: &str) -> Result<String> {
    // One more than is shown, to know whether there are more.
    let body = json!({"sql": statement, "format": "arrow", "limit": ROWS_MAX + 1});
    let response = client.post("/api/v1/sql", &body).await?;
    let bytes = response.bytes().await.context("the answer broke off")?;
    let mut text = aligned(reader(&bytes)?, ROWS_MAX)?;
    if text.cut {
        text.table.push_str(&format!(
            "the first {ROWS_MAX} rows; `eddy sql --output FILE` has all\n"
        ));
    }
    Ok(text.table)
}

/// The statement behind `\d`.
fn describe(table: Option<&str>) -> String {
    match table {
        None => "SHOW TABLES".to_owned(),
        Some(table) => format!("DESCRIBE '{}'", table.replace('\'', "''")),
    }
}

/// The user's own file for what programs remember; none where there is no home.
fn history_file() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let state = match set("XDG_STATE_HOME") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(set("HOME")?).join(".local/state"),
    };
    Some(state.join("eddy").join("sql-history"))
}
