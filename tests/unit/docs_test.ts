/**
 * Proves that the documentation says what the code does: the parts of the two READMEs that are made
 * from tables in the code stand there as the code makes them.
 */
import assert from "node:assert/strict";
import { settingsTable } from "../../src/config/render.ts";
import { SETTING_NAMES } from "../../src/config/settings.ts";
import { stateChart } from "../../src/job/chart.ts";
import { STATES, type Transition, TRANSITIONS } from "../../src/job/state.ts";

const ROOT = new URL("../../", import.meta.url);

/** What stands between `<!-- name:begin -->` and `<!-- name:end -->` in a file. */
async function section(path: string, name: string): Promise<string> {
  const text = await Deno.readTextFile(new URL(path, ROOT)).catch(() =>
    assert.fail(
      `${path} is missing: expected it with <!-- ${name}:begin --> and <!-- ${name}:end -->`,
    )
  );
  const match = new RegExp(`<!-- ${name}:begin -->\n(.*?)\n<!-- ${name}:end -->`, "s").exec(text);
  assert.ok(match, `${path}: expected the lines <!-- ${name}:begin --> and <!-- ${name}:end -->`);
  return match[1]!.trim();
}

Deno.test("README.md: the table of settings is the one that the code renders", async () => {
  assert.equal(normalTable(await section("README.md", "settings")), normalTable(settingsTable()));
});

Deno.test("src/README.md: the chart of states is the one that the code draws", async () => {
  const chart = await section("src/README.md", "states");
  assert.equal(chart, ["```mermaid", stateChart(), "```"].join("\n"));
});

Deno.test("settingsTable() has a row of three cells for every setting", () => {
  const rows = settingsTable().split("\n").slice(2);
  assert.deepEqual(rows.map((row) => /^\| `([a-z-]+)` \|/.exec(row)?.[1]), SETTING_NAMES);
  for (const row of rows) assert.equal(row.split(/(?<!\\)\|/).length, 5, row);
});

Deno.test("stateChart() draws every transition of the table and every state", () => {
  const chart = stateChart();
  for (const [event, { from, to }] of Object.entries<Transition>(TRANSITIONS)) {
    for (const state of from) {
      assert.match(chart, new RegExp(`^  ${state} --> ${to}: .*\\b${event}\\b`, "m"));
    }
  }
  for (const state of STATES) assert.ok(chart.includes(state), state);
});

/** A table without the padding that formatters add. */
function normalTable(table: string): string {
  return table.split("\n").map((row) => row.trim().replace(/ *\| */g, "|").replace(/-+/g, "-"))
    .join("\n");
}
