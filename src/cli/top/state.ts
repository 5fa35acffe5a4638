/**
 * What `top` shows and what keys do to it. Pure: a key makes a new state, and perhaps asks for a deed
 * that somebody else does.
 *
 * Invariant: a deed names the job that its question named, however the list has moved meanwhile.
 */
import { LIMITS } from "../../job/job.ts";
import type { Key } from "./keys.ts";

export const TABS = ["jobs", "queues", "workers", "dlq"] as const;
export type Tab = (typeof TABS)[number];

/** Something to be done to the queue. */
export type Deed = { readonly type: "cancel" | "requeue"; readonly id: string };

export type View =
  | { readonly type: "list" }
  | { readonly type: "help"; readonly scroll: number }
  /** Lines scrolled by; infinite: the end, wherever that is. */
  | { readonly type: "job"; readonly id: string; readonly scroll: number };

export type Prompt =
  | { readonly type: "search"; readonly text: string; readonly problem: string | null }
  | { readonly type: "confirm"; readonly deed: Deed };

export interface TopState {
  readonly tab: Tab;
  readonly view: View;
  readonly prompt: Prompt | null;
  /** The row of each tab that keys are about; null: the first one, whatever that is. */
  readonly selected: Readonly<Record<Tab, string | null>>;
  /** Applies to the jobs; empty: all of them. */
  readonly search: string;
  /** How many jobs are looked for. */
  readonly limit: number;
}

export const START: TopState = {
  tab: "jobs",
  view: { type: "list" },
  prompt: null,
  selected: { jobs: null, queues: null, workers: null, dlq: null },
  search: "",
  limit: 100,
};

/** What is on the screen while a key is pressed. */
export interface Shown {
  /** What the rows of the tab are about, in their order. */
  readonly ids: readonly string[];
  /** The job of each row; null: it is about none. */
  readonly jobIds: readonly (string | null)[];
  /** Rows, or lines of a page, that fit on the screen. */
  readonly height: number;
  /** Lines of the page that is shown instead of a list. */
  readonly lines: number;
  /** What is wrong with the text of a search; null: nothing. */
  check(search: string): string | null;
}

export interface Step {
  readonly state: TopState;
  readonly deed?: Deed;
  readonly isOver?: true;
}

/** What the key does. */
export function press(state: TopState, key: Key, shown: Shown): Step {
  if (key.type === "interrupt") return { state, isOver: true };
  if (state.prompt?.type === "search") return { state: typeSearch(state, key, shown) };
  if (state.prompt?.type === "confirm") return answer(state, key, state.prompt.deed);
  // What is typed fast comes in one piece.
  if (key.type !== "text" || [...key.text].length === 1) return pressOne(state, key, shown);
  let step: Step = { state };
  for (const text of key.text) {
    step = press(step.state, { type: "text", text }, shown);
    if (step.deed !== undefined || step.isOver) return step;
  }
  return step;
}

function pressOne(state: TopState, key: Key, shown: Shown): Step {
  const name = key.type === "text" ? key.text : key.type;
  const distance = distanceOf(name, shown.height);
  if (distance !== null) return { state: move(state, distance, shown) };
  switch (name) {
    case "q":
      return state.view.type === "list" ? { state, isOver: true } : { state: toList(state) };
    case "escape":
    case "left":
    case "backspace":
      if (state.view.type !== "list") return { state: toList(state) };
      if (name === "escape") return { state: { ...state, search: "", limit: START.limit } };
      return { state: name === "left" ? openTab(state, neighbour(state.tab, -1)) : state };
    case "?":
    case "h":
      return { state: { ...state, view: { type: "help", scroll: 0 } } };
    case "tab":
    case "right":
      return { state: openTab(state, neighbour(state.tab, 1)) };
    case "back-tab":
      return { state: openTab(state, neighbour(state.tab, -1)) };
    case "1":
    case "2":
    case "3":
    case "4":
      return { state: openTab(state, TABS[Number(name) - 1]!) };
    case "enter":
      return { state: open(state, shown) };
    case "/":
      return {
        state: {
          ...toList(state),
          tab: state.tab === "dlq" ? "dlq" : "jobs",
          prompt: { type: "search", text: state.search, problem: null },
        },
      };
    case "c":
      return { state: askFor("cancel", state, shown) };
    case "r":
      return { state: askFor("requeue", state, shown) };
    default:
      return { state };
  }
}

