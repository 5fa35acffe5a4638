/**
 * Every setting: one table of name, type, default and meaning. Flags, environment variables, the
 * `config` command and the documentation are all made from it. To add a setting, add a row.
 *
 * A setting `a-b` is the flag `--a-b`, the variable `QUEUECTL_A_B` and the config key `a-b`; the
 * first of these that is given wins, in this order, then comes the default.
 */
import {
  choice,
  duration,
  durationOrForever,
  integer,
  kindCommands,
  kindNames,
  list,
  onOff,
  paths,
  positiveNumber,
  probability,
  size,
  text,
  url,
  type ValueType,
} from "./values.ts";

interface Setting<T> {
  readonly type: ValueType<T>;
  /** As text; null: none. */
  readonly default: string | null;
  readonly doc: string;
  /** False for settings that must be known before the database is open. */
  readonly isStored?: false;
}

function setting<T>(type: ValueType<T>, fallback: string, doc: string): Setting<T> {
  return { type, default: fallback, doc };
}

function optional<T>(type: ValueType<T>, doc: string): Setting<T | null> {
  return { type: type as ValueType<T | null>, default: null, doc };
}

const DAY_MS = 86_400_000;

export const SETTINGS = {
  "db": {
    ...setting(
      text,
      "./queue.db",
      "The database: a file, or postgres://user@host/name for a server that machines share.",
    ),
    isStored: false,
  },
  "sqlite-driver": {
    ...setting(
      choice("builtin", "ffi"),
      "builtin",
      "What opens the database: the runtime's own SQLite, or the module @db/sqlite.",
    ),
    isStored: false,
  },
  "synchronous": setting(
    choice("full", "normal"),
    "full",
    "full: an acknowledged job survives power loss; normal: it survives kill -9, but the last " +
      "moments may be lost with the power.",
  ),
  "host": setting(text, "127.0.0.1", "Address that the API listens on."),
  "port": setting(integer(0, 65_535), "8000", "Port that the API listens on; 0: any free one."),
  "workers": setting(
    integer(0, 256),
    String(globalThis.navigator?.hardwareConcurrency ?? 2),
    "Worker threads; by default as many as the machine has cores.",
  ),
  "max-retries": setting(
    integer(0, 1_000),
    "3",
    "Retries after the first attempt, for jobs that do not say.",
  ),
  "backoff-base": setting(
    positiveNumber,
    "2",
    "After failure number n a job waits backoff-base ^ n seconds.",
  ),
  "backoff-cap": setting(duration(0, 3_650 * DAY_MS), "1h", "The longest such wait."),
  "job-timeout": optional(
    duration(1, 30 * DAY_MS),
    "Time limit of an attempt, for jobs that do not say.",
  ),
  "lease": setting(
    duration(100, DAY_MS),
    "30s",
    "How long a claim holds without a sign of life from its worker.",
  ),
  "heartbeat": optional(
    duration(10, DAY_MS),
    "How often workers give a sign of life; by default a third of the lease.",
  ),
  "reap-interval": setting(
    duration(10, DAY_MS),
    "5s",
    "How often expired leases are taken back.",
  ),
  "shutdown-timeout": setting(
    duration(0, DAY_MS),
    "30s",
    "How long a shutdown waits for running jobs before it gives them back.",
  ),
  "output-limit": setting(
    size(0, 2 ** 30),
    "1MiB",
    "How much of each output stream of a command is kept.",
  ),
  "result-limit": setting(
    size(1, 2 ** 29),
    "1MiB",
    "The largest result of a handler, as JSON; a larger one fails the attempt.",
  ),
  "keep-completed": setting(
    durationOrForever(3_650 * DAY_MS),
    "7d",
    "How long completed jobs are kept after their end, with all that is known of them.",
  ),
  "keep-cancelled": setting(
    durationOrForever(3_650 * DAY_MS),
    "7d",
    "The same for cancelled jobs.",
  ),
  "keep-dead": setting(
    durationOrForever(3_650 * DAY_MS),
    "180d",
    "The same for dead jobs, which wait for somebody to look at them.",
  ),
  "keep-jobs": optional(
    integer(0, 1_000_000_000),
    "The most finished jobs that are kept; the oldest completed, then the oldest cancelled ones " +
      "go first, dead ones never for their number.",
  ),
  "upload-limit": setting(
    size(1, 2 ** 40),
    "1MiB",
    "The largest upload or request body; JSON is never larger than 64MiB, nor a batch than 256MiB.",
  ),
  "artifact-limit": setting(
    size(0, 2 ** 40),
    "64MiB",
    "The largest file that is kept of those that a job leaves; larger ones are named as dropped.",
  ),
  "artifact-total": setting(
    size(0, 2 ** 40),
    "256MiB",
    "How much is kept of the files that a job leaves, all together.",
  ),
  "artifact-count": setting(
    integer(0, 10_000),
    "100",
    "How many of the files that a job leaves are kept.",
  ),
  "work-dir": optional(
    text,
    "Directory for the files of running jobs; by default that of the system for temporary files.",
  ),
  "max-queue-depth": optional(
    integer(1, 1_000_000_000),
    "How many jobs may wait for a worker, over all queues; more are refused.",
  ),
  "rate-limit": optional(
    integer(1, 1_000_000),
    "Requests a second that each token, or each address without one, may make.",
  ),
  "max-connections": setting(
    integer(1, 1_000_000),
    "10000",
    "Open connections to the API; beyond them, or when file descriptors run short, all are closed.",
  ),
  "allow-commands": setting(onOff, "off", "Whether command jobs may be added over HTTP."),
  "pass-env": setting(
    list,
    "",
    "Environment variables that commands get besides the basic ones (PATH, HOME, LANG and the " +
      "like); * passes all but QUEUECTL_*.",
  ),
  "allow-private-http": setting(
    onOff,
    "off",
    "Whether http jobs and webhooks may call private, loopback and other addresses that are not " +
      "public.",
  ),
  "http-timeout": setting(
    duration(1, 30 * DAY_MS),
    "30s",
    "How long an http job without a timeout of its own waits for its whole answer.",
  ),
  "http-response-limit": setting(
    size(0, 16 * 2 ** 20),
    "256KiB",
    "How much of the body of an answer to an http job is kept.",
  ),
  "http-ca-file": optional(
    text,
    "File with certificates (PEM) that http jobs and webhooks trust besides the usual ones.",
  ),
  "webhook-secret-file": optional(
    text,
    "File with the secret that signs webhooks; by default one is made and kept in the database.",
  ),
  "alert-url": optional(
    url,
    "Where a signed webhook tells that something is wrong with the queue, and when it is over.",
  ),
  "alert-queue-latency": optional(
    duration(1_000, 365 * DAY_MS),
    "Tell when a job that is due has waited longer.",
  ),
  "alert-dead-jobs": optional(
    integer(0, 1_000_000_000),
    "Tell when more jobs than this lie in the dead-letter queue.",
  ),
  "alert-no-workers": setting(
    onOff,
    "on",
    "Tell when jobs are due and no worker lives; only where there is an alert-url.",
  ),
  // Not stored: who opens a database must not run programs that somebody else wrote into it.
  "handlers": {
    ...setting(
      paths,
      "",
      "Modules whose exported functions run the kinds of their names; may be given several times.",
    ),
    isStored: false as const,
  },
  "handler": {
    ...setting(
      kindCommands,
      "",
      "A program that runs jobs of a kind, as kind=command; may be given several times.",
    ),
    isStored: false as const,
  },
  "watch": {
    ...setting(onOff, "off", "Load handlers anew when their files change."),
    isStored: false as const,
  },
  "extra-kinds": setting(
    kindNames,
    "",
    "Kinds of jobs that are accepted although no worker with a handler for them has run yet.",
  ),
  "token-file": {
    ...optional(text, "File with the token that API requests must carry."),
    isStored: false as const,
  },
  "require-token": setting(
    onOff,
    "off",
    "Whether requests need a token on loopback too; on other addresses they always do.",
  ),
  "insecure": {
    ...setting(onOff, "off", "Listen on other addresses than loopback without a token."),
    isStored: false as const,
  },
  "allowed-hosts": setting(
    list,
    "",
    "Host names, besides loopback and the address listened on, that requests may name.",
  ),
  "cors-origins": setting(
    list,
    "",
    "Origins whose pages may use the API from a browser, as https://app.example.",
  ),
  "log-level": setting(
    choice("debug", "info", "warn", "error"),
    "info",
    "The least serious messages that are logged.",
  ),
  "log-format": optional(
    choice("pretty", "json"),
    "How messages are logged; by default pretty on a terminal, else json.",
  ),
  "log-file": optional(text, "File that gets every message too, as JSON lines."),
  "simulated-work": setting(
    duration(0, DAY_MS),
    "0s",
    "Time that a count job pretends to work, for tests and demonstrations.",
  ),
  "fault-fail": setting(probability, "0", "Probability that an attempt throws (tests only)."),
  "fault-crash": setting(
    probability,
    "0",
    "Probability that an attempt ends its worker thread (tests only).",
  ),
  "fault-hang": setting(
    probability,
    "0",
    "Probability that an attempt hangs its worker thread (tests only).",
  ),
} as const satisfies Record<string, Setting<unknown> | Setting<never>>;

