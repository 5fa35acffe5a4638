/** `queuectl audit`: who changed what. */
import { auditView } from "../../queue/views.ts";
import { AUDIT_KEPT } from "../../store/store.ts";
import type { Invocation } from "../command.ts";
import { withStore } from "../context.ts";
import { EXIT } from "../exit.ts";
import { LIMITS } from "../../job/job.ts";
import { type Column, oneLine } from "../output.ts";

const COLUMNS: readonly Column[] = [
  { title: "WHEN" },
  { title: "WHO" },
  { title: "DID" },
  { title: "TO" },
  { title: "OUTCOME" },
  { title: "DETAIL" },
];

export function run(invocation: Invocation): Promise<number> {
  const { options, out } = invocation;
  const limit = options.integer("limit", { least: 1, most: AUDIT_KEPT }) ?? LIMITS.listPageDefault;
  return withStore(invocation, async ({ store }) => {
    const entries = await store.audit({ limit });
    if (out.isJson) {
      out.json(entries.map(auditView));
    } else if (entries.length === 0) {
      out.note("Nothing has been changed yet.");
    } else {
      out.table(
        COLUMNS,
        entries.map(({ atMs, by, action, target, outcome, detail }) => [
          out.time(atMs),
          oneLine(by),
          action,
          oneLine(target),
          outcome,
          detail === null ? "" : oneLine(detail),
        ]),
      );
    }
    return EXIT.done;
  });
}
