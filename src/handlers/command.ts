/**
 * The kind `command`: a string through `sh -c`, an array without a shell. Exit 0 is success.
 *
 * Each command runs in its own process group, which is killed as a whole: on timeout, cancel and
 * shutdown first asked (SIGTERM), then forced (SIGKILL), and after a normal end too, so that nothing
 * it left behind goes on. Its output is read as it comes and kept up to the limit; the rest is read
 * and dropped, so that a command that prints gigabytes neither blocks nor fills the memory.
 */
import { type AttemptError, LIMITS, type OutputStream } from "../job/job.ts";
import type { AttemptEnd, CommandExit } from "../job/outcome.ts";
import { describe, escapePointer, parseDirectory } from "../job/parse.ts";
import { isObject } from "../job/parse_values.ts";
import { BoundedReader } from "./bounded_reader.ts";
import { commandEnvironment } from "./command_environment.ts";
import type { Handler } from "./handler.ts";
import { messageOf } from "../lib/error_message.ts";
import { killGroup, killMarked } from "../lib/kill.ts";
import { inOwnGroup, isFindable } from "./process_group.ts";

/** As stored: what to run and where. */
interface CommandPayload {
  readonly command: string | readonly string[];
  /** null: where the worker runs. */
  readonly cwd: string | null;
}

/** How long a command has to end by itself after SIGTERM. */
const KILL_GRACE_MS = 2_000;

/** How long output may still be on its way after the whole group has ended. */
const DRAIN_MS = 1_000;

export const command: Handler = {
  parsePayload(payload, { cwd }) {
    if (isObject(payload)) return parseShown(payload, cwd);
    const problem = findProblem(payload);
    if (problem !== null) return { problem };
    return { payload: JSON.stringify({ command: payload, cwd }) };
  },

  chunk: () => 1,
  leavesFiles: true,

  async run(job, context) {
    const { command, cwd } = JSON.parse(job.payload as string) as CommandPayload;
    const words = typeof command === "string" ? ["/bin/sh", "-c", command] : command;
    const mark = `${context.holder}:${job.seq}:${job.token}`;
    const { settings: { passEnv }, outputDir } = context;
    const env = commandEnvironment(job, { mark, passEnv, outputDir });
    const problem = findSpawnProblem(words[0]!, env["PATH"]!, cwd);
    if (problem !== null) return spawnFailure(problem);
    const startedMs = performance.now();
    const { program, args, detached } = inOwnGroup(words);
    let child: Deno.ChildProcess;
    try {
      child = new Deno.Command(program, {
        args,
        cwd: cwd ?? undefined,
        clearEnv: true,
        env,
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
        detached,
      }).spawn();
    } catch (error) {
      return spawnFailure(messageOf(error));
    }
    context.setProcessGroup(child.pid);
    const stop = () => stopGroup(child, mark);
    context.signal.addEventListener("abort", stop, { once: true });
    const limitBytes = context.settings.outputLimitBytes;
    const keep = (stream: OutputStream) => (bytes: Uint8Array) =>
      context.writeOutput(stream, bytes);
    const stdout = new BoundedReader(child.stdout, { limitBytes, keep: keep("stdout") });
    const stderr = new BoundedReader(child.stderr, { limitBytes, keep: keep("stderr") });

    const status = await child.status;
    context.signal.removeEventListener("abort", stop);
    const wasStopped = context.signal.aborted;
    killGroup(child.pid, "SIGKILL");
    if (wasStopped) killMarked(mark);
    context.setProcessGroup(null);
    await Promise.all([stdout.finish(DRAIN_MS), stderr.finish(DRAIN_MS)]);

    const exit: CommandExit = {
      exitCode: status.signal === null ? status.code : null,
      signal: status.signal,
      stdoutBytes: stdout.totalBytes,
      stderrBytes: stderr.totalBytes,
    };
    if (status.success && !wasStopped) {
      const durationMs = Math.round(performance.now() - startedMs);
      const result = {
        exit_code: 0,
        signal: null,
        duration_ms: durationMs,
        stdout_bytes: exit.stdoutBytes,
        stderr_bytes: exit.stderrBytes,
        stdout_truncated: exit.stdoutBytes > limitBytes,
        stderr_truncated: exit.stderrBytes > limitBytes,
      };
      return { type: "succeeded", result: JSON.stringify(result) };
    }
    return { type: "failed", error: explainExit(exit, lastLine(stderr.tail)), exit };
  },
};

