/** Jobs, newest first, narrowed down by state, queue and kind, and by a search. */
import { InvalidInputError } from "../../job/errors.ts";
import { ID_PATTERN } from "../../job/parse.ts";
import { isJobState, type JobState, STATES } from "../../job/state.ts";
import type { StateCounts } from "../../store/store.ts";
import { redirect } from "../answer.ts";
import type { Context } from "../context.ts";
import { count, link } from "../format.ts";
import { Problems } from "../job_fields.tsx";
import { BULK_FORM, JobTable, withPayloads } from "../job_rows.tsx";
import { page } from "../layout.tsx";
import { Empty } from "../parts.tsx";

const PAGE_JOBS = 50;

/** What is longer is no search that people type; the search itself says what is wrong with it. */
const MOST_SEARCH = 2_000;

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

const SEARCH_EXAMPLES = [
  "state:dead",
  "queue:mail",
  "kind:command",
  "id:01a2",
  "payload.user:7",
  "error:timeout",
  'output:"disk full"',
  "worker:w-1",
  "before:2030-12-01",
  "after:2030-12-01T10:00Z",
  "-word",
];

/** How old the jobs may be, by the word that stands in the address. */
const AGES = {
  "1h": { name: "the last hour", ms: 3_600_000 },
  "24h": { name: "the last 24 hours", ms: 86_400_000 },
  "7d": { name: "the last 7 days", ms: 7 * 86_400_000 },
} as const;

interface Filter {
  /** What was typed into the search field. */
  readonly search: string;
  readonly states: readonly JobState[];
  readonly queue: string | undefined;
  readonly kind: string | undefined;
  readonly age: keyof typeof AGES | undefined;
  readonly beforeSeq: number | undefined;
}

export async function jobsPage(context: Context): Promise<Response> {
  const { services: { queue }, query, caller } = context;
  const asked = (query.get("q") ?? "").trim();
  if (asked !== "" && ID_PATTERN.test(asked) && (await queue.store.find(asked)) !== null) {
    return redirect(link(["jobs", asked]));
  }
  const filter = readFilter(query);
  const [found, stats] = await Promise.all([findJobs(filter, context), context.stats()]);
  const parameters = {
    q: filter.search,
    state: filter.states.join(","),
    queue: filter.queue,
    kind: filter.kind,
    age: filter.age,
  };
  const isFirst = filter.beforeSeq === undefined;
  const older = found.nextSeq === null
    ? null
    : link(["jobs"], { ...parameters, before: found.nextSeq });
  const total = STATES.reduce((sum, state) => sum + stats.counts[state], 0);
  return await page(
    context,
    { title: "Jobs", place: "Jobs", live: isFirst ? eventsOf(filter) : undefined },
    <>
      <h1>Jobs</h1>
      <Filters
        filter={filter}
        counts={stats.counts}
        queues={stats.queues.map((one) => one.queue)}
      />
      {found.problems.length > 0
        ? <Problems problems={found.problems} />
        : found.jobs.length === 0
        ? <Nothing filter={filter} total={total} older={older} />
        : (
          <>
            {caller.may("admin") && (
              <BulkBar search={searchOf(filter, context.nowMs)} next={link(["jobs"], parameters)} />
            )}
            <JobTable
              rows={await withPayloads(found.jobs, context)}
              context={context}
              isSelectable={caller.may("admin")}
            />
            <nav class="pager" aria-label="Pages of jobs">
              {!isFirst && <a href={link(["jobs"], parameters)}>Newest</a>}
              {older !== null && <a rel="next" href={older}>Older</a>}
            </nav>
          </>
        )}
    </>,
  );
}

/** What was found, or what is wrong with the search. */
async function findJobs(filter: Filter, { services: { queue }, nowMs }: Context) {
  const { states, age, ...rest } = filter;
  const search = `${filter.search} ${ageTerm(age, nowMs)}`.trim();
  try {
    const page = await queue.list({
      ...rest,
      states: states.length === 0 ? undefined : states,
      limit: PAGE_JOBS,
      search: search === "" ? undefined : search,
    });
    return { ...page, problems: [] };
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error;
    return { jobs: [], nextSeq: null, problems: error.problems.map(({ detail }) => detail) };
  }
}

function ageTerm(age: Filter["age"], nowMs: number): string {
  return age === undefined ? "" : `after:${new Date(nowMs - AGES[age].ms).toISOString()}`;
}

