/** The whole screen of `top` as lines, from what is known and what was chosen. Pure. */
import { formatRate } from "../../job/limits.ts";
import { humanDuration } from "../../lib/duration.ts";
import { parseSearch } from "../../job/search.ts";
import { relativeTime } from "../output.ts";
import { type Content, idsOf, jobIdsOf, type Listed, problemText } from "./content.ts";
import { jobLines } from "./job_lines.ts";
import { fit, type Line, type Span } from "./line.ts";
import { conditionLine, countsLine, oldestMs, stateSpan, throughputLine } from "./overview.ts";
import { firstShown, selectedIndex, type Shown, type Tab, TABS, type TopState } from "./state.ts";
import { type Cell, type TableColumn, tableLines } from "./table.ts";

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** Something to tell in passing. */
export interface Notice {
  readonly text: string;
  readonly isError: boolean;
}

export interface Scene {
  readonly state: TopState;
  /** Null: nothing is known yet. */
  readonly content: Content | null;
  readonly size: Size;
  readonly notice: Notice | null;
  readonly nowMs: number;
}

/** Less than this cannot show anything. */
const LEAST: Size = { columns: 20, rows: 6 };

/** With fewer rows the summary is left out. */
const ROWS_FOR_SUMMARY = 14;

const TITLE_OF: Readonly<Record<Tab, string>> = {
  jobs: "Jobs",
  queues: "Queues",
  workers: "Workers",
  dlq: "DLQ",
};

const LOOKING: Line = [["looking…", "dim"]];

/** As many lines as the screen has rows. */
export function screenLines(scene: Scene): Line[] {
  const { size, content } = scene;
  if (size.columns < LEAST.columns || size.rows < LEAST.rows) {
    return filled([["the terminal is too small"]], size.rows);
  }
  const head = headLines(scene);
  const height = heightOf(size);
  const body = content === null ? [LOOKING] : bodyLines(scene, content, height);
  return [...filled([...head, ...body], size.rows - 1), footLine(scene)];
}

/** What a key is to know of the screen. */
export function shownOf({ state, content, size, nowMs }: Scene): Shown {
  const { columns } = size;
  const lines = state.view.type === "help"
    ? HELP.length
    : content?.page
    ? jobLines(content.page, { columns, nowMs }).length
    : 0;
  return {
    ids: idsOf(content?.listed ?? null),
    jobIds: jobIdsOf(content?.listed ?? null),
    height: state.view.type === "list" ? heightOf(size) : heightOf(size) + 1,
    lines,
    check,
  };
}

/** Rows of a list that fit below its head. */
export function heightOf({ rows }: Size): number {
  return Math.max(1, rows - (rows < ROWS_FOR_SUMMARY ? 1 : 4) - 2);
}

function check(search: string): string | null {
  try {
    parseSearch(search);
    return null;
  } catch (error) {
    return problemText(error);
  }
}

function headLines({ state, content, size }: Scene): Line[] {
  const tabs = TABS.flatMap((tab, index): Span[] => {
    const text = `${index + 1} ${TITLE_OF[tab]}`;
    return tab === state.tab ? [[`[${text}]`, "bold"]] : [[` ${text} `, "dim"]];
  });
  const isSearched = state.search !== "" && (state.tab === "jobs" || state.tab === "dlq");
  const listed = content?.listed;
  const isCut = listed?.type === "jobs" && listed.hasMore && state.view.type === "list";
  const bar: Line = [
    ...tabs,
    ...(isCut ? [[`  the newest ${listed.jobs.length}`, "dim"] as const] : []),
    ...(isSearched ? [["  /", "dim"] as const, state.search] : []),
  ];
  if (size.rows < ROWS_FOR_SUMMARY) return [bar];
  if (content === null) return [[], [], [], bar];
  const { overview } = content;
  return [
    countsLine(overview, size.columns),
    throughputLine(overview, size.columns),
    conditionLine(overview),
    bar,
  ];
}

