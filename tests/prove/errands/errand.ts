/**
 * What an errand is: jobs of one special kind (with follow-ups, unique keys, files …), submitted again
 * and again while processes die, with the books that say what must have come of them. Owns the
 * shapes; each errand has its own file.
 */
import type { Job } from "../../../src/job/job.ts";
import type { Random } from "../../../src/lib/clock.ts";
import type { JobStore } from "../../../src/store/store.ts";
import type { Patient } from "../patient.ts";
import type { Figure } from "../experiment.ts";

export interface Errand {
  readonly name: string;
  /** What the service is told once, before the first job. */
  begin?(patient: Patient): Promise<void>;
  /** Submits some jobs; comes back when all of them are acknowledged. */
  go(patient: Patient, number: number, random: Random): Promise<void>;
  /** Looks at all unfinished jobs of one moment. */
  look?(live: readonly Job[]): void;
  /** No further jobs are to come. */
  end?(patient: Patient): Promise<void>;
  /** What has come of it, when every job is finished. Closes what it has opened. */
  audit(scene: AuditedScene): Promise<Figure[]>;
}

export interface AuditedScene {
  readonly patient: Patient;
  readonly store: JobStore;
  /** Every job that there is. */
  readonly jobs: readonly Job[];
}

/** The jobs of a queue, the oldest first. */
export function inQueue(jobs: readonly Job[], queue: string): Job[] {
  return jobs.filter((job) => job.queue === queue).sort((one, other) => one.seq - other.seq);
}
