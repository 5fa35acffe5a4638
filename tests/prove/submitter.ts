/**
 * Clients that submit jobs without end and keep the books: what was acknowledged, and what must come
 * of it. Owns the books; knows nothing of what is done to the service meanwhile.
 *
 * Invariant: a job is in the books from the moment in which its acknowledgement was read, and from
 * no earlier one.
 */
import type { Random } from "../../src/lib/clock.ts";
import { pause } from "../../src/lib/pause.ts";
import { apiOf } from "../helpers/api.ts";
import type { Answer } from "../helpers/http.ts";
import { between } from "./random.ts";

/** What an acknowledged job must come to. */
export interface Promised {
  readonly kind: "count" | "command";
  /** Of a `count`: its result. */
  readonly characters: number | null;
  readonly acknowledgedAtMs: number;
}

export interface SubmitterOptions {
  /** Where the service listens now. */
  readonly url: () => string;
  readonly clients: number;
  readonly random: Random;
  /** Between two submits of a client. */
  readonly pauseMs: number;
  /** One job of so many is this command; none unless given. */
  readonly command?: { readonly line: string; readonly oneOf: number };
  /** Only so many jobs may be under way; the clients wait beyond that. */
  readonly limit?: () => boolean;
}

/** Before a submit is tried again. */
const RETRY_MS = 20;

export class Submitter {
  /** By the job's id. */
  readonly promised = new Map<string, Promised>();
  /** Answers that no documented situation explains. */
  readonly strange: string[] = [];
  /** Answers 503: the service said that it did not take the job. */
  refusals = 0;
  /** Submits whose connection broke: whether the job was stored is not known. */
  breaks = 0;
  readonly #options: SubmitterOptions;
  readonly #running: Promise<void>[];
  #isStopped = false;

  constructor(options: SubmitterOptions) {
    this.#options = options;
    this.#running = Array.from({ length: options.clients }, (_, number) => this.#run(number));
  }

  /** Resolves when no submit is under way and none will follow. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#running);
  }

  async #run(number: number): Promise<void> {
    const { pauseMs, limit } = this.#options;
    for (let submit = 1; !this.#isStopped; submit++) {
      // Half of the clients name the jobs, and ask again after a broken connection.
      await this.#submit(number % 2 === 0 ? `client-${number}-${submit}` : undefined);
      await pause(pauseMs);
      while (limit?.() && !this.#isStopped) await pause(RETRY_MS);
    }
  }

  async #submit(id: string | undefined): Promise<void> {
    const { random, command } = this.#options;
    const isCommand = command !== undefined && random() * command.oneOf < 1;
    const text = "aä€😀".repeat(between(random, 1, 900));
    const characters = isCommand ? null : [...text].length;
    while (!this.#isStopped) {
      let answer: Answer;
      try {
        const api = apiOf({ url: this.#options.url() });
        const fields: Record<string, string> = id === undefined ? {} : { id };
        answer = await (isCommand
          ? api.post("/jobs", { command: command.line, ...fields })
          : api.upload(text, fields));
      } catch {
        this.breaks++;
        if (id === undefined) return;
        await pause(RETRY_MS);
        continue;
      }
      const { status, body } = answer;
      // 409: an earlier try, whose answer was lost, has arrived.
      if (status === 201 || (status === 409 && id !== undefined)) {
        const kind = isCommand ? "command" : "count";
        const acknowledgedAtMs = performance.now();
        this.promised.set(id ?? body.job_id, { kind, characters, acknowledgedAtMs });
        return;
      }
      if (status === 503) this.refusals++;
      else this.strange.push(`${status} ${answer.text.slice(0, 200)}`);
      await pause(RETRY_MS);
    }
  }
}
