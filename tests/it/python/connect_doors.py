"""Whom a worker lets in: with which password, over TLS or not, with which certificate, from where."""

import json
import sys
import time

import requests

given = json.load(sys.stdin)
plain, secure, admin = given["plain"], given["secure"], given["admin"]
ca, client = given["ca"], given["client"]
ann = ("ann", "p:w d")


def ask(method, url, **more):
    return requests.request(method, url, timeout=20, **more)


def fails(url, **more):
    try:
        return f"{url} answered {ask('GET', url, **more).status_code}"
    except requests.exceptions.ConnectionError:
        return None


# A worker that starts doesn't know its connectors yet.
end = time.monotonic() + 60
while ask("GET", plain + "/connectors", auth=ann).status_code == 503:
    assert time.monotonic() < end, "the worker doesn't start"
    time.sleep(0.1)
# Passwords, on every listener and for everything.
for base in (plain, secure):
    for path in ("/", "/connectors", "/health", "/nowhere"):
        for auth in (None, ("ann", "wrong"), ("eve", "p:w d")):
            refused = ask("GET", base + path, auth=auth, verify=ca)
            assert refused.status_code == 401, (base, path, auth, refused.status_code)
            assert refused.text == "User cannot access the resource.", refused.text
            assert refused.headers["WWW-Authenticate"].startswith("Basic")
    assert ask("GET", base + "/connectors", auth=ann, verify=ca).status_code == 200
# A connector that is made over TLS is there.
body = {"name": given["name"], "config": given["config"], "initial_state": "STOPPED"}
made = ask("POST", secure + "/connectors", json=body, auth=ann, verify=ca)
assert made.status_code == 201, made.text
assert made.headers["Location"] == f"{secure}/connectors/{given['name']}", made.headers
# Whoever doesn't know the authority isn't let down, and who speaks no TLS isn't served.
assert fails(secure + "/", auth=ann, verify=True) is None
assert fails(secure.replace("https", "http") + "/", auth=ann) is None
# The loggers have a listener of their own, which asks for a certificate, too.
path = "/admin/loggers/root"
assert ask("GET", admin + path, auth=ann, verify=ca, cert=client).status_code == 200
assert ask("GET", admin + path, verify=ca, cert=client).status_code == 401
assert ask("GET", admin + "/connectors", auth=ann, verify=ca, cert=client).status_code == 404
assert ask("GET", plain + path, auth=ann).status_code == 404
assert fails(admin + path, auth=ann, verify=ca) is None
# Pages of one other site may ask; a browser that asks what they may needs no password.
ours, other = {"Origin": "https://ui.example"}, {"Origin": "https://evil.example"}
wanted = {"Access-Control-Request-Method": "PUT"}
told = ask("OPTIONS", plain + "/connectors", headers={**ours, **wanted})
assert told.status_code == 200 and told.headers["Access-Control-Allow-Methods"] == "GET,PUT"
told = ask("GET", plain + "/connectors", headers=ours, auth=ann)
assert told.headers["Access-Control-Allow-Origin"] == ours["Origin"]
refused = ask("GET", plain + "/connectors", headers=other, auth=ann)
assert refused.status_code == 403 and "Access-Control-Allow-Origin" not in refused.headers
json.dump({"done": True}, sys.stdout)
