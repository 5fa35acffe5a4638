/** The executable gets the packages that the program reaches, with their pins, and no others. */
import assert from "node:assert/strict";
import { productionLock } from "../../src/dev/production_lock.ts";

const LOCK = {
  version: "5",
  specifiers: {
    "npm:@scope/table@~2": "2.0.1",
    "npm:fuzz@3.0.0": "3.0.0",
    "npm:@types/node@*": "22.0.0",
  },
  npm: {
    "@scope/table@2.0.1": {
      integrity: "sha512-table",
      dependencies: ["width@4.0.0", "plain"],
      optionalDependencies: ["paint@npm:@other/paint@1.0.0"],
    },
    "@other/paint@1.0.0": { integrity: "sha512-paint" },
    "@types/node@22.0.0": { integrity: "sha512-types" },
    "fuzz@3.0.0": { integrity: "sha512-fuzz", dependencies: ["random", "width@5.0.0"] },
    "plain@1.0.0": { integrity: "sha512-plain", dependencies: ["@scope/table"] },
    "random@8.0.0": { integrity: "sha512-random" },
    "width@4.0.0": { integrity: "sha512-width4" },
    "width@5.0.0": { integrity: "sha512-width5" },
  },
  workspace: { dependencies: ["npm:@scope/table@~2", "npm:fuzz@3.0.0"] },
};

Deno.test("productionLock() keeps what is reached, with its dependencies and their pins", () => {
  const kept = productionLock(LOCK, ["@scope/table@2.0.1"]);
  assert.deepEqual(kept.npm, {
    "@scope/table@2.0.1": LOCK.npm["@scope/table@2.0.1"],
    "@other/paint@1.0.0": LOCK.npm["@other/paint@1.0.0"],
    "plain@1.0.0": LOCK.npm["plain@1.0.0"],
    "width@4.0.0": LOCK.npm["width@4.0.0"],
  });
  assert.deepEqual(kept.specifiers, { "npm:@scope/table@~2": "2.0.1" });
});

Deno.test("productionLock() leaves the rest of the lock as it was", () => {
  const kept = productionLock(LOCK, []);
  assert.deepEqual(kept, { ...LOCK, npm: {}, specifiers: {} });
});

Deno.test("productionLock() refuses a package that the lock does not pin", () => {
  assert.throws(
    () => productionLock(LOCK, ["absent@1.0.0"]),
    /deno\.lock has no package absent@1\.0\.0/,
  );
});

Deno.test("productionLock() refuses a lock whose layout it does not know", () => {
  assert.throws(() => productionLock({ ...LOCK, version: "6" }, []), /version 6; expected 5/);
});
