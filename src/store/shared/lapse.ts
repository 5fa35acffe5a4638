/** What is said of an attempt whose lease nobody honours any more. */
import type { AttemptError } from "../../job/job.ts";
import type { ReapRequest } from "../store.ts";

/** What is said of an attempt whose lease was taken back. */
export function describeLapse(
  worker: string | null,
  holder: string,
  { deadHolders }: ReapRequest,
): AttemptError {
  return deadHolders.includes(holder)
    ? { code: "lapse", message: `the process of worker ${worker} ended while the job ran` }
    : { code: "lapse", message: `worker ${worker} gave no sign of life until its lease ran out` };
}
