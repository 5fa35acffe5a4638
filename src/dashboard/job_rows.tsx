/** Jobs in a table, some of which can be selected. */
import type { Job, Payload } from "../job/job.ts";
import { humanDuration } from "../lib/duration.ts";
import { isHeldBack } from "../queue/views.ts";
import { aboutJob } from "./about.ts";
import type { Context } from "./context.ts";
import { link } from "./format.ts";
import { Data, ErrorText, JobLink, StateChip, Time } from "./parts.tsx";

export interface JobRow {
  readonly job: Job;
  readonly payload: Payload;
}

/** The jobs with what is shown of their payloads. */
export function withPayloads(jobs: readonly Job[], { services }: Context): Promise<JobRow[]> {
  return Promise.all(
    jobs.map(async (job) => ({ job, payload: await services.queue.payload(job) })),
  );
}

/** The form that the rows' boxes belong to has this id. */
export const BULK_FORM = "bulk";

export function JobTable(
  { rows, context: { nowMs }, isSelectable }: {
    rows: readonly JobRow[];
    context: Context;
    isSelectable: boolean;
  },
) {
  return (
    <div class="scroll" tabindex={0} role="region" aria-label="Table of jobs">
      <table class="cards jobs">
        <thead>
          <tr>
            {isSelectable && (
              <th scope="col" class="box">
                <input type="checkbox" id="all" aria-label="Select all jobs on this page" hidden />
              </th>
            )}
            <th scope="col">State</th>
            <th scope="col">Job</th>
            <th scope="col">What it does</th>
            <th scope="col">Queue, kind</th>
            <th scope="col" class="num">Attempts</th>
            <th scope="col">Created</th>
            <th scope="col" class="num">Took</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ job, payload }) => (
            <tr data-row={job.id}>
              {isSelectable && (
                <td class="box">
                  <input
                    type="checkbox"
                    name="id"
                    value={job.id}
                    form={BULK_FORM}
                    aria-label={`Select job ${job.id}`}
                  />
                </td>
              )}
              <td data-label="State">
                <StateChip state={job.state} />
              </td>
              <th scope="row" data-label="Job">
                <JobLink id={job.id} short />
              </th>
              <td data-label="What it does" class="about">
                <Data>{aboutJob(job, payload, 100)}</Data>
                {job.lastError !== null && (
                  <div class="error-text cut">
                    <ErrorText>{job.lastError.message}</ErrorText>
                  </div>
                )}
              </td>
              <td data-label="Queue, kind">
                <a class="plain-link" href={link(["jobs"], { queue: job.queue })}>
                  <Data>{job.queue}</Data>
                </a>{" "}
                <span class="soft small">
                  <Data>{job.kind}</Data>
                </span>
              </td>
              <td data-label="Attempts" class="num">
                {attemptsOf(job)}
                <span class="soft">/{job.maxRetries + 1}</span>
              </td>
              <td data-label="Created">
                <Time at={job.createdAtMs} now={nowMs} />
                {whenOf(job, nowMs)}
              </td>
              <td data-label="Took" class="num">{tookOf(job, nowMs)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Attempts so far, the running or successful one included. */
function attemptsOf({ attempts, state }: Job): number {
  return attempts +
    (state === "completed" || state === "started" || state === "processing" ? 1 : 0);
}

/** When a job that waits will run, where that is not now. */
function whenOf(job: Job, nowMs: number) {
  if (isHeldBack(job)) return <div class="soft small">waits for other jobs</div>;
  const isWaiting = job.state === "pending" || job.state === "failed";
  if (!isWaiting || job.runAtMs <= nowMs) return null;
  return (
    <div class="soft small">
      runs <Time at={job.runAtMs} now={nowMs} />
    </div>
  );
}

function tookOf({ startedAtMs, finishedAtMs, state }: Job, nowMs: number): string {
  if (startedAtMs === null) return "–";
  const isRunning = state === "started" || state === "processing";
  const endMs = isRunning ? nowMs : finishedAtMs;
  return endMs === null ? "–" : humanDuration(Math.max(0, endMs - startedAtMs));
}
