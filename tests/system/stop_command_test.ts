/** Timeout and cancel end a command's whole process tree, wherever it runs and whoever asks. */
import assert from "node:assert/strict";
import { apiOf } from "../helpers/api.ts";
import { eventually } from "../helpers/eventually.ts";
import { describeProcess } from "../helpers/processes.ts";
import { Sandbox } from "../helpers/program.ts";

/** Children, grandchildren, one that ignores signals, one in a session of its own. */
const TREE = `
  trap "" TERM
  sh -c 'sh -c "sleep 1000; :"; :' &
  sh -c 'trap "" TERM INT HUP; sleep 1000; :' &
  setsid sh -c 'touch began; sleep 1000; :' &
  while :; do sleep 1000; done
`;
/** The grace after SIGTERM is 2 s; the rest is for a busy machine. */
const ENDS_WITHIN_MS = 30_000;

async function treeStands(sandbox: Sandbox): Promise<void> {
  await eventually(() => sandbox.has("began") && sandbox.processesOf("tree").length >= 7, {
    what: "the tree stood",
  });
}

/** Gone already, or within a moment: the answer may come just before the last of them. */
async function assertGone(sandbox: Sandbox): Promise<void> {
  let left: number[] = [];
  await eventually(() => (left = sandbox.processesOf("tree")).length === 0, {
    what: "every process of the job was gone",
  }).catch((error) => assert.fail(`${error.message}: ${left.map(describeProcess).join(", ")}`));
}

Deno.test("timeout ends the whole tree and costs an attempt", async () => {
  await using sandbox = await Sandbox.create();
  await sandbox.worker(["-n", "1"]);
  await sandbox.add(TREE, "--id", "tree", "--timeout", "4s", "--max-retries", "0");
  await treeStands(sandbox);
  assert.equal(await sandbox.wait(["tree"]), 1);
  await assertGone(sandbox);
  const job = await sandbox.show("tree");
  assert.deepEqual(
    [job["state"], job["attempts"], job["error_code"]],
    ["dead", 1, "timeout"],
  );
});

Deno.test("a command that heeds SIGTERM may end in its own way at a timeout", async () => {
  await using sandbox = await Sandbox.create();
  await sandbox.worker(["-n", "1"]);
  const command = "trap 'echo cleaned up; exit 7' TERM; while :; do sleep 0.05; done";
  await sandbox.add(command, "--id", "polite", "--timeout", "2s", "--max-retries", "0");
  assert.equal(await sandbox.wait(["polite"]), 1);
  const job = await sandbox.show("polite");
  assert.equal(job["error_code"], "timeout");
  assert.equal(job["output"].stdout, "cleaned up\n");
});

Deno.test("cancel from the CLI ends the tree of a job that another process runs", async () => {
  await using sandbox = await Sandbox.create();
  await sandbox.worker(["-n", "1"]);
  await sandbox.add(TREE, "--id", "tree");
  await treeStands(sandbox);
  await sandbox.ok("cancel", "tree");
  await eventually(async () => (await sandbox.show("tree"))["state"] === "cancelled", {
    what: "the job was cancelled",
    timeoutMs: ENDS_WITHIN_MS,
  });
  await assertGone(sandbox);
  await sandbox.add("true", "--id", "next");
  assert.equal(await sandbox.wait(["next"]), 0, "the worker goes on");
});

for (const [where, workers] of [["the server itself", "1"], ["another process", "0"]] as const) {
  Deno.test(`cancel over HTTP ends the tree of a job that ${where} runs`, async () => {
    await using sandbox = await Sandbox.create();
    const server = await sandbox.serve(["--workers", workers, "--allow-commands"]);
    if (workers === "0") await sandbox.worker(["-n", "1"]);
    const api = apiOf(server);
    const added = await api.post("/jobs", { command: TREE, id: "tree", cwd: sandbox.dir });
    assert.equal(added.status, 201);
    await treeStands(sandbox);
    assert.equal((await api.post("/jobs/tree/cancel")).status, 200);
    await eventually(async () => (await api.get("/jobs/tree")).body.state === "cancelled", {
      what: "the job was cancelled",
      timeoutMs: ENDS_WITHIN_MS,
    });
    await assertGone(sandbox);
    const result = await api.get("/jobs/tree/result");
    assert.deepEqual([result.status, result.body.status], [409, "cancelled"]);
    assert.equal((await api.post("/jobs/tree/cancel")).status, 409);
  });
}

Deno.test("what a command leaves running in its group ends with it", async () => {
  await using sandbox = await Sandbox.create();
  await sandbox.worker(["-n", "1"]);
  await sandbox.add("sleep 1000 & sleep 1000 & echo done", "--id", "tree");
  assert.equal(await sandbox.wait(["tree"]), 0);
  await assertGone(sandbox);
});
