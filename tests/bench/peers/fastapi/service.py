"""The job service that queuectl replaces, as it was built: FastAPI, sqlite3, threading.Queue.

POST /jobs takes an uploaded text and answers with an id; worker threads take ids from a queue in
memory, and write each step of a job to the database. No simulated work. Kinder to it than the
original: every thread keeps one connection, and there are two workers.
"""

import os
import queue
import sqlite3
import threading
import uuid
from datetime import datetime, timezone

from fastapi import FastAPI, File, HTTPException, UploadFile
from fastapi.responses import JSONResponse

MAX_BYTES = 1024 * 1024
WORKERS = 2

app = FastAPI()
waiting: "queue.Queue[str]" = queue.Queue()
local = threading.local()


def database() -> sqlite3.Connection:
    if not hasattr(local, "connection"):
        local.connection = sqlite3.connect(os.environ["JOBS_DB"], timeout=30)
        local.connection.row_factory = sqlite3.Row
    return local.connection


def now() -> str:
    return datetime.now(timezone.utc).isoformat()


def execute(sql: str, *values) -> None:
    connection = database()
    connection.execute(sql, values)
    connection.commit()


def find(job_id: str) -> sqlite3.Row:
    row = database().execute("SELECT * FROM jobs WHERE id = ?", (job_id,)).fetchone()
    if row is None:
        raise HTTPException(404, "Job not found")
    return row


def work() -> None:
    set_status = "UPDATE jobs SET status = ?, updated_at = ? WHERE id = ?"
    while True:
        job_id = waiting.get()
        execute(set_status, "started", now(), job_id)
        execute(set_status, "processing", now(), job_id)
        characters = len(find(job_id)["text"])
        execute(
            "UPDATE jobs SET status = 'done', result_chars = ?, updated_at = ? WHERE id = ?",
            characters, now(), job_id,
        )
        waiting.task_done()


@app.on_event("startup")
def start() -> None:
    database().execute("PRAGMA journal_mode = WAL")
    database().executescript(
        """CREATE TABLE jobs (
             id CHAR(32) PRIMARY KEY, status TEXT NOT NULL, text TEXT NOT NULL,
             result_chars INTEGER, attempts INTEGER NOT NULL DEFAULT 0, last_error TEXT,
             created_at TEXT NOT NULL, updated_at TEXT NOT NULL);
           CREATE INDEX jobs_status ON jobs (status);
           CREATE INDEX jobs_updated_at ON jobs (updated_at);"""
    )
    for _ in range(WORKERS):
        threading.Thread(target=work, daemon=True).start()


@app.post("/jobs", status_code=201)
def post_job(file: UploadFile = File(...)):
    raw = file.file.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise HTTPException(413, "File too large")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise HTTPException(400, "File is not UTF-8")
    job_id = uuid.uuid4().hex
    execute(
        "INSERT INTO jobs (id, status, text, created_at, updated_at) VALUES (?, 'pending', ?, ?, ?)",
        job_id, text, now(), now(),
    )
    waiting.put(job_id)
    return {"job_id": job_id, "status": "pending"}


@app.get("/jobs/{job_id}/result")
def get_result(job_id: str):
    row = find(job_id)
    if row["status"] != "done":
        body = {"job_id": job_id, "status": row["status"], "message": "Result not ready"}
        return JSONResponse(body, status_code=202)
    return {"job_id": job_id, "status": "done", "characters": row["result_chars"]}


@app.get("/healthz")
def health():
    return {"status": "ok"}
