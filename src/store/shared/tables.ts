/**
 * Every table that a queue consists of, and what becomes of it when the queue is moved to another
 * database. The one description that both backends read and write by; a test compares it with their
 * schemas.
 *
 * Invariant: rows read by it from one backend are equal to those of the other that hold the same.
 */
import type { RowKey, TableRow } from "../transfer.ts";

export type ColumnType = "text" | "integer" | "real" | "bytes";

/** A table that goes along row by row. */
export interface MovedTable {
  readonly name: string;
  /** The columns that tell its rows apart, and by whose order they are read. */
  readonly key: readonly string[];
  readonly columns: Readonly<Record<string, ColumnType>>;
  /** Columns that may be large: so many rows are read at once as fit into memory. */
  readonly large?: readonly string[];
}

/** In the order in which they are moved. */
export const MOVED_TABLES: readonly MovedTable[] = [
  {
    name: "jobs",
    key: ["seq"],
    columns: {
      seq: "integer",
      id: "text",
      queue: "text",
      kind: "text",
      state: "text",
      priority: "integer",
      run_at: "integer",
      attempts: "integer",
      max_retries: "integer",
      timeout_ms: "integer",
      lease_holder: "text",
      lease_worker: "text",
      lease_token: "integer",
      lease_expires_at: "integer",
      cancel_requested_at: "integer",
      last_error: "text",
      created_at: "integer",
      updated_at: "integer",
      started_at: "integer",
      finished_at: "integer",
      result: "text",
      payload: "text",
      payload_bytes: "bytes",
      options: "text",
      flow_key: "text",
      traits: "integer",
    },
    large: ["payload", "payload_bytes", "result"],
  },
  {
    name: "attempts",
    key: ["seq", "token"],
    columns: {
      seq: "integer",
      token: "integer",
      attempt: "integer",
      worker: "text",
      started_at: "integer",
      finished_at: "integer",
      outcome: "text",
      error: "text",
      exit_code: "integer",
      signal: "text",
      stdout_bytes: "integer",
      stderr_bytes: "integer",
    },
    large: ["error"],
  },
  {
    name: "output",
    key: ["chunk"],
    columns: {
      chunk: "integer",
      seq: "integer",
      token: "integer",
      stream: "text",
      bytes: "bytes",
    },
    large: ["bytes"],
  },
  {
    name: "progress",
    key: ["seq"],
    columns: { seq: "integer", token: "integer", value: "real", text: "text", at: "integer" },
  },
  { name: "unique_keys", key: ["key"], columns: { key: "text", seq: "integer" } },
  {
    name: "dependencies",
    key: ["seq", "on_seq"],
    columns: {
      seq: "integer",
      on_seq: "integer",
      on_id: "text",
      condition: "text",
      is_met: "integer",
      run_at: "integer",
    },
  },
  {
    name: "endings",
    key: ["seq"],
    columns: { seq: "integer", state: "text", at: "integer", told_seq: "integer" },
  },
  {
    name: "files",
    key: ["id"],
    columns: {
      id: "integer",
      seq: "integer",
      role: "text",
      token: "integer",
      attempt: "integer",
      name: "text",
      media_type: "text",
      bytes: "integer",
      problem: "text",
      created_at: "integer",
      touched_at: "integer",
    },
  },
  {
    name: "file_chunks",
    key: ["file", "n"],
    columns: { file: "integer", n: "integer", bytes: "bytes" },
    large: ["bytes"],
  },
  {
    name: "queue_limits",
    key: ["queue"],
    columns: {
      queue: "text",
      paused_at: "integer",
      max_running: "integer",
      rate_limit: "integer",
      rate_period_ms: "integer",
      rate_starts: "text",
      key_max_running: "integer",
    },
    large: ["rate_starts"],
  },
  {
    name: "schedules",
    key: ["id"],
    columns: {
      id: "integer",
      name: "text",
      cron: "text",
      time_zone: "text",
      every_ms: "integer",
      catch_up: "text",
      overlap: "text",
      job: "text",
      paused_at: "integer",
      next_at: "integer",
      decided_at: "integer",
      last_at: "integer",
      last_job: "text",
      runs: "integer",
      overlaps: "integer",
      created_at: "integer",
    },
    large: ["job"],
  },
  {
    name: "deliveries",
    key: ["number"],
    columns: {
      number: "integer",
      id: "text",
      seq: "integer",
      job_id: "text",
      event: "text",
      url: "text",
      origin: "text",
      body: "text",
      state: "text",
      attempts: "integer",
      token: "integer",
      next_at: "integer",
      last_status: "integer",
      last_error: "text",
      last_attempt_at: "integer",
      created_at: "integer",
      finished_at: "integer",
    },
    large: ["body"],
  },
  {
    name: "webhook_secrets",
    key: ["secret"],
    columns: { secret: "text", created_at: "integer", expires_at: "integer" },
  },
  {
    name: "idempotency",
    key: ["caller", "key"],
    columns: {
      caller: "text",
      key: "text",
      fingerprint: "bytes",
      jobs: "text",
      created_at: "integer",
    },
    large: ["jobs"],
  },
  { name: "config", key: ["key"], columns: { key: "text", value: "text" } },
  {
    name: "tokens",
    key: ["id"],
    columns: {
      id: "text",
      name: "text",
      hash: "bytes",
      scopes: "text",
      created_at: "integer",
      expires_at: "integer",
      last_used_at: "integer",
    },
  },
  {
    name: "audit",
    key: ["seq"],
    columns: {
      seq: "integer",
      at: "integer",
      actor: "text",
      action: "text",
      target: "text",
      outcome: "text",
      detail: "text",
    },
  },
  { name: "kinds", key: ["kind"], columns: { kind: "text", seen_at: "integer" } },
  { name: "alerts", key: ["name"], columns: { name: "text", since: "integer" } },
  {
    name: "metrics",
    key: ["name", "label", "part"],
    columns: { name: "text", label: "text", part: "text", value: "real" },
  },
  {
    name: "throughput",
    key: ["bucket", "what"],
    columns: { bucket: "integer", what: "text", jobs: "integer" },
  },
];

