/** Is the process alive, and can it do its work? */
import type { Call, Services } from "../context.ts";
import { json } from "../headers.ts";
import { RequestError } from "../problem.ts";

/** 200 while the process lives, whatever else is wrong. */
export function getHealth({ services }: Call): Response {
  return json({
    status: "ok",
    version: services.version,
    uptime_s: Math.round((performance.now() - services.startedAtMs) / 100) / 10,
    draining: services.isDraining(),
  });
}

/** Proofs under way, so that many questions at once cost one write. */
const probes = new WeakMap<Services, Promise<void>>();

/** 200 when jobs can be added: proven by writing to the store. */
export async function getReady({ services }: Call): Promise<Response> {
  if (services.isDraining()) {
    throw new RequestError("draining", "the server is draining: it finishes its jobs, then stops");
  }
  let probe = probes.get(services);
  if (probe === undefined) {
    const { queue } = services;
    probe = queue.store.probe(queue.clock()).finally(() => probes.delete(services));
    probes.set(services, probe);
  }
  await probe;
  return json({ status: "ready" });
}
