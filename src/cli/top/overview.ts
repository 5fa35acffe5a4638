/** The queue at a glance, as lines: what `status --watch` shows and `top` begins with. Pure. */
import { type JobState, STATES } from "../../job/state.ts";
import { humanDuration } from "../../lib/duration.ts";
import type { HistoryStep, Stats, WorkerStatus } from "../../store/store.ts";
import type { Line, Span } from "./line.ts";
import { STATE_COLOR } from "../output.ts";
import { sparkline } from "./sparkline.ts";

/** What is known of the queue at one moment. */
export interface Overview {
  readonly stats: Stats;
  readonly workers: readonly WorkerStatus[];
  /** Steps of {@link STEP_MS}, the last of which has just begun. */
  readonly history: readonly HistoryStep[];
  readonly nowMs: number;
}

export const STEP_MS = 10_000;
export const STEPS = 60;

export function stateSpan(state: JobState, text: string = state): Span {
  const style = STATE_COLOR[state];
  return style === null ? text : [text, style];
}

/** How many jobs stand in each state; zeros are dim, and left out where there is too little room. */
export function countsLine({ stats: { counts } }: Overview, columns: number): Line {
  const textOf = (state: JobState) => `${counts[state]} ${state}`;
  const isAllShown = STATES.map(textOf).join("  ").length <= columns;
  const shown = STATES.filter((state) => isAllShown || counts[state] > 0);
  return shown.flatMap((state, index): Span[] => {
    const text = textOf(state);
    const span: Span = counts[state] === 0 ? [text, "dim"] : stateSpan(state, text);
    return index === 0 ? [span] : ["  ", span];
  });
}

/** Throughput as a row of bars as long as there is room for, and in numbers. */
export function throughputLine({ stats, history }: Overview, columns: number): Line {
  const { completed, failedAttempts } = stats.lastMinute;
  const text = `${rate(completed)} completed`;
  const failed = `, ${failedAttempts} failed in the last minute`;
  const room = Math.max(0, columns - text.length - failed.length - 2);
  const bars = sparkline(history.map((step) => step.completed)).slice(-Math.min(STEPS, room));
  return [
    ...(room < 8 ? [] : [[bars, "green"] as const, "  "]),
    text,
    failedAttempts === 0 ? [failed, "dim"] : [failed, "yellow"],
  ];
}

/** The oldest ready job, paused queues, free and busy workers. */
export function conditionLine({ stats, workers, nowMs }: Overview): Line {
  const busy = workers.filter(({ jobId }) => jobId !== null).length;
  const paused = pausedQueues(stats);
  const waitsMs = oldestMs(stats, nowMs);
  return [
    workers.length === 0 ? ["no workers", "yellow"] : `workers ${busy} of ${workers.length} busy`,
    "  ",
    waitsMs === null ? ["no job is ready", "dim"] : `oldest ready job ${humanDuration(waitsMs)}`,
    ...(paused.length === 0 ? [] : ["  ", [`paused: ${paused.join(", ")}`, "yellow"] as const]),
  ];
}

/** How long the job waits that has been due for the longest time; null: none is due. */
export function oldestMs(
  { oldestReadyAtMs }: { readonly oldestReadyAtMs: number | null },
  nowMs: number,
): number | null {
  if (oldestReadyAtMs === null) return null;
  return Math.floor(Math.max(0, nowMs - oldestReadyAtMs) / 1_000) * 1_000;
}

function pausedQueues({ queues }: Stats): string[] {
  return queues.filter(({ rules }) => rules.pausedAtMs !== null).map(({ queue }) => queue);
}

/** `3.5/s`, or for less `12/min`. */
function rate(inMinute: number): string {
  return inMinute < 60 ? `${inMinute}/min` : `${(inMinute / 60).toFixed(inMinute < 600 ? 1 : 0)}/s`;
}
