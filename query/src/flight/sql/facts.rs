//! What clients ask of the server itself: what it is called, what its SQL has, its types.
//!
//! JDBC's driver asks for nearly everything that there is to ask, and takes no answer for a fault
//! of its own: so all of it is answered, most of it with no.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use arrow_flight::sql::metadata::{
    SqlInfoData, SqlInfoDataBuilder, XdbcTypeInfo, XdbcTypeInfoData, XdbcTypeInfoDataBuilder,
};
use arrow_flight::sql::{
    CommandGetSqlInfo, CommandGetXdbcTypeInfo, Nullable, Searchable, SqlInfo, XdbcDataType,
};

use super::catalog::told_wrong;
use crate::error::Result;
use crate::query::Query;
use crate::statement::TEXT_BYTES_MAX;

/// The version of Arrow's format that is spoken.
const ARROW_VERSION: &str = "1.5";

/// What is true of this server.
pub(super) struct Facts {
    infos: SqlInfoData,
    types: XdbcTypeInfoData,
}

impl Facts {
    /// The facts of `query`.
    pub(super) fn new(query: &Query) -> Result<Self> {
        Ok(Self {
            infos: infos(query).build().map_err(told_wrong)?,
            types: types().build().map_err(told_wrong)?,
        })
    }

    /// What is asked for, or everything.
    pub(super) fn infos(&self, question: CommandGetSqlInfo) -> Result<RecordBatch> {
        let built = question.into_builder(&self.infos).build();
        built.map_err(told_wrong)
    }

    /// The type that is asked for, or all.
    pub(super) fn types(&self, question: CommandGetXdbcTypeInfo) -> Result<RecordBatch> {
        let built = question.into_builder(&self.types).build();
        built.map_err(told_wrong)
    }
}

fn infos(query: &Query) -> SqlInfoDataBuilder {
    let mut builder = SqlInfoDataBuilder::new();
    for (info, text) in TEXTS {
        builder.append(*info, *text);
    }
    for (info, whether) in YES.iter().map(|info| (info, true)) {
        builder.append(*info, whether);
    }
    for (info, whether) in NO.iter().map(|info| (info, false)) {
        builder.append(*info, whether);
    }
    for (info, number) in NUMBERS {
        builder.append(*info, *number);
    }
    for info in UNLIMITED {
        builder.append(*info, 0_i64);
    }
    for (info, words) in LISTS {
        builder.append(*info, *words);
    }
    builder.append(
        SqlInfo::SqlSupportsConvert,
        BTreeMap::<i32, Vec<i32>>::new(),
    );
    let timeout = query.0.options.timeout.as_millis();
    let timeout = i32::try_from(timeout).unwrap_or(i32::MAX);
    builder.append(SqlInfo::FlightSqlServerStatementTimeout, timeout);
    // None; JDBC's driver takes it for a long number.
    builder.append(SqlInfo::SqlDefaultTransactionIsolation, 0_i64);
    let most = i64::try_from(TEXT_BYTES_MAX).unwrap_or(i64::MAX);
    builder.append(SqlInfo::SqlMaxStatementLength, most);
    builder
}

const TEXTS: &[(SqlInfo, &str)] = &[
    (SqlInfo::FlightSqlServerName, "Eddy"),
    (SqlInfo::FlightSqlServerVersion, env!("CARGO_PKG_VERSION")),
    (SqlInfo::FlightSqlServerArrowVersion, ARROW_VERSION),
    (SqlInfo::SqlIdentifierQuoteChar, "\""),
    (SqlInfo::SqlSearchStringEscape, "\\"),
    (SqlInfo::SqlExtraNameCharacters, ""),
    (SqlInfo::SqlSchemaTerm, "schema"),
    (SqlInfo::SqlProcedureTerm, ""),
    (SqlInfo::SqlCatalogTerm, "catalog"),
];

