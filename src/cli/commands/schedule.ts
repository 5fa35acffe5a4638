/** `queuectl schedule …`: jobs that are added again and again. */
import { parseJsonText } from "../../http/json_text.ts";
import { type Schedule, SCHEDULE_LIMITS } from "../../job/schedule.ts";
import { formatDuration } from "../../lib/duration.ts";
import { nextRuns, nextRunViews, Schedules, scheduleView } from "../../queue/schedules.ts";
import type { Invocation } from "../command.ts";
import { withQueue } from "../context.ts";
import { EXIT, UsageError } from "../exit.ts";
import { given, readCommand, readDirectory, readJobOptions } from "../job_options.ts";
import { commandText } from "../../job/command_text.ts";
import { type Column, oneLine } from "../output.ts";

export function run(invocation: Invocation): Promise<number> {
  const action = invocation.spec.path[1] as keyof typeof ACTIONS;
  return ACTIONS[action](invocation);
}

const ACTIONS = { add, list, show, pause, resume, run: runNow, remove } as const;

function add(invocation: Invocation): Promise<number> {
  const { args, options, out } = invocation;
  const input = given({
    name: args[0],
    cron: options.text("cron"),
    every: options.text("every"),
    tz: options.text("tz"),
    catch_up: options.text("catch-up"),
    overlap: options.text("overlap"),
    replace: options.isOn("replace") ? true : undefined,
    job: readJob(invocation),
  });
  const cwd = readDirectory(invocation);
  return withQueue(invocation, async ({ queue }) => {
    const { schedule, isNew } = await new Schedules(queue).add(input);
    const runs = nextRuns(schedule, queue.clock(), 1);
    if (out.isJson) {
      out.json({ ...scheduleView(schedule), replaced: !isNew });
    } else if (options.isOn("quiet")) {
      out.line(schedule.name);
    } else {
      const when = runs[0] === undefined ? "is paused" : `next runs ${runs[0].local}`;
      out.line(`Schedule ${schedule.name} ${isNew ? "added" : "replaced"}; it ${when}`);
    }
    return EXIT.done;
  }, { cwd });
}

/** From JSON, from a kind and its payload, or from a command; the options say the rest. */
function readJob(invocation: Invocation): Record<string, unknown> {
  const { args, literal, options, spec } = invocation;
  const words = args.slice(1);
  const [kind, payload, json] = ["kind", "payload", "job"].map((name) => options.text(name));
  const sources = [
    words.length > 0,
    kind !== undefined || payload !== undefined,
    json !== undefined,
  ];
  if (sources.filter(Boolean).length !== 1) {
    throw new UsageError(
      "expected one of: a command, --kind (with --payload), or --job with JSON",
      spec.usageHint,
    );
  }
  const rest = readJobOptions(invocation);
  if (json !== undefined) {
    const job = parseJsonText(json, "--job");
    if (typeof job !== "object" || job === null || Array.isArray(job)) {
      throw new UsageError("--job: expected a JSON object that describes a job");
    }
    return { ...job, ...rest };
  }
  if (words.length > 0) {
    const isLiteral = literal.length >= words.length;
    return { command: readCommand(words, { isLiteral, hint: spec.usageHint }), ...rest };
  }
  if (payload === undefined) return { ...given({ kind }), ...rest };
  return { ...given({ kind }), payload: parseJsonText(payload, "--payload"), ...rest };
}

const COLUMNS: readonly Column[] = [
  { title: "NAME" },
  { title: "WHEN" },
  { title: "NEXT" },
  { title: "LAST" },
  { title: "RUNS", align: "right" },
  { title: "LAST JOB" },
  { title: "ABOUT" },
];

function list(invocation: Invocation): Promise<number> {
  const { out } = invocation;
  return withQueue(invocation, async ({ queue }) => {
    const schedules = await new Schedules(queue).list();
    if (out.isJson) {
      out.json(schedules.map(scheduleView));
    } else if (schedules.length === 0) {
      out.note("There are no schedules.");
    } else {
      out.table(
        COLUMNS,
        schedules.map((schedule) => [
          schedule.name,
          timingText(schedule),
          schedule.pausedAtMs === null ? out.time(schedule.nextAtMs) : "paused",
          out.time(schedule.lastAtMs),
          String(schedule.runs),
          schedule.lastJobId ?? "-",
          oneLine(aboutJob(schedule), 60),
        ]),
      );
    }
    return EXIT.done;
  });
}

