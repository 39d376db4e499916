//! The command line: every subcommand and flag, and nothing that acts on them.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use self::replay::ReplayCommand;
use crate::telemetry::LogFormat;

mod replay;

/// Records Kafka topics into a lake of plain Parquet, answers SQL, plays any result back.
#[derive(Debug, Parser)]
#[command(name = "eddy", version)]
pub(crate) struct Cli {
    /// How log lines look.
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "text",
        env = "EDDY_LOG_FORMAT"
    )]
    pub(crate) log_format: LogFormat,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Everything in one process, embedded broker, sample data; prints what to try next.
    Dev(DevArgs),
    /// The service: sink worker, query and replay from one configuration file.
    Serve(ServeArgs),
    /// A Kafka Connect worker, from Connect's own worker file.
    Connect(ConnectArgs),
    /// Send NDJSON lines to a topic, each line one record.
    Load(LoadArgs),
    /// Ask SQL and print the answer.
    Sql(SqlArgs),
    /// Follow new records of a table, one JSON object a line.
    Tail(TailArgs),
    /// Plan, start and watch replays.
    #[command(subcommand)]
    Replay(ReplayCommand),
    /// Is every offset of the topic accounted exactly once? Exits 1 if not.
    Verify(VerifyArgs),
    /// A table's versions, files, positions and columns, read from the lake itself, and views of it
    /// for other engines.
    Inspect(InspectArgs),
    /// Make and look after collections, which take events over HTTP.
    #[command(subcommand)]
    Collection(CollectionCommand),
    /// The configuration file.
    #[command(subcommand)]
    Config(ConfigCommand),
}

/// `eddy dev`.
#[derive(Debug, Args)]
pub(crate) struct DevArgs {
    /// Where the lake and the state live.
    #[arg(long, default_value = "eddy-data")]
    pub(crate) data: PathBuf,
    /// Where to serve HTTP.
    #[arg(long, default_value = "127.0.0.1:8480")]
    pub(crate) listen: String,
    /// Where to serve Kafka Connect's REST API; empty is nowhere.
    #[arg(long, default_value = "127.0.0.1:8083")]
    pub(crate) connect_listen: String,
    /// Where to serve Arrow Flight; empty is nowhere.
    #[arg(long, default_value = "127.0.0.1:8483")]
    pub(crate) flight_listen: String,
    /// Where to serve the Postgres wire; empty is nowhere.
    #[arg(long, default_value = "127.0.0.1:8484")]
    pub(crate) postgres_listen: String,
    /// Where to take events over HTTP; empty is nowhere.
    #[arg(long, default_value = "127.0.0.1:8481")]
    pub(crate) collector_listen: String,
    /// Where to take events over gRPC; empty is nowhere.
    #[arg(long, default_value = "127.0.0.1:8482")]
    pub(crate) collector_grpc_listen: String,
    /// Don't load the sample events.
    #[arg(long)]
    pub(crate) empty: bool,
}

/// `eddy serve`.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// The configuration file.
    #[arg(long, env = "EDDY_CONFIG")]
    pub(crate) config: PathBuf,
    /// The roles of this process.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) roles: Vec<Role>,
}

/// `eddy connect`.
#[derive(Debug, Args)]
pub(crate) struct ConnectArgs {
    /// The worker file, with Connect's keys, and `eddy.lake.url` for the lake.
    pub(crate) file: PathBuf,
}

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Sink tasks.
    Worker,
    /// SQL over HTTP.
    Query,
    /// Replays.
    Replay,
    /// Events over HTTP.
    Collector,
}

/// `eddy load`.
#[derive(Debug, Args)]
pub(crate) struct LoadArgs {
    /// The file, or `-` for standard input.
    pub(crate) file: PathBuf,
    /// The topic.
    #[arg(long)]
    pub(crate) topic: String,
    /// The top-level field whose value becomes the key.
    #[arg(long)]
    pub(crate) key: Option<String>,
    /// The configuration file that says where Kafka is.
    #[arg(long, env = "EDDY_CONFIG", default_value = "eddy-data/eddy.toml")]
    pub(crate) config: PathBuf,
}

/// Where the server is.
#[derive(Debug, Clone, Args)]
pub(crate) struct Server {
    /// The server's address.
    #[arg(long, env = "EDDY_URL", default_value = "http://127.0.0.1:8480")]
    pub(crate) url: String,
    /// The bearer token, if the server wants one.
    #[arg(long, env = "EDDY_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
}

