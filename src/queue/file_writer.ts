/**
 * Writes a file into the store as its bytes come. Owns the cutting into pieces; knows no job.
 *
 * Invariant: holds two pieces at most, one that fills and one that is being written.
 */
import { StoreUnavailableError } from "../job/errors.ts";
import type { StagedFile } from "../job/job.ts";
import type { Clock } from "../lib/clock.ts";
import { pause } from "../lib/pause.ts";
import { Utf8Scanner } from "../lib/utf8.ts";
import { FILE_PIECE_BYTES, type JobStore, type NewFile } from "../store/store.ts";

export class FileWriter {
  readonly #store: JobStore;
  readonly #clock: Clock;
  readonly #file: number;
  /** Whether a text is written; artifacts are never asked. */
  readonly #scanner: Utf8Scanner | null;
  #pieces = 0;
  #bytes = 0;
  #filling = new Uint8Array(FILE_PIECE_BYTES);
  #filled = 0;
  /** Is written, or can be filled again. */
  #other: Uint8Array<ArrayBuffer> | null = null;
  #writing: Promise<void> = Promise.resolve();

  private constructor(
    { store, clock }: { store: JobStore; clock: Clock },
    { file, isText }: { file: number; isText: boolean },
  ) {
    this.#store = store;
    this.#clock = clock;
    this.#file = file;
    this.#scanner = isText ? new Utf8Scanner() : null;
  }

  /** @throws {StoreUnavailableError} as do all calls but `giveUp`. */
  static async begin(
    services: { store: JobStore; clock: Clock },
    file: NewFile,
  ): Promise<FileWriter> {
    const id = await services.store.beginFile(file, services.clock());
    return new FileWriter(services, { file: id, isText: file.role === "input" });
  }

  /** Takes further bytes; resolves when the next ones can be taken. */
  async write(bytes: Uint8Array): Promise<void> {
    this.#scanner?.push(bytes);
    this.#bytes += bytes.length;
    for (let rest = bytes; rest.length > 0;) {
      const part = rest.subarray(0, FILE_PIECE_BYTES - this.#filled);
      this.#filling.set(part, this.#filled);
      this.#filled += part.length;
      rest = rest.subarray(part.length);
      if (this.#filled === FILE_PIECE_BYTES) await this.#flush();
    }
  }

  /** Writes what is left; the file is whole, and waits for its owner. */
  async end(): Promise<StagedFile> {
    if (this.#filled > 0) await this.#flush();
    await this.#writing;
    return {
      file: this.#file,
      bytes: this.#bytes,
      invalidUtf8: this.#scanner?.end() ?? null,
    };
  }

  /** There will be no owner. What the store cannot delete now it sweeps later. */
  async giveUp(): Promise<void> {
    await this.#writing.catch(() => {});
    await giveUpFile(this.#store, this.#file, this.#clock());
  }

  /** Hands the piece over to be written while the next one fills. */
  async #flush(): Promise<void> {
    await this.#writing;
    const full = this.#filling;
    const bytes = full.subarray(0, this.#filled);
    this.#filling = this.#other ?? new Uint8Array(FILE_PIECE_BYTES);
    this.#other = full;
    this.#filled = 0;
    this.#writing = this.#append(this.#pieces++, bytes);
    // Its failure is told to the next call.
    this.#writing.catch(() => {});
  }

  async #append(n: number, bytes: Uint8Array): Promise<void> {
    if (await this.#store.appendFile({ file: this.#file, n, bytes }, this.#clock())) return;
    throw new StoreUnavailableError("the file was given up, because nothing came for too long");
  }
}

/** A file to which nothing was added for so long is nobody's any more. */
const ABANDONED_MS = 10 * 60_000;

/** Says that nobody will have the file, and deletes it if the store can do so now. */
export async function giveUpFile(store: JobStore, file: number, nowMs: number): Promise<void> {
  try {
    await store.giveUpFile(file);
    await sweepFiles(store, nowMs);
  } catch (error) {
    if (!(error instanceof StoreUnavailableError)) throw error;
  }
}

/** Deletes what nobody has, in steps that do not hold up others. */
export async function sweepFiles(store: JobStore, nowMs: number): Promise<void> {
  while (await store.sweepFiles(nowMs - ABANDONED_MS)) await pause(0);
}

/**
 * The bytes of a stored file.
 *
 * @throws {Error} when it was deleted meanwhile. {@link StoreUnavailableError}
 */
export async function* readFile(
  store: JobStore,
  { file, bytes }: { readonly file: number; readonly bytes: number },
): AsyncGenerator<Uint8Array> {
  let read = 0;
  for (let n = 0; read < bytes; n++) {
    const piece = await store.filePiece(file, n);
    if (piece === null) throw new Error("a piece of the file is missing: it was deleted");
    read += piece.length;
    yield piece;
  }
}
