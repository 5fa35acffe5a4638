/** The protections inside the stores, and who must notice when one is taken out: as in `removals.ts`. */
import type { Protection } from "./removal.ts";

const RACES = "tests/postgres/races_test.ts";
const SERVER = "tests/postgres/server_test.ts";
const FAILOVER = "tests/postgres/failover_test.ts";
const UPGRADE = "tests/postgres/upgrade_test.ts";
const REFUSALS = "tests/postgres/refusals_test.ts";
const MOVES = "tests/postgres/move_test.ts";
const CONNECTIONS = "tests/postgres/connections_test.ts";
const FILE_MOVES = "tests/store/move_test.ts";
const EVENTS = "tests/http/events.test.ts";

export const REMOVALS_IN_STORES: readonly Protection[] = [
  {
    protection: "the lease's token is checked when attempts succeed",
    file: "src/store/sqlite/settle.ts",
    edits: [[
      '"jobs.seq = ended.seq AND +jobs.lease_token = ended.token "',
      '"jobs.seq = ended.seq "',
    ]],
    caughtBy: { promise: "under an older token" },
    isCheap: true,
  },
  {
    protection: "the lease's token is checked when attempts end otherwise",
    file: "src/store/{store}/settle.ts",
    edits: {
      sqlite: [[
        "WHERE seq = ? AND +lease_token = ? AND +lease_holder = ? AND ${fromStates(event)}",
        "WHERE seq = ? AND ? IS NOT NULL AND +lease_holder = ? AND ${fromStates(event)}",
      ]],
      postgres: [["lease_token = $2", "$2::bigint IS NOT NULL"]],
    },
    caughtBy: { promise: "under an older token" },
    isCheap: true,
  },
  {
    protection: "the lease's holder is checked",
    file: "src/store/{store}/settle.ts",
    edits: {
      sqlite: [['"AND +jobs.lease_holder = ?"', '"AND ? IS NOT NULL"']],
      postgres: [["jobs.lease_holder = $3", "$3::text IS NOT NULL"], [
        "lease_holder = $3",
        "$3::text IS NOT NULL",
      ]],
    },
    caughtBy: { promise: "under another holder" },
    isCheap: true,
  },
  {
    protection: "the token rises with every claim",
    file: "src/store/{store}/claim.ts",
    edits: [["lease_token = lease_token + 1", "lease_token = lease_token"]],
    caughtBy: { experiment: "claims" },
  },
  {
    protection: "transactions that read and then write begin with IMMEDIATE",
    file: "src/store/sqlite/writer.ts",
    edits: [['prepare("BEGIN IMMEDIATE")', 'prepare("BEGIN")']],
    caughtBy: { experiment: "claims" },
    isCheap: true,
  },
  {
    protection: "commits are synced: full, not normal",
    file: "src/store/sqlite/open.ts",
    edits: [["synchronous = ${options.synchronous(stored)}", "synchronous = NORMAL"]],
    caughtBy: { experiment: "power" },
    isCheap: true,
  },
  {
    protection: "commits are synced: full, not off",
    file: "src/store/sqlite/open.ts",
    edits: [["synchronous = ${options.synchronous(stored)}", "synchronous = OFF"]],
    caughtBy: { experiment: "power" },
  },
  {
    protection: "the database file is looked at before each commit",
    file: "src/store/sqlite/writer.ts",
    edits: [["const lost = this.#file.problem();", "const lost = null;"]],
    caughtBy: { test: "tests/store/sqlite_only_test.ts", named: "deleted while it is open" },
    isCheap: true,
  },
  {
    protection: "a damaged database takes no more jobs",
    file: "src/store/sqlite/file_guard.ts",
    edits: [["resultCode(error) === RESULT.CORRUPT", "false"]],
    caughtBy: { experiment: "storage" },
  },
  {
    protection: "expired leases are taken back",
    file: "src/store/{store}/reap.ts",
    edits: {
      sqlite: [["lease_expires_at <= ?", "lease_expires_at <= ? - 1e15"]],
      postgres: [["lease_expires_at <= $1", "lease_expires_at <= $1 - 1000000000000000"]],
    },
    caughtBy: { promise: "a job whose lease ran out is claimable at once" },
    isCheap: true,
  },
  {
    protection: "a file that a job has takes no more",
    file: "src/store/{store}/files.ts",
    edits: {
      sqlite: [['"id = ? AND seq IS NULL AND touched_at > 0"', '"id = ? AND touched_at > 0"']],
      postgres: [['"id = $1 AND seq IS NULL AND touched_at > 0"', '"id = $1 AND touched_at > 0"']],
    },
    caughtBy: { promise: "takes no further pieces" },
    isCheap: true,
  },
  {
    protection: "a unique key is free when its job has ended",
    file: "src/store/{store}/ends.ts",
    edits: {
      sqlite: [["if (traits & TRAITS.UNIQUE) freeKey.run(seq);", ""]],
      postgres: [["if (traits & TRAITS.UNIQUE) {", "if (false) {"]],
    },
    caughtBy: { promise: "a unique key is free again when" },
    isCheap: true,
  },
  {
    protection: "a transaction takes a bounded number of steps along dependencies",
    file: "src/store/sqlite/transaction_counts.ts",
    edits: [["if (this.#stepsLeft === 0) this.#isUnfinished = true;", "if (false) return false;"]],
    caughtBy: { promise: "in steps" },
    isCheap: true,
  },
  {
    protection: "what a transaction has left of an end is taken up after a crash",
    file: "src/store/sqlite/store.ts",
    edits: [["        ends.resume(transaction);\n        return reap", "        return reap"]],
    caughtBy: { test: "tests/store/sqlite_only_test.ts", named: "the next reap tells" },
    isCheap: true,
  },
  {
    protection: "the answer of a keyed request is kept with its jobs",
    file: "src/store/{store}/add.ts",
    edits: {
      sqlite: [["if (!isRefused(addition)) requests.keep(", "if (false) requests.keep("]],
      postgres: [["if (!isRefused(addition)) {", "if (false) {"]],
    },
    caughtBy: { promise: "add() of a request that came before" },
    isCheap: true,
  },
  {
    protection: "a webhook is settled under the token of its claim",
    file: "src/store/{store}/deliveries.ts",
    edits: {
      sqlite: [[
        "WHERE number = ? AND token = ? AND state",
        "WHERE number = ? AND ? > 0 AND state",
      ]],
      postgres: [["AND token = $2 AND state", "AND $2::bigint > 0 AND state"]],
    },
    caughtBy: { promise: "of two processes one takes a delivery" },
    isCheap: true,
  },
  {
    protection: "webhooks that wait outlive their job",
    file: "src/store/{store}/removal.ts",
    edits: {
      sqlite: [[" AND state <> 'waiting'", ""]],
      postgres: [['of("deliveries", " AND state <> \'waiting\'")', 'of("deliveries")']],
    },
    caughtBy: { promise: "those that wait are still sent" },
    isCheap: true,
  },
  {
    protection: "a schedule's time is run only if nobody else has run it",
    file: "src/store/{store}/schedules.ts",
    edits: {
      sqlite: [['if (run.move !== null && !isCurrent(run.move)) return { result: "lost" };', ""]],
      postgres: [[
        'if (run.move !== null && !isCurrent(run.move, row)) return { result: "lost" };',
        "",
      ]],
    },
    caughtBy: { promise: "of several that run the same time" },
    isCheap: true,
  },
  {
    protection: "pruning keeps what an unfinished job has waited for",
    file: "src/store/{store}/prune.ts",
    edits: {
      sqlite: [["|| isNeeded(row)) continue;", "|| isNeeded(row) && false) continue;"]],
      postgres: [[
        "|| await isNeeded(row, sql)) continue;",
        "|| await isNeeded(row, sql) && false) continue;",
      ]],
    },
    caughtBy: { promise: "what an unfinished job has waited for" },
    isCheap: true,
  },
  {
    protection: "follow-ups come of an attempt that holds its lease",
    file: "src/store/{store}/settle.ts",
    edits: {
      sqlite: [[
        'if (isSettled && attempt.outcome.event === "complete" && attempt.outcome.followUps)',
        'if (attempt.outcome.event === "complete" && attempt.outcome.followUps)',
      ]],
      postgres: [["    if (isSettled) {\n", "    if (isSettled || outcome.event) {\n"]],
    },
    caughtBy: { promise: "under an older token" },
    isCheap: true,
  },
  {
    protection: "follow-ups that were added before are not added again",
    file: "src/store/{store}/add.ts",
    edits: [["!known.has(id) && known.add(id)", "known.add(id) !== null"]],
    caughtBy: { promise: "a follow-up whose id is in use" },
  },
  {
    protection: "artifacts come of an attempt that holds its lease",
    file: "src/store/{store}/settle.ts",
    edits: {
      sqlite: [[
        "if (isSettled && attempt.artifacts !== undefined)",
        "if (attempt.artifacts !== undefined)",
      ]],
      postgres: [["    if (isSettled) {\n", "    if (isSettled || outcome.event) {\n"]],
    },
    caughtBy: { promise: "an attempt whose lease is lost keeps nothing" },
    isCheap: true,
  },
  {
    protection: "progress is noted under the lease",
    file: "src/store/{store}/progress.ts",
    edits: {
      sqlite: [["AND lease_token = ? AND", "AND ? IS NOT NULL AND"]],
      postgres: [["AND lease_token = $2 AND", "AND $2::bigint IS NOT NULL AND"]],
    },
    caughtBy: { promise: "under an older token" },
  },
  {
    protection: "files that nobody has are swept",
    file: "src/store/{store}/files.ts",
    edits: {
      sqlite: [["if (file === undefined) return false;", "return false;"]],
      postgres: [["if (row === undefined) return false;", "return false;"]],
    },
    caughtBy: { promise: "a file is swept when nothing was added to it for long" },
    isCheap: true,
  },
  {
    protection: "a file to which something was added lately is not swept",
    file: "src/store/{store}/files.ts",
    edits: {
      sqlite: [[
        "WHERE seq IS NULL AND touched_at < ?",
        "WHERE seq IS NULL AND touched_at < ? + 1e15",
      ]],
      postgres: [["touched_at < $1 ORDER", "touched_at < $1 + 1000000000000000 ORDER"]],
    },
    caughtBy: { promise: "a file is swept when nothing was added to it for long" },
  },
  {
    protection: "of jobs with one unique key one lives: the key is taken",
    file: "src/store/{store}/extras.ts",
    edits: {
      sqlite: [["      takeKey.run(extras.unique.key, seq);\n", ""]],
      postgres: [[
        '"INSERT INTO unique_keys (key, seq) VALUES ($1, $2)"',
        '"SELECT $1::text, $2::bigint"',
      ]],
    },
    caughtBy: { promise: "two connections that add the same unique key" },
    isCheap: true,
  },
  {
    protection: "of jobs with one unique key one lives: requeueing takes it, too",
    file: "src/store/{store}/change.ts",
    edits: {
      sqlite: [[
        "takeKey.run(options.uniqueKey, seq) === 0) return false;",
        "takeKey.run(options.uniqueKey, seq) < 0) return false;",
      ]],
      postgres: [["if (taken === 0) return null;", ""]],
    },
    caughtBy: { promise: "requeue() takes the unique key again" },
  },
  {
    protection: "a job runs when the last of those that it waits for has ended",
    file: "src/store/{store}/ends.ts",
    edits: {
      sqlite: [["    if (isHeld.get(dependent) !== undefined) return;\n", ""]],
      postgres: [["  if (held !== undefined) return;\n", ""]],
    },
    caughtBy: { promise: "runs after the last of them" },
    isCheap: true,
  },
  {
    protection: "deleting a job that waits tells those that wait for it",
    file: "src/store/{store}/change.ts",
    edits: {
      sqlite: [["if (!isFinished(job.state)) ends.onRemoval(ending, nowMs, transaction);", ""]],
      postgres: [[
        'if (!isFinished(job.state)) await onEnd(ending, "deleted", nowMs, transaction);',
        "",
      ]],
    },
    caughtBy: { promise: "when the other is removed" },
  },
  {
    protection: "max-running is counted in the transaction that claims",
    file: "src/store/{store}/claim.ts",
    edits: {
      sqlite: [["rules.maxRunning - transaction.leased(queue)", "rules.maxRunning"]],
      postgres: [["rules.maxRunning - await transaction.leased(lanes.queue)", "rules.maxRunning"]],
    },
    caughtBy: { promise: "no more than maxRunning jobs" },
    isCheap: true,
  },
  {
    protection: "starts are counted for the rate",
    file: "src/store/{store}/limits.ts",
    edits: {
      sqlite: [["      writeStarts.run(JSON.stringify(starts), queue);\n", ""]],
      postgres: [[
        '"UPDATE queue_limits SET rate_starts = $1 WHERE queue = $2"',
        '"SELECT $1::text, $2::text"',
      ]],
    },
    caughtBy: { promise: "in no stretch of a period" },
    isCheap: true,
  },
  {
    protection: "running jobs of a key are counted",
    file: "src/store/shared/claim_search.ts",
    edits: {
      sqlite: [[
        "if (this.#running === null || key === null) return true;",
        "if (true) return true;",
      ]],
      postgres: [[
        "if (this.#running === null || key === null) return true;",
        "if (true) return true;",
      ]],
    },
    caughtBy: { promise: "keyMaxRunning counts a key" },
  },
  {
    protection: "nothing of a paused queue starts",
    file: "src/store/{store}/claim.ts",
    edits: {
      sqlite: [["    if (rules.pausedAtMs !== null) return null;\n", ""]],
      postgres: [["  if (rules.pausedAtMs !== null) return null;\n", ""]],
    },
    caughtBy: { promise: "a paused queue's jobs are not claimed" },
  },
  {
    protection: "the outcome and what is to be told of it are written together",
    file: "src/store/{store}/ends.ts",
    edits: {
      sqlite: [["    if (traits & TRAITS.CALLBACK) {\n", "    if (false) {\n"]],
      postgres: [["  if (traits & TRAITS.CALLBACK) {\n", "  if (false) {\n"]],
    },
    caughtBy: { promise: "every way in which a job ends writes its webhook" },
    isCheap: true,
  },
  {
    protection: "a webhook that is under way is nobody else's for a while",
    file: "src/store/{store}/deliveries.ts",
    edits: {
      sqlite: [[
        "attempts = attempts + 1, next_at = ?, ",
        "attempts = attempts + 1, next_at = ? * 0, ",
      ]],
      postgres: [[
        "attempts = attempts + 1, next_at = $2, ",
        "attempts = attempts + 1, next_at = $2 * 0, ",
      ]],
    },
    caughtBy: { promise: "of two processes one takes a delivery" },
  },
  {
    protection: "pruning keeps a job whose outcome is not delivered yet",
    file: "src/store/{store}/prune.ts",
    edits: {
      sqlite: [["isUndelivered.get(seq) !== undefined", "isUndelivered.get(seq) === null"]],
      postgres: [[
        "await sql.get(IS_UNDELIVERED, seq) !== undefined",
        "await sql.get(IS_UNDELIVERED, seq) === null",
      ]],
    },
    caughtBy: { promise: "whose outcome is not delivered yet" },
  },
  {
    protection: "another request under the same Idempotency-Key is refused",
    file: "src/store/{store}/requests.ts",
    edits: [['if (!areEqual(row["fingerprint"] as Uint8Array, fingerprint)) {', "if (false) {"]],
    caughtBy: { promise: "add() of another request under the same key" },
    isCheap: true,
  },
  {
    protection: "a search looks at a bounded number of jobs at a time",
    file: "src/store/{store}/search.ts",
    edits: {
      sqlite: [["ORDER BY seq DESC LIMIT ${SLICE}`", "ORDER BY seq DESC`"]],
      postgres: [["ORDER BY seq DESC LIMIT ${SLICE}) AS", "ORDER BY seq DESC) AS"]],
    },
    caughtBy: { promise: "search() that runs out of patience" },
  },
  {
    protection: "followers of events are told that something is missing",
    file: "src/store/{store}/journal.ts",
    edits: {
      sqlite: [['    if (hasLapsed) this.#append([{ type: "gap" }]);\n', ""]],
      postgres: [["if (hasLapsed) await", "if (false) await"]],
    },
    caughtBy: { test: EVENTS, named: "is said to be missing" },
  },
  {
    protection: "a queue is moved only while nobody else has its file open",
    file: "src/store/sqlite/transfer.ts",
    edits: [['    connection.prepare("PRAGMA locking_mode = EXCLUSIVE").get();\n', ""]],
    caughtBy: { test: FILE_MOVES, named: "that another process has open" },
  },
  {
    protection: "nobody opens a file whose queue is being moved, or is gone",
    file: "src/store/sqlite/open.ts",
    edits: [["refuseMarked(readMark(connection), path);", ""]],
    caughtBy: { test: FILE_MOVES, named: "interrupted at any step" },
    isCheap: true,
  },
  {
    protection: "a move goes on after the last row that has arrived",
    file: "src/store/sqlite/transfer.ts",
    edits: [["!areKeysEqual(lastKey(table, connection), after)", "false"]],
    caughtBy: { test: FILE_MOVES, named: "rows are taken only after the last" },
    isCheap: true,
  },
  {
    protection: "the lease's token is checked when attempts begin, succeed or are renewed",
    file: "src/store/postgres/settle.ts",
    edits: [["AND jobs.lease_token = ended.token ", ""]],
    caughtBy: { promise: "under an older token" },
    isCheap: true,
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
    protection: "a read that fails because of another one in its round trip is made again, alone",
    file: "src/store/postgres/reader.ts",
    edits: [["hasMet || isShared || isLost(error)", "hasMet || isLost(error)"]],
    caughtBy: { test: CONNECTIONS, named: "one that fails fails alone" },
    isCheap: true,
  },
  {
    protection: "who commits in one go finds out on the way that somebody follows now",
    file: "src/store/postgres/committer.ts",
    edits: [["if (isCalm() && !journal.isKnown) void session.ahead(STILL_CALM, nowMs);", ""]],
    caughtBy: { promise: "from the moment one connection follows" },
    isCheap: true,
  },
  {
    protection: "what is left out of the journal is not committed while somebody follows",
    file: "src/store/postgres/journal.ts",
    edits: [["if (this.#isAnyLeftOut) throw", "if (false) throw"]],
    caughtBy: { promise: "ends by another are in the journal" },
    isCheap: true,
  },
  {
    protection: "a backlog is claimed over the first connection where a second one cannot be had",
    file: "src/store/postgres/store.ts",
    edits: [[
      "if (order.beside !== undefined) besideFromMs = performance.now() + NOT_BESIDE_MS;",
      "beside = order.beside;",
    ]],
    caughtBy: { test: CONNECTIONS, named: "where a second connection cannot be had" },
    isCheap: true,
  },
  {
    protection:
      "what was waited for under a lock is read after it, whatever isolation is preferred",
    file: "src/store/postgres/connection.ts",
    edits: [["SET default_transaction_isolation = 'read committed'; ", ""]],
    caughtBy: { test: CONNECTIONS, named: "ends that wait for who begins to follow" },
    isCheap: true,
  },
  {
    protection: "leases are not taken for granted when attempts end in one go",
    file: "src/store/postgres/settle.ts",
    edits: [["CASE WHEN count(*) = cardinality($1::bigint[]) THEN 1 ELSE 0 END", "1"]],
    caughtBy: { promise: "ends of one commit are taken or refused" },
    isCheap: true,
  },
  {
    protection: "a job that others wait for does not end as one that concerns nobody else",
    file: "src/store/postgres/settle.ts",
    edits: [["AND (jobs.traits & ${MATTERS_AT_END}) = 0 RETURNING", "RETURNING"]],
    caughtBy: { promise: "a job that waits for several runs" },
    isCheap: true,
  },
  {
    protection: "of several hosts the one that takes writes is used",
    file: "src/store/postgres/connection.ts",
    edits: [['if (greeting["is_read_only"]) throw', "if (greeting === undefined) throw"]],
    caughtBy: { test: FAILOVER, named: "the one that takes writes is used" },
  },
  {
    protection: "the tables are made by one process",
    file: "src/store/postgres/migrate.ts",
    edits: [["`SELECT pg_advisory_xact_lock(${place.lockSpace}, ${LOCKS.migrate})`", "`SELECT 1`"]],
    caughtBy: { test: SERVER, named: "several processes that open an empty database" },
    isCheap: true,
  },
  {
    protection: "a transaction takes a bounded number of steps along dependencies",
    file: "src/store/postgres/transaction.ts",
    edits: [["if (this.#stepsLeft === 0) this.isUnfinished = true;", "if (false) return false;"]],
    caughtBy: { promise: "in a chain, in steps" },
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
    protection: "a queue with limits is claimed from by one process at a time",
    file: "src/store/postgres/limits.ts",
    edits: [["ORDER BY queue FOR UPDATE", "ORDER BY queue"]],
    caughtBy: { test: RACES, named: "max-running holds for claims of one moment" },
    isCheap: true,
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
