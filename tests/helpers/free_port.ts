/**
 * A port of loopback for a listener that begins, or begins again, later than it is chosen. Below those
 * that the system gives to connections and to who asks for any port, so that none of these takes it
 * meanwhile. Owns no port.
 */

/** Where the system's own begin is a setting; by default at 32768. */
const [FIRST, LAST] = [15_000, 32_000];

/** @throws {Error} when none of many is free. */
export function freePort(): number {
  for (let tries = 0; tries < 100; tries++) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST));
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch { /* somebody listens there */ }
  }
  throw new Error(`no port from ${FIRST} to ${LAST} is free`);
}
