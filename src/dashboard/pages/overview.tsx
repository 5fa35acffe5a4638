/** How the queue stands, on one page. */
import type { Job, Payload } from "../../job/job.ts";
import type { JobState } from "../../job/state.ts";
import { aboutJob } from "../about.ts";
import { HistoryChart } from "../chart.tsx";
import type { Context } from "../context.ts";
import { diskRoom } from "../disk.ts";
import { coarse, count, link } from "../format.ts";
import { page } from "../layout.tsx";
import { Copyable, Data, Empty, ErrorText, JobLink, Note, PostButton, Time } from "../parts.tsx";
import { findWarnings, type Warning } from "../warnings.ts";
import { WorkerTable } from "../worker_table.tsx";
import type { QueueStats, StateCounts } from "../../store/store.ts";

/** How far back the chart can look. */
const RANGES = {
  "15m": { name: "15 minutes", steps: 90, stepMs: 10_000 },
  "1h": { name: "hour", steps: 60, stepMs: 60_000 },
  "6h": { name: "6 hours", steps: 72, stepMs: 300_000 },
  "24h": { name: "24 hours", steps: 96, stepMs: 900_000 },
} as const;

/** The last minutes, for telling whether the queue grows. */
const RECENT = { steps: 30, stepMs: 10_000 };

/** As many as fit beside the other parts; each has a page with all. */
const MOST_WORKERS = 12;
const MOST_DEAD = 5;
const MOST_QUEUES = 24;

const ADD_EXAMPLE = 'queuectl add "echo hello"';

const TILES: readonly { name: string; states: readonly JobState[]; hint: string }[] = [
  { name: "Waiting", states: ["pending"], hint: "for a worker, or for their time" },
  { name: "Running", states: ["started", "processing"], hint: "on a worker now" },
  { name: "Retrying", states: ["failed"], hint: "failed, will be tried again" },
  { name: "Dead", states: ["dead"], hint: "failed for good" },
  { name: "Completed", states: ["completed"], hint: "finished" },
  { name: "Cancelled", states: ["cancelled"], hint: "stopped" },
];

export async function overviewPage(context: Context): Promise<Response> {
  const { services: { queue, settings }, query, nowMs } = context;
  const asked = query.get("range") ?? "";
  const rangeName = (Object.hasOwn(RANGES, asked) ? asked : "1h") as keyof typeof RANGES;
  const range = RANGES[rangeName];
  const [stats, workers, steps, recent, lately] = await Promise.all([
    context.stats(),
    queue.workers(),
    queue.history(range.steps, range.stepMs),
    queue.history(RECENT.steps, RECENT.stepMs),
    queue.list({ states: ["dead"], limit: MOST_DEAD }),
  ]);
  const died = await Promise.all(
    lately.jobs.map(async (job) => ({ job, payload: await queue.payload(job) })),
  );
  const { counts } = stats;
  const total = Object.values(counts).reduce((sum, jobs) => sum + jobs, 0);
  const warnings = findWarnings({ stats, workers, recent, disk: diskRoom(settings.db), nowMs });
  return await page(
    context,
    { title: "Overview", place: "Overview", live: "" },
    <>
      <h1 class="off">Overview</h1>
      {warnings.map((warning) => <WarningNote warning={warning} />)}
      {total === 0 && <NoJobs context={context} hasWorkers={workers.length > 0} />}
      <Tiles counts={counts} oldestReadyAtMs={stats.oldestReadyAtMs} nowMs={nowMs} />
      <section class="panel">
        <div class="panel-head">
          <h2>Throughput</h2>
          <nav class="tabs" aria-label="Range of the chart">
            {Object.keys(RANGES).map((name) => (
              <a
                href={link([], { range: name === "1h" ? null : name })}
                aria-current={name === rangeName ? "true" : undefined}
              >
                {name}
              </a>
            ))}
          </nav>
        </div>
        <HistoryChart steps={steps} stepMs={range.stepMs} label={`The last ${range.name}`} />
      </section>
      <div class="columns">
        <section class="panel">
          <div class="panel-head">
            <h2>Workers</h2>
            <a href={link(["workers"])}>All workers</a>
          </div>
          {workers.length === 0
            ? (
              <Empty title="No workers are running.">
                <p>Jobs wait until there are some:</p>
                <Copyable text="queuectl worker" label="Command that starts workers" />
              </Empty>
            )
            : <WorkerTable workers={workers.slice(0, MOST_WORKERS)} context={context} isShort />}
        </section>
        <DiedLately died={died} dead={counts.dead} context={context} />
      </div>
      {stats.queues.length > 1 && <QueueLine queues={stats.queues} />}
    </>,
  );
}

