/** Commands and nothing else: so many at once, their output captured. */
import type { CommandFigures, CommandOptions } from "../scenarios/commands.ts";

const { commands, concurrency }: CommandOptions = JSON.parse(Deno.args[0]!);

async function runAll(count: number): Promise<number> {
  const startMs = performance.now();
  let begun = 0;
  await Promise.all(Array.from({ length: concurrency }, async () => {
    while (begun++ < count) {
      const { success } = await new Deno.Command("sh", {
        args: ["-c", "true"],
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
      }).output();
      if (!success) throw new Error("true failed");
    }
  }));
  return count / (performance.now() - startMs) * 1_000;
}

await runAll(20);
const figures: CommandFigures = { perSecond: await runAll(commands) };
console.log(JSON.stringify(figures));