function show(invocation: Invocation): Promise<number> {
  const { args, options, out } = invocation;
  const { shown, shownDefault } = SCHEDULE_LIMITS;
  const count = options.integer("next", { least: 1, most: shown }) ?? shownDefault;
  return withQueue(invocation, async ({ queue }) => {
    const schedule = await new Schedules(queue).find(args[0]!);
    const runs = nextRuns(schedule, queue.clock(), count);
    if (out.isJson) {
      out.json({ ...scheduleView(schedule), next_runs: nextRunViews(runs) });
      return EXIT.done;
    }
    const last = schedule.lastJobId === null ? null : await queue.store.find(schedule.lastJobId);
    out.facts([
      ["Schedule", schedule.name],
      ["When", timingText(schedule)],
      ["Catch-up", schedule.catchUp],
      ["Overlap", schedule.overlap],
      ["Paused", schedule.pausedAtMs === null ? null : out.fullTime(schedule.pausedAtMs)],
      ["Job", oneLine(schedule.job, 400)],
      ["Created", out.fullTime(schedule.createdAtMs)],
      ["Runs", String(schedule.runs)],
      ["Overlaps", schedule.overlaps === 0 ? null : String(schedule.overlaps)],
      ["Last run", schedule.lastAtMs === null ? null : out.fullTime(schedule.lastAtMs)],
      [
        "Last job",
        schedule.lastJobId === null
          ? null
          : `${schedule.lastJobId} ${last === null ? "(deleted)" : out.state(last.state)}`,
      ],
    ]);
    if (runs.length > 0) {
      out.line();
      out.heading("Next runs");
      for (const { atMs, local } of runs) {
        out.line(
          `${local}${timingZone(schedule)}  ${out.isTerminal ? out.time(atMs) : ""}`.trimEnd(),
        );
      }
    }
    return EXIT.done;
  });
}

function pause(invocation: Invocation): Promise<number> {
  return change(invocation, "is paused", (schedules, name) => schedules.pause(name));
}

function resume(invocation: Invocation): Promise<number> {
  return change(invocation, "is resumed", (schedules, name) => schedules.resume(name));
}

function remove(invocation: Invocation): Promise<number> {
  return change(invocation, "is removed", (schedules, name) => schedules.remove(name));
}

function change(
  invocation: Invocation,
  what: string,
  apply: (schedules: Schedules, name: string) => Promise<Schedule>,
): Promise<number> {
  const { args, out } = invocation;
  return withQueue(invocation, async ({ queue }) => {
    const schedule = await apply(new Schedules(queue), args[0]!);
    if (out.isJson) out.json(scheduleView(schedule));
    else out.line(`Schedule ${schedule.name} ${what}`);
    return EXIT.done;
  });
}

function runNow(invocation: Invocation): Promise<number> {
  const { args, options, out } = invocation;
  return withQueue(invocation, async ({ queue }) => {
    const { schedule, jobId } = await new Schedules(queue).run(args[0]!);
    if (out.isJson) out.json({ schedule: schedule.name, job_id: jobId });
    else out.line(options.isOn("quiet") ? jobId : `Job enqueued with ID: ${jobId}`);
    return EXIT.done;
  });
}

function timingText({ timing }: Schedule): string {
  return timing.type === "every"
    ? `every ${formatDuration(timing.everyMs)}`
    : `${timing.cron} ${timing.tz}`;
}

function timingZone({ timing }: Schedule): string {
  return timing.type === "cron" ? ` ${timing.tz}` : "";
}

/** The command, or the kind with its queue. */
function aboutJob({ job }: Schedule): string {
  const { kind, queue } = JSON.parse(job) as { kind?: string; queue?: string };
  return commandText(job) ?? `${kind}${queue === undefined ? "" : ` in ${queue}`}`;
}