/** All that the page narrows down to, as one search. */
function searchOf({ states, queue, kind, age, search }: Filter, nowMs: number): string {
  return [
    states.length === 0 ? "" : `state:${states.join(",")}`,
    queue === undefined ? "" : `queue:${queue}`,
    kind === undefined ? "" : `kind:${kind}`,
    ageTerm(age, nowMs),
    search,
  ].filter((term) => term !== "").join(" ");
}

function readFilter(query: URLSearchParams): Filter {
  const nameOf = (parameter: string) => {
    const value = query.get(parameter) ?? "";
    return ID_PATTERN.test(value) ? value : undefined;
  };
  const before = query.get("before") ?? "";
  const age = query.get("age") ?? "";
  return {
    search: (query.get("q") ?? "").trim().slice(0, MOST_SEARCH),
    states: (query.get("state") ?? "").split(",").filter(isJobState),
    queue: nameOf("queue"),
    kind: nameOf("kind"),
    age: Object.hasOwn(AGES, age) ? age as keyof typeof AGES : undefined,
    beforeSeq: /^\d{1,15}$/.test(before) ? Number(before) : undefined,
  };
}

/** What of the events concerns this page: not by state, because jobs also leave those shown. */
function eventsOf({ queue, kind }: Filter): string {
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
  const { search: q, queue, kind, age } = filter;
  const rest = { q, queue, kind, age };
  const chosen = filter.states.join(",");
  const isNarrowed = queue !== undefined || kind !== undefined || age !== undefined || q !== "";
  return (
    <>
      <nav class="tabs" aria-label="States">
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
        <input
          type="search"
          name="q"
          value={filter.search}
          class="grow search"
          aria-label="Search"
          placeholder="words, or state:dead payload.user:7 error:timeout"
          maxlength={MOST_SEARCH}
        />
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
          Added in{" "}
          <select name="age">
            <option value="">any time</option>
            {Object.entries(AGES).map(([value, { name }]) => (
              <option value={value} selected={value === age}>{name}</option>
            ))}
          </select>
        </label>
        <label>
          Kind <input name="kind" value={filter.kind ?? ""} maxlength={64} size={10} />
        </label>
        <button type="submit">Search</button>
        {isNarrowed && <a href={link(["jobs"], { state: chosen })}>Clear</a>}
      </form>
      <details class="small options">
        <summary>How to search</summary>
        <p>
          Words are looked for in ids, payloads, errors and output; quotes hold several together. A
          minus before a term leaves out what it finds. Terms: {SEARCH_EXAMPLES.map((example) => (
            <>
              <code>{example}</code>
              {" "}
            </>
          ))}
        </p>
      </details>
    </>
  );
}

/**
 * What to do with the selected jobs, or with all that the search finds; null: only with those that
 * are selected. Nothing is done before the next page has said how many they are.
 */
export function BulkBar({ search, next }: { search: string | null; next: string }) {
  return (
    <form method="post" action={link(["bulk"])} id={BULK_FORM} class="row bulk">
      <input type="hidden" name="next" value={next} />
      <label>
        With{" "}
        <select name="which" id="which">
          <option value="selected">the selected jobs</option>
          {search !== null && (
            <option value="all">{search === "" ? "all jobs" : "all that match"}</option>
          )}
        </select>
      </label>
      {search !== null && <input type="hidden" name="q" value={search} />}
      <button type="submit" name="action" value="requeue">Run again…</button>
      <button type="submit" name="action" value="cancel">Cancel…</button>
      <button type="submit" name="action" value="delete">Delete…</button>
    </form>
  );
}

function Nothing(
  { filter, total, older }: { filter: Filter; total: number; older: string | null },
) {
  if (total === 0) {
    return (
      <Empty title="No jobs yet.">
        <p>
          <a class="button primary" href={link(["new"])}>Add one</a>
        </p>
      </Empty>
    );
  }
  if (older !== null) {
    return (
      <Empty title="Nothing found among the newest jobs.">
        <p>
          <a class="button" href={older}>Search further back</a>
        </p>
      </Empty>
    );
  }
  const words = [
    filter.states.join(" or "),
    filter.search === "" ? "" : `found by ${filter.search}`,
    filter.queue === undefined ? "" : `in the queue ${filter.queue}`,
    filter.kind === undefined ? "" : `of the kind ${filter.kind}`,
    filter.age === undefined ? "" : `added in ${AGES[filter.age].name}`,
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
