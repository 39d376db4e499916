"""Exchanges and queues of RabbitMQ, and what is in them, as another client sees it.

Input: {"address": "host:port", "do": [[step, arguments ...], ...]}
Output: what each step gives

    ["exchange", NAME, TYPE]            made, durable
    ["queue", NAME, {arguments}]        made, durable
    ["bind", QUEUE, EXCHANGE, KEY]
    ["count", QUEUE]                    how many messages are ready
    ["drain", QUEUE]                    all of them, in order, taken out
    ["delete exchange", NAME]
"""

import base64
import json
import sys

import pika


def main():
    request = json.load(sys.stdin)
    host, port = request["address"].split(":")
    parameters = pika.ConnectionParameters(host, int(port), heartbeat=0)
    connection = pika.BlockingConnection(parameters)
    channel = connection.channel()
    told = [STEPS[step](channel, *arguments) for step, *arguments in request["do"]]
    connection.close()
    json.dump(told, sys.stdout)


def exchange(channel, name, kind):
    channel.exchange_declare(name, kind, durable=True)


def queue(channel, name, arguments):
    channel.queue_declare(name, durable=True, arguments=arguments)


def bind(channel, name, source, key):
    channel.queue_bind(name, source, key)


def count(channel, name):
    return channel.queue_declare(name, passive=True).method.message_count


def drain(channel, name):
    told = []
    for _ in range(count(channel, name)):
        method, properties, body = channel.basic_get(name, auto_ack=True)
        told.append(
            {
                "routing_key": method.routing_key,
                "body": encoded(body),
                "message_id": properties.message_id,
                "timestamp": properties.timestamp,
                "content_type": properties.content_type,
                "delivery_mode": properties.delivery_mode,
                "headers": plain(properties.headers or {}),
            }
        )
    return told


def delete_exchange(channel, name):
    channel.exchange_delete(name)


def plain(value):
    """JSON of what a header holds: texts and bytes alike are base64."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, str):
        return encoded(value.encode())
    if isinstance(value, bytes):
        return encoded(value)
    return value


def encoded(value):
    return base64.b64encode(value).decode()


STEPS = {
    "exchange": exchange,
    "queue": queue,
    "bind": bind,
    "count": count,
    "drain": drain,
    "delete exchange": delete_exchange,
}

if __name__ == "__main__":
    main()
