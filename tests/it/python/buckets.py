"""The bucket that a request names: `{bucket, options, put}`, with object_store's keys."""

from urllib.parse import urlparse

import pyarrow.fs


def opened(request):
    """The store and the bucket's name, once the texts of `put` lie under their keys."""
    options = request["options"]
    address = urlparse(options["aws_endpoint"])
    store = pyarrow.fs.S3FileSystem(
        access_key=options["aws_access_key_id"],
        secret_key=options["aws_secret_access_key"],
        endpoint_override=address.netloc,
        scheme=address.scheme,
        region=options["aws_region"],
    )
    bucket = request["bucket"]
    for key, text in request.get("put", {}).items():
        with store.open_output_stream(f"{bucket}/{key}") as out:
            out.write(text.encode())
    return store, bucket
