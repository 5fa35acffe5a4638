/** Every scenario, in the order of the table. To add one, add a file and a row. */
import type { Scenario } from "./scenario.ts";
import { commands } from "./scenarios/commands.ts";
import { drain } from "./scenarios/drain.ts";
import { flow } from "./scenarios/flow.ts";
import { history } from "./scenarios/history.ts";
import { idle } from "./scenarios/idle.ts";
import { memory } from "./scenarios/memory.ts";
import { overload } from "./scenarios/overload.ts";
import { postgres } from "./scenarios/postgres.ts";
import { startup } from "./scenarios/startup.ts";
import { statusReads } from "./scenarios/status_reads.ts";
import { submit } from "./scenarios/submit.ts";

export const SCENARIOS: readonly Scenario[] = [
  submit,
  drain,
  flow,
  statusReads,
  idle,
  commands,
  history,
  memory,
  startup,
  overload,
  postgres,
];
