/** The promises of access tokens: what is kept of them, and for how long. */
import assert from "node:assert/strict";
import type { NewToken } from "../../../src/store/store.ts";
import { T0 } from "../../helpers/jobs.ts";
import type { Suite } from "./harness.ts";

function token(overrides: Partial<NewToken> = {}): NewToken {
  const { id = "t1" } = overrides;
  return {
    id,
    name: `name of ${id}`,
    hash: new Uint8Array(32).fill(id.charCodeAt(1)),
    scopes: ["read", "submit"],
    createdAtMs: T0,
    expiresAtMs: null,
    ...overrides,
  };
}

export function tokenPromises({ test }: Suite): void {
  test(
    "tokens come back as they were created, oldest first, also when opened anew",
    async (store, fresh) => {
      assert.deepEqual(await store.tokens(), []);
      const younger = token({
        id: "t2",
        createdAtMs: T0 + 1,
        expiresAtMs: T0 + 9,
        scopes: ["admin"],
      });
      assert.equal(await store.createToken(younger), true);
      assert.equal(await store.createToken(token()), true);
      const expected = [{ ...token(), lastUsedAtMs: null }, { ...younger, lastUsedAtMs: null }];
      const found = async (from: typeof store) =>
        (await from.tokens()).map((one) => ({ ...one, hash: new Uint8Array(one.hash) }));
      assert.deepEqual(await found(store), expected);
      assert.deepEqual(await found(await fresh.openAgain()), expected);
    },
  );

  test("a name belongs to one token, until that is revoked", async (store) => {
    await store.createToken(token({ name: "ci" }));
    assert.equal(await store.createToken(token({ id: "t2", name: "ci" })), false);
    assert.deepEqual((await store.tokens()).map(({ id }) => id), ["t1"]);
    assert.equal((await store.revokeToken("t1"))?.name, "ci");
    assert.equal(await store.createToken(token({ id: "t2", name: "ci" })), true);
  });

  test("a revoked token is gone; revoking it again finds none", async (store) => {
    await store.createToken(token());
    assert.equal((await store.revokeToken("t1"))?.id, "t1");
    assert.equal(await store.revokeToken("t1"), null);
    assert.deepEqual(await store.tokens(), []);
  });

  test("the last use is noted, and never goes back", async (store) => {
    await store.createToken(token());
    await store.createToken(token({ id: "t2" }));
    await store.useTokens(["t1", "nobody"], T0 + 5);
    await store.useTokens(["t1"], T0 + 3);
    const uses = (await store.tokens()).map(({ lastUsedAtMs }) => lastUsedAtMs);
    assert.deepEqual(uses, [T0 + 5, null]);
  });
}