export type SettingName = keyof typeof SETTINGS;

/** The value of every setting: durations in milliseconds, sizes in bytes. */
export type Settings = {
  readonly [N in SettingName]: (typeof SETTINGS)[N] extends Setting<infer T> ? T : never;
};

/** Where a value came from. */
export type SettingSource = "flag" | "environment" | "config" | "default";

/** Texts by setting name, from one source. */
export type SettingTexts = Partial<Record<SettingName, string>>;

/** Values that do not fit their settings: at least one. */
export class SettingError extends Error {
  constructor(readonly problems: readonly string[]) {
    super(problems.join("; "));
    this.name = "SettingError";
  }
}

export const SETTING_NAMES = Object.keys(SETTINGS) as SettingName[];

export function isSettingName(name: string): name is SettingName {
  return Object.hasOwn(SETTINGS, name);
}

/** Whether the setting can be kept in the database's `config` table. */
export function isStored(name: SettingName): boolean {
  return !("isStored" in SETTINGS[name]);
}

/** The setting's environment variable: `QUEUECTL_A_B` for `a-b`. */
export function variableOf(name: SettingName): string {
  return `QUEUECTL_${name.toUpperCase().replaceAll("-", "_")}`;
}

export interface SettingSources {
  readonly flags: SettingTexts;
  readonly env: (variable: string) => string | undefined;
  /** The `config` table; empty until the database is open. */
  readonly stored: ReadonlyMap<string, string>;
}

