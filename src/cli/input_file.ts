/** The file that a job is added with, from a path on the command line. */
import { basename, resolve } from "node:path";
import { readProblem } from "../lib/error_message.ts";
import type { NewFile } from "../store/store.ts";
import type { Invocation } from "./command.ts";
import { UsageError } from "./exit.ts";

export interface InputFile {
  readonly file: NewFile;
  /** Its bytes; to be read once. */
  readonly bytes: AsyncIterable<Uint8Array>;
}

/**
 * Opens the file, or stdin for `-`.
 *
 * @throws {UsageError} when it cannot be read.
 */
export async function openInput({ io }: Invocation, path: string): Promise<InputFile> {
  const about = { role: "input", mediaType: null } as const;
  if (path === "-") {
    return { file: { ...about, name: "input", expectedBytes: 0 }, bytes: io.stdin.readable() };
  }
  try {
    const opened = await Deno.open(resolve(io.cwd(), path));
    const { isDirectory, size } = await opened.stat();
    if (isDirectory) {
      opened.close();
      throw new Error("it is a directory");
    }
    const file = { ...about, name: basename(path), expectedBytes: size };
    return { file, bytes: opened.readable };
  } catch (error) {
    throw new UsageError(`--input: cannot read ${path}: ${readProblem(error)}`);
  }
}
