"""Makes the calls that `plumber` v2.8 makes of the management API, as it makes them: bodies are JSON,
GETs have none, the session is a cookie, and of each answer the same members are read."""

import http.client
import json
import sys
import time
import urllib.parse

given = json.load(sys.stdin)
cookie = None


def call(method, path, body=..., base=given["url"], headers=None):
    """Status and body; what a login sets is carried from then on."""
    global cookie
    url = urllib.parse.urlsplit(base)
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=60)
    sent = dict(headers or {})
    if cookie:
        sent["Cookie"] = f"auth_token={cookie}"
    data = None
    if body is not ...:
        data, sent["Content-Type"] = json.dumps(body), "application/json"
    connection.request(method, path, data, sent)
    answer = connection.getresponse()
    for name, value in answer.getheaders():
        if name.lower() == "set-cookie" and value.startswith("auth_token="):
            cookie = value.split(";")[0].removeprefix("auth_token=")
    text = answer.read()
    connection.close()
    return answer.status, json.loads(text)


def done(method, path, body=...):
    status, answer = call(method, path, body)
    assert status == 200, (method, path, status, answer)
    return answer


def refused(status, field, method, path, body=...):
    got, answer = call(method, path, body)
    assert got == status, (method, path, body, got, answer)
    (error,) = answer["errors"]
    # As the client's own type has them: anything else would break it.
    assert type(error["code"]) is int and error["code"] == status, error
    for name in ("domain", "field", "status", "raw_error", "message"):
        assert type(error[name]) is str, error
    assert error["field"] == field and error["message"], error


def until(what, ask):
    end = time.monotonic() + 60
    while not (found := ask()):
        assert time.monotonic() < end, f"still waiting until {what}"
        time.sleep(0.05)
    return found


# Nobody is let in without a login, by a wrong one, or with another cookie.
refused(401, "", "GET", "/v1/collection")
refused(401, "", "POST", "/v1/login", {"email": "a@b.example", "password": "wrong"})
cookie = "6f70656e"
refused(401, "", "GET", "/v1/replay")
cookie = None
account = done("POST", "/v1/login", {"email": "a@b.example", "password": given["password"]})
assert account["id"] and account["team"]["id"] and account["email"] == "a@b.example", account
assert cookie and given["password"] not in cookie
assert done("GET", "/v1/account")["id"] == account["id"]
refused(404, "", "GET", "/v1/team/member")
refused(405, "", "DELETE", "/v1/account")

# A collection, made as `plumber streamdal create collection` does.
assert done("GET", "/v1/collection") == [] and done("GET", "/v1/schema") == []
lake = done("GET", "/v1/datalake")[0]["id"]
wanted = {
    "schema_id": "generic-json", "name": given["collection"], "notes": "", "datalake_id": lake,
    "envelope_type": 0, "envelope_root_message": "", "payload_field_id": "0",
    "payload_root_message": "",
}
made = done("POST", "/v1/collection", wanted)
collection, token = made["id"], made["token"]
refused(409, "name", "POST", "/v1/collection", wanted)
refused(422, "name", "POST", "/v1/collection", {**wanted, "name": "no name"})
refused(422, "payload_root_message", "POST", "/v1/collection",
        {**wanted, "name": "x", "payload_field_id": 3, "payload_root_message": "m.M"})
(listed,) = done("GET", "/v1/collection")
assert listed["token"] == "" and not listed["paused"] and not listed["archived"], listed
assert listed["name"] == given["collection"] and listed["schema"]["type"] == "json", listed
assert done("GET", f"/v1/collection/{collection}") == listed
assert done("GET", "/v1/schema") == [done("GET", f"/v1/schema/{collection}")]
refused(404, "", "GET", "/v1/collection/none")
search = f"/v1/collection/{collection}/search"
assert done("POST", search, {"query": "*", "from": 0, "size": 25}) == {"total": 0, "data": []}


def send(number):
    event = {"n": number, "user": {"plan": "pro" if number % 2 else "free"},
             "text": f"order number-{number} is 'late'"}
    status, answer = call("POST", "/v1/collection", event, given["collector"],
                          {"Batch-Token": token, "X-Source": "shop"})
    assert status == 200, answer


for number in range(60):
    send(number)


def found(query, start=0, size=25):
    answer = done("POST", search, {"query": query, "from": start, "size": size})
    return answer["total"], [event["client"]["payload"]["n"] for event in answer["data"]]


until("all events are found", lambda: found("*")[0] == 60)
# The pages of a client: its page 1 begins at 25, and there are as many as the total says.
pages = [found("*", start) for start in (0, 25, 50, 75)]
assert [total for total, _ in pages] == [60] * 4 and [len(page) for _, page in pages] == [25, 25, 10, 0]
assert [number for _, page in pages for number in page] == list(reversed(range(60))), pages
event = done("POST", search, {"query": "n: 7", "from": 0, "size": 1})["data"][0]
assert event["client"]["payload"]["text"] == "order number-7 is 'late'", event
assert event["client"]["metadata"]["x-source"] == "shop", event
assert event["batch"]["info"]["date_human"].endswith("Z"), event
since = "batch.info.date_human: [2020-01-01T00:00:00Z TO 2100-01-01T00:00:00Z]"
for query, numbers in [
    ("client.payload.user.plan: pro AND n:>=57", [59, 57]),
    ("user.plan:free AND NOT n:{2 TO *}", [2, 0]),
    ("no_such:1", []),
    ("no_such.inner:1 OR n: [3 TO 4]", [4, 3]),
    ('"number-7 is"', [7]),
    ("n:(1 OR 2)", [2, 1]),
    (f"n:1 OR n:2 AND {since}", [2, 1]),
    ("n:1 OR n:2 AND batch.info.date_human: [2020-01-01T00:00:00Z TO 2020-01-02T00:00:00Z]", []),
    ("'late' number-3", [3]),
    ("n:<20 ${ORDER_BY n AND SORT ASC AND LIMIT 3}", [0, 1, 2]),
    ("x') OR 1=1 --", None),
]:
    if numbers is None:
        refused(422, "query", "POST", search, {"query": query, "from": 0, "size": 25})
        continue
    assert found(query) == (len(numbers), numbers), (query, found(query))
