/** One job: why it is where it is, what it was given, what came out, and what can be done with it. */
import type { Job, Payload, Progress } from "../../job/job.ts";
import { isAllowed, isFinished, isLeased } from "../../job/state.ts";
import { commandText } from "../../job/command_text.ts";
import { formatDuration, humanDuration } from "../../lib/duration.ts";
import { describeRetries } from "../../queue/extras_view.ts";
import { findObstacle } from "../../queue/obstacle.ts";
import type { AttemptView } from "../../queue/queue.ts";
import { isHeldBack } from "../../queue/views.ts";
import type { Dependency, StoredFile } from "../../store/store.ts";
import { aboutJob } from "../about.ts";
import type { Context } from "../context.ts";
import { explain, type Explanation } from "../explain.ts";
import { bytes, encodeSegment, fullTime, link, percent, visible } from "../format.ts";
import { page } from "../layout.tsx";
import { Output } from "../output_view.tsx";
import {
  Copyable,
  Data,
  ErrorText,
  Facts,
  JobLink,
  PostButton,
  StateChip,
  Time,
} from "../parts.tsx";
import { recipesFor } from "../recipes.ts";

/** How much of a payload or a result is shown. */
const MOST_SHOWN = 20_000;

export async function jobPage(context: Context): Promise<Response> {
  const { services: { queue }, params, query, nowMs, call, caller } = context;
  const job = await queue.find(params["id"]!);
  const [payload, attempts, dependencies, files, progress, stats, obstacle] = await Promise.all([
    queue.payload(job),
    queue.attempts(job),
    queue.dependencies(job),
    queue.files(job),
    queue.progress(job),
    context.stats(),
    findObstacle(job, queue),
  ]);
  // By the token: a job that was run again has several attempts with the same number.
  const shown = attempts.find(({ token }) => String(token) === query.get("run")) ??
    attempts.at(-1);
  const chunks = shown === undefined
    ? []
    : await queue.store.output({ seq: job.seq, token: shown.token });
  const explanation = explain({
    job,
    attempts,
    queue: stats.queues.find(({ queue }) => queue === job.queue) ?? null,
    obstacle,
    waitingFor: dependencies.filter(({ isMet }) => !isMet).map(({ id }) => id),
    nowMs,
  });
  const about = aboutJob(job, payload, 200);
  const { origin } = new URL(call.request.url);
  const recipes = recipesFor(job, payload, { origin, hasToken: caller.isSignedIn });
  return await page(
    context,
    { title: `${job.state}: ${about || job.id}`, place: "Jobs", live: `job=${job.id}` },
    <>
      <div class="job-head">
        <StateChip state={job.state} big />
        <div class="grow">
          <h1 class="job-title">
            <Data>{about || job.kind}</Data>
          </h1>
          <p class="soft small mono">
            <Data>{job.id}</Data>
          </p>
        </div>
      </div>
      <Why explanation={explanation} job={job} progress={progress} context={context} />
      <section class="panel">
        <div class="panel-head">
          <h2>Attempts</h2>
        </div>
        <Attempts job={job} attempts={attempts} shown={shown} nowMs={nowMs} />
      </section>
      {shown !== undefined && (job.kind === "command" || chunks.length > 0) && (
        <Output
          jobId={job.id}
          attempt={shown}
          chunks={chunks}
          query={query}
          isLatest={attempts.findLast((one) => one.attempt === shown.attempt) === shown}
        />
      )}
      {job.result !== null && job.kind !== "command" && (
        <section class="panel">
          <div class="panel-head">
            <h2>Result</h2>
          </div>
          <Text text={pretty(job.result)} label="Result" />
        </section>
      )}
      <div class="columns">
        <section class="panel">
          <div class="panel-head">
            <h2>{job.kind === "command" ? "Command" : "Payload"}</h2>
          </div>
          <PayloadText job={job} payload={payload} />
          <Files job={job} files={files} />
        </section>
        <section class="panel">
          <div class="panel-head">
            <h2>Details</h2>
          </div>
          <Details job={job} payload={payload} dependencies={dependencies} nowMs={nowMs} />
        </section>
      </div>
      <section class="panel">
        <div class="panel-head">
          <h2>Add the same again from elsewhere</h2>
        </div>
        <h3>On the command line</h3>
        <Copyable text={recipes.cli} label="Command line" />
        <h3>With curl</h3>
        <Copyable text={recipes.curl} label="curl command" />
      </section>
    </>,
  );
}