function Tiles(
  { counts, oldestReadyAtMs, nowMs }: {
    counts: StateCounts;
    oldestReadyAtMs: number | null;
    nowMs: number;
  },
) {
  return (
    <section aria-label="Jobs by state" class="tiles">
      {TILES.map(({ name, states, hint }) => {
        const jobs = states.reduce((sum, state) => sum + counts[state], 0);
        const tones: Record<string, string> = { Dead: "bad", Running: "busy" };
        const href = name === "Dead" ? link(["dead"]) : link(["jobs"], { state: states.join(",") });
        return (
          <a class={`tile ${jobs > 0 ? tones[name] ?? "" : ""}`} href={href} title={hint}>
            <span class="tile-name">{name}</span>
            <span class="tile-number">{count(jobs)}</span>
          </a>
        );
      })}
      <div class="tile" title="for how long the job that was ready first has been waiting">
        <span class="tile-name">Oldest ready job</span>
        <span class="tile-number">
          {oldestReadyAtMs === null ? "–" : coarse(Math.max(0, nowMs - oldestReadyAtMs))}
        </span>
      </div>
    </section>
  );
}

function DiedLately(
  { died, dead, context }: {
    died: readonly { job: Job; payload: Payload }[];
    dead: number;
    context: Context;
  },
) {
  return (
    <section class="panel">
      <div class="panel-head">
        <h2>Died lately</h2>
        {dead > 0 && <a href={link(["dead"])}>All {count(dead)}</a>}
      </div>
      {died.length === 0
        ? (
          <Empty title="No dead jobs.">
            <p>Jobs that fail for good show up here.</p>
          </Empty>
        )
        : (
          <ul class="list">
            {died.map(({ job, payload }) => (
              <li data-row={job.id}>
                <div class="list-main">
                  <div class="cut">
                    <JobLink id={job.id} short /> <Data>{aboutJob(job, payload, 80)}</Data>
                  </div>
                  <div class="error-text">
                    <ErrorText>{job.lastError?.message ?? ""}</ErrorText>
                  </div>
                  <div class="soft small">
                    <Time at={job.finishedAtMs} now={context.nowMs} />, after {job.attempts} of{" "}
                    {job.maxRetries + 1} attempts
                  </div>
                </div>
                {context.caller.may("admin") && (
                  <PostButton
                    action={link(["jobs", job.id, "requeue"])}
                    label="Run again"
                    fields={{ next: "/ui" }}
                  />
                )}
              </li>
            ))}
          </ul>
        )}
    </section>
  );
}

function QueueLine({ queues }: { queues: readonly QueueStats[] }) {
  return (
    <section class="panel">
      <div class="panel-head">
        <h2>Queues</h2>
        <a href={link(["queues"])}>All queues</a>
      </div>
      <ul class="queue-line">
        {queues.slice(0, MOST_QUEUES).map(({ queue, counts, rules }) => (
          <li>
            <a href={link(["jobs"], { queue })}>
              <Data>{queue}</Data>
            </a>{" "}
            {rules.pausedAtMs !== null && <span class="chip s-failed">paused</span>}{" "}
            <span class="soft">
              {count(counts.pending + counts.failed)} waiting,{" "}
              {count(counts.started + counts.processing)} running
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function WarningNote({ warning: { text, advice, command } }: { warning: Warning }) {
  return (
    <Note tone="warn">
      <p>
        <strong>{text}</strong> {advice} {command !== undefined && <code>{command}</code>}
      </p>
    </Note>
  );
}

function NoJobs({ context, hasWorkers }: { context: Context; hasWorkers: boolean }) {
  const { origin } = new URL(context.call.request.url);
  return (
    <section class="panel">
      <Empty title="No jobs yet. Add one:">
        {context.caller.may("submit") && (
          <p>
            <a class="button primary" href={link(["new"])}>New job</a>
          </p>
        )}
        <p>or from a terminal, in the directory of the database:</p>
        <Copyable text={ADD_EXAMPLE} label="Command that adds a job" />
        <p>or by HTTP, a text whose characters are counted:</p>
        <Copyable text={`curl -F file=@notes.txt ${origin}/jobs`} label="Upload with curl" />
        {!hasWorkers && (
          <p>
            Workers run them: <code>queuectl worker</code>
          </p>
        )}
      </Empty>
    </section>
  );
}
