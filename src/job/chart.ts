/**
 * The state chart of the documentation, drawn from the transition table so that it cannot lie. Pure
 * text; a test compares it with what stands in `src/README.md`.
 */
import { FINISHED_STATES, type JobState, type Transition, TRANSITIONS } from "./state.ts";

/**
 * The transitions as a Mermaid state diagram: one arrow for each pair of states, labelled with the
 * events that lead along it.
 *
 * @example
 * ```ts
 * import { stateChart } from "./chart.ts";
 * import assert from "node:assert/strict";
 * assert.match(stateChart(), /started --> processing: begin/);
 * ```
 */
export function stateChart(): string {
  const labels = new Map<string, string[]>();
  for (const [event, { from, to }] of Object.entries<Transition>(TRANSITIONS)) {
    for (const state of from) {
      const arrow = `${state} --> ${to}`;
      labels.set(arrow, [...(labels.get(arrow) ?? []), event]);
    }
  }
  const arrows = [...labels].map(([arrow, events]) => `  ${arrow}: ${events.join(", ")}`);
  const ends = FINISHED_STATES.map((state: JobState) => `  ${state} --> [*]`);
  return ["stateDiagram-v2", "  [*] --> pending: add", ...arrows, ...ends].join("\n");
}
