"""A connector's whole life by kafka-connect-py, another's client of Kafka Connect's REST API."""

import json
import sys
import time

from kafka_connect import KafkaConnect

given = json.load(sys.stdin)
connect = KafkaConnect(given["url"])
name, config = given["name"], given["config"]


def until(state, tasks):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        status = connect.get_connector_status(name)
        found = [task["state"] for task in status["tasks"]]
        if status["connector"]["state"] == state and found == tasks:
            return
        time.sleep(0.1)
    raise SystemExit(f"not {state} {tasks} but {status}")


told = {"version": connect.get_cluster_info()["version"]}
told["plugins"] = [plugin["class"] for plugin in connect.list_connector_plugins()]
told["errors"] = connect.validate_connector_config("EddySink", {**config, "name": name})["error_count"]
connect.create_connector({"name": name, "config": config})
until("RUNNING", ["RUNNING"])
told["config"] = connect.get_connector_config(name)
told["tasks"] = len(connect.list_connector_tasks(name))
connect.pause_connector(name)
until("PAUSED", ["PAUSED"])
connect.resume_connector(name)
until("RUNNING", ["RUNNING"])
connect.restart_connector(name, include_tasks=True)
connect.restart_connector_task(name, 0)
until("RUNNING", ["RUNNING"])
connect.update_connector(name, {**config, "tasks.max": "2"})
until("RUNNING", ["RUNNING", "RUNNING"])
connect.stop_connector(name)
until("STOPPED", [])
connect.delete_connector(name)
told["left"] = [left for left in connect.list_connectors() if left == name]
json.dump(told, sys.stdout)
