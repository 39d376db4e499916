"""Types at a program's prompt, on a terminal of its own, and tells what it shows.

Input: {"command": [...], "environment": {...}, "steps": [[what to type, what must be shown], ...]}
Output: {"shown": everything, "status": exit status}. Each step waits until its text is shown
behind what was shown before; "^C" is Ctrl-C, pressed until that is so, "<tab>" the key. A step
[{"running": statement}] waits until the server of EDDY_URL runs the statement.
"""

import fcntl
import json
import os
import pty
import select
import struct
import sys
import termios
import time
import urllib.request

DEADLINE_S = 60
# What the editor shows when it begins and when it ends.
LET_GO = b"\x1b[?2004l"
PROMPT = b"eddy> "


def main():
    request = json.load(sys.stdin)
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update(request["environment"], TERM="xterm")
        os.execv(request["command"][0], request["command"])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 250, 0, 0))
    shown, seen = b"", 0
    deadline = time.monotonic() + DEADLINE_S

    def read(seconds):
        nonlocal shown
        if select.select([terminal], [], [], seconds)[0]:
            try:
                shown += os.read(terminal, 65536)
            except OSError:
                sys.exit(f"it ended: {shown.decode(errors='replace')!r}")

    def wait(text, nudge=lambda: None):
        nonlocal seen
        while text not in shown[seen:]:
            if time.monotonic() > deadline:
                sys.exit(f"waiting for {text!r} in {shown.decode(errors='replace')!r}")
            read(0.5)
            nudge()
        seen = shown.index(text, seen) + len(text)

    def runs(statement):
        url = request["environment"]["EDDY_URL"] + "/api/v1/queries"
        with urllib.request.urlopen(url, timeout=DEADLINE_S) as answer:
            queries = json.load(answer)["queries"]
        return any((one["sql"], one["state"]) == (statement, "running") for one in queries)

    for at, (typed, *expected) in enumerate(request["steps"]):
        if isinstance(typed, dict):
            while not runs(typed["running"]):
                if time.monotonic() > deadline:
                    sys.exit(f"{typed['running']} doesn't run")
                time.sleep(0.05)
            continue
        expected = expected[0]
        keys = typed.replace("^C", "\x03").replace("<tab>", "\t").encode()
        before, pressed = len(shown), time.monotonic()

        def again():
            nonlocal pressed
            if typed == "^C" and time.monotonic() - pressed > 5:
                os.write(terminal, keys)
                pressed = time.monotonic()

        os.write(terminal, keys)
        wait(expected.encode(), again)
        # What is typed while the editor has let go of the terminal may be lost to it.
        answered = LET_GO in shown[before:] or typed == "^C"
        if answered and not expected.endswith(LET_GO.decode()) and at + 1 < len(request["steps"]):
            wait(PROMPT)
    try:
        while select.select([terminal], [], [], 5)[0]:
            shown += os.read(terminal, 65536)
    except OSError:
        pass
    _, status = os.waitpid(child, 0)
    answer = {"shown": shown.decode(errors="replace"), "status": os.waitstatus_to_exitcode(status)}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
