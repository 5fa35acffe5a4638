/** How long the program takes to start, compared with a program that does nothing. */
import { moduleWords, programWords, run, type Words } from "../child.ts";
import { median } from "../numbers.ts";
import type { BenchContext, Row, Scenario } from "../scenario.ts";
import { startServe } from "../servers.ts";

export const startup: Scenario = {
  name: "startup",
  about: "--help, add, show and a serve that is ready, of the program that QUEUECTL names",
  run: runStartup,
};

const JOB_ID = "startup";

async function runStartup(context: BenchContext): Promise<Row[]> {
  await using directory = context.scratch.directory();
  const db = ["--db", `${directory.path}/queue.db`];
  const empty = await emptyProgram(context, directory.path);
  await run(programWords("add", "--id", JOB_ID, ...db, "true"));

  const commands: Record<string, () => Promise<void>> = {
    empty: () => toEnd(empty.words),
    help: () => toEnd(programWords("--help")),
    add: () => toEnd(programWords("add", ...db, "true")),
    show: () => toEnd(programWords("show", ...db, JOB_ID)),
    async serve() {
      await using served = context.scratch.directory();
      const startMs = performance.now();
      await using server = await startServe(served.path, { words: programWords });
      found["serve"]!.push(performance.now() - startMs);
      await (await fetch(`http://127.0.0.1:${server.port}/readyz`)).body?.cancel();
    },
  };
  const found: Record<string, number[]> = Object.fromEntries(
    Object.keys(commands).map((name) => [name, []]),
  );

  async function toEnd(words: Words): Promise<void> {
    await run(words);
  }

  for (let sample = 0; sample < context.pick(10, 4); sample++) {
    context.progress(`start ${sample + 1}`);
    for (const [name, command] of Object.entries(commands)) {
      const startMs = performance.now();
      await command();
      if (name !== "serve") found[name]!.push(performance.now() - startMs);
    }
  }
  const emptyMs = median(found["empty"]!);
  const row = (what: string, name: string, ratio: number): Row => ({
    what,
    unit: "ms",
    ours: median(found[name]!),
    bare: emptyMs,
    better: "lower",
    wanted: { ratio },
    note: name === "help" ? `compared with ${empty.what}` : undefined,
  });
  return [
    row("--help", "help", 2.5),
    row("add", "add", 2.5),
    row("show", "show", 2.5),
    row("serve is ready", "serve", 4),
  ];
}

/**
 * An executable that does nothing, to compare an executable with; it is compiled here, which needs
 * the network or `DENORT_BIN`, as `deno task compile` does. Else the runtime with an empty module.
 */
async function emptyProgram(
  context: BenchContext,
  directory: string,
): Promise<{ words: Words; what: string }> {
  if (Deno.env.get("QUEUECTL")) {
    const output = `${directory}/empty`;
    const source = `${directory}/empty.ts`;
    await Deno.writeTextFile(source, "");
    try {
      const compile = ["compile", "--quiet", "--no-check", "--no-lock", "--output", output, source];
      await run([Deno.execPath(), ...compile], { cwd: directory });
      await run([output]);
      return { words: [output], what: "an empty executable" };
    } catch (error) {
      context.progress(`no empty executable: ${(error as Error).message.split("\n")[1] ?? error}`);
    }
  }
  return { words: moduleWords("./bare/empty.ts"), what: "`deno run` of an empty module" };
}
