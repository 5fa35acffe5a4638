/** Where the databases of a run stand. Owns one directory, which goes away with it. */
import { join } from "node:path";

export class Scratch implements AsyncDisposable {
  readonly path: string;
  #used = 0;

  private constructor(path: string) {
    this.path = path;
  }

  /** A new directory inside `parent`, by default inside the system's temporary directory. */
  static async create(parent?: string): Promise<Scratch> {
    return new Scratch(await Deno.makeTempDir({ dir: parent, prefix: "queuectl-bench-" }));
  }

  /** A directory of its own for one measurement; it is removed when disposed. */
  directory(): { readonly path: string } & AsyncDisposable {
    const path = join(this.path, String(++this.#used));
    Deno.mkdirSync(path);
    return {
      path,
      [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}
