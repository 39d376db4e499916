#!/usr/bin/env python3
"""Compare two recordings of run.py case by case.

  diff.py GOLDEN.json OTHER.json ... [--level status|error|shape|exact] [--strict] [--headers] [--only REGEX] [--skip-tags a,b] [-v]
          [--known FILE]

Levels, each one includes those before it:
  status  same status code
  error   an error answer has the same shape: {error_code, message} and the same error_code
          (Jetty's own 400 pages, which are HTML, may have any body)
  shape   same JSON keys and types (an empty list fits every list, null fits null only)
  exact   same normalised body
A case is compared to at most the level cases.py gives it ("cmp"); a case marked "java" (text that is an accident of the
JVM) at most to "error". --strict lifts both limits (not that of a case marked "none"). --headers also compares Content-Type, Location and Allow.
The other may be in several parts; each file may be packed (.gz). --known names cases that differ on purpose, `ID reason` a line; they aren't failures.
Prints one line per case (only the failing ones without -v), a summary per level and `N passed, M failed`.
"""
import argparse, gzip, json, re, sys

LEVELS = ["none", "status", "error", "shape", "exact"]
AP = argparse.ArgumentParser()
AP.add_argument("a")
AP.add_argument("b", nargs="+")
AP.add_argument("--level", choices=LEVELS[1:], default="exact")
AP.add_argument("--strict", action="store_true")
AP.add_argument("--headers", action="store_true")
AP.add_argument("--only", default=None)
AP.add_argument("--skip-tags", default="")
AP.add_argument("--known", default=None)
AP.add_argument("-v", action="store_true")


def typ(v):
    return {bool: "bool", int: "number", float: "number", str: "string", type(None): "null", list: "list", dict: "object"}[type(v)]


def shape_diff(a, b, at=""):
    if typ(a) != typ(b):
        return ["%s: %s became %s" % (at or "body", typ(a), typ(b))]
    if isinstance(a, dict):
        out = ["%s: key %r missing" % (at or "body", k) for k in a if k not in b]
        out += ["%s: key %r added" % (at or "body", k) for k in b if k not in a]
        for k in a:
            if k in b:
                out += shape_diff(a[k], b[k], at + "." + k)
        return out
    if isinstance(a, list) and a and b:
        ra, rb = a[0], b[0]
        out = []
        for i in range(max(len(a), len(b))):
            out += shape_diff(a[i] if i < len(a) else ra, b[i] if i < len(b) else rb, "%s[%d]" % (at, i))
            if out:
                break
        return out
    return []


def exact_diff(a, b, at=""):
    if type(a) is not type(b):
        return ["%s: %s -> %s" % (at or "body", short(a), short(b))]
    if isinstance(a, dict):
        out = ["%s: -%s" % (at or "body", k) for k in a if k not in b] + ["%s: +%s" % (at or "body", k) for k in b if k not in a]
        for k in a:
            if k in b:
                out += exact_diff(a[k], b[k], at + "." + k)
        return out
    if isinstance(a, list):
        if len(a) != len(b):
            return ["%s: %d elements -> %d: %s -> %s" % (at or "body", len(a), len(b), short(a), short(b))]
        out = []
        for i, (p, q) in enumerate(zip(a, b)):
            out += exact_diff(p, q, "%s[%d]" % (at, i))
        return out
    return [] if a == b else ["%s: %s -> %s" % (at or "body", short(a), short(b))]


def short(v, n=300):
    s = json.dumps(v, ensure_ascii=False)
    return s if len(s) <= n else s[:n] + "..."


def is_error(c):
    b = c.get("body")
    return isinstance(b, dict) and set(b) == {"error_code", "message"} and typ(b["error_code"]) == "number" and \
        (b["message"] is None or isinstance(b["message"], str))


def compare(a, b, limit):
    """returns {level: [problems]} up to the first level with problems"""
    res = {"none": []}
    res["status"] = [] if a["status"] == b["status"] else ["status %s -> %s (%s -> %s)" % (a["status"], b["status"], short(a.get("body"), 160), short(b.get("body"), 160))]
    e = []
    if is_error(a):
        if not is_error(b):
            e.append("not an {error_code,message}: %s" % short(b.get("body")))
        elif a["body"]["error_code"] != b["body"]["error_code"]:
            e.append("error_code %s -> %s" % (a["body"]["error_code"], b["body"]["error_code"]))
    elif is_error(b) and a["status"] < 400:  # (Jetty's own HTML or empty 400 may be JSON elsewhere)
        e.append("became an error: %s" % short(b.get("body")))
    res["error"] = e
    res["shape"] = shape_diff(a.get("body"), b.get("body"))
    res["exact"] = exact_diff(a.get("body"), b.get("body"))
    return {l: res[l] for l in LEVELS[:LEVELS.index(limit) + 1]}


def read(path):
    with gzip.open(path) if path.endswith(".gz") else open(path, "rb") as f:
        return json.load(f)


def main():
    o = AP.parse_args()
    A, B = read(o.a), [c for p in o.b for c in read(p)["cases"]]
    known = {}
    if o.known:
        lines = (line.strip() for line in open(o.known))
        known = dict(line.split(None, 1) for line in lines if line and not line.startswith("#"))
    other = {c["id"] + "|" + c["title"]: c for c in B}
    skip = {t for t in o.skip_tags.split(",") if t}
    ok = bad = meant = 0
    per = {l: [0, 0] for l in LEVELS}
    for a in A["cases"]:
        if set(a.get("tags", ())) & skip or (o.only and not re.search(o.only, a["id"])):
            continue
        limit = o.level
        if a["cmp"] == "none":
            limit = "none"
        elif not o.strict:
            caps = [a["cmp"], "error" if a["java"] else "exact", o.level]
            limit = LEVELS[min(LEVELS.index(x) for x in caps)]
        b = other.get(a["id"] + "|" + a["title"])
        if b is None:
            print("FAIL %s %s: not in %s" % (a["id"], a["title"], " ".join(o.b)))
            bad += 1
            continue
        res = compare(a, b, limit)
        probs, failed = [], None
        for l, p in res.items():
            per[l][1 if p else 0] += 1
            if p and failed is None:
                failed, probs = l, p
        if o.headers and failed is None and a.get("headers") != b.get("headers"):
            failed, probs = "headers", ["%s -> %s" % (a.get("headers"), b.get("headers"))]
        for side, x in (("golden", a), ("other", b)):
            if x.get("crash"):
                probs = probs + ["(%s crashed: %s)" % (side, x["crash"])]
                failed = failed or "crash"
        if b.get("waits") and not a.get("waits"):
            probs = probs + ["(other: %s)" % "; ".join(b["waits"])]
        if failed and a["id"] in known:
            meant += 1
            print("KNOWN %s [%s] %s: %s" % (a["id"], failed, a["title"], known[a["id"]]))
        elif failed:
            bad += 1
            print("FAIL %s [%s] %s | %s" % (a["id"], failed, a.get("request") or "(kafka)", a["title"]))
            for p in probs[:6]:
                print("       " + p)
            if len(probs) > 6:
                print("       ... %d more" % (len(probs) - 6))
        else:
            ok += 1
            if o.v:
                print("PASS %s [%s] %s | %s" % (a["id"], limit, a.get("request") or "(kafka)", a["title"]))
    print("; ".join("%s: %d ok, %d not" % (l, per[l][0], per[l][1]) for l in LEVELS[1:] if sum(per[l])))
    print("%d passed, %d differ on purpose, %d failed" % (ok, meant, bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
