/** The tables of protections, looked at without taking anything out: `prove removals` does that. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { BACKENDS } from "../helpers/backend.ts";
import { findMissing } from "../prove/experiments/removals.ts";
import { removalsWith } from "../prove/removal.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

for (const store of BACKENDS) {
  Deno.test(`${store}: every protection that can be taken out stands in the source`, () => {
    const removals = removalsWith(store);
    assert.ok(removals.length > 0);
    assert.deepEqual(removals.flatMap((removal) => findMissing(ROOT, removal)), []);
    const names = removals.map(({ protection }) => protection);
    assert.equal(new Set(names).size, names.length, "each has a name of its own");
  });
}
