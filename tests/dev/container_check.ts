/**
 * Checks the Dockerfile on a machine without a container engine, by doing what an engine would do:
 *
 *   deno run -A tests/dev/container_check.ts bin/queuectl
 *
 * It makes a Debian root with debootstrap, carries out the steps of the last stage in it, with the
 * given executable in place of the first stage's, and starts the container's command there: in
 * process, mount and network namespaces of its own, as the image's user, on a read-only root with
 * only the volume to write to. Needs root, debootstrap, util-linux, iproute2 and curl.
 *
 * What it cannot check: the first stage's base image, and that a plain compile finds its runtime.
 */
import assert from "node:assert/strict";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { eventually } from "../helpers/eventually.ts";
import { lastStage, type Stage } from "./dockerfile.ts";

const PROJECT = fileURLToPath(new URL("../../", import.meta.url));
const TOKEN = "a-token-of-this-check-alone";
const MACHINE_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

interface Container {
  readonly child: Deno.ChildProcess;
  /** Of the container's first process, as seen from outside. */
  readonly pid: number;
  readonly log: Promise<string>;
}

async function main(executable: string): Promise<void> {
  const stage = lastStage(await Deno.readTextFile(join(PROJECT, "Dockerfile")));
  const work = await Deno.makeTempDir({ prefix: "queuectl-container-" });
  try {
    const root = join(work, "root");
    const volume = join(work, "volume");
    await step("the build context holds all that the first stage needs", () => checkContext(work));
    await step("the last stage's steps", () => buildRoot(stage, { root, executable }));
    await run(["cp", "-a", root + stage.volume, volume]); // A new volume starts as a copy.
    await step("without a token it refuses to start and says why", async () => {
      const { child, log } = await start(stage, { root, volume, env: {} });
      const { code } = await child.status;
      assert.notEqual(code, 0);
      assert.match(await log, /token/i);
      console.log(`    it says: ${(await log).trim()}`);
    });
    await step("QUEUECTL_INSECURE=on lets it start without one", async () => {
      const open = await start(stage, { root, volume, env: { QUEUECTL_INSECURE: "on" } });
      try {
        await eventually(async () => await curl(open, ["/stats"]) === "200", {
          what: "the API answered without a token",
        });
      } finally {
        await kill(open);
      }
    });
    await Deno.writeTextFile(join(root, "run/token"), `${TOKEN}\n`);
    await Deno.chown(join(root, "run/token"), 10001, 10001);
    await Deno.chmod(join(root, "run/token"), 0o400);
    await checkLife(stage, { root, volume });
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

/** The files that .dockerignore lets in are enough to compile. */
async function checkContext(work: string): Promise<void> {
  const context = join(work, "context");
  await Deno.mkdir(context);
  const ignore = await Deno.readTextFile(join(PROJECT, ".dockerignore"));
  const names = ignore.split("\n").filter((line) => line.startsWith("!")).map((l) => l.slice(1));
  await run(["cp", "-a", ...names.map((name) => join(PROJECT, name)), context]);
  await run([Deno.execPath(), "task", "compile", "--output", join(work, "compiled")], context);
  assert.match(await run([join(work, "compiled"), "version"]), /^queuectl \d/);
}

async function buildRoot(
  stage: Stage,
  { root, executable }: { root: string; executable: string },
): Promise<void> {
  const release = /^debian:(\w+)-slim$/.exec(stage.from)?.[1];
  assert.ok(release, `expected FROM debian:RELEASE-slim, got ${stage.from}`);
  await run(["debootstrap", "--variant=minbase", release, root]);
  for (const step of stage.steps) {
    if (step.type === "run") await run(["chroot", root, "/bin/sh", "-c", step.script]);
    else {
      await Deno.mkdir(dirname(root + step.to), { recursive: true });
      await Deno.copyFile(executable, root + step.to);
      await Deno.chmod(root + step.to, 0o755);
    }
  }
}

/** From the first start to what is there after the second. */
async function checkLife(
  stage: Stage,
  { root, volume }: { root: string; volume: string },
): Promise<void> {
  const env = { QUEUECTL_TOKEN_FILE: "/run/token" };
  const first = await start(stage, { root, volume, env });
  const inside = (command: readonly string[]) => exec(stage, { container: first, root, command });
  let jobId = "";
  try {
    await step("the health check passes", async () => {
      await eventually(async () => (await inside(stage.healthcheck)).code === 0, {
        what: "the health check passed",
        timeoutMs: 15_000,
      });
    });
    await step("it fails where nothing listens", async () => {
      assert.equal((await inside([...stage.healthcheck, "--port", "9"])).code, 1);
    });
    await step("tini is process 1, queuectl its child, both as the image's user", async () => {
      const [init, queuectl] = await processes(first);
      assert.match(init!.command, /^tini\0/);
      assert.match(queuectl!.command, /queuectl/);
      for (const { uid, gid } of [init!, queuectl!]) assert.equal(`${uid}:${gid}`, stage.user);
    });
    await step("the API asks for the token", async () => {
      assert.equal(await curl(first, ["/stats"]), "401");
      assert.equal(await curl(first, ["/stats", ...WITH_TOKEN]), "200");
    });
    await step("an upload is counted", async () => {
      const file = join(volume, "upload.txt");
      await Deno.writeTextFile(file, "naïve 🦕\n");
      const { job_id } = JSON.parse(
        await curlBody(first, ["/jobs", ...WITH_TOKEN, "-F", `file=@${file}`]),
      );
      await Deno.remove(file);
      await eventually(async () => {
        const path = `/jobs/${job_id}/result`;
        return JSON.parse(await curlBody(first, [path, ...WITH_TOKEN])).characters === 8;
      }, { what: "the characters of the upload were counted" });
    });
    await step("a command runs in the image's shell, and its orphans are buried", async () => {
      const command = "id -u; pwd; (sleep 0.2 &)";
      const id = (await inside(["queuectl", "add", "--quiet", command])).stdout.trim();
      assert.equal((await inside(["queuectl", "wait", id, "--timeout", "15s"])).code, 0);
      const { stdout } = await inside(["queuectl", "logs", id]);
      assert.equal(stdout, `${stage.user.split(":")[0]}\n${stage.workdir}\n`);
      await eventually(
        async () => (await processes(first)).every(({ state }) => state !== "Z"),
        { what: "every process that has ended was buried" },
      );
    });
    await step(`${stage.stopSignal} lets the running job finish and ends with 0`, async () => {
      const added = await inside(["queuectl", "add", "--quiet", "sleep 2; echo finished"]);
      jobId = added.stdout.trim();
      await eventually(async () => {
        const { stdout } = await inside(["queuectl", "show", jobId, "--json"]);
        return JSON.parse(stdout).state === "processing";
      }, { what: "the job ran" });
      Deno.kill(first.pid, stage.stopSignal);
      assert.equal((await first.child.status).code, 0, await first.log);
    });
  } finally {
    await kill(first);
  }
  await step("the database is on the volume and belongs to the image's user", async () => {
    const { uid, size } = await Deno.stat(join(volume, "queue.db"));
    assert.equal(String(uid), stage.user.split(":")[0]);
    assert.ok(size > 0);
  });
  const second = await start(stage, { root, volume, env });
  try {
    await step("a new container on the volume knows the finished job", async () => {
      const job = await eventually(async () => {
        const command = ["queuectl", "show", jobId, "--json"];
        return JSON.parse((await exec(stage, { container: second, root, command })).stdout);
      }, { what: "the job was shown" });
      assert.equal(job.state, "completed");
      assert.equal(job.attempts, 0); // None has failed, the stop included.
    });
  } finally {
    await kill(second);
  }
}

/** Starts the container's command; its process 1 is a child of `unshare`. */
async function start(
  stage: Stage,
  { root, volume, env }: { root: string; volume: string; env: Record<string, string> },
): Promise<Container> {
  const prepare = [
    "set -e",
    "ip link set lo up",
    'mount --bind "$1" "$1"',
    'mount --bind "$2" "$1$3"',
    'mount -t proc proc "$1/proc"',
    'mount -o remount,bind,ro "$1"',
    'root=$1; shift 3; exec chroot "$root" "$@"',
  ].join("\n");
  const child = new Deno.Command("unshare", {
    args: ["--mount", "--net", "--pid", "--fork", "--kill-child"].concat(
      ["sh", "-c", prepare, "sh", root, volume, stage.volume],
      inContainer(stage, env, stage.command),
    ),
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const log = new Response(child.stderr).text();
  const pid = await eventually(async () => {
    const children = await Deno.readTextFile(`/proc/${child.pid}/task/${child.pid}/children`)
      .catch(() => "");
    return Number(children);
  }, { what: "the container's first process was there" });
  return { child, pid, log };
}

/** The words, within the root, that run a command as the image says. */
function inContainer(
  stage: Stage,
  env: Record<string, string>,
  command: readonly string[],
): string[] {
  const [uid, gid] = stage.user.split(":");
  const variables = { PATH: MACHINE_PATH, HOME: stage.volume, ...stage.env, ...env };
  return [
    ...["setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups", "--no-new-privs"],
    ...["env", "--ignore-environment", `--chdir=${stage.workdir}`],
    ...Object.entries(variables).map(([name, value]) => `${name}=${value}`),
    ...command,
  ];
}

/** Runs a command in a running container, as `docker exec` does. */
async function exec(
  stage: Stage,
  { container, root, command }: { container: Container; root: string; command: readonly string[] },
): Promise<{ code: number; stdout: string }> {
  const enter = ["nsenter", `--target=${container.pid}`, "--mount", "--net", "--pid"];
  const [program, ...args] = [...enter, "chroot", root, ...inContainer(stage, {}, command)];
  const { code, stdout } = await new Deno.Command(program!, { args, stdin: "null" }).output();
  return { code, stdout: new TextDecoder().decode(stdout) };
}

const WITH_TOKEN = ["-H", `Authorization: Bearer ${TOKEN}`];

/** The status of a request to the container's address. */
function curl(container: Container, [path, ...options]: string[]): Promise<string> {
  const status = ["-o", "/dev/null", "-w", "%{http_code}"];
  return curlBody(container, [path!, ...status, ...options]);
}

function curlBody({ pid }: Container, [path, ...options]: string[]): Promise<string> {
  const enter = ["nsenter", `--target=${pid}`, "--net"];
  return run([...enter, "curl", "--silent", "--max-time", "5"].concat(options, [
    `http://127.0.0.1:8000${path}`,
  ]));
}

interface Process {
  readonly pid: number;
  readonly state: string;
  readonly uid: number;
  readonly gid: number;
  /** Words separated by NUL. */
  readonly command: string;
}

/** The container's processes by their age, process 1 first. */
async function processes({ pid }: Container): Promise<Process[]> {
  const found: Process[] = [];
  const waiting = [pid];
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    try {
      const status = await Deno.readTextFile(`/proc/${next}/status`);
      const field = (name: string) => new RegExp(`^${name}:\\s*(\\S+)`, "m").exec(status)![1]!;
      found.push({
        pid: next,
        state: field("State"),
        uid: Number(field("Uid")),
        gid: Number(field("Gid")),
        command: await Deno.readTextFile(`/proc/${next}/cmdline`),
      });
      const children = await Deno.readTextFile(`/proc/${next}/task/${next}/children`);
      waiting.push(...children.trim().split(" ").filter((text) => text !== "").map(Number));
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error; // It has ended meanwhile.
    }
  }
  return found;
}

async function kill({ child, pid }: Container): Promise<void> {
  try {
    Deno.kill(pid, "SIGKILL"); // The kernel ends the rest of the namespace with process 1.
  } catch {
    // It has ended already.
  }
  await child.status;
}

/** Runs a program to its end; what it printed. */
async function run(words: readonly string[], cwd = PROJECT): Promise<string> {
  const [program, ...args] = words;
  const { success, stdout, stderr } = await new Deno.Command(program!, {
    args,
    cwd,
    stdin: "null",
    env: { LC_ALL: "C.UTF-8", DEBIAN_FRONTEND: "noninteractive" },
  }).output();
  const text = new TextDecoder();
  if (success) return text.decode(stdout);
  throw new Error(`${words.join(" ")} failed:\n${text.decode(stderr) || text.decode(stdout)}`);
}

async function step(name: string, check: () => Promise<void>): Promise<void> {
  const startMs = performance.now();
  await check();
  console.log(`ok: ${name} (${((performance.now() - startMs) / 1_000).toFixed(1)} s)`);
}

if (import.meta.main) {
  const [executable] = Deno.args;
  if (executable === undefined) {
    console.error("usage: deno run -A tests/dev/container_check.ts EXECUTABLE");
    Deno.exitCode = 2;
  } else await main(resolve(executable));
}
