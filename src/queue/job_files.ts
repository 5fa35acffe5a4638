/** Finding one file among those of a job, or saying why there is none. Pure. */
import { FileNotFoundError } from "../job/errors.ts";
import type { StoredFile } from "../store/store.ts";

/** The file that a job was added with; undefined: it has none. */
export function inputOf(files: readonly StoredFile[]): StoredFile | undefined {
  return files.find(({ role }) => role === "input");
}

/** @throws {FileNotFoundError} also when it was left but not kept. */
export function findArtifact(
  files: readonly StoredFile[],
  { jobId, name }: { jobId: string; name: string },
): StoredFile {
  const artifacts = files.filter(({ role }) => role === "artifact");
  const found = artifacts.find((file) => file.name === name);
  if (found?.problem === null) return found;
  if (found !== undefined) {
    throw new FileNotFoundError(
      `the artifact ${JSON.stringify(name)} was not kept: ${found.problem}`,
    );
  }
  const kept = artifacts.flatMap((file) =>
    file.problem === null && file.name !== null ? [JSON.stringify(file.name)] : []
  );
  const others = kept.length === 0
    ? "it has none"
    : `it has ${kept.slice(0, 10).join(", ")}${kept.length > 10 ? " and more" : ""}`;
  throw new FileNotFoundError(
    `the job ${jobId} has no artifact ${JSON.stringify(name.slice(0, 200))}; ${others}`,
  );
}