function Why(
  { explanation: { tone, title, error, text }, job, progress, context }: {
    explanation: Explanation;
    job: Job;
    progress: Progress | null;
    context: Context;
  },
) {
  return (
    <section class={`why ${tone}`} aria-label="Where it stands">
      <h2>{title}</h2>
      {error !== null && (
        <p class="why-error">
          <ErrorText>{error}</ErrorText>
        </p>
      )}
      {text.trim() !== "" && (
        <p>
          <Data>{text}</Data>
        </p>
      )}
      {progress !== null && isLeased(job.state) && (
        <p class="progress">
          <progress value={progress.value} max={1} aria-label="Progress"></progress>{" "}
          {percent(progress.value, 1)} <Data>{progress.text ?? ""}</Data>
        </p>
      )}
      <Actions job={job} context={context} />
    </section>
  );
}

function Actions({ job, context: { caller } }: { job: Job; context: Context }) {
  const to = (action: string) => link(["jobs", job.id, action]);
  const isAdmin = caller.may("admin");
  const isCancellable = isAllowed("cancel", job.state) || isAllowed("abort", job.state);
  const isRequeueable = isAllowed("requeue", job.state);
  return (
    <div class="actions">
      {isAdmin && isRequeueable && (
        <PostButton action={to("requeue")} label="Run again" tone="primary" />
      )}
      {isAdmin && isRequeueable && <a class="button" href={to("edit")}>Edit and run again</a>}
      {isAdmin && isCancellable && job.cancelRequestedAtMs === null && (
        <PostButton
          action={to("cancel")}
          label={isLeased(job.state) ? "Stop it" : "Cancel"}
          tone="danger"
        />
      )}
      {caller.may("submit") && (isFinished(job.state) || isLeased(job.state)) && (
        <a class="button" href={link(["new"], { from: job.id })}>Add a copy</a>
      )}
      {isAdmin && !isLeased(job.state) && <PostButton action={to("delete")} label="Delete…" />}
    </div>
  );
}

function Attempts(
  { job, attempts, shown, nowMs }: {
    job: Job;
    attempts: readonly AttemptView[];
    shown: AttemptView | undefined;
    nowMs: number;
  },
) {
  if (attempts.length === 0) return <p class="empty-line">It has not run yet.</p>;
  return (
    <ol class="timeline">
      {attempts.map((attempt, index) => {
        const { startedAtMs, finishedAtMs, outcome } = attempt;
        const tookMs = startedAtMs === null ? null : (finishedAtMs ?? nowMs) - startedAtMs;
        const isAnew = index > 0 && attempt.attempt <= attempts[index - 1]!.attempt;
        return (
          <li class={outcome} data-row={`${attempt.token}`}>
            {isAnew && <div class="soft small">run again</div>}
            <div>
              <b>Attempt {attempt.attempt}</b> <span class={`outcome ${outcome}`}>{outcome}</span>
              {" "}
              <span class="soft">
                {attempt.worker !== null && (
                  <>
                    on <Data>{attempt.worker}</Data>
                    {" "}
                  </>
                )}
                {startedAtMs !== null && (
                  <>
                    <Time at={startedAtMs} now={nowMs} />
                    {tookMs !== null &&
                      `, ${outcome === "running" ? "for" : "took"} ${
                        humanDuration(Math.max(0, tookMs))
                      }`}
                  </>
                )}
                {attempt.exitCode !== null && `, exit code ${attempt.exitCode}`}
                {attempt.signal !== null && `, ${attempt.signal}`}
              </span>
            </div>
            {attempt.error !== null && (
              <div class="error-text">
                <ErrorText>{attempt.error.message}</ErrorText>
              </div>
            )}
            {job.kind === "command" && attempts.length > 1 && (
              attempt === shown ? <span class="soft small">its output is below</span> : (
                <a
                  class="small"
                  href={`${link(["jobs", job.id], { run: attempt.token })}#output`}
                >
                  show its output
                </a>
              )
            )}
          </li>
        );
      })}
      {job.state === "failed" && (
        <li class="next">
          <b>Attempt {job.attempts + 1}</b>{" "}
          <span class="soft">
            <Time at={job.runAtMs} now={nowMs} />
          </span>
        </li>
      )}
    </ol>
  );
}

