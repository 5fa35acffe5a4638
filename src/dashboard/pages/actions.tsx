/** Changes to one job, and to several that were selected. Each shows first how many it concerns. */
import { redirect } from "../answer.ts";
import { mustApi } from "../api_answer.ts";
import type { Context } from "../context.ts";
import { flash } from "../flash.ts";
import { count, counted, encodeSegment, link } from "../format.ts";
import { fieldOf, pathOf, readForm } from "../forms.ts";
import { page } from "../layout.tsx";
import { PaceChoice } from "../pace.tsx";
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
    needs: "dead or cancelled",
  },
  cancel: {
    verb: "Cancel",
    done: "cancelled",
    tone: "danger",
    needs: "waiting or running",
  },
  delete: {
    verb: "Delete",
    done: "deleted",
    tone: "danger",
    needs: "not running",
  },
} as const;

type BulkAction = keyof typeof BULK;

/** A page shows at most so many boxes, so that no honest form names more jobs. */
const MOST_SELECTED = 1_000;

/** What is wanted for many jobs: shown with its count, done once it is confirmed. */
export async function bulkPost(context: Context): Promise<Response> {
  const { call } = context;
  const form = await readForm(call, MOST_SELECTED * 64);
  const next = pathOf(form, "next", link(["jobs"]));
  const action = form.get("action") ?? "";
  const jobs = chosenJobs(form);
  if (!Object.hasOwn(BULK, action) || jobs === null) return await nothingSelected(context, next);
  const { done } = BULK[action as BulkAction];
  const pace = fieldOf(form, "pace");
  const isSure = form.get("sure") === "1";
  const json = { action, ...jobs, ...(isSure ? { pace } : { dry_run: true }) };
  const result = await mustApi(call, { method: "POST", path: "/jobs/bulk", json });
  if (isSure) {
    const { changed, allowed } = result;
    return back(next, flash(done, changed, allowed - changed));
  }
  return await confirmBulk(context, { ...result, action: action as BulkAction, jobs, next });
}

type ChosenJobs = { readonly ids: readonly string[] } | { readonly q: string };

/** Those that are ticked, or all that a search finds; null: none. */
function chosenJobs(form: URLSearchParams): ChosenJobs | null {
  if (form.get("which") === "all") return { q: form.get("q") ?? "" };
  const ids = [...new Set(form.getAll("id"))].slice(0, MOST_SELECTED);
  return ids.length === 0 ? null : { ids };
}

async function confirmBulk(
  context: Context,
  { action, jobs, next, matched, allowed, has_more: hasMore }: {
    action: BulkAction;
    jobs: ChosenJobs;
    next: string;
    matched: number;
    allowed: number;
    has_more: boolean;
  },
): Promise<Response> {
  const { verb, tone, needs } = BULK[action];
  const rest = matched - allowed;
  const isAll = "q" in jobs;
  return await page(
    context,
    { title: `${verb}: ${counted(allowed, "job")}`, place: "Jobs" },
    <section class="panel confirm">
      <h1>{verb}: {counted(allowed, "job")}?</h1>
      {isAll && (
        <p>
          {jobs.q === "" ? "All jobs." : (
            <>
              All that match{" "}
              <code>
                <Data>{jobs.q}</Data>
              </code>
            </>
          )}
        </p>
      )}
      {rest > 0 && (
        <p>
          Of {counted(matched, "job")}, {count(rest)} {rest === 1 ? "is" : "are"}{" "}
          left out: only jobs that are {needs} can be.
        </p>
      )}
      {hasMore && <p>There are more; this is as many as one step takes. Come back for the rest.</p>}
      {action === "delete" && (
        <p>Attempts, output and files go with the jobs. This cannot be undone.</p>
      )}
      <form method="post" action={link(["bulk"])} class="actions">
        <input type="hidden" name="action" value={action} />
        <input type="hidden" name="next" value={next} />
        <input type="hidden" name="sure" value="1" />
        {isAll
          ? (
            <>
              <input type="hidden" name="which" value="all" />
              <input type="hidden" name="q" value={jobs.q} />
            </>
          )
          : jobs.ids.map((id) => <input type="hidden" name="id" value={id} />)}
        {action === "requeue" && allowed > 1 && <PaceChoice />}
        {allowed > 0 && (
          <button type="submit" class={tone}>{verb}: {counted(allowed, "job")}</button>
        )}
        <a class="button" href={next}>Back</a>
      </form>
    </section>,
  );
}

function nothingSelected(context: Context, next: string): Promise<Response> {
  return page(
    context,
    { title: "Nothing selected", place: "Jobs", status: 422 },
    <Empty title="No jobs were selected.">
      <p>Tick the boxes of some jobs first.</p>
      <p>
        <a href={next}>Back to the jobs</a>
      </p>
    </Empty>,
  );
}
