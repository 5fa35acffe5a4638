/**
 * Decides which connections have been quiet for too long: those that have never sent the whole head
 * of a request, and those that have sent none since their last answer. Owns what is known of
 * connections and of requests under way; pure, knows neither files nor clocks.
 *
 * Invariant: a connection with a request under way is never one of them, however long that takes.
 */
import { kernelAddress, type TcpConnection } from "./tcp_table.ts";

export interface Patience {
  /** How long a connection may be there without the head of its first request. */
  readonly headMs: number;
  /** How long it may be there after an answer without the head of the next one. */
  readonly idleMs: number;
}

/** What is under way on a connection. All that a request costs is to find it and to count. */
export interface Activity {
  requests: number;
  /** Whether one has ended since connections were looked at. */
  hasEnded: boolean;
}

interface Known {
  /** When it was last seen to do something, or was seen first. */
  readonly sinceMs: number;
  readonly hasAsked: boolean;
}

type Ports = Map<number, Activity>;

export class QuietConnections {
  readonly #patience: Patience;
  /** By the caller's address as the runtime writes it: a request is counted without a new text. */
  readonly #byName = new Map<string, Ports>();
  /** The same, by the address as connections are listed. */
  readonly #byAddress = new Map<string, Ports>();
  /** By the number of the socket. */
  #known = new Map<number, Known>();

  constructor(patience: Patience) {
    this.#patience = patience;
  }

  /** How many hosts are remembered: those that have asked lately, or wait for an answer. */
  get callers(): number {
    return this.#byName.size;
  }

  /** Counts a request of this caller, until {@link end}. */
  begin(hostname: string, port: number): Activity {
    let ports = this.#byName.get(hostname);
    if (ports === undefined) {
      ports = new Map();
      this.#byAddress.set(kernelAddress(hostname), ports);
      this.#byName.set(hostname, ports);
    }
    let activity = ports.get(port);
    if (activity === undefined) {
      activity = { requests: 0, hasEnded: false };
      ports.set(port, activity);
    }
    activity.requests++;
    return activity;
  }

  /** The answer is sent, or will never be. */
  end(activity: Activity): void {
    activity.requests--;
    activity.hasEnded = true;
  }

  /**
   * Takes note of the connections that there are, and returns those that are to be closed. What is
   * returned counts as new: if it is still there, it is returned again after another `headMs`.
   */
  look(connections: readonly TcpConnection[], nowMs: number): TcpConnection[] {
    const { headMs, idleMs } = this.#patience;
    const known = new Map<number, Known>();
    const overdue = connections.filter((connection) => {
      const { inode, hasBytesWaiting } = connection;
      const activity = this.#find(connection);
      const before = this.#known.get(inode);
      const hasAsked = activity !== undefined || before?.hasAsked === true;
      const isActive = hasBytesWaiting || (activity !== undefined && isBusy(activity));
      const sinceMs = isActive ? nowMs : before?.sinceMs ?? nowMs;
      const isOverdue = nowMs - sinceMs >= (hasAsked ? idleMs : headMs);
      known.set(inode, isOverdue ? { sinceMs: nowMs, hasAsked: false } : { sinceMs, hasAsked });
      return isOverdue;
    });
    this.#known = known;
    this.#forget();
    return overdue;
  }

  /** Whether it has not asked for anything since the last look. */
  isStillQuiet(connection: TcpConnection): boolean {
    const activity = this.#find(connection);
    return activity === undefined || !isBusy(activity);
  }

  #find({ remoteHost, remotePort }: TcpConnection): Activity | undefined {
    return this.#byAddress.get(remoteHost)?.get(remotePort);
  }

  /**
   * Drops what is not busy: of connections it has been taken note. What has just ended stays until
   * the next look, for its connection may have come after the list was made.
   */
  #forget(): void {
    for (const [hostname, ports] of this.#byName) {
      for (const [port, activity] of ports) {
        if (!isBusy(activity)) ports.delete(port);
        activity.hasEnded = false;
      }
      if (ports.size > 0) continue;
      this.#byName.delete(hostname);
      this.#byAddress.delete(kernelAddress(hostname));
    }
  }
}

function isBusy({ requests, hasEnded }: Activity): boolean {
  return requests > 0 || hasEnded;
}
