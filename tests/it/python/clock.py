"""What a clock in a zone says now: `[[zone, pattern of strftime, seconds]]`, the time rounded down
to so many seconds. Answers the texts.
"""

import datetime
import json
import sys
import time
import zoneinfo

now = time.time()
texts = [
    datetime.datetime.fromtimestamp(now // span * span, zoneinfo.ZoneInfo(zone)).strftime(pattern)
    for zone, pattern, span in json.load(sys.stdin)
]
json.dump(texts, sys.stdout)
