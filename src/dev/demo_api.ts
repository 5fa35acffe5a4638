/**
 * The few calls of the HTTP API that the demonstration makes, as any program would make them. Knows
 * nothing of the queue's own code.
 */

/** A job's status as the API tells it. */
export interface JobStatus {
  readonly job_id: string;
  readonly status: "pending" | "started" | "processing" | "done" | "failed" | "cancelled";
  readonly attempts: number;
}

/** What a finished job has come to. */
export interface JobResult extends JobStatus {
  /** Of an uploaded text. */
  readonly characters?: number;
  readonly error?: string | null;
}

const REQUEST_LIMIT_MS = 10_000;

export class DemoApi {
  constructor(private readonly url: string) {}

  /** Uploads a text; the id of the job that counts its characters. */
  async upload(name: string, bytes: Uint8Array<ArrayBuffer>): Promise<string> {
    const body = new FormData();
    body.append("file", new Blob([bytes], { type: "text/plain" }), name);
    return await this.#add({ body });
  }

  /** Adds a command; its job's id. */
  async addCommand(
    command: string | readonly string[],
    { maxRetries }: { maxRetries: number },
  ): Promise<string> {
    return await this.#add({
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ command, max_retries: maxRetries }),
    });
  }

  async status(id: string): Promise<JobStatus> {
    return await this.#json(`/jobs/${id}/status`, [200]);
  }

  /** 200 for a job that is done, 409 for one that failed for good. */
  async result(id: string): Promise<JobResult> {
    return await this.#json(`/jobs/${id}/result`, [200, 409]);
  }

  async output(id: string, stream: "stdout" | "stderr"): Promise<string> {
    const response = await this.#request(`/jobs/${id}/output?stream=${stream}`, [200]);
    return await response.text();
  }

  /** Ids of the jobs in the dead-letter queue. */
  async deadIds(): Promise<string[]> {
    const page = await this.#json<{ jobs: { job_id: string }[] }>("/jobs?state=dead", [200]);
    return page.jobs.map((job) => job.job_id);
  }

  async #add(init: RequestInit): Promise<string> {
    const added = await this.#json<JobStatus>("/jobs", [201], { method: "POST", ...init });
    return added.job_id;
  }

  async #json<T>(path: string, expected: number[], init?: RequestInit): Promise<T> {
    return await (await this.#request(path, expected, init)).json();
  }

  async #request(path: string, expected: number[], init: RequestInit = {}): Promise<Response> {
    const signal = AbortSignal.timeout(REQUEST_LIMIT_MS);
    const response = await fetch(this.url + path, { ...init, signal });
    if (expected.includes(response.status)) return response;
    const answer = await response.text();
    throw new Error(`${init.method ?? "GET"} ${path}: ${response.status} ${answer.slice(0, 500)}`);
  }
}
