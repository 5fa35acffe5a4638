/**
 * The directory that an attempt may leave files in: makes it, and finds what was left there. Owns
 * the limits on that; what becomes of the files is decided elsewhere.
 *
 * Invariant: every file that was left is either to be kept or named as dropped, and why.
 */
import { messageOf } from "../lib/error_message.ts";
import { formatSize } from "../lib/size.ts";
import type { Lease } from "../job/job.ts";
import { makePrivateDir, outputDirOf } from "../lib/work_dir.ts";
import type { DroppedFile } from "../store/store.ts";

export interface ArtifactLimits {
  /** Of one file. */
  readonly fileBytes: number;
  /** Of all files together. */
  readonly totalBytes: number;
  readonly count: number;
}

/** What an attempt has left. */
export interface LeftFiles {
  readonly dir: string;
  /** To be kept: paths in the directory, with `/`. */
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
  readonly dropped: readonly DroppedFile[];
}

/** Dropped files that are named; of further ones only the number is told. */
const NAMED_DROPPED = 20;

/** How many files besides those that may be kept are looked at. */
const MOST_OTHERS = 1_000;

/** Whoever nests directories deeper than this does so by mistake. */
const MOST_DEPTH = 16;

/** Longer paths are not kept. */
const NAME_LENGTH = 512;

/**
 * Makes the directory of an attempt. Where that cannot be done the path is there all the same: who
 * wants to leave something learns why it fails, and nobody else needs it.
 */
export function makeOutputDir(workDir: string, lease: Lease): string {
  const dir = outputDirOf(workDir, lease);
  try {
    makePrivateDir(dir);
  } catch { /* no room, or not permitted */ }
  return dir;
}

/** What was left in the directory; null: nothing, and the directory is gone. */
export function collectOutput(dir: string, limits: ArtifactLimits): LeftFiles | null {
  try {
    Deno.removeSync(dir); // one call where nothing was left: the usual case
    return null;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
  }
  const files: { name: string; bytes: number }[] = [];
  const dropped: DroppedFile[] = [];
  let totalBytes = 0;
  let unnamed = 0;
  let looked = 0;
  for (const found of walk(dir)) {
    // So many files are a mistake; looking at each of them would hold up the thread.
    const { name, bytes, problem } = ++looked > limits.count + MOST_OTHERS
      ? { name: "", bytes: 0, problem: "" }
      : look(found);
    const reason = problem ?? overLimit({ name, bytes, totalBytes, count: files.length }, limits);
    if (reason === null) {
      files.push({ name, bytes });
      totalBytes += bytes;
    } else if (dropped.length < NAMED_DROPPED) {
      dropped.push({ name: name.slice(0, NAME_LENGTH), bytes, problem: reason });
    } else unnamed++;
  }
  if (unnamed > 0) {
    const problem = `${unnamed} more files were not kept, for reasons like these`;
    dropped.push({ name: null, bytes: 0, problem });
  }
  if (looked === 0) {
    const problem = "nothing of what was left is a file with a name that is UTF-8 text";
    dropped.push({ name: null, bytes: 0, problem });
  }
  return { dir, files, dropped };
}

/** Why a file is not kept; null: it is. */
function overLimit(
  { name, bytes, totalBytes, count }: {
    name: string;
    bytes: number;
    totalBytes: number;
    count: number;
  },
  limits: ArtifactLimits,
): string | null {
  if (name.length > NAME_LENGTH) return `its name is longer than ${NAME_LENGTH} characters`;
  if (bytes > limits.fileBytes) {
    return `it has ${bytes} bytes, more than artifact-limit allows (${
      formatSize(limits.fileBytes)
    })`;
  }
  if (count >= limits.count) {
    return `there are more files than artifact-count allows (${limits.count})`;
  }
  if (totalBytes + bytes > limits.totalBytes) {
    return "with it the files have more bytes than artifact-total allows " +
      `(${formatSize(limits.totalBytes)})`;
  }
  return null;
}

interface Found {
  readonly path: string;
  readonly name: string;
  /** Why it is never kept; null: it is a file. */
  readonly problem: string | null;
}

/** Everything but directories, in the order of the names. */
function* walk(dir: string, prefix = "", depth = 1): Generator<Found> {
  let entries: Deno.DirEntry[];
  try {
    entries = [...Deno.readDirSync(dir)];
  } catch (error) {
    yield { path: dir, name: prefix, problem: unreadable(error) };
    return;
  }
  entries.sort((one, other) => one.name < other.name ? -1 : 1);
  for (const entry of entries) {
    const path = `${dir}/${entry.name}`;
    const name = prefix + entry.name;
    if (entry.isDirectory && depth < MOST_DEPTH) yield* walk(path, `${name}/`, depth + 1);
    else yield { path, name, problem: entry.isFile ? null : describeOther(entry) };
  }
}

function look({ path, name, problem }: Found) {
  if (problem !== null) return { name, bytes: 0, problem };
  try {
    return { name, bytes: Deno.lstatSync(path).size, problem };
  } catch (error) {
    return { name, bytes: 0, problem: unreadable(error) };
  }
}

function describeOther({ isDirectory, isSymlink }: Deno.DirEntry): string {
  if (isDirectory) return `its directory is nested deeper than ${MOST_DEPTH}`;
  return isSymlink ? "it is a symbolic link" : "it is no regular file";
}

function unreadable(error: unknown): string {
  return `it cannot be read: ${messageOf(error)}`;
}
