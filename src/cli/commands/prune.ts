/** `queuectl prune`: deletes finished jobs that are old enough, or says which it would delete. */
import { retentionOf } from "../../config/settings.ts";
import { describeRetention, type FinishedState, narrowRetention } from "../../job/retention.ts";
import { FINISHED_STATES } from "../../job/state.ts";
import { prune, type Pruned, shrink, total } from "../../maintenance/pruner.ts";
import { sweepFiles } from "../../queue/file_writer.ts";
import type { Invocation } from "../command.ts";
import { signatureOf, withQueue } from "../context.ts";
import { durationOption } from "../durations.ts";
import { EXIT, UsageError } from "../exit.ts";
import { plural } from "../../lib/plural.ts";

export function run(invocation: Invocation): Promise<number> {
  const { io, options, out } = invocation;
  const isDry = options.isOn("dry-run");
  const olderThanMs = durationOption(invocation, "older-than");
  const states = readStates(options.text("state"));
  return withQueue(invocation, async ({ store, settings }) => {
    const retention = narrowRetention(retentionOf(settings), { olderThanMs, states });
    const before = await store.size();
    if (!isDry) await store.note("prune", describeRetention(retention), signatureOf(io, store));
    const pruned = await prune(store, retention, { nowMs: store.clock(), isDry });
    if (!isDry) {
      await sweepFiles(store, store.clock());
      await shrink(store, { leftShare: 0 });
    }
    const after = await store.size();
    if (out.isJson) {
      out.json({
        dry_run: isDry,
        deleted: isDry ? 0 : total(pruned),
        [isDry ? "would_delete" : "deleted_by_state"]: pruned,
        bytes_before: before.bytes,
        bytes_after: after.bytes,
      });
      return EXIT.done;
    }
    out.line(`${isDry ? "Would delete" : "Deleted"} ${sentence(pruned)}`);
    const given = before.bytes - after.bytes;
    if (given > 0) {
      out.note(`The database shrank from ${rough(before.bytes)} to ${rough(after.bytes)}.`);
    }
    return EXIT.done;
  });
}

/** @throws {UsageError} */
function readStates(text: string | undefined): readonly FinishedState[] | undefined {
  if (text === undefined) return undefined;
  const words = text === "all" ? FINISHED_STATES : text.split(",").map((word) => word.trim());
  const stranger = words.find((word) => !(FINISHED_STATES as readonly string[]).includes(word));
  if (stranger === undefined) return words as readonly FinishedState[];
  throw new UsageError(
    `--state: expected all, or one or more of ${FINISHED_STATES.join(",")}, got ` +
      JSON.stringify(stranger),
  );
}

function sentence(pruned: Pruned): string {
  const parts = FINISHED_STATES.filter((state) => pruned[state] > 0)
    .map((state) => `${pruned[state]} ${state}`);
  const detail = parts.length === 0 ? "" : `: ${parts.join(", ")}`;
  return `${plural(total(pruned), "finished job")}${detail}`;
}

/** `23.4MiB`. */
function rough(bytes: number): string {
  const [unit, factor] = bytes >= 2 ** 20 ? ["MiB", 2 ** 20] : ["KiB", 2 ** 10];
  return `${(bytes / (factor as number)).toFixed(1).replace(/\.0$/, "")}${unit}`;
}
