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
    file: "src/store/sqlite/store.ts",
    edits: [["synchronous = ${options.synchronous(stored)}", "synchronous = NORMAL"]],
    caughtBy: { experiment: "power" },
    isCheap: true,
  },
  {
    protection: "commits are synced: full, not off",
    file: "src/store/sqlite/store.ts",
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
    edits: [['await this.#idleWithin(this.#options.settings["shutdown-timeout"]);', ""]],
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
    file: "src/supervisor/engine.ts",
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
    edits: [["WHERE seq = ? AND state <> 'waiting'", "WHERE seq = ?"]],
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
];
