/**
 * `deno task docs`: writes what the documentation takes from the code (the table of settings, the
 * chart of states) between its markers. A test fails when somebody forgets to run it.
 */
import { settingsTable } from "../config/render.ts";
import { stateChart } from "../job/chart.ts";

const SECTIONS = [
  { file: "README.md", name: "settings", text: settingsTable() },
  { file: "src/README.md", name: "states", text: "```mermaid\n" + stateChart() + "\n```" },
];

for (const { file, name, text } of SECTIONS) {
  const url = new URL(`../../${file}`, import.meta.url);
  const begin = `<!-- ${name}:begin -->`;
  const end = `<!-- ${name}:end -->`;
  const [before, rest] = (await Deno.readTextFile(url)).split(begin);
  const after = rest?.split(end)[1];
  if (after === undefined) throw new Error(`${file} lacks the lines ${begin} and ${end}`);
  await Deno.writeTextFile(url, `${before}${begin}\n${text}\n${end}${after}`);
}
