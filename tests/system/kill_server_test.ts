/** The promise behind every 201: the job survives `kill -9` of the server, at any moment. */
import assert from "node:assert/strict";
import { pause } from "../../src/lib/pause.ts";
import { type Api, apiOf } from "../helpers/api.ts";
import { eventually } from "../helpers/eventually.ts";
import { type JobJson, type Running, Sandbox } from "../helpers/program.ts";

const KILLS = 4;
const CLIENTS = 4;
/** Uploads acknowledged between two kills. */
const UPLOADS = 30;

/** Short leases and backoffs, so that waiting does not dominate; work that takes a while. */
const FLAGS = [
  ...["--workers", "2", "--simulated-work", "50ms", "--max-retries", "50"],
  ...["--lease", "2s", "--reap-interval", "500ms", "--backoff-base", "0.1"],
];

Deno.test("every acknowledged upload is counted right, once, although the server is killed", async () => {
  await using sandbox = await Sandbox.create();
  const server: { current: Running } = { current: await sandbox.serve(FLAGS) };
  const api = apiOf({
    get url() {
      return server.current.url;
    },
  });
  const clients = Array.from({ length: CLIENTS }, (_, number) => new Client(api, number));
  const acknowledged = () => clients.reduce((sum, { characters }) => sum + characters.size, 0);

  const uploading = clients.map((client) => client.uploadUntilStopped());
  try {
    for (let kill = 1; kill <= KILLS; kill++) {
      const goal = acknowledged() + UPLOADS;
      await eventually(() => acknowledged() >= goal, { what: `${goal} uploads were acknowledged` });
      await server.current.kill();
      server.current = await sandbox.serve(FLAGS);
    }
  } finally {
    for (const client of clients) client.isStopped = true;
    await Promise.all(uploading);
  }

  const stats = await eventually(async () => {
    const { body } = await api.get("/stats");
    const { pending, failed, started, processing } = body.jobs;
    return pending + failed + started + processing === 0 ? body : undefined;
  }, { what: "every job was finished", timeoutMs: 120_000, everyMs: 100 });

  const jobs = await listAll(api);
  const ids = new Set(jobs.map((job) => job["job_id"]));
  assert.equal(ids.size, jobs.length, "no job is recorded twice");
  assert.equal(stats.jobs.completed, jobs.length, "every job is completed, and counted once");

  for (const { characters } of clients) {
    for (const [id, expected] of characters) {
      const { status, body } = await api.get(`/jobs/${id}/result`);
      assert.deepEqual(
        { status, characters: body.characters, state: body.status },
        { status: 200, characters: expected, state: "done" },
        `the acknowledged job ${id}`,
      );
    }
  }
  const killed = jobs.filter((job) => job["attempts"] > 0);
  assert.ok(killed.length > 0, "the kills hit jobs that were being worked on");
  for (const { job_id: id } of killed) {
    const { body } = await api.get(`/jobs/${id}`);
    const outcomes = body.attempt_history.map((attempt: JobJson) => attempt["outcome"]);
    assert.deepEqual(outcomes.filter((outcome: string) => outcome === "succeeded"), ["succeeded"]);
  }
});

/**
 * Uploads one text after the other. Where it names the id itself, it tries again after a lost
 * answer, as a careful client would: 409 then says that the first try had arrived.
 */
class Client {
  /** By the id of each acknowledged job. */
  readonly characters = new Map<string, number>();
  isStopped = false;
  #uploads = 0;

  constructor(readonly api: Api, readonly number: number) {}

  async uploadUntilStopped(): Promise<void> {
    const isNaming = this.number % 2 === 0;
    while (!this.isStopped) {
      const length = 1 + (this.#uploads++ * 37) % 900;
      const text = "aä€😀".repeat(length);
      const id = isNaming ? `client-${this.number}-${this.#uploads}` : undefined;
      await this.#upload(text, id);
    }
  }

  async #upload(text: string, id: string | undefined): Promise<void> {
    while (true) {
      try {
        const { status, body } = await this.api.upload(text, id === undefined ? {} : { id });
        if (status === 409) assert.ok(id !== undefined);
        else assert.equal(status, 201, JSON.stringify(body));
        this.characters.set(id ?? body.job_id, [...text].length);
        return;
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
        // The server was killed: whether the job was stored is not known. Nor is when it is back.
        if (id === undefined || this.isStopped) return;
        await pause(20);
      }
    }
  }
}

async function listAll(api: Api): Promise<JobJson[]> {
  const jobs: JobJson[] = [];
  let cursor = "";
  do {
    const { status, body } = await api.get(`/jobs?limit=100${cursor && `&cursor=${cursor}`}`);
    assert.equal(status, 200);
    jobs.push(...body.jobs);
    cursor = body.next_cursor ?? "";
  } while (cursor !== "");
  return jobs;
}
