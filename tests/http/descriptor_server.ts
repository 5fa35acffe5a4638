/**
 * A server for `server.test.ts` to run in a process of its own, with few file descriptors. Prints
 * its port, then every error that it logs; runs until it is killed.
 */
import { silentLog } from "../helpers/silent_log.ts";
import { httpBench } from "../helpers/http.ts";

const bench = await httpBench({
  log: {
    ...silentLog,
    error: (event, fields) => console.log(`${event} ${fields?.message}`),
  },
});
// As the program does. The runtime panics when it finds no descriptor for its first use of signals.
Deno.addSignalListener("SIGTERM", () => Deno.exit());
console.log(bench.server.port);
