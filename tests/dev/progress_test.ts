/** The demonstration's progress line. */
import assert from "node:assert/strict";
import { progressText } from "../../src/dev/progress.ts";

Deno.test("progressText() counts what is finished and fills the bar by it", () => {
  assert.equal(
    progressText({ done: 5, dead: 1, running: 2, retrying: 1, waiting: 13 }),
    "[###---------]  6/22  5 done  1 dead  2 running  1 to retry  13 waiting",
  );
});

Deno.test("progressText() shows an empty bar when there is nothing to do", () => {
  const none = { done: 0, dead: 0, running: 0, retrying: 0, waiting: 0 };
  assert.match(progressText(none), /^\[-{12}\] 0\/0 /);
});

Deno.test("progressText() fits into a line of 80 columns for a hundred jobs", () => {
  const line = progressText({ done: 25, dead: 25, running: 25, retrying: 15, waiting: 10 });
  assert.ok(line.length < 80, `${line.length} columns`);
});
