"""Sends events to a collector over HTTPS, on one connection, whose certificate it checks."""

import http.client
import json
import ssl
import sys

given = json.load(sys.stdin)
context = ssl.create_default_context(cafile=given["certificate"])
context.set_alpn_protocols(["http/1.1"])
connection = http.client.HTTPSConnection(given["address"], context=context, timeout=60)
statuses = []
for event in given["events"]:
    headers = {"Batch-Token": given["token"], "Content-Type": "application/json"}
    connection.request("POST", "/v1/collection", event.encode(), headers)
    answer = connection.getresponse()
    answer.read()
    statuses.append(answer.status)
protocol = connection.sock.selected_alpn_protocol()
print(json.dumps({"statuses": statuses, "protocol": protocol}))
