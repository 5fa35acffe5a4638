/**
 * Notices that there are too many connections: idle ones, and those that send their headers for
 * ever. The runtime has no time limit for either and tells nobody how many there are, but every one
 * is a file descriptor of this process, and Linux tells of those.
 *
 * Invariant: it never fails. Where descriptors cannot be counted, it says nothing.
 */
export interface ConnectionWatchOptions {
  /** So many are put up with, as long as there are descriptors. */
  readonly maxConnections: number;
  /** Called with what was found; it is looked again a second later. */
  readonly onTooMany: (found: string) => void;
}

const LOOK_EVERY_MS = 1_000;

/** The share of the descriptors that may be in use: a database and commands need some too. */
const MOST_IN_USE = 0.9;

const DESCRIPTORS = "/proc/self/fd";

export class ConnectionWatch implements Disposable {
  readonly #timer: ReturnType<typeof setInterval> | undefined;

  constructor({ maxConnections, onTooMany }: ConnectionWatchOptions) {
    const limit = descriptorLimit();
    if (limit === null) return;
    this.#timer = setInterval(() => {
      const found = findTooMany(limit, maxConnections);
      if (found !== null) onTooMany(found);
    }, LOOK_EVERY_MS);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

/** What there is too much of; null: nothing. */
function findTooMany(limit: number, maxConnections: number): string | null {
  try {
    const descriptors = [...Deno.readDirSync(DESCRIPTORS)];
    const isShort = descriptors.length > limit * MOST_IN_USE;
    if (!isShort && descriptors.length <= maxConnections) return null;
    const sockets = descriptors.filter(({ name }) => isSocket(name)).length;
    if (sockets > maxConnections) return `${sockets} connections, more than max-connections`;
    // When it is something else that uses them up, closing connections would not help.
    if (!isShort || sockets < descriptors.length / 2) return null;
    return `${descriptors.length} of ${limit} file descriptors in use, ${sockets} of them connections`;
  } catch (error) {
    const isOutOfDescriptors = error instanceof Error && /os error 24/.test(error.message);
    return isOutOfDescriptors ? "no file descriptors left" : null;
  }
}

function isSocket(descriptor: string): boolean {
  try {
    return Deno.readLinkSync(`${DESCRIPTORS}/${descriptor}`).startsWith("socket:");
  } catch {
    return false; // closed meanwhile
  }
}

/** How many descriptors this process may open; null where that cannot be found out. */
function descriptorLimit(): number | null {
  try {
    const limits = Deno.readTextFileSync("/proc/self/limits");
    const soft = /^Max open files\s+(\d+|unlimited)/m.exec(limits)?.[1];
    Deno.readLinkSync(`${DESCRIPTORS}/0`);
    return soft === undefined ? null : soft === "unlimited" ? Infinity : Number(soft);
  } catch {
    return null;
  }
}