const YES: &[SqlInfo] = &[
    SqlInfo::FlightSqlServerSql,
    SqlInfo::FlightSqlServerCancel,
    SqlInfo::SqlAllTablesAreSelectable,
    SqlInfo::SqlSupportsColumnAliasing,
    SqlInfo::SqlNullPlusNullIsNull,
    SqlInfo::SqlSupportsTableCorrelationNames,
    SqlInfo::SqlSupportsExpressionsInOrderBy,
    SqlInfo::SqlSupportsOrderByUnrelated,
    SqlInfo::SqlSupportsLikeEscapeClause,
    SqlInfo::SqlCatalogAtStart,
    SqlInfo::SqlCorrelatedSubqueriesSupported,
];

const NO: &[SqlInfo] = &[
    SqlInfo::FlightSqlServerReadOnly,
    SqlInfo::FlightSqlServerSubstrait,
    SqlInfo::FlightSqlServerBulkIngestion,
    SqlInfo::FlightSqlServerIngestTransactionsSupported,
    SqlInfo::SqlDdlCatalog,
    SqlInfo::SqlDdlSchema,
    SqlInfo::SqlDdlTable,
    SqlInfo::SqlSupportsDifferentTableCorrelationNames,
    SqlInfo::SqlSupportsNonNullableColumns,
    SqlInfo::SqlSupportsIntegrityEnhancementFacility,
    SqlInfo::SqlSelectForUpdateSupported,
    SqlInfo::SqlStoredProceduresSupported,
    SqlInfo::SqlMaxRowSizeIncludesBlobs,
    SqlInfo::SqlTransactionsSupported,
    SqlInfo::SqlDataDefinitionCausesTransactionCommit,
    SqlInfo::SqlDataDefinitionsInTransactionsIgnored,
    SqlInfo::SqlBatchUpdatesSupported,
    SqlInfo::SqlSavepointsSupported,
    SqlInfo::SqlNamedParametersSupported,
    SqlInfo::SqlLocatorsUpdateCopy,
    SqlInfo::SqlStoredFunctionsUsingCallSyntaxSupported,
];

/// Choices, and sets of choices as bits.
const NUMBERS: &[(SqlInfo, i32)] = &[
    (SqlInfo::FlightSqlServerTransaction, 0),
    (SqlInfo::FlightSqlServerTransactionTimeout, 0),
    // Names are looked up exactly, then ignoring case.
    (SqlInfo::SqlIdentifierCase, 1),
    (SqlInfo::SqlQuotedIdentifierCase, 1),
    // The largest of all.
    (SqlInfo::SqlNullOrdering, 0),
    (SqlInfo::SqlSupportedGroupBy, 0b11),
    (SqlInfo::SqlSupportedGrammar, 0b111),
    (SqlInfo::SqlAnsi92SupportedLevel, 0b1),
    (SqlInfo::SqlOuterJoinsSupportLevel, 0b100),
    (SqlInfo::SqlSchemasSupportedActions, 0),
    (SqlInfo::SqlCatalogsSupportedActions, 0),
    (SqlInfo::SqlSupportedPositionedCommands, 0),
    (SqlInfo::SqlSupportedSubqueries, 0b1111),
    (SqlInfo::SqlSupportedUnions, 0b11),
    (SqlInfo::SqlSupportedTransactionsIsolationLevels, 0b1),
    // Forward only, and read only.
    (SqlInfo::SqlSupportedResultSetTypes, 0b10),
    (SqlInfo::SqlSupportedConcurrenciesForResultSetUnspecified, 0),
    (
        SqlInfo::SqlSupportedConcurrenciesForResultSetForwardOnly,
        0b10,
    ),
    (
        SqlInfo::SqlSupportedConcurrenciesForResultSetScrollSensitive,
        0,
    ),
    (
        SqlInfo::SqlSupportedConcurrenciesForResultSetScrollInsensitive,
        0,
    ),
];

