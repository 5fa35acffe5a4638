/**
 * Where the files of running attempts stand on disk: a directory for each process, and in it, for
 * each attempt, one for its input and one for what it leaves. Owns the names; knows no job.
 *
 * Invariant: nobody but the process's own user can look into it, and whoever finds it can tell
 * whether the process still lives.
 */
import { mayBeAlive, processStart, thisHost } from "./process_identity.ts";

/** One attempt of a job. */
interface Attempt {
  readonly seq: number;
  readonly token: number;
}

const PREFIX = "queuectl-work";

/** `HOST-PID-START-HOLDER`: the host is a digest, because its name would not do in a path. */
const NAME = new RegExp(`^${PREFIX}-([0-9a-f]{8})-(\\d+)-(\\d*)-[0-9a-f]+$`);

/** What is left of a process on another machine, or from before the last boot, goes after this. */
const STRANGERS_KEPT_MS = 31 * 86_400_000;

/** Where the directories of processes stand unless the setting `work-dir` says otherwise. */
export function defaultWorkDir(): string {
  try {
    return Deno.env.get("TMPDIR") || "/tmp";
  } catch {
    return "/tmp"; // not permitted to ask
  }
}

/** The directory of this process in `base`. It is made when something is put there. */
export function ownWorkDir(base: string, holder: string): string {
  return `${base}/${PREFIX}-${hostDigest()}-${Deno.pid}-${processStart(Deno.pid)}-${holder}`;
}

/** Where an attempt's input stands. */
export function inputDirOf(workDir: string, { seq, token }: Attempt): string {
  return `${workDir}/${seq}-${token}.in`;
}

/** Where an attempt leaves files. */
export function outputDirOf(workDir: string, { seq, token }: Attempt): string {
  return `${workDir}/${seq}-${token}.out`;
}

/** Makes a directory that only its owner can look into. */
export function makePrivateDir(path: string): void {
  Deno.mkdirSync(path, { recursive: true, mode: 0o700 });
}

/** Deletes a directory with all that is in it; none is no mistake. */
export async function removeDir(path: string): Promise<void> {
  await Deno.remove(path, { recursive: true }).catch(() => {});
}

/** Deletes what processes have left in `base` that certainly do not live any more. */
export async function sweepWorkDirs(base: string, nowMs: number): Promise<void> {
  try {
    for await (const { name, isDirectory } of Deno.readDir(base)) {
      if (isDirectory && await isLeftOver(`${base}/${name}`, name, nowMs)) {
        await removeDir(`${base}/${name}`);
      }
    }
  } catch { /* it does not exist, or it is not ours to look into */ }
}

async function isLeftOver(path: string, name: string, nowMs: number): Promise<boolean> {
  const match = NAME.exec(name);
  if (match === null) return false;
  const [, host, pid, start] = match;
  const { uid, mtime } = await Deno.lstat(path);
  if (uid !== null && uid !== Deno.uid()) return false;
  if (host === hostDigest()) return !mayBeAlive(Number(pid), start!);
  return mtime !== null && nowMs - mtime.getTime() > STRANGERS_KEPT_MS;
}

/** Eight hexadecimal digits that stand for the machine, its boot and the process namespace. */
function hostDigest(): string {
  let hash = 0x811c9dc5; // FNV-1a
  for (const byte of new TextEncoder().encode(thisHost())) {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  }
  return hash.toString(16).padStart(8, "0");
}
