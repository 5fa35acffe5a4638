/**
 * Entry: runs the command line, or the host of a user's module, which needs no more than that. The
 * only place that ends the process.
 */
import { HOST_COMMAND } from "./lib/self.ts";

async function main([word, path, ...others]: readonly string[]): Promise<number> {
  if (word === HOST_COMMAND && path !== undefined && others.length === 0) {
    const { runHost } = await import("./handlers/host/host.ts");
    return await runHost(path);
  }
  const [{ runCli }, { processIo }] = await Promise.all([
    import("./cli/run.ts"),
    import("./cli/io.ts"),
  ]);
  return await runCli(Deno.args, processIo());
}

if (import.meta.main) Deno.exit(await main(Deno.args));
