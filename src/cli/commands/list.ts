/** `queuectl list`: jobs in a table. */
import { isJobState, type JobState, STATES } from "../../job/state.ts";
import { EXIT, UsageError } from "../exit.ts";
import type { Invocation } from "../command.ts";
import { withQueue } from "../context.ts";
import { printJobs, readFilter } from "../job_table.ts";
import { didYouMean } from "../suggest.ts";

export function run(invocation: Invocation): Promise<number> {
  const { options } = invocation;
  if (options.isOn("dlq") && options.has("state")) {
    throw new UsageError("give either --dlq or --state, not both");
  }
  const states = options.isOn("dlq")
    ? ["dead"] as const
    : parseStates(options.text("state") ?? (options.has("search") ? "all" : "pending"));
  const filter = readFilter(invocation, states);
  return withQueue(invocation, async ({ queue }) => {
    await printJobs(invocation, queue, filter);
    return EXIT.done;
  });
}

/** The states that the words name; undefined: all of them. */
function parseStates(words: string): readonly JobState[] | undefined {
  const states: JobState[] = [];
  for (const word of words.split(",").map((part) => part.trim().toLowerCase())) {
    if (word === "all") return undefined;
    if (!isJobState(word)) {
      const meant = word === "done" ? '; did you mean "completed"?' : didYouMean(word, STATES);
      throw new UsageError(
        `--state: expected one of ${STATES.join(", ")}, all, got ${JSON.stringify(word)}${meant}`,
      );
    }
    states.push(word);
  }
  return states;
}
