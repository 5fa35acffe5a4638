/**
 * Deals jobs to free workers: each gets one job, or several where the kind allows it. A job that
 * has failed before goes alone, so that one that kills its worker takes no other with it; so does
 * one with files, which may be large. Knows no storage.
 */
import type { LeasedJob } from "../../job/job.ts";
import type { ClaimRequest } from "../store.ts";

/** What decides how many others a job shares a worker with. */
export type PackedJob = Pick<LeasedJob, "kind" | "attempts" | "hasFiles">;

export class Packing {
  readonly slots: { worker: string; jobs: LeasedJob[] }[] = [];
  isAnyChunked = false;
  readonly #request: ClaimRequest;
  #room = 0;
  #bytes = 0;

  constructor(request: ClaimRequest) {
    this.#request = request;
  }

  get slotsBegun(): number {
    return this.slots.length;
  }

  get slotsFree(): number {
    return Math.max(1, this.#request.slots.length - this.slots.length);
  }

  get isSlotFull(): boolean {
    return this.#room === 0;
  }

  /** Whether no further job goes in, whatever it is. */
  get isFull(): boolean {
    return this.isSlotFull && this.slots.length === this.#request.slots.length;
  }

  hasRoomFor(job: PackedJob): boolean {
    return this.slots.length < this.#request.slots.length || this.#share(job) <= this.#room;
  }

  put(job: LeasedJob): void {
    const share = this.#share(job);
    if (share > this.#room) {
      this.slots.push({ worker: this.#request.slots[this.slots.length]!, jobs: [] });
      this.#room = 1;
      this.#bytes = 0;
    }
    this.slots.at(-1)!.jobs.push(job);
    this.#room -= share;
    if (share < 1) this.isAnyChunked = true;
    this.#bytes += typeof job.payload === "string" ? job.payload.length : job.payload.byteLength;
    if (this.#bytes >= this.#request.chunkBytes || this.#room < 1e-9) this.#room = 0;
  }

  #share({ kind, attempts, hasFiles }: PackedJob): number {
    return attempts > 0 || hasFiles ? 1 : 1 / (this.#request.chunk[kind] ?? 1);
  }
}
