/**
 * One attempt in words: a program is told a job, heard until it answers, and told to stop when the
 * attempt is aborted. Owns what the lines mean; whatever a program says or does becomes an
 * {@link AttemptEnd}.
 *
 * Invariant: one answer counts. A program that breaks the protocol is not spoken to again.
 */
import type { AttemptError, AttemptErrorCode, OutputStream } from "../job/job.ts";
import type { AttemptEnd, CommandExit } from "../job/outcome.ts";
import { messageOf } from "../lib/error_message.ts";
import { formatSize } from "../lib/size.ts";
import type { HandlerContext } from "./handler.ts";
import { GRACE_MS, type HandlerProcess } from "./handler_process.ts";
import type { Line } from "./line_splitter.ts";
import { OutputKeeper } from "./output_keeper.ts";
import type { Program } from "./program.ts";
import { type Answer, hear, isAnswer, type JobLine, type Said, type StopReason } from "./wire.ts";

/** How an attempt ended, and what that says of the program. */
export interface Conversation {
  readonly end: AttemptEnd;
  /** `ready` for the next job; `ended` in its own way; `broken`: died or broke the protocol. */
  readonly program: "ready" | "ended" | "broken";
  /** Whether it has said anything about this job. */
  readonly hasSpoken: boolean;
  /** It says that it cannot run anything, whatever the job. */
  readonly isUnusable: boolean;
}

/** A line may be so much longer than the longest result, for what stands around it. */
export const LINE_FRAME_BYTES = 1024 * 1024;

/** What an attempt's follow-ups may take together. */
const FOLLOW_UPS = 10_000;

export async function converse(
  process: HandlerProcess,
  job: JobLine,
  { program, context }: { program: Program; context: HandlerContext },
): Promise<Conversation> {
  const talk = new Talk(process, job, { program, context });
  const stop = () => {
    const { reason } = context.signal.reason as { reason: StopReason };
    process.tell({ type: "abort", id: job.id, reason });
    process.stopAfter(GRACE_MS.told);
  };
  process.listen(talk);
  process.tell(job);
  if (context.signal.aborted) stop();
  else context.signal.addEventListener("abort", stop, { once: true });
  const status = await Promise.race([talk.answered, process.ended]);
  context.signal.removeEventListener("abort", stop);
  if (status === undefined) process.forgive();
  return await talk.conclude(status ?? null);
}

class Talk {
  /** Resolves when it has answered, or broken the protocol. */
  readonly answered: Promise<undefined>;
  readonly #process: HandlerProcess;
  readonly #job: JobLine;
  readonly #program: Program;
  readonly #context: HandlerContext;
  readonly #output: OutputKeeper;
  #resolve!: (value: undefined) => void;
  #answer: Answer | null = null;
  #broken: AttemptError | null = null;
  /** What went wrong in what it asked for; counts only if it answers with a success. */
  #failure: AttemptError | null = null;
  #hasSpoken = false;
  #isUnusable = false;
  #followUps = 0;
  readonly #pending = new Set<Promise<void>>();

