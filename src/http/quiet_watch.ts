/**
 * Closes connections that say nothing for too long, which the runtime would keep for ever: it has no
 * limit for the time in which a request's head must come, nor for idle connections. Looks at the
 * connections of the listener's port now and then, and counts the requests of each.
 *
 * Invariant: it never fails. Where connections cannot be seen or closed (no Linux, fewer rights,
 * another C library), they stay.
 */
import type { Logger } from "../lib/log.ts";
import { socketsAmong } from "./own_sockets.ts";
import { type Patience, QuietConnections } from "./quiet_connections.ts";
import { SocketCloser } from "./socket_closer.ts";
import { connectionsTo, type TcpConnection, tcpTableOf } from "./tcp_table.ts";

export interface QuietWatchOptions extends Patience {
  readonly lookEveryMs: number;
}

export const QUIET_WATCH: QuietWatchOptions = {
  headMs: 15_000,
  // Longer than most clients keep a connection that they do not use.
  idleMs: 75_000,
  lookEveryMs: 5_000,
};

/** The list is long on a machine with many connections: so much of the time is spent on it at most. */
const MOST_LOOKING = 1 / 50;

/** With more, there are connections for sure, and it would take long to look at each. */
const FEW_DESCRIPTORS = 100;

/** What the runtime tells of a request beside it. */
type Info = Pick<Deno.ServeHandlerInfo<Deno.NetAddr>, "remoteAddr" | "completed">;

export class QuietWatch {
  readonly #options: QuietWatchOptions;
  readonly #log: Logger;
  /** Null where nothing can be closed, so that nothing need be counted. */
  readonly #quiet: QuietConnections | null;
  /** Missing until it is needed for the first time; null: it is not to be had. */
  #closer: SocketCloser | null | undefined;
  /** Those known to be no connections to the listener. */
  #otherSockets: ReadonlySet<number> = new Set();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #looking: Promise<void> | undefined;
  #isOver = false;

  constructor(log: Logger, options: QuietWatchOptions) {
    this.#log = log;
    this.#options = options;
    this.#quiet = SocketCloser.isAllowed() ? new QuietConnections(options) : null;
  }

  /** The same handler, with its requests counted. */
  counting<I extends Info>(
    handler: (request: Request, info: I) => Promise<Response>,
  ): (request: Request, info: I) => Promise<Response> {
    const quiet = this.#quiet;
    if (quiet === null) return handler;
    return (request, info) => {
      const { hostname, port } = info.remoteAddr;
      const activity = quiet.begin(hostname, port);
      const end = () => quiet.end(activity);
      // Of an answer that is a stream this is the end of the stream. Of others it may come before
      // all is sent; what is left to be sent is seen in the list of connections.
      info.completed.then(end, end);
      return handler(request, info);
    };
  }

  /** Begins to look at the connections to a listener. */
  start(listener: Deno.NetAddr): void {
    if (this.#quiet !== null) this.#plan(this.#quiet, listener, this.#options.lookEveryMs);
  }

  async close(): Promise<void> {
    this.#isOver = true;
    clearTimeout(this.#timer);
    await this.#looking;
    this.#closer?.[Symbol.dispose]();
  }

  #plan(quiet: QuietConnections, listener: Deno.NetAddr, inMs: number): void {
    this.#timer = setTimeout(() => {
      const startedAtMs = performance.now();
      this.#looking = this.#look(quiet, listener).catch(() => {}).then(() => {
        if (this.#isOver) return;
        const atLeastMs = (performance.now() - startedAtMs) / MOST_LOOKING;
        this.#plan(quiet, listener, Math.max(this.#options.lookEveryMs, atLeastMs));
      });
    }, inMs);
  }

  async #look(quiet: QuietConnections, listener: Deno.NetAddr): Promise<void> {
    // A list that cannot be read is an empty one: nothing is closed, and what was counted is let go.
    const connections = await this.#connections(listener).catch(() => []);
    const overdue = quiet.look(connections, performance.now());
    if (overdue.length === 0 || this.#isOver) return;
    this.#closer ??= this.#closer === null ? null : SocketCloser.open();
    if (this.#closer === null) return;
    const byInode = new Map(overdue.map((connection) => [connection.inode, connection]));
    const closed = await this.#closer.close((inode) => {
      const connection = byInode.get(inode);
      return connection !== undefined && !this.#isOver && quiet.isStillQuiet(connection);
    });
    this.#log.debug("http.quiet_connections_closed", { count: closed });
  }

  /**
   * The connections to the listener. The kernel makes the list from all connections of the machine,
   * so it is asked for only if there is a socket of which it is not known to be something else.
   */
  async #connections({ hostname, port }: Deno.NetAddr): Promise<TcpConnection[]> {
    const sockets = await socketsAmong(FEW_DESCRIPTORS);
    if (sockets?.every((inode) => this.#otherSockets.has(inode))) return [];
    const connections = connectionsTo(port, await Deno.readTextFile(tcpTableOf(hostname)));
    const listed = new Set(connections.map(({ inode }) => inode));
    this.#otherSockets = new Set(sockets?.filter((inode) => !listed.has(inode)));
    return connections;
  }
}
