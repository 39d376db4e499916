SELECT count(*) AS n FROM slack_events
SELECT count(event) AS events, count(event_time) AS times, count(DISTINCT type) AS types FROM slack_events
SELECT event.type AS t, count(*) AS n FROM slack_events GROUP BY event.type ORDER BY n DESC, t
SELECT type, count(*) AS n FROM slack_events GROUP BY type ORDER BY type
SELECT event.type AS t, min(event_time) AS a, max(event_time) AS z FROM slack_events GROUP BY 1 ORDER BY 1
SELECT _partition, _offset, event.channel_id AS c FROM slack_events WHERE event.channel_id IS NOT NULL ORDER BY _partition, _offset
SELECT _partition, _offset FROM slack_events WHERE event.type = 'message' ORDER BY _partition, _offset
SELECT _partition, _offset FROM slack_events WHERE event.type LIKE 'channel%' ORDER BY 1, 2
SELECT _partition, _offset FROM slack_events WHERE event.type LIKE '%\_%' ESCAPE '\' ORDER BY 1, 2
SELECT DISTINCT event.type AS t FROM slack_events ORDER BY t
SELECT upper(event.type) AS u, length(event.type) AS l FROM slack_events WHERE event.type IS NOT NULL ORDER BY u, l
SELECT substr(event.type, 1, 4) AS s, count(*) AS n FROM slack_events GROUP BY 1 HAVING count(*) > 1 ORDER BY 2 DESC, 1
SELECT coalesce(event_context, 'none') AS c, count(*) AS n FROM slack_events GROUP BY 1 ORDER BY 1
SELECT is_ext_shared_channel AS x, count(*) AS n FROM slack_events GROUP BY 1 ORDER BY 1 NULLS FIRST
SELECT event_time + 1 AS t FROM slack_events WHERE event_time > 0 ORDER BY t, _partition, _offset
SELECT count(*) AS n FROM slack_events WHERE event.channel_id = event.user_id OR event.channel_id IS NULL
SELECT _partition AS p, count(*) AS n, sum(_offset) AS s FROM slack_events GROUP BY _partition ORDER BY p
SELECT _partition, _offset, row_number() OVER (PARTITION BY event.type ORDER BY _partition, _offset) AS r FROM slack_events ORDER BY _partition, _offset
SELECT _partition, _offset, count(*) OVER (PARTITION BY event.type) AS n FROM slack_events ORDER BY _partition, _offset
SELECT _partition, _offset, lag(event.type) OVER (PARTITION BY _partition ORDER BY _offset) AS before FROM slack_events ORDER BY _partition, _offset
SELECT _partition, _offset, first_value(event.type) OVER (PARTITION BY _partition ORDER BY _offset) AS f FROM slack_events ORDER BY 1, 2
SELECT _partition, _offset, sum(_offset) OVER (PARTITION BY _partition ORDER BY _offset ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS s FROM slack_events ORDER BY 1, 2
SELECT t, n FROM (SELECT event.type AS t, count(*) AS n FROM slack_events GROUP BY 1) AS q WHERE n > 1 ORDER BY t
WITH kinds AS (SELECT event.type AS t, count(*) AS n FROM slack_events GROUP BY 1) SELECT max(n) AS most, min(n) AS least FROM kinds
SELECT a._offset AS one, b._offset AS other FROM slack_events a JOIN slack_events b ON a._partition = b._partition AND a._offset + 1 = b._offset ORDER BY a._partition, 1
SELECT a._partition, a._offset FROM slack_events a WHERE a.event.type NOT IN (SELECT b.event.type FROM slack_events b WHERE b.event.type LIKE '%message%' AND b.event.type IS NOT NULL) ORDER BY 1, 2
SELECT event.type AS t FROM slack_events WHERE _partition = 0 UNION SELECT event.type FROM slack_events WHERE _partition = 1 ORDER BY 1
SELECT event.type AS t FROM slack_events WHERE _partition = 0 INTERSECT SELECT event.type FROM slack_events WHERE _partition = 1 ORDER BY 1
SELECT event.type AS t FROM slack_events EXCEPT SELECT event.type FROM slack_events WHERE _partition > 0 ORDER BY 1
SELECT CASE WHEN event.type LIKE 'message%' THEN 'message' WHEN event.type IS NULL THEN 'none' ELSE 'other' END AS c, count(*) AS n FROM slack_events GROUP BY 1 ORDER BY 1
SELECT _partition, _offset, authed_users[1] AS u FROM slack_events WHERE authed_users IS NOT NULL ORDER BY 1, 2
SELECT _partition, _offset, unnest(authed_users) AS u FROM slack_events ORDER BY 1, 2, 3
SELECT authorizations[1].is_bot AS b, count(*) AS n FROM slack_events GROUP BY 1 ORDER BY 1 NULLS FIRST
SELECT authorizations[1].team_id AS t, count(*) AS n FROM slack_events GROUP BY 1 ORDER BY 1
SELECT count(*) AS n FROM slack_events WHERE authorizations IS NOT NULL AND authorizations[1].is_enterprise_install
SELECT token || '/' || team_id AS j, count(*) AS n FROM slack_events GROUP BY 1 ORDER BY 1
SELECT concat(event.type, '-', event_id) AS c FROM slack_events ORDER BY _partition, _offset
SELECT replace(event.type, '_', '-') AS r FROM slack_events WHERE event.type IS NOT NULL ORDER BY r, _partition, _offset
SELECT nullif(event_context, '') AS c, count(*) AS n FROM slack_events GROUP BY 1 ORDER BY 1
SELECT _partition, _offset FROM slack_events WHERE event_time BETWEEN 1 AND 2000000000 ORDER BY 1, 2
SELECT _partition, _offset FROM slack_events WHERE event.type IN ('app_mention', 'reaction_added', 'pin_added', 'none') ORDER BY 1, 2
SELECT _partition, _offset FROM slack_events WHERE NOT (event.type > 'm') ORDER BY 1, 2
SELECT max(length(event.type)) AS l, avg(length(event.type)) AS m FROM slack_events
SELECT event.type AS t, _offset FROM slack_events ORDER BY event.type DESC NULLS LAST, _partition, _offset LIMIT 7
SELECT event.type AS t, _offset FROM slack_events ORDER BY event.type NULLS FIRST, _partition DESC, _offset DESC LIMIT 9 OFFSET 3
SELECT count(*) AS n FROM slack_events WHERE length(cast(_timestamp AS varchar)) > 0
SELECT date_trunc('year', _timestamp) >= timestamp '2020-01-01' AS y, count(*) AS n FROM slack_events GROUP BY 1
SELECT bool_and(_offset >= 0) AS every, bool_or(event_time IS NULL) AS some FROM slack_events
SELECT _partition, count(*) FILTER (WHERE event.type = 'message') AS m, count(*) AS n FROM slack_events GROUP BY 1 ORDER BY 1
SELECT event.type AS t, string_agg(cast(_offset AS varchar), ',' ORDER BY _partition, _offset) AS o FROM slack_events GROUP BY 1 ORDER BY 1
SELECT grouping(_partition) AS g, _partition AS p, count(*) AS n FROM slack_events GROUP BY ROLLUP (_partition) ORDER BY 1, 2
SELECT _partition AS p, event.type AS t, count(*) AS n FROM slack_events GROUP BY GROUPING SETS ((_partition), (event.type)) ORDER BY 1 NULLS FIRST, 2 NULLS FIRST, 3
SELECT dt, count(*) AS n FROM slack_events GROUP BY dt ORDER BY dt
SELECT starts_with(event.type, 'im_') AS i, count(*) AS n FROM slack_events WHERE event.type IS NOT NULL GROUP BY 1 ORDER BY 1
SELECT regexp_replace(event.type, '[aeiou]', '') AS r FROM slack_events WHERE event.type IS NOT NULL ORDER BY 1, _partition, _offset
SELECT ntile(4) OVER (ORDER BY _partition, _offset) AS q, _offset FROM slack_events ORDER BY _partition, _offset
SELECT dense_rank() OVER (ORDER BY event.type NULLS LAST) AS d, rank() OVER (ORDER BY event.type NULLS LAST) AS r, event.type AS t FROM slack_events ORDER BY d, _partition, _offset
SELECT _partition, _offset, lead(_offset, 2, -1) OVER (PARTITION BY _partition ORDER BY _offset) AS l FROM slack_events ORDER BY 1, 2
SELECT (SELECT max(_offset) FROM slack_events) AS m, count(*) AS n FROM slack_events WHERE _offset = (SELECT max(_offset) FROM slack_events)
SELECT count(*) AS n FROM slack_events a CROSS JOIN slack_events b WHERE a._partition < b._partition
SELECT a.event.type AS t, count(*) AS n FROM slack_events a LEFT JOIN slack_events b ON a.event.type = b.event.type AND a._offset < b._offset WHERE b._offset IS NULL GROUP BY 1 ORDER BY 1
SELECT object, count(*) AS n FROM stripe_objects GROUP BY object ORDER BY n DESC, object
SELECT count(*) AS n, count(amount) AS a, count(customer) AS c, count(DISTINCT currency) AS d FROM stripe_objects
SELECT id, amount FROM stripe_objects WHERE amount IS NOT NULL ORDER BY id, _partition, _offset
SELECT id, amount__long AS a FROM stripe_objects WHERE amount__long > 500 ORDER BY id
SELECT sum(amount__long) AS s, avg(amount__long) AS a, min(amount__long) AS l, max(amount__long) AS m FROM stripe_objects
SELECT currency, sum(amount__long) AS s, count(*) AS n FROM stripe_objects WHERE amount__long IS NOT NULL GROUP BY currency ORDER BY currency
SELECT id, customer FROM stripe_objects WHERE customer IS NOT NULL ORDER BY id, _partition, _offset
SELECT customer__string AS c, count(*) AS n FROM stripe_objects GROUP BY 1 HAVING count(*) > 1 ORDER BY 1
SELECT customer__object.id AS c FROM stripe_objects WHERE customer__object IS NOT NULL ORDER BY 1
SELECT id FROM stripe_objects WHERE customer LIKE 'cus\_%' ESCAPE '\' ORDER BY id
SELECT object, count(*) AS n FROM stripe_objects WHERE livemode GROUP BY object ORDER BY object
SELECT livemode, count(*) AS n FROM stripe_objects GROUP BY 1 ORDER BY 1 NULLS FIRST
SELECT status, count(*) AS n FROM stripe_objects GROUP BY status ORDER BY status NULLS LAST
SELECT billing_details.address.country AS c, count(*) AS n FROM stripe_objects GROUP BY 1 ORDER BY 1
SELECT billing_details.name AS name FROM stripe_objects WHERE billing_details.name IS NOT NULL ORDER BY 1, _partition, _offset
SELECT id FROM stripe_objects WHERE billing_details.email IS NULL AND billing_details IS NOT NULL ORDER BY id
SELECT payment_method_details.card.brand AS b, payment_method_details.card.exp_year AS y FROM stripe_objects WHERE payment_method_details.card.brand IS NOT NULL ORDER BY 1, 2
SELECT evidence_details.due_by AS d, evidence_details.has_evidence AS h FROM stripe_objects WHERE evidence_details IS NOT NULL ORDER BY 1
SELECT min(created) AS a, max(created) AS z, count(created) AS n FROM stripe_objects
SELECT id FROM stripe_objects WHERE created = 1234567890 ORDER BY id, _partition, _offset LIMIT 20
SELECT object FROM stripe_objects WHERE created <> 1234567890 ORDER BY object, _partition, _offset
SELECT created % 7 AS d, count(*) AS n FROM stripe_objects GROUP BY 1 ORDER BY 1 NULLS LAST
SELECT abs(amount__long - 1000) AS d, id FROM stripe_objects WHERE amount__long IS NOT NULL ORDER BY d, id
SELECT amount__long / 100.0 AS d, id FROM stripe_objects WHERE amount__long IS NOT NULL ORDER BY id
SELECT round(amount__long / 7.0, 2) AS r, id FROM stripe_objects WHERE amount__long IS NOT NULL ORDER BY id
SELECT cast(amount__long AS double) * 1.5 AS d, id FROM stripe_objects WHERE amount__long IS NOT NULL ORDER BY id
SELECT stddev(amount__long) AS s, var_pop(amount__long) AS v FROM stripe_objects
SELECT corr(amount__long, created) AS c FROM stripe_objects WHERE amount__long IS NOT NULL
SELECT object, amount__long AS a, rank() OVER (ORDER BY amount__long DESC NULLS LAST) AS r FROM stripe_objects ORDER BY r, object, _partition, _offset LIMIT 30
SELECT id, sum(amount__long) OVER (ORDER BY _partition, _offset) AS s FROM stripe_objects ORDER BY _partition, _offset
SELECT object, max(amount__long) AS m FROM stripe_objects GROUP BY object HAVING max(amount__long) > 1000 ORDER BY m DESC, object
SELECT p.id AS price, q.id AS product FROM stripe_objects p JOIN stripe_objects q ON p.product = q.id ORDER BY 1, 2
SELECT a.id AS one, b.id AS other FROM stripe_objects a JOIN stripe_objects b ON a.customer__string = b.id WHERE b.object = 'customer' ORDER BY 1, 2
SELECT a.id, b.status FROM stripe_objects a LEFT JOIN stripe_objects b ON a.charge = b.id ORDER BY a.id, b.status
SELECT a.object, count(b.id) AS n FROM stripe_objects a LEFT JOIN stripe_objects b ON a.currency = b.currency AND a.object < b.object GROUP BY a.object ORDER BY a.object
SELECT id FROM stripe_objects a WHERE EXISTS (SELECT 1 FROM stripe_objects b WHERE b.charge = a.id) ORDER BY id
SELECT id FROM stripe_objects WHERE charge IN (SELECT id FROM stripe_objects WHERE object = 'charge') ORDER BY id
SELECT count(*) AS n FROM stripe_objects a FULL JOIN stripe_objects b ON a.id = b.invoice
SELECT currency FROM stripe_objects WHERE object = 'charge' UNION ALL SELECT currency FROM stripe_objects WHERE object = 'refund' ORDER BY 1
SELECT object FROM stripe_objects WHERE amount IS NOT NULL EXCEPT SELECT object FROM stripe_objects WHERE currency IS NULL ORDER BY 1
SELECT object FROM stripe_objects WHERE description IS NOT NULL INTERSECT SELECT object FROM stripe_objects WHERE currency IS NOT NULL ORDER BY 1
SELECT lower(description) AS d FROM stripe_objects WHERE description IS NOT NULL ORDER BY d, _partition, _offset
SELECT object, length(id) AS l FROM stripe_objects WHERE length(id) > 25 ORDER BY l DESC, id, _partition, _offset
SELECT substr(id, 1, strpos(id, '_')) AS prefix, count(*) AS n FROM stripe_objects WHERE id LIKE '%\_%' ESCAPE '\' GROUP BY 1 ORDER BY 2 DESC, 1
SELECT trim(description) AS t, reverse(object) AS r FROM stripe_objects WHERE description IS NOT NULL ORDER BY r, t, _partition, _offset
SELECT left(object, 3) AS l, right(object, 2) AS r, count(*) AS n FROM stripe_objects GROUP BY 1, 2 ORDER BY 1, 2
SELECT lpad(last4, 6, '0') AS p FROM stripe_objects WHERE last4 IS NOT NULL ORDER BY p, _partition, _offset
SELECT split_part(object, '.', 1) AS p, count(*) AS n FROM stripe_objects GROUP BY 1 HAVING count(*) > 1 ORDER BY 1
SELECT CASE WHEN amount__long > 1000 THEN 'large' WHEN amount__long IS NULL THEN NULL ELSE 'small' END AS c, count(*) AS n FROM stripe_objects GROUP BY 1 ORDER BY 1 NULLS LAST
SELECT coalesce(status, reason, 'none') AS c, count(*) AS n FROM stripe_objects GROUP BY 1 ORDER BY 1
SELECT id, payment_method_types[1] AS p FROM stripe_objects WHERE payment_method_types IS NOT NULL ORDER BY id
SELECT id, unnest(payment_method_types) AS p FROM stripe_objects ORDER BY id, p
SELECT c, count(*) AS n FROM (SELECT unnest(default_columns) AS c FROM stripe_objects) AS q GROUP BY 1 ORDER BY 1
SELECT pending[1].amount AS a, pending[1].currency AS c FROM stripe_objects WHERE pending IS NOT NULL ORDER BY 1, 2
SELECT available__list[1].amount AS a FROM stripe_objects WHERE available__list IS NOT NULL ORDER BY 1
SELECT refunds__object.url AS u FROM stripe_objects WHERE refunds__object IS NOT NULL ORDER BY u
SELECT id, source__object.id AS s FROM stripe_objects WHERE source__object.id IS NOT NULL ORDER BY id
SELECT id, card FROM stripe_objects WHERE card__string IS NOT NULL ORDER BY id
SELECT id FROM stripe_objects WHERE card__object.brand = 'visa' ORDER BY id
SELECT id, amount_requested FROM stripe_objects WHERE amount_requested__long IS NOT NULL ORDER BY id
SELECT amount_refunded, count(*) AS n FROM stripe_objects WHERE amount_refunded__long IS NOT NULL GROUP BY 1 ORDER BY 1
SELECT count(*) AS n FROM stripe_objects WHERE amount = '100'
SELECT count(*) AS n FROM stripe_objects WHERE status IS DISTINCT FROM 'succeeded'
SELECT count(*) AS n FROM stripe_objects WHERE status IS NOT DISTINCT FROM NULL
SELECT id FROM stripe_objects WHERE paid AND NOT refunded ORDER BY id
SELECT id FROM stripe_objects WHERE (paid IS NULL OR NOT paid) AND currency = 'usd' ORDER BY id, _partition, _offset
SELECT id FROM stripe_objects WHERE object ILIKE '%ACCOUNT%' ORDER BY id, _partition, _offset
SELECT id FROM stripe_objects WHERE object NOT LIKE '%\_%' ESCAPE '\' ORDER BY id, _partition, _offset
SELECT object, string_agg(id, '|' ORDER BY id) AS ids FROM stripe_objects GROUP BY object HAVING count(id) > 1 ORDER BY object
SELECT currency, count(*) FILTER (WHERE amount__long > 500) AS l, sum(amount__long) FILTER (WHERE amount__long <= 500) AS s FROM stripe_objects GROUP BY currency ORDER BY currency
SELECT object, currency, count(*) AS n FROM stripe_objects WHERE currency IS NOT NULL GROUP BY CUBE (object, currency) ORDER BY 1 NULLS FIRST, 2 NULLS FIRST, 3
SELECT median(amount__long) AS m FROM stripe_objects
SELECT _partition, _offset, lag(object, 1, 'first') OVER (PARTITION BY _partition ORDER BY _offset) AS l FROM stripe_objects ORDER BY 1, 2
SELECT object, percent_rank() OVER (ORDER BY amount__long NULLS FIRST) AS p FROM stripe_objects ORDER BY p, object, _partition, _offset LIMIT 40
SELECT DISTINCT currency, livemode FROM stripe_objects ORDER BY 1, 2
SELECT greatest(amount__long, amount_captured) AS g, least(amount__long, amount_captured) AS l FROM stripe_objects WHERE amount__long IS NOT NULL AND amount_captured IS NOT NULL ORDER BY 1, 2
SELECT id FROM stripe_objects ORDER BY id DESC NULLS LAST LIMIT 5
SELECT period.start AS a, period.end AS z FROM stripe_objects WHERE period IS NOT NULL ORDER BY 1, 2
SELECT status_transitions.posted_at AS p FROM stripe_objects WHERE status_transitions.posted_at > 0 ORDER BY 1
SELECT shipping_cost.amount_total AS t, count(*) AS n FROM stripe_objects WHERE shipping_cost IS NOT NULL GROUP BY 1 ORDER BY 1
SELECT price.recurring.interval AS i, count(*) AS n FROM stripe_objects WHERE price IS NOT NULL GROUP BY 1 ORDER BY 1
SELECT customer_details.address.state AS s FROM stripe_objects WHERE customer_details.address.state IS NOT NULL ORDER BY 1
SELECT count(*) AS n FROM saas_audit_logs
SELECT type, count(*) AS n FROM saas_audit_logs GROUP BY type ORDER BY n DESC, type LIMIT 25
SELECT "eventName" AS e, count(*) AS n FROM saas_audit_logs WHERE "eventName" IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1
SELECT action, count(*) AS n FROM saas_audit_logs WHERE action IS NOT NULL GROUP BY action ORDER BY n DESC, action LIMIT 40
SELECT _partition, _offset, id FROM saas_audit_logs WHERE id IS NOT NULL ORDER BY 1, 2
SELECT count(id__string) AS s, count(id__object) AS o, count(id__long) AS l, count(id) AS a FROM saas_audit_logs
SELECT id__object."applicationName" AS a, count(*) AS n FROM saas_audit_logs WHERE id__object IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1
SELECT sum(id__long) AS s, max(id__long) AS m FROM saas_audit_logs
SELECT actor__object.type AS t, count(*) AS n FROM saas_audit_logs GROUP BY 1 ORDER BY 2 DESC, 1
SELECT actor__string AS a, count(*) AS n FROM saas_audit_logs GROUP BY 1 HAVING count(*) > 1 ORDER BY 2 DESC, 1
SELECT actor__object.email_address AS e FROM saas_audit_logs WHERE actor__object.email_address IS NOT NULL ORDER BY 1, _partition, _offset
SELECT count(*) AS n FROM saas_audit_logs WHERE actor IS NULL
SELECT created_at__double AS d, created_at__string AS s FROM saas_audit_logs WHERE created_at IS NOT NULL ORDER BY 1 NULLS LAST, 2, _partition, _offset LIMIT 40
SELECT min(created_at__double) AS a, max(created_at__double) AS z, count(created_at__double) AS n FROM saas_audit_logs
SELECT substr(created_at__string, 1, 10) AS d, count(*) AS n FROM saas_audit_logs WHERE created_at__string IS NOT NULL GROUP BY 1 ORDER BY 1
SELECT "serviceName" AS s, "actionName" AS a, count(*) AS n FROM saas_audit_logs WHERE "serviceName" IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2
SELECT "userIdentity".email AS e, count(*) AS n FROM saas_audit_logs WHERE "userIdentity" IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1
SELECT response."statusCode" AS c, count(*) AS n FROM saas_audit_logs WHERE response IS NOT NULL GROUP BY 1 ORDER BY 1
SELECT _partition, _offset FROM saas_audit_logs WHERE response."statusCode" >= 400 ORDER BY 1, 2
SELECT _partition, _offset FROM saas_audit_logs WHERE "sourceIPAddress" LIKE '10.%' ORDER BY 1, 2
SELECT version, count(*) AS n FROM saas_audit_logs WHERE version IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1
SELECT version__long AS v, count(*) AS n FROM saas_audit_logs GROUP BY 1 ORDER BY 1 NULLS FIRST
SELECT severity, count(*) AS n FROM saas_audit_logs GROUP BY 1 ORDER BY 2 DESC, 1
SELECT severity__string AS s FROM saas_audit_logs WHERE severity__string > 'D' ORDER BY 1, _partition, _offset
SELECT avg(severity__long) AS a FROM saas_audit_logs
SELECT event__object.severity AS s, count(*) AS n FROM saas_audit_logs GROUP BY 1 ORDER BY 1 NULLS LAST
SELECT event__string AS e, count(*) AS n FROM saas_audit_logs WHERE event__string IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 30
SELECT related.ip AS i FROM saas_audit_logs WHERE related.ip IS NOT NULL ORDER BY 1, _partition, _offset
SELECT rule.name AS r, count(*) AS n FROM saas_audit_logs WHERE rule IS NOT NULL GROUP BY 1 ORDER BY 1
SELECT _partition, _offset, unnest(p_any_emails) AS e FROM saas_audit_logs ORDER BY 3, 1, 2
SELECT ip, count(*) AS n FROM (SELECT unnest(p_any_ip_addresses) AS ip FROM saas_audit_logs) AS q GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 20
SELECT p_any_emails[1] AS e, p_any_emails[2] AS f FROM saas_audit_logs WHERE p_any_emails IS NOT NULL ORDER BY _partition, _offset
SELECT p_log_type AS t, count(*) AS n, count(DISTINCT p_source_id) AS s FROM saas_audit_logs GROUP BY 1 ORDER BY 1 NULLS FIRST
SELECT factor, result, reason, count(*) AS n FROM saas_audit_logs WHERE result IS NOT NULL GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
SELECT user__object.username AS u FROM saas_audit_logs WHERE user__object.username IS NOT NULL ORDER BY 1, _partition, _offset
SELECT user__string AS u, count(*) AS n FROM saas_audit_logs WHERE user__string LIKE '%@%' GROUP BY 1 ORDER BY 2 DESC, 1
SELECT "protoPayload"."authenticationInfo"."principalEmail" AS e, count(*) AS n FROM saas_audit_logs WHERE "protoPayload" IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1
SELECT operation__string AS o, operation__object.first AS f, count(*) AS n FROM saas_audit_logs WHERE operation IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2
SELECT workflow_run.status AS s, workflow_run.conclusion AS c, count(*) AS n FROM saas_audit_logs WHERE workflow_run IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2
SELECT repository__object.full_name AS r, count(*) AS n FROM saas_audit_logs WHERE repository__object IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1
SELECT repository, count(*) AS n FROM saas_audit_logs WHERE repository__string IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1
SELECT pull_request.number AS n, pull_request.state AS s FROM saas_audit_logs WHERE pull_request.number IS NOT NULL ORDER BY 1, 2, _partition, _offset
SELECT sender__object.login AS l, count(*) AS n FROM saas_audit_logs WHERE sender__object IS NOT NULL GROUP BY 1 ORDER BY 1
SELECT workflow_id, workflow_id__long AS l FROM saas_audit_logs WHERE workflow_id IS NOT NULL ORDER BY _partition, _offset
SELECT "@timestamp__long" AS t FROM saas_audit_logs WHERE "@timestamp__long" IS NOT NULL ORDER BY 1 DESC, _partition, _offset LIMIT 10
SELECT org, repo, count(*) AS n FROM saas_audit_logs WHERE org IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2
SELECT actor_id__long AS i, count(*) AS n FROM saas_audit_logs WHERE actor_id__long IS NOT NULL GROUP BY 1 ORDER BY 1
SELECT actor_is_bot AS b, public_repo AS p, count(*) AS n FROM saas_audit_logs GROUP BY 1, 2 ORDER BY 1 NULLS FIRST, 2 NULLS FIRST
SELECT code, success, count(*) AS n FROM saas_audit_logs WHERE code IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2
SELECT program, pid, ppid, return_code FROM saas_audit_logs WHERE program IS NOT NULL ORDER BY pid, program, _partition, _offset
SELECT argv[1] AS a FROM saas_audit_logs WHERE argv IS NOT NULL ORDER BY 1 NULLS FIRST, _partition, _offset
SELECT server_labels.env AS e, server_labels.role AS r FROM saas_audit_logs WHERE server_labels IS NOT NULL ORDER BY _partition, _offset
SELECT a."eventName" AS e, count(*) AS n FROM saas_audit_logs a JOIN saas_audit_logs b ON a."userAgent" = b."userAgent" AND a._offset < b._offset GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 10
SELECT count(*) AS n FROM saas_audit_logs a JOIN stripe_objects s ON a.id__string = s.id
SELECT 'slack' AS src, count(*) AS n FROM slack_events UNION ALL SELECT 'stripe', count(*) FROM stripe_objects UNION ALL SELECT 'audit', count(*) FROM saas_audit_logs ORDER BY 1
SELECT _partition AS p, max(_offset) + 1 AS z, count(*) AS n FROM saas_audit_logs GROUP BY 1 HAVING max(_offset) + 1 = count(*) ORDER BY 1
SELECT _partition, _offset FROM saas_audit_logs WHERE _offset BETWEEN 100 AND 110 ORDER BY 1, 2
SELECT _partition, _offset, type FROM saas_audit_logs ORDER BY _offset DESC, _partition DESC LIMIT 10
SELECT type, row_number() OVER (PARTITION BY type ORDER BY _partition, _offset) AS r FROM saas_audit_logs WHERE type IS NOT NULL ORDER BY type, r LIMIT 100
SELECT identity__object.expires AS e FROM saas_audit_logs WHERE identity__object.expires IS NOT NULL ORDER BY 1
SELECT message__string AS m FROM saas_audit_logs WHERE message__string LIKE '% %' ORDER BY 1, _partition, _offset LIMIT 25
SELECT message, count(*) AS n FROM saas_audit_logs WHERE message IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 15
SELECT details__object.new_value__string AS v FROM saas_audit_logs WHERE details__object.new_value__string IS NOT NULL ORDER BY 1, _partition, _offset
SELECT context__object.client_ip_address AS c, count(*) AS n FROM saas_audit_logs GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 10