/**
 * The value of every setting, by precedence.
 *
 * @throws {SettingError} naming every given value that does not fit.
 */
export function resolveSettings(sources: SettingSources): Settings {
  const values: Record<string, unknown> = {};
  const problems: string[] = [];
  for (const name of SETTING_NAMES) {
    const { text, where } = findText(name, sources);
    values[name] = text === null ? null : parseText(name, text);
    if (values[name] === undefined) problems.push(describeMisfit(name, where, text!));
  }
  if (problems.length > 0) throw new SettingError(problems);
  values["heartbeat"] ??= Math.max(10, Math.floor((values["lease"] as number) / 3));
  return values as Settings;
}

/** Where the value of a setting comes from, and its text. */
export function sourceOf(
  name: SettingName,
  sources: SettingSources,
): { text: string | null; source: SettingSource } {
  const { text, source } = findText(name, sources);
  return { text, source };
}

/**
 * A setting's value from text.
 *
 * @throws {SettingError} naming `where` the text stands.
 */
export function parseSetting(name: SettingName, text: string, where: string): unknown {
  const value = parseText(name, text);
  if (value === undefined) throw new SettingError([describeMisfit(name, where, text)]);
  return value;
}

/** Undefined: the text does not fit. */
function parseText(name: SettingName, text: string): unknown {
  return (SETTINGS[name].type as ValueType<unknown>).parse(text);
}

function describeMisfit(name: SettingName, where: string, text: string): string {
  return `${where}: expected ${SETTINGS[name].type.expected}, got ${JSON.stringify(text)}`;
}

function findText(
  name: SettingName,
  { flags, env, stored }: SettingSources,
): { text: string | null; source: SettingSource; where: string } {
  const flag = flags[name];
  if (flag !== undefined) return { text: flag, source: "flag", where: `--${name}` };
  const variable = env(variableOf(name));
  if (variable !== undefined && variable !== "") {
    return { text: variable, source: "environment", where: variableOf(name) };
  }
  const kept = isStored(name) ? stored.get(name) : undefined;
  if (kept !== undefined) return { text: kept, source: "config", where: `config key ${name}` };
  return { text: SETTINGS[name].default, source: "default", where: `default of ${name}` };
}

/** How long a retry waits, as the room `job` speaks of it. */
export function backoffOf(settings: Settings) {
  return { base: settings["backoff-base"], capMs: settings["backoff-cap"] };
}

/** How long finished jobs are kept, as the room `job` speaks of it. */
export function retentionOf(settings: Settings) {
  return {
    keepMs: {
      completed: settings["keep-completed"],
      dead: settings["keep-dead"],
      cancelled: settings["keep-cancelled"],
    },
    keepJobs: settings["keep-jobs"],
  };
}