/** What people want to know first: how it ended, and the last thing it said about that. */
function explainExit({ exitCode, signal }: CommandExit, lastWords: string): AttemptError {
  const suffix = lastWords === "" ? "" : `: ${lastWords}`;
  return signal === null
    ? { code: "exit", message: `exit code ${exitCode}${suffix}` }
    : { code: "signal", message: `ended by ${signal}${suffix}` };
}

/** The last line that is not empty, at most 200 characters of it. */
function lastLine(bytes: Uint8Array): string {
  const lines = new TextDecoder().decode(bytes).split("\n").map((line) => line.trim());
  return lines.findLast((line) => line !== "")?.slice(0, 200) ?? "";
}

/** The payload as jobs show it, an object with the command and its directory. */
function parseShown(
  { command, cwd, ...others }: Record<string, unknown>,
  fallback: string | null | undefined,
): ReturnType<Handler["parsePayload"]> {
  const problems = Object.keys(others).map((field) => ({
    path: `/${escapePointer(field)}`,
    detail: `there is no field ${describe(field)}; the fields are command, cwd`,
  }));
  const problem = findProblem(command);
  if (problem !== null) problems.push({ path: "/command", detail: problem });
  const directory = cwd == null ? { value: fallback ?? null } : parseDirectory(cwd);
  if ("problem" in directory) problems.push({ path: "/cwd", detail: directory.problem });
  else if (problems.length === 0) {
    return { payload: JSON.stringify({ command, cwd: directory.value }) };
  }
  return { problems };
}

/** What is wrong with a command; null: nothing. */
function findProblem(payload: unknown): string | null {
  const parts = typeof payload === "string" ? [payload] : payload;
  if (!Array.isArray(parts) || !parts.every((part) => typeof part === "string")) {
    return `expected a string for the shell or an array of strings, got ${describe(payload)}`;
  }
  if (parts.length === 0 || parts[0]!.trim() === "") return "expected a command, got an empty one";
  if (parts.length > LIMITS.commandArguments) {
    return `expected at most ${LIMITS.commandArguments} arguments, got ${parts.length}`;
  }
  if (parts.some((part) => part.includes("\0"))) return "a command cannot hold a NUL character";
  const encoder = new TextEncoder();
  const longest = Math.max(...parts.map((part) => encoder.encode(part).length));
  if (longest <= LIMITS.commandBytes) return null;
  return `expected at most ${LIMITS.commandBytes} bytes in one argument, got ${longest}`;
}

/** Asks the group to end, and forces it after a while. */
function stopGroup(child: Deno.ChildProcess, mark: string): void {
  killGroup(child.pid, "SIGTERM", { isLeaderAlive: true });
  const timer = setTimeout(() => {
    killGroup(child.pid, "SIGKILL", { isLeaderAlive: true });
    killMarked(mark);
  }, KILL_GRACE_MS);
  child.status.finally(() => clearTimeout(timer));
}

/** Why the program cannot be started; null: nothing speaks against it. */
function findSpawnProblem(program: string, path: string, cwd: string | null): string | null {
  if (cwd !== null && !isDirectory(cwd)) return `the directory ${cwd} does not exist`;
  if (isFindable(program, path, cwd ?? Deno.cwd())) return null;
  return `there is no program ${JSON.stringify(program)}`;
}

function spawnFailure(message: string): AttemptEnd {
  return { type: "failed", error: { code: "spawn", message } };
}

function isDirectory(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}
