/** Bad usage: what the program says and that it does nothing. */
import assert from "node:assert/strict";
import { openStore } from "../../src/store/open.ts";
import { program, queuectl, tempDir } from "../helpers/cli.ts";

/** Command lines that make no sense, and what must be said about them. */
const BAD: readonly [line: string[], message: RegExp][] = [
  [[], /Usage: queuectl/],
  [["lst"], /unknown command 'lst'[\s\S]*Did you mean list\?/],
  [["help", "lsit"], /unknown command 'lsit'; did you mean "list"\?/],
  [["help", "dlq", "lst"], /unknown command 'dlq lst'; did you mean "list"\?/],
  [["worker", "strt"], /unknown command 'strt'.*did you mean "start"\?/],
  [["dlq", "rety"], /unknown command 'rety'[\s\S]*Did you mean retry\?/],
  [["dlq"], /Usage: queuectl dlq/],
  [["list", "--stat", "dead"], /unknown option '--stat'[\s\S]*Did you mean --state\?/],
  [
    ["list", "--state", "ded"],
    /--state: expected one of pending.*got "ded"; did you mean "dead"\?/,
  ],
  [["list", "--state", "done"], /did you mean "completed"\?/],
  [["list", "--dlq", "--state", "dead"], /either --dlq or --state/],
  [["list", "--limit", "0"], /--limit: expected a whole number from 1 to \d+, got "0"/],
  [["list", "extra"], /unexpected argument 'extra'/],
  [["list", "--db"], /argument missing/],
  [["list", "--db", ""], /--db: expected a text that is not empty, got ""/],
  [["add"], /expected a command, or --kind[\s\S]*queuectl add -- PROGRAM/],
  [["add", "echo", "hi"], /expected one command, got 2 words[\s\S]*queuectl add -- PROGRAM/],
  [["add", "ls", "-la"], /unknown option '-la'[\s\S]*queuectl add -- PROGRAM/],
  [["add", ""], /command: expected/],
  [["add", "true", "--priority", "high"], /priority: expected a whole number .* got "high"/],
  [["add", "true", "--max-retries", "-1"], /--max-retries: expected a whole number .* got "-1"/],
  [["add", "true", "--delay", "soon"], /delay: expected a duration.* got "soon"/],
  [["add", "true", "--timeout", "0s"], /timeout: expected between 1ms and 30d, got "0s"/],
  [["add", "true", "--timeout", "5"], /timeout: expected a duration such as .* or 7d, got "5"/],
  [["add", "true", "--run-at", "tomorrow"], /run_at: expected an ISO 8601 time.* got "tomorrow"/],
  [["add", "true", "--run-at", "2030-01-01", "--delay", "1s"], /either run_at or delay/],
  [["add", "true", "--id", "a b"], /id: expected 1 to 64 characters.* got "a b"/],
  [["add", "true", "--queue", "a/b"], /queue: expected a name/],
  [["add", "true", "--cwd", "/no/such/dir"], /--cwd: expected an existing directory, got "\/no/],
  [["enqueue", "{"], /is not JSON: expected .* at line 1, column 2/],
  [["enqueue", "[]"], /expected at least one job, got none/],
  [
    ["enqueue", '[{"command":"x"},{"command":"","priority":"x"}]'],
    /2 things are wrong:\n {2}job 2: priority: expected .*\n {2}job 2: command: expected/,
  ],
  [["enqueue", '[{"command":"x"},{"command":""}]'], /^error: job 2: command: expected a command/],
  [["enqueue", "7"], /expected a JSON object that describes a job, got 7/],
  [["show"], /missing required argument 'id'/],
  [["show", "a", "b"], /too many arguments/],
  [["logs", "a", "--stream", "stdin"], /--stream: expected stdout or stderr, got "stdin"/],
  [["logs", "a", "--attempt", "x"], /--attempt: expected a whole number/],
  [["wait", "a", "--timeout", "5"], /--timeout: expected a duration.* got "5"/],
  [["worker", "--count", "0"], /--count: expected a whole number from 1/],
  [["worker", "-n", "0"], /--workers: expected at least 1/],
  [["worker", "-n", "1", "--count", "1"], /either --count or --workers/],
  [["serve", "--port", "70000"], /--port: expected a whole number from 0 to 65535, got "70000"/],
  [["serve", "--lease", "fast"], /--lease: expected a duration/],
  [["serve", "--insecure=maybe"], /--insecure: expected on or off, got "maybe"/],
  [["serve", "--log-file", "/no/such/dir/log"], /cannot write the log file \/no\/such\/dir\/log/],
  [["dlq", "retry"], /either ids or --all/],
  [["dlq", "retry", "a", "--all"], /either ids or --all/],
  [["config", "get", "max_retrys"], /no setting "max_retrys"; did you mean "max-retries"\?/],
  [["config", "set", "bogus", "1"], /no setting "bogus"/],
  [["config", "set", "max-retries", "many"], /max-retries: expected a whole number.* got "many"/],
  [["config", "set", "fault-fail", "-1"], /fault-fail: expected a probability.* got "-1"/],
  [["config", "set", "backoff-cap", "-1s"], /^error: backoff-cap: expected a duration.* got "-1s"/],
  [["config", "set", "-1s", "backoff-cap"], /there is no setting "-1s"/],
  [["config", "set", "backoff-cap", "-1s", "2s"], /too many arguments/],
  [["config", "set", "backoff-cap", "--jsn"], /unknown option '--jsn'[\s\S]*Did you mean --json\?/],
  [["config", "set", "backoff-cap"], /missing required argument 'value'/],
  [["add", "true", "--priority", "-5x"], /priority: expected a whole number .* got "-5x"/],
  [["show", "-x"], /unknown option '-x'\n.* value, write options first, and then: -- -x\n/],
  [["queue", "pause", "-1s"], /unknown option '-1s'\n.* value, write options first.*: -- -1s\n/],
  [["queue", "set", "q", "--max-running", "-1"], /--max-running: expected a whole.* got -1/],
  [["config", "set", "extra-kinds", "a, b c"], /extra-kinds: expected kinds of .* got "a, b c"/],
  [["config", "set", "watch", "on"], /watch cannot be stored .*told by itself; give --watch or/],
  [["config", "set", "db", "x.db"], /db cannot be stored .* give --db or QUEUECTL_DB/],
  [["config", "unset", "nothing"], /no setting "nothing"/],
  [["submit"], /expected --file PATH/],
  [["submit", "--file", "/no/such/file"], /--file: cannot read \/no\/such\/file: there is no such/],
  [["submit", "--api", "nowhere", "--file", "x"], /--api: expected a URL such as http.*"nowhere"/],
  [["completions", "csh"], /expected one of bash, zsh, fish, got "csh"; did you mean/],
];

for (const [line, message] of BAD) {
  Deno.test(`bad usage exits 2 and says why: queuectl ${line.join(" ")}`, async () => {
    await using temp = await tempDir();
    const { code, stdout, stderr } = await queuectl(line, { ...temp, cwd: temp.dir });
    assert.match(stderr, message);
    assert.equal(code, 2, stderr);
    assert.equal(stdout, "");
    assert.doesNotMatch(stderr, /\.ts:\d|\n\s+at /, "no stack trace");
  });
}

Deno.test("bad usage is found before a database is created", async () => {
  await using temp = await tempDir();
  for (const line of [["list", "--limit", "0"], ["add", "a", "b"], ["list", "--db", ""]]) {
    await queuectl(line, { cwd: temp.dir });
  }
  assert.deepEqual([...Deno.readDirSync(temp.dir)].map(({ name }) => name), []);
});

Deno.test("a wrong environment variable is named", async () => {
  await using temp = await tempDir();
  const { code, stderr } = await queuectl(["list"], { ...temp, env: { QUEUECTL_PORT: "x" } });
  assert.equal(code, 2);
  assert.match(stderr, /QUEUECTL_PORT: expected a whole number from 0 to 65535, got "x"/);
});

Deno.test("all wrong settings are named at once, flags and variables", async () => {
  await using temp = await tempDir();
  const env = { QUEUECTL_PORT: "x" };
  const { code, stderr } = await queuectl(["worker", "--lease", "soon"], { ...temp, env });
  assert.equal(code, 2);
  assert.match(stderr, /^error: 2 things are wrong:\n +QUEUECTL_PORT: .*\n +--lease: .*\n$/);
});

Deno.test("help of a command in a group is the command's own", async () => {
  await using temp = await tempDir();
  const [help, own] = await Promise.all([
    queuectl(["help", "dlq", "list"], temp),
    queuectl(["dlq", "list", "--help"], temp),
  ]);
  assert.deepEqual([help.code, help.stdout], [0, own.stdout]);
  assert.match(help.stdout, /^Usage: queuectl dlq list /);
});

Deno.test("a wrong stored setting stops commands, but not config, which can repair it", async () => {
  await using temp = await tempDir();
  await queuectl(["initdb"], temp);
  {
    await using store = await openStore({
      db: temp.db,
      driver: "builtin",
      clock: Date.now,
      synchronous: () => "normal",
    });
    await store.configSet("max-retries", "lots");
    await store.configSet("synchronous", "perhaps");
  }
  const broken = await queuectl(["list"], temp);
  assert.equal(broken.code, 2);
  assert.match(broken.stderr, /config key \S+: expected/);
  for (const key of ["max-retries", "synchronous"]) {
    assert.equal((await queuectl(["config", "unset", key], temp)).code, 0);
  }
  assert.equal((await queuectl(["list"], temp)).code, 0);
});

Deno.test("a store that cannot be used exits 5 and says why", async () => {
  await using temp = await tempDir();
  const notSqlite = `${temp.dir}/letter.db`;
  await Deno.writeTextFile(notSqlite, "Dear SQLite, this is not a database. ".repeat(100));
  const cases: [string, RegExp][] = [
    [`${temp.dir}/no/such/dir/queue.db`, /its directory does not exist/],
    [temp.dir, /it is a directory/],
    [notSqlite, /not an SQLite database/],
  ];
  for (const [db, message] of cases) {
    for (const line of [["list"], ["add", "true"], ["serve", "--port", "0"], ["config", "list"]]) {
      const { code, stderr } = await queuectl([...line, "--db", db]);
      assert.match(stderr, message);
      assert.equal(code, 5, line.join(" "));
    }
  }
  assert.match(await Deno.readTextFile(notSqlite), /^Dear SQLite/);
});

Deno.test("no such job exits 3", async () => {
  await using temp = await tempDir();
  for (const verb of ["show", "logs", "wait", "cancel", "requeue"]) {
    const { code, stderr } = await queuectl([verb, "nope"], temp);
    assert.equal(code, 3, verb);
    assert.match(stderr, /there is no job with the id "nope"/);
  }
  assert.equal((await queuectl(["dlq", "retry", "nope"], temp)).code, 3);
  assert.equal((await queuectl(["logs", "-f", "nope"], temp)).code, 3);
});

Deno.test("options count before and after the command's name", async () => {
  await using temp = await tempDir();
  const { code, stdout } = await queuectl(["--db", temp.db, "--json", "worker", "list"], {
    cwd: temp.dir,
  });
  assert.equal(code, 0);
  assert.equal(stdout, "[]\n");
});

Deno.test("version and --version agree", async () => {
  const [command, option, json] = await Promise.all([
    queuectl(["version"]),
    queuectl(["--version"]),
    queuectl(["version", "--json"]),
  ]);
  const { version } = JSON.parse(json.stdout);
  assert.match(version, /^\d+\.\d+\.\d+/);
  assert.equal(command.stdout, `queuectl ${version}\n`);
  assert.equal(option.stdout.trim(), version);
});

Deno.test("a reader that goes away ends the program quietly", async () => {
  await using temp = await tempDir();
  const lines = Array.from({ length: 3_000 }, () => '{"command":"true"}\n').join("");
  assert.equal((await queuectl(["enqueue", "-"], { ...temp, stdin: lines })).code, 0);
  const { command, args } = program();
  const script = '"$@" list --state all --limit 3000 | head -n 1; echo "${PIPESTATUS[0]}" >&2';
  const { stdout, stderr } = await new Deno.Command("bash", {
    args: ["-c", script, "bash", command, ...args],
    env: { QUEUECTL_DB: temp.db },
  }).output();
  assert.match(new TextDecoder().decode(stdout), /^ID +STATE/);
  assert.equal(new TextDecoder().decode(stderr), "0\n");
});
