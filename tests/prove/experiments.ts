/** Every experiment, in the order in which they run. To add one, add a file and a row. */
import type { Experiment } from "./experiment.ts";
import { abuse } from "./experiments/abuse.ts";
import { claims } from "./experiments/claims.ts";
import { clock } from "./experiments/clock.ts";
import { fuzz } from "./experiments/fuzz.ts";
import { kills } from "./experiments/kills.ts";
import { model } from "./experiments/model.ts";
import { power } from "./experiments/power.ts";
import { removals } from "./experiments/removals.ts";
import { soak } from "./experiments/soak.ts";
import { stop } from "./experiments/stop.ts";
import { storage } from "./experiments/storage.ts";

export const EXPERIMENTS: readonly Experiment[] = [
  ...[kills, power, stop, storage, clock, claims, model, fuzz, abuse, soak, removals],
];