/** What does not go along row by row, and why. */
export const OTHER_TABLES: Readonly<Record<string, string>> = {
  payloads: "stands in the rows of jobs here; SQLite keeps large payloads apart",
  counts: "derived anew from the jobs as they come in",
  sqlite_sequence: "SQLite's last numbers, which are moved by themselves",
  commits: "what became of transactions of PostgreSQL whose writers live",
  workers: "processes that live; none does while a queue is moved",
  events: "for those who follow now; its numbers go on, and who comes back is told of a gap",
  meta:
    "until when somebody follows, the last number of events (moved with the others), when pruning " +
    "was last looked after: of no use to others",
  transfer: "the mark of the move itself",
  queuectl_schema: "the schema's version on PostgreSQL",
};

/** The numbers that are never given out twice, by the table whose rows have them as their key. */
export const NUMBERED = ["jobs", "files", "schedules", "deliveries", "audit", "events"] as const;

/** So many rows are read at once at most, and so many bytes of their large columns. */
export const PAGE_ROWS = 1_000;
const PAGE_BYTES = 4 * 1024 * 1024;

/** The key of a row. */
export function keyOf({ key, columns }: MovedTable, row: TableRow): TableRow {
  const names = Object.keys(columns);
  return key.map((name) => row[names.indexOf(name)]!);
}

export function areKeysEqual(one: RowKey, other: RowKey): boolean {
  if (one === null || other === null) return one === other;
  return one.every((value, index) => value === other[index]);
}

/** How many of the rows fit, of which each says how large it is: one at least. */
export function rowsThatFit(sizes: readonly number[]): number {
  let bytes = 0;
  const end = sizes.findIndex((size) => (bytes += size) > PAGE_BYTES);
  return end === -1 ? sizes.length : Math.max(1, end);
}

/** How many of the rows of `jobs` there are of each queue and counted state. */
export function countJobs(
  { columns }: MovedTable,
  rows: readonly TableRow[],
): { queue: string; state: string; jobs: number }[] {
  const names = Object.keys(columns);
  const [queueAt, stateAt] = [names.indexOf("queue"), names.indexOf("state")];
  const counts = new Map<string, { queue: string; state: string; jobs: number }>();
  for (const row of rows) {
    const queue = row[queueAt] as string;
    const raw = row[stateAt] as string;
    const state = raw === "started" || raw === "processing" ? "leased" : raw;
    const key = `${state} ${queue}`;
    const found = counts.get(key);
    if (found === undefined) counts.set(key, { queue, state, jobs: 1 });
    else found.jobs++;
  }
  return [...counts.values()];
}
