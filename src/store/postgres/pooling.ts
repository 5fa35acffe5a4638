/**
 * Finds out whether a pooler stands between that hands each transaction to another session (PgBouncer's
 * `pool_mode = transaction` or `statement`). There nothing that belongs to a session holds: settings,
 * prepared statements, LISTEN, locks. It would seem to work, until it is busy.
 *
 * Invariant: leaves nothing behind in sessions that others may be given.
 */
import { NoWay } from "./errors.ts";
import type { Client, Opened } from "./opening.ts";
import type { Result } from "./statement_group.ts";
import type { Target } from "./target.ts";

/** Whoever is not alone there may be given another session by chance. */
const ROUNDS = 3;

/** Found to keep sessions apart; it is asked once. */
const trusted = new WeakSet<Target>();

/**
 * @param client of a connection that something else than the server has answered.
 * @throws {NoWay} when it shares its session with others.
 */
export async function assertKeepsSession(
  client: Client,
  target: Target,
  openAnother: () => Promise<Opened>,
): Promise<void> {
  if (trusted.has(target)) return;
  let another: Opened;
  try {
    another = await openAnother();
  } catch {
    return; // there is no room for another, so it may well be a session of one's own
  }
  try {
    const first = await pidOf(client);
    for (let round = 0; round < ROUNDS; round++) {
      const other = await holdSession(another.client);
      const isKept = other !== first && await pidOf(client) === first;
      await another.client.query("ROLLBACK").catch(() => {});
      if (!isKept) throw sharesSessions();
    }
    trusted.add(target);
  } finally {
    another.cut();
  }
}

/** What is wrong where sessions are shared. */
function sharesSessions(): NoWay {
  return new NoWay(
    "a pooler stands between that gives each transaction another session, so that LISTEN, prepared " +
      "statements and locks do not hold; expected pool_mode = session (PgBouncer), or the server itself",
  );
}

/** The server's process; kept for a transaction, so that nobody else can have it meanwhile. */
async function holdSession(client: Client): Promise<number> {
  try {
    await client.query("BEGIN");
  } catch {
    throw sharesSessions(); // statement by statement, it refuses transactions
  }
  return await pidOf(client);
}

async function pidOf(client: Client): Promise<number> {
  const { rows } = await client.query("SELECT pg_backend_pid() AS pid") as Result;
  return rows[0]!["pid"] as number;
}
