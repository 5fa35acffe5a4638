/**
 * The protections that can be taken out of the source one at a time, and who must notice. To add one,
 * add a row: the exact text to be replaced, and the test or experiment that fails without it.
 */

/** What must fail without the protection: a test, by a part of its name, or an experiment. */
export type Catcher =
  | { readonly test: string; readonly named: string }
  | { readonly experiment: string };

export interface Removal {
  readonly protection: string;
  /** Relative to the root of the project. */
  readonly file: string;
  /** Each must stand in the file; every occurrence is replaced. */
  readonly edits: readonly (readonly [text: string, instead: string])[];
  readonly caughtBy: Catcher;
  /** Seconds at most, for `--quick`. */
  readonly isCheap?: true;
}

const STORE_SUITE = "tests/store/sqlite_test.ts";

export const REMOVALS: readonly Removal[] = [
  {
    protection: "the lease's token is checked when attempts succeed",
    file: "src/store/sqlite/settle.ts",
    edits: [[
      '"jobs.seq = ended.seq AND +jobs.lease_token = ended.token "',
      '"jobs.seq = ended.seq "',
    ]],
    caughtBy: { test: STORE_SUITE, named: "under an older token" },
    isCheap: true,
  },
  {
    protection: "the lease's token is checked when attempts end otherwise",
    file: "src/store/sqlite/settle.ts",
    edits: [[
      "WHERE seq = ? AND +lease_token = ? AND +lease_holder = ? AND ${fromStates(event)}",
      "WHERE seq = ? AND ? IS NOT NULL AND +lease_holder = ? AND ${fromStates(event)}",
    ]],
    caughtBy: { test: STORE_SUITE, named: "under an older token" },
    isCheap: true,
  },
  {
    protection: "the lease's holder is checked",
    file: "src/store/sqlite/settle.ts",
    edits: [['"AND +jobs.lease_holder = ?"', '"AND ? IS NOT NULL"']],
    caughtBy: { test: STORE_SUITE, named: "under another holder" },
    isCheap: true,
  },
  {
    protection: "the token rises with every claim",
    file: "src/store/sqlite/claim.ts",
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
    file: "src/store/sqlite/reap.ts",
    edits: [["lease_expires_at <= ?", "lease_expires_at <= ? - 1e15"]],
    caughtBy: { test: STORE_SUITE, named: "a job whose lease ran out is claimable at once" },
    isCheap: true,
  },
  {
    protection: "leases are renewed while their jobs run",
    file: "src/supervisor/engine.ts",
    edits: [["      this.#renewLeases(),\n", ""]],
    caughtBy: { experiment: "clock" },
  },
  {
    protection: "a clock set forward takes no job from live workers",
    file: "src/maintenance/reaper.ts",
    edits: [["if (byMs > 0) grace.begin(byMs);", ""]],
    caughtBy: { experiment: "clock" },
  },
  {
    protection: "a clock set back lets no job wait",
    file: "src/maintenance/reaper.ts",
    edits: [["if (isSetBack) await store.rebase(clock());", ""]],
    caughtBy: { experiment: "clock" },
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
    protection: "a worker that gives no sign of life is replaced",
    file: "src/supervisor/engine.ts",
    edits: [["    this.#replaceHung();\n", ""]],
    caughtBy: { test: "tests/system/fault_test.ts", named: "a worker that hangs is replaced" },
  },
  {
    protection: "a worker that died is replaced",
    file: "src/supervisor/slot.ts",
    edits: [[
      'if (data.type === "crashed") this.events.onCrash(this, data.message);\n      else ',
      "",
    ]],
    caughtBy: { test: "tests/system/fault_test.ts", named: "a job that always kills its worker" },
  },
  {
    protection: "a shutdown waits for running jobs",
    file: "src/supervisor/engine.ts",
    edits: [["    await this.#idleWithin(patienceMs);\n", ""]],
    caughtBy: { test: "tests/system/shutdown_test.ts", named: "ends with its jobs" },
  },
  {
    protection: "jobs that outlast a shutdown are given back unharmed",
    file: "src/supervisor/engine.ts",
    edits: [
      ['this.#abortAll("shutdown");', ""],
      ["this.#dispatcher.release(slot, left.map(({ job }) => job));", ""],
    ],
    caughtBy: { test: "tests/system/shutdown_test.ts", named: "a job survives ten deploys" },
  },
  {
    protection: "a command's group is killed when it ends",
    file: "src/handlers/command.ts",
    edits: [['    killGroup(child.pid, "SIGKILL");\n    if (wasStopped)', "    if (wasStopped)"]],
    caughtBy: { test: "tests/system/stop_command_test.ts", named: "leaves running in its group" },
    isCheap: true,
  },
  {
    protection: "a command that must end is killed with all that carries its mark",
    file: "src/handlers/command.ts",
    edits: [
      ["    if (wasStopped) killMarked(mark);\n", ""],
      ["    killMarked(mark);\n", ""],
    ],
    caughtBy: { test: "tests/system/stop_command_test.ts", named: "timeout ends the whole tree" },
  },
  {
    protection: "the guardian ends the commands of a killed process",
    file: "src/supervisor/started_processes.ts",
    edits: [["this.#guardian.ensure();", ""]],
    caughtBy: {
      test: "tests/system/kill_worker_test.ts",
      named: "leaves no process of its commands",
    },
    isCheap: true,
  },
  {
    protection: "a guardian that was killed is replaced",
    file: "src/supervisor/guardian.ts",
    edits: [["if (this.#groups.size > 0) this.ensure();", ""]],
    caughtBy: { test: "tests/system/kill_worker_test.ts", named: "a killed guardian is replaced" },
  },
  {
    protection: "a listener that was lost is opened again",
    file: "src/http/listener.ts",
    edits: [["while (!this.#isClosing) {\n      const startedAtMs", "{\n      const startedAtMs"], [
      "          continue;\n",
      "          return;\n",
    ]],
    caughtBy: { experiment: "abuse" },
  },
  {
    protection: "bodies that announce too much are not read",
    file: "src/http/body.ts",
    edits: [["if (announced !== null && announced > limitBytes) {", "if (false) {"]],
    caughtBy: { test: "tests/http/limits.test.ts", named: "announced to be too long" },
    isCheap: true,
  },
  {
    protection: "a large form must come to its end",
    file: "src/http/upload_stream.ts",
    edits: [["    stream.end();\n", ""]],
    caughtBy: { test: "tests/http/large_upload.test.ts", named: "without its last delimiter" },
    isCheap: true,
  },
  {
    protection: "a file that a job has takes no more",
    file: "src/store/sqlite/files.ts",
    edits: [['"id = ? AND seq IS NULL AND touched_at > 0"', '"id = ? AND touched_at > 0"']],
    caughtBy: { test: STORE_SUITE, named: "takes no further pieces" },
    isCheap: true,
  },
  {
    protection: "bodies in chunks are cut at the limit",
    file: "src/http/body.ts",
    edits: [["if (reading.bytes > limitBytes) {", "if (false) {"]],
    caughtBy: { test: "tests/http/limits.test.ts", named: "a body in chunks is cut at the limit" },
    isCheap: true,
  },
  {
    protection: "addresses that are not public are not called",
    file: "src/lib/outbound/connection.ts",
    edits: [["all.filter((one) => findNonPublic(one) === null)", "all"]],
    caughtBy: { test: "tests/unit/outbound_test.ts", named: "only those that are public" },
    isCheap: true,
  },
  {
    protection: "the address that was checked is the one that is called",
    file: "src/lib/outbound/connection.ts",
    edits: [[
      "Deno.connect({ hostname: address, port })",
      "Deno.connect({ hostname: name, port })",
    ]],
    caughtBy: { test: "tests/unit/outbound_test.ts", named: "a name is resolved once" },
    isCheap: true,
  },
  {
    protection: "line breaks in headers are refused",
    file: "src/lib/outbound/request.ts",
    edits: [["return /^[\\t\\x20-\\x7e]*$/.test(value)", "return value.length >= 0"]],
    caughtBy: { test: "tests/unit/outbound_test.ts", named: "begin another one are refused" },
    isCheap: true,
  },
  {
    protection: "a unique key is free when its job has ended",
    file: "src/store/sqlite/ends.ts",
    edits: [["if (traits & TRAITS.UNIQUE) freeKey.run(seq);", ""]],
    caughtBy: { test: STORE_SUITE, named: "a unique key is free again when" },
    isCheap: true,
  },
  {
    protection: "a transaction takes a bounded number of steps along dependencies",
    file: "src/store/sqlite/transaction_counts.ts",
    edits: [["if (this.#stepsLeft === 0) this.#isUnfinished = true;", "if (false) return false;"]],
    caughtBy: { test: STORE_SUITE, named: "in steps" },
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
    file: "src/store/sqlite/add.ts",
    edits: [["if (!isRefused(addition)) requests.keep(", "if (false) requests.keep("]],
    caughtBy: { test: STORE_SUITE, named: "add() of a request that came before" },
    isCheap: true,
  },
  {
    protection: "a webhook is settled under the token of its claim",
    file: "src/store/sqlite/deliveries.ts",
    edits: [["WHERE number = ? AND token = ? AND state", "WHERE number = ? AND ? > 0 AND state"]],
    caughtBy: { test: STORE_SUITE, named: "of two processes one takes a delivery" },
    isCheap: true,
  },
  {
    protection: "webhooks that wait outlive their job",
    file: "src/store/sqlite/removal.ts",
    edits: [[" AND state <> 'waiting'", ""]],
    caughtBy: { test: STORE_SUITE, named: "those that wait are still sent" },
    isCheap: true,
  },
  {
    protection: "a schedule's time is run only if nobody else has run it",
    file: "src/store/sqlite/schedules.ts",
    edits: [[
      'if (run.move !== null && !isCurrent(run.move)) return { result: "lost" };',
      "",
    ]],
    caughtBy: { test: STORE_SUITE, named: "of several that run the same time" },
    isCheap: true,
  },
  {
    protection: "pruning keeps what an unfinished job has waited for",
    file: "src/store/sqlite/prune.ts",
    edits: [["|| isNeeded(row)) continue;", "|| isNeeded(row) && false) continue;"]],
    caughtBy: { test: STORE_SUITE, named: "what an unfinished job has waited for" },
    isCheap: true,
  },
  {
    protection: "follow-ups come of an attempt that holds its lease",
    file: "src/store/sqlite/settle.ts",
    edits: [[
      'if (isSettled && attempt.outcome.event === "complete" && attempt.outcome.followUps)',
      'if (attempt.outcome.event === "complete" && attempt.outcome.followUps)',
    ]],
    caughtBy: { test: STORE_SUITE, named: "under an older token" },
    isCheap: true,
  },
  {
    protection: "follow-ups that were added before are not added again",
    file: "src/store/sqlite/add.ts",
    edits: [["!known.has(id) && known.add(id)", "known.add(id) !== null"]],
    caughtBy: { test: STORE_SUITE, named: "a follow-up whose id is in use" },
  },
  {
    protection: "artifacts come of an attempt that holds its lease",
    file: "src/store/sqlite/settle.ts",
    edits: [[
      "if (isSettled && attempt.artifacts !== undefined)",
      "if (attempt.artifacts !== undefined)",
    ]],
    caughtBy: { test: STORE_SUITE, named: "an attempt whose lease is lost keeps nothing" },
    isCheap: true,
  },
  {
    protection: "progress is noted under the lease",
    file: "src/store/sqlite/progress.ts",
    edits: [["AND lease_token = ? AND", "AND ? IS NOT NULL AND"]],
    caughtBy: { test: STORE_SUITE, named: "under an older token" },
  },
  {
    protection: "files that nobody has are swept",
    file: "src/store/sqlite/files.ts",
    edits: [["if (file === undefined) return false;", "return false;"]],
    caughtBy: { test: STORE_SUITE, named: "a file is swept when nothing was added to it for long" },
    isCheap: true,
  },
  {
    protection: "a file to which something was added lately is not swept",
    file: "src/store/sqlite/files.ts",
    edits: [[
      "WHERE seq IS NULL AND touched_at < ?",
      "WHERE seq IS NULL AND touched_at < ? + 1e15",
    ]],
    caughtBy: { test: STORE_SUITE, named: "a file is swept when nothing was added to it for long" },
  },
  {
    protection: "an upload that was cut off leaves nothing",
    file: "src/queue/file_writer.ts",
    edits: [["    await store.giveUpFile(file);\n", ""]],
    caughtBy: { test: "tests/http/large_upload.test.ts", named: "whose sender goes away" },
  },
  {
    protection: "of jobs with one unique key one lives: the key is taken",
    file: "src/store/sqlite/extras.ts",
    edits: [["      takeKey.run(extras.unique.key, seq);\n", ""]],
    caughtBy: { test: STORE_SUITE, named: "two connections that add the same unique key" },
    isCheap: true,
  },
  {
    protection: "of jobs with one unique key one lives: requeueing takes it, too",
    file: "src/store/sqlite/change.ts",
    edits: [[
      "takeKey.run(options.uniqueKey, seq) === 0) return false;",
      "takeKey.run(options.uniqueKey, seq) < 0) return false;",
    ]],
    caughtBy: { test: STORE_SUITE, named: "requeue() takes the unique key again" },
  },
  {
    protection: "a job runs when the last of those that it waits for has ended",
    file: "src/store/sqlite/ends.ts",
    edits: [["    if (isHeld.get(dependent) !== undefined) return;\n", ""]],
    caughtBy: { test: STORE_SUITE, named: "runs after the last of them" },
    isCheap: true,
  },
  {
    protection: "deleting a job that waits tells those that wait for it",
    file: "src/store/sqlite/change.ts",
    edits: [["if (!isFinished(job.state)) ends.onRemoval(ending, nowMs, transaction);", ""]],
    caughtBy: { test: STORE_SUITE, named: "when the other is removed" },
  },
  {
    protection: "max-running is counted in the transaction that claims",
    file: "src/store/sqlite/claim.ts",
    edits: [["rules.maxRunning - transaction.leased(queue)", "rules.maxRunning"]],
    caughtBy: { test: STORE_SUITE, named: "no more than maxRunning jobs" },
    isCheap: true,
  },
  {
    protection: "starts are counted for the rate",
    file: "src/store/sqlite/limits.ts",
    edits: [["      writeStarts.run(JSON.stringify(starts), queue);\n", ""]],
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
    file: "src/store/sqlite/claim.ts",
    edits: [["    if (rules.pausedAtMs !== null) return null;\n", ""]],
    caughtBy: { test: STORE_SUITE, named: "a paused queue's jobs are not claimed" },
  },
  {
    protection: "the outcome and what is to be told of it are written together",
    file: "src/store/sqlite/ends.ts",
    edits: [["    if (traits & TRAITS.CALLBACK) {\n", "    if (false) {\n"]],
    caughtBy: { test: STORE_SUITE, named: "every way in which a job ends writes its webhook" },
    isCheap: true,
  },
  {
    protection: "a webhook that is under way is nobody else's for a while",
    file: "src/store/sqlite/deliveries.ts",
    edits: [[
      "attempts = attempts + 1, next_at = ?, ",
      "attempts = attempts + 1, next_at = ? * 0, ",
    ]],
    caughtBy: { test: STORE_SUITE, named: "of two processes one takes a delivery" },
  },
  {
    protection: "pruning keeps a job whose outcome is not delivered yet",
    file: "src/store/sqlite/prune.ts",
    edits: [["isUndelivered.get(seq) !== undefined", "isUndelivered.get(seq) === null"]],
    caughtBy: { test: STORE_SUITE, named: "whose outcome is not delivered yet" },
  },
  {
    protection: "another request under the same Idempotency-Key is refused",
    file: "src/store/sqlite/requests.ts",
    edits: [['if (!areEqual(row["fingerprint"] as Uint8Array, fingerprint)) {', "if (false) {"]],
    caughtBy: { test: STORE_SUITE, named: "add() of another request under the same key" },
    isCheap: true,
  },
  {
    protection: "the same keyed request is handled once at a time",
    file: "src/http/idempotency.ts",
    edits: [["if (this.#keys.has(entry)) {", "if (false) {"]],
    caughtBy: { test: "tests/http/idempotency.test.ts", named: "while the first request is under" },
  },
  {
    protection: "a handler that is forced to end takes along what left its group",
    file: "src/handlers/handler_process.ts",
    edits: [
      ["    if (this.wasForced) killMarked(this.mark);\n", ""],
      ["    killMarked(this.mark);\n", ""],
    ],
    caughtBy: { test: "tests/system/handlers_test.ts", named: "whatever it has started" },
    isCheap: true,
  },
  {
    protection: "what a handler has started in its group ends with it",
    file: "src/handlers/handler_process.ts",
    edits: [[
      '    killGroup(this.pgid, "SIGKILL");\n    if (this.wasForced)',
      "    if (this.wasForced)",
    ]],
    caughtBy: { experiment: "kills" },
  },
  {
    protection: "the guardian ends the handlers of a killed process",
    file: "src/supervisor/started_processes.ts",
    edits: [["this.#guardian.ensure();", ""]],
    caughtBy: { test: "tests/system/handlers_test.ts", named: "leaves nothing of its handlers" },
  },
  {
    protection: "a search looks at a bounded number of jobs at a time",
    file: "src/store/sqlite/search.ts",
    edits: [["ORDER BY seq DESC LIMIT ${SLICE}`", "ORDER BY seq DESC`"]],
    caughtBy: { test: STORE_SUITE, named: "search() that runs out of patience" },
  },
  {
    protection: "a dry run of a change to many changes nothing",
    file: "src/queue/bulk.ts",
    edits: [["if (!request.isDryRun) {", "if (true) {"]],
    caughtBy: { test: "tests/http/bulk.test.ts", named: "a dry run says how many" },
    isCheap: true,
  },
  {
    protection: "followers of events are told that something is missing",
    file: "src/store/sqlite/journal.ts",
    edits: [['    if (hasLapsed) this.#append([{ type: "gap" }]);\n', ""]],
    caughtBy: { test: "tests/http/events.test.ts", named: "is said to be missing" },
  },
  {
    protection: "a follower of events that went away is forgotten, also one that never read",
    file: "src/http/routes/events.ts",
    edits: [["      await events.return(undefined);\n", ""]],
    caughtBy: { test: "tests/http/events.test.ts", named: "who goes away without having read" },
  },
  {
    protection: "routes ask for the scope that they name",
    file: "src/http/answer_match.ts",
    edits: [["!allows(caller.scopes, route.scope)", "false"]],
    caughtBy: { test: "tests/http/token.test.ts", named: "to a token with its scope" },
    isCheap: true,
  },
  {
    protection: "pages ask for the scope that they name",
    file: "src/dashboard/dashboard.tsx",
    edits: [["if (!context.caller.may(match.page.scope)) {", "if (false) {"]],
    caughtBy: {
      test: "tests/http/dashboard_security.test.ts",
      named: "scopes hide what they forbid",
    },
    isCheap: true,
  },
  {
    protection: "forms of pages come from the own origin",
    file: "src/http/page_host.ts",
    edits: [['      if (foreign !== null) throw new RequestError("forbidden", foreign);\n', ""]],
    caughtBy: {
      test: "tests/http/dashboard_security.test.ts",
      named: "another site sends is refused",
    },
    isCheap: true,
  },
  {
    protection: "a session's cookie counts for no request of another origin",
    file: "src/http/sessions.ts",
    edits: [["session === undefined || foreignOrigin(headers) !== null", "session === undefined"]],
    caughtBy: { test: "tests/http/dashboard_security.test.ts", named: "that another origin sends" },
  },
  {
    protection: "a session ends with its token",
    file: "src/http/sessions.ts",
    edits: [[
      "const caller = this.#tokens.identifyHash(session.tokenHash);",
      'const caller = this.#tokens.identifyHash(session.tokenHash) ?? { name: "", scopes: ["read"] as const, hasToken: true };',
    ]],
    caughtBy: { test: "tests/http/dashboard_security.test.ts", named: "when its token is revoked" },
  },
  {
    protection: "output is escaped before it becomes part of a page",
    file: "src/dashboard/output_view.tsx",
    edits: [["const escaped = escapeHtml(text);", "const escaped = text;"]],
    caughtBy: {
      test: "tests/http/dashboard_security.test.ts",
      named: "whatever a job carries is text",
    },
    isCheap: true,
  },
  {
    protection: "control characters of a job end before the terminal of top",
    file: "src/cli/top/line.ts",
    edits: [["sanitize(text).replace(", "text.replace("]],
    caughtBy: { test: "tests/unit/top_test.ts", named: "control characters of a job" },
    isCheap: true,
  },
  {
    protection: "top gives the terminal back, whatever ends it",
    file: "src/cli/top/screen.ts",
    edits: [["this.#io.stdout.write(LEAVE);", ""]],
    caughtBy: { test: "tests/cli/top_test.ts", named: "gives the terminal back when it fails" },
  },
  {
    protection: "top does to a job only what was answered with y",
    file: "src/cli/top/state.ts",
    edits: [['key.text.toLowerCase() === "y"', "true"]],
    caughtBy: { test: "tests/unit/top_test.ts", named: "only y means yes" },
    isCheap: true,
  },
  {
    protection: "a queue is moved only while nobody else has its file open",
    file: "src/store/sqlite/transfer.ts",
    edits: [['    connection.prepare("PRAGMA locking_mode = EXCLUSIVE").get();\n', ""]],
    caughtBy: { test: "tests/store/move_test.ts", named: "that another process has open" },
  },
  {
    protection: "nobody opens a file whose queue is being moved, or is gone",
    file: "src/store/sqlite/open.ts",
    edits: [["refuseMarked(readMark(connection), path);", ""]],
    caughtBy: { test: "tests/store/move_test.ts", named: "interrupted at any step" },
    isCheap: true,
  },
  {
    protection: "a move goes on after the last row that has arrived",
    file: "src/store/sqlite/transfer.ts",
    edits: [["!areKeysEqual(lastKey(table, connection), after)", "false"]],
    caughtBy: { test: "tests/store/move_test.ts", named: "rows are taken only after the last" },
    isCheap: true,
  },
  {
    protection: "both databases are compared before the new one is used",
    file: "src/queue/move.ts",
    edits: [["left.checksum !== arrived.checksum", "false"]],
    caughtBy: { test: "tests/store/move_test.ts", named: "a row that did not arrive" },
    isCheap: true,
  },
  {
    protection: "the old database is left before the new one is used",
    file: "src/queue/move.ts",
    edits: [['!await source.changeMark(ours, "left", clock())', "false"]],
    caughtBy: { test: "tests/store/move_test.ts", named: "given up meanwhile" },
    isCheap: true,
  },
  {
    protection: "nothing is moved into a database that holds something",
    file: "src/queue/move.ts",
    edits: [["if (filled.length === 0) return;", "return;"]],
    caughtBy: { test: "tests/store/move_test.ts", named: "that holds something" },
    isCheap: true,
  },
];
