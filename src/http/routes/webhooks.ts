/** Webhooks: what was posted where, what became of it, and sending it again. */
import { LIMITS } from "../../job/job.ts";
import { ID_PATTERN } from "../../job/parse.ts";
import { deliveryView, Webhooks, wholeDeliveryView } from "../../queue/webhooks.ts";
import { DELIVERY_STATES, type DeliveryState } from "../../store/deliveries.ts";
import type { Call } from "../context.ts";
import { json } from "../headers.ts";
import { type ParameterParser, parseQuery, wholeNumber } from "../query.ts";

const PARAMETERS = {
  state: parseState,
  job_id: parseJobId,
  limit: wholeNumber(1, LIMITS.listPage),
  /** The `next_before` of the page before. */
  before: wholeNumber(1, Number.MAX_SAFE_INTEGER),
} satisfies Record<string, ParameterParser<unknown>>;

export async function getWebhooks(call: Call): Promise<Response> {
  const { state, job_id, limit, before } = parseQuery(call.query, PARAMETERS);
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

function parseState(text: string): { value: DeliveryState } | { expected: string } {
  const value = DELIVERY_STATES.find((one) => one === text);
  if (value !== undefined) return { value };
  return { expected: `expected one of ${DELIVERY_STATES.join(", ")}` };
}

function parseJobId(text: string): { value: string } | { expected: string } {
  if (ID_PATTERN.test(text)) return { value: text };
  return { expected: "expected a job's id" };
}