/// `eddy sql`.
#[derive(Debug, Args)]
pub(crate) struct SqlArgs {
    /// The statement; without one, a prompt.
    pub(crate) statement: Option<String>,
    /// Read the statement from this file, or from standard input with `-`.
    #[arg(short, long, conflicts_with = "statement")]
    pub(crate) file: Option<PathBuf>,
    /// Write the answer to this file.
    #[arg(short, long)]
    pub(crate) output: Option<PathBuf>,
    /// The answer's format.
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: Format,
    /// Where the server is.
    #[command(flatten)]
    pub(crate) server: Server,
}

/// `eddy tail`.
#[derive(Debug, Args)]
pub(crate) struct TailArgs {
    /// The table.
    pub(crate) table: String,
    /// Which records, as after `WHERE`.
    #[arg(long = "where")]
    pub(crate) condition: Option<String>,
    /// Where the server is.
    #[command(flatten)]
    pub(crate) server: Server,
}

/// An answer's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Aligned columns, for people.
    Table,
    /// One JSON object a line.
    Ndjson,
    /// One JSON array.
    Json,
    /// Comma-separated, with a header line.
    Csv,
    /// An Arrow IPC stream.
    Arrow,
    /// A Parquet file; with `--output`.
    Parquet,
}

/// `eddy verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The topic.
    pub(crate) topic: String,
    /// The folder of the lake that holds the topic's table.
    #[arg(long, default_value = "topics")]
    pub(crate) topics_dir: String,
    /// The connector whose lake and folder hold it, if these are its own.
    #[arg(long)]
    pub(crate) connector: Option<String>,
    /// Print the report as JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// The configuration file.
    #[arg(long, env = "EDDY_CONFIG", default_value = "eddy-data/eddy.toml")]
    pub(crate) config: PathBuf,
}

/// `eddy inspect`.
#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// The table (its topic's name).
    pub(crate) table: String,
    /// The folder of the lake that holds the topic's table.
    #[arg(long, default_value = "topics")]
    pub(crate) topics_dir: String,
    /// The connector whose lake and folder hold it, if these are its own.
    #[arg(long)]
    pub(crate) connector: Option<String>,
    /// Print a view for another engine instead, with the columns that SQL shows here: keys of
    /// several types as one column of text, and no rows with `_error`.
    #[arg(long, value_enum, value_name = "ENGINE")]
    pub(crate) view: Option<Engine>,
    /// The view's name [default: TABLE_view].
    #[arg(long, requires = "view")]
    pub(crate) view_name: Option<String>,
    /// The configuration file.
    #[arg(long, env = "EDDY_CONFIG", default_value = "eddy-data/eddy.toml")]
    pub(crate) config: PathBuf,
}

/// An engine that a view can be for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engine {
    /// DuckDB with its `delta` extension.
    Duckdb,
    /// Spark SQL with Delta Lake.
    Spark,
    /// Trino, where the table is registered under the topic's name.
    Trino,
}

/// `eddy collection`.
#[derive(Debug, Subcommand)]
pub(crate) enum CollectionCommand {
    /// Make a collection; prints its first token, once.
    Create {
        /// Its name.
        name: String,
        /// Where its events go; made unless it is there.
        #[arg(long)]
        topic: String,
        /// Partitions of the topic, if it has to be made.
        #[arg(long)]
        partitions: Option<i32>,
        /// Where the server is.
        #[command(flatten)]
        server: Server,
    },
    /// All collections.
    List {
        /// Where the server is.
        #[command(flatten)]
        server: Server,
    },
    /// One collection, its tokens without their secrets, and what it took.
    Show {
        /// The collection.
        name: String,
        /// Where the server is.
        #[command(flatten)]
        server: Server,
    },
    /// Take no events for now.
    Pause {
        /// The collection.
        name: String,
        /// Where the server is.
        #[command(flatten)]
        server: Server,
    },
    /// Take events again.
    Resume {
        /// The collection.
        name: String,
        /// Where the server is.
        #[command(flatten)]
        server: Server,
    },
    /// Take no events any more.
    Archive {
        /// The collection.
        name: String,
        /// Where the server is.
        #[command(flatten)]
        server: Server,
    },
    /// Hand out one more token, which is printed once, or take one back.
    Token(TokenArgs),
}

/// `eddy collection token`.
#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    /// The collection.
    pub(crate) name: String,
    /// From when on it opens nothing, as `2027-01-31T00:00:00Z`.
    #[arg(long, conflicts_with = "revoke")]
    pub(crate) expires: Option<String>,
    /// Events per second that it may send.
    #[arg(long, conflicts_with = "revoke")]
    pub(crate) rate: Option<u32>,
    /// Take the token with this id back.
    #[arg(long, value_name = "ID")]
    pub(crate) revoke: Option<String>,
    /// Where the server is.
    #[command(flatten)]
    pub(crate) server: Server,
}

/// `eddy config`.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Is the file right? Says what is wrong, and where.
    Check {
        /// The configuration file.
        file: PathBuf,
    },
}