  constructor(
    process: HandlerProcess,
    job: JobLine,
    { program, context }: { program: Program; context: HandlerContext },
  ) {
    this.answered = new Promise((resolve) => this.#resolve = resolve);
    this.#process = process;
    this.#job = job;
    this.#program = program;
    this.#context = context;
    this.#output = new OutputKeeper({
      limitBytes: context.settings.outputLimitBytes,
      write: (stream, bytes) => context.writeOutput(stream, bytes),
    });
  }

  onStderr(bytes: Uint8Array): void {
    this.#output.take("stderr", bytes);
  }

  onLine(line: Line): void {
    if (this.#broken !== null) return;
    if ("tooLong" in line) {
      const most = formatSize(this.#context.settings.resultLimitBytes);
      return this.#break(
        `printed a line that is far longer than the largest result, ${most} (result-limit)`,
      );
    }
    const heard = hear(line.text);
    if ("problem" in heard) return this.#break(`${heard.problem}; ${WHERE_TO_TALK}`);
    const { said, id } = heard;
    if (said.type === "ready") return;
    this.#hasSpoken = true;
    if (said.type === "unusable") {
      this.#isUnusable = true;
      return this.#break(said.message, "spawn");
    }
    if (id !== null && id !== this.#job.id) {
      return this.#break(`said ${said.type} for the job ${id} while it ran ${this.#job.id}`);
    }
    if (this.#answer !== null) {
      const again = isAnswer(said) ? "answered twice" : `said ${said.type} after its answer`;
      return this.#break(`${again}; a job ends with one answer, and nothing follows it`);
    }
    this.#take(said);
  }

  /** How the attempt ended; `status`: the process has ended without an answer. */
  async conclude(status: Deno.CommandStatus | null): Promise<Conversation> {
    if (this.#broken === null && this.#answer !== null) await this.#settle();
    if (this.#broken !== null) {
      this.#process.kill();
      await this.#process.ended;
      return this.#conclusion({ type: "failed", error: this.#broken }, "broken");
    }
    if (this.#answer !== null) {
      this.#process.answers++;
      const { isOver, wasForced } = this.#process;
      const end = this.#meaning(this.#answer);
      return this.#conclusion(end, isOver || wasForced ? "ended" : "ready");
    }
    const { code, signal, success } = status ?? await this.#process.ended;
    const how = signal === null ? `exit code ${code}` : signal;
    const words = this.#output.lastWords;
    const message = `${this.#program.name} ended with ${how} before it answered` +
      (words === "" ? "" : `: ${words}`);
    const error = { code: signal === null ? "exit" : "signal", message } as const;
    const exit: CommandExit = {
      exitCode: signal === null ? code : null,
      signal,
      stdoutBytes: this.#output.totalBytes.stdout,
      stderrBytes: this.#output.totalBytes.stderr,
    };
    const isInnocent = success || this.#context.signal.aborted;
    return this.#conclusion({ type: "failed", error, exit }, isInnocent ? "ended" : "broken");
  }

  #conclusion(end: AttemptEnd, program: Conversation["program"]): Conversation {
    return { end, program, hasSpoken: this.#hasSpoken, isUnusable: this.#isUnusable };
  }

  #take(said: Exclude<Said, { type: "ready" | "unusable" }>): void {
    switch (said.type) {
      case "log":
        this.#print(said.stream, said.text);
        return;
      case "progress":
        this.#context.reportProgress({ value: said.value, text: said.text });
        return;
      case "enqueue":
        this.#follow(this.#enqueue(said));
        return;
      case "artifact":
        this.#follow(this.#attach(said));
        return;
      default:
        this.#answer = said;
        this.#resolve(undefined);
    }
  }

  #print(stream: OutputStream, text: string): void {
    const line = text.endsWith("\n") ? text : `${text}\n`;
    this.#output.take(stream, new TextEncoder().encode(line));
  }

  /** The attempt does not end before this has. */
  #follow(work: Promise<void>): void {
    const followed = work
      .catch((error) => this.#fail(messageOf(error)))
      .finally(() => this.#pending.delete(followed));
    this.#pending.add(followed);
  }

  async #enqueue({ job, ref }: Extract<Said, { type: "enqueue" }>): Promise<void> {
    const added = ++this.#followUps > FOLLOW_UPS
      ? { problems: [{ detail: `expected at most ${FOLLOW_UPS} jobs from one`, pointer: "" }] }
      : await this.#context.enqueue(job);
    if ("id" in added) {
      if (ref !== null) this.#process.tell({ type: "enqueued", ref, id: added.id });
    } else if (ref !== null) {
      this.#process.tell({ type: "refused", ref, errors: added.problems });
    } else {
      const details = added.problems.map(({ detail }) => detail).join("; ");
      this.#fail(`a job that it enqueued was refused: ${details}`);
    }
  }

  async #attach({ path, name }: Extract<Said, { type: "artifact" }>): Promise<void> {
    const directory = this.#job.output_dir;
    if (directory === null) throw new Error("artifacts are not kept here");
    const source = path.startsWith("/") ? path : `${this.#program.cwd}/${path}`;
    const target = `${directory}/${name}`;
    if (source !== target) await Deno.copyFile(source, target);
  }

  #fail(message: string): void {
    this.#failure ??= { code: "error", message };
  }

  #break(what: string, code: AttemptErrorCode = "protocol"): void {
    this.#broken = {
      code,
      message: `${this.#program.name}${code === "spawn" ? ": " : " "}${what}`,
    };
    this.#resolve(undefined);
  }

  /** What it asked for is done, and what it printed before its answer has arrived. */
  async #settle(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending);
    // Each pipe has its own way to us: as long as a turn of the event loop brings more, wait.
    for (let heardBytes = -1; heardBytes !== this.#process.heardBytes;) {
      heardBytes = this.#process.heardBytes;
      await new Promise((resolve) => setTimeout(resolve));
    }
  }

  #meaning(answer: Answer): AttemptEnd {
    switch (answer.type) {
      case "error": {
        const { message, retryAfterMs } = answer;
        const failed = { type: "failed", error: { code: "error", message } } as const;
        return retryAfterMs === undefined ? failed : { ...failed, retryAfterMs };
      }
      case "cancel": {
        const message = answer.message ?? "its handler gave it up";
        return { type: "cancelled", error: { code: "cancelled", message } };
      }
      case "snooze":
        return { type: "snoozed", delayMs: answer.delayMs };
      case "result":
        return this.#failure === null
          ? this.#success(answer.result)
          : { type: "failed", error: this.#failure };
    }
  }

  #success(value: unknown): AttemptEnd {
    const result = JSON.stringify(value);
    const limitBytes = this.#context.settings.resultLimitBytes;
    const bytes = new TextEncoder().encode(result).length;
    if (bytes <= limitBytes) return { type: "succeeded", result };
    const message = `the result has ${bytes} bytes as JSON; expected at most ` +
      `${formatSize(limitBytes)} (result-limit)`;
    return { type: "failed", error: { code: "result", message } };
  }
}

const WHERE_TO_TALK = "its stdout is for the protocol, what it has to say goes to stderr";
