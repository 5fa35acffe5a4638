/**
 * queuectl through its library classes, as the embedded peers are used: on a file with synchronous=full,
 * or on a database of a PostgreSQL server.
 */
import { startEngine } from "../../../../src/supervisor/engine.ts";
import { openQueue } from "../../ours/queue.ts";
import type { OpenOptions, PeerQueue } from "../driver.ts";
import { createDatabase } from "../postgres_client.ts";

const WORKERS = 2;

export async function open(options: OpenOptions): Promise<PeerQueue> {
  const database = options.variant === "postgres" ? await createDatabase(options) : null;
  const db = database?.connectionString ?? `${options.directory}/queue.db`;
  const opened = await openQueue(db, { workers: WORKERS });
  const { queue, settings } = opened;
  const jobOf = (text: string) => ({ kind: "count", payload: text });
  return {
    add: (text) => queue.add(jobOf(text)),
    addMany: (texts) => queue.addAll(texts.map(jobOf)),
    async work(started) {
      const subscription = queue.events.subscribe(({ type }) => {
        if (type === "job.started") started();
      });
      const engine = await startEngine({ queue, settings, role: "worker", random: Math.random });
      return {
        async stop() {
          await engine.stop();
          subscription[Symbol.dispose]();
        },
      };
    },
    async unfinished() {
      const { counts } = await queue.stats();
      if (counts.dead > 0) throw new Error(`${counts.dead} jobs have failed`);
      return counts.pending + counts.started + counts.processing + counts.failed;
    },
    async close() {
      await opened[Symbol.asyncDispose]();
      await database?.close();
    },
  };
}
