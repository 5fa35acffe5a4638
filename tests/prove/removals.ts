/**
 * The protections that can be taken out of the source one at a time, and who must notice; those inside
 * the stores stand in `removals_in_stores.ts`. To add one, add a row: the exact text to be replaced, and
 * the test or experiment that fails without it.
 */
import type { Protection } from "./removal.ts";

const REFUSALS = "tests/postgres/refusals_test.ts";
const MACHINES = "tests/postgres/machines_test.ts";
const MOVES = "tests/postgres/move_test.ts";
const FILE_MOVES = "tests/store/move_test.ts";
const PAGES = "tests/http/dashboard_security.test.ts";
const OUTBOUND = "tests/unit/outbound_test.ts";
const EVENTS = "tests/http/events.test.ts";

export const REMOVALS: readonly Protection[] = [
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
    edits: {
      sqlite: [["!mayBeAlive(worker.pid, worker.processStart)", "false"]],
      postgres: [["!mayBeAlive(worker.pid, worker.processStart)", "false"]],
    },
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
    edits: [['this.#abortAll("shutdown");', ""], [
      "this.#dispatcher.release(slot, left.map(({ job }) => job));",
      "",
    ]],
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
    edits: [["    if (wasStopped) killMarked(mark);\n", ""], ["    killMarked(mark);\n", ""]],
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
    protection: "the head of a request has to come in time",
    file: "src/http/quiet_connections.ts",
    edits: [["return isOverdue;", "return false;"]],
    caughtBy: { test: "tests/http/quiet.test.ts", named: "never ends its request's head" },
  },
  {
    protection: "a connection with a request under way is not closed as a quiet one",
    file: "src/http/quiet_watch.ts",
    edits: [["info.completed.then(end, end);", "end();"]],
    caughtBy: { test: "tests/http/quiet.test.ts", named: "an upload that comes slowly" },
  },
  {
    protection: "a connection on which an answer is still being sent is not closed as a quiet one",
    file: "src/http/quiet_connections.ts",
    edits: [["const isActive = hasBytesWaiting || ", "const isActive = "]],
    caughtBy: { test: "tests/http/quiet.test.ts", named: "sent to its end: held in memory" },
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
    caughtBy: { test: OUTBOUND, named: "only those that are public" },
    isCheap: true,
  },
  {
    protection: "the address that was checked is the one that is called",
    file: "src/lib/outbound/connection.ts",
    edits: [[
      "Deno.connect({ hostname: address, port })",
      "Deno.connect({ hostname: name, port })",
    ]],
    caughtBy: { test: OUTBOUND, named: "a name is resolved once" },
    isCheap: true,
  },
  {
    protection: "line breaks in headers are refused",
    file: "src/lib/outbound/request.ts",
    edits: [["return /^[\\t\\x20-\\x7e]*$/.test(value)", "return value.length >= 0"]],
    caughtBy: { test: OUTBOUND, named: "begin another one are refused" },
    isCheap: true,
  },
  {
    protection: "an upload that was cut off leaves nothing",
    file: "src/queue/file_writer.ts",
    edits: [["    await store.giveUpFile(file);\n", ""]],
    caughtBy: { test: "tests/http/large_upload.test.ts", named: "whose sender goes away" },
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
    edits: [["    if (this.wasForced) killMarked(this.mark);\n", ""], [
      "    killMarked(this.mark);\n",
      "",
    ]],
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
    protection: "a dry run of a change to many changes nothing",
    file: "src/queue/bulk.ts",
    edits: [["if (!request.isDryRun) {", "if (true) {"]],
    caughtBy: { test: "tests/http/bulk.test.ts", named: "a dry run says how many" },
    isCheap: true,
  },
  {
    protection: "a follower of events that went away is forgotten, also one that never read",
    file: "src/http/routes/events.ts",
    edits: [["      await events.return(undefined);\n", ""]],
    caughtBy: { test: EVENTS, named: "who goes away without having read" },
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
    caughtBy: { test: PAGES, named: "scopes hide what they forbid" },
    isCheap: true,
  },
  {
    protection: "forms of pages come from the own origin",
    file: "src/http/page_host.ts",
    edits: [['      if (foreign !== null) throw new RequestError("forbidden", foreign);\n', ""]],
    caughtBy: { test: PAGES, named: "another site sends is refused" },
    isCheap: true,
  },
  {
    protection: "a session's cookie counts for no request of another origin",
    file: "src/http/sessions.ts",
    edits: [["session === undefined || foreignOrigin(headers) !== null", "session === undefined"]],
    caughtBy: { test: PAGES, named: "that another origin sends" },
  },
  {
    protection: "a session ends with its token",
    file: "src/http/sessions.ts",
    edits: [[
      "const caller = this.#tokens.identifyHash(session.tokenHash);",
      'const caller = this.#tokens.identifyHash(session.tokenHash) ?? { name: "", scopes: ["read"] as const, hasToken: true };',
    ]],
    caughtBy: { test: PAGES, named: "when its token is revoked" },
  },
  {
    protection: "output is escaped before it becomes part of a page",
    file: "src/dashboard/output_view.tsx",
    edits: [["const escaped = escapeHtml(text);", "const escaped = text;"]],
    caughtBy: { test: PAGES, named: "whatever a job carries is text" },
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
    protection: "both databases are compared before the new one is used",
    file: "src/queue/move.ts",
    edits: [["left.checksum !== arrived.checksum", "false"]],
    caughtBy: { test: FILE_MOVES, named: "a row that did not arrive" },
    isCheap: true,
  },
  {
    protection: "the old database is left before the new one is used",
    file: "src/queue/move.ts",
    edits: [['!await source.changeMark(ours, "left", clock())', "false"]],
    caughtBy: { test: FILE_MOVES, named: "given up meanwhile" },
    isCheap: true,
  },
  {
    protection: "nothing is moved into a database that holds something",
    file: "src/queue/move.ts",
    edits: [["if (filled.length === 0) return;", "return;"]],
    caughtBy: { test: FILE_MOVES, named: "that holds something" },
    isCheap: true,
  },
  {
    protection: "the time in which the store was away does not count for leases",
    file: "src/maintenance/reaper.ts",
    edits: { postgres: [["isAway || silentMs > everyMs + leaseMs / 2", "false"]] },
    caughtBy: { test: "tests/unit/reaper_test.ts", named: "the store was away" },
    isCheap: true,
  },
  {
    protection: "all processes go by the clock of the server",
    file: "src/cli/context.ts",
    edits: { postgres: [["clock: store.clock,", "clock: invocation.io.clock,"]] },
    caughtBy: { test: MACHINES, named: "clocks of machines that are minutes apart" },
  },
  {
    protection: "a process is looked for among those of its own machine",
    file: "src/maintenance/reaper.ts",
    edits: { postgres: [["worker.host === host && ", ""]] },
    caughtBy: { test: MACHINES, named: "a process is not taken for another one" },
  },
  {
    protection: "what stands in the place of a port, but may be a password, is not shown",
    file: "src/lib/database_url.ts",
    edits: { postgres: [['isPlain ? rest : "…"', "rest"]] },
    caughtBy: { test: REFUSALS, named: "no value of it is quoted" },
    isCheap: true,
  },
  {
    protection: "a queue is moved only while nobody else has its tables open",
    file: "src/queue/move.ts",
    edits: { postgres: [["if (users.length === 0) return;", "return;"]] },
    caughtBy: { test: MOVES, named: "tables that a process has open" },
    isCheap: true,
  },
];
