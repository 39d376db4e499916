//! The columns of each table: text unless `N` (number), `B` (truth) or `F` (float) says otherwise.

/// Tables with rows.
pub(super) const COLUMNS: &[(&str, &str)] = &[
    ("pg_catalog.pg_namespace", "oid:N nspname nspowner:N nspacl"),
    (
        "pg_catalog.pg_class",
        "oid:N relname relnamespace:N reltype:N reloftype:N relowner:N relam:N relfilenode:N \
         reltablespace:N relpages:N reltuples:F relallvisible:N reltoastrelid:N relhasindex:B \
         relisshared:B relpersistence relkind relnatts:N relchecks:N relhasoids:B relhaspkey:B \
         relhasrules:B relhastriggers:B relhassubclass:B relrowsecurity:B relforcerowsecurity:B \
         relispopulated:B relreplident relispartition:B relfrozenxid:N relacl reloptions \
         relpartbound",
    ),
    (
        "pg_catalog.pg_attribute",
        "attrelid:N attname atttypid:N attstattarget:N attlen:N attnum:N attndims:N \
         attcacheoff:N atttypmod:N attbyval:B attstorage attalign attnotnull:B atthasdef:B \
         attidentity attgenerated attisdropped:B attislocal:B attinhcount:N attcollation:N attacl \
         attoptions attfdwoptions",
    ),
    (
        "pg_catalog.pg_type",
        "oid:N typname typnamespace:N typowner:N typlen:N typbyval:B typtype typcategory \
         typispreferred:B typisdefined:B typdelim typrelid:N typelem:N typarray:N typinput \
         typoutput typreceive typsend typnotnull:B typbasetype:N typtypmod:N typndims:N \
         typcollation:N typdefault",
    ),
    (
        "pg_catalog.pg_database",
        "oid:N datname datdba:N encoding:N datcollate datctype datistemplate:B datallowconn:B \
         datconnlimit:N dattablespace:N datacl",
    ),
    (
        "pg_catalog.pg_roles",
        "oid:N rolname rolsuper:B rolinherit:B rolcreaterole:B rolcreatedb:B rolcanlogin:B \
         rolreplication:B rolconnlimit:N rolvaliduntil rolbypassrls:B rolconfig",
    ),
    (
        "pg_catalog.pg_user",
        "usename usesysid:N usecreatedb:B usesuper:B userepl:B",
    ),
    (
        "pg_catalog.pg_tables",
        "schemaname tablename tableowner tablespace hasindexes:B hasrules:B hastriggers:B",
    ),
    ("pg_catalog.pg_settings", "name setting unit short_desc"),
    (
        "information_schema.schemata",
        "catalog_name schema_name schema_owner",
    ),
    (
        "information_schema.tables",
        "table_catalog table_schema table_name table_type is_insertable_into",
    ),
    (
        "information_schema.columns",
        "table_catalog table_schema table_name column_name ordinal_position:N column_default \
         is_nullable data_type character_maximum_length:N numeric_precision:N numeric_scale:N \
         datetime_precision:N udt_catalog udt_schema udt_name is_identity is_generated \
         is_updatable",
    ),
];

/// Tables of what there is none of.
pub(super) const EMPTY: &[(&str, &str)] = &[
    ("pg_catalog.pg_am", "oid:N amname"),
    (
        "pg_catalog.pg_attrdef",
        "oid:N adrelid:N adnum:N adbin adsrc",
    ),
    (
        "pg_catalog.pg_collation",
        "oid:N collname collnamespace:N collencoding:N",
    ),
    (
        "pg_catalog.pg_constraint",
        "oid:N conname connamespace:N contype condeferrable:B condeferred:B convalidated:B \
         conrelid:N contypid:N conindid:N conparentid:N confrelid:N confupdtype confdeltype \
         confmatchtype conislocal:B conkey confkey consrc conbin",
    ),
    (
        "pg_catalog.pg_depend",
        "classid:N objid:N objsubid:N refclassid:N refobjid:N refobjsubid:N deptype",
    ),
    (
        "pg_catalog.pg_description",
        "objoid:N classoid:N objsubid:N description",
    ),
    (
        "pg_catalog.pg_shdescription",
        "objoid:N classoid:N description",
    ),
    (
        "pg_catalog.pg_enum",
        "oid:N enumtypid:N enumsortorder:F enumlabel",
    ),
    (
        "pg_catalog.pg_extension",
        "oid:N extname extnamespace:N extversion",
    ),
    (
        "pg_catalog.pg_foreign_server",
        "oid:N srvname srvowner:N srvfdw:N",
    ),
    (
        "pg_catalog.pg_foreign_table",
        "ftrelid:N ftserver:N ftoptions",
    ),
    (
        "pg_catalog.pg_index",
        "indexrelid:N indrelid:N indnatts:N indisunique:B indisprimary:B indisexclusion:B \
         indimmediate:B indisclustered:B indisvalid:B indisreplident:B indkey indoption indexprs \
         indpred",
    ),
    (
        "pg_catalog.pg_indexes",
        "schemaname tablename indexname tablespace indexdef",
    ),
    (
        "pg_catalog.pg_inherits",
        "inhrelid:N inhparent:N inhseqno:N",
    ),
    (
        "pg_catalog.pg_matviews",
        "schemaname matviewname matviewowner ispopulated:B definition",
    ),
    (
        "pg_catalog.pg_proc",
        "oid:N proname pronamespace:N proowner:N prokind prorettype:N proargtypes proargnames \
         proretset:B",
    ),
    (
        "pg_catalog.pg_range",
        "rngtypid:N rngsubtype:N rngcollation:N",
    ),
    (
        "pg_catalog.pg_rewrite",
        "oid:N rulename ev_class:N ev_type ev_enabled is_instead:B",
    ),
    (
        "pg_catalog.pg_stat_activity",
        "datname pid:N usename application_name client_addr state query",
    ),
    (
        "pg_catalog.pg_tablespace",
        "oid:N spcname spcowner:N spcacl spcoptions",
    ),
    (
        "pg_catalog.pg_trigger",
        "oid:N tgrelid:N tgname tgfoid:N tgtype:N tgenabled tgisinternal:B tgconstraint:N",
    ),
    (
        "pg_catalog.pg_views",
        "schemaname viewname viewowner definition",
    ),
    (
        "information_schema.views",
        "table_catalog table_schema table_name view_definition",
    ),
    (
        "information_schema.key_column_usage",
        "constraint_catalog constraint_schema constraint_name table_catalog table_schema \
         table_name column_name ordinal_position:N",
    ),
    (
        "information_schema.table_constraints",
        "constraint_catalog constraint_schema constraint_name table_catalog table_schema \
         table_name constraint_type",
    ),
    (
        "information_schema.referential_constraints",
        "constraint_catalog constraint_schema constraint_name unique_constraint_name",
    ),
    (
        "information_schema.routines",
        "specific_name routine_catalog routine_schema routine_name routine_type data_type",
    ),
];
