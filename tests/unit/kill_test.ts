/** Ending processes by their mark, while they multiply. Needs /proc, as what it tests. */
import assert from "node:assert/strict";
import { killMarked, MARK_VARIABLE } from "../../src/lib/kill.ts";
import { pause } from "../../src/lib/pause.ts";
import { eventually } from "../helpers/eventually.ts";
import { killAll, processesWith } from "../helpers/processes.ts";

/** Starts many, each in a session of its own, as fast as it can. */
const MULTIPLY = "n=0; while [ $n -lt 60 ]; do setsid sleep 100 & n=$((n+1)); done; wait";

Deno.test({
  name: "killMarked() ends processes that are just being started too, in their own sessions",
  ignore: Deno.build.os !== "linux",
  async fn() {
    for (let round = 0; round < 8; round++) {
      const mark = `kill-test-${Deno.pid}:${round}:1`;
      const entry = `${MARK_VARIABLE}=${mark}`;
      const child = new Deno.Command("sh", {
        args: ["-c", MULTIPLY],
        env: { [MARK_VARIABLE]: mark },
        stdin: "null",
        stdout: "null",
        stderr: "null",
      }).spawn();
      try {
        // In the midst of it, each round at another moment.
        await pause(5 + 3 * round);
        killMarked(mark);
        await child.status;
        await eventually(() => processesWith(entry).length === 0, {
          what: "none was left",
        });
      } finally {
        killAll(processesWith(entry));
      }
    }
  },
});

Deno.test("killMarked() leaves processes with another mark alone", async () => {
  const mark = `kill-test-${Deno.pid}:other:1`;
  const child = new Deno.Command("sleep", { args: ["100"], env: { [MARK_VARIABLE]: mark } })
    .spawn();
  try {
    killMarked(`kill-test-${Deno.pid}:other:11`);
    killMarked(`kill-test-${Deno.pid}:other:`);
    assert.equal(processesWith(`${MARK_VARIABLE}=${mark}`).length, 1);
  } finally {
    child.kill("SIGKILL");
    await child.status;
  }
});
