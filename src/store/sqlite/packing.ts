/**
 * Deals jobs to free workers: each gets one job, or several where the kind allows it. A job that
 * has failed before goes alone, so that one that kills its worker takes no other with it. Knows no
 * storage.
 */
import type { LeasedJob } from "../../job/job.ts";
import type { ClaimRequest } from "../store.ts";

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

  hasRoomFor(kind: string, attempts: number): boolean {
    return this.slots.length < this.#request.slots.length ||
      this.#share(kind, attempts) <= this.#room;
  }

  put(job: LeasedJob): void {
    const share = this.#share(job.kind, job.attempts);
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

  #share(kind: string, attempts: number): number {
    return attempts > 0 ? 1 : 1 / (this.#request.chunk[kind] ?? 1);
  }
}