/// Nothing but a statement's length is limited by a number.
const UNLIMITED: &[SqlInfo] = &[
    SqlInfo::SqlMaxBinaryLiteralLength,
    SqlInfo::SqlMaxCharLiteralLength,
    SqlInfo::SqlMaxColumnNameLength,
    SqlInfo::SqlMaxColumnsInGroupBy,
    SqlInfo::SqlMaxColumnsInIndex,
    SqlInfo::SqlMaxColumnsInOrderBy,
    SqlInfo::SqlMaxColumnsInSelect,
    SqlInfo::SqlMaxColumnsInTable,
    SqlInfo::SqlMaxConnections,
    SqlInfo::SqlMaxCursorNameLength,
    SqlInfo::SqlMaxIndexLength,
    SqlInfo::SqlDbSchemaNameLength,
    SqlInfo::SqlMaxProcedureNameLength,
    SqlInfo::SqlMaxCatalogNameLength,
    SqlInfo::SqlMaxRowSize,
    SqlInfo::SqlMaxStatements,
    SqlInfo::SqlMaxTableNameLength,
    SqlInfo::SqlMaxTablesInSelect,
    SqlInfo::SqlMaxUsernameLength,
];

/// Words for tools that complete them.
const LISTS: &[(SqlInfo, &[&str])] = &[
    (
        SqlInfo::SqlKeywords,
        &["DESTINATION", "INTO", "EXPLAIN", "UNNEST", "QUALIFY"],
    ),
    (
        SqlInfo::SqlNumericFunctions,
        &[
            "abs", "ceil", "exp", "floor", "ln", "log", "power", "round", "sqrt", "trunc",
        ],
    ),
    (
        SqlInfo::SqlStringFunctions,
        &[
            "concat",
            "contains",
            "length",
            "lower",
            "regexp_like",
            "replace",
            "substr",
            "trim",
            "upper",
        ],
    ),
    (
        SqlInfo::SqlSystemFunctions,
        &["coalesce", "header", "nullif", "search", "trace"],
    ),
    (
        SqlInfo::SqlDatetimeFunctions,
        &["date_bin", "date_part", "date_trunc", "now", "to_timestamp"],
    ),
];

/// The types that answers have, as their nearest kin in JDBC and ODBC.
fn types() -> XdbcTypeInfoDataBuilder {
    let mut builder = XdbcTypeInfoDataBuilder::new();
    for (name, data_type, size, quote) in TYPES {
        let quote = quote.map(str::to_owned);
        builder.append(XdbcTypeInfo {
            type_name: (*name).to_owned(),
            data_type: *data_type,
            column_size: *size,
            literal_prefix: quote.clone(),
            literal_suffix: quote.map(|_| "'".to_owned()),
            nullable: Nullable::NullabilityNullable,
            case_sensitive: *data_type == XdbcDataType::XdbcVarchar,
            searchable: Searchable::Full,
            sql_data_type: *data_type,
            ..XdbcTypeInfo::default()
        });
    }
    builder
}

type Type = (
    &'static str,
    XdbcDataType,
    Option<i32>,
    Option<&'static str>,
);

const TYPES: &[Type] = &[
    ("BIGINT", XdbcDataType::XdbcBigint, Some(19), None),
    ("BOOLEAN", XdbcDataType::XdbcBit, Some(1), None),
    ("DATE", XdbcDataType::XdbcDate, Some(10), Some("DATE '")),
    ("DECIMAL", XdbcDataType::XdbcDecimal, Some(38), None),
    ("DOUBLE", XdbcDataType::XdbcDouble, Some(17), None),
    ("INTEGER", XdbcDataType::XdbcInteger, Some(10), None),
    ("TIME", XdbcDataType::XdbcTime, Some(15), Some("TIME '")),
    (
        "TIMESTAMP",
        XdbcDataType::XdbcTimestamp,
        Some(27),
        Some("TIMESTAMP '"),
    ),
    ("VARBINARY", XdbcDataType::XdbcVarbinary, None, Some("X'")),
    ("VARCHAR", XdbcDataType::XdbcVarchar, None, Some("'")),
];
