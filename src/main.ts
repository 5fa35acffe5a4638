/** Entry: runs the command line. The only place that ends the process. */
import { processIo } from "./cli/io.ts";
import { runCli } from "./cli/run.ts";

if (import.meta.main) Deno.exit(await runCli(Deno.args, processIo()));
