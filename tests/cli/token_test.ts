/** Tokens, the audit log and the limit of the queue, as the command line shows them. */
import assert from "node:assert/strict";
import { queuectl, tempDir } from "../helpers/cli.ts";
import { keptText } from "../helpers/raw_database.ts";

const USER = { env: { USER: "ann" } };

Deno.test("token create prints the secret, and nothing else on stdout; no one is shown it again", async () => {
  await using temp = await tempDir();
  const created = await queuectl(["token", "create", "--name", "ci"], temp);
  assert.equal(created.code, 0, created.stderr);
  assert.match(created.stdout, /^qctl_[A-Za-z0-9_-]{43}\n$/);
  const secret = created.stdout.trim();
  const id = /token ([0-9a-f]{12}) \(ci: read,submit\)/.exec(created.stderr)![1]!;
  const shown = [["token", "list"], ["token", "list", "--json"], ["audit"], ["audit", "--json"]];
  for (const args of shown) {
    const { code, stdout, stderr } = await queuectl(args, temp);
    assert.equal(code, 0);
    assert.match(stdout, new RegExp(id), args.join(" "));
    assert.ok(!(stdout + stderr).includes(secret.slice(5)), args.join(" "));
  }
  const kept = await keptText(temp.db);
  assert.ok(kept.includes(id) && !kept.includes(secret.slice(5)), "only its hash is kept");
});

Deno.test("two tokens never have the same secret", async () => {
  await using temp = await tempDir();
  const make = (name: string) =>
    queuectl(["token", "create", "--quiet", "--name", name], temp).then(({ stdout }) => stdout);
  const secrets = [await make("a"), await make("b")];
  for (const secret of secrets) assert.match(secret, /^qctl_/);
  assert.notEqual(secrets[0], secrets[1]);
});

Deno.test("token create takes scopes and an expiry; token list tells them", async () => {
  await using temp = await tempDir();
  const flags = ["--scopes", "admin,read,admin", "--expires", "30d", "--json"];
  const { stdout } = await queuectl(["token", "create", "--name", "ops", ...flags], temp);
  const { secret, ...token } = JSON.parse(stdout);
  assert.match(secret, /^qctl_/);
  assert.deepEqual(token.scopes, ["read", "admin"]);
  assert.equal(Date.parse(token.expires_at) - Date.parse(token.created_at), 30 * 86_400_000);
  const listed = JSON.parse((await queuectl(["token", "list", "--json"], temp)).stdout);
  assert.deepEqual(listed, [{ ...token, last_used_at: null, expired: false }]);
});

Deno.test("token create says everything that is wrong, and makes nothing", async () => {
  await using temp = await tempDir();
  const bad = ["--name", "a:b", "--scopes", "read,root", "--expires", "0s"];
  const { code, stdout, stderr } = await queuectl(["token", "create", ...bad], temp);
  assert.equal(code, 2);
  assert.equal(stdout, "");
  for (const found of [/"a:b"/, /"root"/, /3650d/]) assert.match(stderr, found);
  for (const name of ["loopback", "token-file", "anonymous"]) {
    const refused = await queuectl(["token", "create", "--name", name], temp);
    assert.equal(refused.code, 2, name);
  }
  assert.equal((await queuectl(["token", "create"], temp)).code, 2);
  assert.equal((await queuectl(["token", "list", "--json"], temp)).stdout, "[]\n");
});

Deno.test("a name in use, and an id that there is not, are failures that say so", async () => {
  await using temp = await tempDir();
  await queuectl(["token", "create", "--name", "ci"], temp);
  const again = await queuectl(["token", "create", "--name", "ci"], temp);
  assert.equal(again.code, 1);
  assert.match(again.stderr, /"ci" exists already/);
  const missing = await queuectl(["token", "revoke", "nothere"], temp);
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /no token with the id "nothere"/);
});

Deno.test("token revoke takes it away, and frees its name", async () => {
  await using temp = await tempDir();
  const { stdout } = await queuectl(["token", "create", "--name", "ci", "--json"], temp);
  const { id } = JSON.parse(stdout);
  const revoked = await queuectl(["token", "revoke", id], temp);
  assert.deepEqual([revoked.code, revoked.stdout], [0, `Token ${id} (ci) is revoked\n`]);
  assert.equal((await queuectl(["token", "list", "--json"], temp)).stdout, "[]\n");
  assert.equal((await queuectl(["token", "create", "--name", "ci"], temp)).code, 0);
});

Deno.test("the audit log tells every change of the command line with the user who made it", async () => {
  await using temp = await tempDir();
  const options = { ...temp, ...USER };
  const commands = [
    ["add", "--id", "a", "true"],
    ["cancel", "a"],
    ["cancel", "a"],
    ["requeue", "a"],
    ["config", "set", "max-retries", "5"],
    ["config", "unset", "max-retries"],
    ["token", "create", "--name", "ci"],
  ];
  for (const args of commands) await queuectl(args, options);
  const entries = JSON.parse((await queuectl(["audit", "--json"], temp)).stdout);
  // deno-lint-ignore no-explicit-any -- as JSON has it
  const told = entries.map(({ by, action, outcome }: any) => `${by} ${action} ${outcome}`);
  assert.deepEqual(told.reverse(), [
    "cli:ann cancel done",
    "cli:ann cancel refused",
    "cli:ann requeue done",
    "cli:ann config.set done",
    "cli:ann config.unset done",
    "cli:ann token.create done",
  ]);
  const table = await queuectl(["audit", "--limit", "1"], temp);
  assert.match(
    table.stdout,
    /^WHEN .*\n.* cli:ann +token\.create +[0-9a-f]{12} ci +done +read,submit\n$/,
  );
});

Deno.test("over max-queue-depth, add and enqueue exit with 1 and store nothing", async () => {
  await using temp = await tempDir();
  await queuectl(["config", "set", "max-queue-depth", "2"], temp);
  assert.equal((await queuectl(["add", "true"], temp)).code, 0);
  const jobs = '[{"command":"true"},{"command":"true"}]';
  for (const args of [["enqueue", jobs], ["add", "true", "--max-queue-depth", "1"]]) {
    const { code, stderr } = await queuectl(args, temp);
    assert.equal(code, 1);
    assert.match(stderr, /the queue is full: .*max-queue-depth/);
  }
  assert.equal((await queuectl(["add", "true"], temp)).code, 0);
  assert.equal(JSON.parse((await queuectl(["list", "--json"], temp)).stdout).length, 2);
});
