/** What flow control costs: the drain of a queue with limits, and of one whose jobs have keys. */
import { runModule } from "../child.ts";
import { alternate } from "../rounds.ts";
import type { BenchContext, Row, Scenario } from "../scenario.ts";
import type { DrainFigures, DrainOptions } from "./drain.ts";

export const flow: Scenario = {
  name: "flow",
  about: "the drain of a queue with limits, and with jobs of a hundred keys, beside plain jobs",
  run: runFlow,
};

async function runFlow(context: BenchContext): Promise<Row[]> {
  const drainOf = async (flow?: DrainOptions["flow"]) => {
    await using directory = context.scratch.directory();
    const options: DrainOptions = {
      directory: directory.path,
      jobs: context.pick(60_000, 20_000),
      payloadBytes: 100,
      inFlight: 64,
      workers: 2,
      flow,
    };
    return await runModule<DrainFigures>("./ours/drain.ts", options);
  };
  const limited = await alternate(context, {
    ours: () => drainOf("limits"),
    bare: () => drainOf(),
  });
  const keyed = await alternate(context, { ours: () => drainOf("keys"), bare: () => drainOf() });
  const row = (what: string, { ours, bare }: typeof limited, ratio: number): Row => ({
    what,
    unit: "jobs/s",
    ours: ours.drainPerSecond,
    bare: bare.drainPerSecond,
    better: "higher",
    wanted: { ratio },
    note: "compared with queuectl's own drain of plain jobs",
  });
  return [
    row("waiting jobs, limits that are not reached", limited, 0.9),
    row("waiting jobs of 100 keys in turn", keyed, 0.4),
  ];
}
