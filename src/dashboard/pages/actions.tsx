/** Changes to one job, and to several that were selected. Each shows first how many it concerns. */
import type { Job } from "../../job/job.ts";
import { isAllowed, isLeased, type JobState } from "../../job/state.ts";
import { redirect } from "../answer.ts";
import { callApi, mustApi } from "../api_answer.ts";
import type { Context } from "../context.ts";
import { flash } from "../flash.ts";
import { counted, encodeSegment, link } from "../format.ts";
import { pathOf, readForm } from "../forms.ts";
import { page } from "../layout.tsx";
import { Data, Empty, JobLink, StateChip } from "../parts.tsx";
import { aboutJob } from "../about.ts";

/** Where a form wants to be led to afterwards, with what was done. */
function back(next: string, words: Record<string, string>): Response {
  const [path = "/ui", query = ""] = next.split("?", 2);
  const parameters = new URLSearchParams(query);
  for (const [name, value] of Object.entries(words)) parameters.set(name, value);
  return redirect(`${path}?${parameters}`);
}

/** The job's path in the API. */
export function apiPath(id: string, action = ""): string {
  return `/jobs/${encodeSegment(id)}${action === "" ? "" : `/${action}`}`;
}

export async function requeuePost(context: Context): Promise<Response> {
  const { call, params } = context;
  const id = params["id"]!;
  const next = pathOf(await readForm(call), "next", link(["jobs", id]));
  await mustApi(call, { method: "POST", path: apiPath(id, "requeue") });
  return back(next, flash("requeued"));
}

export async function cancelPost({ call, params }: Context): Promise<Response> {
  const id = params["id"]!;
  const next = pathOf(await readForm(call), "next", link(["jobs", id]));
  const { state } = await mustApi(call, { method: "POST", path: apiPath(id, "cancel") });
  return back(next, flash(state === "cancelled" ? "cancelled" : "cancelling"));
}

/** Asks first: what is deleted is gone. */
export async function deletePost(context: Context): Promise<Response> {
  const { call, params, services: { queue } } = context;
  const id = params["id"]!;
  const form = await readForm(call);
  if (form.get("sure") === "1") {
    await mustApi(call, { method: "DELETE", path: apiPath(id) });
    return redirect(link(["jobs"], flash("deleted")));
  }
  const job = await queue.find(id);
  const about = aboutJob(job, await queue.payload(job));
  return await page(
    context,
    { title: "Delete a job", place: "Jobs" },
    <section class="panel confirm">
      <h1>Delete this job?</h1>
      <p>
        <StateChip state={job.state} /> <JobLink id={id} />
      </p>
      <p>
        <Data>{about}</Data>
      </p>
      <p>Its attempts, output and files go with it. This cannot be undone.</p>
      <form method="post" action={link(["jobs", id, "delete"])} class="actions">
        <input type="hidden" name="sure" value="1" />
        <button type="submit" class="danger">Delete it</button>
        <a class="button" href={link(["jobs", id])}>Keep it</a>
      </form>
    </section>,
  );
}

const BULK = {
  requeue: {
    verb: "Run again",
    done: "requeued",
    tone: "primary",
    isPossible: (state: JobState) => isAllowed("requeue", state),
    needs: "dead or cancelled",
  },
  cancel: {
    verb: "Cancel",
    done: "cancelled",
    tone: "danger",
    isPossible: (state: JobState) => isAllowed("cancel", state) || isAllowed("abort", state),
    needs: "waiting or running",
  },
  delete: {
    verb: "Delete",
    done: "deleted",
    tone: "danger",
    isPossible: (state: JobState) => !isLeased(state),
    needs: "not running",
  },
} as const;

type BulkAction = keyof typeof BULK;

/** A page shows at most so many boxes, so that no honest form names more jobs. */
const MOST_SELECTED = 1_000;

/** What is wanted for selected jobs: shown with its count, done once it is confirmed. */
export async function bulkPost(context: Context): Promise<Response> {
  const { call, services: { queue } } = context;
  const form = await readForm(call, MOST_SELECTED * 64);
  const action = form.get("action") ?? "";
  const ids = [...new Set(form.getAll("id"))].slice(0, MOST_SELECTED);
  const next = pathOf(form, "next", link(["jobs"]));
  if (!Object.hasOwn(BULK, action) || ids.length === 0) return await nothingSelected(context);
  const { verb, done, tone, isPossible, needs } = BULK[action as BulkAction];
  const jobs = (await Promise.all(ids.map((id) => queue.store.find(id))))
    .filter((job): job is Job => job !== null);
  const possible = jobs.filter(({ state }) => isPossible(state));
  if (form.get("sure") === "1") {
    const failed = await changeAll(context, action as BulkAction, possible.map(({ id }) => id));
    return back(next, flash(done, possible.length - failed, ids.length - possible.length + failed));
  }
  const rest = ids.length - possible.length;
  return await page(
    context,
    { title: `${verb} ${counted(possible.length, "job")}`, place: "Jobs" },
    <section class="panel confirm">
      <h1>{verb} {counted(possible.length, "job")}?</h1>
      {rest > 0 && (
        <p>
          Of the {ids.length} selected, {rest} {rest === 1 ? "is" : "are"}{" "}
          left out: only jobs that are {needs} can be.
        </p>
      )}
      {action === "delete" && (
        <p>Attempts, output and files go with the jobs. This cannot be undone.</p>
      )}
      <ul class="plain cut-list">
        {possible.slice(0, 20).map(({ id, state }) => (
          <li>
            <StateChip state={state} /> <JobLink id={id} />
          </li>
        ))}
        {possible.length > 20 && <li>and {counted(possible.length - 20, "more job")}</li>}
      </ul>
      <form method="post" action={link(["bulk"])} class="actions">
        <input type="hidden" name="action" value={action} />
        <input type="hidden" name="next" value={next} />
        <input type="hidden" name="sure" value="1" />
        {possible.map(({ id }) => <input type="hidden" name="id" value={id} />)}
        {possible.length > 0 && (
          <button type="submit" class={tone}>{verb} {counted(possible.length, "job")}</button>
        )}
        <a class="button" href={next}>Back</a>
      </form>
    </section>,
  );
}

/** Changes these jobs, all in few commits; returns how many could not be. */
export async function changeAll(
  { call }: Context,
  action: BulkAction,
  ids: readonly string[],
): Promise<number> {
  const results = await Promise.all(ids.map((id) =>
    callApi(
      call,
      action === "delete"
        ? { method: "DELETE", path: apiPath(id) }
        : { method: "POST", path: apiPath(id, action) },
    )
  ));
  return results.filter(({ isOk }) => !isOk).length;
}

function nothingSelected(context: Context): Promise<Response> {
  return page(
    context,
    { title: "Nothing selected", place: "Jobs", status: 422 },
    <Empty title="No jobs were selected.">
      <p>Tick the boxes of some jobs first.</p>
      <p>
        <a href={link(["jobs"])}>Back to the jobs</a>
      </p>
    </Empty>,
  );
}
