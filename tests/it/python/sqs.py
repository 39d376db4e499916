"""Queues of SQS and what is in them, over its JSON protocol.

Input: {"endpoint": "http://host:port", "do": [[step, arguments ...], ...]}
Output: what each step gives

    ["create", NAME, {attributes}]      the queue's URL
    ["delete", URL]
    ["count", URL]                      how many messages can be received
    ["drain", URL]                      all messages, taken out
"""

import json
import sys
import urllib.request


def main():
    request = json.load(sys.stdin)
    told = [STEPS[step](request["endpoint"], *rest) for step, *rest in request["do"]]
    json.dump(told, sys.stdout)


def call(endpoint, action, body):
    headers = {
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Target": f"AmazonSQS.{action}",
    }
    asked = urllib.request.Request(endpoint, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(asked, timeout=60) as answer:
        return json.loads(answer.read() or b"{}")


def create(endpoint, name, attributes):
    made = call(endpoint, "CreateQueue", {"QueueName": name, "Attributes": attributes})
    return made["QueueUrl"]


def delete(endpoint, url):
    call(endpoint, "DeleteQueue", {"QueueUrl": url})


def count(endpoint, url):
    asked = {"QueueUrl": url, "AttributeNames": ["ApproximateNumberOfMessages"]}
    told = call(endpoint, "GetQueueAttributes", asked)
    return int(told["Attributes"]["ApproximateNumberOfMessages"])


def drain(endpoint, url):
    messages = []
    while count(endpoint, url):
        asked = {
            "QueueUrl": url,
            "MaxNumberOfMessages": 10,
            "AttributeNames": ["All"],
            "MessageAttributeNames": ["All"],
        }
        batch = call(endpoint, "ReceiveMessage", asked).get("Messages", [])
        for message in batch:
            call(
                endpoint,
                "DeleteMessage",
                {"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]},
            )
        messages += batch
    return messages


STEPS = {"create": create, "delete": delete, "count": count, "drain": drain}

if __name__ == "__main__":
    main()
