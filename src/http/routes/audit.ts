/** The audit log: who changed what. */
import { LIMITS } from "../../job/job.ts";
import { auditView } from "../../queue/views.ts";
import type { Call } from "../context.ts";
import { json } from "../headers.ts";
import { parseQuery, wholeNumber } from "../query.ts";

const PARAMETERS = {
  limit: wholeNumber(1, LIMITS.listPage),
  /** The `seq` of the last entry of the page before. */
  before: wholeNumber(1, Number.MAX_SAFE_INTEGER),
};

export async function getAudit({ services, query }: Call): Promise<Response> {
  const { limit = LIMITS.listPageDefault, before } = parseQuery(query, PARAMETERS);
  const entries = await services.queue.audit({ limit, beforeSeq: before });
  return json({ entries: entries.map(auditView) });
}
