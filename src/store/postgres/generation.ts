/**
 * Keeps processes apart that understand the tables differently. Every session of a process holds a lock
 * of its generation for as long as it lives; who wants to begin a new generation has to get that lock
 * alone. Knows no table but the one that names the generation, and those who are at work.
 *
 * Invariant: while a session of a process lives, the tables are of the generation that it knows.
 */
import { StoreUnavailableError } from "../../job/errors.ts";
import { pause } from "../../lib/pause.ts";
import type { Session } from "./connection.ts";
import { NoWay } from "./errors.ts";
import type { Place } from "./migrate.ts";

/** Where the locks of generations begin, after those of other uses. */
const FIRST_LOCK = 1_000;

/** How long others, such as a process that is just ending, may still be there. */
const PATIENCE_MS = 2_000;

/** Workers that have said something so recently are named when they are in the way. */
const RECENT_MS = 60_000;

/** @throws {NoWay} when a newer program has begun a new generation. */
export async function enter(session: Session, { lockSpace, generation }: Place): Promise<void> {
  const results = await session.script(
    `SELECT pg_advisory_lock_shared(${lockSpace}, ${FIRST_LOCK + generation}); ` +
      "SELECT generation FROM queuectl_schema",
  );
  const found = results.at(-1)![0]?.["generation"];
  if (found === generation) return;
  throw new NoWay(
    found === undefined
      ? "its tables were taken away"
      : `a newer queuectl has brought it to generation ${found}, and this one speaks generation ` +
        `${generation}; use the newer one`,
  );
}

/**
 * In the transaction that begins a new generation: nobody of the old one is there, and nobody comes
 * before its end.
 *
 * @throws {StoreUnavailableError} naming who is there.
 */
export async function takeOver(
  old: number,
  { session, place, shown }: { session: Session; place: Place; shown: string },
): Promise<void> {
  const names = await othersWhoStay(old, { session, place });
  if (names.length === 0) return;
  throw new StoreUnavailableError(
    `cannot use the database ${shown}: this queuectl begins a new generation of its tables, which ` +
      `processes of generation ${old} could not use, and such are still there: ${
        names.join(", ")
      }; ` +
      "stop them first",
  );
}

/**
 * Those who hold the tables to a generation, and go on doing so for a moment, as people know them.
 * None: nobody else does, and nobody comes before the end of this transaction.
 */
export async function othersWhoStay(
  generation: number,
  { session, place }: { session: Session; place: Place },
): Promise<string[]> {
  const deadlineMs = performance.now() + PATIENCE_MS;
  while (true) {
    const others = await othersAt(generation, { session, place });
    if (others.length === 0 || performance.now() > deadlineMs) return others;
    await pause(50);
  }
}

async function othersAt(
  generation: number,
  { session, place: { lockSpace } }: { session: Session; place: Place },
): Promise<string[]> {
  const number = FIRST_LOCK + generation;
  const [rows] = await session.script(
    `SELECT pg_try_advisory_xact_lock(${lockSpace}, ${number}) AS is_alone`,
  );
  if (rows![0]!["is_alone"] === true) return [];
  const [sessions] = await session.script(
    "SELECT host(client_addr) AS address, count(*)::int AS sessions FROM pg_stat_activity " +
      "WHERE pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND " +
      "objsubid = 2 AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) " +
      `AND classid = (${lockSpace}::bigint & 4294967295)::oid AND objid = ${number}::oid) ` +
      "AND pid <> pg_backend_pid() GROUP BY 1 ORDER BY 1",
  );
  const [workers] = await session.script(
    "SELECT DISTINCT role, pid, host FROM workers WHERE heartbeat_at > " +
      `extract(epoch FROM now()) * 1000 - ${RECENT_MS} ORDER BY host, pid`,
  );
  return [
    ...workers!.map(({ role, pid, host }) =>
      `${role} (process ${pid} on ${nameOf(host as string)})`
    ),
    ...sessions!.map(({ address, sessions }) =>
      `${sessions} connection${sessions === 1 ? "" : "s"} from ${address ?? "the server's machine"}`
    ),
  ];
}

/** Of all that tells machines apart, what people call this one. */
function nameOf(host: string): string {
  return host.split("/")[0] || "another machine";
}
