CREATE OR REPLACE VIEW "orders_view" AS
SELECT
  COALESCE(CAST("t"."id" AS VARCHAR), "t"."id__string", CASE WHEN "t"."id__object" IS NOT NULL THEN '{' || concat_ws(',', ARRAY['"a\"b\\":' || CASE WHEN "t"."id__object"."a""b\" IS NOT NULL THEN '[' || array_join(transform("t"."id__object"."a""b\", e1 -> COALESCE(COALESCE(CAST(e1."long" AS VARCHAR), json_format(CAST(e1."string" AS JSON))), 'null')), ',') || ']' END, '"n":' || json_format(CAST("t"."id__object"."n" AS JSON))]) || '}' END, CASE WHEN "t"."id__double" = floor("t"."id__double") AND abs("t"."id__double") <= 1e38 THEN CAST(CAST("t"."id__double" AS DECIMAL(38, 0)) AS VARCHAR) ELSE json_format(CAST("t"."id__double" AS JSON)) END) AS "id",
  "t"."id" AS "id__long",
  CASE WHEN "t"."u" IS NOT NULL THEN CAST(ROW(COALESCE(CAST("t"."u"."id" AS VARCHAR), "t"."u"."id__string"), "t"."u"."id", transform("t"."u"."l", e2 -> CASE WHEN e2 IS NOT NULL THEN CAST(ROW(COALESCE(CAST(e2."k" AS VARCHAR), e2."k__string", CASE WHEN e2."k__double" = floor(e2."k__double") AND abs(e2."k__double") <= 1e38 THEN CAST(CAST(e2."k__double" AS DECIMAL(38, 0)) AS VARCHAR) ELSE json_format(CAST(e2."k__double" AS JSON)) END), e2."k", e2."k__string", e2."k__double") AS ROW("k" VARCHAR, "k__long" BIGINT, "k__string" VARCHAR, "k__double" DOUBLE)) END), "t"."u"."id__string", "t"."u"."x") AS ROW("id" VARCHAR, "id__long" BIGINT, "l" ARRAY(ROW("k" VARCHAR, "k__long" BIGINT, "k__string" VARCHAR, "k__double" DOUBLE)), "id__string" VARCHAR, "x" BIGINT)) END AS "u",
  "t"."plain" AS "plain",
  COALESCE(CAST("t"."it's" AS VARCHAR), "t"."it's__string") AS "it's",
  "t"."it's" AS "it's__boolean",
  "t"."id__string" AS "id__string",
  "t"."it's__string" AS "it's__string",
  "t"."id__object" AS "id__object",
  "t"."id__double" AS "id__double",
  "t"."_topic" AS "_topic",
  "t"."_partition" AS "_partition",
  "t"."_offset" AS "_offset",
  "t"."_timestamp" AS "_timestamp",
  "t"."_timestamp_type" AS "_timestamp_type",
  "t"."_topic_id" AS "_topic_id",
  "t"."_key_schema_id" AS "_key_schema_id",
  "t"."_value_schema_id" AS "_value_schema_id",
  "t"."_ingested_at" AS "_ingested_at",
  "t"."_error" AS "_error",
  "t"."_key" AS "_key",
  "t"."_headers" AS "_headers",
  "t"."_value" AS "_value",
  "t"."dt" AS "dt"
FROM "orders.v1" AS "t"
WHERE "t"."_error" IS NULL;
