/** The audit log: who changed what. */
import { LIMITS } from "../../job/job.ts";
import { auditView } from "../../queue/views.ts";
import type { Call } from "../context.ts";
import { json } from "../headers.ts";
import { parseQuery, wholeNumber } from "../query.ts";

export const AUDIT_PARAMETERS = {
  limit: wholeNumber(1, LIMITS.listPage, "At most so many entries."),
  before: wholeNumber(
    1,
    Number.MAX_SAFE_INTEGER,
    "Only older ones: the seq of the last entry of the page before.",
  ),
};

export async function getAudit({ services, query }: Call): Promise<Response> {
  const { limit = LIMITS.listPageDefault, before } = parseQuery(query, AUDIT_PARAMETERS);
  const entries = await services.queue.audit({ limit, beforeSeq: before });
  return json({ entries: entries.map(auditView) });
}
