/**
 * The processes that the workers of this process have started: commands, and the programs of
 * handlers. Tells the guardian of their groups, and kills what a worker leaves behind.
 *
 * Invariant: what the guardian was told of is taken back once it is gone, so that it never kills a
 * group that has got the same number later.
 */
import { HANDLERS } from "../handlers/registry.ts";
import type { Lease, LeasedJob } from "../job/job.ts";
import { killGroup, killMarked } from "../lib/kill.ts";
import { Guardian } from "./guardian.ts";
import type { JobInHand, Slot } from "./slot.ts";

export class StartedProcesses {
  readonly #holder: string;
  readonly #guardian: Guardian;

  constructor(holder: string) {
    this.#holder = holder;
    this.#guardian = new Guardian(holder);
  }

  /** To be called before jobs go to a worker: the guardian runs before what they may start. */
  expectFrom(jobs: readonly LeasedJob[]): void {
    if (jobs.some((job) => startsProcesses(job.kind))) this.#guardian.ensure();
  }

  /** A command has started in this group, or, with null, its group is gone. */
  setGroup(slot: Slot, lease: Lease, pgid: number | null): void {
    const inHand = slot.inHand.get(lease.seq);
    if (inHand?.pgid != null) this.#guardian.groupEnded(inHand.pgid);
    if (pgid !== null) this.#guardian.groupBegan(pgid);
    if (inHand !== undefined) inHand.pgid = pgid;
  }

  /** A handler program has started in this group, or its group is gone. */
  setProgram(slot: Slot, pgid: number, isAlive: boolean): void {
    if (isAlive) {
      slot.programs.add(pgid);
      this.#guardian.groupBegan(pgid);
    } else {
      slot.programs.delete(pgid);
      this.#guardian.groupEnded(pgid);
    }
  }

  killCommands(jobs: readonly JobInHand[]): void {
    for (const { job, pgid } of jobs) {
      if (pgid !== null) killGroup(pgid, "SIGKILL");
      // Also when its group is not known: the message that tells it may still be on its way.
      if (job.kind === "command") killMarked(`${this.#holder}:${job.seq}:${job.token}`);
      if (pgid !== null) this.#guardian.groupEnded(pgid);
    }
  }

  /** @param mayHaveMore whether it may have started programs that it could not tell of any more. */
  killPrograms(slot: Slot, mayHaveMore: boolean): void {
    for (const pgid of slot.programs) {
      killGroup(pgid, "SIGKILL");
      this.#guardian.groupEnded(pgid);
    }
    slot.programs.clear();
    if (mayHaveMore) killMarked(this.markOf(slot));
  }

  /** Tells the programs of one thread from those of all others, its own successors included. */
  markOf(slot: Slot): string {
    return `${this.#holder}:${slot.label}.${slot.restarts}`;
  }

  /** Ends the guardian; with `isSweeping` it first kills whatever of ours still runs. */
  async close({ isSweeping }: { readonly isSweeping: boolean }): Promise<void> {
    if (isSweeping) this.#guardian.sweep();
    else await this.#guardian.close();
  }
}

/** All kinds but those that run in the worker's own thread. */
function startsProcesses(kind: string): boolean {
  return kind === "command" || !HANDLERS.has(kind);
}
