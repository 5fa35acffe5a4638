/**
 * Jobs that a running one asks to be added together with its success: checks them, keeps them with
 * the attempt in its worker's hands, and answers the worker. They are added by whoever settles it.
 */
import { InvalidInputError, type Problem } from "../job/errors.ts";
import { messageOf } from "../lib/error_message.ts";
import type { Queue } from "../queue/queue.ts";
import type { FromWorker } from "../worker/protocol.ts";
import type { Slot } from "./slot.ts";

/** What the follow-ups of one attempt may take together, in bytes of their payloads. */
const TOTAL_BYTES = 64 * 1024 * 1024;

/** Never rejects: what is wrong with the job is told to the attempt that asked for it. */
export async function keepFollowUp(
  queue: Queue,
  slot: Slot,
  { lease, ref, job }: Extract<FromWorker, { type: "enqueue" }>,
): Promise<void> {
  const inHand = slot.inHand.get(lease.seq);
  const refuse = (problems: readonly Problem[]) =>
    slot.tell({ type: "enqueued", ref, followUp: { problems } });
  try {
    const prepared = await queue.prepare(job);
    if (inHand?.job.token !== lease.token) return refuse([TOO_LATE]);
    const bytes = inHand.followUps.reduce((sum, { payload }) => sum + payload.length, 0);
    if (bytes + prepared.payload.length > TOTAL_BYTES) return refuse([TOO_MUCH]);
    inHand.followUps.push(prepared);
    slot.tell({ type: "enqueued", ref, followUp: { id: prepared.id } });
  } catch (error) {
    if (error instanceof InvalidInputError) return refuse(error.problems);
    refuse([{ detail: messageOf(error), pointer: "" }]);
  }
}

const TOO_LATE: Problem = { detail: "the attempt is over", pointer: "" };
const TOO_MUCH: Problem = {
  detail: `the payloads of its follow-ups take more than ${TOTAL_BYTES} bytes`,
  pointer: "",
};
