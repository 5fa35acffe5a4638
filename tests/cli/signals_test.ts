/** Signals: the first two are caught, the third ends the process whatever it does. */
import assert from "node:assert/strict";

const SIGNALS = new URL("../../src/cli/signals.ts", import.meta.url).href;

/** Says what came, and does not end. */
const DEAF = `
  import { catchSignals } from ${JSON.stringify(SIGNALS)};
  const { first, second } = catchSignals();
  setInterval(() => {}, 1_000);
  console.log("ready");
  console.log("first", await first);
  console.log("second", await second);
`;

Deno.test("a third signal ends a process that is deaf to the first two", async () => {
  await using child = new Deno.Command(Deno.execPath(), {
    args: ["eval", DEAF],
    stdout: "piped",
  }).spawn();
  const deadline = setTimeout(() => child.kill("SIGKILL"), 20_000);
  let said = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    said += text;
    child.kill("SIGTERM");
  }
  clearTimeout(deadline);
  assert.equal(said, "ready\nfirst SIGTERM\nsecond SIGTERM\n");
  assert.equal((await child.status).signal, "SIGTERM");
});