function bodyLines(scene: Scene, content: Content, height: number): Line[] {
  const { state, size, nowMs } = scene;
  const { view } = state;
  if (view.type === "list") {
    return content.listed === null ? [LOOKING] : listLines(scene, content.listed, height);
  }
  const lines = view.type === "help"
    ? HELP
    : content.page === null
    ? [[[`the job ${view.id} is gone`, "yellow"]] as Line]
    : content.page === undefined
    ? [LOOKING]
    : jobLines(content.page, { columns: size.columns, nowMs });
  const last = Math.max(0, lines.length - (height + 1));
  return lines.slice(Math.min(view.scroll, last)).slice(0, height + 1);
}

function listLines({ state, size, nowMs }: Scene, listed: Listed, height: number): Line[] {
  const { columns, rows, nothing } = tableOf(listed, nowMs, state);
  if (rows.length === 0) return [[[nothing, "dim"]]];
  const index = selectedIndex(state, idsOf(listed));
  const first = firstShown(index, rows.length, height);
  const shown = rows.slice(first, first + height);
  const { head, lines } = tableLines(columns, shown, size.columns - MARK.length);
  return [
    [NO_MARK, ...head],
    ...lines.map((line, row): Line =>
      first + row === index ? [[MARK, "bold"], ...line.map(chosen)] : [NO_MARK, ...line]
    ),
  ];
}

/** The mark is seen without colours too. */
const MARK = "> ";
const NO_MARK = "  ";

function chosen(span: Span): Span {
  const [text, ...styles] = typeof span === "string" ? [span] : span;
  return [text, ...styles, "inverse"];
}

interface Rows {
  readonly columns: readonly TableColumn[];
  readonly rows: readonly (readonly Cell[])[];
  readonly nothing: string;
}

function tableOf(listed: Listed, nowMs: number, { search, tab }: TopState): Rows {
  switch (listed.type) {
    case "jobs":
      return {
        columns: JOB_COLUMNS,
        rows: listed.jobs.map(({ job, about }) => [
          job.id,
          stateSpan(job.state),
          job.queue,
          job.kind,
          `${job.attempts}/${job.maxRetries + 1}`,
          age(job.createdAtMs, nowMs),
          job.lastError === null ? about : [about, "yellow"],
        ]),
        nothing: search !== ""
          ? `nothing found${listed.hasMore ? " yet" : ""}: Escape shows all`
          : tab === "dlq"
          ? "no job is dead"
          : "there are no jobs",
      };
    case "queues":
      return {
        columns: QUEUE_COLUMNS,
        rows: listed.queues.map((one) => {
          const { queue, counts, rules } = one;
          const waitsMs = oldestMs(one, nowMs);
          return [
            queue,
            rules.pausedAtMs === null ? "open" : ["paused", "yellow"],
            String(counts.pending + counts.failed),
            String(counts.started + counts.processing),
            counts.dead === 0 ? "0" : [String(counts.dead), "red"],
            waitsMs === null ? "-" : humanDuration(waitsMs),
            limitsText(rules),
          ];
        }),
        nothing: "there are no queues",
      };
    case "workers":
      return {
        columns: WORKER_COLUMNS,
        rows: listed.workers.map(({ worker, job }) => [
          worker.label,
          String(worker.pid),
          worker.role,
          worker.jobId !== null && worker.status === "idle" ? "busy" : worker.status,
          String(worker.restarts),
          job?.job.startedAtMs == null ? "-" : age(job.job.startedAtMs, nowMs),
          worker.jobId ?? "-",
          job?.about ?? "",
        ]),
        nothing: "no workers are running: queuectl worker, or queuectl serve",
      };
  }
}

const JOB_COLUMNS: readonly TableColumn[] = [
  { title: "ID", most: 32, leaveOut: 2 },
  { title: "STATE" },
  { title: "QUEUE", most: 16, leaveOut: 4 },
  { title: "KIND", most: 16, leaveOut: 5 },
  { title: "TRIES", align: "right", leaveOut: 6 },
  { title: "AGE", align: "right", leaveOut: 3 },
  { title: "ABOUT", isWide: true },
];

