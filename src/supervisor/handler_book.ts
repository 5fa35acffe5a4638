/**
 * The handlers of a user that this process has: found at the start, and found anew when their files
 * change. Owns the watching of files; what the handlers run in belongs to the workers.
 *
 * Invariant: handlers that cannot be loaded never take the place of ones that can.
 */
import { statSync } from "node:fs";
import type { Settings } from "../config/settings.ts";
import { askModule } from "../handlers/ask_module.ts";
import {
  commandProgram,
  HandlerError,
  type UserHandlers,
  userHandlers,
} from "../handlers/program.ts";
import { newId } from "../lib/ids.ts";
import { Guardian } from "./guardian.ts";

/**
 * Files are looked at so often. The kernel could tell of changes, but the runtime's watcher opens and
 * closes whatever changes in a watched directory: if that holds the database too, this process loses
 * all its locks on it, and the next one to leave deletes the log that this one goes on writing to.
 */
const LOOK_MS = 200;

export interface HandlerBookOptions {
  readonly settings: Settings;
  readonly cwd: string;
  /** What modules print while they load. */
  readonly write: (bytes: Uint8Array) => void;
}

export class HandlerBook implements Disposable {
  readonly #options: HandlerBookOptions;
  #generation = 0;
  #handlers!: UserHandlers;
  #timer: ReturnType<typeof setInterval> | undefined;
  #isLoading = false;

  private constructor(options: HandlerBookOptions) {
    this.#options = options;
  }

  /** @throws {HandlerError} with everything that is wrong. */
  static async open(options: HandlerBookOptions): Promise<HandlerBook> {
    const book = new HandlerBook(options);
    book.#handlers = await book.#load();
    return book;
  }

  get handlers(): UserHandlers {
    return this.#handlers;
  }

  /** Calls back with handlers that were loaded anew, or with why they were not, until disposed. */
  watch(
    { onChange, onRefused }: {
      onChange: (handlers: UserHandlers) => void;
      onRefused: (message: string) => void;
    },
  ): void {
    if (!this.#options.settings.watch || this.#handlers.programs.length === 0) return;
    let loaded = this.#look();
    let seen = loaded;
    this.#timer = setInterval(async () => {
      const found = this.#look();
      const isStill = found === seen;
      seen = found;
      // Editors write a file in several steps: it is read once it has been left alone for a turn.
      if (!isStill || found === loaded || this.#isLoading) return;
      loaded = found;
      this.#isLoading = true;
      try {
        this.#handlers = await this.#load();
        loaded = seen = this.#look(); // perhaps of other files
        onChange(this.#handlers);
      } catch (error) {
        if (!(error instanceof HandlerError)) throw error;
        onRefused(error.message);
      } finally {
        this.#isLoading = false;
      }
    }, LOOK_MS);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  /** What the files are like, in one text that changes when one of them does. */
  #look(): string {
    const files = new Set(this.#handlers.programs.flatMap((program) => program.files));
    return [...files].map((path) => {
      const found = statSync(path, { throwIfNoEntry: false });
      return found === undefined ? path : `${path} ${found.ino} ${found.mtimeMs} ${found.size}`;
    }).join("\n");
  }

  async #load(): Promise<UserHandlers> {
    const { settings, cwd, write } = this.#options;
    const generation = ++this.#generation;
    const holder = newId().slice(16);
    const guardian = new Guardian(holder);
    if (settings.handlers.length > 0) guardian.ensure();
    try {
      const results = await Promise.allSettled([
        ...settings.handlers.map((path, index) =>
          askModule(path, {
            cwd,
            settings: { passEnv: settings["pass-env"] },
            mark: `${holder}:${index}`,
            generation,
            onGroup: (pgid, isAlive) =>
              isAlive ? guardian.groupBegan(pgid) : guardian.groupEnded(pgid),
            onStderr: write,
          })
        ),
        ...settings.handler.map(async (text) => {
          const { kinds, program } = await Promise.resolve(commandProgram(text, cwd));
          return { kinds, program: { ...program, generation } };
        }),
      ]);
      const failed = results.filter((result) => result.status === "rejected");
      for (const { reason } of failed) if (!(reason instanceof HandlerError)) throw reason;
      if (failed.length > 0) {
        throw new HandlerError(failed.map(({ reason }) => reason.message).join("\n"));
      }
      return userHandlers(results.flatMap((one) => {
        if (one.status === "rejected") return [];
        const { kinds, program } = one.value;
        return [{ kinds, program: { ...program, isWatched: settings.watch } }];
      }));
    } finally {
      await guardian.close();
    }
  }
}
