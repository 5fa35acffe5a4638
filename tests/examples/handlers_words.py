#!/usr/bin/env python3
"""Counts words: a handler for queuectl in Python, without any library.

    queuectl worker --handler "words=python3 tests/examples/handlers_words.py"
    queuectl add --kind words --payload '{"text": "to be or not to be", "top": 2}'
    queuectl add --kind words --input book.txt

Whatever is printed to stderr is kept as the output of the attempt.
"""
import collections
import json
import re
import sys


def say(line):
    print(json.dumps(line), flush=True)


def words(job):
    payload = job["payload"] or {}
    if job["input"] is not None:
        with open(job["input"], encoding="utf-8") as file:
            text = file.read()
    elif isinstance(payload.get("text"), str):
        text = payload["text"]
    else:
        # Trying again would not help.
        return {"type": "cancel", "message": "expected a text in the payload, or an uploaded file"}

    found = re.findall(r"\w+", text.lower())
    print(f"{len(found)} words in {job['id']}", file=sys.stderr, flush=True)
    say({"type": "progress", "value": 0.5, "text": "counting"})
    top = collections.Counter(found).most_common(payload.get("top", 3))
    return {"type": "result", "result": {"words": len(found), "top": dict(top)}}


for line in sys.stdin:
    job = json.loads(line)
    if job["type"] != "job":
        continue  # an abort: this handler is done in a moment
    try:
        answer = words(job)
    except Exception as error:  # a failed attempt, which is retried
        answer = {"type": "error", "message": f"{type(error).__name__}: {error}"}
    say({**answer, "id": job["id"]})
