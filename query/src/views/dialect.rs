//! How each engine writes the few things that a view is made of.

/// An engine that can have a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// DuckDB with its `delta` extension.
    DuckDb,
    /// Spark SQL with Delta Lake.
    Spark,
    /// Trino with its Delta Lake connector.
    Trino,
}

impl Dialect {
    /// How the engine names the table of `topic` at `url`. Trino knows tables by name only: it has
    /// to be registered there first, under the topic's name.
    pub fn source(self, topic: &str, url: &str) -> String {
        match self {
            Self::DuckDb => format!("delta_scan({})", self.literal(url)),
            Self::Spark => format!("delta.{}", self.name(url)),
            Self::Trino => self.name(topic),
        }
    }

    pub(super) fn name(self, name: &str) -> String {
        match self {
            Self::Spark => format!("`{}`", name.replace('`', "``")),
            Self::DuckDb | Self::Trino => format!("\"{}\"", name.replace('"', "\"\"")),
        }
    }

    pub(super) fn literal(self, text: &str) -> String {
        match self {
            // Spark reads backslashes in strings.
            Self::Spark => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'")),
            Self::DuckDb | Self::Trino => format!("'{}'", text.replace('\'', "''")),
        }
    }

    pub(super) fn field(self, of: &str, name: &str) -> String {
        match self {
            // `a.b` might be a table's column.
            Self::DuckDb => format!("struct_extract({of}, {})", self.literal(name)),
            Self::Spark | Self::Trino => format!("{of}.{}", self.name(name)),
        }
    }

    /// The first that isn't null.
    pub(super) fn first(self, of: &[String]) -> String {
        match of {
            [only] => only.clone(),
            several => format!("COALESCE({})", several.join(", ")),
        }
    }

    /// Whether a double has no fraction, and at most 38 digits.
    pub(super) fn is_whole(self, double: &str) -> String {
        let rounded = match self {
            // `floor` makes a BIGINT of it there.
            Self::Spark => format!("rint({double})"),
            Self::DuckDb | Self::Trino => format!("floor({double})"),
        };
        format!("{double} = {rounded} AND abs({double}) <= 1e38")
    }

    pub(super) fn as_text(self, expression: &str) -> String {
        let text = match self {
            Self::Spark => "STRING",
            Self::DuckDb | Self::Trino => "VARCHAR",
        };
        format!("CAST({expression} AS {text})")
    }

    /// A moment as RFC 3339 in UTC, with as many digits of fraction as it needs of none, three and
    /// six.
    pub(super) fn moment_as_text(self, moment: &str) -> String {
        let all = match self {
            Self::DuckDb => {
                format!("strftime(make_timestamp(epoch_us({moment})), '%Y-%m-%dT%H:%M:%S.%f')")
            }
            Self::Spark => format!(
                "date_format(to_utc_timestamp({moment}, current_timezone()), \
                 'yyyy-MM-dd\\'T\\'HH:mm:ss.SSSSSS')"
            ),
            Self::Trino => {
                let text = format!("CAST({moment} AT TIME ZONE 'UTC' AS VARCHAR)");
                format!("replace(substr({text}, 1, 26), ' ', 'T')")
            }
        };
        format!(
            "CASE WHEN {all} LIKE '%.000000' THEN substr({all}, 1, 19) \
             WHEN {all} LIKE '%000' THEN substr({all}, 1, 23) ELSE {all} END || 'Z'"
        )
    }

    /// Bytes as base64.
    pub(super) fn base64(self, bytes: &str) -> String {
        match self {
            Self::DuckDb | Self::Spark => format!("base64({bytes})"),
            Self::Trino => format!("to_base64({bytes})"),
        }
    }

    /// A decimal without the zeros at its end.
    pub(super) fn decimal_as_text(self, decimal: &str) -> String {
        let text = self.as_text(decimal);
        format!("TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM {text}))")
    }

    /// JSON of a text.
    pub(super) fn json_of_text(self, text: &str) -> String {
        match self {
            Self::DuckDb => self.as_text(&format!("to_json({text})")),
            // Spark makes JSON of structs, maps and arrays only.
            Self::Spark => {
                let array = format!("to_json(array({text}))");
                let json = format!("substring({array}, 2, length({array}) - 2)");
                format!("CASE WHEN {text} IS NOT NULL THEN {json} END")
            }
            Self::Trino => format!("json_format(CAST({text} AS JSON))"),
        }
    }

    /// JSON of a double.
    pub(super) fn json_of_double(self, double: &str) -> String {
        match self {
            Self::DuckDb | Self::Spark => self.as_text(double),
            Self::Trino => format!("json_format(CAST({double} AS JSON))"),
        }
    }

    /// The texts that aren't null, with commas between them.
    pub(super) fn joined(self, texts: &[String]) -> String {
        match self {
            Self::DuckDb | Self::Spark => format!("concat_ws(',', {})", texts.join(", ")),
            // A function has at most 127 arguments there, an array any number.
            Self::Trino => format!("concat_ws(',', ARRAY[{}])", texts.join(", ")),
        }
    }

    /// The texts of a list, with commas between them.
    pub(super) fn joined_list(self, list: &str) -> String {
        match self {
            Self::DuckDb => format!("COALESCE(array_to_string({list}, ','), '')"),
            Self::Spark => format!("concat_ws(',', {list})"),
            Self::Trino => format!("array_join({list}, ',')"),
        }
    }

    /// A list of what `element`, an expression over `variable`, makes of each of `list`.
    pub(super) fn each(self, list: &str, variable: &str, element: &str) -> String {
        match self {
            Self::DuckDb => format!("[{element} FOR {variable} IN {list}]"),
            Self::Spark | Self::Trino => format!("transform({list}, {variable} -> {element})"),
        }
    }

    /// A struct of (name, expression, type in Trino's words).
    pub(super) fn structure(self, fields: &[(String, String, String)]) -> String {
        match self {
            Self::DuckDb => {
                let fields = fields.iter();
                let fields = fields.map(|(name, of, _)| format!("{} := {of}", self.name(name)));
                format!("struct_pack({})", fields.collect::<Vec<_>>().join(", "))
            }
            Self::Spark => {
                let fields = fields.iter();
                let fields = fields.map(|(name, of, _)| format!("{}, {of}", self.literal(name)));
                format!("named_struct({})", fields.collect::<Vec<_>>().join(", "))
            }
            Self::Trino => {
                let values: Vec<&str> = fields.iter().map(|(_, of, _)| of.as_str()).collect();
                let types = fields.iter();
                let types = types.map(|(name, _, of)| format!("{} {of}", self.name(name)));
                let types = types.collect::<Vec<_>>().join(", ");
                format!("CAST(ROW({}) AS ROW({types}))", values.join(", "))
            }
        }
    }
}
