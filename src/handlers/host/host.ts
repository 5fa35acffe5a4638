/**
 * The process that runs a user's module: speaks the protocol for it, one job after the other, and
 * gives it a `ctx`. Owns the descriptors of the protocol; what the module prints goes elsewhere.
 *
 * Invariant: every job that was told gets one answer, unless the module ends the process.
 */
import { LineSplitter } from "../line_splitter.ts";
import { PROTOCOL, type StopReason, type Told } from "../wire.ts";
import { JobContext, RequestError } from "./context.ts";
import { loadModule, type UserFunction } from "./load_module.ts";
import { consoleTo } from "./console.ts";
import { messageOf, traceOf } from "./messages.ts";
import { Speaker } from "./speaker.ts";

/** Runs the module's functions until there is nothing more to be told; returns the exit code. */
export async function runHost(path: string): Promise<number> {
  const speaker = new Speaker(Deno.openSync("/dev/fd/3", { write: true }));
  const input = Deno.openSync("/dev/fd/4", { read: true });
  globalThis.console = consoleTo((stream, text) => speaker.say({ type: "log", stream, text }));
  const failure = uncaught();
  let functions: ReadonlyMap<string, UserFunction>;
  // A module that waits for nothing would end the process before anybody could say so.
  const awake = setInterval(() => {}, 60_000);
  try {
    const loaded = await Promise.race([loadModule(path), failure]);
    if (loaded instanceof Uncaught) throw loaded.error;
    functions = loaded.functions;
    const kinds = [...functions.keys()];
    speaker.say({ type: "ready", protocol: PROTOCOL, kinds, files: loaded.files });
  } catch (error) {
    speaker.say({ type: "unusable", message: `it does not load: ${messageOf(error)}` });
    return 1;
  } finally {
    clearInterval(awake);
  }
  const host = new Host(speaker, functions);
  const end = await Promise.race([host.listen(input.readable), failure]);
  if (!(end instanceof Uncaught)) return 0;
  // Nobody knows in which state the module is now.
  host.fail(`uncaught: ${messageOf(end.error)}`, end.error);
  return 1;
}

class Uncaught {
  constructor(readonly error: unknown) {}
}

/** What the module throws where nobody catches it. */
function uncaught(): Promise<Uncaught> {
  return new Promise((resolve) => {
    globalThis.addEventListener("error", (event) => {
      event.preventDefault();
      resolve(new Uncaught(event.error ?? event.message));
    });
    globalThis.addEventListener("unhandledrejection", (event) => {
      event.preventDefault();
      if (event.reason instanceof RequestError) event.reason.context.fail(event.reason);
      else resolve(new Uncaught(event.reason));
    });
  });
}

class Host {
  readonly #speaker: Speaker;
  readonly #functions: ReadonlyMap<string, UserFunction>;
  #current: { readonly id: string; readonly context: JobContext } | null = null;

  constructor(speaker: Speaker, functions: ReadonlyMap<string, UserFunction>) {
    this.#speaker = speaker;
    this.#functions = functions;
  }

  /** Does as it is told until the input ends. */
  async listen(input: ReadableStream<Uint8Array>): Promise<void> {
    const lines = new LineSplitter({
      limitBytes: Infinity,
      onLine: (line) => "text" in line && this.#hear(JSON.parse(line.text) as Told),
    });
    for await (const bytes of input) lines.push(bytes);
  }

  /** Answers the job that runs, if one does, because the process is about to end. */
  fail(message: string, error: unknown): void {
    this.#speaker.trace(traceOf(error));
    if (this.#current !== null) {
      this.#speaker.say({ type: "error", id: this.#current.id, message });
    }
    this.#current = null;
  }

  #hear(told: Told): void {
    switch (told.type) {
      case "job":
        this.#run(told);
        return;
      case "abort":
        if (this.#current?.id === told.id) this.#current.context.abort(told.reason as StopReason);
        return;
      default:
        this.#current?.context.answered(told);
    }
  }

  async #run(job: Extract<Told, { type: "job" }>): Promise<void> {
    const { id, kind, payload } = job;
    const context = new JobContext(job, this.#speaker);
    this.#current = { id, context };
    const answer = await this.#answer(kind, payload, context);
    if (this.#current?.context !== context) return;
    this.#current = null;
    context.close();
    this.#speaker.say({ ...answer, id });
  }

  async #answer(
    kind: string,
    payload: unknown,
    context: JobContext,
  ): Promise<Record<string, unknown>> {
    const run = this.#functions.get(kind);
    if (run === undefined) {
      const kinds = [...this.#functions.keys()].join(", ");
      return { type: "error", message: `the module exports no function ${kind}; only ${kinds}` };
    }
    try {
      const result = await run(payload, context.shown);
      await context.settled();
      return { type: "result", result: checked(result) };
    } catch (error) {
      return context.answerTo(error) ?? this.#errorOf(error);
    }
  }

  #errorOf(error: unknown): Record<string, unknown> {
    this.#speaker.trace(traceOf(error));
    return { type: "error", message: messageOf(error) };
  }
}

/**
 * The value as it will be read again.
 *
 * @throws {TypeError} when it is not JSON.
 */
function checked(result: unknown): unknown {
  if (result === undefined) return null;
  let text: string | undefined;
  try {
    text = JSON.stringify(result);
  } catch (error) {
    throw new TypeError(`the result is not JSON: ${messageOf(error)}`);
  }
  if (text === undefined) throw new TypeError(`the result is not JSON: it is a ${typeof result}`);
  return result;
}
