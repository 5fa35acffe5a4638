/** Workers, and what each is doing. */
import type { WorkerStatus } from "../store/store.ts";
import type { Context } from "./context.ts";
import { count } from "./format.ts";
import { Data, JobLink, Time } from "./parts.tsx";

/** A table of workers; the short one leaves out what only matters when something is wrong. */
export function WorkerTable(
  { workers, context, isShort = false }: {
    workers: readonly WorkerStatus[];
    context: Context;
    isShort?: boolean;
  },
) {
  const { nowMs } = context;
  return (
    <div class="scroll" tabindex={0} role="region" aria-label="Table of workers">
      <table class="cards">
        <thead>
          <tr>
            <th scope="col">Worker</th>
            <th scope="col">Doing</th>
            <th scope="col">Process</th>
            {!isShort && <th scope="col">Up since</th>}
            {!isShort && <th scope="col">Last sign of life</th>}
            <th scope="col" class="num">Restarts</th>
          </tr>
        </thead>
        <tbody>
          {workers.map((worker) => (
            <tr data-row={`${worker.holder} ${worker.label}`}>
              <th scope="row" data-label="Worker">
                <Data>{worker.label}</Data>
              </th>
              <td data-label="Doing">
                {worker.jobId === null ? <span class="soft">{worker.status}</span> : (
                  <span>
                    runs <JobLink id={worker.jobId} short />
                  </span>
                )}
                {worker.status === "draining" && worker.jobId !== null && " (draining)"}
              </td>
              <td data-label="Process">
                {worker.role} <span class="soft">{worker.pid}</span>
              </td>
              {!isShort && (
                <td data-label="Up since">
                  <Time at={worker.startedAtMs} now={nowMs} />
                </td>
              )}
              {!isShort && (
                <td data-label="Last sign of life">
                  <Time at={worker.heartbeatAtMs} now={nowMs} />
                </td>
              )}
              <td data-label="Restarts" class="num">{count(worker.restarts)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
