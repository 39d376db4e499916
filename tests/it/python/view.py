"""Makes a view in DuckDB from the text that Eddy prints, and answers queries of it.

Input: {"options": {object_store keys}, "view": "CREATE VIEW ...", "queries": [SQL, ...]}
Output: [[[value, ...], ...], ...], the rows of each query.
"""

import json
import sys

from readers import connect


def main():
    request = json.load(sys.stdin)
    connection = connect(request["options"])
    connection.execute(request["view"])
    answers = [
        [list(row) for row in connection.execute(query).fetchall()] for query in request["queries"]
    ]
    json.dump(answers, sys.stdout, default=str)


if __name__ == "__main__":
    main()
