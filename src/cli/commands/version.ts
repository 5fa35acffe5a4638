/** `queuectl version`. */
import { EXIT } from "../exit.ts";
import type { Invocation } from "../command.ts";
import { VERSION } from "../version.ts";

export function run({ out }: Invocation): Promise<number> {
  if (out.isJson) {
    out.json({ version: VERSION, deno: Deno.version.deno, target: Deno.build.target });
  } else out.line(`queuectl ${VERSION}`);
  return Promise.resolve(EXIT.done);
}
