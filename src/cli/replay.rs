//! `eddy replay` on the command line.

use clap::Subcommand;

use super::Server;

/// `eddy replay`.
#[derive(Debug, Subcommand)]
pub(crate) enum ReplayCommand {
    /// What a `SELECT ... INTO destination FROM ...` would do, without doing it.
    Plan {
        /// The statement.
        statement: String,
        /// Where the server is.
        #[command(flatten)]
        server: Server,
    },
    /// Start a `SELECT ... INTO destination FROM ...`; prints the plan and asks first.
    Start {
        /// The statement.
        statement: String,
        /// Don't ask.
        #[arg(long)]
        yes: bool,
        /// Where the server is.
        #[command(flatten)]
        server: Server,
    },
    /// All replays.
    List {
        /// Where the server is.
        #[command(flatten)]
        server: Server,
    },
    /// One replay's state and progress.
    Show {
        /// The replay's id or name.
        id: String,
        /// Where the server is.
        #[command(flatten)]
        server: Server,
    },
    /// Pause a running replay.
    Pause {
        /// The replay's id or name.
        id: String,
        /// Where the server is.
        #[command(flatten)]
        server: Server,
    },
    /// Let a paused replay go on.
    Resume {
        /// The replay's id or name.
        id: String,
        /// Where the server is.
        #[command(flatten)]
        server: Server,
    },
    /// Let a replay go on at another rate.
    Rate {
        /// The replay's id or name.
        id: String,
        /// As `500/s`, `2MB/s` or both; `max` is none.
        rate: String,
        /// Where the server is.
        #[command(flatten)]
        server: Server,
    },
    /// Where a consumer group of the source goes on in the topic that a replay sent to.
    Offsets {
        /// The replay's id or name.
        id: String,
        /// The group.
        #[arg(long)]
        group: String,
        /// The source topic, if the replay's records are of several.
        #[arg(long)]
        topic: Option<String>,
        /// How far the group read the source, as `0=120,1=80` (next offsets by partition); without
        /// it that is what the group has committed at the destination's Kafka.
        #[arg(long, value_delimiter = ',')]
        committed: Vec<String>,
        /// Commit the offsets in the name of the group, which must have no members.
        #[arg(long)]
        apply: bool,
        /// Where the server is.
        #[command(flatten)]
        server: Server,
    },
    /// Stop a replay for good.
    Cancel {
        /// The replay's id or name.
        id: String,
        /// Where the server is.
        #[command(flatten)]
        server: Server,
    },
}
