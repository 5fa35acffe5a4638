/**
 * The place of one run: everything that experiments make or mount lies below one directory, and
 * every process that they start carries that directory's name in its environment.
 *
 * Invariant: after {@link Scratch.clear}, no such process lives, nothing is mounted there, and the
 * directory is gone, however the experiments ended.
 */
import { killAll, processesWhere } from "../helpers/processes.ts";
import { eventually } from "../helpers/eventually.ts";

export class Scratch {
  private constructor(readonly path: string) {}

  /** Makes the directory and lets this process, and all that it starts, put temporary files there. */
  static create(): Scratch {
    const path = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "queuectl-prove-" }));
    Deno.env.set("TMPDIR", path);
    return new Scratch(path);
  }

  /** Ends what is left and removes everything; returns the processes that had to be killed. */
  async clear(): Promise<number[]> {
    const killed = new Set<number>();
    await eventually(() => {
      const left = this.#processes();
      for (const pid of left) killed.add(pid);
      killAll(left);
      return left.length === 0;
    }, { what: "the processes of the run were gone", everyMs: 50 });
    for (const mount of this.#mounts()) {
      await new Deno.Command("umount", { args: ["--lazy", mount] }).output();
    }
    Deno.removeSync(this.path, { recursive: true });
    return [...killed];
  }

  #processes(): number[] {
    const prefix = `TMPDIR=${this.path}`;
    return processesWhere((environment) => environment.some((entry) => entry.startsWith(prefix)))
      .filter((pid) => pid !== Deno.pid);
  }

  /** Inner ones first. */
  #mounts(): string[] {
    return Deno.readTextFileSync("/proc/mounts").split("\n")
      .map((line) => line.split(" ")[1] ?? "")
      .filter((path) => path.startsWith(`${this.path}/`))
      .reverse();
  }
}
