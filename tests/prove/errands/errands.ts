/** Every errand, and who runs them side by side. To add one, add a file and a row. */
import type { Random } from "../../../src/lib/clock.ts";
import { pause } from "../../../src/lib/pause.ts";
import type { Job } from "../../../src/job/job.ts";
import type { JobStore } from "../../../src/store/store.ts";
import { type Figure, none } from "../experiment.ts";
import { Patient } from "../patient.ts";
import { dependents } from "./dependents.ts";
import type { Errand } from "./errand.ts";
import { events } from "./events.ts";
import { files } from "./files.ts";
import { followUps } from "./follow_ups.ts";
import { limits } from "./limits.ts";
import { schedules } from "./schedules.ts";
import { uniqueKeys } from "./unique_keys.ts";
import { webhooks } from "./webhooks.ts";

export interface ErrandsOptions {
  /** Where the service listens now. */
  readonly url: () => string;
  readonly db: string;
  readonly random: Random;
  /** Between two goes of an errand. */
  readonly pauseMs: number;
  /** While true nobody submits. */
  readonly limit: () => boolean;
}

export class Errands {
  readonly #errands: readonly Errand[];
  readonly #patient: Patient;
  readonly #options: ErrandsOptions;
  readonly #running: Promise<void>[];
  #isStopped = false;

  private constructor(options: ErrandsOptions, patient: Patient, errands: readonly Errand[]) {
    this.#options = options;
    this.#patient = patient;
    this.#errands = errands;
    this.#running = errands.map((errand) => this.#run(errand));
    // Awaited at the end; until then a failure is not unhandled.
    for (const running of this.#running) running.catch(() => {});
  }

  static async begin(options: ErrandsOptions): Promise<Errands> {
    const patient = new Patient(options.url, options.random);
    const errands = [
      ...[followUps(), dependents(), uniqueKeys(), schedules(), files(options.db), webhooks()],
      ...[limits(), events(options.url)],
    ];
    for (const errand of errands) await errand.begin?.(patient);
    return new Errands(options, patient, errands);
  }

  /** Shows every errand the unfinished jobs of one moment. */
  look(live: readonly Job[]): void {
    for (const errand of this.#errands) errand.look?.(live);
  }

  /** Resolves when no submit is under way and none will follow. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#running);
    for (const errand of this.#errands) await errand.end?.(this.#patient);
  }

  /** When every job is finished. */
  async audit(store: JobStore, jobs: readonly Job[]): Promise<Figure[]> {
    const figures: Figure[] = [];
    for (const errand of this.#errands) {
      figures.push(...await errand.audit({ patient: this.#patient, store, jobs }));
    }
    const { repeats, strange } = this.#patient;
    return [
      ...figures,
      { what: "requests sent again under their Idempotency-Key", found: repeats },
      none("answers to errands that nothing explains", strange),
    ];
  }

  async #run(errand: Errand): Promise<void> {
    const { random, pauseMs, limit } = this.#options;
    for (let number = 1; !this.#isStopped; number++) {
      await errand.go(this.#patient, number, random);
      do await pause(pauseMs); while (limit() && !this.#isStopped);
    }
  }
}