for query in ("(n:1", "client.metadata.topic:x", "${UNIQUE n}", "batch.info.date_human: [x TO y]"):
    refused(422, "query", "POST", search, {"query": query, "from": 0, "size": 25})
refused(422, "size", "POST", search, {"query": "*", "from": 0, "size": 100000})
refused(422, "", "POST", search, {"query": 1})
(version,) = done("GET", f"/v1/schema/{collection}/versions")
tags = [field["Tag"] for field in version["definition"]["Fields"]]
assert "name=n, type=INT64, repetitiontype=OPTIONAL" in tags, version

# A destination and a replay into it, as `plumber streamdal create` makes them.
metadata = {"topic": given["target"], "address": [given["kafka"]], "use_tls": False,
            "insecure_tls": False, "sasl_type": 0, "username": "", "password": ""}
destination = done("POST", "/v1/destination", {
    "type": "kafka", "name": "again", "notes": "", "metadata": metadata})["id"]
refused(422, "type", "POST", "/v1/destination", {"type": "nats", "name": "n", "metadata": {}})
(listed,) = done("GET", "/v1/destination")
assert (listed["id"], listed["type"], listed["archived"]) == (destination, "kafka", False), listed
assert listed["metadata"]["address"] == [given["kafka"]], listed
health = done("GET", "/v1/health/destination")
assert health[destination]["status"] == "ok", health
assert done("GET", f"/v1/health/destination/{destination}")[destination]["message"] == ""
refused(404, "", "GET", "/v1/health/destination/none")


def committed():
    """A replay reads committed events."""
    plan = {"sql": f"SELECT * FROM \"{collection}\"", "destination": destination, "plan": True}
    bearer = {"Authorization": f"Bearer {given['password']}"}
    return call("POST", "/api/v1/replays", plan, headers=bearer)[1].get("records") == 60


until("all events are committed", committed)
wanted = {"name": "My replay: \"1\"", "type": 0, "query": f"n:<5 OR n:>=55 AND {since}",
          "collection_id": collection, "destination_id": destination}
replay = done("POST", "/v1/replay", wanted)["id"]


def shown(replay):
    (one,) = [one for one in done("GET", "/v1/replay") if one["id"] == replay]
    assert one == done("GET", f"/v1/replay/{replay}") or one["status"] != "done"
    return one


one = until("the replay is done", lambda: (one := shown(replay))["status"] == "done" and one)
assert (one["name"], one["query"], one["type"]) == (wanted["name"], wanted["query"], "single"), one
assert one["collection"]["name"] == collection and one["destination"]["name"] == "again", one
assert not one["paused"] and not one["archived"], one
events = done("GET", f"/v1/replayer/history/{replay}")
assert [event["event"] for event in events] == ["CREATE", "FINISH"], events
refused(404, "", "POST", "/v1/replay", {**wanted, "destination_id": "none"})
refused(404, "collection_id", "POST", "/v1/replay", {**wanted, "collection_id": "none"})
refused(422, "query", "POST", "/v1/replay", {**wanted, "query": "(n:1"})
refused(422, "type", "POST", "/v1/replay", {**wanted, "type": 2})

# A continuous one takes what comes later, until it is archived.
follow = done("POST", "/v1/replay", {**wanted, "type": 1, "query": "n:>=1000"})
assert follow["type"] == "continuous", follow
path = f"/v1/replay/{follow['id']}"
assert done("PUT", f"{path}/toggle-pause")["paused"]
assert not done("PUT", f"{path}/toggle-pause")["paused"]
send(1000)
history = f"/v1/replayer/history/{follow['id']}"
until("the event is replayed", lambda: done("GET", history)[1]["message"].startswith("1 of "))
assert done("DELETE", path)["archived"]
assert done("DELETE", path)["archived"] and shown(follow["id"])["archived"]
refused(409, "", "PUT", f"{path}/toggle-pause")

# A collection is paused, taken up again, and archived.
toggle = f"/v1/collection/{collection}/toggle-pause"
assert done("PUT", toggle)["paused"] and not done("PUT", toggle)["paused"]
renamed = {"collection_id": collection, "name": "other", "notes": "", "archived": False}
refused(422, "name", "PUT", "/v1/collection", renamed)
archived = done("PUT", "/v1/collection", {**renamed, "name": collection, "archived": True})
assert archived["archived"], archived
refused(409, "", "PUT", toggle)

done("POST", "/auth/logout", None)
assert cookie == ""
refused(401, "", "GET", "/v1/collection")
json.dump({"token": token}, sys.stdout)
