/** The smallest set of permissions for `serve` without commands, as the README gives it. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { apiOf } from "../helpers/api.ts";
import { Service, tempDir } from "../helpers/cli.ts";
import { eventually } from "../helpers/eventually.ts";
import { freePort } from "../helpers/free_port.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** The permissions in the README, for another directory and port. */
function permissions(dir: string, port: number): string[] {
  const readme = Deno.readTextFileSync(`${ROOT}README.md`);
  const command = /deno run --no-prompt((?: \\?\n? *--allow-\S+)+)/.exec(readme)?.[1];
  assert.ok(command !== undefined, "the README has no such command");
  return [...command.matchAll(/--allow-\S+/g)].map(([flag]) =>
    flag.replaceAll("/var/lib/queuectl", dir).replaceAll(":8000", `:${port}`)
      .replace("src", `${ROOT}src`)
  );
}

/** Starts `serve` with these permissions alone. */
function startWith(flags: readonly string[], dir: string, port: number): Service {
  const script = [`${ROOT}src/main.ts`, "serve", "--port", String(port), "--workers", "1"];
  return new Service(
    new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "--quiet", "--config", `${ROOT}deno.json`, ...flags, ...script],
      env: { QUEUECTL_DB: `${dir}/queue.db`, QUEUECTL_LOG_FORMAT: "json" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn(),
  );
}

Deno.test("with the README's permissions alone serve takes an upload, counts it and stops in order", async () => {
  await using temp = await tempDir();
  const port = freePort();
  const flags = permissions(temp.dir, port);
  const isLarge = (flag: string) => /^--allow-(all|run|sys|ffi|import)\b/.test(flag);
  assert.ok(!flags.some(isLarge), flags.join(" "));
  await using service = startWith(flags, temp.dir, port);
  const api = apiOf({ url: `http://127.0.0.1:${port}` });
  const isUp = async () => service.isOver || (await api.get("/readyz")).status === 200;
  await eventually(isUp, { what: "the service was ready", timeoutMs: 60_000 });
  const { status, body } = await api.upload("five!");
  assert.equal(status, 201, service.stderr);
  const result = async () => (await api.get(`/jobs/${body.job_id}/result`)).body.characters;
  assert.equal(await eventually(result, { what: `it was counted\n${service.stderr}` }), 5);
  assert.equal((await service.stop()).code, 0);
  assert.doesNotMatch(service.stderr, /"level":"(error|warn)"|NotCapable|Requires/);
});

Deno.test("none of these permissions can be left out", async () => {
  await using temp = await tempDir();
  const port = freePort();
  const flags = permissions(temp.dir, port);
  assert.equal(flags.length, 4);
  await Promise.all(flags.map(async (left) => {
    await using service = startWith(flags.filter((flag) => flag !== left), temp.dir, port);
    const isRefused = () => /Requires|NotCapable|permission denied/i.test(service.stderr);
    await eventually(isRefused, { what: `leaving out ${left} was noticed`, timeoutMs: 60_000 });
  }));
});
