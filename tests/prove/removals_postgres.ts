/**
 * The protections of the queue on PostgreSQL: as in `removals.ts`. They are taken out, and their catchers
 * run, with `prove --store postgres`.
 */
import type { Removal } from "./removals.ts";

const STORE_SUITE = "tests/postgres/conformance_test.ts";
const RACES = "tests/postgres/races_test.ts";
const SERVER = "tests/postgres/server_test.ts";
const FAILOVER = "tests/postgres/failover_test.ts";
const UPGRADE = "tests/postgres/upgrade_test.ts";
const REFUSALS = "tests/postgres/refusals_test.ts";
const MACHINES = "tests/postgres/machines_test.ts";
const MOVES = "tests/postgres/move_test.ts";
const CONNECTIONS = "tests/postgres/connections_test.ts";

export const POSTGRES_REMOVALS: readonly Removal[] = [
  {
    protection: "the lease's token is checked when attempts begin, succeed or are renewed",
    file: "src/store/postgres/settle.ts",
    edits: [["AND jobs.lease_token = ended.token ", ""]],
    caughtBy: { test: STORE_SUITE, named: "under an older token" },
    isCheap: true,
  },
  {
    protection: "the lease's token is checked when attempts end otherwise",
    file: "src/store/postgres/settle.ts",
    edits: [["lease_token = $2", "$2::bigint IS NOT NULL"]],
    caughtBy: { test: STORE_SUITE, named: "under an older token" },
    isCheap: true,
  },
  {
    protection: "the lease's holder is checked",
    file: "src/store/postgres/settle.ts",
    edits: [
      ["jobs.lease_holder = $3", "$3::text IS NOT NULL"],
      ["lease_holder = $3", "$3::text IS NOT NULL"],
    ],
    caughtBy: { test: STORE_SUITE, named: "under another holder" },
    isCheap: true,
  },
  {
    protection: "the token rises with every claim",
    file: "src/store/postgres/claim.ts",
    edits: [["lease_token = lease_token + 1", "lease_token = lease_token"]],
    caughtBy: { experiment: "claims" },
  },
  {
    protection: "a claim locks what it reads",
    file: "src/store/postgres/claim.ts",
    edits: [['"FOR UPDATE SKIP LOCKED"', '""']],
    caughtBy: { test: RACES, named: "no job is handed out twice" },
    isCheap: true,
  },
  {
    protection: "a claim passes over what others are claiming",
    file: "src/store/postgres/claim.ts",
    edits: [["FOR UPDATE SKIP LOCKED", "FOR UPDATE"]],
    caughtBy: { test: SERVER, named: "is passed over, not waited for" },
  },
  {
    protection: "expired leases are taken back",
    file: "src/store/postgres/reap.ts",
    edits: [["lease_expires_at <= $1", "lease_expires_at <= $1 - 1000000000000000"]],
    caughtBy: { test: STORE_SUITE, named: "a job whose lease ran out is claimable at once" },
    isCheap: true,
  },
  {
    protection: "jobs of a dead process come back at once",
    file: "src/maintenance/reaper.ts",
    edits: [["!mayBeAlive(worker.pid, worker.processStart)", "false"]],
    caughtBy: {
      test: "tests/system/kill_worker_test.ts",
      named: "run again as soon as another one",
    },
  },
  {
    protection:
      "a commit whose connection is lost is asked for: what was written is not told of as lost",
    file: "src/store/postgres/committer.ts",
    edits: [["if (!await this.#wasCommitted(mark)) throw error;", "throw error;"]],
    caughtBy: { test: CONNECTIONS, named: "whose answer is lost with its connection" },
    isCheap: true,
  },
  {
    protection: "a commit that was lost is not told of as made",
    file: "src/store/postgres/commit_mark.ts",
    edits: [['return row!["is_refused"] === false;', "return row !== undefined;"]],
    caughtBy: { test: FAILOVER, named: "whether a commit was made is decided once" },
  },
  {
    protection: "connections of one process leave marks of their own",
    file: "src/store/postgres/writer.ts",
    edits: [["name: `${name}-claims`", "name"]],
    caughtBy: { test: CONNECTIONS, named: "leaves its mark beside that one's" },
    isCheap: true,
  },
  {
    protection: "a read that met others is made again",
    file: "src/store/postgres/reader.ts",
    edits: [["hasMet = isConflict(error) && ", "hasMet = isConflict(error) && false && "]],
    caughtBy: { test: CONNECTIONS, named: "because of a deadlock is made again" },
    isCheap: true,
  },
  {
    protection: "who commits in one go finds out on the way that somebody follows now",
    file: "src/store/postgres/committer.ts",
    edits: [["if (isCalm) void session.ahead(STILL_CALM, nowMs);", ""]],
    caughtBy: { test: STORE_SUITE, named: "from the moment one connection follows" },
    isCheap: true,
  },
  {
    protection: "of several hosts the one that takes writes is used",
    file: "src/store/postgres/connection.ts",
    edits: [['if (greeting["is_read_only"]) throw', "if (greeting === undefined) throw"]],
    caughtBy: { test: FAILOVER, named: "the one that takes writes is used" },
  },
  {
    protection: "the time in which the store was away does not count for leases",
    file: "src/maintenance/reaper.ts",
    edits: [["isAway || silentMs > everyMs + leaseMs / 2", "false"]],
    caughtBy: { test: "tests/unit/reaper_test.ts", named: "the store was away" },
    isCheap: true,
  },
  {
    protection: "all processes go by the clock of the server",
    file: "src/cli/context.ts",
    edits: [["clock: store.clock,", "clock: invocation.io.clock,"]],
    caughtBy: { test: MACHINES, named: "clocks of machines that are minutes apart" },
  },
  {
    protection: "a process is looked for among those of its own machine",
    file: "src/maintenance/reaper.ts",
    edits: [["worker.host === host && ", ""]],
    caughtBy: { test: MACHINES, named: "a process is not taken for another one" },
  },
  {
    protection: "the tables are made by one process",
    file: "src/store/postgres/migrate.ts",
    edits: [["`SELECT pg_advisory_xact_lock(${place.lockSpace}, ${LOCKS.migrate})`", "`SELECT 1`"]],
    caughtBy: { test: SERVER, named: "several processes that open an empty database" },
    isCheap: true,
  },
  {
    protection: "a file that a job has takes no more",
    file: "src/store/postgres/files.ts",
    edits: [['"id = $1 AND seq IS NULL AND touched_at > 0"', '"id = $1 AND touched_at > 0"']],
    caughtBy: { test: STORE_SUITE, named: "takes no further pieces" },
    isCheap: true,
  },
  {
    protection: "a unique key is free when its job has ended",
    file: "src/store/postgres/ends.ts",
    edits: [["if (traits & TRAITS.UNIQUE) {", "if (false) {"]],
    caughtBy: { test: STORE_SUITE, named: "a unique key is free again when" },
    isCheap: true,
  },
  {
    protection: "a transaction takes a bounded number of steps along dependencies",
    file: "src/store/postgres/transaction.ts",
    edits: [["if (this.#stepsLeft === 0) this.isUnfinished = true;", "if (false) return false;"]],
    caughtBy: { test: STORE_SUITE, named: "in a chain, in steps" },
  },
  {
    protection: "what a transaction has left of an end is taken up after a crash",
    file: "src/store/postgres/store.ts",
    edits: [["        await resumeEnds(transaction);\n", ""]],
    caughtBy: { test: RACES, named: "the next reap tells" },
    isCheap: true,
  },
  {
    protection: "ends of jobs that others wait for are written one after the other",
    file: "src/store/postgres/ends.ts",
    edits: [["if (job.traits & TRAITS.AWAITED) await transaction.exclusively();", ""]],
    caughtBy: { test: RACES, named: "is let go by the last" },
    isCheap: true,
  },
  {
    protection: "the answer of a keyed request is kept with its jobs",
    file: "src/store/postgres/add.ts",
    edits: [["if (!isRefused(addition)) {", "if (false) {"]],
    caughtBy: { test: STORE_SUITE, named: "add() of a request that came before" },
    isCheap: true,
  },
  {
    protection: "another request under the same Idempotency-Key is refused",
    file: "src/store/postgres/requests.ts",
    edits: [['if (!areEqual(row["fingerprint"] as Uint8Array, fingerprint)) {', "if (false) {"]],
    caughtBy: { test: STORE_SUITE, named: "add() of another request under the same key" },
    isCheap: true,
  },
  {
    protection: "a webhook is settled under the token of its claim",
    file: "src/store/postgres/deliveries.ts",
    edits: [["AND token = $2 AND state", "AND $2::bigint > 0 AND state"]],
    caughtBy: { test: STORE_SUITE, named: "of two processes one takes a delivery" },
    isCheap: true,
  },
  {
    protection: "a webhook that is under way is nobody else's for a while",
    file: "src/store/postgres/deliveries.ts",
    edits: [[
      "attempts = attempts + 1, next_at = $2, ",
      "attempts = attempts + 1, next_at = $2 * 0, ",
    ]],
    caughtBy: { test: STORE_SUITE, named: "of two processes one takes a delivery" },
  },
  {
    protection: "webhooks that wait outlive their job",
    file: "src/store/postgres/removal.ts",
    edits: [['of("deliveries", " AND state <> \'waiting\'")', 'of("deliveries")']],
    caughtBy: { test: STORE_SUITE, named: "those that wait are still sent" },
    isCheap: true,
  },
  {
    protection: "a schedule's time is run only if nobody else has run it",
    file: "src/store/postgres/schedules.ts",
    edits: [[
      'if (run.move !== null && !isCurrent(run.move, row)) return { result: "lost" };',
      "",
    ]],
    caughtBy: { test: STORE_SUITE, named: "of several that run the same time" },
    isCheap: true,
  },
  {
    protection: "pruning keeps what an unfinished job has waited for",
    file: "src/store/postgres/prune.ts",
    edits: [[
      "|| await isNeeded(row, sql)) continue;",
      "|| await isNeeded(row, sql) && false) continue;",
    ]],
    caughtBy: { test: STORE_SUITE, named: "what an unfinished job has waited for" },
    isCheap: true,
  },
  {
    protection: "pruning keeps a job whose outcome is not delivered yet",
    file: "src/store/postgres/prune.ts",
    edits: [[
      "await sql.get(IS_UNDELIVERED, seq) !== undefined",
      "await sql.get(IS_UNDELIVERED, seq) === null",
    ]],
    caughtBy: { test: STORE_SUITE, named: "whose outcome is not delivered yet" },
  },
  {
    protection: "follow-ups come of an attempt that holds its lease",
    file: "src/store/postgres/settle.ts",
    edits: [["    if (isSettled) {\n", "    if (isSettled || outcome.event) {\n"]],
    caughtBy: { test: STORE_SUITE, named: "under an older token" },
    isCheap: true,
  },
  {
    protection: "artifacts come of an attempt that holds its lease",
    file: "src/store/postgres/settle.ts",
    edits: [["    if (isSettled) {\n", "    if (isSettled || outcome.event) {\n"]],
    caughtBy: { test: STORE_SUITE, named: "an attempt whose lease is lost keeps nothing" },
  },
  {
    protection: "follow-ups that were added before are not added again",
    file: "src/store/postgres/add.ts",
    edits: [["!known.has(id) && known.add(id)", "known.add(id) !== null"]],
    caughtBy: { test: STORE_SUITE, named: "a follow-up whose id is in use" },
  },
  {
    protection: "progress is noted under the lease",
    file: "src/store/postgres/progress.ts",
    edits: [["AND lease_token = $2 AND", "AND $2::bigint IS NOT NULL AND"]],
    caughtBy: { test: STORE_SUITE, named: "under an older token" },
  },
  {
    protection: "files that nobody has are swept",
    file: "src/store/postgres/files.ts",
    edits: [["if (row === undefined) return false;", "return false;"]],
    caughtBy: { test: STORE_SUITE, named: "a file is swept when nothing was added to it for long" },
    isCheap: true,
  },
  {
    protection: "a file to which something was added lately is not swept",
    file: "src/store/postgres/files.ts",
    edits: [["touched_at < $1 ORDER", "touched_at < $1 + 1000000000000000 ORDER"]],
    caughtBy: { test: STORE_SUITE, named: "a file is swept when nothing was added to it for long" },
  },
  {
    protection: "of jobs with one unique key one lives: the key is taken",
    file: "src/store/postgres/extras.ts",
    edits: [[
      '"INSERT INTO unique_keys (key, seq) VALUES ($1, $2)"',
      '"SELECT $1::text, $2::bigint"',
    ]],
    caughtBy: { test: STORE_SUITE, named: "two connections that add the same unique key" },
    isCheap: true,
  },
  {
    protection: "of jobs with one unique key one lives: requeueing takes it, too",
    file: "src/store/postgres/change.ts",
    edits: [["if (taken === 0) return null;", ""]],
    caughtBy: { test: STORE_SUITE, named: "requeue() takes the unique key again" },
  },
  {
    protection: "a job runs when the last of those that it waits for has ended",
    file: "src/store/postgres/ends.ts",
    edits: [["  if (held !== undefined) return;\n", ""]],
    caughtBy: { test: STORE_SUITE, named: "runs after the last of them" },
    isCheap: true,
  },
  {
    protection: "deleting a job that waits tells those that wait for it",
    file: "src/store/postgres/change.ts",
    edits: [[
      'if (!isFinished(job.state)) await onEnd(ending, "deleted", nowMs, transaction);',
      "",
    ]],
    caughtBy: { test: STORE_SUITE, named: "when the other is removed" },
  },
  {
    protection: "max-running is counted in the transaction that claims",
    file: "src/store/postgres/claim.ts",
    edits: [["rules.maxRunning - await transaction.leased(lanes.queue)", "rules.maxRunning"]],
    caughtBy: { test: STORE_SUITE, named: "no more than maxRunning jobs" },
    isCheap: true,
  },
  {
    protection: "a queue with limits is claimed from by one process at a time",
    file: "src/store/postgres/limits.ts",
    edits: [["ORDER BY queue FOR UPDATE", "ORDER BY queue"]],
    caughtBy: { test: RACES, named: "max-running holds for claims of one moment" },
    isCheap: true,
  },
  {
    protection: "starts are counted for the rate",
    file: "src/store/postgres/limits.ts",
    edits: [[
      '"UPDATE queue_limits SET rate_starts = $1 WHERE queue = $2"',
      '"SELECT $1::text, $2::text"',
    ]],
    caughtBy: { test: STORE_SUITE, named: "in no stretch of a period" },
    isCheap: true,
  },
  {
    protection: "running jobs of a key are counted",
    file: "src/store/shared/claim_search.ts",
    edits: [["if (this.#running === null || key === null) return true;", "if (true) return true;"]],
    caughtBy: { test: STORE_SUITE, named: "keyMaxRunning counts a key" },
  },
  {
    protection: "nothing of a paused queue starts",
    file: "src/store/postgres/claim.ts",
    edits: [["  if (rules.pausedAtMs !== null) return null;\n", ""]],
    caughtBy: { test: STORE_SUITE, named: "a paused queue's jobs are not claimed" },
  },
  {
    protection: "the outcome and what is to be told of it are written together",
    file: "src/store/postgres/ends.ts",
    edits: [["  if (traits & TRAITS.CALLBACK) {\n", "  if (false) {\n"]],
    caughtBy: { test: STORE_SUITE, named: "every way in which a job ends writes its webhook" },
    isCheap: true,
  },
  {
    protection: "a search looks at a bounded number of jobs at a time",
    file: "src/store/postgres/search.ts",
    edits: [["ORDER BY seq DESC LIMIT ${SLICE}) AS", "ORDER BY seq DESC) AS"]],
    caughtBy: { test: STORE_SUITE, named: "search() that runs out of patience" },
  },
  {
    protection: "followers of events are told that something is missing",
    file: "src/store/postgres/journal.ts",
    edits: [["if (hasLapsed) await", "if (false) await"]],
    caughtBy: { test: "tests/http/events.test.ts", named: "is said to be missing" },
  },
  {
    protection: "a process holds the tables to the generation that it knows",
    file: "src/store/postgres/generation.ts",
    edits: [["SELECT pg_advisory_lock_shared(", "SELECT greatest("]],
    caughtBy: { test: UPGRADE, named: "a new generation is refused while" },
    isCheap: true,
  },
  {
    protection: "who was cut off looks at the generation before it goes on",
    file: "src/store/postgres/generation.ts",
    edits: [["if (found === generation) return;", "if (found !== undefined) return;"]],
    caughtBy: { test: UPGRADE, named: "that was cut off meanwhile" },
    isCheap: true,
  },
  {
    protection: "a session that has read tables before they grew is replaced",
    file: "src/store/postgres/errors.ts",
    edits: [["if (isOfOldTables(error)) return true;", ""]],
    caughtBy: { test: UPGRADE, named: "a step that adds is taken" },
  },
  {
    protection: "where the queue is more than half full, processes add one after the other",
    file: "src/store/postgres/depth.ts",
    edits: [[
      'pg_advisory_xact_lock($1::int, $2::int)"',
      'pg_advisory_xact_lock_shared($1::int, $2::int)"',
    ]],
    caughtBy: { test: "tests/postgres/depth_test.ts", named: "one job at a time" },
    isCheap: true,
  },
  {
    protection: "beside each other, processes add only little at a time",
    file: "src/store/postgres/depth.ts",
    edits: [["!(isLittle && waiting + more <= most / 2)", "waiting + more > most"]],
    caughtBy: { test: "tests/postgres/depth_test.ts", named: "several at a time" },
  },
  {
    protection: "a pooler that shares sessions is refused",
    file: "src/store/postgres/pooling.ts",
    edits: [["if (!isKept) throw sharesSessions();", ""]],
    caughtBy: { test: "tests/postgres/pooling_test.ts", named: "each transaction another session" },
    isCheap: true,
  },
  {
    protection: "a certificate is looked at where that was asked for",
    file: "src/store/postgres/tls.ts",
    edits: [["rejectUnauthorized: isVerified,", "rejectUnauthorized: false,"]],
    caughtBy: { test: REFUSALS, named: "TLS is spoken as sslmode says" },
    isCheap: true,
  },
  {
    protection: "a password file that others can read is not used",
    file: "src/store/postgres/password_file.ts",
    edits: [["(mode & 0o077) !== 0", "mode < 0"]],
    caughtBy: { test: REFUSALS, named: "in a file that others cannot read" },
    isCheap: true,
  },
  {
    protection: "what stands in the place of a port, but may be a password, is not shown",
    file: "src/lib/database_url.ts",
    edits: [['isPlain ? rest : "…"', "rest"]],
    caughtBy: { test: REFUSALS, named: "no value of it is quoted" },
    isCheap: true,
  },
  {
    protection: "a queue is moved only while nobody else has its tables open",
    file: "src/queue/move.ts",
    edits: [["if (users.length === 0) return;", "return;"]],
    caughtBy: { test: MOVES, named: "tables that a process has open" },
    isCheap: true,
  },
  {
    protection: "every session looks whether the queue was moved",
    file: "src/store/postgres/migrate.ts",
    edits: [["    await check(another);\n", ""]],
    caughtBy: { test: MOVES, named: "cut off when the queue was moved" },
    isCheap: true,
  },
  {
    protection: "a move to a server goes on after the last row that has arrived",
    file: "src/store/postgres/transfer.ts",
    edits: [["!areKeysEqual(await lastKey(table, sql), after)", "false"]],
    caughtBy: { test: MOVES, named: "server to server: rows are taken only" },
    isCheap: true,
  },
];
