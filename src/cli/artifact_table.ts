/** Artifacts as a table, and what was not kept below it. Shared by `artifact list` and `show`. */
import type { StoredFile } from "../store/store.ts";
import { type Column, oneLine, type Output } from "./output.ts";

const COLUMNS: readonly Column[] = [
  { title: "NAME" },
  { title: "BYTES", align: "right" },
  { title: "ATTEMPT", align: "right" },
];

/** Whether there was anything to print. */
export function printArtifacts(out: Output, files: readonly StoredFile[]): boolean {
  const artifacts = files.filter(({ role }) => role === "artifact");
  const kept = artifacts.filter(({ problem }) => problem === null);
  if (kept.length > 0) {
    out.table(
      COLUMNS,
      kept.map(({ name, bytes, attempt }) => [
        oneLine(name ?? "", 200),
        String(bytes),
        String(attempt),
      ]),
    );
  }
  for (const { name, problem } of artifacts) {
    if (problem === null) continue;
    const what = name === null ? "" : `${oneLine(name, 200)}: `;
    out.line(`not kept: ${what}${oneLine(problem, 200)}`);
  }
  return artifacts.length > 0;
}
