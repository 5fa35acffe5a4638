/** Every experiment, in the order in which they run. To add one, add a file and a row. */
import type { Experiment } from "./experiment.ts";
import { kills } from "./experiments/kills.ts";
import { power } from "./experiments/power.ts";

export const EXPERIMENTS: readonly Experiment[] = [kills, power];
