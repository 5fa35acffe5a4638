/**
 * What has happened over time, as bars. Drawn by the server as SVG, without a style of its own: the
 * colours stand in the style sheet, where light and dark are known.
 */
import type { HistoryStep } from "../store/store.ts";
import { count, percent } from "./format.ts";

const HEIGHT = 100;
/** Of a bar's place; the rest is the gap to the next one. */
const BAR_WIDTH = 0.78;

/** Bars of completed jobs and failed attempts, with what they add up to. */
export function HistoryChart(
  { steps, stepMs, label }: { steps: readonly HistoryStep[]; stepMs: number; label: string },
) {
  const sum = (pick: (step: HistoryStep) => number) =>
    steps.reduce((total, step) => total + pick(step), 0);
  const added = sum((step) => step.added);
  const completed = sum((step) => step.completed);
  const failed = sum((step) => step.failedAttempts);
  const dead = sum((step) => step.dead);
  const ceiling = niceCeiling(
    Math.max(1, ...steps.map((step) => step.completed + step.failedAttempts)),
  );
  const summary = `${label}: ${count(added)} jobs added, ${count(completed)} completed, ` +
    `${count(failed)} attempts failed (${percent(failed, completed + failed)} of all attempts), ` +
    `${count(dead)} jobs dead.`;
  return (
    <figure class="chart">
      <div class="chart-area">
        <span class="chart-most soft" aria-hidden="true">{count(ceiling)}</span>
        <svg
          viewBox={`0 0 ${steps.length} ${HEIGHT}`}
          preserveAspectRatio="none"
          role="img"
          aria-label={summary}
        >
          {steps.map((step, index) => (
            <Bar step={step} stepMs={stepMs} index={index} scale={HEIGHT / ceiling} />
          ))}
        </svg>
        <div class="chart-axis soft" aria-hidden="true">
          <span>{timeOf(steps[0]!.fromMs)}</span>
          <span>now</span>
        </div>
      </div>
      <figcaption>
        <span>
          <b>{count(added)}</b> added
        </span>
        <span>
          <i class="key good"></i>
          <b>{count(completed)}</b> completed
        </span>
        <span>
          <i class="key bad"></i>
          <b>{count(failed)}</b> attempts failed
        </span>
        <span>
          <b>{percent(failed, completed + failed)}</b> failure rate
        </span>
        <span>
          <b>{count(dead)}</b> dead
        </span>
      </figcaption>
    </figure>
  );
}

function Bar(
  { step, stepMs, index, scale }: {
    step: HistoryStep;
    stepMs: number;
    index: number;
    scale: number;
  },
) {
  const good = round(step.completed * scale);
  const bad = round(step.failedAttempts * scale);
  const x = round(index + (1 - BAR_WIDTH) / 2);
  return (
    <g>
      <title>{stepText(step, stepMs)}</title>
      <rect class="hit" x={index} y="0" width="1" height={HEIGHT} />
      {good > 0 && (
        <rect class="good" x={x} y={round(HEIGHT - good)} width={BAR_WIDTH} height={good} />
      )}
      {bad > 0 && (
        <rect class="bad" x={x} y={round(HEIGHT - good - bad)} width={BAR_WIDTH} height={bad} />
      )}
    </g>
  );
}

function stepText(step: HistoryStep, stepMs: number): string {
  const { fromMs, added, completed, failedAttempts, dead } = step;
  return `${timeOf(fromMs)} to ${timeOf(fromMs + stepMs)}: ${count(completed)} completed, ` +
    `${count(failedAttempts)} attempts failed, ${count(dead)} dead, ${count(added)} added`;
}

/** `05:31`, or with seconds where they matter. */
function timeOf(atMs: number): string {
  const time = new Date(atMs).toISOString().slice(11, 19);
  return time.endsWith(":00") ? time.slice(0, 5) : time;
}

/** 1, 2 or 5 times a power of ten, no less than the value. */
function niceCeiling(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((factor) => factor * power).find((nice) => nice >= value)!;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
