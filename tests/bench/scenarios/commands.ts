/** How many commands a second are run. */
import { runModule } from "../child.ts";
import { alternate } from "../rounds.ts";
import type { BenchContext, Row, Scenario } from "../scenario.ts";

export interface CommandOptions {
  readonly directory: string;
  readonly commands: number;
  readonly concurrency: number;
}

export type CommandFigures = { readonly perSecond: number };

export const commands: Scenario = {
  name: "commands",
  about: "command jobs that run `true`, 2 and 4 at once",
  run: runCommands,
};

async function runCommands(context: BenchContext): Promise<Row[]> {
  const rows: Row[] = [];
  for (const concurrency of [2, 4]) {
    const figuresOf = async (program: string) => {
      await using directory = context.scratch.directory();
      return await runModule<CommandFigures>(
        program,
        {
          directory: directory.path,
          commands: context.pick(500, 300),
          concurrency,
        } satisfies CommandOptions,
      );
    };
    const { ours, bare } = await alternate(context, {
      ours: () => figuresOf("./ours/commands.ts"),
      bare: () => figuresOf("./bare/commands.ts"),
    });
    rows.push({
      what: `true, ${concurrency} at once`,
      unit: "jobs/s",
      ours: ours.perSecond,
      bare: bare.perSecond,
      better: "higher",
      wanted: { ratio: 0.8 },
    });
  }
  return rows;
}