/** Where the selected row stands; -1 when there is none. */
export function selectedIndex(state: TopState, ids: readonly string[]): number {
  const selected = state.selected[state.tab];
  return ids.length === 0 ? -1 : Math.max(0, selected === null ? 0 : ids.indexOf(selected));
}

/** The first row, or line, to show so that the selected one can be seen. */
export function firstShown(index: number, count: number, height: number): number {
  return Math.max(0, Math.min(index - Math.floor(height / 2), count - height));
}

/** Rows to go down; null: it is no key that moves. */
function distanceOf(name: string, height: number): number | null {
  const page = Math.max(1, height - 1);
  const distances: Record<string, number> = {
    "up": -1,
    "k": -1,
    "down": 1,
    "j": 1,
    "page-up": -page,
    "page-down": page,
    " ": page,
    "home": -Infinity,
    "g": -Infinity,
    "end": Infinity,
    "G": Infinity,
  };
  return distances[name] ?? null;
}

function move(state: TopState, distance: number, shown: Shown): TopState {
  const { view } = state;
  if (view.type !== "list") {
    const last = Math.max(0, shown.lines - shown.height);
    const scroll = Math.max(0, Math.min(view.scroll, last) + distance);
    return { ...state, view: { ...view, scroll: scroll >= last ? Infinity : scroll } };
  }
  const { ids, height } = shown;
  if (ids.length === 0) return state;
  const index = Math.max(0, Math.min(ids.length - 1, selectedIndex(state, ids) + distance));
  // At the top it stays there when new ones come.
  const id = index === 0 ? null : ids[index]!;
  const isNearEnd = index + height >= state.limit;
  return {
    ...state,
    selected: { ...state.selected, [state.tab]: id },
    limit: isNearEnd ? Math.min(LIMITS.listPage, state.limit + START.limit) : state.limit,
  };
}

function open(state: TopState, shown: Shown): TopState {
  if (state.view.type !== "list") return state;
  const index = selectedIndex(state, shown.ids);
  if (index < 0) return state;
  if (state.tab === "queues") {
    return { ...openTab(state, "jobs"), search: `queue:${shown.ids[index]}`, limit: START.limit };
  }
  const id = shown.jobIds[index] ?? null;
  return id === null ? state : { ...state, view: { type: "job", id, scroll: 0 } };
}

/** The question before something is done to a job. */
function askFor(type: Deed["type"], state: TopState, shown: Shown): TopState {
  const { view } = state;
  const id = view.type === "job"
    ? view.id
    : view.type === "list"
    ? shown.jobIds[selectedIndex(state, shown.ids)] ?? null
    : null;
  return id === null ? state : { ...state, prompt: { type: "confirm", deed: { type, id } } };
}

/** Only y means yes. */
function answer(state: TopState, key: Key, deed: Deed): Step {
  const answered = { ...state, prompt: null };
  const isYes = key.type === "text" && key.text.toLowerCase() === "y";
  return isYes ? { state: answered, deed } : { state: answered };
}

function typeSearch(state: TopState, key: Key, { check }: Shown): TopState {
  const { text } = state.prompt as Prompt & { type: "search" };
  const write = (text: string): TopState => ({
    ...state,
    prompt: { type: "search", text, problem: null },
  });
  switch (key.type) {
    case "text":
      return write(text + key.text);
    case "backspace":
      return text === "" ? { ...state, prompt: null } : write([...text].slice(0, -1).join(""));
    case "clear":
      return write("");
    case "escape":
      return { ...state, prompt: null };
    case "enter": {
      const problem = check(text.trim());
      if (problem !== null) return { ...state, prompt: { type: "search", text, problem } };
      return {
        ...state,
        prompt: null,
        search: text.trim(),
        limit: START.limit,
        selected: { ...state.selected, jobs: null, dlq: null },
      };
    }
    default:
      return state;
  }
}

function openTab(state: TopState, tab: Tab): TopState {
  return { ...toList(state), tab };
}

function toList(state: TopState): TopState {
  return { ...state, view: { type: "list" } };
}

function neighbour(tab: Tab, distance: number): Tab {
  return TABS[(TABS.indexOf(tab) + distance + TABS.length) % TABS.length]!;
}
