/**
 * The environment of what runs jobs: what it needs to run and what was asked for, never the rest of
 * the server's, which may hold secrets.
 */
import type { LeasedJob } from "../job/job.ts";
import { MARK_VARIABLE } from "../lib/kill.ts";

/** Passed on when they are set. */
const BASIC = [
  "PATH",
  "HOME",
  "USER",
  "LOGNAME",
  "SHELL",
  "LANG",
  "LANGUAGE",
  "TZ",
  "TMPDIR",
  "TERM",
  "XDG_CACHE_HOME",
  "DENO_DIR",
];

const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The environment of a command. */
export function commandEnvironment(
  job: LeasedJob,
  { mark, passEnv, outputDir }: {
    mark: string;
    passEnv: readonly string[];
    outputDir: string | undefined;
  },
): Record<string, string> {
  return {
    ...programEnvironment(mark, passEnv),
    QUEUECTL_JOB_ID: job.id,
    QUEUECTL_ATTEMPT: String(job.attempts + 1),
    QUEUECTL_QUEUE: job.queue,
    ...(outputDir === undefined ? {} : { QUEUECTL_OUTPUT_DIR: outputDir }),
    ...(job.traceparent === undefined ? {} : { TRACEPARENT: job.traceparent }),
    ...(job.inputPath === undefined ? {} : { QUEUECTL_INPUT: job.inputPath }),
  };
}

/** The environment of a program that runs one job after the other. */
export function programEnvironment(
  mark: string,
  passEnv: readonly string[],
): Record<string, string> {
  const passed: Record<string, string> = { PATH: DEFAULT_PATH };
  const all = Deno.env.toObject();
  const passesAll = passEnv.includes("*");
  for (const [name, value] of Object.entries(all)) {
    const isBasic = BASIC.includes(name) || name.startsWith("LC_");
    const isAsked = passEnv.includes(name) || (passesAll && !name.startsWith("QUEUECTL_"));
    if (isBasic || isAsked) passed[name] = value;
  }
  return { ...passed, [MARK_VARIABLE]: mark };
}

/** Where programs are looked for. */
export function commandPath(): string {
  return Deno.env.get("PATH") ?? DEFAULT_PATH;
}
