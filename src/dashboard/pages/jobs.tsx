/** Jobs, newest first, narrowed down by state, queue, kind and age. */
import { ID_PATTERN } from "../../job/parse.ts";
import { isJobState, type JobState, STATES } from "../../job/state.ts";
import type { StateCounts } from "../../store/store.ts";
import { redirect } from "../answer.ts";
import type { Context } from "../context.ts";
import { count, link } from "../format.ts";
import { BULK_FORM, JobTable, withPayloads } from "../job_rows.tsx";
import { page } from "../layout.tsx";
import { Empty } from "../parts.tsx";

const PAGE_JOBS = 50;

/** The states that people think of as one. */
const STATE_CHOICES: readonly { name: string; states: readonly JobState[] }[] = [
  { name: "all", states: [] },
  { name: "pending", states: ["pending"] },
  { name: "running", states: ["started", "processing"] },
  { name: "failed", states: ["failed"] },
  { name: "dead", states: ["dead"] },
  { name: "completed", states: ["completed"] },
  { name: "cancelled", states: ["cancelled"] },
];

interface Filter {
  readonly states: readonly JobState[];
  readonly queue: string | undefined;
  readonly kind: string | undefined;
  readonly beforeSeq: number | undefined;
}

export async function jobsPage(context: Context): Promise<Response> {
  const { services: { queue }, query, caller } = context;
  const asked = (query.get("q") ?? "").trim();
  if (asked !== "" && ID_PATTERN.test(asked) && (await queue.store.find(asked)) !== null) {
    return redirect(link(["jobs", asked]));
  }
  const filter = readFilter(query);
  const [found, stats] = await Promise.all([
    queue.list({
      states: filter.states.length === 0 ? undefined : filter.states,
      queue: filter.queue,
      kind: filter.kind,
      beforeSeq: filter.beforeSeq,
      limit: PAGE_JOBS,
    }),
    context.stats(),
  ]);
  const rows = await withPayloads(found.jobs, context);
  const parameters = {
    state: filter.states.join(","),
    queue: filter.queue,
    kind: filter.kind,
  };
  const isFirst = filter.beforeSeq === undefined;
  return await page(
    context,
    { title: "Jobs", place: "Jobs", live: isFirst ? queryOf(filter) : undefined },
    <>
      <h1>Jobs</h1>
      <Filters
        filter={filter}
        counts={stats.counts}
        queues={stats.queues.map((one) => one.queue)}
      />
      {rows.length === 0
        ? (
          <Nothing
            filter={filter}
            total={STATES.reduce((sum, one) => sum + stats.counts[one], 0)}
          />
        )
        : (
          <>
            {caller.may("admin") && <BulkBar />}
            <JobTable rows={rows} context={context} isSelectable={caller.may("admin")} />
            <nav class="pager" aria-label="Pages of jobs">
              {!isFirst && <a href={link(["jobs"], parameters)}>Newest</a>}
              {found.nextSeq !== null && (
                <a rel="next" href={link(["jobs"], { ...parameters, before: found.nextSeq })}>
                  Older
                </a>
              )}
            </nav>
          </>
        )}
    </>,
  );
}

function readFilter(query: URLSearchParams): Filter {
  const states = (query.get("state") ?? "").split(",").filter(isJobState);
  const nameOf = (parameter: string) => {
    const value = query.get(parameter) ?? "";
    return ID_PATTERN.test(value) ? value : undefined;
  };
  const before = query.get("before") ?? "";
  return {
    states,
    queue: nameOf("queue"),
    kind: nameOf("kind"),
    beforeSeq: /^\d{1,15}$/.test(before) ? Number(before) : undefined,
  };
}

/** What of the events concerns this page: states change into the wanted ones and out of them. */
function queryOf({ queue, kind }: Filter): string {
  return new URLSearchParams({
    ...(queue === undefined ? {} : { queue }),
    ...(kind === undefined ? {} : { kind }),
  }).toString();
}

function Filters(
  { filter, counts, queues }: {
    filter: Filter;
    counts: StateCounts;
    queues: readonly string[];
  },
) {
  const rest = { queue: filter.queue, kind: filter.kind };
  const chosen = filter.states.join(",");
  return (
    <>
      <nav class="tabs states" aria-label="States">
        {STATE_CHOICES.map(({ name, states }) => (
          <a
            href={link(["jobs"], { ...rest, state: states.join(",") })}
            aria-current={states.join(",") === chosen ? "true" : undefined}
          >
            {name}
            {states.length > 0 && (
              <span class="soft">
                {" "}
                {count(states.reduce((sum, state) => sum + counts[state], 0))}
              </span>
            )}
          </a>
        ))}
      </nav>
      <form class="row" action={link(["jobs"])}>
        {chosen !== "" && <input type="hidden" name="state" value={chosen} />}
        <label>
          Queue{" "}
          <select name="queue">
            <option value="">all</option>
            {queues.map((name) => (
              <option value={name} selected={name === filter.queue}>{name}</option>
            ))}
          </select>
        </label>
        <label>
          Kind <input name="kind" value={filter.kind ?? ""} maxlength={64} size={12} />
        </label>
        <button type="submit">Show</button>
        {(filter.queue !== undefined || filter.kind !== undefined) && (
          <a href={link(["jobs"], { state: chosen })}>Clear</a>
        )}
      </form>
    </>
  );
}

/** What to do with the selected jobs. Nothing is done before the next page has said how many. */
export function BulkBar() {
  return (
    <form method="post" action={link(["bulk"])} id={BULK_FORM} class="row bulk">
      <span id="selected" role="status">With the selected jobs:</span>
      <button type="submit" name="action" value="requeue">Run again…</button>
      <button type="submit" name="action" value="cancel">Cancel…</button>
      <button type="submit" name="action" value="delete">Delete…</button>
    </form>
  );
}

function Nothing({ filter, total }: { filter: Filter; total: number }) {
  if (total === 0) {
    return (
      <Empty title="No jobs yet.">
        <p>
          <a class="button primary" href={link(["new"])}>Add one</a>
        </p>
      </Empty>
    );
  }
  const words = [
    filter.states.join(" or "),
    filter.queue === undefined ? "" : `in the queue ${filter.queue}`,
    filter.kind === undefined ? "" : `of the kind ${filter.kind}`,
    filter.beforeSeq === undefined ? "" : "as old as that",
  ].filter((word) => word !== "").join(", ");
  return (
    <Empty title={`No jobs like that${words === "" ? "" : ": "}${words}.`}>
      <p>
        <a href={link(["jobs"])}>All jobs</a>
      </p>
    </Empty>
  );
}
