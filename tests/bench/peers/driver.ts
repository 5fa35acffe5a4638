/**
 * The one shape that every peer's driver has. A driver says how this peer is used, the way its own
 * documentation recommends for throughput; it measures nothing. Runs in Node, Bun or Deno, so it
 * imports nothing but types and what `load` gives it.
 */

export interface OpenOptions {
  /** An empty directory of its own, on the disk that all peers share. */
  readonly directory: string;
  /** Not used before on this server: names a queue or a database. */
  readonly name: string;
  /** Which of the driver's ways to be set up, as `peers.ts` names them. */
  readonly variant: string;
  /** Where its server listens; 0 where it has none. */
  readonly port: number;
  /** Imports one of the peer's packages. */
  load<T>(specifier: string): Promise<T>;
}

export interface PeerQueue {
  /** Adds one job of this text; when it returns, the job is acknowledged. */
  add(text: string): unknown;
  /** Adds all of them in one call; null: the peer has no such call. */
  readonly addMany: ((texts: readonly string[]) => unknown) | null;
  /** Starts workers whose handler does nothing but call `started`. */
  work(started: () => void): Promise<PeerWorkers>;
  /** Jobs whose end is not recorded yet. */
  unfinished(): number | Promise<number>;
  /** Time from submit to start of one job on an idle queue, where `started` cannot tell it. */
  submitToStartMs?(text: string): Promise<number>;
  /** Processes that the driver itself has started. */
  serverPids?(): readonly number[];
  close(): Promise<void>;
}

export interface PeerWorkers {
  /** True: `started` is not called, because the handler runs in a server. */
  readonly isRemote?: boolean;
  stop(): Promise<void>;
}

/** What a driver module exports as `open`. */
export type OpenPeer = (options: OpenOptions) => Promise<PeerQueue>;
