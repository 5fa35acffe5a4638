/** The commands that would add the same job once more, to copy into a terminal. Pure. */
import { commandText, quoteWord } from "../job/command_text.ts";
import type { Job, Payload } from "../job/job.ts";
import { formatDuration } from "../lib/duration.ts";

export interface Recipes {
  readonly cli: string;
  readonly curl: string;
}

/** More than this makes no good command line; the payload then comes from a file. */
const MOST_CHARACTERS = 8_000;

/** `hasToken`: requests to this server need one. */
export function recipesFor(
  job: Job,
  payload: Payload,
  { origin, hasToken }: { origin: string; hasToken: boolean },
): Recipes {
  const fields = jobFields(job, payload);
  const json = fields === null ? null : JSON.stringify(fields);
  const auth = hasToken ? ' -H "Authorization: Bearer $QUEUECTL_TOKEN"' : "";
  if (json === null || json.length > MOST_CHARACTERS) {
    const curl = `curl${auth} -F file=@FILE ${origin}/jobs`;
    return { cli: `queuectl submit --api ${origin} --file FILE`, curl };
  }
  return {
    cli: job.kind === "command" ? addCommand(job, payload) : `queuectl enqueue ${quoteWord(json)}`,
    curl: `curl ${origin}/jobs${auth} -H 'content-type: application/json' -d ${quoteWord(json)}`,
  };
}

/** The job's JSON without what is the default; null for what is no text. */
function jobFields(job: Job, payload: Payload): Record<string, unknown> | null {
  const rest = {
    ...(job.queue === "default" ? {} : { queue: job.queue }),
    ...(job.priority === 0 ? {} : { priority: job.priority }),
    max_retries: job.maxRetries,
    ...(job.timeoutMs === null ? {} : { timeout: formatDuration(job.timeoutMs) }),
    ...(job.key === null ? {} : { key: job.key }),
  };
  if (typeof payload !== "string") {
    try {
      const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(payload);
      return { kind: job.kind, payload: text, ...rest };
    } catch {
      return null;
    }
  }
  const value = JSON.parse(payload);
  if (job.kind !== "command") return { kind: job.kind, payload: value, ...rest };
  const { command, cwd } = value;
  return { command, ...(cwd ? { cwd } : {}), ...rest };
}

function addCommand(job: Job, payload: Payload): string {
  const { command, cwd } = JSON.parse(payload as string) as {
    command: string | string[];
    cwd?: string | null;
  };
  const options = [
    ...(job.queue === "default" ? [] : [`--queue ${quoteWord(job.queue)}`]),
    ...(job.priority === 0 ? [] : [`--priority ${job.priority}`]),
    `--max-retries ${job.maxRetries}`,
    ...(job.timeoutMs === null ? [] : [`--timeout ${formatDuration(job.timeoutMs)}`]),
    ...(cwd ? [`--cwd ${quoteWord(cwd)}`] : []),
    ...(job.key === null ? [] : [`--key ${quoteWord(job.key)}`]),
  ].join(" ");
  return Array.isArray(command)
    ? `queuectl add ${options} -- ${commandText(payload)}`
    : `queuectl add ${quoteWord(command)} ${options}`;
}
