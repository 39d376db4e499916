"""The tags of objects, by a signed request of their own: pyarrow has none.

Input: {"bucket": NAME, "options": {object_store keys}, "keys": [key]}
Output: {key: {tag: value}}
"""

import datetime
import hashlib
import hmac
import json
import sys
import urllib.request
import xml.etree.ElementTree
from urllib.parse import quote, urlparse


def main():
    request = json.load(sys.stdin)
    tags = {key: tags_of(request["options"], request["bucket"], key) for key in request["keys"]}
    json.dump(tags, sys.stdout)


def tags_of(options, bucket, key):
    address = urlparse(options["aws_endpoint"])
    path = quote(f"/{bucket}/{key}", safe="/-_.~")
    headers = signed(options, address.netloc, path)
    url = f"{address.scheme}://{address.netloc}{path}?tagging="
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30) as answer:
        document = xml.etree.ElementTree.fromstring(answer.read())
    local = lambda element: element.tag.rsplit("}", 1)[-1]
    pairs = [
        {local(part): part.text or "" for part in element}
        for element in document.iter()
        if local(element) == "Tag"
    ]
    return {pair["Key"]: pair["Value"] for pair in pairs}


def signed(options, host, path):
    """The headers of a GET of `path?tagging=`, signed as AWS has it (version 4)."""
    now = datetime.datetime.now(datetime.timezone.utc)
    time, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    empty = hashlib.sha256(b"").hexdigest()
    headers = {"host": host, "x-amz-content-sha256": empty, "x-amz-date": time}
    names = ";".join(headers)
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    asked = "\n".join(["GET", path, "tagging=", lines, names, empty])
    scope = f"{day}/{options['aws_region']}/s3/aws4_request"
    digest = hashlib.sha256(asked.encode()).hexdigest()
    text = "\n".join(["AWS4-HMAC-SHA256", time, scope, digest])
    secret = ("AWS4" + options["aws_secret_access_key"]).encode()
    for part in scope.split("/"):
        secret = hmac.digest(secret, part.encode(), "sha256")
    signature = hmac.new(secret, text.encode(), "sha256").hexdigest()
    credential = f"{options['aws_access_key_id']}/{scope}"
    del headers["host"]
    headers["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}"
    )
    return headers


if __name__ == "__main__":
    main()
