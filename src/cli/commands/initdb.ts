/** `queuectl initdb`: creates the database. */
import { absoluteDatabase, shownDatabase } from "../../lib/database_url.ts";
import { EXIT } from "../exit.ts";
import type { Invocation } from "../command.ts";
import { withQueue } from "../context.ts";

export function run(invocation: Invocation): Promise<number> {
  const { io, out } = invocation;
  return withQueue(invocation, ({ settings }) => {
    const db = shownDatabase(absoluteDatabase(io.cwd(), settings.db));
    if (out.isJson) out.json({ db });
    else out.line(`Database ready: ${db}`);
    return Promise.resolve(EXIT.done);
  });
}
