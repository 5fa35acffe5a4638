/** What `status --watch` draws: counts, throughput, queues, workers, the last happenings. Pure. */
import type { FeedEvent } from "../../queue/feed.ts";
import { humanDuration } from "../../lib/duration.ts";
import { fit, type Line } from "./line.ts";
import {
  conditionLine,
  countsLine,
  oldestMs,
  type Overview,
  stateSpan,
  throughputLine,
} from "./overview.ts";
import type { Size } from "./screen_lines.ts";
import { tableLines } from "./table.ts";

export interface StatusScene {
  /** Null: nothing could be read yet. */
  readonly overview: Overview | null;
  /** The last happenings, oldest first. */
  readonly events: readonly FeedEvent[];
  /** Why nothing can be read now. */
  readonly problem: string | null;
  readonly size: Size;
}

/** Each list is cut to so many, so that all of them are seen. */
const MOST_ROWS = 8;

export function statusLines({ overview, events, problem, size }: StatusScene): Line[] {
  const { columns } = size;
  const trouble: Line[] = problem === null ? [] : [[[problem, "red"]]];
  if (overview === null) return trouble;
  return [
    countsLine(overview, columns),
    throughputLine(overview, columns),
    conditionLine(overview),
    ...queueLines(overview, columns),
    ...workerLines(overview, columns),
    ...eventLines(events),
    ...trouble,
  ];
}

function queueLines({ stats: { queues }, nowMs }: Overview, columns: number): Line[] {
  if (queues.length < 2 && !queues.some(({ rules }) => rules.pausedAtMs !== null)) return [];
  const rows = queues.slice(0, MOST_ROWS).map((one) => {
    const { queue, counts, rules } = one;
    const waitsMs = oldestMs(one, nowMs);
    return [
      rules.pausedAtMs === null ? queue : [`${queue} (paused)`, "yellow"] as const,
      String(counts.pending + counts.failed),
      String(counts.started + counts.processing),
      counts.dead === 0 ? "0" : [String(counts.dead), "red"] as const,
      waitsMs === null ? "-" : humanDuration(waitsMs),
    ];
  });
  return listLines(
    tableLines(
      [
        { title: "QUEUE", isWide: true },
        { title: "WAITING", align: "right" },
        { title: "RUNNING", align: "right" },
        { title: "DEAD", align: "right" },
        { title: "OLDEST READY", align: "right", leaveOut: 1 },
      ],
      rows,
      Math.min(columns, 72),
    ),
    queues.length - rows.length,
  );
}

function workerLines({ workers }: Overview, columns: number): Line[] {
  if (workers.length === 0) return [];
  const rows = workers.slice(0, MOST_ROWS).map(({ label, pid, role, status, jobId }) => [
    label,
    String(pid),
    role,
    jobId !== null && status === "idle" ? "busy" : status,
    jobId ?? "-",
  ]);
  return listLines(
    tableLines(
      [
        { title: "WORKER" },
        { title: "PID", align: "right", leaveOut: 2 },
        { title: "ROLE", leaveOut: 1 },
        { title: "STATUS" },
        { title: "JOB", isWide: true },
      ],
      rows,
      columns,
    ),
    workers.length - rows.length,
  );
}

function listLines(
  { head, lines }: { readonly head: Line; readonly lines: readonly Line[] },
  left: number,
): Line[] {
  return [[], head, ...lines, ...(left > 0 ? [[[`and ${left} more`, "dim"]] as Line] : [])];
}

function eventLines(events: readonly FeedEvent[]): Line[] {
  if (events.length === 0) return [];
  return [
    [],
    [["LATELY", "bold"]],
    ...events.map(({ event, atMs }): Line => {
      const time = new Date(atMs).toISOString().slice(11, 19);
      if (event.type === "gap") return [[`${time}  (some events are missing)`, "dim"]];
      if (!("jobId" in event)) return [`${time}  ${fit(event.type, 15)}  ${event.name}`];
      const { type, state, jobId, worker, error } = event;
      return [
        `${time}  `,
        type === "job.deleted" ? fit(type, 15) : stateSpan(state, fit(type, 15)),
        `  ${jobId}${worker === null ? "" : `  ${worker}`}`,
        error === null ? "" : [`  ${error.message}`, "yellow"],
      ];
    }),
  ];
}
