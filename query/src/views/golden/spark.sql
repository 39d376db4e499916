CREATE OR REPLACE VIEW `orders_view` AS
SELECT
  COALESCE(CAST(`t`.`id` AS STRING), `t`.`id__string`, CASE WHEN `t`.`id__object` IS NOT NULL THEN '{' || concat_ws(',', '"a\\"b\\\\":' || CASE WHEN `t`.`id__object`.`a"b\` IS NOT NULL THEN '[' || concat_ws(',', transform(`t`.`id__object`.`a"b\`, e1 -> COALESCE(COALESCE(CAST(e1.`long` AS STRING), CASE WHEN e1.`string` IS NOT NULL THEN substring(to_json(array(e1.`string`)), 2, length(to_json(array(e1.`string`))) - 2) END), 'null'))) || ']' END, '"n":' || CAST(`t`.`id__object`.`n` AS STRING)) || '}' END, CASE WHEN `t`.`id__double` = rint(`t`.`id__double`) AND abs(`t`.`id__double`) <= 1e38 THEN CAST(CAST(`t`.`id__double` AS DECIMAL(38, 0)) AS STRING) ELSE CAST(`t`.`id__double` AS STRING) END) AS `id`,
  `t`.`id` AS `id__long`,
  CASE WHEN `t`.`u` IS NOT NULL THEN named_struct('id', COALESCE(CAST(`t`.`u`.`id` AS STRING), `t`.`u`.`id__string`), 'id__long', `t`.`u`.`id`, 'l', transform(`t`.`u`.`l`, e2 -> CASE WHEN e2 IS NOT NULL THEN named_struct('k', COALESCE(CAST(e2.`k` AS STRING), e2.`k__string`, CASE WHEN e2.`k__double` = rint(e2.`k__double`) AND abs(e2.`k__double`) <= 1e38 THEN CAST(CAST(e2.`k__double` AS DECIMAL(38, 0)) AS STRING) ELSE CAST(e2.`k__double` AS STRING) END), 'k__long', e2.`k`, 'k__string', e2.`k__string`, 'k__double', e2.`k__double`) END), 'id__string', `t`.`u`.`id__string`, 'x', `t`.`u`.`x`) END AS `u`,
  `t`.`plain` AS `plain`,
  COALESCE(CAST(`t`.`it's` AS STRING), `t`.`it's__string`) AS `it's`,
  `t`.`it's` AS `it's__boolean`,
  `t`.`id__string` AS `id__string`,
  `t`.`it's__string` AS `it's__string`,
  `t`.`id__object` AS `id__object`,
  `t`.`id__double` AS `id__double`,
  `t`.`_topic` AS `_topic`,
  `t`.`_partition` AS `_partition`,
  `t`.`_offset` AS `_offset`,
  `t`.`_timestamp` AS `_timestamp`,
  `t`.`_timestamp_type` AS `_timestamp_type`,
  `t`.`_topic_id` AS `_topic_id`,
  `t`.`_key_schema_id` AS `_key_schema_id`,
  `t`.`_value_schema_id` AS `_value_schema_id`,
  `t`.`_ingested_at` AS `_ingested_at`,
  `t`.`_error` AS `_error`,
  `t`.`_key` AS `_key`,
  `t`.`_headers` AS `_headers`,
  `t`.`_value` AS `_value`,
  `t`.`dt` AS `dt`
FROM delta.`s3://bucket/lake/topics/orders` AS `t`
WHERE `t`.`_error` IS NULL;
