/** Schedules: to make, to look at, to pause, to run now, to remove. */
import { ScheduleNotFoundError } from "../../job/errors.ts";
import { ID_PATTERN } from "../../job/parse.ts";
import { type Schedule, SCHEDULE_LIMITS } from "../../job/schedule.ts";
import { nextRuns, nextRunViews, Schedules, scheduleView } from "../../queue/schedules.ts";
import { checkCommand } from "../command_right.ts";
import { readJson } from "../content_type.ts";
import type { Call } from "../context.ts";
import { json, JSON_HEADERS } from "../headers.ts";
import { parseQuery, wholeNumber } from "../query.ts";

export const SCHEDULE_PARAMETERS = {
  next: wholeNumber(1, SCHEDULE_LIMITS.shown, "So many of its next runs."),
};

export async function getSchedules(call: Call): Promise<Response> {
  return json({ schedules: (await schedulesOf(call).list()).map(scheduleView) });
}

/** 201 with the schedule; 200 when it took the place of another one. */
export async function postSchedule(call: Call): Promise<Response> {
  const { caller, services: { queue, settings } } = call;
  const input = await readJson(call, { limitBytes: settings["upload-limit"] });
  if (typeof input === "object" && input !== null) {
    checkCommand((input as { job?: unknown }).job, call);
  }
  const { schedule, isNew } = await new Schedules(queue).add(input, caller.name);
  const headers = { ...JSON_HEADERS, location: `/schedules/${schedule.name}` };
  const status = isNew ? 201 : 200;
  return new Response(JSON.stringify(scheduleView(schedule)), { status, headers });
}

export async function getSchedule(call: Call): Promise<Response> {
  const { next = SCHEDULE_LIMITS.shownDefault } = parseQuery(call.query, SCHEDULE_PARAMETERS);
  const schedule = await schedulesOf(call).find(nameOf(call));
  const runs = nextRuns(schedule, call.services.queue.clock(), next);
  return json({ ...scheduleView(schedule), next_runs: nextRunViews(runs) });
}

export async function pauseSchedule(call: Call): Promise<Response> {
  return changed(await schedulesOf(call).pause(nameOf(call), call.caller.name));
}

export async function resumeSchedule(call: Call): Promise<Response> {
  return changed(await schedulesOf(call).resume(nameOf(call), call.caller.name));
}

/** 201 with the id of the job that it added. */
export async function runSchedule(call: Call): Promise<Response> {
  const { schedule, jobId } = await schedulesOf(call).run(nameOf(call), call.caller.name);
  const view = { schedule: schedule.name, job_id: jobId, status: "pending" };
  const headers = { ...JSON_HEADERS, location: `/jobs/${jobId}` };
  return new Response(JSON.stringify(view), { status: 201, headers });
}

/** Answers with the schedule as it was. */
export async function deleteSchedule(call: Call): Promise<Response> {
  return changed(await schedulesOf(call).remove(nameOf(call), call.caller.name));
}

function changed(schedule: Schedule): Response {
  return json(scheduleView(schedule));
}

function schedulesOf({ services: { queue } }: Call): Schedules {
  return new Schedules(queue);
}

/** @throws {ScheduleNotFoundError} when no schedule can have it: the store is not asked. */
function nameOf({ params }: Call): string {
  const name = params["name"]!;
  if (!ID_PATTERN.test(name)) throw new ScheduleNotFoundError(name);
  return name;
}
