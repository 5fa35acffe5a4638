/**
 * The files of running attempts: brings inputs from the store to where handlers find them, and what
 * attempts leave back into the store. Owns the directory of this process; knows no worker.
 *
 * Invariant: nothing stays on disk of an attempt that is over, or of a process that is gone.
 */
import type { LeftFiles } from "../handlers/output_dir.ts";
import { StoreUnavailableError } from "../job/errors.ts";
import type { Lease, LeasedJob } from "../job/job.ts";
import type { Clock } from "../lib/clock.ts";
import { messageOf } from "../lib/error_message.ts";
import { pause } from "../lib/pause.ts";
import {
  defaultWorkDir,
  inputDirOf,
  makePrivateDir,
  outputDirOf,
  ownWorkDir,
  removeDir,
  sweepWorkDirs,
} from "../lib/work_dir.ts";
import { FileWriter, readFile } from "../queue/file_writer.ts";
import type { Artifacts, DroppedFile, JobStore } from "../store/store.ts";

export interface AttemptFilesOptions {
  readonly store: JobStore;
  readonly clock: Clock;
  readonly holder: string;
  /** The setting `work-dir`. */
  readonly base: string | null;
}

/** How much of a file that was left is read at a time. */
const READ_BYTES = 256 * 1024;

/** How long it is tried to store a file that was left. */
const STORE_PATIENCE_MS = 10_000;
const STORE_PAUSE_MS = 500;

export class AttemptFiles {
  /** Where this process has the files of its attempts. */
  readonly dir: string;
  readonly #base: string;
  readonly #options: AttemptFilesOptions;
  #isClosed = false;

  constructor(options: AttemptFilesOptions) {
    this.#options = options;
    this.#base = options.base ?? defaultWorkDir();
    this.dir = ownWorkDir(this.#base, options.holder);
  }

  /** Deletes what processes have left that were killed. */
  sweep(): Promise<void> {
    return sweepWorkDirs(this.#base, this.#options.clock());
  }

  /**
   * Writes a job's input where its handler shall find it. Null: it has none, or nobody wants it any
   * more.
   *
   * @throws {StoreUnavailableError} and the errors of the file system.
   */
  async writeInput(job: LeasedJob, isWanted: () => boolean): Promise<string | null> {
    const { store } = this.#options;
    const input = (await store.files(job.seq)).find(({ role }) => role === "input");
    if (input === undefined || !isWanted()) return null;
    const dir = inputDirOf(this.dir, job);
    makePrivateDir(dir);
    const path = `${dir}/${input.name}`;
    using file = await Deno.open(path, { createNew: true, write: true, mode: 0o600 });
    for await (const piece of readFile(store, input)) {
      if (!isWanted() || this.#isClosed) return null;
      for (let rest = piece; rest.length > 0;) rest = rest.subarray(await file.write(rest));
    }
    return path;
  }

  /** Stores what an attempt has left; what cannot be stored is named as dropped. */
  async keep(job: LeasedJob, { dir, files, dropped }: LeftFiles): Promise<Artifacts> {
    const kept: { file: number; name: string; bytes: number }[] = [];
    const allDropped: DroppedFile[] = [...dropped];
    for (const { name, bytes } of files) {
      try {
        kept.push({ ...await this.#store(`${dir}/${name}`, name, bytes), name });
      } catch (error) {
        const problem = messageOf(error);
        allDropped.push({ name, bytes, problem: `it could not be stored: ${problem}` });
      }
    }
    return { attempt: job.attempts + 1, kept, dropped: allDropped };
  }

  /** Deletes what is on disk of an attempt that is over. */
  async clear(lease: Lease): Promise<void> {
    await Promise.all([
      removeDir(inputDirOf(this.dir, lease)),
      removeDir(outputDirOf(this.dir, lease)),
    ]);
  }

  /** Deletes everything on disk; what is being written ends. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await removeDir(this.dir);
  }

  /** While the store cannot be used it is tried again, for a while. */
  async #store(
    path: string,
    name: string,
    bytes: number,
  ): Promise<{ file: number; bytes: number }> {
    const deadlineMs = performance.now() + STORE_PATIENCE_MS;
    while (true) {
      try {
        return await this.#storeOnce(path, name, bytes);
      } catch (error) {
        const isHopeless = !(error instanceof StoreUnavailableError) || this.#isClosed ||
          performance.now() > deadlineMs;
        if (isHopeless) throw error;
        await pause(STORE_PAUSE_MS);
      }
    }
  }

  async #storeOnce(path: string, name: string, bytes: number) {
    using source = await Deno.open(path);
    const file = { role: "artifact", name, mediaType: null, expectedBytes: bytes } as const;
    const writer = await FileWriter.begin(this.#options, file);
    try {
      const buffer = new Uint8Array(READ_BYTES);
      // No more than was seen: the limits were checked for that.
      for (let left = bytes; left > 0;) {
        const length = await source.read(buffer.subarray(0, Math.min(left, READ_BYTES)));
        if (length === null) break;
        await writer.write(buffer.subarray(0, length));
        left -= length;
      }
      return await writer.end();
    } catch (error) {
      await writer.giveUp();
      throw error;
    }
  }
}
