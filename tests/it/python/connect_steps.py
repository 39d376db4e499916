"""The steps of Kafka's own system test of Connect's REST API, against two workers of a group.

What that test does with a file source (its lines become records) a producer does here, since
Eddy has no sources; what it asks of the source connector by REST is asked of a second sink. What
it reads from the sink's file is read from the table by SQL. Its topic is given by reference.
"""

import itertools
import json
import sys
import time

import requests
from confluent_kafka import Producer

given = json.load(sys.stdin)
SINK = "io.eddy.EddySinkConnector"
JSON = "org.apache.kafka.connect.json.JsonConverter"
# The keys that a sink of Kafka's own has, but for the file's.
KEYS = {
    "name", "connector.class", "tasks.max", "tasks.max.enforce", "key.converter", "value.converter",
    "header.converter", "topics", "topics.regex", "transforms", "predicates", "config.action.reload",
    "errors.retry.timeout", "errors.retry.delay.max.ms", "errors.tolerance", "errors.log.enable",
    "errors.log.include.messages", "errors.deadletterqueue.topic.name",
    "errors.deadletterqueue.topic.replication.factor",
    "errors.deadletterqueue.context.headers.enable",
}
workers = itertools.cycle(given["workers"])


def ask(method, path, body=None):
    """The answer of one worker after the other; while the group moves it is asked again."""
    end = time.monotonic() + 60
    while True:
        answer = requests.request(method, next(workers) + path, json=body, timeout=30)
        moving = answer.status_code in (409, 503) and "already exists" not in answer.text
        if not moving or time.monotonic() > end:
            break
        time.sleep(0.2)
    if answer.status_code >= 400:
        raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text}")
    return answer.json() if answer.content else None


def until(seconds, what, holds):
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise SystemExit(f"not in {seconds} s: {what}")
        time.sleep(0.1)


def everywhere(path, wanted):
    """Every worker comes to answer this."""
    for _ in given["workers"]:
        until(20, f"{path} is {wanted}", lambda: ask("GET", path) == wanted)


def produce(topic, lines):
    producer = Producer({"bootstrap.servers": given["bootstrap"]})
    schema = {"type": "string", "optional": False}
    for line in lines:
        producer.produce(topic, json.dumps({"schema": schema, "payload": line}))
    assert producer.flush(30) == 0


def rows(topic):
    statement = {"sql": f'SELECT count(*) AS n FROM "{topic}"'}
    headers = {"Accept": "application/x-ndjson"}
    answer = requests.post(given["sql"] + "/api/v1/sql", json=statement, headers=headers, timeout=30)
    return json.loads(answer.text.splitlines()[-1]).get("n") if answer.ok else None


def config(name, topics):
    return {
        "name": name,
        "connector.class": SINK,
        "tasks.max": "1",
        "topics": topics,
        "flush.interval.ms": "300",
        "key.converter": JSON,
        "key.converter.schemas.enable": "True",
        "value.converter": JSON,
        "value.converter.schemas.enable": "True",
        "errors.tolerance": "none",
        "errors.log.enable": "true",
        "errors.log.include.messages": "true",
    }


def is_right(checked):
    assert checked["name"] == SINK and checked["error_count"] == 0, checked
    names = [entry["definition"]["name"] for entry in checked["configs"]]
    assert len(names) == len(set(names)), names
    own = {key["name"] for key in ask("GET", f"/connector-plugins/{SINK}/config")}
    assert own <= set(names), own - set(names)
    # What else there is belongs to the converters that the connector names.
    more = set(names) - own
    assert all(name.startswith(("key.converter.", "value.converter.")) for name in more), more
    assert KEYS <= own, KEYS - own


first, second = (given["name"] + suffix for suffix in ("-a", "-b"))
assert ask("GET", "/connectors/") == []
assert SINK in {plugin["class"] for plugin in ask("GET", "/connector-plugins/")}
configs = {first: config(first, given["reference"]), second: config(second, given["other"])}
for wanted in configs.values():
    is_right(ask("PUT", f"/connector-plugins/{SINK}/config/validate", wanted))
for name, wanted in configs.items():
    ask("POST", "/connectors", {"name": name, "config": wanted})
everywhere("/connectors", [first, second])
produce(given["topic"], ["foo", "bar", "baz"])
until(60, "three rows", lambda: rows(given["topic"]) == 3)
try:
    ask("POST", "/connectors", {"name": first, "config": configs[first]})
    raise SystemExit("a connector was made twice")
except RuntimeError as conflict:
    assert " 409 " in str(conflict), conflict
for name, wanted in configs.items():
    task = {"connector": name, "task": 0}
    info = {"name": name, "config": wanted, "tasks": [task], "type": "sink"}
    everywhere(f"/connectors/{name}", info)
    everywhere(f"/connectors/{name}/config", wanted)
    of_task = {**wanted, "task.class": "io.eddy.EddySinkTask"}
    everywhere(f"/connectors/{name}/tasks", [{"id": task, "config": of_task}])
ask("PUT", f"/connectors/{second}/config", {**configs[second], "topics": given["moved"]})
produce(given["moved"], ["foo", "bar", "baz", "razz", "ma", "tazz"])
until(60, "six rows", lambda: rows(given["moved"]) == 6)
for name in configs:
    ask("DELETE", f"/connectors/{name}")
everywhere("/connectors", [])
json.dump({"done": True}, sys.stdout)
