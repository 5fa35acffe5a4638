/**
 * The dead-letter queue as an inbox: what died of the same stands together, and is run again or
 * deleted together.
 */
import { redirect } from "../answer.ts";
import { mustApi } from "../api_answer.ts";
import type { Context } from "../context.ts";
import { type DeadGroup, deadGroups, jobsOfGroup, meaningOf, partsOf } from "../dead_groups.ts";
import { flash } from "../flash.ts";
import { count, counted, link } from "../format.ts";
import { fieldOf, readForm } from "../forms.ts";
import { JobTable, withPayloads } from "../job_rows.tsx";
import { page } from "../layout.tsx";
import { PaceChoice } from "../pace.tsx";
import { Data, Empty, ErrorText, JobLink, Time } from "../parts.tsx";
import { BulkBar } from "./jobs.tsx";

/** The most that one form runs again; more stay for the next time. */
const MOST_AT_ONCE = 10_000;

const GROUP_PAGE_JOBS = 50;

export async function deadPage(context: Context): Promise<Response> {
  const { services: { queue }, query, caller } = context;
  const key = query.get("group");
  if (key !== null) return await groupPage(context, key);
  const [{ groups, lookedAt, isAll }, stats] = await Promise.all([
    deadGroups(queue),
    context.stats(),
  ]);
  const dead = stats.counts.dead;
  return await page(
    context,
    { title: `Dead letters (${count(dead)})`, place: "Dead letters", live: "state=dead,pending" },
    <>
      <h1>Dead letters</h1>
      {groups.length === 0
        ? (
          <Empty title="No dead jobs.">
            <p>
              A job dies when an attempt fails and no retries are left. Then it waits here until
              somebody runs it again or deletes it.
            </p>
          </Empty>
        )
        : (
          <>
            <p>
              {counted(dead, "job")} failed for good and {dead === 1 ? "waits" : "wait"}{" "}
              here until somebody runs {dead === 1 ? "it" : "them"} again or deletes{" "}
              {dead === 1 ? "it" : "them"}. What died of the same stands together.
              {!isAll && ` Looked at: the newest ${count(lookedAt)}.`}
            </p>
            <ul class="groups">
              {groups.map((group) => <Group group={group} context={context} />)}
            </ul>
            {caller.may("admin") && groups.length > 1 && (
              <section class="panel">
                <div class="panel-head">
                  <h2>All dead jobs</h2>
                </div>
                <GroupActions groupKey="" jobs={dead} />
              </section>
            )}
          </>
        )}
    </>,
  );
}

function Group({ group, context }: { group: DeadGroup; context: Context }) {
  const { key, kind, code, error, jobs, queues, newest, lastAtMs } = group;
  return (
    <li class="panel group" data-row={key}>
      <div class="group-head">
        <span class="group-count" title={counted(jobs, "job")}>{count(jobs)}</span>
        <div class="grow">
          <h2 class="error-text">
            <ErrorText>{jobs === 1 ? newest.lastError?.message ?? error : error}</ErrorText>
          </h2>
          <p class="soft small">
            <b>{code}</b>
            {meaningOf(code) !== "" && `: ${meaningOf(code)}`} · kind <Data>{kind}</Data> · queue
            {" "}
            <Data>{queues.slice(0, 5).join(", ")}</Data> · last{" "}
            <Time at={lastAtMs} now={context.nowMs} />: <JobLink id={newest.id} short />
          </p>
        </div>
        <a
          class="button"
          href={jobs === 1 ? link(["jobs", newest.id]) : link(["dead"], { group: key })}
        >
          Look at {jobs === 1 ? "it" : "them"}
        </a>
      </div>
      {context.caller.may("admin") && <GroupActions groupKey={key} jobs={jobs} />}
    </li>
  );
}

function GroupActions({ groupKey, jobs }: { groupKey: string; jobs: number }) {
  return (
    <form method="post" action={link(["dead"])} class="row">
      <input type="hidden" name="group" value={groupKey} />
      <button type="submit" name="action" value="requeue" class="primary">
        Run {jobs === 1 ? "it" : "them"} again
      </button>
      {jobs > 1 && <PaceChoice />}
      <button type="submit" name="action" value="delete">Delete…</button>
    </form>
  );
}

