/** The part of the store's seam in which processes say of themselves what others want to know. */

export interface ProcessStore {
  /** Writes down, or refreshes, the kinds for which this process has handlers of a user. */
  saveKinds(kinds: readonly string[], nowMs: number): Promise<void>;
  /** Every kind that some process has had a handler for, lately or a while ago. */
  kinds(): Promise<string[]>;

  /** Writes down, or refreshes, what this process says of its workers. */
  saveWorkers(workers: readonly WorkerRecord[], nowMs: number): Promise<void>;
  /** Forgets the workers of a process. */
  removeWorkers(holder: string): Promise<void>;
  /** Everything that processes have said of their workers, with the job each one runs. */
  workers(): Promise<WorkerStatus[]>;
}

/** What a process says of one of its workers. */
export interface WorkerRecord {
  readonly holder: string;
  readonly label: string;
  readonly pid: number;
  /** Tells machines, boots and process namespaces apart: see `lib/process_identity.ts`. */
  readonly host: string;
  /** When the process started, in units of its operating system: tells reused pids apart. */
  readonly processStart: string;
  readonly role: "serve" | "worker";
  readonly status: "idle" | "busy" | "draining";
  readonly restarts: number;
  readonly startedAtMs: number;
  /** The kinds of job that it runs. Missing: it has not said so. */
  readonly kinds?: readonly string[];
}

export interface WorkerStatus extends WorkerRecord {
  readonly heartbeatAtMs: number;
  /** The job that it runs now. */
  readonly jobId: string | null;
}
