/** The queues: what is in them, what holds them back, pausing and resuming. */
import { formatRate } from "../../job/limits.ts";
import type { QueueStats } from "../../store/store.ts";
import { redirect } from "../answer.ts";
import { mustApi } from "../api_answer.ts";
import type { Context } from "../context.ts";
import { flash } from "../flash.ts";
import { coarse, count, encodeSegment, link } from "../format.ts";
import { fieldOf, readForm } from "../forms.ts";
import { page } from "../layout.tsx";
import { Data, Empty, PostButton, Time } from "../parts.tsx";

const LIMIT_FIELDS = ["max_running", "rate", "key_max_running"] as const;

export async function queuesPage(context: Context): Promise<Response> {
  const { queues } = await context.stats();
  return await page(
    context,
    { title: "Queues", place: "Queues", live: "" },
    <>
      <h1>Queues</h1>
      {queues.length === 0
        ? (
          <Empty title="No queues yet.">
            <p>
              A queue is there as soon as a job is in it: <code>queuectl add --queue mail "…"</code>
            </p>
          </Empty>
        )
        : (
          <ul class="groups">
            {queues.map((queue) => <QueuePanel queue={queue} context={context} />)}
          </ul>
        )}
    </>,
  );
}

function QueuePanel({ queue, context }: { queue: QueueStats; context: Context }) {
  const { queue: name, counts, rules, oldestReadyAtMs } = queue;
  const { nowMs, caller } = context;
  const isPaused = rules.pausedAtMs !== null;
  const numbers = [
    ["waiting", counts.pending, "pending"],
    ["running", counts.started + counts.processing, "started,processing"],
    ["retrying", counts.failed, "failed"],
    ["dead", counts.dead, "dead"],
    ["completed", counts.completed, "completed"],
    ["cancelled", counts.cancelled, "cancelled"],
  ] as const;
  return (
    <li class="panel" data-row={name}>
      <div class="panel-head">
        <h2>
          <Data>{name}</Data> {isPaused && <span class="chip s-failed">paused</span>}
        </h2>
        {caller.may("admin") && (
          <PostButton
            action={link(["queues", name, isPaused ? "resume" : "pause"])}
            label={isPaused ? "Resume" : "Pause"}
            tone={isPaused ? "primary" : ""}
            title={isPaused ? "its jobs are run again" : "no more of its jobs are started"}
          />
        )}
      </div>
      <p class="numbers">
        {numbers.map(([label, jobs, state]) => (
          <a href={link(["jobs"], { queue: name, state })}>
            <b>{count(jobs)}</b> {label}
          </a>
        ))}
      </p>
      <p class="soft small">
        {isPaused && (
          <>
            paused <Time at={rules.pausedAtMs} now={nowMs} /> ·{" "}
          </>
        )}
        {oldestReadyAtMs === null
          ? "no job is ready"
          : `the oldest ready job has been waiting for ${
            coarse(Math.max(0, nowMs - oldestReadyAtMs))
          }`}
        {" · "}
        {limitsText(rules)}
      </p>
      {caller.may("admin") && <LimitForm queue={queue} />}
    </li>
  );
}

function limitsText({ maxRunning, rate, keyMaxRunning }: QueueStats["rules"]): string {
  const limits = [
    maxRunning === null ? "" : `at most ${count(maxRunning)} at once`,
    rate === null ? "" : `at most ${formatRate(rate)} started`,
    keyMaxRunning === null ? "" : `at most ${count(keyMaxRunning)} of a key at once`,
  ].filter((text) => text !== "");
  return limits.length === 0 ? "no limits" : limits.join(", ");
}

function LimitForm({ queue: { queue: name, rules } }: { queue: QueueStats }) {
  const fields = [
    ["max_running", "At once", "jobs", rules.maxRunning],
    ["rate", "Started", "such as 10/1m", rules.rate === null ? null : formatRate(rules.rate)],
    ["key_max_running", "Of a key at once", "jobs", rules.keyMaxRunning],
  ] as const;
  return (
    <details>
      <summary>Change limits</summary>
      <form method="post" action={link(["queues", name, "limits"])} class="row">
        {fields.map(([field, label, placeholder, value]) => (
          <label>
            {label}{" "}
            <input
              name={field}
              value={value === null ? "" : String(value)}
              placeholder={placeholder}
              size={9}
              autocomplete="off"
            />
          </label>
        ))}
        <button type="submit">Set</button>
        <span class="hint">empty: no limit</span>
      </form>
    </details>
  );
}

function apiPath(name: string, action = ""): string {
  return `/queues/${encodeSegment(name)}${action === "" ? "" : `/${action}`}`;
}

export async function pausePost({ call, params }: Context): Promise<Response> {
  await mustApi(call, { method: "POST", path: apiPath(params["name"]!, "pause") });
  return redirect(link(["queues"], flash("paused")));
}

export async function resumePost({ call, params }: Context): Promise<Response> {
  await mustApi(call, { method: "POST", path: apiPath(params["name"]!, "resume") });
  return redirect(link(["queues"], flash("resumed")));
}

export async function limitsPost({ call, params }: Context): Promise<Response> {
  const form = await readForm(call);
  const json = Object.fromEntries(
    LIMIT_FIELDS.map((name) => {
      const value = fieldOf(form, name) ?? null;
      return [name, value !== null && /^\d{1,15}$/.test(value) ? Number(value) : value];
    }),
  );
  await mustApi(call, { method: "PATCH", path: apiPath(params["name"]!), json });
  return redirect(link(["queues"], flash("changed")));
}