/** The jobs of one group. */
async function groupPage(context: Context, key: string): Promise<Response> {
  const { services: { queue }, caller } = context;
  const jobs = [];
  let isMore = false;
  for await (const some of jobsOfGroup(queue, key)) {
    jobs.push(...some);
    isMore = jobs.length > GROUP_PAGE_JOBS;
    if (isMore) break;
  }
  const rows = await withPayloads(jobs.slice(0, GROUP_PAGE_JOBS), context);
  const { code, error } = partsOf(key);
  return await page(
    context,
    { title: "Dead letters", place: "Dead letters", live: "state=dead,pending" },
    <>
      <p>
        <a href={link(["dead"])}>← All dead letters</a>
      </p>
      <h1 class="error-text">
        <Data>{error || "Dead jobs"}</Data>
      </h1>
      <p class="soft">
        <Data>{code}</Data>
      </p>
      {rows.length === 0 ? <Empty title="No dead jobs of this group are left." /> : (
        <>
          {caller.may("admin") && (
            <section class="panel">
              <div class="panel-head">
                <h2>The whole group</h2>
              </div>
              <GroupActions groupKey={key} jobs={rows.length} />
            </section>
          )}
          {caller.may("admin") && <BulkBar search={null} next={link(["dead"], { group: key })} />}
          <JobTable rows={rows} context={context} isSelectable={caller.may("admin")} />
          {isMore && <p class="soft">Only the newest {GROUP_PAGE_JOBS} are shown.</p>}
        </>
      )}
    </>,
  );
}

/** Runs a group again, or deletes it once that is confirmed. */
export async function deadPost(context: Context): Promise<Response> {
  const { call, services: { queue } } = context;
  const form = await readForm(call);
  const key = form.get("group") ?? "";
  const action = form.get("action");
  if (action === "requeue") {
    const ids = await idsOfGroup(context, key);
    const pace = fieldOf(form, "pace");
    const json = { action, ids, ...(pace === undefined ? {} : { pace }) };
    const { changed } = await mustApi(call, { method: "POST", path: "/jobs/bulk", json });
    return redirect(link(["dead"], flash("requeued", changed, ids.length - changed)));
  }
  if (action === "delete" && form.get("sure") === "1") {
    let done = 0;
    let failed = 0;
    for await (const jobs of jobsOfGroup(queue, key)) {
      const json = { action, ids: jobs.map(({ id }) => id) };
      const { changed } = await mustApi(call, { method: "POST", path: "/jobs/bulk", json });
      done += changed;
      failed += jobs.length - changed;
    }
    return redirect(link(["dead"], flash("deleted", done, failed)));
  }
  return await confirmDelete(context, key);
}

/** The oldest first: they run again in the order in which they were added. */
async function idsOfGroup({ services: { queue } }: Context, key: string): Promise<string[]> {
  const ids: string[] = [];
  for await (const jobs of jobsOfGroup(queue, key)) {
    ids.push(...jobs.map(({ id }) => id));
    if (ids.length >= MOST_AT_ONCE) break;
  }
  return ids.slice(0, MOST_AT_ONCE).reverse();
}

async function confirmDelete(context: Context, key: string): Promise<Response> {
  const { services: { queue } } = context;
  let jobs = 0;
  if (key === "") jobs = (await context.stats()).counts.dead;
  else for await (const some of jobsOfGroup(queue, key)) jobs += some.length;
  const { error } = partsOf(key);
  return await page(
    context,
    { title: `Delete ${counted(jobs, "dead job")}`, place: "Dead letters" },
    <section class="panel confirm">
      <h1>Delete {counted(jobs, "dead job")}?</h1>
      {error !== "" && (
        <p class="error-text">
          <Data>{error}</Data>
        </p>
      )}
      <p>Attempts, output and files go with the jobs. This cannot be undone.</p>
      <form method="post" action={link(["dead"])} class="actions">
        <input type="hidden" name="group" value={key} />
        <input type="hidden" name="action" value="delete" />
        <input type="hidden" name="sure" value="1" />
        <button type="submit" class="danger">Delete {counted(jobs, "job")}</button>
        <a class="button" href={link(["dead"])}>Keep {jobs === 1 ? "it" : "them"}</a>
      </form>
    </section>,
  );
}
