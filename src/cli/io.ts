/**
 * The process as commands see it: streams, environment, directory, time. Commands get it as an
 * argument, so that they can run without a terminal and without a process of their own.
 */
import { type Clock, type Random, systemClock } from "../lib/clock.ts";

export interface TextSink {
  readonly isTerminal: boolean;
  /** Characters in a line of the terminal; 80 where there is none. */
  readonly columns: number;
  /** Lines on the terminal; 24 where there is none. */
  readonly rows: number;
  /**
   * Writes all of it.
   *
   * @throws {Deno.errors.BrokenPipe} when nobody reads any more.
   */
  write(data: string | Uint8Array): void;
}

export interface CliIo {
  readonly stdout: TextSink;
  readonly stderr: TextSink;
  readonly stdin: {
    readonly isTerminal: boolean;
    readable(): ReadableStream<Uint8Array>;
    /** Whether keys come as they are pressed, Ctrl-C too, and are not shown. */
    setRaw(isRaw: boolean): void;
  };
  env(variable: string): string | undefined;
  /** The current directory, absolute. */
  cwd(): string;
  readonly clock: Clock;
  readonly random: Random;
}

/** The real one. */
export function processIo(): CliIo {
  return {
    stdout: sink(Deno.stdout),
    stderr: sink(Deno.stderr),
    stdin: {
      get isTerminal() {
        return Deno.stdin.isTerminal();
      },
      readable: () => Deno.stdin.readable,
      setRaw: (isRaw) => Deno.stdin.setRaw(isRaw),
    },
    env: (variable) => Deno.env.get(variable),
    cwd: () => Deno.cwd(),
    clock: systemClock,
    random: Math.random,
  };
}

function sink(stream: typeof Deno.stdout): TextSink {
  const encoder = new TextEncoder();
  const isTerminal = stream.isTerminal();
  return {
    isTerminal,
    get columns() {
      return isTerminal ? terminalSize().columns || 80 : 80;
    },
    get rows() {
      return isTerminal ? terminalSize().rows || 24 : 24;
    },
    write(data) {
      let bytes = typeof data === "string" ? encoder.encode(data) : data;
      while (bytes.length > 0) bytes = bytes.subarray(writeSome(stream, bytes));
    },
  };
}

/** A pipe that another program has set to non-blocking is full now and then: try again. */
function writeSome(stream: typeof Deno.stdout, bytes: Uint8Array): number {
  while (true) {
    try {
      return stream.writeSync(bytes);
    } catch (error) {
      if (!(error instanceof Deno.errors.WouldBlock)) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
    }
  }
}

function terminalSize(): { columns: number; rows: number } {
  try {
    return Deno.consoleSize();
  } catch {
    return { columns: 0, rows: 0 };
  }
}

/** Everything on stdin. */
export async function readAll(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Asks a question on stderr and reads one line of the answer. */
export async function ask(io: CliIo, question: string): Promise<string> {
  io.stderr.write(question);
  const decoder = new TextDecoder();
  let answer = "";
  for await (const bytes of io.stdin.readable()) {
    answer += decoder.decode(bytes, { stream: true });
    if (answer.includes("\n")) break;
  }
  return answer.split("\n")[0]!.trim();
}
