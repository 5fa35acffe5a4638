/** `queuectl logs`: a job's output as it is, and with `--follow` as it comes. */
import type { Job, OutputStream } from "../../job/job.ts";
import { isFinished } from "../../job/state.ts";
import { type AttemptView, joinOutput, type Queue } from "../../queue/queue.ts";
import type { StoredChunk } from "../../store/store.ts";
import { CommandError, EXIT, UsageError } from "../exit.ts";
import type { Invocation } from "../command.ts";
import { withQueue } from "../context.ts";
import { lookUntil } from "../../queue/watching.ts";

const STREAMS = ["stdout", "stderr"] as const;

export function run(invocation: Invocation): Promise<number> {
  const { args, options } = invocation;
  const id = args[0]!;
  const stream = parseStream(options.text("stream"));
  const attempt = options.integer("attempt", { least: 1, most: 1_000_000 });
  const print = createPrinter(invocation);
  return withQueue(invocation, async ({ queue }) => {
    if (options.isOn("follow")) {
      const follower = new Follower({ queue, id, stream, attempt, print });
      await lookUntil(queue, () => follower.look());
      return EXIT.done;
    }
    const job = await queue.find(id);
    const output = await queue.output(job, { attempt, stream });
    if (output === null && attempt !== undefined) {
      const last = (await queue.attempts(job)).at(-1)?.attempt;
      const has = last === undefined ? "it has not run yet" : `the last one is ${last}`;
      throw new CommandError(EXIT.failed, `job ${id} has no attempt ${attempt}: ${has}`);
    }
    if (output === null) invocation.out.message(`Job ${id} is ${job.state}: it has not run yet.`);
    else {
      print.chunks(output.attempt, output.chunks);
      noteTruncation(invocation, output, stream);
    }
    return EXIT.done;
  });
}

/** Says which streams have had more than was kept. */
function noteTruncation(
  { out }: Invocation,
  { attempt, chunks }: { attempt: AttemptView; chunks: readonly StoredChunk[] },
  wanted: OutputStream | undefined,
): void {
  for (const stream of wanted === undefined ? STREAMS : [wanted]) {
    const kept = joinOutput(chunks, stream).length;
    const printed = attempt[`${stream}Bytes`] ?? 0;
    if (printed > kept) out.note(`-- ${stream} is truncated: ${kept} of ${printed} bytes --`);
  }
}

interface Printer {
  /** Says that another attempt begins. */
  attempt(attempt: AttemptView): void;
  chunks(attempt: AttemptView, chunks: readonly StoredChunk[]): void;
}

interface FollowOptions {
  readonly queue: Queue;
  readonly id: string;
  readonly stream: OutputStream | undefined;
  readonly attempt: number | undefined;
  readonly print: Printer;
}

/** Prints what is new of a job, one attempt after the other. */
class Follower {
  readonly #options: FollowOptions;
  #token = -1;
  #afterChunk: number | undefined;

  constructor(options: FollowOptions) {
    this.#options = options;
  }

  /** Prints what came since the last look; true when nothing more can come. */
  async look(): Promise<true | null> {
    const { queue, id } = this.#options;
    const job = await queue.find(id);
    const attempts = await queue.attempts(job);
    // The job is read first: output that is written before it was finished is printed below.
    for (const attempt of this.#pick(attempts)) await this.#printNew(job, attempt);
    return isFinished(job.state) ? true : null;
  }

  /** The attempts to print, from the one printed last; at first the last one alone. */
  #pick(attempts: readonly AttemptView[]): readonly AttemptView[] {
    const wanted = this.#options.attempt;
    if (wanted !== undefined) return attempts.filter(({ attempt }) => attempt === wanted).slice(-1);
    return this.#token < 0
      ? attempts.slice(-1)
      : attempts.filter(({ token }) => token >= this.#token);
  }

  async #printNew(job: Job, attempt: AttemptView): Promise<void> {
    const { queue, stream, print } = this.#options;
    if (attempt.token !== this.#token) {
      if (this.#token >= 0) print.attempt(attempt);
      this.#token = attempt.token;
      this.#afterChunk = undefined;
    }
    const chunks = await queue.store.output({
      seq: job.seq,
      token: attempt.token,
      stream,
      afterChunk: this.#afterChunk,
    });
    print.chunks(attempt, chunks);
    this.#afterChunk = chunks.at(-1)?.chunk ?? this.#afterChunk;
  }
}

function createPrinter({ io, out }: Invocation): Printer {
  const decoders = new Map<string, TextDecoder>();
  const decode = (key: string, bytes: Uint8Array) => {
    let decoder = decoders.get(key);
    if (decoder === undefined) decoders.set(key, decoder = new TextDecoder());
    return decoder.decode(bytes, { stream: true });
  };
  return {
    attempt: ({ attempt }) => out.note(`-- attempt ${attempt} --`),
    chunks({ attempt, token }, chunks) {
      for (const { stream, bytes } of chunks) {
        if (out.isJson) out.json({ attempt, stream, data: decode(`${token} ${stream}`, bytes) });
        else if (stream === "stdout") out.raw(bytes);
        else io.stderr.write(bytes);
      }
    },
  };
}

function parseStream(word: string | undefined): OutputStream | undefined {
  if (word === undefined || word === "stdout" || word === "stderr") return word;
  throw new UsageError(`--stream: expected stdout or stderr, got ${JSON.stringify(word)}`);
}
