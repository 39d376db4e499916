CREATE OR REPLACE VIEW "orders_view" AS
SELECT
  COALESCE(CAST("t"."id" AS VARCHAR), "t"."id__string", CASE WHEN "t"."id__object" IS NOT NULL THEN '{' || concat_ws(',', '"a\"b\\":' || CASE WHEN struct_extract("t"."id__object", 'a"b\') IS NOT NULL THEN '[' || COALESCE(array_to_string([COALESCE(COALESCE(CAST(struct_extract(e1, 'long') AS VARCHAR), CAST(to_json(struct_extract(e1, 'string')) AS VARCHAR)), 'null') FOR e1 IN struct_extract("t"."id__object", 'a"b\')], ','), '') || ']' END, '"n":' || CAST(struct_extract("t"."id__object", 'n') AS VARCHAR)) || '}' END, CASE WHEN "t"."id__double" = floor("t"."id__double") AND abs("t"."id__double") <= 1e38 THEN CAST(CAST("t"."id__double" AS DECIMAL(38, 0)) AS VARCHAR) ELSE CAST("t"."id__double" AS VARCHAR) END) AS "id",
  "t"."id" AS "id__long",
  CASE WHEN "t"."u" IS NOT NULL THEN struct_pack("id" := COALESCE(CAST(struct_extract("t"."u", 'id') AS VARCHAR), struct_extract("t"."u", 'id__string')), "id__long" := struct_extract("t"."u", 'id'), "l" := [CASE WHEN e2 IS NOT NULL THEN struct_pack("k" := COALESCE(CAST(struct_extract(e2, 'k') AS VARCHAR), struct_extract(e2, 'k__string'), CASE WHEN struct_extract(e2, 'k__double') = floor(struct_extract(e2, 'k__double')) AND abs(struct_extract(e2, 'k__double')) <= 1e38 THEN CAST(CAST(struct_extract(e2, 'k__double') AS DECIMAL(38, 0)) AS VARCHAR) ELSE CAST(struct_extract(e2, 'k__double') AS VARCHAR) END), "k__long" := struct_extract(e2, 'k'), "k__string" := struct_extract(e2, 'k__string'), "k__double" := struct_extract(e2, 'k__double')) END FOR e2 IN struct_extract("t"."u", 'l')], "id__string" := struct_extract("t"."u", 'id__string'), "x" := struct_extract("t"."u", 'x')) END AS "u",
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
FROM delta_scan('s3://bucket/lake/topics/orders') AS "t"
WHERE "t"."_error" IS NULL;