function PayloadText({ job, payload }: { job: Job; payload: Payload }) {
  if (typeof payload !== "string") {
    if (payload.length === 0) return null;
    const text = new TextDecoder().decode(payload.subarray(0, MOST_SHOWN));
    return (
      <>
        <p class="soft small">{bytes(payload.byteLength)} of text</p>
        <Text text={text} label="Payload" isCut={payload.byteLength > MOST_SHOWN} />
      </>
    );
  }
  if (job.kind !== "command") return <Text text={pretty(payload)} label="Payload" />;
  const { cwd } = JSON.parse(payload) as { cwd?: string | null };
  return (
    <>
      <Text text={commandText(payload) ?? ""} label="Command" />
      {cwd && (
        <p class="soft small">
          in the directory{" "}
          <code>
            <Data>{cwd}</Data>
          </code>
        </p>
      )}
    </>
  );
}

/** Text that may be long and is nobody's markup. */
function Text({ text, label, isCut = false }: { text: string; label: string; isCut?: boolean }) {
  const shown = visible(text.slice(0, MOST_SHOWN));
  return (
    <>
      <pre class="data" tabindex={0} role="region" aria-label={label}>{`\n${shown}`}</pre>
      {(isCut || text.length > MOST_SHOWN) && (
        <p class="soft small">
          Only the beginning is shown.
        </p>
      )}
    </>
  );
}

function Files({ job, files }: { job: Job; files: readonly StoredFile[] }) {
  if (files.length === 0) return null;
  const of = (file: StoredFile) => {
    const path = file.role === "input" ? "input" : `artifacts/${encodeSegment(file.name ?? "")}`;
    return `/jobs/${encodeSegment(job.id)}/${path}`;
  };
  return (
    <>
      <h3>Files</h3>
      <ul class="files">
        {files.map((file) => (
          <li>
            {file.problem === null && file.name !== null
              ? (
                <a href={of(file)}>
                  <Data>{file.name}</Data>
                </a>
              )
              : <Data>{file.name ?? "more files"}</Data>}{" "}
            <span class="soft small">
              {file.role === "input" ? "input" : `artifact of attempt ${file.attempt}`},{" "}
              {bytes(file.bytes)}
              {file.problem !== null && (
                <>
                  · not kept: <Data>{file.problem}</Data>
                </>
              )}
            </span>
          </li>
        ))}
      </ul>
    </>
  );
}

function Details(
  { job, dependencies, nowMs }: {
    job: Job;
    payload: Payload;
    dependencies: readonly Dependency[];
    nowMs: number;
  },
) {
  const { options } = job;
  const time = (atMs: number | null) =>
    atMs === null ? null : (
      <>
        {fullTime(atMs)}{" "}
        <span class="soft">
          (<Time at={atMs} now={nowMs} />)
        </span>
      </>
    );
  return (
    <Facts
      rows={[
        [
          "Queue",
          <a href={link(["jobs"], { queue: job.queue })}>
            <Data>{job.queue}</Data>
          </a>,
        ],
        ["Kind", <Data>{job.kind}</Data>],
        ["Priority", String(job.priority)],
        ["Attempts", `${job.attempts} failed; at most ${job.maxRetries + 1}`],
        [
          "Timeout",
          job.timeoutMs === null ? "none" : `${formatDuration(job.timeoutMs)} an attempt`,
        ],
        ["Retries", options?.retry === undefined ? null : describeRetries(options.retry)],
        ["Key", job.key === null ? null : <Data>{job.key}</Data>],
        ["Unique key", options?.uniqueKey === undefined ? null : <Data>{options.uniqueKey}</Data>],
        ["Schedule", options?.schedule === undefined ? null : <Data>{options.schedule}</Data>],
        [
          "Calls back",
          options?.callbackUrl === undefined ? null : <Data>{options.callbackUrl}</Data>,
        ],
        ["Created", time(job.createdAtMs)],
        ["Runs at", job.state === "pending" && !isHeldBack(job) ? time(job.runAtMs) : null],
        ["Started", time(job.startedAtMs)],
        ["Finished", time(job.finishedAtMs)],
        [
          "Waited",
          job.startedAtMs === null || job.attempts > 0
            ? null
            : humanDuration(Math.max(0, job.startedAtMs - job.createdAtMs)),
        ],
        [
          "Waits for",
          dependencies.length === 0 ? null : (
            <ul class="plain">
              {dependencies.map(({ id, condition, isMet }) => (
                <li>
                  <JobLink id={id} short /> to end with {condition}
                  {isMet ? " ✓" : ""}
                </li>
              ))}
            </ul>
          ),
        ],
      ]}
    />
  );
}

function pretty(json: string): string {
  return json.length > MOST_SHOWN ? json : JSON.stringify(JSON.parse(json), null, 2);
}