const QUEUE_COLUMNS: readonly TableColumn[] = [
  { title: "QUEUE", most: 32 },
  { title: "STATE" },
  { title: "WAITING", align: "right" },
  { title: "RUNNING", align: "right" },
  { title: "DEAD", align: "right", leaveOut: 1 },
  { title: "OLDEST", align: "right", leaveOut: 2 },
  { title: "LIMITS", isWide: true },
];

const WORKER_COLUMNS: readonly TableColumn[] = [
  { title: "WORKER" },
  { title: "PID", align: "right", leaveOut: 3 },
  { title: "ROLE", leaveOut: 5 },
  { title: "STATUS" },
  { title: "RESTARTS", align: "right", leaveOut: 4 },
  { title: "FOR", align: "right", leaveOut: 1 },
  { title: "JOB", most: 32, leaveOut: 2 },
  { title: "WORK", isWide: true },
];

function limitsText(
  { maxRunning, rate, keyMaxRunning }: Extract<Listed, { type: "queues" }>["queues"][0]["rules"],
): string {
  return [
    ...(maxRunning === null ? [] : [`${maxRunning} running`]),
    ...(rate === null ? [] : [formatRate(rate)]),
    ...(keyMaxRunning === null ? [] : [`${keyMaxRunning} per key`]),
  ].join(", ") || "-";
}

function age(fromMs: number, nowMs: number): string {
  return relativeTime(fromMs, Math.max(fromMs, nowMs)).replace(/ ago$/, "");
}

const HINTS = {
  list: "↑↓ select  enter open  c cancel  r requeue  / search  tab next  ? help  q quit",
  job: "↑↓ scroll  c cancel  r requeue  esc back  ? help",
  help: "esc back",
} as const;

function footLine({ state, notice, size: { columns } }: Scene): Line {
  const { prompt, view } = state;
  if (prompt?.type === "search") {
    const { text, problem } = prompt;
    // The end of a long text, where somebody types.
    if (problem === null) return [`/${[...text].slice(-(columns - 2)).join("")}█`];
    return [`/${text}█  `, [problem, "red"]];
  }
  if (prompt?.type === "confirm") {
    const verb = prompt.deed.type === "cancel" ? "Cancel" : "Requeue";
    const room = Math.max(8, columns - `${verb} the job ? [y/N] `.length);
    const { id } = prompt.deed;
    const shown = id.length > room ? fit(id, room) : id;
    return [[`${verb} the job ${shown}? [y/N]`, "bold"]];
  }
  if (notice !== null) return [[notice.text, notice.isError ? "red" : "green"]];
  return [[HINTS[view.type], "dim"]];
}

/** At least so many lines, and no more. */
function filled(lines: readonly Line[], rows: number): Line[] {
  return [...lines, ...Array<Line>(Math.max(0, rows - lines.length)).fill([])].slice(0, rows);
}

const HELP: readonly Line[] = ([
  ["", "Everywhere"],
  ["↑ ↓  k j", "the row before, the next one; or a line of a page"],
  ["PgUp PgDn", "a screen full"],
  ["g G  Home End", "the first, the last"],
  ["Tab  ← →  1 2 3 4", "another tab: jobs, queues, workers, DLQ"],
  ["q  Ctrl-C", "quit"],
  ["", "Jobs"],
  ["Enter", "everything about the job, with its output; of a queue: its jobs"],
  ["c", "cancel the job, after a question"],
  ["r", "requeue a dead or cancelled job, after a question"],
  ["/", "search; Escape shows all again"],
  ["", "A search"],
  ["state:dead,failed", "by state; also queue: kind: key: worker: id:"],
  ["error:timeout", "a word in the error; also output: payload:"],
  ["payload.user:7", "a member of the payload"],
  ["after:2030-12-01", "by when it was created; also before:"],
  ['"two words"  -word', "words anywhere; a minus: not there"],
] as const).flatMap(([keys, text]): Line[] =>
  keys === "" ? [[[text, "bold"]]] : [[`  ${fit(keys, 20)}`, text]]
);
