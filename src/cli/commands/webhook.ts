/** `queuectl webhook list|show|replay|secret`: outcomes that are posted, and what signs them. */
import { LIMITS } from "../../job/job.ts";
import { readWebhookSecrets } from "../../lib/webhook_secret.ts";
import { deliveryView, OLD_SECRET_MS, Webhooks, wholeDeliveryView } from "../../queue/webhooks.ts";
import {
  type Delivery,
  DELIVERY_STATES,
  type DeliveryState,
  type StoredDelivery,
} from "../../store/deliveries.ts";
import { formatDuration } from "../../lib/duration.ts";
import { publicUrl } from "../../lib/outbound/url.ts";
import type { Invocation } from "../command.ts";
import { withQueue } from "../context.ts";
import { EXIT, UsageError } from "../exit.ts";
import { type Column, oneLine, type Output, sanitize } from "../output.ts";

export function run(invocation: Invocation): Promise<number> {
  const action = invocation.spec.path[1] as keyof typeof ACTIONS;
  return ACTIONS[action](invocation);
}

const ACTIONS = { list, show, replay, secret } as const;

const COLUMNS: readonly Column[] = [
  { title: "ID" },
  { title: "STATE" },
  { title: "EVENT" },
  { title: "JOB" },
  { title: "ATTEMPTS", align: "right" },
  { title: "CREATED" },
  { title: "NEXT" },
  { title: "URL" },
  { title: "ERROR" },
];

function list(invocation: Invocation): Promise<number> {
  const { options, out } = invocation;
  const limit = options.integer("limit", { least: 1, most: LIMITS.listPage }) ??
    LIMITS.listPageDefault;
  const query = { limit, state: stateOf(options.text("state")), jobId: options.text("job") };
  return withQueue(invocation, async ({ queue }) => {
    const { deliveries, nextNumber } = await new Webhooks(queue).list(query);
    if (out.isJson) out.json(deliveries.map(deliveryView));
    else if (deliveries.length === 0) out.note("There are no webhooks like that.");
    else out.table(COLUMNS, deliveries.map((delivery) => cells(delivery, out)));
    if (nextNumber !== null) out.note(`Only the newest ${limit} are shown; --limit N shows more.`);
    return EXIT.done;
  });
}

function stateOf(word: string | undefined): DeliveryState | undefined {
  const state = DELIVERY_STATES.find((one) => one === word);
  if (state !== undefined || word === undefined) return state;
  throw new UsageError(
    `--state: expected one of ${DELIVERY_STATES.join(", ")}, got ${JSON.stringify(word)}`,
  );
}

function cells(delivery: Delivery, out: Output): string[] {
  return [
    delivery.id,
    delivery.state,
    delivery.event,
    delivery.jobId,
    String(delivery.attempts),
    out.time(delivery.createdAtMs),
    out.time(delivery.nextAtMs),
    oneLine(publicUrl(delivery.url)),
    oneLine(delivery.lastError ?? ""),
  ];
}

function show(invocation: Invocation): Promise<number> {
  const { args, out } = invocation;
  return withQueue(invocation, async ({ queue }) => {
    const delivery = await new Webhooks(queue).find(args[0]!);
    if (out.isJson) out.json(wholeDeliveryView(delivery));
    else print(out, delivery);
    return EXIT.done;
  });
}

function print(out: Output, delivery: StoredDelivery): void {
  out.facts([
    ["Webhook", delivery.id],
    ["State", delivery.state],
    ["Event", delivery.event],
    ["Job", delivery.jobId],
    ["URL", oneLine(publicUrl(delivery.url), 400)],
    ["Attempts", String(delivery.attempts)],
    ["Status", delivery.lastStatus === null ? null : String(delivery.lastStatus)],
    ["Error", delivery.lastError === null ? null : oneLine(delivery.lastError, 400)],
    ["Created", out.fullTime(delivery.createdAtMs)],
    ["Last attempt", out.fullTime(delivery.lastAttemptAtMs)],
    ["Next attempt", out.fullTime(delivery.nextAtMs)],
    ["Finished", out.fullTime(delivery.finishedAtMs)],
  ]);
  out.line();
  out.heading("Body");
  out.line(sanitize(JSON.stringify(JSON.parse(delivery.body), null, 2)));
}

function replay(invocation: Invocation): Promise<number> {
  const { args, out } = invocation;
  return withQueue(invocation, async ({ queue }) => {
    const webhooks = new Webhooks(queue);
    // Those that do not exist are found before any is sent again.
    for (const id of args) await webhooks.find(id);
    const replayed: StoredDelivery[] = [];
    for (const id of args) replayed.push(await webhooks.replay(id));
    if (out.isJson) out.json(replayed.map(deliveryView));
    else for (const { id } of replayed) out.line(`Webhook ${id} will be sent again`);
    return EXIT.done;
  });
}

function secret(invocation: Invocation): Promise<number> {
  const { options, out } = invocation;
  const isRotation = options.isOn("rotate");
  return withQueue(invocation, async ({ queue, settings }) => {
    const file = settings["webhook-secret-file"];
    if (file !== null && isRotation) {
      throw new UsageError(
        `the secret stands in the file ${file} (webhook-secret-file), so it is not made here`,
        "put the new secret in its first line and leave the old one below it for a while",
      );
    }
    const webhooks = new Webhooks(queue);
    const text = file !== null
      ? secretInFile(file)
      : isRotation
      ? await webhooks.rotateSecret()
      : await webhooks.secret();
    if (out.isJson) out.json({ secret: text, rotated: isRotation });
    else out.line(text);
    if (isRotation) {
      out.note(`The secret before it goes on signing for ${formatDuration(OLD_SECRET_MS)}.`);
    }
    return EXIT.done;
  });
}

/** @throws {UsageError} when it cannot be read. */
function secretInFile(path: string): string {
  try {
    return readWebhookSecrets(path)[0]!;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}
