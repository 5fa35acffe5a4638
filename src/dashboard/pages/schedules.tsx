/** Schedules: when each runs next, in words; pausing, running now, removing. */
import { commandText } from "../../job/command_text.ts";
import type { Schedule } from "../../job/schedule.ts";
import { formatDuration } from "../../lib/duration.ts";
import { nextRuns, Schedules } from "../../queue/schedules.ts";
import { redirect } from "../answer.ts";
import { mustApi } from "../api_answer.ts";
import type { Context } from "../context.ts";
import { cronWords } from "../cron_words.ts";
import { flash } from "../flash.ts";
import { count, encodeSegment, link, oneLine, relative } from "../format.ts";
import { readForm } from "../forms.ts";
import { page } from "../layout.tsx";
import { Copyable, Data, Empty, JobLink, PostButton, Time } from "../parts.tsx";

const ADD_EXAMPLE = 'queuectl schedule add nightly "pg_dump shop > shop.sql" --cron "0 3 * * *"';

/** How many of the next runs are shown. */
const NEXT_RUNS = 3;

export async function schedulesPage(context: Context): Promise<Response> {
  const { services: { queue } } = context;
  const schedules = await new Schedules(queue).list();
  return await page(
    context,
    { title: "Schedules", place: "Schedules", live: "" },
    <>
      <h1>Schedules</h1>
      {schedules.length === 0
        ? (
          <Empty title="No schedules yet.">
            <p>A schedule adds a job again and again. Make one:</p>
            <Copyable
              text={ADD_EXAMPLE}
              label="Command that makes a schedule"
            />
          </Empty>
        )
        : (
          <ul class="groups">
            {schedules.map((schedule) => <SchedulePanel schedule={schedule} context={context} />)}
          </ul>
        )}
    </>,
  );
}

function SchedulePanel({ schedule, context }: { schedule: Schedule; context: Context }) {
  const { name, timing, pausedAtMs, lastAtMs, lastJobId, runs, overlaps } = schedule;
  const { nowMs, caller } = context;
  const isPaused = pausedAtMs !== null;
  const to = (action: string) => link(["schedules", name, action]);
  const words = timing.type === "every"
    ? `every ${formatDuration(timing.everyMs)}`
    : cronWords(timing.cron);
  return (
    <li class="panel" data-row={name}>
      <div class="panel-head">
        <h2>
          <Data>{name}</Data> {isPaused && <span class="chip s-failed">paused</span>}
        </h2>
        {caller.may("admin") && (
          <div class="actions">
            <PostButton action={to("run")} label="Run now" />
            {isPaused
              ? <PostButton action={to("resume")} label="Resume" tone="primary" />
              : <PostButton action={to("pause")} label="Pause" />}
            <PostButton action={to("remove")} label="Remove…" />
          </div>
        )}
      </div>
      <p>
        <b>
          <Data>{words ?? (timing.type === "cron" ? timing.cron : "")}</Data>
        </b>
        {timing.type === "cron" && (
          <span class="soft">
            {" "}
            {words !== null && (
              <code>
                <Data>{timing.cron}</Data>
              </code>
            )} <Data>{timing.tz}</Data>
          </span>
        )}
        :{" "}
        <code>
          <Data>{aboutSchedule(schedule)}</Data>
        </code>
      </p>
      <p class="soft small">
        {isPaused
          ? (
            <>
              paused <Time at={pausedAtMs} now={nowMs} />; makes no jobs until it is resumed
            </>
          )
          : <NextRuns schedule={schedule} nowMs={nowMs} />}
      </p>
      <p class="soft small">
        made {count(runs)} {runs === 1 ? "job" : "jobs"}
        {lastAtMs !== null && (
          <>
            , the last <Time at={lastAtMs} now={nowMs} />
          </>
        )}
        {lastJobId !== null && (
          <>
            : <JobLink id={lastJobId} short />
          </>
        )}
        {overlaps > 0 && ` · left out ${count(overlaps)}, because the job before was not finished`}
      </p>
    </li>
  );
}

function NextRuns({ schedule, nowMs }: { schedule: Schedule; nowMs: number }) {
  const runs = nextRuns(schedule, nowMs, NEXT_RUNS);
  if (runs.length === 0) return <>never runs again</>;
  return (
    <>
      next runs{" "}
      {runs.map(({ atMs, local }, index) => (
        <>{index > 0 && ", then "}{relative(atMs, nowMs)} ({localTime(local)})</>
      ))}
    </>
  );
}

/** `2030-11-24 03:00`, as clocks show it in the schedule's zone. */
function localTime(local: string): string {
  return local.slice(0, 16).replace("T", " ");
}

/** The command, or the kind. */
function aboutSchedule({ job }: Schedule): string {
  const { kind } = JSON.parse(job) as { kind?: string };
  return oneLine(commandText(job) ?? `kind ${kind ?? "?"}`, 120);
}

const DONE = { run: "ran", pause: "paused", resume: "resumed" } as const;

/** Runs, pauses or resumes: what the path says. */
export function schedulePost(action: keyof typeof DONE) {
  return async ({ call, params }: Context): Promise<Response> => {
    const path = `/schedules/${encodeSegment(params["name"]!)}/${action}`;
    await mustApi(call, { method: "POST", path });
    return redirect(link(["schedules"], flash(DONE[action])));
  };
}

/** Asks first. */
export async function removeSchedulePost(context: Context): Promise<Response> {
  const { call, params } = context;
  const name = params["name"]!;
  const form = await readForm(call);
  if (form.get("sure") === "1") {
    await mustApi(call, { method: "DELETE", path: `/schedules/${encodeSegment(name)}` });
    return redirect(link(["schedules"], flash("removed")));
  }
  return await page(
    context,
    { title: "Remove a schedule", place: "Schedules" },
    <section class="panel confirm">
      <h1>
        Remove the schedule <Data>{name}</Data>?
      </h1>
      <p>It makes no more jobs; those it has made stay.</p>
      <form method="post" action={link(["schedules", name, "remove"])} class="actions">
        <input type="hidden" name="sure" value="1" />
        <button type="submit" class="danger">Remove it</button>
        <a class="button" href={link(["schedules"])}>Keep it</a>
      </form>
    </section>,
  );
}
