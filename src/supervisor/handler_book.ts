/**
 * The handlers of a user that this process has: found at the start, and found anew when their files
 * change. Owns the watching of files; what the handlers run in belongs to the workers.
 *
 * Invariant: handlers that cannot be loaded never take the place of ones that can.
 */
import { dirname } from "node:path";
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

/** Editors write a file in several steps. */
const SETTLE_MS = 150;

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
  #watcher: Deno.FsWatcher | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #loading: Promise<unknown> = Promise.resolve();

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
    const reload = async () => {
      try {
        this.#handlers = await this.#load();
      } catch (error) {
        if (!(error instanceof HandlerError)) throw error;
        return onRefused(error.message);
      }
      this.#watchFiles(reload);
      onChange(this.#handlers);
    };
    this.#watchFiles(reload);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#watcher?.close();
    this.#watcher = null;
  }

  /** Directories are watched, not files: an editor may put a new file in the place of the old one. */
  async #watchFiles(reload: () => Promise<void>): Promise<void> {
    this.#watcher?.close();
    const files = new Set(this.#handlers.programs.flatMap((program) => program.files));
    const directories = [...new Set([...files].map(dirname))];
    if (directories.length === 0) return;
    const watcher = Deno.watchFs(directories, { recursive: false });
    this.#watcher = watcher;
    for await (const { kind, paths } of watcher) {
      if (kind === "access" || !paths.some((path) => files.has(path))) continue;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => {
        this.#loading = this.#loading.then(() => this.#watcher === null ? undefined : reload());
      }, SETTLE_MS);
    }
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
      return userHandlers(results.flatMap((one) => one.status === "fulfilled" ? [one.value] : []));
    } finally {
      await guardian.close();
    }
  }
}
