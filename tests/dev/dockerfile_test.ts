/** What the container image promises before anything runs; container_check.ts proves the rest. */
import assert from "node:assert/strict";
import { lastStage } from "./dockerfile.ts";

const text = await Deno.readTextFile(new URL("../../Dockerfile", import.meta.url));
const stage = lastStage(text);

Deno.test("the image starts queuectl under an init, as a user that is not root", () => {
  assert.deepEqual(stage.command, ["tini", "--", "queuectl", "serve"]);
  assert.match(stage.user, /^[1-9]\d*:[1-9]\d*$/);
});

Deno.test("the image keeps its database on the volume", () => {
  assert.equal(stage.env["QUEUECTL_DB"], `${stage.volume}/queue.db`);
});

Deno.test("the image asks queuectl itself for its health", () => {
  assert.deepEqual(stage.healthcheck, ["queuectl", "healthcheck"]);
});

Deno.test("the image does not switch the need for a token off", () => {
  assert.equal(stage.env["QUEUECTL_HOST"], "0.0.0.0");
  assert.ok(!("QUEUECTL_INSECURE" in stage.env));
});

Deno.test("the image is built with the Deno version that CI tests", async () => {
  const ci = await Deno.readTextFile(new URL("../../.ci/run", import.meta.url));
  const version = /deno@(\d+\.\d+\.\d+) task compile/.exec(text)?.[1];
  assert.ok(ci.includes(`NEW="npx -y deno@${version}"`), `CI does not test Deno ${version}`);
});

Deno.test("lastStage() refuses an instruction that it does not know", () => {
  assert.throws(() => lastStage(`${text}\nONBUILD RUN true\n`), /has ONBUILD/);
});
