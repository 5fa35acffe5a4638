/** `queuectl queue list|show|pause|resume|set`: the lanes that jobs wait in, and their limits. */
import { assertQueueName, formatRate, type LimitField, parseLimits } from "../../job/limits.ts";
import { STATES } from "../../job/state.ts";
import { humanDuration } from "../../lib/duration.ts";
import type { Queue } from "../../queue/queue.ts";
import {
  findQueue,
  limitQueue,
  listQueues,
  pauseQueue,
  queueView,
  rulesView,
} from "../../queue/queues.ts";
import type { QueueRules, QueueStats } from "../../store/store.ts";
import type { Invocation } from "../command.ts";
import { withQueue } from "../context.ts";
import { EXIT, UsageError } from "../exit.ts";
import type { Column, Output } from "../output.ts";

export function run(invocation: Invocation): Promise<number> {
  switch (invocation.spec.path[1]) {
    case "list":
      return withQueue(invocation, ({ queue }) => list(invocation, queue));
    case "show":
      return withQueue(invocation, ({ queue }) => show(invocation, queue));
    case "set":
      return set(invocation);
    default:
      return withQueue(invocation, ({ queue }) => pauseOrResume(invocation, queue));
  }
}

const COLUMNS: readonly Column[] = [
  { title: "QUEUE" },
  { title: "STATE" },
  { title: "WAITING", align: "right" },
  { title: "RUNNING", align: "right" },
  { title: "DEAD", align: "right" },
  { title: "MAX RUNNING", align: "right" },
  { title: "RATE", align: "right" },
  { title: "PER KEY", align: "right" },
  { title: "OLDEST READY" },
];

async function list({ out }: Invocation, queue: Queue): Promise<number> {
  const queues = await listQueues(queue);
  if (out.isJson) out.json(queues.map((one) => queueView(one, queue.clock())));
  else if (queues.length === 0) {
    out.note("There are no queues: no jobs, and nothing is said of any.");
  } else out.table(COLUMNS, queues.map((one) => cells(one, { out, nowMs: queue.clock() })));
  return EXIT.done;
}

function cells(stats: QueueStats, { out, nowMs }: { out: Output; nowMs: number }): string[] {
  const { queue, counts, rules } = stats;
  return [
    queue,
    rules.pausedAtMs === null ? "open" : out.colors.yellow("paused"),
    String(counts.pending + counts.failed),
    String(counts.started + counts.processing),
    counts.dead === 0 ? "0" : out.colors.red(String(counts.dead)),
    String(rules.maxRunning ?? "-"),
    rules.rate === null ? "-" : formatRate(rules.rate),
    String(rules.keyMaxRunning ?? "-"),
    oldest(stats, nowMs) ?? "-",
  ];
}

async function show({ args, out }: Invocation, queue: Queue): Promise<number> {
  const stats = await findQueue(queue, args[0]!);
  if (out.isJson) {
    out.json(queueView(stats, queue.clock()));
    return EXIT.done;
  }
  const { counts, rules } = stats;
  out.facts([
    ["Queue", stats.queue],
    [
      "State",
      rules.pausedAtMs === null ? "open" : `paused since ${out.fullTime(rules.pausedAtMs)}`,
    ],
    ...limitFacts(rules),
    ["Oldest ready job", oldest(stats, queue.clock()) ?? "none waits"],
  ]);
  out.line();
  out.table(
    STATES.map((state) => ({ title: state.toUpperCase(), align: "right" })),
    [STATES.map((state) => String(counts[state]))],
  );
  return EXIT.done;
}

async function pauseOrResume({ spec, args, out }: Invocation, queue: Queue): Promise<number> {
  const isPaused = spec.path[1] === "pause";
  const documents: unknown[] = [];
  const names = new Set(args);
  names.forEach(assertQueueName); // all of them, before the first is changed
  for (const name of names) {
    const rules = await pauseQueue(queue, name, { isPaused });
    documents.push({ queue: name, ...rulesView(rules) });
    if (!out.isJson) {
      out.line(`Queue ${name} is ${isPaused ? "paused; what runs goes on" : "open"}`);
    }
  }
  if (out.isJson) out.json(documents);
  return EXIT.done;
}

const FLAGS = {
  max_running: "max-running",
  rate: "rate",
  key_max_running: "key-max-running",
} as const satisfies Record<LimitField, string>;

function set(invocation: Invocation): Promise<number> {
  const { args, options, out } = invocation;
  const input: Record<string, unknown> = {};
  for (const [field, flag] of Object.entries(FLAGS)) {
    const value = options.numberOrText(flag);
    if (value !== undefined) input[field] = value === "none" ? null : value;
  }
  const flags = Object.values(FLAGS).map((flag) => `--${flag}`).join(", ");
  if (Object.keys(input).length === 0) throw new UsageError(`expected at least one of ${flags}`);
  // A number is no rate, and would be asked for a JSON object.
  if (typeof input["rate"] === "number") input["rate"] = options.text("rate");
  const change = parseLimits(input, { label: (field) => `--${FLAGS[field]}`, none: "none" });
  return withQueue(invocation, async ({ queue }) => {
    const name = args[0]!;
    const rules = await limitQueue(queue, name, { change });
    if (out.isJson) out.json({ queue: name, ...rulesView(rules) });
    else out.facts([["Queue", name], ...limitFacts(rules)]);
    if (rules.pausedAtMs !== null) out.note(`It is paused: queuectl queue resume ${name}`);
    return EXIT.done;
  });
}

function limitFacts({ maxRunning, rate, keyMaxRunning }: QueueRules): [string, string][] {
  return [
    ["Max running", String(maxRunning ?? "none")],
    ["Rate", rate === null ? "none" : formatRate(rate)],
    ["Max running per key", String(keyMaxRunning ?? "none")],
  ];
}

function oldest({ oldestReadyAtMs }: QueueStats, nowMs: number): string | null {
  if (oldestReadyAtMs === null) return null;
  return `waits for ${humanDuration(Math.max(0, nowMs - oldestReadyAtMs))}`;
}
