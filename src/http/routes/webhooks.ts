/** Webhooks: what was posted where, what became of it, and sending it again. */
import { LIMITS } from "../../job/job.ts";
import { deliveryView, Webhooks, wholeDeliveryView } from "../../queue/webhooks.ts";
import { DELIVERY_STATES } from "../../store/deliveries.ts";
import type { Call } from "../context.ts";
import { json } from "../headers.ts";
import { nameParameter, parseQuery, wholeNumber, wordParameter } from "../query.ts";

export const WEBHOOK_PARAMETERS = {
  state: wordParameter(DELIVERY_STATES, "Only webhooks in this state."),
  job_id: nameParameter("Only those of this job."),
  limit: wholeNumber(1, LIMITS.listPage, `At most so many. Default: ${LIMITS.listPageDefault}.`),
  before: wholeNumber(1, Number.MAX_SAFE_INTEGER, "The next_before of the page before."),
};

export async function getWebhooks(call: Call): Promise<Response> {
  const { state, job_id, limit, before } = parseQuery(call.query, WEBHOOK_PARAMETERS);
  const page = await webhooksOf(call).list({
    state,
    jobId: job_id,
    limit: limit ?? LIMITS.listPageDefault,
    beforeNumber: before,
  });
  return json({ webhooks: page.deliveries.map(deliveryView), next_before: page.nextNumber });
}

export async function getWebhook(call: Call): Promise<Response> {
  return json(wholeDeliveryView(await webhooksOf(call).find(call.params["id"]!)));
}

export async function replayWebhook(call: Call): Promise<Response> {
  return json(deliveryView(await webhooksOf(call).replay(call.params["id"]!, call.caller.name)));
}

function webhooksOf({ services: { queue } }: Call): Webhooks {
  return new Webhooks(queue);
}
