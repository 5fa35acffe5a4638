/** `queuectl completions`: a script that completes command lines. */
import type { Invocation } from "../command.ts";
import { completionScript, type Shell, SHELLS } from "../completions.ts";
import { EXIT, UsageError } from "../exit.ts";
import { didYouMean } from "../suggest.ts";

export function run({ args, out }: Invocation): Promise<number> {
  const shell = args[0]!;
  if (!(SHELLS as readonly string[]).includes(shell)) {
    throw new UsageError(
      `expected one of ${SHELLS.join(", ")}, got ${JSON.stringify(shell)}` +
        didYouMean(shell, SHELLS),
    );
  }
  const script = completionScript(shell as Shell);
  if (out.isJson) out.json({ shell, script });
  else out.raw(new TextEncoder().encode(script));
  return Promise.resolve(EXIT.done);
}
