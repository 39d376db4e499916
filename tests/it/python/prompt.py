"""Types at a program's prompt, on a terminal of its own, and tells what it shows.

Input: {"command": [...], "environment": {...}, "steps": [[what to type, what must be shown], ...]}
Output: {"shown": everything, "status": exit status}. Each step waits until its text is shown
behind what was shown before; "^C" is Ctrl-C, pressed until that is so, "<tab>" the key.
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

DEADLINE_S = 60


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

    for typed, expected in request["steps"]:
        keys = typed.replace("^C", "\x03").replace("<tab>", "\t").encode()
        os.write(terminal, keys)
        pressed = time.monotonic()
        while expected.encode() not in shown[seen:]:
            if time.monotonic() > deadline:
                sys.exit(f"waiting for {expected!r} in {shown.decode(errors='replace')!r}")
            read(0.5)
            if typed == "^C" and time.monotonic() - pressed > 5:
                os.write(terminal, keys)
                pressed = time.monotonic()
        seen = shown.index(expected.encode(), seen) + len(expected.encode())
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
