/**
 * A caller that sends a request again until it is answered, whoever is killed meanwhile, always under
 * the same `Idempotency-Key`. Owns the repeating; knows no job.
 *
 * Invariant: each call that returns was acknowledged, and was made once as far as the service goes.
 */
import type { Random } from "../../src/lib/clock.ts";
import { pause } from "../../src/lib/pause.ts";
import { apiOf } from "../helpers/api.ts";
import type { Answer } from "../helpers/http.ts";
import { between } from "./random.ts";

/** Before a request is sent again. */
const RETRY_MS = 20;

/** One sending of so many is hung up on: perhaps before, perhaps after the job was stored. */
const HUNG_UP_ONE_OF = 5;
const HUNG_UP_WITHIN_MS = 15;

/** Longer than any restart takes: who gets no answer in this time will never get one. */
const PATIENCE_MS = 60_000;

export class Patient {
  /** Requests that were sent again, because their connection broke or was hung up. */
  repeats = 0;
  /** Answers that no documented situation explains. */
  readonly strange: string[] = [];
  readonly #url: () => string;
  readonly #random: Random;

  /** `url` is asked at every sending, because a server that was killed comes back elsewhere. */
  constructor(url: () => string, random: Random) {
    this.#url = url;
    this.#random = random;
  }

  /** Sends a value as JSON. Statuses from 400 on are strange unless they are expected. */
  post(path: string, value?: unknown, expected: readonly number[] = []): Promise<Answer> {
    return this.#send(path, expected, () => ({
      method: "POST",
      ...(value === undefined ? {} : {
        body: JSON.stringify(value),
        headers: { "content-type": "application/json" },
      }),
    }));
  }

  patch(path: string, value: unknown): Promise<Answer> {
    return this.#send(path, [], () => ({
      method: "PATCH",
      body: JSON.stringify(value),
      headers: { "content-type": "application/json" },
    }));
  }

  /** Sends a file and further fields as a form. */
  upload(bytes: Uint8Array<ArrayBuffer>, fields: Readonly<Record<string, string>>) {
    return this.#send("/jobs", [], () => {
      const body = new FormData();
      for (const [name, value] of Object.entries(fields)) body.append(name, value);
      body.append("file", new Blob([bytes]), "file");
      return { method: "POST", body };
    });
  }

  async #send(
    path: string,
    expected: readonly number[],
    request: () => RequestInit,
  ): Promise<Answer> {
    const key = JSON.stringify(crypto.randomUUID());
    const deadlineMs = performance.now() + PATIENCE_MS;
    while (true) {
      try {
        const init = { ...this.#impatience(), ...request() };
        const headers = new Headers(init.headers);
        headers.set("idempotency-key", key);
        const answer = await apiOf({ url: this.#url() }).call(path, { ...init, headers });
        const isUnderWay = answer.status === 409 && /key-in-use/.test(answer.body.type);
        if (answer.status !== 503 && !isUnderWay) {
          if (answer.status >= 400 && !expected.includes(answer.status)) {
            this.strange.push(`${path}: ${answer.status} ${answer.text.slice(0, 300)}`);
          }
          return answer;
        }
      } catch (error) {
        if (performance.now() > deadlineMs) throw error;
        this.repeats++;
      }
      await pause(RETRY_MS);
    }
  }

  #impatience(): RequestInit {
    if (this.#random() * HUNG_UP_ONE_OF >= 1) return {};
    return { signal: AbortSignal.timeout(between(this.#random, 1, HUNG_UP_WITHIN_MS)) };
  }
}
