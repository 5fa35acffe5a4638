/** Proves what is said of a module that does not come to an end while it is loaded. */
import assert from "node:assert/strict";
import { askModule } from "../../src/handlers/ask_module.ts";

Deno.test("a module that waits for what never comes is refused when the time is up", async () => {
  const dir = await Deno.makeTempDir({ prefix: "queuectl-test-" });
  try {
    await Deno.writeTextFile(
      `${dir}/h.ts`,
      "await new Promise(() => {}); export const a = () => 1;",
    );
    let printed = "";
    const asked = askModule("h.ts", {
      cwd: dir,
      settings: { passEnv: [] },
      mark: "test",
      generation: 1,
      onGroup: () => {},
      onStderr: (bytes) => printed += new TextDecoder().decode(bytes),
      loadMs: 3_000,
    });
    await assert.rejects(asked, { message: "--handlers h.ts: it was not loaded after 3 s" });
    assert.equal(printed, "");
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
